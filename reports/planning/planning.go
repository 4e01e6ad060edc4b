// Package planning reports what flyball plan has found: for each deadline whether the
// mailing is done by then, with how many processes on which servers, what binds, and what
// it costs; and what each day of a warm-up carries. It folds what it is given and runs
// nothing; the task of flyball plan calls it.
package planning

import (
	"fmt"
	"io"
	"math"
	"strings"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Report is a plan. It is published as JSON.
type Report struct {
	Scenario   string   `json:"scenario"`
	ScenarioID string   `json:"scenario_id"`
	Seed       uint64   `json:"seed"`
	Assumed    []string `json:"assumed"` // quotas and warm-ups that were added to the scenario, in words
	Rows       []Row    `json:"deadlines"`
	WarmUps    []WarmUp `json:"warm_ups"`
	Runs       int      `json:"runs"`   // of the search and the judgement
	Replay     string   `json:"replay"` // command line that plans again
	Clock      vt.Clock `json:"clock,omitzero"`
}

// Row is the plan for a deadline.
type Row struct {
	Deadline string     `json:"deadline"` // as it was asked for; empty: the campaigns' own
	By       format.Num `json:"deadline_h"`
	Feasible bool       `json:"feasible"`
	// Proof is the bound that proves that no number of processes is enough; missing if none does. No run is made for
	// a proven row: it has no processes, and what runs would show is missing.
	Proof     *Bound           `json:"proof,omitempty"`
	Servers   []Server         `json:"servers"`
	Processes int              `json:"processes"` // of all servers
	Set       []string         `json:"set"`       // path.to.key=value, beyond the scenario
	Kept      int              `json:"kept"`      // runs with new draws that were in time
	Chance    measure.Estimate `json:"chance"`    // of a run that is in time, with its exact 95 % interval
	End       format.Num       `json:"end_h"`     // mean; +Inf if some run did not end
	EndHigh   format.Num       `json:"end_high_h"`
	Provider  string           `json:"binds"` // empty: none by itself
	Limit     string           `json:"binds_by"`
	Words     string           `json:"binds_words"` // what happened there
	Deferred  format.Num       `json:"deferrals"`   // attempts that left their recipient waiting, mean
	Share     format.Num       `json:"deferred_share"`
	Lost      format.Num       `json:"given_up"` // recipients given up after refusals, mean
	Show      string           `json:"show"`     // command line that shows the row; empty if the plan has added limits
}

// Server is the number of processes of a server.
type Server struct {
	Name      string `json:"name"`
	Processes int    `json:"processes"`
}

// Bound is what a limit admits at most; see package sim/plan.
type Bound struct {
	Provider   string     `json:"provider"`
	Server     string     `json:"server"`
	Limit      string     `json:"limit"`
	Figure     string     `json:"figure"`
	Recipients int        `json:"recipients"`
	Admitted   int        `json:"admitted"`
	Earliest   format.Num `json:"earliest_h"` // +Inf: later than ten years
}

// WarmUp is what each day of a daily limit carries.
type WarmUp struct {
	Provider string `json:"provider"`
	// Processes is the number, of all servers, that the days were run with.
	Processes int        `json:"processes"`
	Over      int        `json:"over_day"` // first day, from 1, on which the limit grows no more; 0: it never grows
	Done      int        `json:"done_day"` // day on which its last recipient is final; 0: none in the run
	ByDue     bool       `json:"done_in_time"`
	Due       format.Num `json:"deadline_h"` // missing without one
	Days      []Day      `json:"days"`
}

// Day is a day of a warm-up.
type Day struct {
	Day     int        `json:"day"`      // from 1
	Begins  format.Num `json:"begins_h"` // since the start of the run
	Allowed int        `json:"allowed"`  // by all that the limit counts apart
	Sent    int        `json:"sent"`     // messages that were taken
	Left    int        `json:"left"`     // recipients that are not final at its end
}

// Summary returns the report as JSON with its schema.
func (r *Report) Summary() ([]byte, error) { return format.WithSchema("flyball/plan", r) }

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer, color bool) error {
	tables := []format.Table{r.deadlines()}
	for _, v := range r.WarmUps {
		tables = append(tables, r.days(v))
	}
	return format.Text{
		Title:  r.Scenario + ": the plan",
		Answer: r.answer(),
		Tables: tables,
		Below:  r.below(),
		Seal:   fmt.Sprintf("Seed %d, scenario %.12s, %s", r.Seed, r.ScenarioID, format.Plural(uint64(r.Runs), "run")),
		Replay: r.Replay,
	}.Write(w, color)
}

// name returns what a row is called.
func (r *Report) name(v Row) string {
	text := v.Deadline
	if text == "" {
		text = "the scenario's own"
	}
	if !v.By.Known() {
		return text
	}
	if r.Clock.Given() && !strings.Contains(text, ":") || v.Deadline == "" {
		text += " (" + r.moment(v.By) + ")"
	}
	return text
}

// moment writes a time after the start of the run.
func (r *Report) moment(h format.Num) string {
	switch {
	case math.IsInf(float64(h), 1):
		return "never in the run"
	case !h.Known():
		return "-"
	case r.Clock.Given():
		return format.ClockTime(r.Clock, h)
	}
	return Span(h)
}

// Span writes a number of hours, rounded up, so that nine days are never a shorter time.
func Span(h format.Num) string {
	return span(h, func(v float64) float64 { return math.Ceil(v - 1e-9) })
}

// span writes a number of hours in tenths of a unit.
func span(h format.Num, round func(float64) float64) string {
	name, unit := "s", 1.0
	for _, u := range []struct {
		name string
		long float64
	}{{"days", 86400}, {"h", 3600}, {"min", 60}} {
		if 3600*float64(h) >= 2*u.long {
			name, unit = u.name, u.long
			break
		}
	}
	v := round(36000*float64(h)/unit) / 10
	decimals := 1
	if v == math.Trunc(v) {
		decimals = 0
	}
	return format.Grouped(v, decimals) + " " + name
}

// answer returns a sentence for each deadline.
func (r *Report) answer() (all []string) {
	all = append(all, r.Assumed...)
	for _, v := range r.Rows {
		all = append(all, r.sentence(v))
	}
	for _, w := range r.WarmUps {
		all = append(all, r.warmUp(w))
	}
	return all
}

func (r *Report) sentence(v Row) string {
	name := format.Upper(r.name(v))
	switch {
	case v.Feasible:
		return fmt.Sprintf("%s: feasible with %s; in %d of %d runs with new draws the mailing was done in time, a "+
			"chance of %s to %s (95 %% interval).", name, processes(v.Processes), v.Kept,
			v.Chance.N, format.PercentOf(v.Chance.Low), format.PercentOf(v.Chance.High))
	case v.Proof != nil:
		return name + ": not feasible. " + r.proof(v.Proof)
	}
	return fmt.Sprintf("%s: not feasible with any number of processes that was tried. With the best, %d, the mailing "+
		"%s.", name, v.Processes, r.takes(v))
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return format.Grouped(float64(n), 0) + " processes"
}

// takes returns how long the mailing takes.
func (r *Report) takes(v Row) string {
	if math.IsInf(float64(v.End), 1) {
		return "does not end in the run"
	}
	return "takes " + Span(v.End)
}

// proof returns why no number of processes is enough.
func (r *Report) proof(b *Bound) string {
	where := "All providers together"
	if b.Provider != "" {
		where = b.Provider
	}
	if b.Server != "" {
		where += ", from " + b.Server
	}
	return fmt.Sprintf("%s: %s (%s) admits at most %s messages by then, at least %s recipients need one: %s.",
		where, b.Limit, b.Figure, format.Grouped(float64(b.Admitted), 0), format.Grouped(float64(b.Recipients), 0),
		r.earliest(b))
}

// earliest returns when a limit admits all recipients that need it.
func (r *Report) earliest(b *Bound) string {
	switch {
	case !b.Earliest.Known():
		return "not within ten years"
	case r.Clock.Given():
		return "not before " + format.ClockTime(r.Clock, b.Earliest) + " (" + span(b.Earliest, math.Floor) + ")"
	}
	return "not before " + span(b.Earliest, math.Floor) + " after the start"
}

func (r *Report) warmUp(w WarmUp) string {
	over := "the limit does not grow"
	if w.Over > 0 {
		over = fmt.Sprintf("the warm-up is over on day %d", w.Over)
	}
	done := "the mailing is not done there within the run"
	if w.Done > 0 {
		done = fmt.Sprintf("the mailing is done there on day %d", w.Done)
	}
	in := ""
	switch {
	case !w.Due.Known():
	case w.ByDue:
		in = ", in time"
	default:
		in = ", not in time"
	}
	return fmt.Sprintf("%s: %s; %s%s.", w.Provider, over, done, in)
}

// deadlines returns the table with a row for each deadline.
func (r *Report) deadlines() format.Table {
	t := format.Table{Caption: "Deadlines", Head: []string{"deadline", "feasible", "processes", "on", "chance", "ends",
		"deferred", "binds"}, Left: 1, Words: true}
	for _, v := range r.Rows {
		binds := v.Limit
		if v.Provider != "" {
			binds = v.Provider + ": " + v.Limit
		}
		if v.Proof != nil {
			t.Rows = append(t.Rows, []string{r.name(v), "no, proven", "-", "-", "none", r.earliest(v.Proof), "-",
				binds})
			continue
		}
		feasible := "no"
		if v.Feasible {
			feasible = "yes"
		}
		var on []string
		for _, s := range v.Servers {
			on = append(on, fmt.Sprintf("%s %d", s.Name, s.Processes))
		}
		if len(on) > 4 {
			on = append(on[:3:3], fmt.Sprintf("and %d more", len(on)-3))
		}
		end := r.moment(v.End)
		if v.End.Known() && r.Clock.Given() {
			end += " (" + Span(v.End) + ")"
		}
		t.Rows = append(t.Rows, []string{r.name(v), feasible, fmt.Sprint(v.Processes), strings.Join(on, " "),
			format.PercentOf(v.Chance.Low) + " to " + format.PercentOf(v.Chance.High), end,
			format.Percent(float64(v.Share)), binds})
	}
	return t
}

// mostDays is the most days that the table of a warm-up has.
const mostDays = 60

// days returns the table of a warm-up.
func (r *Report) days(w WarmUp) format.Table {
	t := format.Table{Caption: "Days at " + w.Provider + ", with " + processes(w.Processes),
		Head: []string{"day", "begins", "allowed", "sent", "left"}}
	for _, d := range w.Days[:min(len(w.Days), mostDays)] {
		t.Rows = append(t.Rows, []string{fmt.Sprint(d.Day), r.moment(d.Begins), format.Grouped(float64(d.Allowed), 0),
			format.Grouped(float64(d.Sent), 0), format.Grouped(float64(d.Left), 0)})
	}
	return t
}

// below returns what binds, and the commands that show the rows.
func (r *Report) below() string {
	var b strings.Builder
	for _, v := range r.Rows {
		if v.Words == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\nWhat binds\n")
		}
		b.WriteString(format.Paragraphs(r.name(v) + ": " + v.Words))
	}
	for _, v := range r.Rows {
		if v.Show != "" {
			fmt.Fprintf(&b, "\nSee it, %s: %s\n", r.name(v), v.Show)
		}
	}
	return b.String()
}
