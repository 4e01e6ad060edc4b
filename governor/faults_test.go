package governor_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/governor"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// A law behind a fault decides as the same law does on the samples that the
// fault makes, written out by hand.
func TestFaultsMislead(t *testing.T) {
	for _, law := range []string{"patent-damped", "pi", "regulator", "gradient2", "aimd"} {
		c := governor.Default()
		c.Law, c.StepMode, c.D, c.Start, c.Max = law, "explicit", 8, 60, 150
		c.Faults = []governor.Fault{{Interval: 9, Kind: "reset"}, {Interval: 3, Kind: "missed"},
			{Interval: 5, Kind: "duplicate"},
			{Interval: 6, Kind: "missed"}, {Interval: 7, Kind: "missed"}, {Interval: 12, Kind: "missed"},
			{Interval: 13, Kind: "reset"}}
		faulty, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Faults = nil
		plain, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		luck := rand.New(rand.NewPCG(7, 7))
		samples := make([]governor.Sample, 20)
		for i := range samples {
			s := &samples[i]
			*s = governor.Sample{Span: 3 * vt.Hour, TargetRate: 140_000, Allocated: 100 + float64(luck.IntN(40)),
				Delivered: 400_000 + luck.Uint64N(50_000),
				Retries:   luck.Uint64N(100), Deferrals: luck.Uint64N(100), Bounces: luck.Uint64N(100),
				Refusals: luck.Uint64N(100), Timeouts: luck.Uint64N(100),
				AttemptTime: vt.Span(luck.IntN(5)+1) * vt.Second, LookupTime: vt.Span(luck.IntN(90)) * vt.Millisecond,
				Hops: 10 + float64(luck.IntN(9))}
			s.Attempts = s.Delivered + 5000
		}
		together := func(all ...governor.Sample) governor.Sample {
			sum := governor.Sample{TargetRate: 140_000}
			var took, lookup, hops float64
			for _, s := range all {
				sum.Span += s.Span
				sum.Delivered, sum.Attempts = sum.Delivered+s.Delivered, sum.Attempts+s.Attempts
				sum.Retries, sum.Deferrals, sum.Bounces = sum.Retries+s.Retries, sum.Deferrals+s.Deferrals,
					sum.Bounces+s.Bounces
				sum.Refusals, sum.Timeouts = sum.Refusals+s.Refusals, sum.Timeouts+s.Timeouts
				sum.Allocated += s.Allocated / float64(len(all))
				took += float64(s.AttemptTime) * float64(s.Attempts)
				lookup += float64(s.LookupTime) * float64(s.Attempts)
				hops += s.Hops * float64(s.Attempts)
			}
			n := float64(sum.Attempts)
			sum.AttemptTime, sum.LookupTime, sum.Hops = vt.Span(took/n), vt.Span(lookup/n), hops/n
			return sum
		}
		for i, s := range samples {
			told, times, flag := s, 1, governor.Flags(0)
			switch i {
			case 3, 6, 7, 12:
				times, flag = 0, governor.Missed
			case 4:
				told = together(samples[3], s)
			case 5:
				times, flag = 2, governor.Duplicate
			case 8:
				told = together(samples[6:9]...)
			case 9:
				told, flag = governor.Sample{Span: s.Span, TargetRate: s.TargetRate, Allocated: s.Allocated},
					governor.Reset
			case 13:
				told, flag = governor.Sample{Span: 6 * vt.Hour, TargetRate: s.TargetRate,
					Allocated: (samples[12].Allocated + s.Allocated) / 2}, governor.Reset
			}
			before := plain.Available()
			for range times {
				plain.Decide(told)
			}
			d := faulty.Decide(s)
			if !alike(d.Available, plain.Available()) || !alike(d.Previous, before) ||
				d.Flags&(governor.Missed|governor.Duplicate|governor.Reset) != flag {
				t.Fatalf("%s, interval %d: %+v, want C from %g to %g with flag %q", law, i, d, before,
					plain.Available(), flag)
			}
			if times == 0 && (d.Rate != float64(s.Delivered)/3 || d.Allocated != s.Allocated || d.Step != 0) {
				t.Errorf("%s, interval %d: %+v", law, i, d)
			}
		}
	}
}

func alike(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

// Samples of missed intervals are part of the saved state.
func TestAMisledGovernorIsSavedWhole(t *testing.T) {
	c := governor.Default()
	c.Faults = []governor.Fault{{Interval: 1, Kind: "missed"}, {Interval: 2, Kind: "missed"},
		{Interval: 4, Kind: "reset"}}
	for at := range 6 {
		one, _ := governor.New(c)
		two, _ := governor.New(c)
		for i := range 8 {
			if i == at {
				saved, restored := snap.Writer(), governor.Governor(nil)
				two.(governor.Keeper).State(saved)
				restored, _ = governor.New(c)
				restored.(governor.Keeper).State(snap.Reader(bytes.Clone(saved.Data())))
				two = restored
			}
			s := governor.Sample{Span: 3 * vt.Hour, Delivered: uint64(150_000 + 10_000*i), Attempts: 300_000,
				Allocated: 50 + float64(i)}
			if a, b := fmt.Sprint(one.Decide(s)), fmt.Sprint(two.Decide(s)); a != b {
				t.Errorf("saved before interval %d, then in interval %d: %s, want %s", at, i, b, a)
			}
		}
	}
}
