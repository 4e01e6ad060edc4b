package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"flyball/internal/mail"
)

// folder returns the files of a letter; name and content follow each other.
func folder(names ...string) Files {
	return func(name string, most int64) ([]byte, error) {
		for i := 0; i < len(names); i += 2 {
			if names[i] == name && int64(len(names[i+1])) <= most {
				return []byte(names[i+1]), nil
			}
		}
		return nil, fmt.Errorf("is not there with %d bytes or less", most)
	}
}

// rendered is the message for one row.
func rendered(t testing.TB, tmpl *Template, network string, columns []string, values ...string) []byte {
	t.Helper()
	r, err := tmpl.Bind(columns)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.For(network).Render(nil, values, meta)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, out)
	return out
}

func parsed(t testing.TB, src string, files Files) *Template {
	t.Helper()
	tmpl, err := Parse("in/letter.txt", []byte(src), files)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// leaf is a part of a message that has no parts, decoded.
type leaf struct{ kind, disposition, name, text string }

// leaves reads a message with the standard library, and returns its structure and its leaves.
func leaves(t testing.TB, message []byte) (structure string, all []leaf) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatalf("%v in\n%s", err, message)
	}
	var walk func(header func(string) string, body io.Reader)
	walk = func(header func(string) string, body io.Reader) {
		kind, params, err := mime.ParseMediaType(header("Content-Type"))
		if err != nil {
			t.Fatalf("%v in\n%s", err, message)
		}
		structure += kind
		if strings.HasPrefix(kind, "multipart/") {
			structure += "("
			parts := multipart.NewReader(body, params["boundary"])
			for {
				p, err := parts.NextRawPart()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%v in\n%s", err, message)
				}
				walk(p.Header.Get, p)
				structure += " "
			}
			structure = strings.TrimSuffix(structure, " ") + ")"
			return
		}
		switch header("Content-Transfer-Encoding") {
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "7bit":
		default:
			t.Fatalf("encoding %q in\n%s", header("Content-Transfer-Encoding"), message)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatalf("%v in\n%s", err, message)
		}
		l := leaf{kind: kind, text: string(text)}
		if d := header("Content-Disposition"); d != "" {
			if l.disposition, params, err = mime.ParseMediaType(d); err != nil {
				t.Fatal(err)
			}
			l.name = params["filename"]
		}
		all = append(all, l)
	}
	walk(m.Header.Get, m.Body)
	return structure, all
}

const headers = "From: a@x.test\nSubject: s\n"

// Text and HTML are alternatives, attachments follow, and all arrives as it was.
func TestPartsOfAMessage(t *testing.T) {
	pdf := string(bytes.Repeat([]byte{0, 255, '\r', '\n', '.'}, 1000))
	files := folder("letter.html", "<p>Grüße, {{name}}</p>\n", "files/a b.pdf", pdf, "Größe.csv", "a,b\n")
	columns := []string{"name"}
	text := leaf{kind: "text/plain", text: "Hello Ann & Bob\r\n"}
	markup := leaf{kind: "text/html", text: "<p>Grüße, Ann &amp; Bob</p>\r\n"}
	attached := []leaf{{"application/pdf", "attachment", "a b.pdf", pdf},
		{"text/csv", "attachment", "Größe.csv", "a,b\n"}}
	const both = "Attach: files/a b.pdf\nAttach: Größe.csv\n"
	for _, v := range []struct {
		head, body, structure string
		leaves                []leaf
	}{
		{"", "Hello {{name}}\n", "text/plain", []leaf{text}},
		{"HTML: letter.html\n", "Hello {{name}}\n", "multipart/alternative(text/plain text/html)",
			[]leaf{text, markup}},
		{"HTML: letter.html\n", "\n \n", "text/html", []leaf{markup}},
		{both, "Hello {{name}}\n", "multipart/mixed(text/plain application/pdf text/csv)",
			append([]leaf{text}, attached...)},
		{"HTML: letter.html\n" + both, "Hello {{name}}\n",
			"multipart/mixed(multipart/alternative(text/plain text/html) application/pdf text/csv)",
			append([]leaf{text, markup}, attached...)},
	} {
		tmpl := parsed(t, headers+v.head+"\n"+v.body, files)
		out := rendered(t, tmpl, "", columns, "Ann & Bob")
		if structure, all := leaves(t, out); structure != v.structure || !slices.Equal(all, v.leaves) {
			t.Errorf("%q: %s %.300q, want %s %.300q", v.head, structure, all, v.structure, v.leaves)
		}
		if again := rendered(t, tmpl, "", columns, "Ann & Bob"); !bytes.Equal(out, again) {
			t.Errorf("%q: sent again it differs", v.head)
		}
		if !bytes.Contains(out, []byte("HTML:")) && !bytes.Contains(out, []byte("Attach:")) {
			continue
		}
		t.Errorf("headers that name files are sent:\n%.1000s", out)
	}
}

// What a row has is tried without the attachments, which fit into a message that receivers take.
func TestAttachmentsAreNotTried(t *testing.T) {
	tmpl := parsed(t, headers+"Attach: a\n\n{{v}}\n", folder("a", strings.Repeat("x", maxAttached)))
	r, err := tmpl.Bind([]string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Try(nil, []string{"v"}, meta)
	if _, body := read(t, out); err != nil || body != "v\r\n" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := r.Try(nil, []string{"v\n"}, meta); err == nil {
		t.Error("a row that cannot be mailed passes")
	}
	if out, err := r.Render(nil, []string{"v"}, meta); err != nil || len(out) < maxAttached || len(out) > 10_240_000 {
		t.Errorf("a message of %d bytes, %v", len(out), err)
	}
}

// FuzzMarkup has any HTML, which is refused or rendered; html/template reads it.
func FuzzMarkup(f *testing.F) {
	f.Add(attributes, "x")
	f.Add("<!--[if mso]><a href=\"{{v}}\"><![endif]--><p {{#if v}}class='{{v}}'{{#end}}>", "<")
	f.Add("<style>p { color: red }</style><script>var a = `${b}`</script><svg><a xlink:href='{{v}}'/></svg>",
		"https://x.test")
	f.Add("{ {{v}} } {{v|{}} <textarea>{{v}}</textarea><plaintext>{{v}}", "&")
	f.Fuzz(func(t *testing.T, src, v string) {
		tmpl, err := Parse("t", []byte(headers+"HTML: h.html\n\n"), folder("h.html", src))
		if err != nil {
			return
		}
		var columns, values []string
		for _, f := range tmpl.fields {
			if !isEmail(f.name) {
				columns, values = append(columns, f.name), append(values, v)
			}
		}
		r, err := tmpl.Bind(columns)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Masters()
		out, err := r.Render(nil, values, meta)
		if err != nil {
			return
		}
		checkWire(t, out)
		leaves(t, out)
	})
}

// A line that is too long, and whatever 7 bits do not carry, is encoded; it arrives as it was.
func TestWhatMustBeEncoded(t *testing.T) {
	for _, v := range []struct{ body, value, encoding string }{
		{"{{v}}\n", strings.Repeat("l", 998), "7bit"},
		{"{{v}}\n", strings.Repeat("l", 999), "quoted-printable"},
		{"x{{v}}\n", strings.Repeat("l", 998), "quoted-printable"},
		{"x\n{{v}}\ny", strings.Repeat("l", 998), "7bit"},
		{"{{v}}{{v}}\n", strings.Repeat("l", 500), "quoted-printable"},
		{"{{v}}x\nx{{v}}\n", strings.Repeat("l", 997), "7bit"},
		{strings.Repeat("l", 999) + "\n{{v}}\n", "", "quoted-printable"},
		{strings.Repeat("l", 998) + "\n{{v|d}}\n", "", "7bit"},
		{"{{v|ü}}\n", "", "quoted-printable"},
		{"{{v|ü}}\n", "u", "7bit"},
		{"{{#if v}}ü{{#end}}\n", "", "7bit"},
		{"{{#if v}}ü{{#end}}\n", "u", "quoted-printable"},
		{"{{#if v}}" + strings.Repeat("l", 999) + "{{#else}}x{{#end}}\n", "", "7bit"},
		{"a\x01\n", "", "quoted-printable"},
		{"{{v}}\n", "a\x7f", "quoted-printable"},
		{"no end", "", "7bit"},
	} {
		tmpl := parsed(t, headers+"\n"+strings.ReplaceAll(v.body, "{{v}}", "{{v|}}"), nil)
		out := rendered(t, tmpl, "", []string{"v"}, v.value)
		m, body := read(t, out)
		if got := m.Header.Get("Content-Transfer-Encoding"); got != v.encoding {
			t.Errorf("%.40q with %.20q is sent as %s, want %s", v.body, v.value, got, v.encoding)
		}
		_, want := expected(headers+"\n"+strings.ReplaceAll(v.body, "{{v}}", "{{v|}}"), map[string]string{"v": v.value})
		if body != want {
			t.Errorf("%.40q: body %.60q, want %.60q", v.body, body, want)
		}
	}
}

// Blocks are chosen by the values of a row.
func TestBlocks(t *testing.T) {
	columns := []string{"topic", "name"}
	for _, v := range []struct{ body, topic, want string }{
		{"a{{#if topic=sports}}b{{#end}}c", "sports", "abc"},
		{"a{{#if topic=sports}}b{{#end}}c", " SPORTS ", "abc"},
		{"a{{#if topic=sports}}b{{#end}}c", "sport", "ac"},
		{"a{{#if topic=sports}}b{{#end}}c", "", "ac"},
		{"a{{#if topic=}}b{{#end}}c", "", "abc"},
		{"a{{#if topic}}b{{#end}}c", "", "ac"},
		{"a{{#if topic}}b{{#end}}c", "x", "abc"},
		{"a{{#if topic=x}}b{{#else}}d{{#end}}c", "x", "abc"},
		{"a{{#if topic=x}}b{{#else}}d{{#end}}c", "y", "adc"},
		{"a{{#if topic=x}}{{#else}}d{{#end}}", "x", "a"},
		{"{{#if topic=x}}{{name}}{{#else}}{{topic}}{{#end}}", "y", "y"},
		{"{{#if topic=x}}{{name}}{{#else}}{{topic}}{{#end}}", "x", "Ann"},
		{"{{#if topic}}1{{#if topic=x}}2{{#else}}3{{#end}}4{{#else}}5{{#if name=ann}}6{{#end}}7{{#end}}8", "x", "1248"},
		{"{{#if topic}}1{{#if topic=x}}2{{#else}}3{{#end}}4{{#else}}5{{#if name=ann}}6{{#end}}7{{#end}}8", "y", "1348"},
		{"{{#if topic}}1{{#if topic=x}}2{{#else}}3{{#end}}4{{#else}}5{{#if name=ann}}6{{#end}}7{{#end}}8", "", "5678"},
		{"a\n{{#if topic=x}}\nb\n  {{#else}}\t\nd\n{{#end}}\nc", "x", "a\nb\nc"},
		{"a\n{{#if topic=x}}\nb\n{{#else}}\nd\n{{#end}}\nc", "y", "a\nd\nc"},
		{"a\n{{#if topic=x}} \nb\n{{ #end }}!\nc", "x", "a\nb\n!\nc"},
		{"{{#if email=bob@x.test}}b{{#end}}{{#if Email=ann@x.test}}a{{#end}}", "", "b"},
		{"{{#if  topic = x y }}b{{#end}}", "x y", "b"},
	} {
		out := rendered(t, parsed(t, headers+"X-Topic: -"+strings.ReplaceAll(v.body, "\n", "")+"\n\n"+v.body+"\n", nil),
			"",
			columns, v.topic, "Ann")
		m, body := read(t, out)
		if want := strings.ReplaceAll(v.want, "\n", "\r\n") + "\r\n"; body != want {
			t.Errorf("%q with topic %q: %q, want %q", v.body, v.topic, body, want)
		}
		if strings.Contains(v.body, "\n") {
			continue
		}
		if got := m.Header.Get("X-Topic"); got != "-"+v.want {
			t.Errorf("%q with topic %q: header %q, want -%s", v.body, v.topic, got, v.want)
		}
	}
	// A field in a block that a row does not get may be empty.
	out := rendered(t, parsed(t, headers+"\n{{#if topic}}{{name}}{{#end}}x\n", nil), "", columns, "", "")
	if _, body := read(t, out); body != "x\r\n" {
		t.Errorf("body %q", body)
	}
	// Names that only look like a tag are names of columns.
	out = rendered(t, parsed(t, headers+"\n{{#}} {{#endings}} {{#iffy}} {{ #else|x }}\n", nil), "",
		[]string{"#", "#endings", "#iffy", "#else"}, "1", "2", "3", "4")
	if _, body := read(t, out); body != "1 2 3 4\r\n" {
		t.Errorf("body %q", body)
	}
}

// attributes is HTML with a value at every place where one may stand.
const attributes = `<html><title>T {{v}}</title><!-- c {{v}} --><body class="a {{v}}" id='{{v}}'>
<a href="https://x.test/?e={{v}}&amp;f={{v}}#{{v}}">{{v}}</a><a href="https://x.test/{{v}}/y">p</a>
{{#if v}}<b title="{{v}}">{{#else}}<b>{{#end}}</b><textarea>{{v}}</textarea></body></html>
`

// A value is text wherever it stands in HTML: all tags and attributes are the author's.
func FuzzHTML(f *testing.F) {
	for _, v := range []string{"x", "Ann & Bob", `"><script>alert(1)</script>`, "' onclick='x", "--><b>",
		"</title></textarea>",
		"javascript:x", "&amp;", "%41%", "ä b+c/d?e#f&g=h", "{{v}}", "\x01`", "<!--", "\ufffd\u2028"} {
		f.Add(v)
	}
	tmpl := parsed(f, headers+"HTML: h.html\n\n\n", folder("h.html", attributes))
	r, err := tmpl.Bind([]string{"v"})
	if err != nil {
		f.Fatal(err)
	}
	type token struct {
		kind  html.TokenType
		name  string
		attrs []html.Attribute
	}
	tokens := func(t *testing.T, v string) (all []token, text string) {
		out, err := r.Render(nil, []string{v}, meta)
		if err != nil {
			t.Skip(err)
		}
		_, parts := leaves(t, out)
		z := html.NewTokenizer(strings.NewReader(parts[0].text))
		for z.Next() != html.ErrorToken {
			n := z.Token()
			name := n.Data
			if n.Type == html.TextToken || n.Type == html.CommentToken {
				text, name = text+n.Data, ""
			}
			all = append(all, token{n.Type, name, n.Attr})
		}
		return all, text
	}
	f.Fuzz(func(t *testing.T, v string) {
		if strings.TrimSpace(v) == "" { // it chooses the other block
			return
		}
		all, text := tokens(t, v)
		want, _ := tokens(t, "x")
		if len(all) != len(want) {
			t.Fatalf("%q makes %d tokens, want %d: %v", v, len(all), len(want), all)
		}
		seen := strings.ReplaceAll(v, "\x00", "\ufffd")
		if n := strings.Count(text, seen); n < 3 {
			t.Fatalf("%q is %d times in the text %q, want 3", v, n, text)
		}
		for i := range all {
			if all[i].kind != want[i].kind || all[i].name != want[i].name || len(all[i].attrs) != len(want[i].attrs) {
				t.Fatalf("%q makes %v, want %v", v, all[i], want[i])
			}
			for j, a := range all[i].attrs {
				w := want[i].attrs[j]
				if a.Key != w.Key {
					t.Fatalf("%q makes an attribute %s, want %s", v, a.Key, w.Key)
				}
				if w.Key != "href" && a.Val != strings.ReplaceAll(w.Val, "x", v) {
					t.Fatalf("%q: attribute %s is %q", v, a.Key, a.Val)
				}
				if w.Key == "href" && (!strings.HasPrefix(a.Val, "https://x.test/") ||
					strings.Contains(w.Val, "&f=") && strings.Count(a.Val, "&f=") != 1) {
					t.Fatalf("%q: link %q, want %q", v, a.Val, w.Val)
				}
			}
		}
	})
}

// A value in a link is what an address may have; a whole address has a scheme that does no harm.
func TestLinks(t *testing.T) {
	const body = `<a href="{{v}}">1</a><a href="https://x.test/{{v}}">2</a><a href="https://x.test/?v={{v}}">3</a>`
	tmpl := parsed(t, headers+"HTML: h.html\n\n", folder("h.html", body))
	r, err := tmpl.Bind([]string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ value, whole, path, query string }{
		{"https://y.test/a?b=c&d=%41", "https://y.test/a?b=c&amp;d=%41", "https://y.test/a?b=c&amp;d=%41",
			"https%3A%2F%2Fy.test%2Fa%3Fb%3Dc%26d%3D%2541"},
		{"MAILTO:a@y.test", "MAILTO:a@y.test", "MAILTO:a@y.test", "MAILTO%3Aa%40y.test"},
		{"tel:1 ü\"'<%x", "tel:1%20%C3%BC%22%27%3C%25x", "tel:1%20%C3%BC%22%27%3C%25x",
			"tel%3A1%20%C3%BC%22%27%3C%25x"},
	} {
		out, err := r.Render(nil, []string{v.value}, meta)
		if err != nil {
			t.Fatal(err)
		}
		want := `<a href="` + v.whole + `">1</a><a href="https://x.test/` + v.path +
			`">2</a><a href="https://x.test/?v=` + v.query + `">3</a>` + "\r\n"
		if _, all := leaves(t, out); all[0].text != want {
			t.Errorf("%s\n got %s\nwant %s", v.value, all[0].text, want)
		}
	}
	for _, v := range []string{"javascript:alert(1)", "JavaScript:x", "data:text/html,x", " https://x.test", "x.test",
		"//x.test"} {
		out, err := r.Render(nil, []string{v}, meta)
		if err == nil || !strings.Contains(err.Error(), "want an address") {
			t.Errorf("%q: %v\n%s", v, err, out)
		}
	}
}

func TestFilesOfALetterAreRefused(t *testing.T) {
	files := folder("a.txt", "Hello {{name\n", "b.html", "<p>\n<a href={{name}}>x</a>", "c.html", `<p class="x`,
		"d.html", "<script>f({{name}})</script>", "e.html", `<p {{#if name}}class="{{#end}}x">`, "f.html", "a\xe9\n",
		"g.html", "{{#if name}}\n<p>{{#else}}{{#else}}\n", "h.html", "{{#end}}\n{{#if}}{{#if a|b}}{{#end}}",
		"v.txt", headers+"Variant: aol v.txt\n\n", "w.txt", "Subject: {{a\n\n", "ok.txt", headers+"\n",
		"big", strings.Repeat("x", maxAttached+1), "half", strings.Repeat("x", maxAttached/2+1000), "style.html",
		`<p style="color:{{name}}">`, "tag.html", `<p {{name}}="x">`, "srcset.html", `<img srcset="{{name}}">`,
		"dir/x", "")
	for _, v := range []struct{ head, want string }{
		{"HTML: missing.html\n", "in/letter.txt:3:7: file missing.html: is not there with 1048576 bytes or less"},
		{"Attach:\n", "in/letter.txt:3:8: header Attach is empty"},
		{"Attach: big\n", "in/letter.txt:3:9: file big: is not there with 7340032 bytes or less"},
		{"Attach: half\nAttach: half\n", "in/letter.txt:4:9: file half: is not there with 35*"},
		{"HTML: b.html\nHTML: b.html\n", "*in/letter.txt:4:1: header HTML again, first on line 3*"},
		{"HTML: b.html\n",
			"in/b.html:1:1: {{name}} stands in an attribute without quotes, want quotes around it"},
		{"HTML: c.html\n", "in/c.html:1:1: the HTML ends within a tag, an attribute, a comment, a script or a style, " +
			"want it closed"},
		{"HTML: d.html\n", "in/d.html:1:1: {{name}} stands in a script, a style or the name of a tag or attribute, *"},
		{"HTML: style.html\n", "in/style.html:1:1: {{name}} stands in a script, a style or *"},
		{"HTML: tag.html\n", "in/tag.html:1:1: {{name}} stands in a script, a style or the name of a tag *"},
		{"HTML: srcset.html\n", "in/srcset.html:1:1: {{name}} stands in a script, a style or *"},
		{"HTML: e.html\n", "in/e.html:1:1: a block opens or closes a tag or an attribute for some recipients alone, " +
			"want it whole in the block"},
		{"HTML: f.html\n", "in/f.html:1:2: bytes that are not UTF-8, want UTF-8 text"},
		{"HTML: a.txt\n", "in/a.txt:1:7: \"{{\" is not closed on this line, *"},
		{"HTML: g.html\n", "in/g.html:2:13: {{#else}} again in the block of line 1\n" +
			"in/g.html:1:1: {{#if}} without {{#end}}, *"},
		{"HTML: h.html\n", "in/h.html:1:1: {{#end}} without {{#if field}} before it\n" +
			"in/h.html:2:8: got {{#if a|b}}, want {{#if field}} or {{#if field=value}}, where field is the name of a " +
			"column"},
		{"Variant: aol\n",
			`in/letter.txt:3:10: got "aol", want the name of a network and a file, such as: aol aol.txt`},
		{"Variant: aol none.txt\n", "in/letter.txt:3:10: file none.txt: is not there with 1048576 bytes or less"},
		{"Variant: aol v.txt\n", "in/v.txt:3:10: a variant of a variant, want it in the letter itself"},
		{"Variant: aol w.txt\n", "*in/w.txt:1:10: \"{{\" is not closed on this line, *\nin/w.txt:1:1: No From header*"},
		{"Variant: aol ok.txt\nVariant: aol ok.txt\n", "in/letter.txt:4:10: network aol again, want one variant"},
		{"X: {{#if a}}\n", "in/letter.txt:3:4: {{#if}} without {{#end}}, want one in the same part, or on the same " +
			"line of a header"},
	} {
		_, err := Parse("in/letter.txt", []byte(headers+v.head+"\n"), files)
		if err == nil || !like(strings.ToLower(err.Error()), strings.ToLower(v.want)) {
			t.Errorf("%q\n got: %v\nwant: %s", v.head, err, v.want)
		}
	}
	_, err := Parse("t", []byte(headers+"HTML: h.html\n\n"), nil)
	const want = "t:3:7: file h.html: got a letter without a folder, want one that is read from a file"
	if fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// like reports whether s is pattern, in which * stands for any text.
func like(s, pattern string) bool {
	first, rest, any := strings.Cut(pattern, "*")
	if !any {
		return s == pattern
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	for i := len(first); i <= len(s); i++ {
		if like(s[i:], rest) {
			return true
		}
	}
	return false
}

// The recipients of a network get its own master, with the same row.
func TestVariants(t *testing.T) {
	files := folder("aol.txt", "From: b@x.test\nSubject: for {{name}}\nAttach: a\n\n{{city}} only\n", "a", "x",
		"m.txt", headers+"\nm\n")
	tmpl := parsed(t, headers+"Variant: aol aol.txt\nVariant: m m.txt\n\nHello {{name}} in {{town}}\n", files)
	columns := []string{"email", "town", "unused", "city", "name"}
	if use, _ := tmpl.Uses(columns); !slices.Equal(use, []int{1, 3, 4}) {
		t.Errorf("uses %v", use)
	}
	columns = []string{"town", "city", "name"}
	for network, want := range map[string]string{"aol": "Rome only\r\n", "m": "m\r\n",
		"": "Hello Ann in Bath\r\n", "other": "Hello Ann in Bath\r\n"} {
		_, all := leaves(t, rendered(t, tmpl, network, columns, "Bath", "Rome", "Ann"))
		if all[0].text != want {
			t.Errorf("%s: %q, want %q", network, all[0].text, want)
		}
	}
	if _, err := tmpl.Bind([]string{"name", "town"}); err == nil || !strings.Contains(err.Error(),
		"in/aol.txt:5:1: {{city}} has no column") {
		t.Errorf("a column that a variant needs: %v", err)
	}
	var networks []string
	tmpl.Networks(func(network, at string) { networks = append(networks, network+" "+at) })
	if want := []string{"aol in/letter.txt:3:10", "m in/letter.txt:4:10"}; !slices.Equal(networks, want) {
		t.Errorf("networks %q, want %q", networks, want)
	}
	if all := tmpl.All(); len(all) != 3 || all[1].From().String() != "b@x.test" || all[1].FromAt() != "in/aol.txt:1:7" {
		t.Errorf("%d letters, the second from %s", len(all), all[1].From())
	}
}

// A master is the letter as its author wrote it, and has the same digest whatever the names of its files.
func TestMasters(t *testing.T) {
	const body = "Hello {{name|friend}}, {{city}}\r\n{{#if topic=x}}1{{#else}}2{{#if name}}3{{#end}}{{#end}}\r\n"
	const page = "<p>{{name}}</p>\r\n"
	make := func(file, subject string) Master {
		masters := parsed(t, "From: a@x.test\nSubject: "+subject+"\nHTML: "+file+"\n\n"+body,
			folder(file, page)).Masters()
		if len(masters) != 1 {
			t.Fatal(len(masters))
		}
		checkWire(t, masters[0].Message)
		return masters[0]
	}
	long := strings.Repeat("{{#if topic=sports}}Goals{{#end}}", 40)
	for _, subject := range []string{"s {{name}}", "{{#if topic}}ü{{#end}}{{name|x}}", long} {
		m := make("a.html", subject)
		structure, all := leaves(t, m.Message)
		if structure != "multipart/alternative(text/plain text/html)" || all[0].text != body || all[1].text != page {
			t.Errorf("%s %q", structure, all)
		}
		got, _ := netmail.ReadMessage(bytes.NewReader(m.Message))
		if s := decode(t, got.Header.Get("Subject")); s != subject {
			t.Errorf("subject %q, want %q", s, subject)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(m.Message)); m.Digest != sum ||
			make("b.html", subject).Digest != sum {
			t.Errorf("digest %s, want %s", m.Digest, sum)
		}
		if make("a.html", subject+".").Digest == m.Digest {
			t.Error("two letters have one digest")
		}
	}
	for head, want := range map[string]string{"": "text", "HTML: h\n": "text and HTML",
		"Attach: h\n":            "text, 1 attachment",
		"Attach: h\nAttach: h\n": "text, 2 attachments"} {
		if got := parsed(t, headers+head+"\nx\n", folder("h", "<p>")).Parts(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func BenchmarkMaster(b *testing.B) {
	files := folder("h.html", strings.Repeat("<p>Hello {{name}}</p>\n", 100), "a.pdf", strings.Repeat("x", 100_000))
	for _, v := range []struct{ name, head string }{{"html", "HTML: h.html\n"},
		{"attached", "HTML: h.html\nAttach: a.pdf\n"}} {
		b.Run(v.name, func(b *testing.B) {
			r, err := parsed(b, headers+v.head+"\nHello {{name}}\n", files).Bind([]string{"name"})
			if err != nil {
				b.Fatal(err)
			}
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = r.Render(buf[:0], []string{"Ann"}, meta)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

// The letter that a run without one sends, of the size of the benchmarks of sending.
func BenchmarkDefault(b *testing.B) {
	tmpl, err := Default(mail.Address{Local: "news", Domain: "sender.example"}, 4<<10)
	if err != nil {
		b.Fatal(err)
	}
	r, err := tmpl.Bind(nil)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = r.Render(buf[:0], nil, meta)
	}
	b.SetBytes(int64(len(buf)))
}
