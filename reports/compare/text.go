package compare

import (
	"fmt"
	"io"
	"strings"

	"flyball/reports/format"
	"flyball/reports/measure"
)

// Text writes the comparison for a terminal: the verdict, one line for each metric over
// all scenarios, then the scenarios, then the reasons to doubt the numbers.
func (c *Report) Text(w io.Writer, color bool) error {
	return format.Text{Title: fmt.Sprintf("BASE  %s\nNEW   %s", c.Base, c.New), Answer: c.Answer(), Tables: c.tables(),
		Below: "\n" + format.Paragraphs(append(c.explained(), c.Notes...)...)}.Write(w, color)
}

// Answer returns sentences on what the comparison shows, the most important first.
func (c *Report) Answer() []string {
	var said []string
	if v := c.Verdict; v != nil {
		said = append(said, v.Answer())
		for _, says := range v.Worse() {
			said = append(said, "Worse: "+says+".")
		}
		for _, e := range v.Explained {
			said = append(said, "Cause in "+e.Scenario+": "+e.Cause+".")
		}
		for _, u := range unexcused(v.Uncompared) {
			said = append(said, "Not compared: "+u.Scenario+" of BASE: "+u.Why+".")
		}
		if v.Strict {
			for _, gap := range v.Gaps {
				said = append(said, "Not compared: "+gap+".")
			}
		}
		for _, x := range v.Claims {
			if x.Outcome == Undecided {
				said = append(said, "Inconclusive: "+x.Says()+".")
			}
		}
	}
	if c.same() {
		return append(said, "Every pair of runs is the same to the last event: there is nothing between the two.")
	}
	var worse, better []string
	for _, m := range c.Metrics {
		switch m.side() {
		case baseSide:
			worse = append(worse, m.Name+" "+change(m.Mean.Ratio.Value))
		case newSide:
			better = append(better, m.Name+" "+change(m.Mean.Ratio.Value))
		}
	}
	switch {
	case worse == nil && better == nil:
		said = append(said, "Nothing is shown between the two in the mean over the scenarios.")
	case better == nil:
		said = append(said, "NEW is worse in "+strings.Join(worse, ", ")+".")
	case worse == nil:
		said = append(said, "NEW is better in "+strings.Join(better, ", ")+".")
	default:
		said = append(said, "NEW is better in "+strings.Join(better, ", ")+"; worse in "+strings.Join(worse, ", ")+".")
	}
	return append(said, c.disagreement()...)
}

// disagreement returns a sentence if lost target-hours, the end and attempts per
// delivery do not show the same side to be better.
func (c *Report) disagreement() []string {
	better := map[bool][]string{}
	for _, m := range c.Metrics {
		what, ok := map[string]string{"iae": "loses fewer target-hours", "end": "ends sooner",
			"dfr": "needs fewer attempts per delivery"}[m.Name]
		if on := m.side(); ok && on != neither {
			better[on == newSide] = append(better[on == newSide], what)
		}
	}
	if len(better) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("Which is best depends on what is asked: NEW %s, BASE %s.",
		strings.Join(better[true], " and "), strings.Join(better[false], " and "))}
}

// Worse returns the claims that fail the gate, in words.
func (v *Verdict) Worse() []string {
	var all []string
	for _, c := range v.Claims {
		if c.failed() {
			all = append(all, c.Says())
		}
	}
	return all
}

// Answer returns the verdict as a sentence.
func (v *Verdict) Answer() string {
	if v.Failed {
		var why []string
		if lacking := unexcused(v.Uncompared); len(lacking) > 0 {
			var names []string
			for _, u := range lacking {
				names = append(names, u.Scenario)
			}
			why = append(why, fmt.Sprintf("%s of BASE not compared (%s)",
				format.Plural(uint64(len(lacking)), "scenario"),
				format.Listed(names)))
		}
		if v.Worse() != nil {
			shown := fmt.Sprintf("shown by %s of each scenario", format.Plural(uint64(v.Looks[v.Look-1]), "pair"))
			if why != nil {
				shown = "a regression " + shown
			}
			why = append(why, shown)
		}
		return "Gate: FAIL, " + strings.Join(why, ", and ") + "."
	}
	if v.Inconclusive() {
		head := "Gate: INCONCLUSIVE"
		if v.AllowInconclusive {
			head = "Gate: pass, inconclusive as allowed"
		}
		if v.Blind > 0 {
			return fmt.Sprintf("%s: with so few pairs nothing could have failed; it takes %d.", head, v.Blind)
		}
		if !v.Open {
			return fmt.Sprintf("%s: %s that the gate asks for could not be compared.", head,
				format.Plural(uint64(len(v.Gaps)), "thing"))
		}
		return fmt.Sprintf("%s: no regression beyond the margins is shown by %s of each scenario, but neither is its "+
			"absence.", head, format.Plural(uint64(v.Looks[v.Look-1]), "pair"))
	}
	without := ""
	var names []string
	for _, u := range v.Uncompared {
		names = append(names, u.Scenario)
	}
	if names != nil {
		without = ", without " + format.Listed(names) + " of BASE, as allowed"
	}
	return fmt.Sprintf("Gate: pass, after %s of each scenario%s.",
		format.Plural(uint64(v.Looks[v.Look-1]), "pair"), without)
}

func (c *Report) same() bool {
	for _, s := range c.Scenarios {
		if !s.Same {
			return false
		}
	}
	return true
}

// explained returns sentences that explain the tables.
func (c *Report) explained() []string {
	better := "Less is better in every metric."
	var more []string
	for _, m := range c.metrics {
		if m.More {
			more = append(more, m.Name)
		}
	}
	if more != nil {
		better = "More is better in " + strings.Join(more, ", ") + "; less in every other metric."
	}
	said := []string{better + " A change is the geometric mean of NEW / BASE over pairs of " +
		"runs under the same luck; ~ where none is shown: its 95 % interval (paired t) holds 0, or the ranks " +
		"(Wilcoxon) do not agree."}
	for _, s := range c.Scenarios {
		if len(s.Differs) > 0 {
			var keys []string
			for _, d := range s.Differs {
				keys = append(keys, d.words())
			}
			said = append(said, fmt.Sprintf("%s differs in %s.", s.Name, format.Listed(keys)))
		}
	}
	return said
}

// tables returns a table of the means over all scenarios, then one of the scenarios for
// each metric. With one scenario it returns one table.
func (c *Report) tables() []format.Table {
	var all []format.Table
	if len(c.Scenarios) > 1 {
		all = append(all, c.meanTable())
	}
	for _, m := range c.Metrics {
		if t := m.table(); len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (c *Report) meanTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("Geometric mean over %s",
		format.Plural(uint64(len(c.Scenarios)), "scenario")),
		Head: []string{"metric", "change", "95 % interval", "pairs", "rank p", "worst scenario", "there"}, Left: 1}
	if c.Verdict != nil {
		t.Head = append(t.Head, "allowed", "gate")
	}
	for _, m := range c.Metrics {
		there := "-"
		for _, x := range m.Cells {
			if x.Scenario == m.Worst {
				there = x.changed()
			}
		}
		row := []string{m.Name, m.Mean.changed(), m.Mean.between(), fmt.Sprint(m.Mean.Ratio.N), m.Mean.rank(),
			format.Dash(m.Worst), there}
		if c.Verdict != nil {
			allowed, outcome := "-", "-"
			for _, x := range c.Verdict.Claims {
				if x.Metric == m.Name && x.Scenario == "" {
					allowed, outcome = x.most(), x.word()
				}
			}
			row = append(row, allowed, outcome)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// word returns the outcome as it stands in a table.
func (c Claim) word() string {
	switch c.Outcome {
	case Worse, Lost:
		return "WORSE"
	case Within:
		return "ok"
	}
	return c.Outcome
}

// words returns the key, and its values if both sides have one.
func (d Difference) words() string {
	if d.Base == "" || d.New == "" {
		return d.Key
	}
	return fmt.Sprintf("%s (BASE %s, NEW %s)", d.Key, d.Base, d.New)
}

func (m MetricResult) table() format.Table {
	better := ""
	if m.More {
		better = "; more is better"
	}
	t := format.Table{Caption: fmt.Sprintf("%s, %s%s", m.Name, m.Unit, better), Left: 1,
		Head: []string{"scenario", "BASE", "NEW", "change", "95 % interval", "pairs", "rank p"}}
	for _, x := range m.Cells {
		if x.Ratio.N == 0 {
			continue
		}
		t.Rows = append(t.Rows, []string{x.Scenario, m.mean(x.Base, x.neverBase, x.Pairs),
			m.mean(x.New, x.neverNew, x.Pairs), x.changed(), x.between(), fmt.Sprint(x.Ratio.N),
			x.rank()})
	}
	return t
}

// mean returns the mean of one side in words. If runs of it never reached the time, the
// mean is a lower bound.
func (m MetricResult) mean(of format.Num, never, pairs int) string {
	switch {
	case never == pairs && m.Name == "end":
		return measure.NeverWord(measure.EndMetric)
	case never == pairs:
		return measure.NeverWord(m.Name)
	case never > 0:
		return "> " + of.Plainly()
	}
	return of.Plainly()
}

// changed returns the change in words, or ~ if no change is shown.
func (c Cell) changed() string {
	switch {
	case c.Ratio.N == 0:
		return "-"
	case c.Ratio.N > 1 && !c.Shown():
		return "~"
	}
	return change(c.Ratio.Value)
}

func (c Cell) between() string {
	if !c.Ratio.Low.Known() {
		return "-"
	}
	return change(c.Ratio.Low) + " to " + change(c.Ratio.High)
}

func (c Cell) rank() string {
	switch {
	case !c.RankP.Known():
		return "-"
	case c.RankP < 0.0005:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", float64(c.RankP))
}
