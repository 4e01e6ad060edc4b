package netmodel

import (
	"testing"

	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// A receiver refuses by its penalty with 421 4.7.28, and takes messages again after
// the pause; the rate is the throttle's.
func TestPenaltyOfAReceiver(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Recent = vt.Minute
		d.Penalty.Rate = 3600 // the sum of a minute's half-life is above 86.6 messages
		d.Penalty.Connections = 2
	})
	refused := 0
	for i := range 100 {
		v := r.message(0, i)
		switch {
		case v.fail == noEnding:
		case v.fail.code() != 421 || r.facts.answers[v.fail.answer()].status.String() != "4.7.28":
			t.Fatalf("refused with %d and answer %d, want 421 4.7.28", v.fail.code(), v.fail.answer())
		default:
			refused++
		}
	}
	if refused != 100-87 {
		t.Errorf("%d of 100 messages at once refused, want those after the 87th: 13", refused)
	}
	r.check(t, []offer{{10*minute - 1, 421}, {10 * minute, 0}})
}
