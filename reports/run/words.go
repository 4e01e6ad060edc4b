package run

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/reactions"
	"flyball/reports/runlog"
)

// Answer returns sentences on what the run showed: first when recipients were final and whether
// deadlines were met, then who refused and why, then whether the governor converged, when and how far off the target
// it ended, then what became of the recipients. The first sentence can stand alone.
func (r *Report) Answer() []string {
	if r.TooSlow {
		return append(append([]string{r.slow()}, r.Times()...), r.Account())
	}
	answer := slices.Concat(r.Times(), reactions.Sentences(r.Replies), r.causes())
	answer = append(answer, r.verdict())
	var away []string
	for _, s := range r.Servers {
		if s.Runaway && away == nil {
			answer = append(answer, r.runaway(s))
		}
		if s.Runaway {
			away = append(away, s.Name)
		}
	}
	if len(away) > 1 {
		answer = append(answer, "The same happened to "+format.Listed(away[1:])+".")
	}
	answer = append(answer, r.Account())
	if r.Sending != nil {
		answer = append(answer, r.Sending.Sentences()...)
	}
	answer = append(answer, r.limited()...)
	if r.Sensitivity != nil {
		answer = append(answer, r.Sensitivity.Answer())
	}
	return answer
}

// slow returns a sentence on a run that its machine was too slow for.
func (r *Report) slow() string {
	text := fmt.Sprintf("No verdict: this machine was too slow for %g times real time. Attempts and the handling of "+
		"their ends lasted %s longer", r.Host.Scale, format.Percent(r.Host.Slower))
	if r.Receiver == "" {
		text += " than the model gives them"
	}
	if fits := r.Host.Scale * runlog.MostSlower / r.Host.Slower; fits >= 1 {
		return text + fmt.Sprintf("; try --time-scale %.0f.", math.Floor(fits))
	}
	return text + "."
}

// Pace returns sentences on how well this machine kept the time of a live run; none of a simulation.
func (r *Report) Pace() []string {
	h := r.Host
	if h.Scale == 0 {
		return nil
	}
	late := func(p50, p99, most float64) string {
		return fmt.Sprintf("%s at p50, %s at p99, %s at most", format.Duration(p50), format.Duration(p99),
			format.Duration(most))
	}
	all := []string{fmt.Sprintf("Wall time: %s, at %g times real time", format.Duration(h.Wall), h.Scale),
		"Lateness of the engine's queue, in the run's time: " + late(h.LateP50, h.LateP99, h.LateMax)}
	if r.Receiver == "" {
		all = append(all, fmt.Sprintf("Receivers overslept by %s; attempts and the handling of their ends lasted %s "+
			"longer than the model gives them", late(h.OversleptP50, h.OversleptP99, h.OversleptMax),
			format.Percent(h.Slower)))
	}
	if h.Ahead > 0 {
		all = append(all, fmt.Sprintf("Ahead: of each session at most %s had no durable outcome (--ahead)",
			format.Plural(uint64(h.Ahead), "message")))
	}
	return all
}

// verdict returns a sentence on all servers: whether they converged, when, and how far
// off the target.
func (r *Report) verdict() string {
	v := measure.Verdict{Target: format.Grouped(r.lastTarget(), 0) + "/h", Failed: "Did not converge"}
	if r.Partial {
		v.Failed = "Not settled when it was stopped"
	}
	for _, s := range r.Servers {
		v.Servers = append(v.Servers, r.placed(s))
	}
	if rate, of, ok := r.fleet(); ok {
		v.Together = fmt.Sprintf("together they made %s/h of %s/h over the last quarter", format.Grouped(rate, 0),
			format.Grouped(of, 0))
	}
	return v.String()
}

// placed returns a server with its standing and the words on it.
func (r *Report) placed(s measure.Server) measure.Placed {
	p := measure.Placed{Server: s.Name, Settled: s.Settling5}
	rate, off := format.Grouped(float64(s.Rate), 0)+"/h", offBy(float64(s.SteadyStateError))
	switch {
	case s.Judged == 0:
	case s.Settling5.Known():
		rate, off := r.ending(s)
		p.Standing, p.When = measure.Settled, r.after(s)
		p.More = fmt.Sprintf(", ended at %s/h (%s) with %s processes", format.Grouped(rate, 0), offBy(off),
			format.Grouped(float64(s.AvailableFinal), 1))
	case s.Ordered(r.Rows):
		p.Standing, p.C, p.Rate, p.Off = measure.Held, format.Given(float64(s.AvailableFinal)), rate, off
	case r.Waited(s) > 0:
		p.Standing, p.Waits = measure.Waited, r.Waited(s)
	default:
		p.Standing, p.When = measure.Missing, "in "+r.intervals(float64(s.Judged))
		p.More = fmt.Sprintf("; over the last quarter it made %s (%s), and it ended with %s processes", rate, off,
			format.Grouped(float64(s.AvailableFinal), 1))
	}
	return p
}

// Waited returns in how many intervals recipients of a server waited for destinations that the sender itself kept
// closed, if it settled but for these; otherwise 0.
func (r *Report) Waited(s measure.Server) int {
	if !r.closes {
		return 0
	}
	_, n := s.Waited(r.Rows)
	return n
}

// fleet returns the sum of the rates of all servers that were judged, each over its own last quarter, and the sum of
// their targets, in messages per hour. Ok is false with fewer than two servers.
func (r *Report) fleet() (rate, target float64, ok bool) {
	n := 0
	for _, s := range r.Servers {
		if rows := measure.LastQuarter(measure.Judged(measure.RowsOf(r.Rows, s.Name))); len(rows) > 0 &&
			s.Rate.Known() {
			rate += float64(s.Rate)
			target += measure.MeanTarget(rows)
			n++
		}
	}
	return rate, target, n > 1
}

// Words returns the value of an expectation and its limit. Of a run that is not finished it
// counts the recipients pending.
func (r *Report) Words(e measure.Result) (is, want string) {
	is, want = e.Words()
	if e.Metric == measure.EndMetric && r.Totals.Pending > 0 {
		is = measure.Unfinished(r.Totals.Pending)
	}
	return is, want
}

// after returns in words when a server settled, of how many intervals.
func (r *Report) after(s measure.Server) string {
	rows := measure.Judged(measure.RowsOf(r.Rows, s.Name))
	last := rows[len(rows)-1].Number
	switch changed := measure.LastChange(rows); {
	case changed > 0 && s.Settling5 == 0:
		return "from its last change on"
	case changed > 0:
		return fmt.Sprintf("%s (%s) after its last change", format.Plural(uint64(s.Settling5), "interval"),
			format.Duration(float64(s.Settling5)*r.IntervalSec))
	case s.Settling5 == 0:
		return "from the first interval on"
	}
	return fmt.Sprintf("after %.0f of %s (%s)", s.Settling5, format.Plural(uint64(last)+1, "interval"),
		format.Duration(float64(s.Settling5)*r.IntervalSec))
}

func (r *Report) intervals(n float64) string {
	return fmt.Sprintf("%s (%s)", format.Plural(uint64(n), "interval"), format.Duration(n*r.IntervalSec))
}

// target returns the target of the run in words, with the last target if it changes.
func (r *Report) target() string { return format.FromTo(r.Target, r.lastTarget()) }

// lastTarget returns the target in the last interval that can be judged; servers under one governor have no targets.
func (r *Report) lastTarget() float64 {
	for _, row := range slices.Backward(r.Rows) {
		if row.Judged() && row.Target.Known() {
			return float64(row.Target)
		}
	}
	return r.Target
}

// ending returns the mean rate of a server that settled, over the last quarter or since
// it settled, whichever is shorter, and its distance from the target as a share of the
// target.
func (r *Report) ending(s measure.Server) (rate, off float64) {
	rows := measure.Judged(measure.RowsOf(r.Rows, s.Name))
	settled := format.Num(measure.LastChange(rows)) + s.Settling5
	rows = measure.LastQuarter(rows)
	for format.Num(rows[0].Number) < settled {
		rows = rows[1:]
	}
	rate = float64(measure.Mean(rows, measure.Row.MessagesPerHour))
	return rate, rate/measure.MeanTarget(rows) - 1
}

// offBy returns in words how far a rate is from the target; e is a share of the target.
func offBy(e float64) string {
	switch {
	case math.Abs(e) < 0.0005:
		return "on target"
	case e < 0:
		return format.Percent(-e) + " below"
	default:
		return format.Percent(e) + " above"
	}
}

// runaway returns a sentence on a server on which more processes delivered less.
func (r *Report) runaway(s measure.Server) string {
	rows := measure.Judged(measure.RowsOf(r.Rows, s.Name))
	best := rows[0]
	for _, row := range rows {
		if row.Rate > best.Rate {
			best = row
		}
	}
	q := measure.LastQuarter(rows)
	text := fmt.Sprintf("Runaway: %s did best in interval %d, %s/h with %s processes allocated. The law has added "+
		"processes ever since, to %s, and the rate fell to %s/h",
		s.Name, best.Number, format.Grouped(float64(best.Rate), 0), format.Grouped(float64(best.Allocated), 1),
		format.Grouped(float64(s.AvailableFinal), 1), format.Grouped(float64(q[len(q)-1].Rate), 0))
	before, after := perDelivery([]measure.Row{best}), perDelivery(q)
	if float64(after) > 1.05*float64(before) {
		return text + fmt.Sprintf(": more attempts fail (%s attempts per delivery, then %s). It does not see that "+
			"more processes deliver less.",
			format.Grouped(float64(before), 2), format.Grouped(float64(after), 2))
	}
	return text + ": past the peak of throughput every further process slows the others down. It does not see that " +
		"more processes deliver less."
}

// perDelivery returns the DFR (attempts per delivery) over some intervals.
func perDelivery(rows []measure.Row) format.Num {
	var attempts, delivered uint64
	for _, r := range rows {
		attempts += r.Attempts
		delivered += r.Delivered
	}
	return format.Ratio(attempts, delivered)
}

// Account returns a sentence on what became of the recipients.
func (r *Report) Account() string {
	t := r.Totals
	var said []string
	for _, part := range []struct {
		n      uint64
		what   string
		always bool
	}{{t.Delivered, "delivered", true}, {t.Failed, "failed", true}, {t.Suppressed, "suppressed", false},
		{t.Ambiguous, "ambiguous", false}, {t.Unreached, "not allowed", false}, {t.Pending, "pending", false}} {
		if part.always || part.n > 0 {
			said = append(said, fmt.Sprintf("%s %s%s", format.Grouped(float64(part.n), 0), part.what,
				share(part.n, t.Recipients)))
		}
	}
	cost := "no attempt was made"
	switch {
	case r.DFR.Known():
		cost = format.Grouped(float64(r.DFR), 2) + " attempts per delivery"
	case t.Attempts > 0:
		cost = "no success in " + format.Plural(t.Attempts, "attempt")
	}
	end := "the last one ended " + r.moment(r.EndSec)
	switch {
	case r.Partial:
		end = "the run was stopped " + r.moment(r.EndSec)
	case t.Recipients == 0:
		end = "there was nothing to do"
	case t.Pending > 0:
		end = "the run ended at its horizon of " + format.Duration(r.HorizonSec)
		if r.Clock.Given() {
			end += ", " + r.moment(r.HorizonSec)
		}
	}
	return fmt.Sprintf("%s; %s: %s; %s.", format.Upper(cost), format.Plural(t.Recipients, "recipient"),
		strings.Join(said, ", "), end)
}

// moment writes a time after the start, in seconds: "after 6 h", "at 04:00 (+6.0 h)".
func (r *Report) moment(seconds float64) string {
	if r.Clock.Given() {
		return "at " + format.Moment(r.Clock, format.Num(seconds/3600))
	}
	return "after " + format.Duration(seconds)
}

func share(n, of uint64) string {
	if of == 0 || n == 0 {
		return ""
	}
	return " (" + format.Percent(float64(n)/float64(of)) + ")"
}
