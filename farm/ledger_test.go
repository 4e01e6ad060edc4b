package farm

import (
	"bytes"
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/internal/longtest"
)

// hand is a worker in virtual time.
type hand struct {
	name  string
	each  time.Duration // that a job takes
	lies  float64       // share of its results that are false
	dies  time.Duration // when; 0: never
	made  int
	false int
}

// shop is a ledger with workers in virtual time.
type shop struct {
	ledger *Ledger
	at     time.Duration
	events turns
	luck   *rand.Rand
	got    [][]byte
	busy   time.Duration // of all workers
}

type turn struct {
	at   time.Duration
	nth  int
	hand *hand
	jobs []int
}

type turns []turn

func (t turns) Len() int { return len(t) }
func (t turns) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].nth < t[j].nth
}
func (t turns) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)   { *t = append(*t, x.(turn)) }
func (t *turns) Pop() any {
	x := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return x
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func record(i int) []byte { return fmt.Appendf(nil, "result of %d", i) }

// work has n jobs done and returns how long it took. An own worker takes what the coordinator must do.
func work(t *testing.T, n int, seed uint64, hands ...*hand) *shop {
	t.Helper()
	c := Default()
	c.Seed = seed
	s := &shop{ledger: newLedger(c), luck: rand.New(rand.NewPCG(seed, 99))}
	s.ledger.Add(n)
	for i, h := range hands {
		heap.Push(&s.events, turn{0, i, h, nil})
	}
	nth := len(hands)
	for !s.ledger.Done() {
		if len(s.events) == 0 || s.at > 1000*time.Hour {
			t.Fatalf("nobody goes on: %d jobs are open after %s", s.ledger.open, s.at)
		}
		e := heap.Pop(&s.events).(turn)
		s.at = e.at
		now := epoch.Add(s.at)
		nth++
		next := turn{nth: nth, hand: e.hand}
		if h := e.hand; h.name == Own {
			s.report(now, h, e.jobs)
			next.jobs = s.ledger.LeaseOwn(now, "own")
		} else {
			if h.dies > 0 && s.at >= h.dies {
				continue
			}
			s.report(now, h, e.jobs)
			next.jobs = s.ledger.Lease(now, h.name, "1")
		}
		took := time.Duration(len(next.jobs)) * e.hand.each
		s.busy += took
		next.at = s.at + max(took, 200*time.Millisecond)
		heap.Push(&s.events, next)
		s.deliver()
	}
	s.deliver()
	return s
}

func (s *shop) report(now time.Time, h *hand, jobs []int) {
	var all []Result
	for _, i := range jobs {
		r := record(i)
		if h.made++; s.luck.Float64() < h.lies {
			h.false++
			r = fmt.Appendf(nil, "false result of %d", i)
		}
		all = append(all, Result{Number: i, Record: r})
	}
	s.ledger.Report(now, h.name, "1", all)
	if h.name == Own {
		s.ledger.Report(now, h.name, "own", all)
	}
}

func (s *shop) deliver() {
	if from, some := s.ledger.Withdrawn(); some {
		s.got = s.got[:from]
	}
	for {
		i, r, ok := s.ledger.Next()
		if !ok {
			return
		}
		if i != len(s.got) {
			panic("out of order")
		}
		s.got = append(s.got, r)
	}
}

// whole fails unless the results are those of one machine.
func (s *shop) whole(t *testing.T, n int) {
	t.Helper()
	if len(s.got) != n {
		t.Fatalf("got %d results, want %d", len(s.got), n)
	}
	for i, r := range s.got {
		if !bytes.Equal(r, record(i)) {
			t.Fatalf("job %d: got %q", i, r)
		}
	}
}

func own() *hand { return &hand{name: Own, each: 100 * time.Millisecond} }

// The results are those of one machine, in the order of the jobs, with any workers.
func TestResultsInOrder(t *testing.T) {
	for seed := range uint64(50) {
		luck := rand.New(rand.NewPCG(seed, 1))
		hands := []*hand{own()}
		for i := range 1 + luck.IntN(5) {
			each := time.Duration(1+luck.IntN(500)) * time.Millisecond
			hands = append(hands, &hand{name: fmt.Sprint("w", i), each: each})
			if i > 0 && luck.IntN(2) == 0 {
				hands[i+1].dies = time.Duration(1 + luck.IntN(int(20*time.Second)))
			}
		}
		s := work(t, 300, seed, hands...)
		s.whole(t, 300)
		if len(s.ledger.Barred()) > 0 {
			t.Errorf("seed %d: honest workers are barred: %v", seed, s.ledger.Barred())
		}
	}
}

// The number of results that are made again is as in the formula: with 10 % false results of 1,000, a worker is
// missed in fewer than 1 of 100 studies.
func TestFormulaOfChecks(t *testing.T) {
	const wanted = 44 // 0.9^43 = 0.0108, 0.9^44 = 0.0097
	for seed := range uint64(20) {
		s, n := newSampler(seed, 3), 0
		for range 1000 {
			if s.next() {
				n++
			}
		}
		if n < wanted || n > 1000/stratum+2 {
			t.Errorf("%d of 1,000 results are made again, want at least %d and hardly more", n, wanted)
		}
	}
}

// A worker that falsifies 10 % of its 1,000 results is found in at least 99 of 100 studies, named, and its results are
// made again.
func TestLiarsAreFound(t *testing.T) {
	studies := longtest.Or(300, 5000)
	missed, late := 0, 0
	for seed := range uint64(studies) {
		liar := &hand{name: "liar", each: 100 * time.Millisecond, lies: 0.1}
		s := work(t, 2000, seed, own(), liar, &hand{name: "honest", each: 100 * time.Millisecond})
		barred := s.ledger.Barred()
		switch {
		case len(barred) == 0:
			missed++
			if liar.made < 900 {
				t.Fatalf("seed %d: only %d results of the liar", seed, liar.made)
			}
		case len(barred) > 1 || barred[0].Name != "liar":
			t.Fatalf("seed %d: barred are %v", seed, barred)
		default:
			s.whole(t, 2000)
			late = max(late, liar.made)
		}
	}
	t.Logf("missed in %d of %d studies, bound %.2f %%; found after at most %d results", missed, studies,
		100*math.Pow(0.9, 1000/stratum+1), late)
	if 100*missed > studies {
		t.Errorf("missed in %d of %d studies, want at most 1 of 100", missed, studies)
	}
}

// A worker whose every result is false is found by its first one, even if it is alone.
func TestWrongFromTheStart(t *testing.T) {
	liar := &hand{name: "liar", each: 10 * time.Millisecond, lies: 1}
	s := work(t, 50, 1, &hand{name: Own, each: 10 * time.Millisecond}, liar,
		&hand{name: "late", each: 10 * time.Millisecond})
	s.whole(t, 50)
	if b := s.ledger.Barred(); len(b) != 1 || b[0].Name != "liar" {
		t.Errorf("barred are %v", b)
	}
}

// What a liar has confirmed does not count as confirmed, and two liars with the same false result do not help each
// other once both are known.
func TestLiarsConfirmNothing(t *testing.T) {
	l := newLedger(Default())
	l.Add(2)
	now := epoch
	l.Lease(now, "a", "1")
	l.Report(now, "a", "1", []Result{{Number: 0, Record: []byte("false")}})
	l.Lease(now, "b", "1") // the first result of each worker is made again
	l.Report(now, "b", "1", []Result{{Number: 0, Record: []byte("false")}})
	if i, r, ok := l.Next(); !ok || i != 0 || string(r) != "false" {
		t.Fatal(i, r, ok)
	}
	l.Bar("b", "caught")
	if _, some := l.Withdrawn(); some || l.jobs[0].need != aCheck {
		t.Errorf("a result that only a liar has confirmed: it needs %d", l.jobs[0].need)
	}
	l.Bar("a", "caught")
	if from, some := l.Withdrawn(); !some || from != 0 {
		t.Errorf("withdrawn from %d: %v", from, some)
	}
	jobs := l.Lease(now, Own, "1")
	l.Report(now, Own, "1", []Result{{Number: jobs[0], Record: record(0)}})
	if _, r, ok := l.Next(); !ok || !bytes.Equal(r, record(0)) {
		t.Errorf("got %q", r)
	}
}

// A silent worker keeps its jobs until its lease ends, and one that is heard of keeps them longer.
func TestLeases(t *testing.T) {
	c := Default()
	l := newLedger(c)
	l.Add(1)
	if jobs := l.Lease(epoch, "a", "1"); len(jobs) != 1 {
		t.Fatal(jobs)
	}
	at := epoch.Add(c.Silence)
	if jobs := l.Lease(at, "b", "1"); len(jobs) > 0 {
		t.Errorf("another worker gets %v within the lease", jobs)
	}
	l.Alive(at, "a", "1")
	at = at.Add(c.Silence)
	if jobs := l.Lease(at, "b", "1"); len(jobs) > 0 {
		t.Errorf("another worker gets %v within the second lease", jobs)
	}
	if jobs := l.Lease(at.Add(1), "b", "1"); !slices.Equal(jobs, []int{0}) {
		t.Errorf("after the lease another worker gets %v", jobs)
	}
	l.Report(at, "a", "1", []Result{{Number: 0, Record: record(0)}}) // late, and as good as any
	if _, r, ok := l.Next(); !ok || !bytes.Equal(r, record(0)) {
		t.Errorf("got %q", r)
	}
}

// The check of a worker that takes much longer than it used to is given to another one.
func TestLateChecks(t *testing.T) {
	l := newLedger(Default())
	l.Add(2)
	report := func(at time.Time, name string, n int) {
		l.Report(at, name, "1", []Result{{Number: n, Record: record(n)}})
	}
	at := epoch.Add(time.Second)
	l.Lease(epoch, "a", "1")
	l.Lease(epoch, "b", "1")
	report(at, "a", 0)
	report(at, "b", 1)
	if jobs := l.Lease(at, "b", "1"); !slices.Equal(jobs, []int{0}) {
		t.Fatalf("b is to check %v", jobs)
	}
	l.Lease(at, "c", "1")
	report(at, "c", 1)
	if jobs := l.Lease(at.Add(3*time.Second), "c", "1"); len(jobs) > 0 {
		t.Errorf("c gets %v while b is not late", jobs)
	}
	if jobs := l.Lease(at.Add(5*time.Second), "c", "1"); !slices.Equal(jobs, []int{0}) {
		t.Errorf("c gets %v when b is late", jobs)
	}
}

// A job that fails on a worker is done by the coordinator, which sees whether it was the job or the worker.
func TestFailures(t *testing.T) {
	l := newLedger(Default())
	l.Add(1)
	l.Lease(epoch, "a", "1")
	l.Report(epoch, "a", "1", []Result{{Number: 0, Failed: "no memory"}})
	if jobs := l.Lease(epoch, "b", "1"); len(jobs) > 0 {
		t.Errorf("another worker gets %v", jobs)
	}
	if jobs := l.LeaseOwn(epoch, "1"); !slices.Equal(jobs, []int{0}) {
		t.Fatalf("got %v", jobs)
	}
	l.Report(epoch, Own, "1", []Result{{Number: 0, Record: record(0)}})
	if b := l.Barred(); len(b) != 1 || b[0].Why != "job 0 fails there and not here: no memory" || !l.Done() {
		t.Errorf("got %v, done: %v", b, l.Done())
	}
}

// If 30 % of the workers are killed, the others take at most 10 % longer than they would need for what is left, and at
// most 10 % of the work is done in vain.
func TestKilledWorkers(t *testing.T) {
	worst, vain := 0.0, 0.0
	for seed := range uint64(longtest.Or(20, 200)) {
		luck := rand.New(rand.NewPCG(seed, 2))
		const n, each = 6000, 100 * time.Millisecond
		hands := []*hand{own()}
		capacity := 0.0 // the share of the work that those who die did before
		for i := range 10 {
			h := &hand{name: fmt.Sprint("w", i), each: each}
			if i < 3 {
				h.dies = time.Duration(1 + luck.IntN(int(60*time.Second)))
				capacity += h.dies.Seconds()
			}
			hands = append(hands, h)
		}
		s := work(t, n, seed, hands...)
		s.whole(t, n)
		needed := (n*each.Seconds() - capacity) / 7
		worst = max(worst, s.at.Seconds()/needed-1)
		vain = max(vain, s.busy.Seconds()/(n*each.Seconds())-1)
	}
	t.Logf("at most %.1f %% longer, at most %.1f %% of the work in vain, what is made again included", 100*worst,
		100*vain)
	if worst > 0.1 || vain > 0.1 {
		t.Errorf("got %.1f %% longer and %.1f %% in vain, want at most 10 %%", 100*worst, 100*vain)
	}
}
