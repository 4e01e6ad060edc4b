package terminal

import (
	"bytes"
	"fmt"
	"testing"
)

// However text is cut into pieces, what comes out is the same, and nothing in it
// acts on a terminal.
func TestTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\nin lines":                "plain\ttext\nin lines",
		"Grüße, 日本 ±·│\u00a0x":                 "Grüße, 日本 ±·│\u00a0x",
		"\x1b[2Jcleared\x1b]0;title\a\r\b\x00": `\u001b[2Jcleared\u001b]0;title\u0007\u000d\u0008\u0000`,
		"\u009b2J\x7f":                         `\u009b2J\u007f`,
		"turned \u202e and \u200b hidden":      `turned \u202e and \u200b hidden`,
		"\U000e0041":                           `\udb40\udc41`,
		"broken \xff\xe2\x82":                  "broken \ufffd\ufffd\ufffd",
		"\x1b[32mgood\x1b[0m \x1b[1;3":         "\x1b[32mgood\x1b[0m " + `\u001b[1;3`,
		"\x1b[33mnot ours":                     `\u001b[33mnot ours`,
	} {
		for size := range len(in) {
			var out bytes.Buffer
			w := NewWriter(&out, func() bool { return true })
			for text := in; text != ""; {
				n := min(size+1, len(text))
				fmt.Fprint(w, text[:n])
				text = text[n:]
			}
			if err := w.Flush(); err != nil || out.String() != want {
				t.Errorf("%q in pieces of %d: got %q and %v, want %q", in, size+1, out.String(), err, want)
			}
		}
	}
	var out bytes.Buffer
	w := NewWriter(&out, func() bool { return false })
	fmt.Fprint(w, "\x1b[32mgood")
	if w.Flush(); out.String() != `\u001b[32mgood` {
		t.Errorf("without colour: %q", out.String())
	}
}
