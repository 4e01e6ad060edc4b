package netmodel

import (
	"testing"

	"flyball/internal/vt"
)

// An allowance takes exactly its limit in each window, from its first moment on,
// whatever comes when; a message that something else refuses takes nothing of
// it. The ledger of the test is by hand.
func TestAllowance(t *testing.T) {
	r := receiver(t, func(d *Destination) {
		d.Allowance = Allowance{Limit: 3, Window: vt.Hour, Reply: 550}
		d.Bucket = Bucket{Rate: 3600, Burst: 2, Reply: 421} // two at once, then one a second
	})
	minute := vt.Time(vt.Minute)
	for i, c := range []struct {
		at   vt.Time
		want uint16
	}{
		{1 * minute, 0}, {1 * minute, 0}, {1 * minute, 421}, // the bucket refuses the third
		{2 * minute, 0}, {2 * minute, 550}, {59 * minute, 550}, // three were taken, and the bucket is full
		{60*minute - 1, 550}, {60 * minute, 0}, {60 * minute, 0}, {61 * minute, 0}, {61 * minute, 550},
		{10 * 60 * minute, 0}, // windows in between took none, and leave nothing
		{10 * 60 * minute, 0}, {601 * minute, 0}, {602 * minute, 550},
	} {
		if got := r.offered(c.at, i); got != c.want {
			t.Errorf("message %d at %v: refused with %d at mail, want %d", i, c.at, got, c.want)
		}
	}
}
