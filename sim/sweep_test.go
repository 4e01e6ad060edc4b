package sim

import (
	"reflect"
	"testing"

	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// Every run of a sweep is the run of its scenario and replication, in order, for
// any number of workers and any first run.
func TestSweepInOrder(t *testing.T) {
	var all []*scenarios.Scenario
	for _, target := range []float64{20000, 30000, 20000} {
		s := eventful(800)
		s.Governor.Target = unit.PerHour(target)
		if len(all) == 1 { // another world
			s.Destinations[0].RTT.Mean *= 2
		}
		all = append(all, s)
	}
	total := uint64(all[0].Recipients())
	const replications = 3
	var want []summary
	for i, s := range all {
		for r := range uint64(replications) {
			w, err := New(s, r, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			end, _ := w.Run(nil)
			want = append(want, summarize(total)(uint64(i)*replications+r, w, end))
		}
	}
	if want[0].Digest == want[1].Digest || want[0].Digest == want[3].Digest {
		t.Fatal("runs that should differ do not")
	}
	if want[0].Digest != want[6].Digest {
		t.Fatal("equal scenarios have different luck")
	}
	for _, workers := range []int{1, 2, 7} {
		for _, from := range []uint64{0, 4, 9} {
			var got []summary
			done, err := Sweep(all, replications, from, workers, summarize(total),
				func(v summary) { got = append(got, v) }, nil)
			if err != nil || done != uint64(len(want))-from ||
				!reflect.DeepEqual(got, append([]summary(nil), want[from:]...)) {
				t.Errorf("%d workers from %d: %d done, %v\n got %v\nwant %v", workers, from, done, err, got,
					want[from:])
			}
		}
	}
}

// A batch makes the runs of its jobs, in order, and so does the next batch, with
// the networks that the first one has built.
func TestBatchInOrder(t *testing.T) {
	s := eventful(800)
	total := uint64(s.Recipients())
	jobs := []Job{{s, 3, nil}, {s, 0, nil}, {s, 1 << 20, nil}, {s, 3, nil}}
	var want []uint64
	for _, j := range jobs {
		w, err := New(j.Scenario, j.Replication, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.Run(nil)
		want = append(want, summarize(total)(0, w, end).Digest)
	}
	var b Batches
	for _, workers := range []int{1, 3} {
		var got []uint64
		done, err := RunBatch(&b, jobs, workers, summarize(total), func(v summary) { got = append(got, v.Digest) }, nil)
		if err != nil || done != 4 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: %d done, %v, got %v, want %v", workers, done, err, got, want)
		}
	}
}

// The shelf returns the same network for equal configurations and different
// networks for others, and its size is bounded.
func TestShelf(t *testing.T) {
	var l shelf
	a, b := eventful(10), eventful(10)
	first := l.physics(a)
	if l.physics(b) != first {
		t.Error("equal worlds are built twice")
	}
	b.Destinations[0].Cap++
	if l.physics(b) == first {
		t.Error("another cap is the same world")
	}
	for i := range 2 * mostKept {
		b.Network.PerHop = vt.Span(1000 + i)
		l.of(b.Netmodel())
		if i < mostKept/2 && l.physics(a) != first {
			t.Fatal("a world that is in use was forgotten")
		}
	}
	if len(l.latest) != mostKept {
		t.Errorf("%d worlds kept, want %d", len(l.latest), mostKept)
	}
}
