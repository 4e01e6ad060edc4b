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
	"flyball/sim"
)

// whole is everything that was recorded of a run.
type whole struct {
	run  runlog.Run
	rows string // of its intervals, as text, in which NaN equals NaN
}

func wholeOf(s *scenarios.Scenario, w *sim.World, end vt.Time) whole {
	r := runlog.Run{End: end, Campaigns: s.CampaignsOf(w.List().Len())}
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
	eachScenario(t, howMany(t, 15, 150), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		var b sim.Batches
		b.KeepEvery(40)
		for k := range 3 {
			jobs := []sim.Job{{Scenario: s, Branches: true}, {Scenario: d.other(t, s), Branches: true}}
			runs := 0
			_, err := sim.RunBatch(&b, jobs, 2, func(i uint64, w *sim.World, end vt.Time) whole {
				return wholeOf(jobs[i].Scenario, w, end)
			}, func(got whole) {
				s := jobs[runs].Scenario
				w, err := sim.New(s, 0, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				end, _ := w.Run(nil)
				if want := wholeOf(s, w, end); !reflect.DeepEqual(got, want) {
					t.Errorf("batch %d, run %d, target %s, max %g, start %g: digest %x, want %x", k, runs, s.Governor.Target,
						s.Governor.Max, s.Governor.Start, got.run.Digest,
						want.run.Digest)
				}
				runs++
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
	if before.Load() < at.Load()/10 {
		t.Errorf("%d runs branched beside %d that were repeated, want more", before.Load(), at.Load())
	}
}
