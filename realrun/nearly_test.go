package realrun

import (
	"bytes"
	"math"
	"sync/atomic"
	"testing"

	"flyball/governor"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// fixed is a governor whose C never changes.
type fixed float64

func (f fixed) Available() float64 { return float64(f) }
func (f fixed) Decide(governor.Sample) governor.Decision {
	return governor.Decision{Available: float64(f)}
}

// A C that is a hair below a whole number does not lose a process, and one that is not keeps its fraction.
func TestNearlyWhole(t *testing.T) {
	for c, want := range map[float64]float64{33.99996: 34, 34: 34, 33.9995: 34, 33.99: 33.99, 33.5: 33.5,
		34.0004: 34.0004, 1: 1} {
		g := (&roles{}).nearly(fixed(c))
		if got, next := g.Available(), g.Decide(governor.Sample{}).Available; got != want || next != want {
			t.Errorf("C = %v: got %v, and %v after a decision, want %v", c, got, next, want)
		}
	}
}

// A guard that fails during a run ends the trial of each law with its interval, before its C counts; the journal has
// it, and gives the same run again.
func TestAGuardEndsATrial(t *testing.T) {
	s, list, _, _ := journaled(t)
	before := s.Governor
	before.Law, before.Start = "hold", 2
	s = s.Tried(governor.Canary{Before: before, Bounces: 1, Deferrals: 1, Deliveries: math.MaxUint64})
	var b bytes.Buffer
	j := NewJournal(&b)
	r, err := New(s, &list, 1000, byNumber{new(atomic.Bool)}, nil, j)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	r.Returns = func(f governor.Flags) {
		if ends++; f&governor.GuardFailed == 0 {
			t.Errorf("got %v", f)
		}
	}
	go r.Do(r.Fail)
	if _, stopped := r.Run(t.Context(), nil); stopped || j.Close() != nil {
		t.Fatal("stopped")
	}
	again, err := Replay(s, &list, bytes.NewReader(b.Bytes()))
	if err != nil || again.Digest() != r.Record().Digest() {
		t.Errorf("the journal gives another run: %v", err)
	}
	returned := 0
	for _, i := range r.Record().Intervals {
		if i.Decision.Flags&governor.GuardFailed != 0 {
			returned++
			if i.Decision.Available != 2 {
				t.Errorf("C is %v after the return, want 2", i.Decision.Available)
			}
		}
	}
	if returned != ends || ends == 0 {
		t.Errorf("%d of 2 servers returned, %d were announced", returned, ends)
	}
}

// A trial goes on where it was, and stays over; a run with another law begins with its first C, and reads what follows.
func TestWhatALawLearnedGoesToTheSameLaw(t *testing.T) {
	of := func(c governor.Config, trial *governor.Canary) near {
		var g governor.Governor
		var err error
		if trial == nil {
			g, err = governor.New(c)
		} else {
			g, err = governor.NewCanary(c, *trial)
		}
		if err != nil {
			t.Fatal(err)
		}
		return (&roles{}).nearly(g).(near)
	}
	c := governor.Default()
	c.Law, c.Start = "hold", 9
	before := c
	before.Start = 4
	trial := &governor.Canary{Before: before, Bounces: 1, Deferrals: 1, Deliveries: 100}
	over := *trial
	over.Over = true
	s := governor.Sample{Span: vt.Minute, TargetRate: 1, Delivered: 60, Attempts: 60, Allocated: 1}
	from := of(c, trial)
	from.Decide(s)
	w := snap.Writer()
	rest := uint64(77)
	from.State(w)
	w.Fields(&rest)
	for what, v := range map[string]struct {
		to   near
		want float64 // after as many deliveries again
	}{"the same trial": {of(c, trial), 4}, "a trial that is over": {of(c, &over), 4}, "no trial": {of(c, nil), 9}} {
		got := uint64(0)
		r := snap.Reader(w.Data())
		v.to.State(r)
		r.Fields(&got)
		if c := v.to.Decide(s).Available; r.Err() != nil || got != 77 || c != v.want {
			t.Errorf("%s: C is %v, want %v; then came %d: %v", what, c, v.want, got, r.Err())
		}
	}
}
