package runlog

import (
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Who needs another resend is not final yet. By hand: 1,000 recipients, all deferred at first and half of
// the resends again, the second of which nothing follows; first tries lie evenly over 1,000 s.
// 500 are final 100 s after their first try and 500 after 400 s, so after the last first try 500
// x 100 / 1,000 + 500 x 400 / 1,000 are left, and 300 s later 500 x 100 / 1,000.
func TestResendsThatAreLeft(t *testing.T) {
	f := forecast{Sending: Sending{Delays: []vt.Span{100 * vt.Second, 300 * vt.Second}, Limit: 2}, total: 1000}
	f.again = []resends{{{999_999, 500_000}}}
	by := []Destination{{}}
	by[0].First[mail.Pending] = 1000
	left := f.tail(vt.Time(600*vt.Second), float64(400*vt.Second), by)
	for after, want := range map[vt.Span]float64{0: 250, 300 * vt.Second: 50, 400 * vt.Second: 0} {
		if got := left.expected(float64(after)); math.Abs(got-want) > 0.1 {
			t.Errorf("%v after the last first try %.2f are left, want %v", after, got, want)
		}
	}
	if at := left.at(50); at < 299*vt.Second || at > 301*vt.Second {
		t.Errorf("50 are left after %v, want 5 min", at)
	}
}
