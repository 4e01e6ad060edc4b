package mail

import (
	"math"
	"testing"
)

func TestVERPRoundTrip(t *testing.T) {
	for _, v := range []struct {
		rcpt Recipient
		try  Try
		want string
	}{{0, 0, "bounce+0.0@sender.example"}, {12, 3, "bounce+12.3@sender.example"},
		{math.MaxUint32, math.MaxUint16, "bounce+4294967295.65535@sender.example"}} {
		text := VERP(v.rcpt, v.try, "sender.example")
		if text != v.want {
			t.Errorf("%s, want %s", text, v.want)
		}
		for _, s := range []string{text, "MAIL FROM:<" + text + ">", "MAIL FROM:<" + text + "> SIZE=2048\r\n"} {
			if rcpt, try, ok := ParseVERP(s); !ok || rcpt != v.rcpt || try != v.try {
				t.Errorf("ParseVERP(%q) = %d, %d, %v", s, rcpt, try, ok)
			}
		}
	}
}

func TestParseVERPRefuses(t *testing.T) {
	for _, s := range []string{
		"", "MAIL FROM:<>", "someone@sender.example", "bounce@sender.example", "bounce+@sender.example",
		"bounce+1@sender.example", "bounce+1.2",
		"bounce+.@sender.example", "bounce+1.@sender.example", "bounce+.2@sender.example",
		"bounce+1.2.3@sender.example",
		"bounce+-1.0@sender.example", "bounce+1.-1@sender.example", "bounce+x.1@sender.example",
		"bounce+1.x@sender.example", "bounce+ 1.2@sender.example",
		"bounce+4294967296.0@sender.example", "bounce+1.65536@sender.example", "bounce+0x1.0@sender.example",
		"Bounce+1.2@sender.example",
	} {
		if rcpt, try, ok := ParseVERP(s); ok {
			t.Errorf("ParseVERP(%q) = %d, %d", s, rcpt, try)
		}
	}
}
