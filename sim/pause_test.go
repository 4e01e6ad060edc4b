package sim_test

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// In quiet hours and while the target is 0 no attempt begins: intervals within have the
// ends of attempts from before at most, and afterwards all mail is delivered.
func TestNothingBeginsInAPause(t *testing.T) {
	short := []string{"campaign[0].recipients=40000", "campaign[0].subset=2000", "governor.interval=10m", "horizon=2d"}
	free := run(t, "quickstart", short...)
	for what, set := range map[string][]string{
		"quiet hours": {`quiet=[{ from = "00:20", to = "10:03" }]`},
		"target of 0": {`governor.change=[{ at = "20m", target = "0/h" }, { at = "10h3m", target = "9000/h" }]`},
	} {
		r := run(t, "quickstart", append(set, short...)...)
		if r.Count(mail.Done) != free.Count(mail.Done) || r.Attempts() != free.Attempts() {
			t.Errorf("%s: got %d delivered in %d attempts, want %d in %d", what, r.Count(mail.Done), r.Attempts(),
				free.Count(mail.Done), free.Attempts())
		}
		before, after := uint64(0), uint64(0) // after: in seven minutes, until an interval ends
		for _, i := range r.Intervals {
			switch ended := i.End; {
			case ended <= vt.Time(20*vt.Minute):
				before += i.Sample.Attempts
			case ended == vt.Time(10*vt.Hour+10*vt.Minute):
				after = i.Sample.Attempts
			case ended > vt.Time(10*vt.Hour):
			case ended > vt.Time(40*vt.Minute) && (i.Sample.Attempts > 0 || !i.Draining):
				t.Errorf("%s: got %d attempts in the interval until %s, short of work: %t, want none", what,
					i.Sample.Attempts, ended,
					i.Draining)
			}
		}
		if before == 0 || after == 0 {
			t.Errorf("%s: got %d attempts before and %d after, want some", what, before, after)
		}
	}
}
