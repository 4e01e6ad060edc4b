package planning_test

import (
	"math"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/planning"
)

// made is a plan whose numbers all differ.
func made() planning.Report {
	never := format.Num(math.Inf(1))
	return planning.Report{
		Scenario: "night", ScenarioID: "0123456789abcdef", Seed: 7, Runs: 61, Replay: "flyball plan night",
		Assumed: []string{"Assumed: big takes 200 messages a day."},
		Rows: []planning.Row{
			{Deadline: "6h", By: 6, Feasible: true, Servers: []planning.Server{{Name: "b1", Processes: 12},
				{Name: "b2", Processes: 3}}, Processes: 15, Kept: 19,
				Chance: measure.Estimate{Low: 0.751, High: 0.999, N: 20}, End: 5.5, Share: 0.021,
				Limit: "processes", Words: "b1 had no more.", Show: "flyball run night"},
			{Deadline: "1d", By: 24, Proof: &planning.Bound{Provider: "big", Server: "b1", Limit: "quota",
				Figure: "200 in 1d", Recipients: 1700, Admitted: 200, Earliest: 192.1},
				Provider: "big", Limit: "quota"},
			{Deadline: "2d", By: 48, Proof: &planning.Bound{Limit: "rate", Earliest: never}, Limit: "rate"},
			{By: 30, Processes: 40, End: 31.02, Chance: measure.Estimate{High: 0.168, N: 20}, Provider: "wide",
				Limit: "cap"},
		},
		WarmUps: []planning.WarmUp{
			{Provider: "big", Over: 4, Processes: 15, Done: 9, Due: 24, Days: []planning.Day{
				{Day: 1, Allowed: 400, Sent: 399, Left: 1301},
				{Day: 2, Begins: 24, Allowed: 460, Sent: 460, Left: 841}}},
			{Provider: "small", Done: 2, ByDue: true, Due: 24},
			{Provider: "slow", Due: format.Missing},
		},
	}
}

func text(t *testing.T, r planning.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestTextOfAPlan(t *testing.T) {
	got := text(t, made())
	for _, want := range []string{
		"Assumed: big takes 200 messages a day. 6h: feasible with 15 processes; in 19 of 20 runs with new draws the " +
			"mailing was done in time, a chance of 75 % to 100 % (95 % interval).",
		"1d: not feasible. big, from b1: quota (200 in 1d) admits at most 200 messages by then, at least 1,700 " +
			"recipients need one: not before 8 days after the start.",
		"The scenario's own (30 h): not feasible with any number of processes that was tried. With the best, 40, " +
			"the mailing takes 31.1 h.",
		"6h yes 15 b1 12 b2 3 75 % to 100 % 5.5 h 2.1 % processes",
		"1d no, proven - - none not before 8 days after the start - big: quota",
		"2d no, proven - - none not within ten years - rate",
		"wide: cap",
		"big: the warm-up is over on day 4; the mailing is done there on day 9, not in time.",
		"small: the limit does not grow; the mailing is done there on day 2, in time.",
		"slow: the limit does not grow; the mailing is not done there within the run.",
		"Days at big, with 15 processes", "1 0 s 400 399 1,301", "2 24 h 460 460 841",
		"What binds 6h: b1 had no more. See it, 6h: flyball run night",
		"Seed 7, scenario 0123456789ab, 61 runs Run it again: flyball plan night",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	r := made()
	r.Clock = vt.Clock{Start: 22 * 3600, Offsets: []vt.Offset{{}}}
	for _, want := range []string{"03:30 (5.5 h)", "need one: not before 9 Jan 22:06 (8 days). ",
		"6h (04:00): feasible"} {
		if got := text(t, r); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A time is never shorter in words than it is: nine days are not one.
func TestSpansAreRoundedUp(t *testing.T) {
	for hours, want := range map[format.Num]string{9 * 24: "9 days", 9*24 + 0.01: "9.1 days", 47.99: "48 h",
		48: "2 days", 1.99: "119.4 min", 0.01: "36 s", 0: "0 s", 2 * 365 * 24: "730 days", 0.00001: "0.1 s"} {
		if got := planning.Span(hours); got != want {
			t.Errorf("%v h: got %q, want %q", hours, got, want)
		}
	}
}
