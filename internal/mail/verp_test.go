package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"math"
	"strings"
	"testing"
)

var testKey = Key{0: 1, 31: 255}

// The token is an HMAC as the standard library computes it.
func TestTokens(t *testing.T) {
	for _, text := range []string{"", "bounce+1.2", strings.Repeat("x", 64)} {
		h := hmac.New(sha256.New, testKey[:])
		h.Write([]byte(text))
		want := strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:10]))
		if got := string(testKey.AppendToken([]byte("a"), []byte(text))); got != "a"+want {
			t.Errorf("token of %q is %s, want a%s", text, got, want)
		}
	}
	buf, text := make([]byte, 0, 64), []byte("bounce+1.2")
	if n := testing.AllocsPerRun(100, func() { buf = testKey.AppendToken(buf[:0], text) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestVERPRoundTrip(t *testing.T) {
	for _, v := range []struct {
		rcpt  Recipient
		try   Try
		begin string
	}{{0, 0, "bounce+0.0."}, {12, 3, "bounce+12.3."},
		{math.MaxUint32, math.MaxUint16, "bounce+4294967295.65535."}} {
		text := testKey.VERP(v.rcpt, v.try, "sender.example")
		token, _ := strings.CutPrefix(strings.TrimSuffix(text, "@sender.example"), v.begin)
		if len(token) != 16 || len(text) != len(v.begin)+16+len("@sender.example") {
			t.Errorf("%s, want %s, a token of 16 letters and the domain", text, v.begin)
		}
		for _, s := range []string{text, "MAIL FROM:<" + text + ">", "MAIL FROM:<" + text + "> SIZE=2048\r\n"} {
			if rcpt, try, ok := testKey.ParseVERP(s); !ok || rcpt != v.rcpt || try != v.try {
				t.Errorf("ParseVERP(%q) = %d, %d, %v", s, rcpt, try, ok)
			}
		}
		if _, _, ok := (Key{}).ParseVERP(text); ok {
			t.Errorf("%s is taken with another key", text)
		}
	}
}

// Nothing but what VERP wrote is taken, to the byte.
func TestParseVERPRefuses(t *testing.T) {
	good := testKey.VERP(1, 2, "sender.example")
	local, _, _ := strings.Cut(good, "@")
	token := local[len("bounce+1.2."):]
	for _, s := range []string{
		"", "MAIL FROM:<>", "someone@sender.example", "bounce@sender.example", "bounce+@sender.example",
		"bounce+1@sender.example", local, "bounce+1.2", "bounce+1.2@sender.example", "bounce+1.2.@sender.example",
		"bounce+1.3." + token + "@sender.example", "bounce+2.2." + token + "@sender.example",
		"bounce+01.2." + token + "@sender.example", "bounce+1.02." + token + "@sender.example",
		"bounce+1.2." + token[:15] + "@sender.example", "bounce+1.2." + token + "a@sender.example",
		"bounce+1.2." + strings.ToUpper(token) + "@sender.example", "bounce+1.2." + token + ".3@sender.example",
		"bounce+." + token + "@sender.example", "bounce+1." + token + "@sender.example",
		"bounce+1.." + token + "@sender.example", "bounce+-1.0." + token + "@sender.example",
		"bounce+1.-1." + token + "@sender.example", "bounce+x.1." + token + "@sender.example",
		"bounce+1.x." + token + "@sender.example", "bounce+ 1.2." + token + "@sender.example",
		"bounce+4294967296.0." + token + "@sender.example", "bounce+1.65536." + token + "@sender.example",
		"bounce+4294967297.2." + token + "@sender.example", "bounce+1.65538." + token + "@sender.example",
		"bounce+0x1.0." + token + "@sender.example", "Bounce+1.2." + token + "@sender.example",
		"x" + good, " " + good, "RCPT TO:<" + good + ">", "MAIL FROM:< " + good + ">",
	} {
		if rcpt, try, ok := testKey.ParseVERP(s); ok {
			t.Errorf("ParseVERP(%q) = %d, %d", s, rcpt, try)
		}
	}
	if _, _, ok := testKey.ParseVERP(good); !ok {
		t.Error("what VERP wrote is refused")
	}
}

// Each return path of any key has the form of one, in lower case, and what no key can have written has not.
func TestIsVERP(t *testing.T) {
	good := testKey.VERP(1, 2, "sender.example")
	if !IsVERP(good) || !IsVERP((Key{9}).VERP(1<<32-1, 1<<16-1, "x")) {
		t.Error("IsVERP is false for a return path")
	}
	for _, bad := range []string{"", "ann@sender.example", "bounce+1.2@sender.example", "bounce+1.2.@sender.example",
		strings.Replace(good, "@", "a@", 1), strings.Replace(good, "+1.", "+4294967296.", 1),
		strings.Replace(good, ".2.", ".65536.", 1), strings.Replace(good, ".2.", ".", 1),
		strings.TrimSuffix(good, "@sender.example"), strings.ToUpper(good)} {
		if IsVERP(bad) {
			t.Errorf("%q has the form of a return path", bad)
		}
	}
}

func FuzzParseVERP(f *testing.F) {
	f.Add(testKey.VERP(1, 2, "sender.example"))
	f.Add("MAIL FROM:<bounce+1.2.@x")
	f.Fuzz(func(t *testing.T, s string) {
		r, try, ok := testKey.ParseVERP(s)
		path := strings.TrimPrefix(s, "MAIL FROM:<")
		_, domain, _ := strings.Cut(path, "@")
		if ok && (testKey.VERP(r, try, domain) != path || !IsVERP(path)) {
			t.Errorf("%q is taken, as %d and %d, which is another path", s, r, try)
		}
	})
}
