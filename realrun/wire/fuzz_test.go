package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Whatever a receiver sends, a reply is found as a plain reading of RFC 5321 4.2 finds it, however
// the bytes arrive, or is an error; what follows it stays unread.
func FuzzReply(f *testing.F) {
	for _, text := range []string{"250 ok\r\n", "250\r\n", "250-a\r\n250-\r\n250 b\r\n220 next\r\n",
		"250-a\r\n251 b\r\n", "250 ok\n", "250 o\rk\r\n", "250\r", "199 x\r\n", "999 x\r\n", "250_x\r\n",
		"25\r\n", "\r\n", "", "250-a\r\n", "\x00\xff\r\n",
		"250-" + strings.Repeat("x", mostLine) + "\r\n", "421-\r\n421-5.1.1 no\r\n421\r\n"} {
		f.Add([]byte(text), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, part uint8) {
		lines, rest, ok := plainly(text)
		for name, src := range map[string]io.Reader{
			"whole": bytes.NewReader(text), "bytes": iotest.OneByteReader(bytes.NewReader(text)),
			"parts": &stutter{text: text, part: int(part)%100 + 1},
		} {
			in, r := reader{src: src}, reply{}
			err := r.read(&in)
			for errors.Is(err, errAgain) {
				err = r.read(&in)
			}
			if ok != (err == nil) {
				t.Fatalf("%s of %q: %v, want a reply: %v", name, text, err, ok)
			}
			if !ok {
				continue
			}
			want := ""
			for _, line := range lines {
				if len(line) > 3 {
					want += line[4:] + "\n"
				}
			}
			if got := string(r.text); got != want || r.lines != len(lines) {
				t.Fatalf("%s of %q: got text %q in %d lines, want %q in %d", name, text, got, r.lines, want, len(lines))
			}
			left, _ := io.ReadAll(io.MultiReader(bytes.NewReader(in.buffer[in.from:in.to]), src))
			if name != "parts" && !bytes.Equal(left, rest) {
				t.Fatalf("%s of %q: left %q, want %q", name, text, left, rest)
			}
			shown := string(r.shown(nil))
			if strings.ContainsFunc(shown, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
			offerOf(r.text)
		}
	})
}

// plainly reads a reply line by line.
func plainly(text []byte) (lines []string, rest []byte, ok bool) {
	size := 0
	for len(text) > 0 {
		line, more, found := bytes.Cut(text, []byte("\n"))
		if !found || len(line) >= mostLine || !bytes.HasSuffix(line, []byte("\r")) {
			return nil, nil, false
		}
		l := string(line[:len(line)-1])
		code := l[:min(3, len(l))]
		if len(code) < 3 || !strings.Contains("2345", code[:1]) || strings.Trim(code, "0123456789") != "" ||
			len(lines) > 0 && lines[0][:3] != code || len(l) > 3 && l[3] != ' ' && l[3] != '-' {
			return nil, nil, false
		}
		if len(lines) == mostLines || size+len(l) > mostText {
			return nil, nil, false
		}
		size += max(0, len(l)-3)
		lines = append(lines, l)
		if text = more; len(l) == 3 || l[3] == ' ' {
			return lines, text, true
		}
	}
	return nil, nil, false
}

var errAgain = errors.New("again")

// stutter gives a part of the text, then errAgain, and so on.
type stutter struct {
	text   []byte
	part   int
	paused bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.paused = !s.paused; s.paused {
		return 0, errAgain
	}
	if len(s.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.part)], s.text)
	s.text = s.text[n:]
	return n, nil
}

// Whatever a message has, it arrives as lines with CRLF, each of them as it was, and a receiver finds
// its end where the final dot is, also one that takes a line feed alone for the end of a line.
func FuzzBody(f *testing.F) {
	for _, text := range []string{"", ".", "a\r\n.\r\nb", "a\n.\nb", "a\r.\rb", "\r\r\n\n.", "..\r\n.",
		"a\r\n.\rMAIL FROM:<x>\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		flushed := 0
		out, err := stuffed(nil, message, func(out []byte) ([]byte, error) { flushed += len(out); return out[:0], nil })
		if err != nil || flushed > 0 {
			return
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(message))
		if want != "" && (!strings.HasSuffix(want, "\n") || bytes.HasSuffix(message, []byte("\r"))) {
			want += "\n"
		}
		var got strings.Builder
		lines := bufio.NewReader(bytes.NewReader(append(out, ".\r\n"...)))
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%q is sent as %q, without a final dot", message, out)
			}
			if strings.TrimRight(line, "\r\n") == "." {
				break
			}
			if strings.Count(line, "\r") != 1 || !strings.HasSuffix(line, "\r\n") {
				t.Fatalf("%q is sent with line %q", message, line)
			}
			got.WriteString(strings.TrimPrefix(strings.TrimSuffix(line, "\r\n"), ".") + "\n")
		}
		if _, err := lines.ReadByte(); err == nil || got.String() != want {
			t.Fatalf("%q is sent as %q, and read as %q, want %q", message, out, got.String(), want)
		}
	})
}
