package answer_test

import (
	"math"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/answer"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
)

func text(t *testing.T, r answer.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// made is an answer whose numbers all differ.
func made() answer.Report {
	never := format.Num(math.Inf(1))
	return answer.Report{
		Scenario: "night", ScenarioID: "0123456789abcdef", Seed: 7, Deadlines: true, Refused: 0.02, Matters: 0.01,
		Searched: 61,
		Free: []answer.Free{{Key: "governor.max", From: "1", To: "500", Tried: 25, Chosen: "23"},
			{Key: "governor.target", From: "10/h", To: "20/h", Tried: 25, Flat: true, Kept: true}},
		Best: answer.Setting{Set: []string{"governor.max=23"}, Runs: 20, T50: 3, T90: 4, T99: 5, End: 6, Refused: 0.011,
			Recipients: 1000},
		Own:    answer.Setting{Runs: 4, T50: 7, T90: 8, T99: 9, End: never, Late: 123, Refused: 0.4, Recipients: 1000},
		Held:   answer.Held{Runs: 20, Kept: 19, Share: measure.Estimate{Low: 0.751, High: 0.999, Level: 0.95, N: 20}},
		Beside: answer.Setting{Runs: 4, T50: 3, T90: 4, T99: 5.1, End: 6, Refused: 0.011, Recipients: 1000},
		Changes: []answer.Change{
			{What: "one up", Result: answer.Setting{T99: 5, End: 5.9, Refused: 0.03}},
			{What: "one down", Result: answer.Setting{T99: 5, End: 6.07, Refused: 0.01}},
			{What: "a little down", Result: answer.Setting{T99: 5, End: 6.05, Refused: 0.01}},
			{What: "a server more", Result: answer.Setting{T99: 4, End: 5.9, Refused: 0.01}},
			{What: "an hour less", Result: answer.Setting{T99: 5, End: 6, Late: 4, Refused: 0.01}},
		},
		Binds: []diagnosis.Finding{{Cause: diagnosis.Cap, Words: "gmail is full."}},
		Show:  "flyball run night", Replay: "flyball ask night",
	}
}

func TestTextOfAnAnswer(t *testing.T) {
	got := text(t, made())
	r := made()
	r.Clock = vt.Clock{Start: 22 * 3600, Offsets: []vt.Offset{{}}}
	const want = "after 3 h (01:00), 99 % after 5 h (03:00), all are final after 6 h (04:00)"
	if got := text(t, r); !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	for _, want := range []string{
		"Best within the limits: governor.max = 23. Half of the recipients are final after 3 h, 99 % after 5 h, all " +
			"are final after 6 h; 1.1 % of the attempts are refused.",
		"In 19 of 20 runs with new draws every deadline is met and refusals are within the limit: " +
			"a chance of 75 % to 100 % (95 % interval).",
		"as the scenario stands 9 h the horizon 123 40.0 % beyond the limit of refusals",
		"governor.target 10/h 20/h as it stands changes nothing",
		"What a change would do, in 4 runs with equal draws change",
		"the best setting 5.1 h 6 h 0 1.1 %",
		"one up 5 h 5.9 h 0 3.0 % beyond the limit of refusals",
		"one down 5 h 6.1 h 0 1.0 % later",
		"a little down 5 h 6 h 0 1.0 % no difference",
		"a server more 4 h 5.9 h 0 1.0 % sooner",
		"an hour less 5 h 6 h 4 1.0 % more are late",
		"What binds gmail is full. See it: flyball run night",
		"Seed 7, scenario 0123456789ab, 61 runs of the search Run it again: flyball ask night",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// What cannot be had is said first.
func TestLimitsThatNothingKeeps(t *testing.T) {
	r := made()
	r.Best.Late = 17
	r.Beside.Late = 19
	if got, want := text(t, r), "No setting keeps the deadline in every run: 17 recipients are late with the best, "+
		"governor.max = 23."; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	for late, want := range map[format.Num]string{0.25: "0.2 recipients are", 1: "1 recipient is",
		0.05: "< 0.1 recipients are",
		9.96: "10.0 recipients are", 12.4: "12 recipients are"} {
		r.Best.Late, r.Held.Kept = late, 0
		got := text(t, r)
		for _, want := range []string{"No setting keeps the deadline: " + want + " late with the best",
			"and " + want + " late."} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
	}
	r.Best.Refused, r.Beside.Refused, r.Beside.Late, r.Changes[1].Result.Late = 0.021, 0.03, 1, 1
	for _, want := range []string{"Refusals are above 2.0 % with every setting: the least are 2.1 %, with " +
		"governor.max = 23.",
		"one up 5 h 5.9 h 0 3.0 % fewer are late", "one down 5 h 6.1 h 1 1.0 % later"} {
		if got := text(t, r); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	r = made()
	r.Best.Pending, r.Best.End, r.Beside.Pending, r.Changes[0].Result.Pending = 4, format.Num(math.Inf(1)), 5, 6
	r.Changes[0].Result.Refused = 0
	for _, want := range []string{"No setting ends before the horizon in every run: 4 recipients are pending with " +
		"the best, governor.max = 23.",
		"one up 5 h 5.9 h 0 0.0 % more are pending", "one down 5 h 6.1 h 0 1.0 % fewer are pending"} {
		if got := text(t, r); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	r = made()
	r.Own = r.Beside
	const same = "The scenario as it stands does as well."
	if got := text(t, r); !strings.Contains(got, same) {
		t.Errorf("no %q in\n%s", same, got)
	}
	// Where the best setting is the scenario as it stands, the first sentence has said so.
	r.Best.Set, r.Free[0].Kept = nil, true
	got := text(t, r)
	const want = "Best within the limits: the scenario as it stands."
	if !strings.Contains(got, want) || strings.Contains(got, same) {
		t.Errorf("no %q, or a second sentence, in\n%s", want, got)
	}
}
