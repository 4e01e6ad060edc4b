package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// The long-run results of the policies of [0073], [0074] and [0077].

// flowing is a long list for few processes, with resends so soon that in every
// interval but the first all tries have their final shares.
func flowing(recipients int, d ...config.Destination) *scenarios.Scenario {
	s := plain(recipients)
	s.Governor.Start, s.Governor.Interval = 40, 4*vt.Minute
	s.Retry.Delays = []vt.Span{3 * vt.Second}
	base := s.Destinations[0]
	s.Destinations = nil
	for i, v := range d {
		v.Name, v.Domain = fmt.Sprint("d", i), fmt.Sprint("d", i, ".example")
		v.RTT, v.Banner, v.RCPT, v.Dot = base.RTT, base.Banner, base.RCPT, base.Dot
		s.Destinations = append(s.Destinations, v)
	}
	return s
}

// class is a share of recipients that each try reaches with probability p.
func class(share, p float64) config.Destination {
	d := config.DefaultDestination()
	d.Share = share
	if p == 0 {
		d.Dead = []config.Dead{{Share: 1, At: "rcpt", Reply: 450}}
	} else {
		d.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 1 - p}}
	}
	return d
}

// busyRows are the intervals in which every process had work throughout.
func busyRows(r *record) (rows []runlog.Interval) {
	for _, i := range r.Record().Intervals {
		if !i.Draining && !i.Partial {
			rows = append(rows, i)
		}
	}
	return rows
}

func moves(rows []runlog.Interval) (n int) {
	for i := range rows {
		if i > 0 && rows[i].RetryLimit != rows[i-1].RetryLimit {
			n++
		}
	}
	return n
}

// Where tries succeed independently DFR is 1/p for any limit. So at p = 0.1 the
// limit falls to five at once, DFR stays at ten, and the policy only loses mail:
// it delivers 1 - 0.9^6 instead of 1 - 0.9^11.
func TestDFRPolicyOnlyLosesMailOfAHomogeneousList(t *testing.T) {
	const recipients, p = 30000, 0.1
	s := flowing(recipients, class(1, p))
	s.Retry.Policy = "dfr"
	r := run(t, s)
	rows := busyRows(r)
	for k, i := range rows {
		want := 5
		if k == 0 {
			want = 10
		}
		a := float64(i.Sample.Attempts)
		if sd := math.Sqrt(a * p * (1 - p)); math.Abs(float64(i.Sample.Delivered)-a*p) > 4.5*sd ||
			i.RetryLimit != want {
			t.Errorf("interval %d: %d of %d delivered with limit %d, want DFR 10, limit %d", i.Number,
				i.Sample.Delivered, i.Sample.Attempts, i.RetryLimit, want)
		}
	}
	if len(rows) < 3 {
		t.Fatalf("only %d intervals", len(rows))
	}
	got := float64(r.Record().Count(mail.Done)) / recipients
	if low, high := 1-math.Pow(0.9, 6), 1-math.Pow(0.9, 11); got < low-0.01 || got > low+0.4*(high-low) {
		t.Errorf("%.3f delivered, want near %.3f and far from the %.3f of ten resends", got, low, high)
	}
}

// With a dead share b and all other recipients reached at once, DFR(R) is 1 +
// (R+1) b/(1-b): 2.22, 5.71 and 8.33 with ten resends, 1.67, 3.57 and 5.00 with
// five.
func TestDFROfDeadShares(t *testing.T) {
	for _, v := range []struct{ b, ten, five float64 }{{0.1, 2.22, 1.67}, {0.3, 5.71, 3.57}, {0.4, 8.33, 5.00}} {
		for limit, want := range map[int]float64{10: v.ten, 5: v.five} {
			if x := 1 + float64(limit+1)*v.b/(1-v.b); math.Abs(x-want) > 0.005 {
				t.Fatalf("the formula gives %.3f, want %.2f", x, want)
			}
			s := flowing(20000, class(v.b, 0), class(1-v.b, 1))
			s.Retry.Limit = limit
			r := run(t, s).Record()
			dead, alive := float64(r.Count(mail.Failed)), float64(r.Count(mail.Done))
			if got := float64(r.Attempts()) / alive; math.Abs(got-(1+float64(limit+1)*dead/alive)) > 1e-12 ||
				math.Abs(got/want-1) > 0.04 {
				t.Errorf("dead share %g, limit %d: DFR %.3f, want %.2f", v.b, limit, got, want)
			}
		}
	}
}

// A mix that costs less than four attempts per success with at most six tries
// costs less than seven with at most eleven. So the thresholds 7 and 4 with the
// limits ten and five do not chatter on any list; thresholds that are too close do.
func TestDFRPolicyDoesNotChatter(t *testing.T) {
	mixes := [][]config.Destination{ // about where both thresholds are near, and others
		{class(0.353, 0), class(0.647, 1)}, {class(0.333, 0), class(0.667, 1)}, {class(0.36, 0), class(0.64, 1)},
		{class(0.34, 0), class(0.66, 0.95)},
	}
	luck := rand.New(rand.NewPCG(5, 5))
	for range 6 {
		var mix []config.Destination
		for range 2 + luck.IntN(3) {
			mix = append(mix, class(0.1+luck.Float64(), max(0, 1.2*luck.Float64()-0.2)))
		}
		mixes = append(mixes, append(mix, class(1, 1)))
	}
	lowered := 0
	for k, mix := range mixes {
		s := flowing(60000, mix...)
		s.Retry.Policy = "dfr"
		rows := busyRows(run(t, s))
		if len(rows) < 4 {
			t.Fatalf("mix %d: only %d intervals", k, len(rows))
		}
		if n := moves(rows); n > 1 {
			t.Errorf("mix %d: the limit moves %d times in %d intervals", k, n, len(rows))
		}
		if rows[len(rows)-1].RetryLimit == 5 {
			lowered++
		}
	}
	if lowered < 2 || lowered == len(mixes) {
		t.Errorf("%d of %d mixes lower the limit: the test tests too little", lowered, len(mixes))
	}

	// DFR(10) = 5.71 and DFR(1) = 1.86 for a dead share of 0.3.
	close := flowing(150000, class(0.3, 0), class(0.7, 1))
	close.Retry.Policy, close.Retry.Low, close.Retry.DFRAbove, close.Retry.DFRBelow = "dfr", 1, 5, 4
	often := moves(busyRows(run(t, close)))
	close.Retry.Dwell = 3
	seldom := moves(busyRows(run(t, close)))
	if often < 4 || seldom >= often || seldom == 0 {
		t.Errorf("too close thresholds: %d moves, %d with a dwelling of three intervals", often, seldom)
	}
}

// C falls to 40.5 and then stands, with work for every process. U is 40/40.5
// from then on, which is never below 80 %, so the limit that was lowered on the
// way down stays low; after two calm intervals it is given back.
func TestLimitLatchesAndIsCured(t *testing.T) {
	for _, policy := range []string{"alloc", "util"} {
		for after, want := range map[int]int{0: 5, 2: 10} {
			s := plain(1_000_000)
			s.Horizon = 4 * vt.Hour
			g := &s.Governor
			g.Law, g.Start, g.Interval, g.Target, g.StepMode, g.D =
				"patent-damped", 60, 10*vt.Minute, 40.5*3600, "explicit", 4
			s.Retry.Policy, s.Retry.RestoreAfter = policy, after
			s.Campaigns[0].Subset = 1000 // long enough for U to be above 1
			rows := busyRows(run(t, s))
			lowered, last := false, rows[len(rows)-1]
			for _, i := range rows {
				lowered = lowered || i.RetryLimit == 5
			}
			if !lowered || last.RetryLimit != want || math.Abs(last.Decision.Available-40.5) > 0.01 || len(rows) < 20 {
				t.Errorf("%s, restored after %d: lowered %v, limit %d at C = %.3f after %d intervals, want %d at 40.5",
					policy, after, lowered, last.RetryLimit, last.Decision.Available, len(rows), want)
			}
		}
	}
}
