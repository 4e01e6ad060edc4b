package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/reports/format"
)

// Explanation is why a scenario fails a gate, as far as its runs show it, and where to see it.
type Explanation struct {
	Scenario string `json:"scenario"`
	Cause    string `json:"cause"`   // what differs between the sides, and what else changed with it
	Figure   string `json:"figure"`  // file in the folder, with the courses of both sides; empty if there is none
	Command  string `json:"command"` // compares this scenario alone; empty if there is none
}

// effects are numbers by which a change comes about, in words.
var effects = []struct{ metric, what string }{
	{"throttled", "attempts refused with 421, as at a receiver's cap"},
	{"deferrals", "attempts that ended with a 4yz reply"},
	{"refused_share", "share of attempts refused"},
	{"late_recipients", "recipients that were late"},
	{"attempts", "attempts in all"},
	{"first_try_share", "share delivered at the first try"},
	{"failed", "recipients that failed"},
	{"peak_available", "processes at the peak"},
	{"rate_per_h", "messages per hour in the end"},
	{"settling", "hours until settled"},
	{"tv", "changes of C in processes"},
	{"iae", "lost target-hours"},
	{"end", "hours until the end"},
}

// mostEffects is the number of effects that an explanation names.
const mostEffects = 3

// explain returns an explanation of each scenario in which a claim has failed; of a mean that failed it explains the
// scenario in which NEW is worst.
func (c *Report) explain(claims []Claim) []Explanation {
	all := []Explanation{}
	for _, x := range claims {
		at := c.shownBy(x)
		if !x.failed() || at == "" ||
			slices.ContainsFunc(all, func(e Explanation) bool { return e.Scenario == at }) {
			continue
		}
		i := slices.IndexFunc(c.Scenarios, func(s ScenarioResult) bool { return s.Name == at })
		e := Explanation{Scenario: at, Cause: c.cause(i, claims), Command: c.Scenarios[i].Replay}
		if servers := c.pairs[i].servers(); len(servers) > 0 {
			e.Figure = "plots/" + figureName(at, servers[0], len(servers) > 1) + ".svg"
		}
		all = append(all, e)
	}
	return all
}

// shownBy returns the scenario that shows a claim: its own, or where NEW is worst in the metric.
func (c *Report) shownBy(x Claim) string {
	if x.Scenario != "" {
		return x.Scenario
	}
	for _, m := range c.Metrics {
		if m.Name == x.Metric {
			return m.Worst
		}
	}
	return ""
}

// cause returns in words what differs in scenario i, and the greatest changes besides those that the claims name.
func (c *Report) cause(i int, claims []Claim) string {
	var keys []string
	for _, d := range c.Scenarios[i].Differs {
		switch {
		case d.Base == "":
			keys = append(keys, d.Key+" is new")
		case d.New == "":
			keys = append(keys, d.Key+" is gone")
		default:
			keys = append(keys, fmt.Sprintf("%s is %s instead of %s", d.Key, d.New, d.Base))
		}
	}
	why := "no key of the scenario differs, so the program does"
	if keys != nil {
		why = format.Listed(keys)
	}
	type effect struct {
		size  float64
		words string
	}
	var shown []effect
	for _, x := range effects {
		if slices.ContainsFunc(claims, func(k Claim) bool {
			return k.Metric == x.metric && k.failed() && k.Scenario == c.Scenarios[i].Name
		}) {
			continue
		}
		m, _ := MetricNamed(x.metric)
		if cell := c.pairs[i].cell(m); cell.Shown() {
			shown = append(shown, effect{math.Abs(math.Log(float64(cell.Ratio.Value))), fmt.Sprintf("%s from %s to %s",
				x.what, format.Figure(float64(cell.Base)), format.Beside(float64(cell.New), float64(cell.Base)))})
		}
	}
	slices.SortStableFunc(shown, func(a, b effect) int { return cmp.Compare(b.size, a.size) })
	if shown == nil {
		return why + "; nothing else that was measured is shown to change"
	}
	var words []string
	for _, e := range shown[:min(len(shown), mostEffects)] {
		words = append(words, e.words)
	}
	return why + "; with it changed " + strings.Join(words, ", ")
}

// Explains returns the explanation of the scenario that shows a claim, and whether there is one.
func (c *Report) Explains(x Claim) (Explanation, bool) {
	at := c.shownBy(x)
	i := slices.IndexFunc(c.Verdict.Explained, func(e Explanation) bool { return e.Scenario == at })
	if i < 0 {
		return Explanation{}, false
	}
	return c.Verdict.Explained[i], true
}

// Lines returns the explanation in lines for a reader of a log. Dir is the folder of the comparison, empty if it is
// not written.
func (e Explanation) Lines(dir string) []string {
	lines := []string{"cause in " + e.Scenario + ": " + e.Cause}
	if e.Figure != "" {
		figure := e.Figure
		if dir != "" {
			figure = dir + "/" + figure
		}
		lines = append(lines, "figure: "+figure)
	}
	if e.Command != "" {
		lines = append(lines, "again: "+e.Command)
	}
	return lines
}
