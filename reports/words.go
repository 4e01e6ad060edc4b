package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Answer says in plain sentences what the run showed: first whether it
// converged, when and how far off it ended, then what became of the
// recipients. The first one stands alone.
func (r *Report) Answer() []string {
	answer := []string{r.verdict()}
	var away []Server
	for _, s := range r.Servers {
		if s.Runaway {
			away = append(away, s)
		}
	}
	if len(away) > 0 {
		answer = append(answer, r.runaway(away[0]))
	}
	if len(away) > 1 {
		answer = append(answer, "The same happened to "+names(away[1:])+".")
	}
	answer = append(answer, r.account())
	answer = append(answer, r.limited()...)
	if r.Sensitivity != nil {
		answer = append(answer, r.Sensitivity.Answer())
	}
	return answer
}

// verdict answers for all servers: did it converge, when, how far off.
func (r *Report) verdict() string {
	var settled, never, unjudged []Server
	for _, s := range r.Servers {
		switch {
		case s.Judged == 0:
			unjudged = append(unjudged, s)
		case s.Settling5.Known():
			settled = append(settled, s)
		default:
			never = append(never, s)
		}
	}
	target := grouped(r.lastTarget(), 0) + "/h"
	switch {
	case len(settled)+len(never) == 0:
		return "Not judged: in no full interval was there work for every process, so nothing is known about the governor."
	case len(r.Servers) == 1 && len(settled) == 1:
		s := settled[0]
		rate, off := r.ending(s)
		return fmt.Sprintf("Converged: %s settled within 5 %% of %s %s, ended at %s/h (%s) with %s processes.",
			s.Name, target, r.after(s), grouped(rate, 0), offBy(off), grouped(float64(s.AvailableFinal), 1))
	case len(r.Servers) == 1:
		s := never[0]
		return fmt.Sprintf("Did not converge: %s never settled within 5 %% of %s in %s; over the last quarter it made %s/h (%s), and it ended with %s processes.",
			s.Name, target, r.intervals(float64(s.Judged)), grouped(float64(s.Rate), 0), offBy(float64(s.SteadyStateError)), grouped(float64(s.AvailableFinal), 1))
	}
	var said []string
	word := "Converged"
	if len(settled) > 0 {
		last := settled[0]
		for _, s := range settled {
			if s.Settling5 > last.Settling5 {
				last = s
			}
		}
		said = append(said, fmt.Sprintf("%d of %d servers settled within 5 %% of %s each, the last one (%s) %s",
			len(settled), len(r.Servers), target, last.Name, r.after(last)))
	}
	if len(never) > 0 {
		word = "Did not converge"
		said = append(said, names(never)+" never settled within 5 % of "+target)
	}
	if len(unjudged) > 0 {
		said = append(said, names(unjudged)+" had no full interval with work for every process")
	}
	return word + ": " + strings.Join(said, "; ") + "."
}

// after says when a server settled, of how many intervals.
func (r *Report) after(s Server) string {
	rows := judged(rowsOf(r.Rows, s.Name))
	last := rows[len(rows)-1].Number
	switch changed := lastChange(rows); {
	case changed > 0 && s.Settling5 == 0:
		return "from its last change on"
	case changed > 0:
		return fmt.Sprintf("%s (%s) after its last change", plural(uint64(s.Settling5), "interval"), duration(float64(s.Settling5)*r.IntervalSec))
	case s.Settling5 == 0:
		return "from the first interval on"
	}
	return fmt.Sprintf("after %.0f of %s (%s)", s.Settling5, plural(uint64(last)+1, "interval"), duration(float64(s.Settling5)*r.IntervalSec))
}

func (r *Report) intervals(n float64) string {
	return fmt.Sprintf("%s (%s)", plural(uint64(n), "interval"), duration(n*r.IntervalSec))
}

// target is that of the run, and the last one if it changes.
func (r *Report) target() string { return fromTo(r.Target, r.lastTarget()) }

func fromTo(first, last float64) string {
	text := grouped(first, 0) + "/h"
	if last != first {
		text += ", in the end " + grouped(last, 0) + "/h"
	}
	return text
}

// lastTarget is that of the last interval that can be judged.
func (r *Report) lastTarget() float64 {
	for _, row := range slices.Backward(r.Rows) {
		if row.judged() {
			return float64(row.Target)
		}
	}
	return r.Target
}

// ending is the mean rate of a server that settled, over the last quarter or
// since it settled, whichever is shorter, and how far off the target that is.
func (r *Report) ending(s Server) (rate, off float64) {
	rows := judged(rowsOf(r.Rows, s.Name))
	settled := Num(lastChange(rows)) + s.Settling5
	rows = lastQuarter(rows)
	for Num(rows[0].Number) < settled {
		rows = rows[1:]
	}
	rate = float64(mean(rows, Row.rate))
	return rate, rate/meanTarget(rows) - 1
}

// offBy says how far a rate is from the target, as a share of it.
func offBy(e float64) string {
	switch {
	case math.Abs(e) < 0.0005:
		return "on target"
	case e < 0:
		return percent(-e) + " below"
	default:
		return percent(e) + " above"
	}
}

// runaway says that more processes delivered less.
func (r *Report) runaway(s Server) string {
	rows := judged(rowsOf(r.Rows, s.Name))
	best := rows[0]
	for _, row := range rows {
		if row.Rate > best.Rate {
			best = row
		}
	}
	q := lastQuarter(rows)
	text := fmt.Sprintf("Runaway: %s did best in interval %d, %s/h with %s processes allocated. The law has added processes ever since, to %s, and the rate fell to %s/h",
		s.Name, best.Number, grouped(float64(best.Rate), 0), grouped(float64(best.Allocated), 1),
		grouped(float64(s.AvailableFinal), 1), grouped(float64(q[len(q)-1].Rate), 0))
	before, after := perSuccess([]Row{best}), perSuccess(q)
	if float64(after) > 1.05*float64(before) {
		return text + fmt.Sprintf(": more attempts fail (%s attempts per success, then %s). It does not see that more processes deliver less.",
			grouped(float64(before), 2), grouped(float64(after), 2))
	}
	return text + ": past the peak of throughput every further process slows the others down. It does not see that more processes deliver less."
}

// perSuccess is the DFR of some intervals.
func perSuccess(rows []Row) Num {
	var attempts, delivered uint64
	for _, r := range rows {
		attempts += r.Attempts
		delivered += r.Delivered
	}
	return ratio(attempts, delivered)
}

// account says what became of the recipients.
func (r *Report) account() string {
	t := r.Totals
	var said []string
	for _, part := range []struct {
		n      uint64
		what   string
		always bool
	}{{t.Delivered, "delivered", true}, {t.Failed, "failed", true}, {t.Suppressed, "suppressed", false},
		{t.Ambiguous, "ambiguous", false}, {t.Pending, "pending", false}} {
		if part.always || part.n > 0 {
			said = append(said, fmt.Sprintf("%s %s%s", grouped(float64(part.n), 0), part.what, share(part.n, t.Recipients)))
		}
	}
	cost := "no attempt was made"
	switch {
	case r.DFR.Known():
		cost = grouped(float64(r.DFR), 2) + " attempts per success"
	case t.Attempts > 0:
		cost = "no success in " + plural(t.Attempts, "attempt")
	}
	end := "the last one ended after " + duration(r.EndSec)
	switch {
	case r.Partial:
		end = "the run was stopped after " + duration(r.EndSec)
	case t.Recipients == 0:
		end = "there was nothing to do"
	case t.Pending > 0:
		end = "the run ended at its horizon of " + duration(r.HorizonSec)
	}
	return fmt.Sprintf("%s; %s: %s; %s.", upper(cost), plural(t.Recipients, "recipient"), strings.Join(said, ", "), end)
}

func share(n, of uint64) string {
	if of == 0 || n == 0 {
		return ""
	}
	return " (" + percent(float64(n)/float64(of)) + ")"
}

// names lists up to three servers.
func names(servers []Server) string {
	var list []string
	for i, s := range servers {
		if i == 3 && len(servers) > 4 {
			list = append(list, fmt.Sprintf("%d more", len(servers)-3))
			break
		}
		list = append(list, s.Name)
	}
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return list[0]
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func plural(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return grouped(float64(n), 0) + " " + what
}

func percent(share float64) string { return grouped(100*share, 1) + " %" }

// grouped writes a number with its thousands set apart: 139,700.5. What is not
// finite is a dash.
func grouped(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	var b strings.Builder
	if v < 0 && strings.Trim(s, "0.") != "" {
		b.WriteByte('-')
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// duration writes a time so that a person can picture it, to about three
// digits: 850 ms, 12.5 s, 42 min, 36 h, 4.1 days.
func duration(seconds float64) string {
	if seconds == 0 {
		return "0 s"
	}
	for _, u := range []struct {
		below, unit float64
		name        string
	}{{0.001, 1e-6, "us"}, {1, 1e-3, "ms"}, {120, 1, "s"}, {7200, 60, "min"}, {72 * 3600, 3600, "h"}} {
		if seconds < u.below {
			return short(seconds/u.unit) + " " + u.name
		}
	}
	return short(seconds/86400) + " days"
}

// short writes a number with one decimal if that says more than none.
func short(v float64) string {
	if s := grouped(v, 1); v < 100 && !strings.HasSuffix(s, ".0") {
		return s
	}
	return grouped(v, 0)
}

// wrap breaks a sentence into lines of at most width columns. A per cent sign
// stays with its number.
func wrap(s string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(strings.ReplaceAll(s, " %", "\x00%")) {
		word = strings.ReplaceAll(word, "\x00", " ")
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
