package realrun_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"flyball/realrun"
)

// With one governor and one failure rate for two live servers, C is divided
// without remainder, and a replay of the journal makes the same decisions with
// the same loads.
func TestOneGovernorLive(t *testing.T) {
	t.Parallel()
	s := rehearsal(1500)
	s.Governor.Scope = "cluster"
	s.Governor.Start, s.Governor.Target, s.Governor.D = 20, 20_000, 5
	s.Retry.Policy, s.Retry.Scope, s.Retry.MinAttempts = "dfr", "cluster", 1
	s.Retry.Low = 3
	s.Retry.DFRAbove, s.Retry.DFRBelow = 1.5, 1.2
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	_, _, r := live(t, s, 150, j)
	again := replays(t, s, j, &journal, r)
	load, low := 0.0, 0
	decided := 0
	var parts, delivered float64
	rows := r.Record().Intervals
	for k, i := range rows {
		load = max(load, i.Sample.Load)
		if i.RetryLimit == s.Retry.Low {
			low++
		}
		if o := again.Intervals[k]; !reflect.DeepEqual(i.Sample, o.Sample) || o.Server != i.Server ||
			o.Decision.Available != i.Decision.Available || o.RetryLimit != i.RetryLimit {
			t.Errorf("replayed as\n%+v, was\n%+v", o, i)
		}
		if int(i.Server) < len(s.Servers) {
			parts += i.Decision.Available
			delivered += float64(i.Sample.Delivered)
			continue
		}
		if want := max(2, math.Floor(i.Decision.Available)); parts != want && !i.Partial ||
			delivered != float64(i.Sample.Delivered) {
			t.Errorf("interval %d: the parts are %v and %v deliveries, together %v and %v", i.Number, parts, delivered,
				want, i.Sample.Delivered)
		}
		if !i.Partial {
			decided++
		}
		parts, delivered = 0, 0
	}
	if decided < 3 || low < 3 || !(load > 0 && load <= 1) {
		t.Errorf("%d decisions, %d rows with the low limit, greatest load %v", decided, low, load)
	}
}
