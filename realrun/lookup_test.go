package realrun_test

import (
	"bytes"
	"testing"

	"flyball/internal/vt"
	"flyball/netmodel/delay"
	"flyball/realrun"
)

// A live run measures its look-ups, and the record has their mean in each interval: no
// less than the name servers take, and nothing where connections are kept. A replay of
// the journal has the same.
func TestLookupsAreMeasured(t *testing.T) {
	t.Parallel()
	const takes = 4 * vt.Second
	s := rehearsal(300)
	s.Network.DNS.HitRatio, s.Network.DNS.Miss = 0, delay.Constant(takes)
	s.Dialogue.Messages = 1
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	_, _, r := live(t, s, 100, j)
	measured := 0
	for _, i := range r.Record().Intervals {
		if i.Sample.LookupTime == 0 {
			continue
		}
		measured++
		if i.Sample.LookupTime < takes || i.Sample.Hops != 0 {
			t.Errorf("server %d interval %d: look-ups of %s, %g hops; want %s at least, and no hops", i.Server,
				i.Number, i.Sample.LookupTime, i.Sample.Hops, takes)
		}
	}
	if measured < 2 {
		t.Errorf("%d intervals have look-ups, want some of each server", measured)
	}
	again := replays(t, s, j, &journal, r).Intervals
	for n, i := range r.Record().Intervals {
		if again[n].Sample.LookupTime != i.Sample.LookupTime {
			t.Errorf("server %d interval %d: look-ups of %s in the replay, %s in the run", i.Server, i.Number,
				again[n].Sample.LookupTime, i.Sample.LookupTime)
		}
	}
}
