package message

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"flyball/internal/mail"
	"flyball/internal/unit"
)

const hello = `From: Ann Bell <ann@list.example>
Subject: News for {{name}}
X-Shop: {{shop|none}}

Hello {{name}},

there is news in {{city|your town}} for {{email}}.
.
{ this } stays }
`

var meta = Meta{
	To:        mail.Address{Local: "bob", Domain: "x.test"},
	Recipient: 41,
	Run:       NewRun(mail.Key{0xC0, 0xFF, 0xEE}, date),
}

var date = time.Date(2026, 11, 23, 9, 5, 0, 0, time.FixedZone("", 3600))

func must(t testing.TB, src string, columns ...string) *Renderer {
	t.Helper()
	tmpl, err := Parse("hello.txt", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tmpl.Bind(columns)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The exact bytes on the wire, which a receiver compares to find duplicates.
func TestRenderedBytes(t *testing.T) {
	r := must(t, hello, "name", "city", "email", "shop")
	got, err := r.Render([]byte("before"), []string{"Bob", "", "ignored", "42"}, meta)
	if err != nil {
		t.Fatal(err)
	}
	want := "before" +
		"From: Ann Bell <ann@list.example>\r\n" +
		"Subject: News for Bob\r\n" +
		"X-Shop: 42\r\n" +
		"To: bob@x.test\r\n" +
		"Date: Mon, 23 Nov 2026 08:05:00 +0000\r\n" +
		"Message-ID: <41.TOKEN@list.example>\r\n" +
		"List-Unsubscribe: <mailto:unsubscribe@list.example?subject=41.TOKEN>\r\n" +
		"Precedence: bulk\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: 7bit\r\n" +
		"\r\n" +
		"Hello Bob,\r\n" +
		"\r\n" +
		"there is news in your town for bob@x.test.\r\n" +
		".\r\n" +
		"{ this } stays }\r\n"
	want = strings.ReplaceAll(want, "TOKEN", "ecf35weuo2rtq2vq") // first 10 bytes of the HMAC-SHA256 of "message 41"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// read parses a message with the standard library.
func read(t testing.TB, message []byte) (*netmail.Message, string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatalf("net/mail: %v in\n%s", err, message)
	}
	var body io.Reader = m.Body
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("body: %v in\n%s", err, message)
	}
	return m, string(text)
}

func decode(t testing.TB, value string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return s
}

func TestValuesArriveAsTheyAre(t *testing.T) {
	r := must(t, hello, "name", "shop", "city")
	for _, v := range []struct{ name, encoding string }{
		{"Bob", "7bit"},
		{"Zoë", "quoted-printable"},
		{"名前", "quoted-printable"},
		{strings.Repeat("ü", 300), "quoted-printable"},
		{strings.Repeat("a long name of ", 40) + "ő", "quoted-printable"},
		{"=?utf-8?q?=0D=0ABcc:_eve=40x.test?=", "7bit"},
		{"{{city}} {{.}} ${HOME} %s %n", "7bit"},
		{"<script>alert(1)</script>, eve@x.test;", "7bit"},
		{"a\tb \x1b[2J", "quoted-printable"},
		{"=3D, a_b? =", "7bit"},
		{"a\x7f", "quoted-printable"},
	} {
		out, err := r.Render(nil, []string{v.name, "s", "Rome"}, meta)
		if err != nil {
			t.Errorf("%q: %v", v.name, err)
			continue
		}
		checkWire(t, out)
		m, body := read(t, out)
		if got, want := decode(t, m.Header.Get("Subject")), "News for "+v.name; got != want {
			t.Errorf("subject %q, want %q", got, want)
		}
		if want := "Hello " + v.name + ",\r\n\r\nthere is news in Rome for bob@x.test.\r\n.\r\n{ this } stays " +
			"}\r\n"; body != want {
			t.Errorf("body %q, want %q", body, want)
		}
		if got := m.Header.Get("Content-Transfer-Encoding"); got != v.encoding {
			t.Errorf("%q is sent as %s, want %s", v.name, got, v.encoding)
		}
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != "bob@x.test" {
			t.Errorf("To %v, %v", list, err)
		}
		if d, err := m.Header.Date(); err != nil || !d.Equal(date) {
			t.Errorf("Date %v, %v", d, err)
		}
	}
}

// checkWire checks what every message must satisfy: 7-bit, lines that end in CRLF
// and are not too long, lines with encoded words of at most 76 bytes (RFC 2047 2).
func checkWire(t testing.TB, message []byte) {
	t.Helper()
	for line := range strings.Lines(string(message)) {
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(text, "\r\n\x00") || len(text) > 998 {
			t.Fatalf("line %q", line)
		}
		if strings.Contains(text, "=?utf-8?q?") && len(text) > 76 {
			t.Fatalf("line of encoded words is %d bytes: %s", len(text), text)
		}
		for _, c := range []byte(text) {
			if c > 0x7e || c < ' ' && c != '\t' {
				t.Fatalf("byte %#x in %q", c, line)
			}
		}
	}
}

var oneWord = regexp.MustCompile(`^=\?utf-8\?q\?[!-<>-~]*(=[0-9A-F]{2}[!-<>-~]*)*\?=$`)

// Encoded words keep to their limits: 75 bytes a word, 76 a line, whole
// characters in each.
func TestEncodedWords(t *testing.T) {
	for _, text := range []string{"ü", " ü ", strings.Repeat("ü", 50), strings.Repeat("a", 100) + "ü",
		strings.Repeat("名", 40), strings.Repeat("ü ?=_\t", 30)} {
		for col := range 90 {
			out := string(appendWords(nil, col, []byte(text)))
			for i, line := range strings.Split(out, "\r\n") {
				start := 0
				if i == 0 {
					start = col
				}
				word := strings.TrimPrefix(line, " ")
				if i == 0 && word == "" && col > 40 {
					continue // folded before the first word
				}
				if start+len(line) > 76 || !oneWord.MatchString(word) || i > 0 && line[0] != ' ' {
					t.Fatalf("col %d: line %q of %q", col, line, out)
				}
				if _, err := new(mime.WordDecoder).Decode(word); err != nil ||
					strings.ContainsRune(decode(t, word), '\ufffd') {
					t.Fatalf("col %d: word %q: %v", col, word, err)
				}
			}
			if got := decode(t, strings.ReplaceAll(out, "\r\n", "")); strings.TrimLeft(got,
				" ") != strings.TrimLeft(text, " ") {
				t.Fatalf("col %d: %q decodes to %q", col, text, got)
			}
		}
	}
}

func TestRowsThatDoNotFit(t *testing.T) {
	r := must(t, hello, "name", "shop", "city")
	long := strings.Repeat("l", 985)
	for _, v := range []struct{ name, shop, city, want string }{
		{"", "", "", `field "name" is empty and {{name}} has no default`},
		{"Bob\r\nBcc: eve@x.test", "", "", `field "name" has '\r' at byte 4, want a single line of text`},
		{"Bob", "\n", "", `field "shop" has '\n' at byte 1, want a single line of text`},
		{"Bob", "", "Rome\n.\nQUIT", `field "city" has '\n' at byte 5, want a single line of text`},
		{"B\x00b", "", "", `field "name" has '\x00' at byte 2, want a single line of text`},
		{"Bob", "", "Rom\xe9", `field "city" is not UTF-8`},
		{long, "", "", "header Subject is 1003 bytes, want at most 998 (RFC 5322 2.1.1)"},
		{long[:980], "", "", "<nil>"},
		{long[:981], "", "", "header Subject is 999 bytes, want at most 998 (RFC 5322 2.1.1)"},
	} {
		out, err := r.Render([]byte("before"), []string{v.name, v.shop, v.city}, meta)
		if fmt.Sprint(err) != v.want {
			t.Errorf("%.20q, %.20q, %.20q: %v, want %s", v.name, v.shop, v.city, err, v.want)
		}
		if err != nil && string(out) != "before" {
			t.Errorf("%v: dst is %q", err, out)
		}
	}
}

func TestBindListsMissingColumns(t *testing.T) {
	tmpl, err := Parse("hello.txt", []byte(hello), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.Bind([]string{"email", "Name", "city"})
	const want = `hello.txt:2:19: {{name}} has no column in the list, which begins with ["email" "Name" "city"] (did you mean {{Name}}?)
hello.txt:3:9: {{shop}} has no column in the list, which begins with ["email" "Name" "city"]`
	if fmt.Sprint(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	const none = "hello.txt:2:19: {{name}}: got no list, want one with this column\n" +
		"hello.txt:3:9: {{shop}}: got no list, want one with this column\n" +
		"hello.txt:7:18: {{city}}: got no list, want one with this column"
	if _, err := tmpl.Bind(nil); fmt.Sprint(err) != none {
		t.Errorf("got %v\nwant %s", err, none)
	}
	if got := tmpl.From().String(); got != "ann@list.example" {
		t.Errorf("From %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	const ok = "From: a@x.test\nSubject: s\n"
	for _, v := range []struct{ src, want string }{
		{"", "t:1:1: no empty line after the headers, want one before the body"},
		{ok, "t:2:1: no empty line after the headers, want one before the body"},
		{"\nbody\n", "t:1:1: no From header\nt:1:1: no Subject header"},
		{"From: a@x.test\n\n", "t:1:1: no Subject header"},
		{"Hello {{name}}!\n\nbody", `t:1:1: not a header, want "Name: value" on one line, or an empty line before ` +
			`the body`},
		{ok + " folded\n\n", `t:3:1: not a header, want "Name: value" on one line, or an empty line before the body`},
		{ok + "X : a\n\n", `t:3:1: not a header, want "Name: value" on one line, or an empty line before the body`},
		{ok + "Zoë: a\n\n", `t:3:1: not a header, want "Name: value" on one line, or an empty line before the body`},
		{ok + "X:\n\n", "t:3:3: header X is empty"},
		{ok + "subject: again\n\n", "t:3:1: header subject again, first on line 2"},
		{ok + "To: b@x.test\n\n", "t:3:1: header To is written by the program, want it left out"},
		{ok + "Message-Id: <1@x.test>\n\n", "t:3:1: header Message-Id is written by the program, want it left out"},
		{ok + "Content-Type: text/html\n\n", "t:3:1: header Content-Type is written by the program, want it left out"},
		{ok + "Bcc: b@x.test\n\n", "t:3:1: header Bcc names more recipients, want one recipient per message"},
		{ok + "Resent-From: b@x.test\n\n",
			"t:3:1: header Resent-From may not be written by an author, want it left out"},
		{ok + "X-A;B: c\n\n", "t:3:1: header X-A;B has \";\" in its name, which breaks the signatures that list it " +
			"(RFC 6376 3.2), want another name"},
		{ok + "X-A=B: c\n\n", "t:3:1: header X-A=B has \"=\" in its name, which breaks the signatures that list it " +
			"(RFC 6376 3.2), want another name"},
		{"From: a@x\nSubject: s\n\n", `t:1:7: header From: domain "x" has one label, want two or more`},
		{"From: {{from}}\nSubject: s\n\n",
			`t:1:7: header From: missing '@' or angle-addr, want one address, alone or as Name <address>`},
		{"From: {{name}} <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: name "{{name}}", want no placeholder here: the author is the same for all recipients`},
		{"From: \"{{\"a\" <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: no angle-addr, want one address, alone or as Name <address>`},
		{"From: \nSubject: s\n\n", `t:1:7: header From: empty, want one address`},
		{"From: Bell, Ann <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: "," means several addresses, want one; a name that has a comma is written in ` +
				`quotes: "Bell, Ann" <ann@x.example>`},
		{"From: We: a@x.test;\nSubject: s\n\n",
			`t:1:7: header From: ':' means a group of addresses, want one address; a name that has it is written in ` +
				`quotes`},
		{"From: We: a@x.test, b@x.test;\nSubject: s\n\n",
			`t:1:7: header From: ':' means a group of addresses, want one address; a name that has it is written in ` +
				`quotes`},
		{"From: Undisclosed:;\nSubject: s\n\n",
			`t:1:7: header From: ':' means a group of addresses, want one address; a name that has it is written in ` +
				`quotes`},
		{"From: =?utf-8?q?a=0D=0ABcc:_eve=40x.test?= <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: name "a\r\nBcc: eve@x.test", want text without control characters`},
		{"From: =?utf-8?q?a=00b?= <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: name "a\x00b", want text without control characters`},
		{"From: =?koi8-r?q?=C1?= <a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: name "=?koi8-r?q?=C1?=": unhandled charset "koi8-r", want the name in UTF-8 as it ` +
				`is read`},
		{"From: Ann <ä@x.test>\nSubject: s\n\n",
			`t:1:7: header From: address has non-ASCII "\u00e4" at byte 2, want ASCII (international domains as ` +
				`they are read, or as A-labels, xn--...)`},
		{"From: Ann a@x.test\nSubject: s\n\n",
			`t:1:7: header From: no angle-addr, want one address, alone or as Name <address>`},
		{"From: Ann\nSubject: s\n\n", `t:1:7: header From: missing '@' or angle-addr, want one address, alone or as ` +
			`Name <address>`},
		{"From: Ann <>\nSubject: s\n\n",
			`t:1:7: header From: invalid string, want one address, alone or as Name <address>`},
		{"From: a@x.test, b@x.test\nSubject: s\n\n",
			`t:1:7: header From: "," means several addresses, want one; a name that has a comma is written in ` +
				`quotes: "Bell, Ann" <ann@x.example>`},
		{"From: a@x.test>\nSubject: s\n\n",
			`t:1:7: header From: expected single address, got ">", want one address, alone or as Name <address>`},
		{ok + "Reply-To: Bob <b@[::1]>\n\n", "t:3:11: header Reply-To: domain is an address literal, want a name"},
		{"From: a@x.test\nSubject: =?utf-8?q?=C3=BC?=\n\n",
			`t:2:10: header Subject has "=?", want plain text: encoded words are made when the message is`},

		{ok + "\nHello {{name\n", `t:4:7: "{{" is not closed on this line, want {{field}} or {{field|default}}`},
		{ok + "\n{{name|Bob\n}}\n", "t:4:1: \"{{\" is not closed on this line, want {{field}} or " +
			"{{field|default}}\nt:5:1: \"}}\" without \"{{\" before it"},
		{ok + "\n{name}} and {{city}\n",
			"t:4:6: \"}}\" without \"{{\" before it\nt:4:13: \"{{\" is not closed on this line, want {{field}} or " +
				"{{field|default}}"},
		{ok + "\na {{}} b\n", `t:4:3: got "{{}}", want {{field}} or {{field|default}}, where field is the name of a ` +
			`column, without braces`},
		{ok + "\n{{ name }}{{.Name}}{{if admin}}{{printf \"%s\"}}\n", "<nil>"}, // names of columns, if there are such
		{ok + "\n{{ | x }}{{a}b}}{{a\x01}}\n",
			"t:4:1: got \"{{ | x }}\", want {{field}} or {{field|default}}, where field is the name of a column, " +
				"without braces\n" +
				"t:4:10: got \"{{a}b}}\", want {{field}} or {{field|default}}, where field is the name of a column, " +
				"without braces\n" +
				"t:4:17: got \"{{a\\x01}}\", want {{field}} or {{field|default}}, " +
				"where field is the name of a column, without braces"},
		{ok + "\n{{{name}}}\n", `t:4:1: got "{{{name}}", want {{field}} or {{field|default}}, where field is the ` +
			`name of a column, without braces`},
		{ok + "\n{{a|{{b}}}}\n", "t:4:1: got \"{{a|{{b}}\", want {{field}} or {{field|default}}, where field is the " +
			"name of a column, without braces\nt:4:10: \"}}\" without \"{{\" before it"},

		{ok + "\na\rb\r\n", "t:4:2: CR without LF, want LF or CRLF at line ends"},
		{ok + "\nbody\r", "t:4:5: CR without LF, want LF or CRLF at line ends"},
		{ok + "\na\x00b\n", "t:4:2: NUL byte, want text"},
		{ok + "\nab\xe9\n", "t:4:3: bytes that are not UTF-8, want UTF-8 text"},
		{ok + "X: " + strings.Repeat("l", 995) + "\nY: " + strings.Repeat("l", 996) + "\n\n",
			"t:4:4: header Y is 999 bytes, want at most 998 (RFC 5322 2.1.1)"},
	} {
		_, err := Parse("t", []byte(v.src), nil)
		if fmt.Sprint(err) != v.want {
			t.Errorf("%q\n got: %v\nwant: %s", v.src, err, v.want)
		}
	}
	_, err := Parse("t", []byte(strings.Repeat("\r\r\n", 1000)), nil)
	if n := strings.Count(err.Error(), "\n") + 1; n != maxErrors {
		t.Errorf("%d errors for a file that is no template, want %d", n, maxErrors)
	}
}

// An author's name is accepted in every form, and sent in a form that every receiver accepts.
func TestAuthors(t *testing.T) {
	for _, v := range []struct{ from, want, name string }{
		{"a@x.test", "a@x.test", ""},
		{"<a@X.Test>", "a@x.test", ""},
		{"Ann Bell <a@x.test>", "Ann Bell <a@x.test>", "Ann Bell"},
		{`"Ann Bell" <a@x.test>`, "Ann Bell <a@x.test>", "Ann Bell"},
		{"  Ann   Bell\t<a@x.test>  ", "Ann Bell <a@x.test>", "Ann Bell"},
		{`"Bell, Ann: \"B\" \\; x@y" <a@x.test>`, `"Bell, Ann: \"B\" \\; x@y" <a@x.test>`, `Bell, Ann: "B" \; x@y`},
		{"A. B. O'Bell & Co <a@x.test>", `"A. B. O'Bell & Co" <a@x.test>`, "A. B. O'Bell & Co"},
		{"Jörg Müller <a@x.test>", "=?utf-8?q?J=C3=B6rg_M=C3=BCller?= <a@x.test>", "Jörg Müller"},
		{`"Jörg Müller" <a@x.test>`, "=?utf-8?q?J=C3=B6rg_M=C3=BCller?= <a@x.test>", "Jörg Müller"},
		{`"Müller, Jörg" <a@x.test>`, "=?utf-8?q?M=C3=BCller=2C_J=C3=B6rg?= <a@x.test>", "Müller, Jörg"},
		{"=?utf-8?q?J=C3=B6rg?= <a@x.test>", "=?utf-8?q?J=C3=B6rg?= <a@x.test>", "Jörg"},
		{"=?UTF-8?B?SsO2cmc=?= Bell <a@x.test>", "=?utf-8?q?J=C3=B6rg_Bell?= <a@x.test>", "Jörg Bell"},
		{"=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M=C3=BCller?= <a@x.test>", "=?utf-8?q?J=C3=B6rg_M=C3=BCller?= <a@x.test>",
			"Jörg Müller"},
		{"=?iso-8859-1?q?J=F6rg,_x?= <a@x.test>", "=?utf-8?q?J=C3=B6rg=2C_x?= <a@x.test>", "Jörg, x"},
		{`"=?utf-8?q?J=C3=B6rg?=" <a@x.test>`, "=?utf-8?q?J=C3=B6rg?= <a@x.test>", "Jörg"},
		{`"=?x" <a@x.test>`, "=?utf-8?q?=3D=3Fx?= <a@x.test>", "=?x"},
		{"Jörg <a@Müller.x.test>", "=?utf-8?q?J=C3=B6rg?= <a@xn--mller-kva.x.test>", "Jörg"},
		{"a@x.test (Ann Bell)", "Ann Bell <a@x.test>", "Ann Bell"},
		{"a@x.test (Jörg, : ;)", "=?utf-8?q?J=C3=B6rg=2C_=3A_=3B?= <a@x.test>", "Jörg, : ;"},
		{"Ann (of; the: shop, here) <a@x.test>", "Ann <a@x.test>", "Ann"},
		{"Ann <a@x.test> (shop)", "Ann <a@x.test>", "Ann"},
		{`Ann <"ann bell"@x.test>`, `Ann <"ann bell"@x.test>`, "Ann"},
		{strings.Repeat("ü", 20) + " <a@x.test>",
			"=?utf-8?q?=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC?=\r\n " +
				"=?utf-8?q?=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC?=\r\n =?utf-8?q?=C3=BC?= " +
				"<a@x.test>", strings.Repeat("ü", 20)},
	} {
		for _, header := range []string{"From", "Reply-To", "Sender"} {
			src := header + ": " + v.from + "\nSubject: s\n\n"
			if header != "From" {
				src = "From: b@x.test\n" + src
			}
			if _, err := Parse(v.from, []byte(src), nil); err != nil {
				t.Error(err)
				continue
			}
			out, err := must(t, src).Render(nil, nil, meta)
			if err != nil {
				t.Fatal(err)
			}
			checkWire(t, out)
			if header == "From" && !strings.HasPrefix(string(out), "From: "+v.want+"\r\n") {
				t.Errorf("%s is sent as %.200q, want %q", v.from, out, v.want)
			}
			m, _ := read(t, out)
			a, err := m.Header.AddressList(header)
			if err != nil || len(a) != 1 || a[0].Name != v.name || !strings.HasSuffix(a[0].Address, "x.test") {
				t.Errorf("%s %s is read back as %v, %v, want name %q", header, v.from, a, err, v.name)
			}
		}
	}
}

// A field has the name of its column, which may have spaces, umlauts and signs;
// only the columns that a letter uses are required.
func TestFieldsWithSpaces(t *testing.T) {
	const src = "From: a@x.test\nSubject: {{First Name}} {{ Straße|- }}\n\n{{ First   Name }},{{email}},{{ EMAIL " +
		"}},{{Größe (cm)| none }},{{ x.y }}\n"
	columns := []string{"unused", "x.y", "Email", "Größe (cm)", "First Name", "Straße", "first name"}
	tmpl, err := Parse("t", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	use, names := tmpl.Uses(columns)
	if fmt.Sprint(use) != "[1 3 4 5]" {
		t.Errorf("uses %v", use)
	}
	if want := []string{"x.y", "Größe (cm)", "First Name", "Straße"}; !slices.Equal(names, want) {
		t.Errorf("uses %q, want %q", names, want)
	}
	r, err := tmpl.Bind(names)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Render(nil, []string{"5", "", "Ann", ""}, meta)
	if err != nil {
		t.Fatal(err)
	}
	if m, body := read(t, out); m.Header.Get("Subject") != "Ann -" || body != "Ann,bob@x.test,bob@x.test,none,5\r\n" {
		t.Errorf("got %q, %q", m.Header.Get("Subject"), body)
	}
}

func TestTemplateTextMayBeUTF8(t *testing.T) {
	r := must(t, "\ufeffFrom: \"Bell, Ann\" <\"ann bell\"@list.example>\r\nSubject: Grüße, {{name|lieber "+
		"Freund}}\r\nReply-To: b@x.test\r\n\r\nGrüß {{name|Gott }} \r\nohne Ende", "name")
	out, err := r.Render(nil, []string{""}, meta)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, out)
	m, body := read(t, out)
	if got := decode(t, m.Header.Get("Subject")); got != "Grüße, lieber Freund" {
		t.Errorf("subject %q", got)
	}
	if body != "Grüß Gott \r\nohne Ende\r\n" {
		t.Errorf("body %q", body)
	}
	if a, err := netmail.ParseAddress(m.Header.Get("From")); err != nil || a.Name != "Bell, Ann" ||
		a.Address != "ann bell@list.example" {
		t.Errorf("From %v, %v", a, err)
	}
}

// An empty value leaves no space at the ends of a header, and a default alone
// may need the encoding.
func TestDefaults(t *testing.T) {
	r := must(t, "From: a@x.test\nSubject: {{title|}} News {{issue|}}\n\nHello {{name|Zoë}}\n", "title", "issue",
		"name")
	out, err := r.Render(nil, []string{"", "", ""}, meta)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, out)
	if !strings.Contains(string(out), "\r\nSubject: News\r\n") {
		t.Errorf("got\n%s", out)
	}
	if _, body := read(t, out); body != "Hello Zoë\r\n" {
		t.Errorf("body %q", body)
	}
}

// Two recipients, or two runs, never share a Message-ID; two tries always
// do.
func TestMessageIDs(t *testing.T) {
	r := must(t, hello, "name", "shop", "city")
	seen := map[string]string{}
	for recipient := range mail.Recipient(40) {
		for run := range byte(40) {
			m := Meta{To: meta.To, Recipient: recipient, Run: NewRun(mail.Key{run}, date)}
			a, _ := r.Render(nil, []string{"Bob", "", ""}, m)
			b, _ := r.Render(nil, []string{"Bob", "", ""}, m)
			if !bytes.Equal(a, b) {
				t.Fatal("two renderings differ")
			}
			id := strings.SplitAfter(strings.SplitAfter(string(a), "Message-ID: ")[1], "\r\n")[0]
			who := fmt.Sprint(recipient, run)
			if seen[id] != "" {
				t.Fatalf("%s for %s and %s", id, seen[id], who)
			}
			seen[id] = who
		}
	}
}

func TestDefaultHasTheSizeAskedFor(t *testing.T) {
	from := mail.Address{Local: "news", Domain: "list.example"}
	for _, size := range []unit.Bytes{600, 601, 602, 603, 673, 674, 675, 1000, 2 << 10, 32 << 10, 1 << 20} {
		for _, to := range []mail.Address{{Local: "a", Domain: "b.x.test"},
			{Local: "ann.b.c.d.e", Domain: "mail-17.example.com"}} {
			tmpl, err := Default(from, size)
			if err != nil {
				t.Fatal(err)
			}
			r, err := tmpl.Bind([]string{"email", "other"})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []Meta{{To: to, Run: meta.Run}, {To: to, Recipient: 1 << 31, Run: meta.Run}} {
				out, err := r.Render(nil, []string{"", ""}, m)
				if err != nil {
					t.Fatal(err)
				}
				if d := len(out) - int(size); d < -60 || d > 60 {
					t.Errorf("size %d for %s is %d", size, to, len(out))
				}
				checkWire(t, out)
				if _, body := read(t, out); !strings.HasPrefix(body, "Hello "+to.String()+",\r\n") {
					t.Errorf("body %q", body)
				}
			}
		}
	}
	if _, err := Default(mail.Address{Local: "{{a}}", Domain: "x.test"}, 0); err != nil {
		t.Errorf("an odd but valid author: %v", err)
	}
	if tmpl, err := Default(from, -5); err != nil || tmpl.From() != from {
		t.Errorf("negative size: %v", err)
	}
}

func TestRenderAllocatesNothing(t *testing.T) {
	r := must(t, hello, "name", "shop", "city")
	values := []string{"Bob", "", "Rome"}
	buf := make([]byte, 0, 4096)
	render := func() {
		var err error
		if buf, err = r.Render(buf[:0], values, meta); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, render); n != 0 {
		t.Errorf("%v allocations for ASCII", n)
	}
	values[0] = "Zoë"
	if n := testing.AllocsPerRun(100, render); n > 2 {
		t.Errorf("%v allocations for UTF-8, want only those of the quoted-printable writer", n)
	}
}

// Any template and values are refused with a reason, or rendered into a message
// that the standard library reads back with the same values, the same recipient
// and no additional header.
func FuzzRender(f *testing.F) {
	f.Add(hello, "Bob", "Rome", "bob@x.test")
	f.Add("From: a@x.test\nSubject: x\n\n{{#if a = b} }}\n1\n {{ #else }}\n{{b}}{{#end}}", "b", "c", "bob@x.test")
	f.Add("From: a@x.test\r\nSubject: {{a}}ü{{b|}}\r\nX: {{b|c}}\r\n\r\n{{a}}\r\n..{{email}}\r\n", "ő=?", "",
		`"a b"@x.test`)
	f.Add("From: a@x.test\nSubject: {{a|}}\n\n{{a|  }}\t\n", "", "b\r\nX: y", "bob@x.test")
	f.Add("From: \"Jörg, {}\" <a@x.test> (c)\nReply-To: =?utf-8?q?=C3=BC?= <b@x.test>\nSubject: {{ First  Name | x "+
		"}}\n\n{{ Email }}{{ü}}\n", "ö", "", "bob@x.test")
	f.Add("From: a@x.test\nSubject: {{#if a}}1{{#else}}2{{#end}}\n\n"+
		"{{#if a = B }}\n=41\n {{ #else }}\n{{b|}}{{#end}}!\n", "b", "c",
		"bob@x.test")
	f.Add("From: a@x.test\nSubject: s\n\n=41 {{a}} =\n", "=\t ", "", "=?a?=@x.test")
	f.Add("From: a@x.test\nSubject: s\nList-Unsubscribe: https://x.test/{{a}}?{{email}}\n\n  x \t\n \n\n", "ö<&", "",
		"bob@x.test")
	private := ed25519Keys(f)
	signer, err := NewSigner("s1", []byte(private.private))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src, a, b, address string) {
		tmpl, err := Parse("t", []byte(src), nil)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "t:") || strings.ContainsAny(line, "\r\x00") {
					t.Fatalf("error %q", err)
				}
			}
			return
		}
		to, err := mail.ParseAddress(address)
		if err != nil {
			return
		}
		var columns, values []string
		value := map[string]string{Email: to.String()}
		for i, f := range tmpl.fields {
			if !isEmail(f.name) {
				columns = append(columns, f.name)
				values = append(values, []string{a, b}[i%2])
				value[f.name] = values[len(values)-1]
			}
		}
		r, err := tmpl.Bind(columns)
		if err != nil {
			t.Fatal(err)
		}
		m := meta
		m.To = to
		out, err := r.Render([]byte("before"), values, m)
		if err != nil {
			if string(out) != "before" || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Fatalf("%q, %q", err, out)
			}
			return
		}
		if again, _ := r.Render(nil, values, m); string(out) != "before"+string(again) {
			t.Fatal("two renderings differ")
		}
		out = out[len("before"):]
		for line := range strings.Lines(string(out)) {
			if text, ok := strings.CutSuffix(line, "\r\n"); !ok || strings.ContainsAny(text, "\r\n\x00") ||
				len(text) > 998 {
				t.Fatalf("line %q", line)
			}
		}
		got, body := read(t, out)
		head, text := expected(src, value)
		if body != text {
			t.Fatalf("body %q, want %q", body, text)
		}
		for name, want := range head {
			switch strings.ToLower(name) {
			case "from", "sender", "reply-to", "list-unsubscribe":
			default:
				if v := decode(t, got.Header.Get(name)); v != want {
					t.Fatalf("header %s %q, want %q", name, v, want)
				}
			}
		}
		want := len(head) + 8
		if tmpl.leave != nil && !slices.ContainsFunc(slices.Collect(maps.Keys(head)), func(name string) bool {
			return strings.EqualFold(name, "List-Id")
		}) { // List-Unsubscribe-Post comes with the letter's own List-Unsubscribe, List-Id by itself
			want++
		}
		top := string(out[:bytes.Index(out, []byte("\r\n\r\n"))])
		if n := strings.Count(top, "\r\n") + 1 - strings.Count(top, "\r\n "); n != want {
			t.Fatalf("%d headers, want %d in\n%s", n, want, out)
		}
		verifications, err := dkim.VerifyWithOptions(bytes.NewReader(signer.Sign(slices.Clone(out), 0, r, m.Run)),
			&dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{private.record}, nil }})
		if err != nil || len(verifications) != 1 || verifications[0].Err != nil {
			t.Fatalf("%v, %+v in\n%s", err, verifications, out)
		}
		if got.Header.Get("To") != to.String() {
			t.Fatalf("To %q, want %q", got.Header.Get("To"), to)
		}
	})
}

var (
	placeholder = regexp.MustCompile(`\{\{([^|\n]*?)(\|.*?)?\}\}`) // ends at the first }}, not at the first }
	tagAlone    = regexp.MustCompile(`(?m)^[ \t]*(\{\{[ \t]*#(if (?:[^{}\n]|\}[^{}\n])*|else|end)[ \t]*\}\})[ \t]*\n`)
	tag         = regexp.MustCompile(`^\{\{[ \t]*#(?:if ([^={}]*)(=)?([^{]*)|(else)|(end))[ \t]*\}\}$`)
)

// expected fills in a template that Parse accepts, in a second, slow way.
func expected(src string, value map[string]string) (map[string]string, string) {
	src = strings.ReplaceAll(strings.TrimPrefix(src, "\ufeff"), "\r\n", "\n")
	if !strings.HasSuffix(src, "\n") {
		src += "\n"
	}
	get := func(field string) string {
		field = strings.Join(strings.Fields(field), " ")
		if strings.EqualFold(field, "email") {
			field = "email"
		}
		return value[field]
	}
	fill := func(s string) string {
		var out strings.Builder
		shown := []bool{true} // in each open block
		for s != "" {
			at := placeholder.FindStringIndex(s)
			if at == nil {
				at = []int{len(s), len(s)}
			}
			show := !slices.Contains(shown, false)
			if show {
				out.WriteString(s[:at[0]])
			}
			p := s[at[0]:at[1]]
			s = s[at[1]:]
			if of := tag.FindStringSubmatch(p); of != nil {
				switch last := len(shown) - 1; {
				case of[4] != "":
					shown[last] = !shown[last]
				case of[5] != "":
					shown = shown[:last]
				case of[2] != "":
					shown = append(shown, strings.EqualFold(strings.TrimSpace(get(of[1])), strings.Trim(of[3], " \t")))
				default:
					shown = append(shown, strings.TrimSpace(get(of[1])) != "")
				}
			} else if part := placeholder.FindStringSubmatch(p); part != nil && show {
				if v := get(part[1]); v != "" {
					out.WriteString(v)
				} else {
					out.WriteString(strings.Trim(strings.TrimPrefix(part[2], "|"), " \t"))
				}
			}
		}
		return out.String()
	}
	head, body, _ := strings.Cut(src, "\n\n")
	headers := map[string]string{}
	for line := range strings.SplitSeq(head, "\n") {
		name, v, _ := strings.Cut(line, ":")
		headers[name] = strings.Trim(fill(strings.Trim(v, " \t")), " ")
	}
	return headers, strings.ReplaceAll(fill(tagAlone.ReplaceAllString(body, "$1")), "\n", "\r\n")
}

func BenchmarkRender(b *testing.B) {
	values := []string{"Bob", "", "Rome"}
	for _, v := range []struct{ name, value string }{{"ascii", "Bob"}, {"utf8", "Zoë"}} {
		b.Run(v.name, func(b *testing.B) {
			r := must(b, hello, "name", "shop", "city")
			values[0] = v.value
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = r.Render(buf[:0], values, meta)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

// A letter that names no address of the web gets the one that a site has, its variants too; one that names an address
// keeps it, and a List-Id is there once.
func TestLeaveAt(t *testing.T) {
	const letter = "From: news@a.example\nSubject: s\n"
	for _, v := range []struct {
		head, url string
		want      []string
	}{
		{"", "https://s.example/u", []string{"List-Unsubscribe: <https://s.example/u/", "List-Id: <"}},
		{"List-Id: <mine.a.example>\n", "https://s.example/u?t=", []string{"<https://s.example/u?t=",
			"List-Id: <mine.a.example>"}},
		{"List-Unsubscribe: https://a.example/own\n", "https://s.example/u", []string{"<https://a.example/own/",
			"List-Id: <"}},
	} {
		of, err := Parse("letter.txt", []byte(letter+v.head+"\nHello.\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		of.LeaveAt(v.url)
		r, err := of.Bind(nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.Render(nil, nil, Meta{To: mail.Address{Local: "ann", Domain: "b.example"},
			Run: NewRun(mail.Key{}, time.Unix(0, 0))})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(v.want, "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
			"mailto:unsubscribe+") {
			if !strings.Contains(string(text), want) {
				t.Errorf("%q: got %s\nwant %s", v.head, text, want)
			}
		}
		if n := strings.Count(string(text), "List-Id:"); n != 1 {
			t.Errorf("%q: got %d List-Id", v.head, n)
		}
	}
}
