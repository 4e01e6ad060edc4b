package ensemble

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Answer returns sentences on what the replications show together. A number is
// followed by its 95 % interval in brackets.
func (e *Report) Answer() []string {
	answer := []string{}
	if e.Steady != nil {
		answer = append(answer, e.steadyVerdict()...)
	} else {
		answer = append(answer, e.verdict())
		answer = append(answer, e.oneByOne()...)
		if rate := e.Measure("rate_per_h"); rate.Value.Known() && len(e.Settling) == 1 {
			answer = append(answer, fmt.Sprintf("Over the last quarter of the judged intervals the rate was %s, %s "+
				"the target.",
				rate.Words("/h"), e.offBy(rate.Estimate)))
		}
	}
	for _, s := range e.Settling {
		if s.Runaways > 0 {
			answer = append(answer, fmt.Sprintf("Runaway in %s: %s added processes while the rate fell.",
				e.of(s.Runaways), s.Server))
		}
	}
	return append(answer, e.Account())
}

// of returns "n of N replications".
func (e *Report) of(n int) string {
	if n == e.Replications {
		return "every replication"
	}
	return fmt.Sprintf("%d of %s", n, format.Plural(uint64(e.Replications), "replication"))
}

// verdict returns a sentence on whether the mean course of every server settled.
func (e *Report) verdict() string {
	last := -1
	var never, unjudged []string
	for i, s := range e.Settling {
		switch {
		case s.Judged == 0:
			unjudged = append(unjudged, s.Server)
		case !s.OfMean.Known():
			never = append(never, s.Server)
		case last < 0 || s.OfMean > e.Settling[last].OfMean:
			last = i
		}
	}
	target := format.Grouped(e.lastTarget(), 0) + "/h"
	mean := fmt.Sprintf("the mean of %s", format.Plural(uint64(e.Replications), "replication"))
	switch {
	case last < 0 && never == nil:
		return "Not judged: in no full interval was there work for every process in every replication, so nothing is " +
			"known about the governor."
	case last < 0 && len(e.Settling) == 1:
		s := e.Settling[0]
		return fmt.Sprintf("Did not converge: %s never settled within 5 %% of %s in the %s that could be judged%s.",
			mean, target, format.Plural(uint64(s.Judged), "interval"), e.earliest(s))
	case len(e.Settling) == 1:
		return fmt.Sprintf("Converged: %s settled within 5 %% of %s %s.", mean, target, e.after(e.Settling[last]))
	}
	word := "Converged"
	var said []string
	if last >= 0 {
		s := e.Settling[last]
		said = append(said, fmt.Sprintf("%s settled within 5 %% of %s on %d of %d servers, last on %s, %s",
			mean, target, len(e.Settling)-len(never)-len(unjudged), len(e.Settling), s.Server, e.after(s)))
	}
	if never != nil {
		word = "Did not converge"
		said = append(said, fmt.Sprintf("the mean never settled within 5 %% of %s on %s", target, format.Listed(never)))
	}
	if unjudged != nil {
		said = append(said, format.Listed(unjudged)+" had no full interval with work for every process in every "+
			"replication")
	}
	return word + ": " + strings.Join(said, "; ") + "."
}

// target returns the target of the runs in words, with the last target if it changes.
func (e *Report) target() string { return format.FromTo(e.Target, e.lastTarget()) }

// lastTarget returns the target in the last interval that can be judged.
func (e *Report) lastTarget() float64 {
	if e.LastTarget > 0 {
		return e.LastTarget
	}
	return e.Target
}

// after returns in words when the mean settled, and when its band allows that.
func (e *Report) after(s Settling) string {
	first, after := "from the first interval on", "after %s (%s; by its band after %s to %s)"
	if e.LastTarget > 0 {
		first, after = "from its last change on", "%s after its last change (%s; by its band %s to %s)"
	}
	if s.OfMean == 0 && s.Latest == 0 {
		return first
	}
	latest := "never"
	if s.Latest.Known() {
		latest = format.Grouped(float64(s.Latest), 0)
	}
	return fmt.Sprintf(after, format.Plural(uint64(s.OfMean), "interval"),
		format.Duration(float64(s.OfMean)*e.IntervalSec), format.Grouped(float64(s.Earliest), 0), latest)
}

func (e *Report) earliest(s Settling) string {
	if !s.Earliest.Known() {
		return ", nor does its band allow it"
	}
	return fmt.Sprintf("; its band allows it after %s", format.Plural(uint64(s.Earliest), "interval"))
}

// oneByOne returns sentences on when single replications settled. Replications that
// never settled are counted too.
func (e *Report) oneByOne() []string {
	var all []string
	for i, s := range e.Settling {
		if s.Runs == 0 {
			continue
		}
		if i == 3 && len(e.Settling) > 4 {
			all = append(all, fmt.Sprintf("%d more servers are in the table.", len(e.Settling)-3))
			break
		}
		on := ""
		if len(e.Settling) > 1 {
			on = " on " + s.Server
		}
		text := fmt.Sprintf("One by one%s: %d of %s settled (%s)", on, s.Runs-s.Never,
			format.Plural(uint64(s.Runs), "replication"), shares(s.Share))
		if s.Never < s.Runs {
			text += fmt.Sprintf(", half of all within %s", times(s.Median))
		}
		if s.Never > 0 && s.Never < s.Runs {
			text += fmt.Sprintf("; %d had not within the %s that all were watched", s.Never,
				format.Plural(uint64(s.Horizon), "interval"))
		}
		all = append(all, text+".")
	}
	return all
}

// steadyVerdict returns sentences on the steady state.
func (e *Report) steadyVerdict() []string {
	t := e.Steady
	if t.Judged == 0 {
		return []string{"Not judged: in no full interval was there work for every process in every replication, so " +
			"nothing is known about a steady state."}
	}
	how := "found by MSER-5"
	if t.WarmUp == "given" {
		how = "as the scenario says"
	}
	left := fmt.Sprintf("without a start-up of %s (%s, %s)", format.Plural(uint64(t.LeftOut), "interval"),
		format.Duration(t.LeftOutSec), how)
	if t.LeftOut == 0 {
		left = "from the first interval on (" + how + ")"
	}
	worst := ""
	if len(e.Settling) > 1 {
		worst = " on the slowest server"
	}
	rate := e.Measure("steady_rate_per_h")
	verdict := fmt.Sprintf("Steady state of %s: %s%s, %s the target, %s.",
		format.Plural(uint64(e.Replications), "replication"),
		rate.Words("/h"), worst, e.offBy(rate.Estimate), left)
	if !t.Found {
		of := "the mean rate of all of them is"
		if t.LeftOut > 0 {
			of = fmt.Sprintf("without the first %d the mean rate is", t.LeftOut)
		}
		verdict = fmt.Sprintf("No steady state is in sight in the %s that could be judged; %s %s%s.",
			format.Plural(uint64(t.Judged), "interval"), of, rate.Words("/h"), worst)
	}
	all := []string{verdict, fmt.Sprintf("It takes %s available processes; an allocated one delivers %s messages an "+
		"hour, at %s attempts per success.",
		e.MeasureInWords("steady_available"), e.MeasureInWords("steady_efficiency"), e.MeasureInWords("steady_dfr"))}
	for _, c := range t.Changes {
		if c.Metric == "steady_rate_per_h" && c.Change.Value.Known() {
			verdict := "no more than chance would"
			if float64(c.Change.Low) > 0 || float64(c.Change.High) < 0 {
				verdict = "more than chance would: the start-up may be longer than what was left out"
			}
			all = append(all, fmt.Sprintf("Leaving out twice as much (%s) changes the rate by %s, %s.",
				format.Plural(uint64(t.Twice), "interval"), c.Change.Words("/h"), verdict))
		}
	}
	return all
}

// Account returns sentences on what became of the recipients.
func (e *Report) Account() string {
	var said []string
	for _, part := range []struct {
		metric string
		always bool
	}{{"delivered", true}, {"failed", true}, {"suppressed", false}, {"ambiguous", false}, {"pending", false}} {
		if m := e.Measure(part.metric); part.always || m.Most > 0 {
			said = append(said, e.MeasureInWords(part.metric)+" "+part.metric)
		}
	}
	cost := "no success in any replication"
	if e.Measure("dfr").Value.Known() {
		cost = e.MeasureInWords("dfr") + " attempts per success"
	}
	said = append([]string{fmt.Sprintf("%s; of %s recipients %s; %s.", format.Upper(cost),
		e.MeasureInWords("recipients"), strings.Join(said, ", "), e.end())}, e.failures()...)
	return strings.Join(said, " ")
}

// end returns in words when the last recipient ended, in the mean of the replications
// that finished.
func (e *Report) end() string {
	horizon := format.Duration(e.HorizonSec)
	switch e.Finished {
	case e.Replications:
		return "the end came after " + e.Hours("end_h")
	case 0:
		return fmt.Sprintf("not finished: recipients are pending at the horizon of %s in every replication", horizon)
	}
	return fmt.Sprintf("finished in %s, the others have recipients pending at the horizon of %s", e.of(e.Finished),
		horizon)
}

// failures returns a sentence on the number of replications in which recipients
// failed, unless that is all of them, with a bound on their share of all runs.
func (e *Report) failures() []string {
	switch n, failed := e.Replications, e.WithFailures; {
	case n < 2 || 2*failed >= n:
		return nil
	case failed == 0:
		return []string{fmt.Sprintf("Recipients failed in none of %s: with 95 %% confidence they do in fewer than %s "+
			"of runs.",
			format.Plural(uint64(n), "replication"), format.Percent(stats.Unseen(n, measure.Confidence)))}
	default:
		i := stats.Share(failed, n, measure.Confidence)
		return []string{fmt.Sprintf("Recipients failed in %s (in %s to %s of runs).", e.of(failed),
			format.Percent(i.Low), format.Percent(i.High))}
	}
}

// MeasureInWords returns the mean of a measure with its interval in brackets.
func (e *Report) MeasureInWords(name string) string { return e.Measure(name).Words("") }

// Hours returns a measure that is in hours, in a unit that is easy to picture.
func (e *Report) Hours(name string) string {
	x := e.Measure(name).Estimate
	unit, seconds := format.Clock(3600 * float64(x.Value))
	for _, n := range []*format.Num{&x.Value, &x.Low, &x.High} {
		*n *= format.Num(3600 / seconds)
	}
	return x.Words(" " + unit)
}

// offBy returns how far x, a share, lies from the target, in words that go before
// "the target".
func (e *Report) offBy(x measure.Estimate) string {
	target := e.lastTarget()
	low, high := float64(x.Low)/target-1, float64(x.High)/target-1
	switch v := float64(x.Value)/target - 1; {
	case !x.Low.Known() && v < 0:
		return format.Percent(-v) + " below"
	case !x.Low.Known():
		return format.Percent(v) + " above"
	case high < 0:
		return fmt.Sprintf("%s (%s to %s) below", format.Percent(-v), format.Percent(-high), format.Percent(-low))
	case low > 0:
		return fmt.Sprintf("%s (%s to %s) above", format.Percent(v), format.Percent(low), format.Percent(high))
	}
	return "not distinguishable from"
}

// times writes a quantile of numbers of intervals with its bounds. A missing bound
// without a warning was never reached; with a warning there are too few replications.
func times(x measure.Estimate) string {
	if !x.Value.Known() {
		return "never"
	}
	number := func(n format.Num) string { return format.Grouped(float64(n), 0) }
	text := format.Plural(uint64(x.Value), "interval")
	switch {
	case x.Low.Known() && x.High.Known():
		return fmt.Sprintf("%s (%s to %s)", text, number(x.Low), number(x.High))
	case x.Low.Known() && x.Warnings == nil:
		return fmt.Sprintf("%s (%s to never)", text, number(x.Low))
	case x.Low.Known():
		return fmt.Sprintf("%s (%s or more)", text, number(x.Low))
	}
	return text
}

// between writes the bounds of a quantile. A missing upper bound without a warning was
// never reached.
func between(x measure.Estimate) string {
	if !x.High.Known() {
		return format.Grouped(float64(x.Low), 0) + " to never"
	}
	return format.Grouped(float64(x.Low), 0) + " to " + format.Grouped(float64(x.High), 0)
}

// shares writes the interval of a share.
func shares(x measure.Estimate) string {
	return fmt.Sprintf("%s to %s", format.Percent(float64(x.Low)), format.Percent(float64(x.High)))
}

// Text writes the ensemble for a terminal, as Report.Text does for a run.
func (e *Report) Text(w io.Writer, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, simulated, %s)\n", e.Name, format.Plural(uint64(e.Replications), "replication"), e.Kind)
	for _, line := range format.Wrap(e.About, format.Columns) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	if e.Partial {
		fmt.Fprintln(&b, format.Paint("PARTIAL: the ensemble was stopped before its end; these are the replications "+
			"that had ended.", format.Bad, color))
	}
	for i, sentence := range e.Answer() {
		for _, line := range format.Wrap(sentence, format.Columns) {
			if i == 0 {
				line = format.Paint(line, format.Strong, color)
			}
			fmt.Fprintln(&b, line)
		}
	}
	fmt.Fprintln(&b, "(In brackets: 95 % intervals.)")
	for _, t := range e.tables(12) {
		if err := t.Write(&b, color); err != nil {
			return err
		}
	}
	if len(e.Warnings) > 0 {
		fmt.Fprintln(&b)
	}
	for _, text := range e.Warnings {
		for i, line := range format.Wrap(text, format.Columns-2) {
			fmt.Fprintf(&b, "%s%s\n", []string{"! ", "  "}[min(i, 1)], line)
		}
	}
	fmt.Fprintf(&b, "\nSeed %d, replications 0 to %d, digest %s, scenario %.12s\n", e.Seed, e.Replications-1, e.Digest,
		e.ScenarioID)
	if e.Replay != "" {
		fmt.Fprintf(&b, "Run it again: %s\n", e.Replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tables returns all tables, with at most the given number of servers.
func (e *Report) tables(servers int) []format.Table {
	return []format.Table{e.expectationTable(), e.changeTable(), e.settlingTable(servers), e.precisionTable(),
		e.courseTable(), e.measureTable()}
}

func (e *Report) measureTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("Means of %s, and the replications at the ends",
		format.Plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "mean", "95 % interval", "least", "in", "greatest", "in"}, Left: 1}
	for _, m := range e.Measures {
		write := m.Writer()
		row := []string{m.Metric, write(m.Value), m.Interval(), "", "", "", ""}
		if m.Never > 0 {
			row[1], row[2] = "median "+times(measure.Estimate{Value: m.Value, Low: format.Missing}), "-"
			if m.Value.Known() && m.Low.Known() {
				row[2] = between(m.Estimate)
			}
		}
		if m.Least.Known() && (m.Least != m.Most || m.Never > 0) {
			row[3], row[4], row[5], row[6] = write(m.Least), fmt.Sprint(m.LeastIn), write(m.Most), fmt.Sprint(m.MostIn)
		}
		if m.Never > 0 {
			row[5], row[6] = "never", fmt.Sprintf("%d runs", m.Never)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// courseTable returns the metrics of the mean course. The interval of a settling time
// is in the table of the servers.
func (e *Report) courseTable() format.Table {
	t := format.Table{Caption: fmt.Sprintf("The mean course of %s, as if it were one run",
		format.Plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "value", "95 % interval (jackknife)"}, Left: 1}
	for _, m := range e.Course {
		if m.Value.Known() && !measure.MayNeverCome(m.Metric) {
			t.Rows = append(t.Rows, []string{m.Metric, m.Writer()(m.Value), m.Interval()})
		}
	}
	return t
}

func (e *Report) settlingTable(most int) format.Table {
	t := format.Table{Caption: fmt.Sprintf("When servers settled within 5 %% of %s/h, in intervals of %s",
		format.Grouped(e.lastTarget(), 0), format.Duration(e.IntervalSec)),
		Head: []string{"server", "mean course", "its band", "runs settled", "half within", "90 % within", "watched"},
		Left: 1}
	if !slices.ContainsFunc(e.Settling, func(s Settling) bool { return s.Runs > 0 }) {
		return t // the answer says so
	}
	for i, s := range e.Settling {
		if i == most && len(e.Settling) > most {
			t.Caption += fmt.Sprintf(" (%d of %d servers)", most, len(e.Settling))
			break
		}
		if s.Runs == 0 {
			t.Rows = append(t.Rows, []string{s.Server, "not judged", "", "", "", "", ""})
			continue
		}
		number := func(n format.Num) string {
			if !n.Known() {
				return "never"
			}
			return format.Grouped(float64(n), 0)
		}
		mean, band := number(s.OfMean), number(s.Earliest)+" to "+number(s.Latest)
		if s.Judged == 0 {
			mean, band = "not judged", ""
		}
		quantile := func(x measure.Estimate) string {
			return strings.NewReplacer(" intervals", "", " interval", "").Replace(times(x))
		}
		t.Rows = append(t.Rows, []string{s.Server, mean, band, fmt.Sprintf("%d of %d", s.Runs-s.Never, s.Runs),
			quantile(s.Median), quantile(s.NinetyPct), fmt.Sprint(s.Horizon)})
	}
	return t
}

func (e *Report) changeTable() format.Table {
	t := format.Table{Head: []string{"metric", "mean", "95 % interval", "twice left out", "change", "95 % interval"},
		Left: 1}
	if e.Steady == nil {
		return t
	}
	t.Caption = fmt.Sprintf("Steady state without %s, and without twice as many (%d)",
		format.Plural(uint64(e.Steady.LeftOut), "interval"), e.Steady.Twice)
	for _, c := range e.Steady.Changes {
		m := e.Measure(c.Metric)
		t.Rows = append(t.Rows, []string{c.Metric, m.Writer()(m.Value), m.Interval(), c.Twice.Writer()(c.Twice.Value),
			c.Change.Writer()(c.Change.Value), c.Change.Interval()})
	}
	return t
}

func (e *Report) precisionTable() format.Table {
	t := format.Table{Caption: "Precision: half width of the 95 % interval as a share of the mean",
		Head: []string{"metric", "wanted", "reached", "verdict"}, Left: 1, Words: true}
	if p := e.Precision; p != nil {
		verdict, reached := "MISSED", "-"
		if p.Reached {
			verdict = "ok"
		}
		if p.Relative.Known() {
			reached = format.Grouped(100*float64(p.Relative), 2) + " %"
		}
		t.Rows = [][]string{{p.Of, format.Grouped(100*p.Goal, 2) + " %", reached, verdict}}
	}
	return t
}

func (e *Report) expectationTable() format.Table {
	missed := 0
	t := format.Table{Head: []string{"metric", "expected", "met in", "95 % interval", "verdict"}, Left: 1, Words: true}
	for _, x := range e.Expectations {
		verdict := "ok"
		if x.FirstMissed.Known() {
			verdict = fmt.Sprintf("missed first in replication %.0f", x.FirstMissed)
			missed++
		}
		t.Rows = append(t.Rows, []string{x.Metric, x.Op + " " + format.Given(x.Limit),
			fmt.Sprintf("%d of %d", x.Met, e.Replications), shares(x.Share), verdict})
	}
	t.Caption = fmt.Sprintf("Expectations: all replications met %d of %d", len(t.Rows)-missed, len(t.Rows))
	return t
}
