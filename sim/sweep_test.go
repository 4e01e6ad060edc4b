package sim

import (
	"reflect"
	"testing"

	"flyball/internal/mail"
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
	jobs := []Job{{Scenario: s, Replication: 3}, {Scenario: s}, {Scenario: s, Replication: 1 << 20},
		{Scenario: s, Replication: 3}}
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

// What a run has come to is what its attempts say, counted one by one, and a run that is enough
// ends where it is.
func TestRunsThatAreEnough(t *testing.T) {
	s := eventful(800)
	s.Campaigns[0].Deadline, s.Campaigns[1].Deadline = 4*vt.Minute, 9*vt.Minute
	type event struct {
		at         vt.Time
		refused    bool
		final      bool
		onTime     bool
		ofCampaign int
	}
	var all []event
	first := mail.Recipient(s.Campaigns[0].Recipients) // of the second campaign
	w, err := New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, status mail.Status) {
		e := event{at: now, refused: r.Refused(), final: status != mail.Pending}
		if a.Rcpt >= first {
			e.ofCampaign = 1
		}
		e.onTime = e.final && now <= vt.Time([]vt.Span{4 * vt.Minute, 9 * vt.Minute}[e.ofCampaign])
		all = append(all, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	want := func(now vt.Time) Standing {
		st := Standing{Now: now, Recipients: uint64(s.Recipients())}
		left := []uint64{uint64(s.Campaigns[0].Recipients), uint64(s.Campaigns[1].Recipients)}
		for _, e := range all {
			if e.at > now {
				continue
			}
			st.Attempts++
			if e.refused {
				st.Refused++
			}
			if e.final {
				st.Final++
			}
			if e.onTime {
				left[e.ofCampaign]--
			}
		}
		for i, due := range []vt.Span{4 * vt.Minute, 9 * vt.Minute} {
			if now > vt.Time(due) {
				st.Late += left[i]
			}
		}
		return st
	}
	var b Batches
	calls := 0
	done, err := RunBatch(&b, []Job{{Scenario: s, Enough: func(st Standing) bool {
		if calls++; st != want(st.Now) {
			t.Errorf("got %+v, want %+v", st, want(st.Now))
		}
		return st.Late > 0 && st.Now > vt.Time(9*vt.Minute)
	}}}, 1, func(_ uint64, w *World, end vt.Time) vt.Time { return end }, func(end vt.Time) {
		if end <= vt.Time(9*vt.Minute) || want(end).Final == uint64(s.Recipients()) {
			t.Errorf("ended at %s with %+v, want at once when it is enough", end, want(end))
		}
	}, nil)
	if err != nil || done != 1 || calls < 5 {
		t.Errorf("%d runs, asked %d times: %v", done, calls, err)
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
