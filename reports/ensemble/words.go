package ensemble

import (
	"fmt"
	"strings"

	"flyball/internal/stats"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// Answer returns sentences on what the replications show together: first when recipients were final, then who refused
// and why, then what the governor did. A number is followed by its 95 % interval in brackets.
func (e *Report) Answer() []string {
	var answer []string
	if e.Steady != nil {
		answer = append(e.steadyVerdict(), e.causes()...)
	} else {
		answer = append(e.times(), e.causes()...)
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

// headline returns the sentence on the governor that can stand alone.
func (e *Report) headline() string {
	if e.Steady != nil {
		return e.steadyVerdict()[0]
	}
	return e.verdict()
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
	v := measure.Verdict{Mean: "the mean of " + format.Plural(uint64(e.Replications), "replication"),
		Target: format.Grouped(e.lastTarget(), 0) + "/h", Failed: "Did not converge"}
	for _, s := range e.Settling {
		v.Servers = append(v.Servers, e.placed(s))
	}
	return v.String()
}

// placed returns the mean course of a server with its standing and the words on it.
func (e *Report) placed(s Settling) measure.Placed {
	p := measure.Placed{Server: s.Server, Settled: s.OfMean}
	switch {
	case s.Judged == 0:
	case s.OfMean.Known():
		p.Standing, p.When = measure.Settled, e.after(s)
	case s.Held == s.Runs:
		rate := e.Measure("rate_per_h")
		p.Standing, p.C = measure.Held, format.Given(float64(e.Measure("available_final").Value))
		p.Rate = rate.Words("/h")
		p.Off = e.offBy(measure.Estimate{Value: rate.Value, Low: format.Missing, High: format.Missing})
	case s.Waited == s.Runs:
		p.Standing, p.Waits = measure.Waited, s.Waits
	default:
		p.Standing = measure.Missing
		p.When = fmt.Sprintf("in the %s that could be judged", format.Plural(uint64(s.Judged), "interval"))
		p.More = e.earliest(s)
		if s.Held > 0 {
			p.More += fmt.Sprintf("; C stayed at max, as ordered, in %s", e.of(s.Held))
		}
	}
	return p
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
			text += fmt.Sprintf(", half of all within %s", times(s.Median, "intervals"))
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
		return []string{measure.NothingJudged(true, "a steady state")}
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
		"hour, at %s attempts per delivery.",
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
		cost = e.MeasureInWords("dfr") + " attempts per delivery"
	}
	said = append([]string{fmt.Sprintf("%s; of %s recipients %s; %s.", format.Upper(cost),
		e.MeasureInWords("recipients"), strings.Join(said, ", "), e.End())}, e.failures()...)
	return strings.Join(said, " ")
}

// End returns in words when the last recipient ended, in the mean of all replications, or
// how many of them finished.
func (e *Report) End() string {
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

// Hours returns a measure that is in hours as reports write times, with its interval if its bounds differ then.
func (e *Report) Hours(name string) string {
	x := e.Measure(name).Estimate
	text := func(n format.Num) string { return format.Duration(3600 * float64(n)) }
	if value, low, high := text(x.Value), text(x.Low), text(x.High); x.Spread() && low != high {
		return fmt.Sprintf("%s (%s to %s)", value, low, high)
	}
	return text(x.Value)
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

// times writes a quantile of times, in intervals or hours, with its bounds. A missing
// bound without a warning was never reached; with a warning there are too few replications.
func times(x measure.Estimate, unit string) string {
	if !x.Value.Known() {
		return "never"
	}
	number := func(n format.Num) string { return format.Figure(float64(n)) }
	text := number(x.Value) + " " + unit
	if x.Value == 1 {
		text = number(x.Value) + " " + strings.TrimSuffix(unit, "s")
	}
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
		return format.Figure(float64(x.Low)) + " to never"
	}
	return format.Figure(float64(x.Low)) + " to " + format.Figure(float64(x.High))
}

// shares writes the interval of a share.
func shares(x measure.Estimate) string {
	return fmt.Sprintf("%s to %s", format.Percent(float64(x.Low)), format.Percent(float64(x.High)))
}
