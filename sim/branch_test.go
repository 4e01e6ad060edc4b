package sim_test

import (
	"fmt"
	"math"
	"reflect"
	"sync/atomic"
	"testing"

	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/sim"
)

// whole is everything that was recorded of a run.
type whole struct {
	run  runlog.Run
	rows string // of its intervals, as text, in which NaN equals NaN
}

func wholeOf(s *scenarios.Scenario, w *sim.World, end vt.Time) whole {
	r := runlog.Run{End: end, Campaigns: stated.Campaigns(s, w.List().Len())}
	w.Record().Fold(&r, uint64(w.List().Len()), 0)
	rows := fmt.Sprintf("%+v", r.Intervals)
	r.Intervals = nil
	return whole{r, rows}
}

// other returns s with another target, max or start of its governor.
func (d *dice) other(t *testing.T, s *scenarios.Scenario) *scenarios.Scenario {
	v, err := s.Changed(func(s *scenarios.Scenario) {
		g := &s.Governor
		switch d.IntN(5) {
		case 0:
			g.Start = max(1, g.Start+float64(d.between(-1, 1)))
		case 1, 2:
			g.Target = unit.PerHour(float64(g.Target) * math.Exp(2*d.Float64()-1))
		default:
			g.Max = float64(d.between(1, 2*int(g.Start)+4))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A run that branches off from runs of other settings is, to the last row, the run from the start,
// for any governor; some branch before their end.
func TestBranchesAreWholeRuns(t *testing.T) {
	var before, at atomic.Int64
	eachScenario(t, howMany(t, 5, 150), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		var b sim.Batches
		b.KeepEvery(40)
		for k := range 3 {
			jobs := []sim.Job{{Scenario: s, Branches: true}, {Scenario: d.other(t, s), Branches: true}}
			jobs[1].Replication = uint64(d.IntN(4) / 3) // seldom one with other draws
			if k == 0 {                                 // a run that is cut short is one to branch from, too
				jobs[1].Enough = func(run sim.Standing) bool { return 3*run.Final > run.Recipients }
			}
			runs := 0
			_, err := sim.RunBatch(&b, jobs, 2, func(i uint64, w *sim.World, end vt.Time) whole {
				return wholeOf(jobs[i].Scenario, w, end)
			}, func(got whole) {
				j := jobs[runs]
				runs++
				if j.Enough != nil {
					return
				}
				s := j.Scenario
				w, err := sim.New(s, j.Replication, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				end, _ := w.Run(nil)
				if want := wholeOf(s, w, end); !reflect.DeepEqual(got, want) {
					t.Errorf("batch %d, run %d of 2, target %s, max %g, start %g: digest %x, want %x", k, runs,
						s.Governor.Target, s.Governor.Max, s.Governor.Start, got.run.Digest, want.run.Digest)
				}
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
		}
		if b.Branched() > 0 && b.Branched() < 2 {
			t.Errorf("%d of 2 repeated runs branched", b.Branched())
		}
		at.Add(2)
		before.Add(int64(max(0, b.Branched()-2)))
	})
	t.Logf("%d runs branched before their end, %d repeated", before.Load(), at.Load())
	// a few scenarios may have none; TestBranchesWhereALimitBinds always has some
	if at.Load() >= 100 && before.Load() < at.Load()/10 {
		t.Errorf("%d runs branched beside %d that were repeated, want more", before.Load(), at.Load())
	}
}

// Limits of C that bind from a later decision on let runs branch there, and not behind.
func TestBranchesWhereALimitBinds(t *testing.T) {
	base := load(t, "quickstart", "campaign[0].recipients=4000", "governor.interval=65s", "governor.step=explicit",
		"governor.d=5", "governor.target=1000000/h")
	var b sim.Batches
	b.KeepEvery(1)
	digests := map[uint64]bool{}
	for most := 60; most > 40; most -= 3 {
		s, err := base.With(fmt.Sprintf("governor.max=%d", most))
		if err != nil {
			t.Fatal(err)
		}
		w := finished(t, s, 0)
		want := w.Record().Digest()
		digests[want] = true
		if _, err := sim.RunBatch(&b, []sim.Job{{Scenario: s, Branches: true}}, 1,
			func(_ uint64, w *sim.World, _ vt.Time) uint64 { return w.Record().Digest() }, func(got uint64) {
				if got != want {
					t.Errorf("max %d: digest %x, want %x", most, got, want)
				}
			}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(digests) < 4 || b.Branched() != 6 {
		t.Errorf("%d different runs, %d branched, want 4 or more, and 6", len(digests), b.Branched())
	}
}

// A run does not branch off from a run of the same setting with other draws.
func TestRunsWithOtherDrawsDoNotBranch(t *testing.T) {
	s := load(t, "quickstart", "campaign[0].recipients=2000", "governor.interval=65s")
	var b sim.Batches
	b.KeepEvery(1)
	for r := range uint64(3) {
		w := finished(t, s, r)
		if _, err := sim.RunBatch(&b, []sim.Job{{Scenario: s, Replication: r, Branches: true}}, 1,
			func(_ uint64, w *sim.World, _ vt.Time) uint64 { return w.Record().Digest() }, func(got uint64) {
				if want := w.Record().Digest(); got != want {
					t.Errorf("replication %d: digest %x, want %x", r, got, want)
				}
			}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if b.Branched() > 0 {
		t.Errorf("%d runs branched, want none", b.Branched())
	}
}
