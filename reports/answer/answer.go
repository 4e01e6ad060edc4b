// Package answer reports what flyball ask has found: the setting with which a mailing
// ends soonest within its limits, the chance that the setting keeps them, and what a
// change would do. It folds what it is given and runs nothing; the task of flyball ask
// calls it.
package answer

import (
	"fmt"
	"io"
	"math"
	"strings"

	"flyball/internal/vt"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Report is the answer to the question which setting is best. It is published as
// JSON.
type Report struct {
	Scenario   string     `json:"scenario"`
	ScenarioID string     `json:"scenario_id"`
	Seed       uint64     `json:"seed"`
	Deadlines  bool       `json:"deadlines"` // some campaign has one
	Refused    format.Num `json:"refused_limit"`
	Free       []Free     `json:"free"`
	Best       Setting    `json:"best"`
	Held       Held       `json:"held"`    // judgement of Best on draws that the search had not seen
	Beside     Setting    `json:"beside"`  // Best with the draws of Own and Changes, the first ones of Held
	Own        Setting    `json:"own"`     // the scenario as it stands
	Changes    []Change   `json:"changes"` // what a change of Best would do
	Searched   int        `json:"runs_of_search"`
	Show       string     `json:"show"`   // command line that shows Best
	Replay     string     `json:"replay"` // command line that asks again

	// Matters is the least relative difference between two ends that a note names.
	Matters format.Num `json:"-"`

	Clock vt.Clock `json:"clock,omitzero"` // of the scenario, for times of the day

	// Binds are the causes that keep Best from being better, in one of its runs.
	Binds []diagnosis.Finding `json:"binds"`
}

// Free is a value that the search could choose.
type Free struct {
	Key    string `json:"key"`
	From   string `json:"from"`
	To     string `json:"to"`
	Tried  int    `json:"values"`
	Chosen string `json:"chosen"` // empty if Kept
	Flat   bool   `json:"flat"`   // no value of it changed any run
	Kept   bool   `json:"kept"`   // the scenario's own value stays: the best setting does the same with it
}

// Setting is what a setting does, in the mean over runs. A time that some run never
// came to is +Inf.
type Setting struct {
	Set        []string   `json:"set"` // path.to.key=value, beyond the scenario
	Runs       int        `json:"runs"`
	T50        format.Num `json:"t50_h"`
	T90        format.Num `json:"t90_h"`
	T99        format.Num `json:"t99_h"`
	End        format.Num `json:"end_h"`
	Late       format.Num `json:"late_recipients"`
	Pending    format.Num `json:"pending"` // at the horizon
	Refused    format.Num `json:"refused_share"`
	Recipients format.Num `json:"recipients"`
	Failed     format.Num `json:"failed"`
}

// Held is how often a setting kept all limits in runs with draws of their own.
type Held struct {
	Runs  int              `json:"runs"`
	First uint64           `json:"first_replication"`
	Kept  int              `json:"kept"`
	Share measure.Estimate `json:"share"` // of runs that keep the limits, with its exact 95 % interval
}

// Change is a setting that differs from Best in one thing.
type Change struct {
	What   string  `json:"what"`
	Result Setting `json:"result"`
}

// Summary returns the report as JSON with its schema.
func (r *Report) Summary() ([]byte, error) { return format.WithSchema("flyball/answer", r) }

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer, color bool) error {
	return format.Text{
		Title:  r.Scenario + ": the best setting",
		Answer: r.answer(),
		Tables: []format.Table{r.free(), r.changes()},
		Below:  r.below(),
		Seal: fmt.Sprintf("Seed %d, scenario %.12s, %s of the search", r.Seed, r.ScenarioID,
			format.Plural(uint64(r.Searched), "run")),
		Replay: r.Replay,
	}.Write(w, color)
}

// answer returns the sentences that come first.
func (r *Report) answer() []string {
	first := "Best within the limits: " + r.chosen() + "."
	switch {
	case r.Best.Refused > r.Refused:
		first = fmt.Sprintf("Refusals are above %s with every setting: the least are %s, with %s.",
			format.Percent(float64(r.Refused)), format.Percent(float64(r.Best.Refused)), r.chosen())
	case r.Deadlines && r.Best.Late > 0:
		first = fmt.Sprintf("No setting keeps the deadline%s: %s late with the best, %s.", r.surely(),
			are(r.Best.Late), r.chosen())
	case r.Best.Pending > 0:
		first = fmt.Sprintf("No setting ends before the horizon%s: %s pending with the best, %s.", r.surely(),
			are(r.Best.Pending), r.chosen())
	}
	all := []string{first, r.sentence(r.Best)}
	what := "all recipients are final and refusals are within the limit"
	if r.Deadlines {
		what = "every deadline is met and refusals are within the limit"
	}
	all = append(all, fmt.Sprintf("In %d of %d runs with new draws %s: a chance of %s to %s (95 %% interval).",
		r.Held.Kept, r.Held.Runs, what, format.PercentOf(r.Held.Share.Low), format.PercentOf(r.Held.Share.High)))
	if len(r.Best.Set) > 0 && r.sentence(r.Own) == r.sentence(r.Beside) {
		return append(all, "The scenario as it stands does as well.")
	}
	return all
}

// surely returns what is said beside a limit that some runs keep.
func (r *Report) surely() string {
	if r.Held.Kept > 0 {
		return " in every run"
	}
	return ""
}

// are returns a mean number of recipients with its verb.
func are(n format.Num) string {
	if n == 1 {
		return "1 recipient is"
	}
	return few(n) + " recipients are"
}

// few writes a mean number of recipients; less than ten with a decimal, and none only
// where there is none.
func few(n format.Num) string {
	switch {
	case n <= 0 || n >= 10 || n == format.Num(math.Trunc(float64(n))):
		return format.Grouped(float64(n), 0)
	case n < 0.1:
		return "< 0.1"
	}
	return format.Grouped(float64(n), 1)
}

// chosen returns the chosen values in words.
func (r *Report) chosen() string {
	var all []string
	for _, f := range r.Free {
		if !f.Kept {
			all = append(all, f.Key+" = "+f.Chosen)
		}
	}
	if all == nil {
		return "the scenario as it stands"
	}
	return strings.Join(all, ", ")
}

// sentence returns when the recipients are final, and who refuses how much.
func (r *Report) sentence(s Setting) string {
	end := "some recipients are still pending at the horizon"
	if s.End.Known() {
		end = "all are final after " + r.hours(s.End)
	}
	text := fmt.Sprintf("Half of the recipients are final after %s, 99 %% after %s, %s; %s of the attempts are refused",
		r.hours(s.T50), r.hours(s.T99), end, format.Percent(float64(s.Refused)))
	if s.Late > 0 {
		text += ", and " + are(s.Late) + " late"
	}
	return text + "."
}

// hours writes a time after the start, with the time of the day, or that it never came.
func (r *Report) hours(h format.Num) string {
	switch {
	case math.IsInf(float64(h), 1):
		return "the horizon"
	case h.Known() && r.Clock.Given():
		return fmt.Sprintf("%s (%s)", format.Duration(3600*float64(h)), format.ClockTime(r.Clock, h))
	}
	return format.Duration(3600 * float64(h))
}

// free returns the table of values that the search could choose.
func (r *Report) free() format.Table {
	t := format.Table{Caption: "Free values", Head: []string{"key", "from", "to", "chosen", ""}, Left: 1, Words: true}
	for _, f := range r.Free {
		chosen, note := f.Chosen, ""
		if f.Kept {
			chosen = "as it stands"
		}
		if f.Flat {
			note = "changes nothing"
		}
		t.Rows = append(t.Rows, []string{f.Key, f.From, f.To, chosen, note})
	}
	return t
}

// changes returns the table of what a change of the best setting would do.
func (r *Report) changes() format.Table {
	runs := format.Plural(uint64(r.Beside.Runs), "run")
	t := format.Table{Caption: "What a change would do, in " + runs + " with equal draws",
		Head: []string{"change", "99 % final", "all final", "late", "refused", ""}, Left: 1, Words: true}
	t.Rows = append(t.Rows, r.row(r.Beside, "the best setting", ""))
	t.Rows = append(t.Rows, r.row(r.Own, "as the scenario stands", r.note(r.Own)))
	for _, c := range r.Changes {
		t.Rows = append(t.Rows, r.row(c.Result, c.What, r.note(c.Result)))
	}
	return t
}

func (r *Report) row(s Setting, what, note string) []string {
	return []string{what, r.hours(s.T99), r.hours(s.End), few(s.Late),
		format.Percent(float64(s.Refused)), note}
}

// note returns how a setting compares with the best one under the same draws, in a few words.
func (r *Report) note(s Setting) string {
	b := r.Beside
	switch {
	case s.Refused > r.Refused && s.Refused > b.Refused:
		return "beyond the limit of refusals"
	case s.Late > b.Late:
		return "more are late"
	case s.Late < b.Late:
		return "fewer are late"
	case s.Pending > b.Pending:
		return "more are pending"
	case s.Pending < b.Pending:
		return "fewer are pending"
	case s.End > b.End*(1+r.Matters):
		return "later"
	case s.End < b.End*(1-r.Matters):
		return "sooner"
	}
	return "no difference"
}

// below returns what binds, and the command that shows the best setting.
func (r *Report) below() string {
	var b strings.Builder
	if len(r.Binds) > 0 {
		b.WriteString("\nWhat binds\n")
		for _, f := range r.Binds {
			b.WriteString(format.Paragraphs(f.Words))
		}
	}
	fmt.Fprintf(&b, "\nSee it: %s\n", r.Show)
	return b.String()
}
