package run

import (
	"strings"
	"testing"

	"flyball/reports/attempts"
	"flyball/reports/runlog"
)

// The curves of both campaigns, and the attempts for both destinations over time, as they are written down in
// handmade.Counted.
func TestTheMailingOverTime(t *testing.T) {
	r := counted()
	got := string(r.finalCSV())
	for _, line := range []string{"campaign,t_s,final\n", "\nearly,60,3\n", "\nearly,10800,6\n", "\nlate,18000,2\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 1+6+2 {
		t.Errorf("got %d lines, want the head and one for each final recipient:\n%s", n, got)
	}
	want := []runlog.Tally{
		{Delivered: 3, Deferred: 2, Refused: 2, Failed: 1},
		{Delivered: 2, Deferred: 1, Failed: 1, Ambiguous: 1},
	}
	for d := range want {
		var sum runlog.Tally
		for k, step := range r.Course.Steps {
			v := step[d]
			sum = runlog.Tally{Delivered: sum.Delivered + v.Delivered, Deferred: sum.Deferred + v.Deferred,
				Refused: sum.Refused + v.Refused, Failed: sum.Failed + v.Failed, Ambiguous: sum.Ambiguous + v.Ambiguous}
			if k == int(5400/r.Course.Step.Seconds()) && d == 0 && v.Refused != 1 {
				t.Errorf("step %d of %v has %d refusals, want the one after 5,400 s", k, r.Course.Step, v.Refused)
			}
		}
		if sum != want[d] {
			t.Errorf("destination %d: %+v in all, want %+v", d, sum, want[d])
		}
	}
	back, err := attempts.Read(r.attempts(1).CSV())
	if err != nil || back.Step != r.Course.Step || len(back.Steps) != len(r.Course.Steps) {
		t.Errorf("read back: %d steps of %v, %v; want %d of %v", len(back.Steps), back.Step, err, len(r.Course.Steps),
			r.Course.Step)
	}
}
