package mail

import (
	netmail "net/mail"
	"strings"
	"testing"
)

// label63 and domain252 lie at the limits of RFC 1035 2.3.4 and RFC 5321
// 4.5.3.1: a@ and 252 bytes fill a path of 256.
var (
	label63   = strings.Repeat("l", 63)
	domain252 = label63 + "." + label63 + "." + label63 + "." + strings.Repeat("m", 55) + ".test"
)

func TestParseAddressAccepts(t *testing.T) {
	if len(domain252) != 252 {
		t.Fatal(len(domain252))
	}
	for _, v := range []struct{ in, local, domain, out string }{
		{"a@example.com", "a", "example.com", ""},
		{"Ann.Bell@Example.COM", "Ann.Bell", "example.com", "Ann.Bell@example.com"},
		{"#$&'*+-/=?^_`{|}~@x.test", "#$&'*+-/=?^_`{|}~", "x.test", ""},
		{"a+tag@mail.x.test", "a+tag", "mail.x.test", ""},
		{"a-@x.test", "a-", "x.test", ""},
		{`"a b"@x.test`, "a b", "x.test", ""},
		{`"a@b"@x.test`, "a@b", "x.test", ""},
		{`"a\"b"@x.test`, `a"b`, "x.test", ""},
		{`"a\\b"@x.test`, `a\b`, "x.test", ""},
		{`"."@x.test`, ".", "x.test", ""},
		{`".a"@x.test`, ".a", "x.test", ""},
		{`"a..b"@x.test`, "a..b", "x.test", ""},
		{`"a> SIZE=9999 <x"@x.test`, "a> SIZE=9999 <x", "x.test", ""}, // harmless in quotes
		{`"a.b"@x.test`, "a.b", "x.test", "a.b@x.test"},               // RFC 5321 4.1.2: the forms are equivalent
		{`"\a\b"@x.test`, "ab", "x.test", "ab@x.test"},
		{strings.Repeat("l", 64) + "@x.test", strings.Repeat("l", 64), "x.test", ""},
		{`"` + strings.Repeat(" ", 62) + `"@x.test`, strings.Repeat(" ", 62), "x.test", ""},
		{"a@" + label63 + ".test", "a", label63 + ".test", ""},
		{"a@" + domain252, "a", domain252, ""},
		{"a@xn--mller-kva.example", "a", "xn--mller-kva.example", ""},
		{"a@Müller.example", "a", "xn--mller-kva.example", "a@xn--mller-kva.example"},
		{"a@straße.example", "a", "xn--strae-oqa.example", "a@xn--strae-oqa.example"}, // not strasse (RFC 5891)
		{"a@例え.テスト", "a", "xn--r8jz45g.xn--zckzah", "a@xn--r8jz45g.xn--zckzah"},
		{"a@9.1x.test", "a", "9.1x.test", ""},
		{"a@localhost", "a", "localhost", ""},
		{"a@TEST", "a", "test", "a@test"},
		{"a@example", "a", "example", ""},
		{"a@invalid", "a", "invalid", ""},
	} {
		a, err := ParseAddress(v.in)
		if err != nil {
			t.Errorf("%s: %v", v.in, err)
			continue
		}
		if v.out == "" {
			v.out = v.in
		}
		if a.Local != v.local || a.Domain != v.domain || a.String() != v.out {
			t.Errorf("%s = %+v, prints %s; want local part %s, domain %s, prints %s", v.in, a, a, v.local, v.domain,
				v.out)
		}
		// net/mail reads what is printed as the same mailbox.
		if n, err := netmail.ParseAddress(a.String()); err != nil || n.Address != a.Local+"@"+a.Domain {
			t.Errorf("net/mail reads %s as %v, %v", a, n, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, v := range []struct{ in, want string }{
		{"", "address is empty, want local@domain"},
		{"a", `address has no "@", want local@domain`},
		{`"a"`, `address has no "@", want local@domain`},
		{"@x.test", "local part is empty, want local@domain"},
		{`""@x.test`, "local part is empty, want local@domain"},
		{"a@", "domain is empty, want local@domain"},

		{"a@x.test\r\nBcc: b@x.test", `address has control character '\r' at byte 9, want none`},
		{"a\n@x.test", `address has control character '\n' at byte 2, want none`},
		{"a@x\x00.test", `address has control character '\x00' at byte 4, want none`},
		{"\"a\tb\"@x.test", `address has control character '\t' at byte 3, want none`},
		{"a\x7f@x.test", `address has control character '\x7f' at byte 2, want none`},
		{"é@x.test", `address has non-ASCII "\u00e9" at byte 1, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},
		{"a@ﬁ.example", `address has non-ASCII "\ufb01" at byte 3, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},
		{"a@mu\u0308ller.example", `address has non-ASCII "\u0308" at byte 5, want ASCII (international domains as ` +
			`they are read, or as A-labels, xn--...)`},
		{"a@a。example", `address has non-ASCII "\u3002" at byte 4, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},
		{"a@\u0308x.example", `address has non-ASCII "\u0308" at byte 3, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},
		{"a@x\u200b.test", `address has non-ASCII "\u200b" at byte 4, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},
		{"a@x\xff.test", `address has non-ASCII "\xff" at byte 4, want ASCII (international domains as they ` +
			`are read, or as A-labels, xn--...)`},

		{strings.Repeat("l", 65) + "@x.test", "local part is 65 bytes, want at most 64 (RFC 5321 4.5.3.1.1)"},
		{`"` + strings.Repeat(" ", 63) + `"@x.test`, "local part is 65 bytes, want at most 64 (RFC 5321 4.5.3.1.1)"},
		{"ab@" + domain252, "address is 255 bytes, want at most 254 (RFC 5321 4.5.3.1.3)"},
		{"a@aaa." + domain252, "domain is 256 bytes, want at most 255 (RFC 5321 4.5.3.1.2)"},
		{"a@" + label63 + "l.test", "domain has a label of 64 bytes, want at most 63"},

		{"@a.test,@b.test:c@x.test", "address has a source route, want local@domain"},
		{"a%b.test@x.test", `local part has "%", want no route through another host`},
		{`"a%b.test"@x.test`, `local part has "%", want no route through another host`},
		{"b.test!a@x.test", `local part has "!", want no route through another host`},
		{"team:a@x.test;", `address has ':' (a group or a port) at byte 5, want local@domain, other characters in a ` +
			`quoted local part`},
		{"a@x.test;", `domain has ';' (a group or a port), want letters, digits and hyphens between dots`},
		{"a(b)@x.test", "address has a comment at byte 2, want local@domain, other characters in a quoted local part"},
		{"a@x.test(b)", "domain has a comment, want letters, digits and hyphens between dots"},
		{"<a@x.test>", `address has '<' (a name or a path) at byte 1, want local@domain, other characters in a ` +
			`quoted local part`},
		{"Ann <a@x.test>", "address has a space at byte 4, want local@domain, other characters in a quoted local part"},
		{`a@b> SIZE=9999 <x`, `domain has '>' (a name or a path), want letters, digits and hyphens between dots`},
		{"a@x.test,b@x.test", "domain has ',' (several addresses), want letters, digits and hyphens between dots"},
		{"a@b@x.test", `domain has a second "@", want letters, digits and hyphens between dots`},
		{"a@[127.0.0.1]", "domain is an address literal, want a name"},
		{"a@[IPv6:::1]", "domain is an address literal, want a name"},
		{"a@127.0.0.1", `domain ends with number "1", want a name`},
		{"a@2130706433", `domain ends with number "2130706433", want a name`},
		{"a@x.test:25", "domain has ':' (a group or a port), want letters, digits and hyphens between dots"},

		{"-a@x.test", `address begins with "-", want no leading hyphen (a program may take it for an option)`},
		{`"-a"@x.test`, `address begins with "-", want no leading hyphen (a program may take it for an option)`},
		{" a@x.test", "address has a space at byte 1, want local@domain, other characters in a quoted local part"},
		{"a@x.test ", "domain has a space, want letters, digits and hyphens between dots"},
		{"a b@x.test", "address has a space at byte 2, want local@domain, other characters in a quoted local part"},
		{`a"b"@x.test`, `address has '"' at byte 2, want local@domain, other characters in a quoted local part`},
		{`a\b@x.test`, `address has '\\' at byte 2, want local@domain, other characters in a quoted local part`},
		{`"a"b@x.test`, `address has 'b' after the quoted local part, want "@"`},
		{`"a".b@x.test`, `address has '.' after the quoted local part, want "@"`},
		{`"a@x.test`, "local part has no closing quote"},
		{`"a\"@x.test`, "local part has no closing quote"},
		{`"a\`, "local part has no closing quote"},
		{".a@x.test", `local part begins with ".", want dots only between its parts`},
		{"a.@x.test", `local part ends with ".", want dots only between its parts`},
		{"a..b@x.test", `local part has ".." at byte 2, want single dots`},

		{"a@.x.test", `domain begins with ".", want dots only between labels`},
		{"a@x.test.", `domain ends with ".", want dots only between labels`},
		{"a@x..test", `domain has "..", want single dots`},
		{"a@-x.test", `domain has label "-x", want no hyphen at its ends`},
		{"a@x-.test", `domain has label "x-", want no hyphen at its ends`},
		{"a@x_y.test", "domain has '_', want letters, digits and hyphens between dots"},
		{"a@com", `domain "com" has one label, want two or more`},
		{"a@mailhost", `domain "mailhost" has one label, want two or more`},
	} {
		a, err := ParseAddress(v.in)
		if err == nil {
			t.Errorf("%q accepted as %+v, want: %s", v.in, a, v.want)
		} else if err.Error() != v.want {
			t.Errorf("%q\n got: %v\nwant: %s", v.in, err, v.want)
		}
	}
}

func TestReserved(t *testing.T) {
	for _, d := range []string{"test", "x.test", "a.b.example", "example", "x.invalid", "example.com",
		"mail.example.net", "example.org", "X.TEST"} {
		if a, err := ParseAddress("a@" + d); err != nil || !a.Reserved() {
			t.Errorf("%s is not reserved: %v", d, err)
		}
	}
	for _, d := range []string{"aol.com", "notexample.com", "mytest.com", "x.contest", "example.com.evil.de",
		"test.com", "example.co", "example.edu",
		"localhost", "LOCALHOST", "x.localhost", "localhost.localdomain"} { // a mail server here has mailboxes there
		if a, err := ParseAddress("a@" + d); err != nil || a.Reserved() {
			t.Errorf("%s is reserved: %v", d, err)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	plain, _ := ParseAddress("ann.bell@x.test")
	quoted, _ := ParseAddress(`"a b\"c"@x.test`)
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { buf = quoted.Append(plain.Append(buf[:0])) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := string(buf); got != `ann.bell@x.test"a b\"c"@x.test` {
		t.Errorf("appended %s", got)
	}
}

// What is accepted prints to itself, within the limits, and cannot end a line,
// a command or an argument early; what is refused is refused in plain ASCII.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@x.test", `"a b"@x.test`, `"a\"@\\"@X.example`, "@a,@b:c@d.test", "a%b@c.test",
		"-a@b.test", "y@ˀ.t", "a@[1.2.3.4]", "a@127.1", "\"\\\n\"@x.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			for _, c := range []byte(err.Error()) {
				if c < ' ' || c > '~' {
					t.Fatalf("error of %q has byte %#x", s, c)
				}
			}
			return
		}
		out := a.String()
		if b, err := ParseAddress(out); err != nil || b != a {
			t.Fatalf("%q = %+v prints %s, which is %+v, %v", s, a, out, b, err)
		}
		// The A-labels of an international domain may be longer than the domain.
		international := strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
		if len(out) > len(s) && !international || len(out)+2 > 256 || len(out)-1-len(a.Domain) > 64 ||
			len(a.Domain) > 255 || a.Local == "" || a.Domain == "" {
			t.Fatalf("%q prints %s, out of limits", s, out)
		}
		for _, c := range []byte(out) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q prints byte %#x", s, c)
			}
		}
		if out[0] == '-' || a.Domain != strings.ToLower(a.Domain) || strings.ContainsAny(a.Domain, " <>@:[]\"") {
			t.Fatalf("%q prints %s", s, out)
		}
		if n, err := netmail.ParseAddress(out); err != nil || n.Address != a.Local+"@"+a.Domain || n.Name != "" {
			t.Fatalf("net/mail reads %s as %+v, %v", out, n, err)
		}
	})
}

func BenchmarkParseAddress(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAddress("ann.bell+news@mail.provider-7.example"); err != nil {
			b.Fatal(err)
		}
	}
}
