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

// The last of several servers ends later than each is expected to. By hand, for two whose ends are
// normal with the same mean and a standard deviation of 100 s: both have ended by a time with
// the square of the chance of one, so the median is where one has 0.7071, 54.5 s later, and the
// interval goes from 0.2236 to 0.9747, 76.0 s earlier to 195.4 s later.
func TestForecastOfTheLastServer(t *testing.T) {
	at := vt.Time(10_000 * vt.Second)
	one := Forecast{at, at.Add(-164485 * vt.Millisecond), at.Add(164485 * vt.Millisecond)}
	record := func(f Forecast, total uint64) *Recorder {
		r := NewRecorder(1, nil)
		r.HandsOver(0, total)
		r.forecast.last = f
		return r
	}
	both := LastOf([]*Recorder{record(one, 5), record(Forecast{}, 0), record(one, 5)})
	for _, v := range []struct {
		got  vt.Time
		want float64
	}{{both.Finish, 54.5}, {both.Low, -76.0}, {both.High, 195.4}} {
		if got := v.got.Sub(at).Seconds(); math.Abs(got-v.want) > 0.1 {
			t.Errorf("%.1f s after the estimate of one, want %.1f s", got, v.want)
		}
	}
	if f := LastOf([]*Recorder{record(one, 5), record(Forecast{}, 0)}); f != one {
		t.Errorf("a server without mail moves the end to %+v", f)
	}
	if f := LastOf([]*Recorder{record(one, 5), record(Forecast{}, 5)}); f.Known() {
		t.Errorf("got %+v, though a server with mail has no estimate", f)
	}
}
