package run

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"flyball/reports/internal/handmade"
)

func htmlOf(t *testing.T, r *Report) string {
	t.Helper()
	raw, err := r.HTML(figures(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestPage(t *testing.T) {
	crowd := fold(crowded(3000), handmade.Expect("dfr", "<", 1))
	for name, r := range map[string]*Report{
		"plain": fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Contended,
			Dfr: 1.15}), handmade.Expect("settling_intervals_5pct", "<=", 40)),
		"crowded": crowd, "empty": fold(handmade.Run()),
	} {
		page := htmlOf(t, r)
		if len(page) > 300_000 {
			t.Errorf("%s: %d bytes", name, len(page))
		}
		// Nothing is fetched and nothing is run.
		for _, no := range []string{"<script", "<link", "<iframe", "<img", "src=", "href=", "url(", "@import", " on",
			"data:"} {
			if at := strings.Index(strings.ReplaceAll(page, "governor on", ""), no+"load"); at >= 0 || no != " on" &&
				strings.Contains(page, no) {
				t.Errorf("%s: %q in the page", name, no)
			}
		}
		// Every tag is closed, no id is used twice.
		d := xml.NewDecoder(strings.NewReader(page))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		ids := map[string]bool{}
		depth := 0
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch tag := token.(type) {
			case xml.StartElement:
				depth++
				for _, a := range tag.Attr {
					if a.Name.Local == "id" && ids[a.Value] {
						t.Errorf("%s: id %s twice", name, a.Value)
					}
					ids[a.Value] = ids[a.Value] || a.Name.Local == "id"
				}
			case xml.EndElement:
				depth--
			}
		}
		if depth != 0 {
			t.Errorf("%s: %d tags are open at the end", name, depth)
		}
		for _, want := range []string{`<html lang="en">`, "prefers-color-scheme: dark", `<svg `, `role="img"`,
			"<title id=", "<desc id=", "docs/model.md",
			r.Digest, r.ScenarioID, "flyball run hand-made --seed 42"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
		if n, c := strings.Count(page, "<table>"), strings.Count(page, "<caption>"); n != c {
			t.Errorf("%s: %d tables, %d captions", name, n, c)
		}
		if regexp.MustCompile(`(fill|stroke):#(FFFFFF|000000|0072B2)`).MatchString(page) {
			t.Errorf("%s: colours that do not follow the page", name)
		}
		if strings.Contains(page, "<strong>Partial.</strong>") != r.Partial {
			t.Errorf("%s: banner", name)
		}
	}
}

func TestPageOpensWithTheAnswer(t *testing.T) {
	page := htmlOf(t, fold(handmade.Run(handmade.Course{Start: 200, D: 8, Intervals: 80, Plant: handmade.Peaked,
		Dfr: 1.15})))
	body := page[strings.Index(page, "<main>"):]
	verdict := strings.Index(body, "Did not converge: b1 never settled within 5 % of 140,000/h")
	runaway := strings.Index(body, "Runaway: b1 did best in interval 14")
	plot := strings.Index(body, "<svg")
	if verdict < 0 || verdict > 60 || runaway < verdict || plot < runaway {
		t.Errorf("verdict at %d, runaway at %d, plot at %d", verdict, runaway, plot)
	}
}

func TestPageEscapesNames(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 6, Plant: handmade.Contended, Dfr: 1.15})
	r.Name, r.About, r.Servers[0], r.Destinations[0] = "<b>&x", "<i>about</i>", "<u>b1", "<s>dest"
	report := fold(r)
	report.Replay = "flyball run '<em>'"
	page := htmlOf(t, report)
	for _, no := range []string{"<b>", "<i>", "<u>", "<s>", "<em>"} {
		if strings.Contains(page, no) {
			t.Errorf("%s in the page", no)
		}
	}
	for _, f := range figures(t, report) {
		handmade.WellFormed(t, f.Name, f.SVG)
	}
	if !bytes.Contains([]byte(page), []byte("&lt;b&gt;&amp;x")) {
		t.Error("the name is lost")
	}
}
