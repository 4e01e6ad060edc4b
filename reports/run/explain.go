package run

import (
	"fmt"
	"slices"
	"strings"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/measure"
)

// terms are the flags of an interval, in plain words with their source.
var terms = [][2]string{
	{"first", "the first interval: no step limit is in force yet unless the scenario names one ([0067])"},
	{"no-time", "no process was allocated, so there is no efficiency to decide by"},
	{"off-interval", "the interval was shorter or longer than S"},
	{"counted-late", "processes were counted with a delay"},
	{"idle", "no process was busy: C stays"},
	{"no-deliveries", "processes were busy and delivered nothing, so the wanted C is infinite ([0066])"},
	{"utilization-above-1", "more processes were allocated than C ([0070])"},
	{"step-limit-up", "target / efficiency was above C + the greatest step ([0067])"},
	{"step-limit-down", "target / efficiency was below C - the greatest step ([0067])"},
	{"floored-at-1", "the formula gave less than one process"},
	{"narrative-violation", "C fell while the rate was below the target, or rose while it was above: the formula " +
		"contradicts the words of [0065]"},
	{"at-ceiling", "the law wanted more processes than were found to be worth it"},
	{"at-max", "the law wanted more than governor.max"},
	{"slack", "so few processes were used that the sample is not evidence: C is held"},
	{"drop", "too many attempts were refused, timed out or slow: C is lowered"},
	{"shift", "the efficiency changed by more than its noise explains: the estimate starts again"},
	{"within-noise", "the wanted change is within the error of the estimate: C is held"},
	{"missed", "the decision was missed; the next one covers both intervals"},
	{"duplicate", "the law got the sample twice; this is its second decision"},
	{"reset", "the counters were lost: the law got 0 deliveries and 0 attempts"},
	{"canary-over", "new parameters were tried on their share of the mailing: those before count from now on"},
	{"guard-failed", "new parameters were tried and too many attempts went wrong: those before count from now on"},
	{wentOn, "the run stopped in the interval, and another went on with the mailing: attempts under way are not in it"},
	{"partial", "the interval was cut short: no decision"},
	{"short of work", "processes stood idle for lack of mail: the governor is not judged by it"},
}

// explained returns the meaning of every note that the intervals have.
func (r *Report) explained() string {
	var lines []string
	for _, t := range terms {
		if slices.ContainsFunc(r.Rows, func(row measure.Row) bool { return slices.Contains(notes(row), t[0]) }) {
			lines = append(lines, t[0]+": "+t[1]+".")
		}
	}
	if lines == nil {
		return ""
	}
	return "\nNotes of the governor ([numbers] are paragraphs of the patent, docs/patent.md)\n" +
		format.Paragraphs(lines...)
}

// wentOn marks the intervals in which a live mailing stopped.
const wentOn = "went-on"

// stopped marks the intervals in which a live mailing stopped.
func (r *Report) stopped(at []vt.Time) {
	for _, t := range at {
		stop := t.Seconds()
		r.Stops = append(r.Stops, stop)
		for i := range r.Rows {
			row := &r.Rows[i]
			if flags := strings.Split(row.Flags, "|"); row.End-3600*row.Hours <= stop && stop < row.End &&
				!slices.Contains(flags, wentOn) {
				row.Flags = strings.TrimPrefix(row.Flags+"|"+wentOn, "|")
			}
		}
	}
}

// stopWords returns a line about the stops; empty without any.
func (r *Report) stopWords() string {
	n := len(r.Stops)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("The mailing was stopped and went on %s, the last time %s: the numbers are of all its runs.",
		format.Plural(uint64(n), "time"), r.moment(r.Stops[n-1]))
}
