package reports

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Answer says in plain sentences what the replications show together. In
// brackets after a number is its 95 % interval.
func (e *Ensemble) Answer() []string {
	answer := []string{}
	if e.Steady != nil {
		answer = append(answer, e.steadyVerdict()...)
	} else {
		answer = append(answer, e.verdict())
		answer = append(answer, e.oneByOne()...)
		if rate := e.Measure("rate_per_h"); rate.Value.Known() && len(e.Settling) == 1 {
			answer = append(answer, fmt.Sprintf("Over the last quarter of the judged intervals the rate was %s, %s the target.",
				rate.words("/h"), e.offBy(rate.Estimate)))
		}
	}
	for _, s := range e.Settling {
		if s.Runaways > 0 {
			answer = append(answer, fmt.Sprintf("Runaway in %s: %s added processes while the rate fell.", e.of(s.Runaways), s.Server))
		}
	}
	return append(answer, e.account())
}

// of says in how many of the replications.
func (e *Ensemble) of(n int) string {
	if n == e.Replications {
		return "every replication"
	}
	return fmt.Sprintf("%d of %s", n, plural(uint64(e.Replications), "replication"))
}

// verdict answers for the mean course of every server.
func (e *Ensemble) verdict() string {
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
	target := grouped(e.lastTarget(), 0) + "/h"
	mean := fmt.Sprintf("the mean of %s", plural(uint64(e.Replications), "replication"))
	switch {
	case last < 0 && never == nil:
		return "Not judged: in no full interval was there work for every process in every replication, so nothing is known about the governor."
	case last < 0 && len(e.Settling) == 1:
		s := e.Settling[0]
		return fmt.Sprintf("Did not converge: %s never settled within 5 %% of %s in the %s that could be judged%s.",
			mean, target, plural(uint64(s.Judged), "interval"), e.earliest(s))
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
		said = append(said, fmt.Sprintf("the mean never settled within 5 %% of %s on %s", target, listed(never)))
	}
	if unjudged != nil {
		said = append(said, listed(unjudged)+" had no full interval with work for every process in every replication")
	}
	return word + ": " + strings.Join(said, "; ") + "."
}

// target is that of the runs, and the last one if it changes.
func (e *Ensemble) target() string { return fromTo(e.Target, e.lastTarget()) }

// lastTarget is that of the last interval that can be judged.
func (e *Ensemble) lastTarget() float64 {
	if e.LastTarget > 0 {
		return e.LastTarget
	}
	return e.Target
}

// after says when the mean settled, and what its band says.
func (e *Ensemble) after(s Settling) string {
	first, after := "from the first interval on", "after %s (%s; by its band after %s to %s)"
	if e.LastTarget > 0 {
		first, after = "from its last change on", "%s after its last change (%s; by its band %s to %s)"
	}
	if s.OfMean == 0 && s.Latest == 0 {
		return first
	}
	latest := "never"
	if s.Latest.Known() {
		latest = grouped(float64(s.Latest), 0)
	}
	return fmt.Sprintf(after, plural(uint64(s.OfMean), "interval"),
		duration(float64(s.OfMean)*e.IntervalSec), grouped(float64(s.Earliest), 0), latest)
}

func (e *Ensemble) earliest(s Settling) string {
	if !s.Earliest.Known() {
		return ", nor does its band allow it"
	}
	return fmt.Sprintf("; its band allows it after %s", plural(uint64(s.Earliest), "interval"))
}

// oneByOne says when the replications settled each by itself. Those that never
// did are counted, not dropped.
func (e *Ensemble) oneByOne() []string {
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
		text := fmt.Sprintf("One by one%s: %d of %s settled (%s)", on, s.Runs-s.Never, plural(uint64(s.Runs), "replication"), shares(s.Share))
		if s.Never < s.Runs {
			text += fmt.Sprintf(", half of all within %s, on average after %s", times(s.Median), s.Restricted.words(""))
			if s.Never > 0 {
				text += fmt.Sprintf(", where the %d that never did are counted as the %d intervals that all were watched", s.Never, s.Horizon)
			}
		}
		all = append(all, text+".")
	}
	return all
}

// steadyVerdict answers for the long run.
func (e *Ensemble) steadyVerdict() []string {
	t := e.Steady
	if t.Judged == 0 {
		return []string{"Not judged: in no full interval was there work for every process in every replication, so nothing is known about a steady state."}
	}
	how := "found by MSER-5"
	if t.WarmUp == "given" {
		how = "as the scenario says"
	}
	left := fmt.Sprintf("without a start-up of %s (%s, %s)", plural(uint64(t.LeftOut), "interval"), duration(t.LeftOutSec), how)
	if t.LeftOut == 0 {
		left = "from the first interval on (" + how + ")"
	}
	worst := ""
	if len(e.Settling) > 1 {
		worst = " on the slowest server"
	}
	rate := e.Measure("steady_rate_per_h")
	verdict := fmt.Sprintf("Steady state of %s: %s%s, %s the target, %s.", plural(uint64(e.Replications), "replication"),
		rate.words("/h"), worst, e.offBy(rate.Estimate), left)
	if !t.Found {
		of := "the mean rate of all of them is"
		if t.LeftOut > 0 {
			of = fmt.Sprintf("without the first %d the mean rate is", t.LeftOut)
		}
		verdict = fmt.Sprintf("No steady state is in sight in the %s that could be judged; %s %s%s.", plural(uint64(t.Judged), "interval"), of, rate.words("/h"), worst)
	}
	all := []string{verdict, fmt.Sprintf("It takes %s available processes; an allocated one delivers %s messages an hour, at %s attempts per success.",
		e.say("steady_available"), e.say("steady_efficiency"), e.say("steady_dfr"))}
	for _, c := range t.Changes {
		if c.Metric == "steady_rate_per_h" && c.Change.Value.Known() {
			verdict := "no more than chance would"
			if float64(c.Change.Low) > 0 || float64(c.Change.High) < 0 {
				verdict = "more than chance would: the start-up may be longer than what was left out"
			}
			all = append(all, fmt.Sprintf("Leaving out twice as much (%s) changes the rate by %s, %s.",
				plural(uint64(t.Twice), "interval"), c.Change.words("/h"), verdict))
		}
	}
	return all
}

// account says what became of the recipients.
func (e *Ensemble) account() string {
	var said []string
	for _, part := range []struct {
		metric string
		always bool
	}{{"delivered", true}, {"failed", true}, {"suppressed", false}, {"ambiguous", false}, {"pending", false}} {
		if m := e.Measure(part.metric); part.always || m.Most > 0 {
			said = append(said, e.say(part.metric)+" "+part.metric)
		}
	}
	cost := "no success in any replication"
	if e.Measure("dfr").Value.Known() {
		cost = e.say("dfr") + " attempts per success"
	}
	return fmt.Sprintf("%s; of %s recipients %s; the end came after %s.", upper(cost), e.say("recipients"), strings.Join(said, ", "), e.hours("end_h"))
}

// say is the mean of a measure with its interval in brackets.
func (e *Ensemble) say(name string) string { return e.Measure(name).words("") }

// words are an estimate in some unit with its interval in brackets, if it has
// one.
func (x Estimate) words(unit string) string {
	write := x.writer()
	if !x.Value.Known() {
		return "undefined"
	}
	if !x.Low.Known() || !x.High.Known() || !x.spread() {
		return write(x.Value) + unit
	}
	return fmt.Sprintf("%s%s (%s to %s)", write(x.Value), unit, write(x.Low), write(x.High))
}

// hours is a measure in hours, told in the unit that a reader can picture.
func (e *Ensemble) hours(name string) string {
	x := e.Measure(name).Estimate
	unit, seconds := clock(3600 * float64(x.Value))
	for _, n := range []*Num{&x.Value, &x.Low, &x.High} {
		*n *= Num(3600 / seconds)
	}
	return x.words(" " + unit)
}

// offBy says how far an estimate lies from the target, in words that stand
// before "the target".
func (e *Ensemble) offBy(x Estimate) string {
	target := e.lastTarget()
	low, high := float64(x.Low)/target-1, float64(x.High)/target-1
	switch v := float64(x.Value)/target - 1; {
	case !x.Low.Known() && v < 0:
		return percent(-v) + " below"
	case !x.Low.Known():
		return percent(v) + " above"
	case high < 0:
		return fmt.Sprintf("%s (%s to %s) below", percent(-v), percent(-high), percent(-low))
	case low > 0:
		return fmt.Sprintf("%s (%s to %s) above", percent(v), percent(low), percent(high))
	}
	return "not told apart from"
}

// spread reports whether the bounds are known and differ by more than rounding
// does: a mean of equal values is not always that value to the last bit.
func (x Estimate) spread() bool {
	low, high := float64(x.Low), float64(x.High)
	return x.Low.Known() && x.High.Known() && high-low > 1e-12*max(math.Abs(low), math.Abs(high))
}

// writer writes numbers to two digits of the half width of an estimate: more
// would say nothing.
func (x Estimate) writer() func(Num) string {
	half := float64(x.High-x.Low) / 2
	decimals := -1
	if x.spread() {
		decimals = min(max(1-int(math.Floor(math.Log10(half))), 0), 9)
	}
	return func(n Num) string {
		switch {
		case !n.Known():
			return "-"
		case decimals < 0:
			return exact(float64(n))
		}
		return grouped(float64(n), decimals)
	}
}

// interval writes the bounds alone.
func (x Estimate) interval() string {
	switch write := x.writer(); {
	case !x.Low.Known() || !x.High.Known():
		return "-"
	case !x.spread():
		return "no spread"
	default:
		return write(x.Low) + " to " + write(x.High)
	}
}

// times is a quantile of numbers of intervals. A bound that is missing without
// a warning is one that was never reached; with one, there are too few
// replications.
func times(x Estimate) string {
	if !x.Value.Known() {
		return "never"
	}
	number := func(n Num) string { return grouped(float64(n), 0) }
	text := plural(uint64(x.Value), "interval")
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

// shares is the interval of a share.
func shares(x Estimate) string {
	return fmt.Sprintf("%s to %s", percent(float64(x.Low)), percent(float64(x.High)))
}

func listed(names []string) string {
	if n := len(names); n > 4 {
		names = append(names[:3:3], fmt.Sprintf("%d more", n-3))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

// Text writes the ensemble for a terminal, as Report.Text does for a run.
func (e *Ensemble) Text(w io.Writer, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, simulated, %s)\n", e.Name, plural(uint64(e.Replications), "replication"), e.Kind)
	for _, line := range wrap(e.About, columns) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	if e.Partial {
		fmt.Fprintln(&b, paint("PARTIAL: the ensemble was stopped before its end; these are the replications that had ended.", bad, color))
	}
	for i, sentence := range e.Answer() {
		for _, line := range wrap(sentence, columns) {
			if i == 0 {
				line = paint(line, strong, color)
			}
			fmt.Fprintln(&b, line)
		}
	}
	fmt.Fprintln(&b, "(In brackets: 95 % intervals.)")
	for _, t := range e.tables(12) {
		if err := t.write(&b, color); err != nil {
			return err
		}
	}
	if len(e.Warnings) > 0 {
		fmt.Fprintln(&b)
	}
	for _, text := range e.Warnings {
		for i, line := range wrap(text, columns-2) {
			fmt.Fprintf(&b, "%s%s\n", []string{"! ", "  "}[min(i, 1)], line)
		}
	}
	fmt.Fprintf(&b, "\nSeed %d, replications 0 to %d, digest %s, scenario %.12s\n", e.Seed, e.Replications-1, e.Digest, e.ScenarioID)
	if e.Replay != "" {
		fmt.Fprintf(&b, "Run it again: %s\n", e.Replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tables show at most so many servers.
func (e *Ensemble) tables(servers int) []table {
	return []table{e.expectationTable(), e.changeTable(), e.settlingTable(servers), e.precisionTable(), e.courseTable(), e.measureTable()}
}

func (e *Ensemble) measureTable() table {
	t := table{Caption: fmt.Sprintf("Means of %s, and the replications at the ends", plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "mean", "95 % interval", "least", "in", "greatest", "in"}, Left: 1}
	for _, m := range e.Measures {
		write := m.writer()
		row := []string{m.Metric, write(m.Value), m.interval(), "", "", "", ""}
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

// courseTable has the metrics of the mean course. Its interval of a time of
// settling is told with the servers.
func (e *Ensemble) courseTable() table {
	t := table{Caption: fmt.Sprintf("The mean course of %s, as if it were one run", plural(uint64(e.Replications), "replication")),
		Head: []string{"metric", "value", "95 % interval (jackknife)"}, Left: 1}
	for _, m := range e.Course {
		if m.Value.Known() && !mayNeverCome(m.Metric) {
			t.Rows = append(t.Rows, []string{m.Metric, m.writer()(m.Value), m.interval()})
		}
	}
	return t
}

func (e *Ensemble) settlingTable(most int) table {
	t := table{Caption: fmt.Sprintf("When servers settled within 5 %% of %s/h, in intervals of %s", grouped(e.lastTarget(), 0), duration(e.IntervalSec)),
		Head: []string{"server", "mean course", "its band", "runs settled", "half within", "90 % within", "restricted mean"}, Left: 1}
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
		number := func(n Num) string {
			if !n.Known() {
				return "never"
			}
			return grouped(float64(n), 0)
		}
		mean, band := number(s.OfMean), number(s.Earliest)+" to "+number(s.Latest)
		if s.Judged == 0 {
			mean, band = "not judged", ""
		}
		quantile := func(x Estimate) string {
			return strings.NewReplacer(" intervals", "", " interval", "").Replace(times(x))
		}
		t.Rows = append(t.Rows, []string{s.Server, mean, band, fmt.Sprintf("%d of %d", s.Runs-s.Never, s.Runs),
			quantile(s.Median), quantile(s.NinetyPct), s.Restricted.words("")})
	}
	return t
}

func (e *Ensemble) changeTable() table {
	t := table{Head: []string{"metric", "mean", "95 % interval", "twice left out", "change", "95 % interval"}, Left: 1}
	if e.Steady == nil {
		return t
	}
	t.Caption = fmt.Sprintf("Steady state without %s, and without twice as many (%d)", plural(uint64(e.Steady.LeftOut), "interval"), e.Steady.Twice)
	for _, c := range e.Steady.Changes {
		m := e.Measure(c.Metric)
		t.Rows = append(t.Rows, []string{c.Metric, m.writer()(m.Value), m.interval(), c.Twice.writer()(c.Twice.Value),
			c.Change.writer()(c.Change.Value), c.Change.interval()})
	}
	return t
}

func (e *Ensemble) precisionTable() table {
	t := table{Caption: "Precision: half width of the 95 % interval as a share of the mean", Head: []string{"metric", "wanted", "reached", "verdict"}, Left: 1, Words: true}
	if p := e.Precision; p != nil {
		verdict, reached := "MISSED", "-"
		if p.Reached {
			verdict = "ok"
		}
		if p.Relative.Known() {
			reached = grouped(100*float64(p.Relative), 2) + " %"
		}
		t.Rows = [][]string{{p.Of, grouped(100*p.Goal, 2) + " %", reached, verdict}}
	}
	return t
}

func (e *Ensemble) expectationTable() table {
	missed := 0
	t := table{Head: []string{"metric", "expected", "met in", "95 % interval", "verdict"}, Left: 1, Words: true}
	for _, x := range e.Expectations {
		verdict := "ok"
		if x.FirstMissed.Known() {
			verdict = fmt.Sprintf("missed first in replication %.0f", x.FirstMissed)
			missed++
		}
		t.Rows = append(t.Rows, []string{x.Metric, x.Op + " " + exact(x.Limit), fmt.Sprintf("%d of %d", x.Met, e.Replications), shares(x.Share), verdict})
	}
	t.Caption = fmt.Sprintf("Expectations: all replications met %d of %d", len(t.Rows)-missed, len(t.Rows))
	return t
}
