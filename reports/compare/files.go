package compare

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"flyball/reports/chart"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/page"
	"flyball/reports/runlog"
)

// Summary is summary.json of a comparison.
func (c *Report) Summary() ([]byte, error) {
	return format.WithSchema("flyball/comparison", c)
}

// Key returns a name for the comparison that depends on the digests of both sides.
func (c *Report) Key() string {
	var content strings.Builder
	fmt.Fprintf(&content, "comparison\n%t\n", c.Verdict != nil)
	for _, m := range c.metrics[len(Metrics()):] {
		fmt.Fprintf(&content, "of %s\n", m.Name)
	}
	for _, p := range c.pairs {
		fmt.Fprintf(&content, "%s %d\n", p.base.Scenario, p.base.Seed)
		for _, r := range p.runs {
			fmt.Fprintf(&content, "%d %s %s\n", r[0].Replication, r[0].Digest, r[1].Digest)
		}
	}
	return folder.Key([]byte(content.String()))
}

// Write writes the folder of the comparison at to, as run.Write does for a run. Command
// is the command line that repeats it.
func (c *Report) Write(to folder.Place, command string, host runlog.Host) error {
	c.replay = command
	files, err := page.Files(c, "summary.json")
	if err != nil {
		return err
	}
	files = append(files, folder.File{Path: "cells.csv", Data: c.cellsCSV()},
		folder.File{Path: "pairs.csv", Data: c.pairsCSV()}, folder.File{Path: "compare.md", Data: c.Markdown()})
	return folder.Publish(to, files, folder.NewHost(host, 0), command,
		folder.Attributes{Name: "comparison", Mode: folder.ComparisonMode})
}

// HTML returns the comparison as one page.
func (c *Report) HTML(figures []chart.Figure) ([]byte, error) {
	var pairs, seeds []string
	for _, s := range c.Scenarios {
		pairs = append(pairs, fmt.Sprintf("%s %d", s.Name, s.Pairs))
		seeds = append(seeds, fmt.Sprintf("%s %d", s.Name, s.Seed))
	}
	facts := [][2]string{{"BASE", c.Base}, {"NEW", c.New}, {"Pairs of runs", strings.Join(pairs, ", ")},
		{"Seeds", strings.Join(seeds, ", ")}}
	if c.Verdict != nil {
		for _, e := range c.Verdict.Explained {
			facts = append(facts, [2]string{e.Scenario + " again", e.Command})
		}
	}
	tables := c.tables()
	var folded []page.Folded
	for i, t := range tables {
		if i > 0 && len(c.Scenarios) > 1 {
			folded = append(folded, page.Folded{Title: t.Caption, Table: t})
		}
	}
	if len(c.Scenarios) > 1 {
		tables = tables[:1]
	}
	return page.Document{Name: "Comparison", About: "NEW " + c.New + " against BASE " + c.Base,
		World: "pairs of runs under the same luck, " + format.Plural(uint64(len(c.Scenarios)), "scenario"),
		Mode:  "sim", Comparison: true, Answer: c.Answer(), Figures: figures, Tables: tables, Folded: folded,
		Warnings: append(c.explained(), c.Notes...), Facts: append(facts, [2]string{"Run it again", c.replay})}.HTML()
}

// cellsCSV returns a row for each metric and scenario, and one without a scenario for
// the mean over all.
func (c *Report) cellsCSV() []byte {
	rows := [][]string{strings.Fields("metric unit scenario pairs base new ratio ratio_low ratio_high rank_p lost " +
		"never shown better")}
	for _, m := range c.Metrics {
		better := "less"
		if m.More {
			better = "more"
		}
		for _, x := range append(m.Cells[:len(m.Cells):len(m.Cells)], m.Mean) {
			rows = append(rows, []string{m.Name, m.Unit, x.Scenario, strconv.Itoa(x.Ratio.N), x.meanOf(x.Base),
				x.meanOf(x.New), x.Ratio.Value.String(),
				x.Ratio.Low.String(), x.Ratio.High.String(), x.RankP.String(), strconv.Itoa(x.Lost),
				strconv.Itoa(x.Never), strconv.FormatBool(x.Shown()), better})
		}
	}
	return format.WriteCSV(rows)
}

// meanOf formats a scenario's mean; empty for the mean over all scenarios, whose values
// must not be averaged.
func (c Cell) meanOf(n format.Num) string {
	if c.Scenario == "" {
		return ""
	}
	return n.String()
}

// pairsCSV returns every pair of numbers that the tables are computed from. A time that
// never came has the value that it counts with.
func (c *Report) pairsCSV() []byte {
	rows := [][]string{strings.Fields("scenario seed replication digest_base digest_new metric base new log_ratio")}
	for _, p := range c.pairs {
		for _, m := range c.metrics {
			logs := p.logs(m)
			for i, r := range p.runs {
				x, _ := p.value(m, r[0])
				y, _ := p.value(m, r[1])
				rows = append(rows, []string{p.base.Scenario, strconv.FormatUint(p.base.Seed, 10),
					strconv.FormatUint(r[0].Replication, 10),
					r[0].Digest, r[1].Digest, m.Name, format.Num(x).String(), format.Num(y).String(),
					format.Num(logs[i]).String()})
			}
		}
	}
	return format.WriteCSV(rows)
}

// Markdown returns the comparison as a comment on a change under review.
func (c *Report) Markdown() []byte {
	var b strings.Builder
	escape := strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace
	said := c.Answer()
	fmt.Fprintf(&b, "### %s\n\n", escape(said[0]))
	for _, s := range said[1:] {
		fmt.Fprintf(&b, "- %s\n", escape(s))
	}
	if c.Verdict != nil {
		for _, e := range c.Verdict.Explained {
			if e.Command != "" {
				fmt.Fprintf(&b, "\n%s again: `%s`\n", escape(e.Scenario), strings.ReplaceAll(e.Command, "`", ""))
			}
		}
	}
	fmt.Fprintf(&b, "\nBASE `%s`, NEW `%s`\n", strings.ReplaceAll(c.Base, "`", ""), strings.ReplaceAll(c.New, "`", ""))
	for i, t := range c.tables() {
		if i == 0 {
			fmt.Fprintf(&b, "\n**%s**\n\n", escape(t.Caption))
		} else {
			fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", escape(t.Caption))
		}
		line := func(cells []string) {
			for _, x := range cells {
				fmt.Fprintf(&b, "| %s ", escape(x))
			}
			b.WriteString("|\n")
		}
		line(t.Head)
		for k := range t.Head {
			b.WriteString(map[bool]string{true: "| --- ", false: "| ---: "}[t.ToLeft(k)])
		}
		b.WriteString("|\n")
		for _, row := range t.Rows {
			line(row)
		}
		if i > 0 {
			b.WriteString("\n</details>\n")
		}
	}
	b.WriteString("\n")
	for _, s := range append(c.explained(), c.Notes...) {
		fmt.Fprintf(&b, "%s\n\n", escape(s))
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// JUnit returns the verdict as JUnit XML with a test case for each claim.
func (c *Report) JUnit() ([]byte, error) {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type problem failure
	type skipped struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *failure `xml:"failure,omitempty"`
		Error   *problem `xml:"error,omitempty"`
		Skipped *skipped `xml:"skipped,omitempty"`
		Out     string   `xml:"system-out,omitempty"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	s := suite{Name: "flyball compare"}
	for _, x := range c.Verdict.Claims {
		t := testcase{Class: "flyball.compare.mean", Name: x.Metric}
		if x.Scenario != "" {
			t.Class = "flyball.compare." + x.Scenario
		}
		switch {
		case x.failed():
			t.Failure = &failure{Message: x.Says(), Text: strings.Join(append(c.whys(x), "BASE "+c.Base,
				"NEW "+c.New), "\n")}
			s.Failures++
		case x.Outcome == Undefined && c.Verdict.Strict && !c.Verdict.AllowInconclusive && !c.Verdict.Failed:
			t.Error = &problem{Message: "inconclusive: " + x.Says()}
			s.Errors++
		case x.Outcome == Undefined:
			t.Skipped = &skipped{Message: x.Says()}
			s.Skipped++
		case x.Outcome == Undecided && !c.Verdict.AllowInconclusive && !c.Verdict.Failed:
			t.Error = &problem{Message: "inconclusive: " + x.Says()}
			s.Errors++
		case x.Outcome == Undecided:
			t.Out = "inconclusive: " + x.Says()
		default:
			t.Out = x.Says()
		}
		s.Cases = append(s.Cases, t)
	}
	for _, u := range c.Verdict.Uncompared {
		t := testcase{Class: "flyball.compare." + u.Scenario, Name: "compared"}
		if u.Allowed {
			t.Skipped = &skipped{Message: u.Why + ", as allowed"}
			s.Skipped++
		} else {
			t.Failure = &failure{Message: u.Why, Text: "BASE " + c.Base + "\nNEW " + c.New}
			s.Failures++
		}
		s.Cases = append(s.Cases, t)
	}
	if v := c.Verdict; v.Blind > 0 {
		t := testcase{Class: "flyball.compare", Name: "pairs"}
		if v.Inconclusive() && !v.AllowInconclusive {
			t.Error = &problem{Message: v.Answer()}
			s.Errors++
		} else {
			t.Out = v.Answer()
		}
		s.Cases = append(s.Cases, t)
	}
	s.Tests = len(s.Cases)
	raw, err := xml.MarshalIndent(struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []suite  `xml:"testsuite"`
	}{Suites: []suite{s}}, "", "  ")
	return append([]byte(xml.Header), append(raw, '\n')...), err
}

// whys returns the lines that explain a claim.
func (c *Report) whys(x Claim) []string {
	e, ok := c.Explains(x)
	if !ok {
		return nil
	}
	return e.Lines("")
}

// mostAnnotations is the number of annotations that GitHub shows for one step. It drops
// more in silence.
const mostAnnotations = 10

// Annotations returns the verdict in GitHub's workflow commands: an error for each claim
// that failed and for each scenario that is not compared; an error, or a notice if that
// is allowed, for an inconclusive gate.
func (c *Report) Annotations() string {
	type note struct{ title, message string }
	var bad []note
	for _, u := range c.Unexcused() {
		bad = append(bad, note{"Not compared", u.Scenario + " of BASE: " + u.Why})
	}
	open := 0
	for _, x := range c.Verdict.Claims {
		switch {
		case x.failed():
			bad = append(bad, note{"Regression of " + x.Metric,
				strings.Join(append([]string{x.Says()}, c.whys(x)...), "\n")})
		case x.Outcome == Undecided:
			open++
		}
	}
	var b strings.Builder
	for i, n := range bad {
		if i == mostAnnotations-2 && len(bad) > i+1 {
			annotate(&b, "error", "Regression", fmt.Sprintf("%d more claims failed; the report has them", len(bad)-i))
			break
		}
		annotate(&b, "error", n.title, n.message)
	}
	kind := "error"
	if c.Verdict.AllowInconclusive || bad != nil {
		kind = "notice"
	}
	switch {
	case open > 0:
		annotate(&b, kind, "Inconclusive", fmt.Sprintf("%s neither shown to be beyond the margin nor to be within",
			format.Plural(uint64(open), "claim")))
	case c.Verdict.Inconclusive():
		annotate(&b, kind, "Inconclusive", c.Verdict.Answer())
	}
	return b.String()
}

func annotate(b *strings.Builder, kind, title, message string) {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	fmt.Fprintf(b, "::%s title=%s::%s\n", kind, property.Replace(title), data.Replace(message))
}
