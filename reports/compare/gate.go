package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Alarm is the greatest probability that a gate fails a candidate that is not worse,
// over all looks, metrics and scenarios together.
const Alarm = 0.001

// lostPairs is the number of pairs that a gate needs to fail a metric that BASE has in
// every pair and NEW in none.
const lostPairs = 20

// Verdict is the verdict of a gate on a comparison.
type Verdict struct {
	Passed bool    `json:"passed"`       // neither failed, nor inconclusive unless that is allowed
	Failed bool    `json:"failed"`       // worse, or BASE has scenarios that are not compared and may not be missing
	Open   bool    `json:"inconclusive"` // after all looks neither shown to be beyond the margins nor to be within
	Alarm  float64 `json:"alarm"`        // greatest probability to fail a candidate that is not worse
	Look   int     `json:"look"`         // that decided, 1 being the first
	Looks  []int   `json:"looks"`        // pairs at each
	Blind  int     `json:"blind"`        // pairs that a gate needs to be able to fail, if there are fewer; else 0
	Claims []Claim `json:"claims"`       // for each gated metric the mean, then the scenarios

	Explained []Explanation `json:"explained"` // of scenarios in which claims failed

	AllowInconclusive bool         `json:"allow_inconclusive"`
	Strict            bool         `json:"strict"`     // gaps make the verdict inconclusive
	Gaps              []string     `json:"gaps"`       // what is asked for and could not be compared
	Uncompared        []Uncompared `json:"uncompared"` // of the comparison
}

// Inconclusive reports whether the gate neither failed nor could tell: it is open, or blind, or strict with gaps.
func (v *Verdict) Inconclusive() bool {
	return !v.Failed && (v.Open || v.Blind > 0 || v.Strict && len(v.Gaps) > 0)
}

// Settle sets Passed. An inconclusive verdict passes if allowInconclusive is true; a failed one never passes. With
// strict the gaps are enough to make the verdict inconclusive.
func (v *Verdict) Settle(allowInconclusive, strict bool) {
	v.AllowInconclusive, v.Strict = allowInconclusive, strict
	v.Passed = !v.Failed && (allowInconclusive || !v.Inconclusive())
}

// Lacking returns the verdict on a comparison in which a scenario of BASE has no partner and no other is left.
func (c *Report) Lacking() *Verdict {
	return &Verdict{Alarm: Alarm, Looks: []int{}, Claims: []Claim{}, Failed: true, Gaps: []string{},
		Explained: []Explanation{}, Uncompared: c.Uncompared}
}

// AllowMissing lets the gate pass without the named scenarios if NEW has no runs of them. A name that allows nothing
// gets a note.
func (c *Report) AllowMissing(names []string) {
	for _, name := range names {
		i := slices.IndexFunc(c.Uncompared, func(u Uncompared) bool { return u.Scenario == name })
		switch {
		case i >= 0 && c.Uncompared[i].lacks:
			c.Uncompared[i].Allowed = true
		case i >= 0:
			c.note("%s may be missing, but NEW has runs of it that are not compared.", name)
		case slices.ContainsFunc(c.Scenarios, func(s ScenarioResult) bool { return s.Name == name }):
			c.note("%s may be missing, but is compared.", name)
		default:
			c.note("%s may be missing, but BASE has no such scenario.", name)
		}
	}
}

// Unexcused returns the scenarios of BASE that are not compared and may not be missing.
func (c *Report) Unexcused() []Uncompared { return unexcused(c.Uncompared) }

func unexcused(all []Uncompared) []Uncompared {
	return slices.DeleteFunc(slices.Clone(all), func(u Uncompared) bool { return u.Allowed })
}

// Claim is one metric that is compared with its margin, in the mean over the scenarios
// or in one scenario.
type Claim struct {
	Metric   string  `json:"metric"`
	Scenario string  `json:"scenario"` // empty: the mean
	More     bool    `json:"more_is_better"`
	Margin   float64 `json:"margin"` // share of BASE that NEW may be worse by
	// amount that NEW may be worse by in addition; the greatest of all scenarios
	Floor   float64          `json:"floor"`
	Ratio   measure.Estimate `json:"ratio"`  // new / base
	P       format.Num       `json:"p"`      // probability of this much by chance if NEW is just at its margin
	Holm    format.Num       `json:"holm_p"` // P, adjusted for the other claims
	Level   format.Num       `json:"level"`  // Holm at or below it fails the gate
	Outcome string           `json:"outcome"`
	Unit    string           `json:"unit"`
	Base    format.Num       `json:"base"` // mean of the scenario; null for the mean over the scenarios
	New     format.Num       `json:"new"`
	// Late is the number of pairs in which BASE reached the time and NEW did not. NEW is then not within the margin.
	Late int `json:"late"`
}

// Outcomes of a claim.
const (
	Worse     = "worse"     // shown to be beyond its margin: the gate fails
	Lost      = "lost"      // BASE has the metric, or reached the time, in every pair, NEW in none: the gate fails
	Undecided = "open"      // shown neither to be beyond nor to be within
	Within    = "within"    // shown to be within, or in one scenario: not suspected
	Undefined = "undefined" // not defined in two pairs
)

func (c Claim) failed() bool { return c.Outcome == Worse || c.Outcome == Lost }

// Judge compares the metrics of the comparison, which has the pairs of look k, with
// their margins. The verdict is final if it has failed or is not open, or if k is the
// last look.
func (c *Report) Judge(looks []int, k int, metrics []Metric) *Verdict {
	v := &Verdict{Alarm: Alarm, Look: k + 1, Looks: looks, Claims: []Claim{}, Gaps: append([]string{}, c.gaps...),
		Uncompared: c.Uncompared, Failed: len(c.Unexcused()) > 0}
	g := stats.Gate{Alarm: Alarm, Looks: looks}
	var means, cells []stats.Claim
	var meanOf, cellOf []int // claim in v
	gated := 0
	for _, m := range metrics {
		if !m.Gated {
			continue
		}
		i := slices.IndexFunc(c.Metrics, func(x MetricResult) bool { return x.Name == m.Name })
		if i < 0 {
			panic(fmt.Sprintf("compare: unknown metric %q", m.Name))
		}
		gated++
		floor := 0.0
		for _, p := range c.pairs {
			floor = max(floor, p.floor(m))
		}
		claim := Claim{Metric: m.Name, More: m.More, Margin: m.Margin, Floor: floor, Ratio: c.Metrics[i].Mean.Ratio,
			P: format.Missing, Holm: format.Missing, Level: format.Missing, Outcome: Undefined, Unit: m.Unit,
			Base: format.Missing, New: format.Missing}
		if excess, _ := c.overScenarios(func(p pairs) []float64 { return p.excess(m, m.Margin) }); len(excess) > 1 {
			means, meanOf = append(means, stats.Claim{Name: m.Name, Excess: excess}), append(meanOf, len(v.Claims))
		}
		for _, cell := range c.Metrics[i].Cells {
			claim.Late += cell.late
		}
		v.Claims = append(v.Claims, claim)
		for j, p := range c.pairs {
			cell := c.Metrics[i].Cells[j]
			claim := Claim{Metric: m.Name, More: m.More, Scenario: cell.Scenario, Margin: Guard * m.Margin,
				Floor: p.floor(m),
				Ratio: cell.Ratio, P: format.Missing, Holm: format.Missing, Level: format.Missing, Outcome: Undefined,
				Late: cell.late, Unit: m.Unit, Base: cell.Base, New: cell.New}
			excess := slices.DeleteFunc(p.excess(m, claim.Margin), func(v float64) bool { return !known(v) })
			switch {
			case cell.Lost+cell.late == cell.Pairs && cell.Pairs >= lostPairs:
				claim.Outcome = Lost
			case len(excess) > 1:
				cells, cellOf = append(cells, stats.Claim{Name: m.Name + " of " + cell.Scenario, Excess: excess}),
					append(cellOf, len(v.Claims))
			}
			v.Claims = append(v.Claims, claim)
		}
	}
	j := g.Look(k, means, cells)
	for i, x := range j.Means {
		v.Claims[meanOf[i]].judged(x)
	}
	for i, x := range j.Cells {
		v.Claims[cellOf[i]].judged(x)
	}
	most := 0
	for _, s := range c.Scenarios {
		most = max(most, s.Pairs)
	}
	if need := g.Needed(gated); most < need {
		v.Blind = need
	}
	v.Open = j.Open
	for _, x := range v.Claims {
		v.Open = v.Open || x.Outcome == Undecided
		v.Failed = v.Failed || x.failed()
		if x.Outcome == Undefined {
			v.Gaps = append(v.Gaps, x.Says())
		}
	}
	v.Open = v.Open && !v.Failed
	v.Explained = c.explain(v.Claims)
	v.Settle(false, false)
	return v
}

func (c *Claim) judged(j stats.Judged) {
	c.P, c.Holm, c.Level = format.Num(j.P), format.Num(j.Holm), format.Num(j.Level)
	switch {
	case j.Failed:
		c.Outcome = Worse
	case j.Open, c.Late > 0: // by how much NEW is late is not known
		c.Outcome = Undecided
	default:
		c.Outcome = Within
	}
}

// floor returns the floor of a metric in a scenario, in the unit of the metric.
func (p pairs) floor(m Metric) float64 {
	most := 0.0
	for _, r := range p.runs {
		most = max(most, r[0].recipients)
	}
	return m.Floor + float64(m.FloorShare*most)
}

// Says returns the claim as a sentence.
func (c Claim) Says() string {
	where := "geometric mean over the scenarios"
	if c.Scenario != "" {
		where = c.Scenario
	}
	switch c.Outcome {
	case Lost:
		if c.Late > 0 {
			return fmt.Sprintf("%s, %s: reached in every run of BASE and in none of NEW", c.Metric, where)
		}
		return fmt.Sprintf("%s, %s: defined in every run of BASE and in none of NEW", c.Metric, where)
	case Undefined:
		return fmt.Sprintf("%s, %s: undefined", c.Metric, where)
	}
	late := ""
	if c.Late > 0 {
		late = fmt.Sprintf(", not reached by NEW in %s where BASE did", format.Plural(uint64(c.Late), "pair"))
	}
	size := ""
	if c.Base.Known() && c.New.Known() {
		size = fmt.Sprintf(", from %s to %s %s", format.Figure(float64(c.Base)),
			format.Beside(float64(c.New), float64(c.Base)), c.Unit)
		if c.Unit == "1" {
			size = strings.TrimSuffix(size, " 1")
		}
	}
	return fmt.Sprintf("%s, %s: %s%s (95 %%: %s to %s), allowed %s%s", c.Metric, where,
		change(c.Ratio.Value), size, change(c.Ratio.Low), change(c.Ratio.High), c.allowed(), late)
}

// allowed returns in words how much more NEW may have.
func (c Claim) allowed() string {
	text := c.most()
	if c.Floor > 0 {
		text += " and " + format.Given(c.Floor)
	}
	return text
}

// most returns the margin as a change of NEW.
func (c Claim) most() string {
	if c.More {
		return change(format.Num(1 - c.Margin))
	}
	return change(format.Num(1 + c.Margin))
}

// change writes a ratio as a signed share, as in +5.1 %.
func change(ratio format.Num) string {
	if !ratio.Known() {
		return "?"
	}
	v := 100 * (float64(ratio) - 1)
	decimals := 1
	if math.Abs(v) < 0.095 && v != 0 {
		decimals = 3
	}
	s := format.Grouped(v, decimals)
	if v > 0 {
		s = "+" + s
	}
	return s + " %"
}
