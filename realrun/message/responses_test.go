package message

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"flyball/internal/mail"
	"flyball/realrun/response"
)

const counted = headers + "Responses: https://r.test clicks opens trap\nHTML: h.html\n\n\n"

const page = `<html><body><!-- <a href="https://no.test/">x</a> -->
<a href="https://shop.test/?a=1&amp;b=2">one</a> <A HREF='https://shop.test/2' class="x">two</A>
<a href=https://shop.test/3>three</a> <a href="https://shop.test/?a=1&b=2">one again</a>
<a href="mailto:a@b.test">mail</a> <a href="#top">top</a> <a href="https://shop.test/?who={{v}}">yours</a>
{{#if v=x}}<a href="https://shop.test/x">x</a>{{#else}}<a href="https://shop.test/y">y</a>{{#end}}
<a name="https://no.test/" data-href="https://no.test/">none</a><script>"<a href='https://no.test/'>"</script>
</body></html>
`

// bodyOf returns the HTML of the message for a row with a value of v.
func bodyOf(t testing.TB, tmpl *Template, v string) string {
	t.Helper()
	r, err := tmpl.Bind([]string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Render(nil, []string{v}, meta)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, out)
	_, body := read(t, out)
	return body
}

// ticket returns what a link of a message to the test's recipient says.
func ticket(t testing.TB, link string) mail.Ticket {
	t.Helper()
	key := mail.Key{0xC0, 0xFF, 0xEE}
	got, ok := mail.ParseTicket(link, func(job uint32) (mail.Key, bool) { return key, job == key.Mark() })
	if !ok || got.Rcpt != meta.Recipient {
		t.Errorf("got the ticket %s, which is %v, %v", link, got, ok)
	}
	return got
}

// Links to fixed addresses of the web have tickets, which lead to the targets; other links, comments and scripts stay;
// the trap stands before the middle link, and the picture at the end.
func TestCountedLinks(t *testing.T) {
	tmpl := parsed(t, counted, folder("h.html", page))
	want := []string{"https://shop.test/?a=1&b=2", "https://shop.test/2", "https://shop.test/3", "https://shop.test/x",
		"https://shop.test/y"}
	if got := tmpl.Targets(); !slices.Equal(got, want) {
		t.Errorf("targets are %q, want %q", got, want)
	}
	plain := parsed(t, headers+"HTML: h.html\n\n\n", folder("h.html", page))
	for _, v := range []string{"x", "z"} {
		var links []string
		body := bodyOf(t, tmpl, v)
		back := body
		for rest := body; ; {
			_, after, more := strings.Cut(rest, "https://r.test/")
			if !more {
				break
			}
			rest = after
			got := ticket(t, after[2:2+mail.TicketSize])
			links = append(links, fmt.Sprintf("%c%d", got.Purpose, got.Number))
			link := "https://r.test/" + after[:2+mail.TicketSize]
			switch {
			case got.Purpose == mail.ToSee:
				back = strings.Replace(back, `<img src="`+link+`" width="1" height="1" alt="">`, "", 1)
			case got.Number == 0:
				back = strings.Replace(back, `<a href="`+link+
					`" style="display:none" aria-hidden="true" tabindex="-1"></a>`, "", 1)
			default:
				back = strings.Replace(back, link, want[got.Number-1], 1)
			}
		}
		if got, want := strings.Join(links, " "), map[string]string{"x": "c1 c2 c3 c0 c1 c4 o0",
			"z": "c1 c2 c3 c0 c1 c5 o0"}[v]; got != want {
			t.Errorf("%s: links are %s, want %s", v, got, want)
		}
		if want := strings.ReplaceAll(bodyOf(t, plain, v), "&amp;b", "&b"); back != want {
			t.Errorf("%s: got\n%s\nwant\n%s", v, back, want)
		}
	}
}

// A letter that does not ask has nothing of it; variants share the numbers; masters show where links lead.
func TestCountedLetters(t *testing.T) {
	plain := parsed(t, headers+"HTML: h.html\n\n\n", folder("h.html", page))
	if body := bodyOf(t, plain, "x"); plain.Targets() != nil || strings.Contains(body, "r.test") {
		t.Errorf("got %q in\n%s", plain.Targets(), body)
	}
	letter := folder("h.html", `<p><a href="https://shop.test/1">1</a></p>`, "aol.txt", headers+
		"Responses: https://aol.test/ clicks\nHTML: a.html\n\n\n", "a.html", `<a href="https://shop.test/2">2</a> `+
		`<a href="https://shop.test/1">1</a>`)
	tmpl := parsed(t, headers+"Responses: https://r.test clicks opens\nHTML: h.html\nVariant: aol aol.txt\n\n\n",
		letter)
	if got := fmt.Sprint(tmpl.Targets()); got != "[https://shop.test/1 https://shop.test/2]" {
		t.Errorf("targets are %s", got)
	}
	r, err := tmpl.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.For("aol").Render(nil, nil, meta)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), "https://aol.test/c/")
	if got := ticket(t, rest[:mail.TicketSize]); got.Number != 2 || strings.Contains(string(out), "/o/") {
		t.Errorf("got link %d in\n%s", got.Number, out)
	}
	if got := string(tmpl.Masters()[0].Message); !strings.Contains(got, `href="https://shop.test/1"`) ||
		!strings.Contains(got, `https://r.test/o/{{ticket}}`) {
		t.Errorf("the master is\n%s", got)
	}
}

// Every counted link of a message leads to what the author wrote, by a response server that has the targets alone.
func TestCountedLinksLead(t *testing.T) {
	tmpl := parsed(t, counted, folder("h.html", page))
	s, err := response.New(response.Default(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Add(response.Campaign{Name: "news", Key: mail.Key{0xC0, 0xFF, 0xEE}, Recipients: 100,
		Targets: tmpl.Targets()}); err != nil {
		t.Fatal(err)
	}
	var led []string
	for _, link := range strings.Split(bodyOf(t, tmpl, "x"), "https://r.test")[1:] {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", link[:3+mail.TicketSize], nil))
		led = append(led, fmt.Sprint(w.Code, w.Header().Get("Location")))
	}
	const want = "302https://shop.test/?a=1&b=2 302https://shop.test/2 302https://shop.test/3 204 " +
		"302https://shop.test/?a=1&b=2 302https://shop.test/x 200"
	if got := strings.Join(led, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBadResponses(t *testing.T) {
	for value, want := range map[string]string{
		"https://r.test":              "got nothing to count",
		"https://r.test trap":         "got nothing to count",
		"https://r.test opens trap":   "got a trap without clicks",
		"https://r.test clicks all":   `got "all", want clicks, opens or trap`,
		"http://r.test clicks":        "want the address of a response server",
		"https://r.test/x clicks":     "want the address of a response server",
		"https://r.test?x clicks":     "want the address of a response server",
		"https://a@r.test clicks":     "want the address of a response server",
		"https:// clicks":             "want the address of a response server",
		"https://r\"x.test clicks":    "want the address of a response server",
		"https://{{v}}.test/ clicks":  "want the address of a response server",
		"https://r.test clicks opens": "",
	} {
		_, err := Parse("l.txt", []byte(headers+"HTML: h.html\nResponses: "+value+"\n\n\n"), folder("h.html", page))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
	if _, err := Parse("l.txt", []byte(counted), folder("h.html", "<p>x</p><!")); err == nil ||
		!strings.Contains(err.Error(), "l.txt:3:12: header Responses: got HTML that ends within") {
		t.Errorf("an open comment: got %v", err)
	}
	if _, err := Parse("l.txt", []byte(headers+"Responses: https://r.test clicks\n\ntext\n"), nil); err == nil ||
		!strings.Contains(err.Error(), "l.txt:3:12: header Responses: got a letter without HTML") {
		t.Errorf("without HTML: got %v", err)
	}
}

// Whatever the HTML, what is counted leads to an address that a response server takes, and nothing else in the page
// changes.
func FuzzCounted(f *testing.F) {
	for _, s := range []string{page, "<a href=x<a href='https://a.test/'>", "<a href=\"https://a.test/\n\">",
		"</body></body>", "<area/href=https://a.test/>", "<a =href=https://a.test/ href=https://b.test/>",
		"<a href='https://a.test/", "<title><a href=https://a.test/></title>",
		"<a href=&#104;ttps://a.test/>",
		"{{#if v}}<a href=https://a.test>{{#end}}"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, src, v string) {
		tmpl, err := Parse("l.txt", []byte(counted), folder("h.html", src))
		plain, err2 := Parse("l.txt", []byte(headers+"HTML: h.html\n\n\n"), folder("h.html", src))
		if (err == nil) != (err2 == nil) && (err == nil || !strings.Contains(err.Error(), "hides a picture")) {
			t.Fatalf("counted: %v, else %v", err, err2)
		}
		if err != nil {
			return
		}
		for _, target := range tmpl.Targets() {
			if err := response.CheckTarget(target); err != nil {
				t.Error(err)
			}
		}
		if _, err := tmpl.Bind([]string{"v"}); err != nil || v == "" {
			return
		}
		r, _ := tmpl.Bind([]string{"v"})
		one, err := r.Render(nil, []string{v}, meta)
		r, _ = plain.Bind([]string{"v"})
		two, err2 := r.Render(nil, []string{v}, meta)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("counted: %v, else %v", err, err2)
		}
		if err != nil {
			return
		}
		_, a := read(t, one)
		_, b := read(t, two)
		if got, want := skeleton(a), skeleton(b); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// skeleton returns the tokens of a page without what is counted.
func skeleton(page string) string {
	var out strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	skip := false // the end of the trap
	for {
		if z.Next() == html.ErrorToken {
			return out.String()
		}
		token := z.Token()
		for i, a := range token.Attr {
			switch {
			case a.Key == "href" && (token.Data == "a" || token.Data == "area"):
				token.Attr[i].Val = ""
			case a.Key == "tabindex" && a.Val == "-1":
				skip = true
			}
		}
		ours := token.Data == "img" && len(token.Attr) > 0 && strings.HasPrefix(token.Attr[0].Val, "https://r.test/o/")
		if !ours && !skip {
			if token.Type == html.TextToken {
				out.WriteString(token.Data)
			} else {
				fmt.Fprintf(&out, "[%s]", token)
			}
		}
		if skip && token.Type == html.EndTagToken {
			skip = false
		}
	}
}
