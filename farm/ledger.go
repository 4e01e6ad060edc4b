// Package farm has numbered jobs done by any number of workers that come, go and die at any time, and returns the
// results in the order of the jobs. A job is deterministic: who does it, and how often, changes nothing, so a job whose
// worker has fallen silent is given to another one. A share of each worker's results is made again elsewhere; a worker
// that is found to compute wrongly is named, and its results are made again.
//
// Ledger decides who does what, without clock and network. Coordinator gives it both, over a bus; Work is the other
// end.
package farm

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Config is how jobs are given out.
type Config struct {
	Silence time.Duration // after which a worker's jobs are given to others
	Batch   time.Duration // work that a worker takes at a time
	Most    int           // jobs that it takes at a time, at most
	Seed    uint64        // of the choice of what is made again
}

// Default returns the configuration for jobs of any length, with a seed that a worker could guess.
func Default() Config { return Config{Silence: 10 * time.Second, Batch: time.Second, Most: 256} }

// Own is the name of the coordinator's own process, whose results are taken to be right.
const Own = ""

// Ledger knows of each job who does it, what came of it, and who has confirmed that. Jobs are numbered from 0. The time
// is an argument and must not fall. A Ledger is not safe for concurrent use.
type Ledger struct {
	config    Config
	jobs      []job
	fresh     int          // the first job that was never given out
	waiting   [needs][]int // jobs, in order, that need something and have no holder
	open      int          // jobs that need something
	workers   []*worker    // the coordinator's own process first
	delivered int          // results that Next has returned
	withdrawn int          // the least job that Next has returned and whose result was withdrawn since; -1: none
}

// need is what a job lacks.
type need int

const (
	aResult  need = iota
	aCheck        // by another worker
	theTruth      // by the coordinator: workers disagree, or one failed
	nothing
	needs = nothing
)

type job struct {
	need      need
	result    []byte
	by        *worker   // whose result it is
	confirmed *worker   // another worker with the same result; nil: none
	wanted    bool      // it is to be made again elsewhere
	holders   []*holder // who does it now
	claims    []claim   // results that differ, and failures
}

type claim struct {
	by     *worker
	result Result
}

type worker struct {
	name    string
	barred  string // why it gets nothing any more
	seen    time.Time
	sampler *sampler
	each    time.Duration // how long a job takes it; 0: unknown
	holders []*holder
}

// holder is one slot of a worker, which does one batch of jobs at a time.
type holder struct {
	of           *worker
	slot         string
	jobs         []int
	since, until time.Time
}

// Result is what became of one job.
type Result struct {
	Number int
	Record []byte
	Failed string // why there is no record
}

// newLedger returns a ledger without jobs.
func newLedger(c Config) *Ledger {
	return &Ledger{config: c, withdrawn: -1, workers: []*worker{{name: Own, sampler: newSampler(c.Seed, 0)}}}
}

// Earlier is the name under which the ledger has results that were kept from an earlier process: whose they were is not
// known any more, so they count as those of one worker.
const Earlier = "earlier process"

// Add adds n jobs behind those that are there, the first of which have kept records, which Next does not return. All
// jobs before them must have been returned.
func (l *Ledger) Add(n int, kept ...[]byte) {
	from := len(l.jobs)
	l.jobs = append(l.jobs, make([]job, n)...)
	l.open += n
	if len(kept) == 0 {
		return
	}
	if l.delivered != from || l.fresh != from {
		panic("farm: records are kept behind jobs that are open")
	}
	l.fresh += len(kept)
	l.delivered = l.fresh
	w := l.worker(Earlier)
	for i, r := range kept {
		l.note(w, Result{Number: from + i, Record: r})
		l.settle(from + i)
	}
}

// Done reports whether every job has a result, and every result that is to be made again was.
func (l *Ledger) Done() bool { return l.open == 0 }

// Next returns the result of the next job in order; ok is false if that job has none yet. Withdrawn is asked first.
func (l *Ledger) Next() (number int, record []byte, ok bool) {
	i := l.delivered
	if i == len(l.jobs) || l.jobs[i].result == nil || l.jobs[i].need == theTruth {
		return 0, nil, false
	}
	l.delivered++
	return i, l.jobs[i].result, true
}

// Withdrawn reports whether results that Next has returned do not hold any more: those from the given number on, which
// Next returns again.
func (l *Ledger) Withdrawn() (from int, some bool) {
	from, l.withdrawn = l.withdrawn, -1
	return from, from >= 0
}

// Barred is a worker that gets no jobs any more.
type Barred struct{ Name, Why string }

// Barred returns the workers that get no jobs any more, in the order in which they came.
func (l *Ledger) Barred() (all []Barred) {
	for _, w := range l.workers {
		if w.barred != "" {
			all = append(all, Barred{w.name, w.barred})
		}
	}
	return all
}

// WhyBarred returns why a worker gets no jobs any more; empty if it does.
func (l *Ledger) WhyBarred(name string) string { return l.worker(name).barred }

// Workers returns the number of workers that were heard of within the last Silence, without the coordinator's process.
func (l *Ledger) Workers(now time.Time) (n int) {
	for _, w := range l.workers[1:] {
		if l.active(w, now) {
			n++
		}
	}
	return n
}

func (l *Ledger) active(w *worker, now time.Time) bool {
	return w.barred == "" && now.Sub(w.seen) < l.config.Silence
}

func (l *Ledger) worker(name string) *worker {
	for _, w := range l.workers {
		if w.name == name {
			return w
		}
	}
	w := &worker{name: name, sampler: newSampler(l.config.Seed, uint64(len(l.workers)))}
	l.workers = append(l.workers, w)
	return w
}

func (w *worker) holder(slot string) *holder {
	for _, h := range w.holders {
		if h.slot == slot {
			return h
		}
	}
	h := &holder{of: w, slot: slot}
	w.holders = append(w.holders, h)
	return h
}

// Lease returns the jobs that a slot of a worker is to do now; empty if there are none at the moment. Jobs that the
// slot had before are given to others.
func (l *Ledger) Lease(now time.Time, name, slot string) []int {
	w := l.worker(name)
	w.seen = now
	h := w.holder(slot)
	l.release(h)
	l.expire(now)
	if w.barred != "" {
		return nil
	}
	n := l.batch(w)
	if name == Own {
		l.take(h, theTruth, n, func(*job) bool { return true })
	}
	l.take(h, aCheck, n, func(j *job) bool { return j.by != w })
	l.take(h, aResult, n, func(*job) bool { return true })
	for ; len(h.jobs) < n && l.fresh < len(l.jobs); l.fresh++ {
		l.hold(h, l.fresh)
	}
	if len(h.jobs) == 0 {
		l.holdLate(h, now)
	}
	h.since, h.until = now, now.Add(l.config.Silence)
	return slices.Clone(h.jobs)
}

// LeaseOwn returns the jobs that the coordinator must do itself: those that are disputed or failed elsewhere, and those
// that are to be made again while no other worker is there to do it.
func (l *Ledger) LeaseOwn(now time.Time, slot string) []int {
	h := l.workers[0].holder(slot)
	l.release(h)
	l.expire(now)
	l.take(h, theTruth, 1, func(*job) bool { return true })
	l.take(h, aCheck, 1, func(j *job) bool {
		return !slices.ContainsFunc(l.workers[1:], func(w *worker) bool { return w != j.by && l.active(w, now) })
	})
	h.since, h.until = now, now.Add(l.config.Silence)
	return slices.Clone(h.jobs)
}

// batch returns how many jobs a worker is to take: Batch of work, and less towards the end, so that all end together.
func (l *Ledger) batch(w *worker) int {
	if w.each == 0 {
		return 1
	}
	slots := 0
	for _, other := range l.workers {
		for _, h := range other.holders {
			if len(h.jobs) > 0 || other == w {
				slots++
			}
		}
	}
	left := len(l.jobs) - l.fresh + len(l.waiting[aResult])
	n := min(int(l.config.Batch/w.each), left/(2*max(slots, 1)), l.config.Most)
	return max(n, 1)
}

// take gives h waiting jobs with the need, until it has n, if they fit.
func (l *Ledger) take(h *holder, of need, n int, fits func(*job) bool) {
	rest := l.waiting[of][:0]
	for _, i := range l.waiting[of] {
		switch j := &l.jobs[i]; {
		case j.need != of: // it was done meanwhile
		case len(h.jobs) < n && fits(j):
			l.hold(h, i)
		default:
			rest = append(rest, i)
		}
	}
	l.waiting[of] = rest
}

func (l *Ledger) hold(h *holder, i int) {
	h.jobs = append(h.jobs, i)
	l.jobs[i].holders = append(l.jobs[i].holders, h)
}

// holdLate gives h a job whose only holder takes much longer than it used to: it may be lost.
func (l *Ledger) holdLate(h *holder, now time.Time) {
	for _, w := range l.workers {
		for _, of := range w.holders {
			if w == h.of || w.each == 0 || now.Sub(of.since) <= 2*w.each*time.Duration(len(of.jobs)+1) {
				continue
			}
			for _, i := range of.jobs {
				j := &l.jobs[i]
				if len(j.holders) == 1 && (j.need == aResult || j.need == aCheck && j.by != h.of) {
					l.hold(h, i)
					return
				}
			}
		}
	}
}

// Leave gives the jobs of a slot to others.
func (l *Ledger) Leave(name, slot string) { l.release(l.worker(name).holder(slot)) }

// GiveBack gives one job of a slot to others.
func (l *Ledger) GiveBack(name, slot string, number int) {
	l.drop(l.worker(name).holder(slot), number)
	l.settle(number)
}

// Alive notes that a slot goes on with its jobs.
func (l *Ledger) Alive(now time.Time, name, slot string) {
	w := l.worker(name)
	w.seen = now
	w.holder(slot).until = now.Add(l.config.Silence)
}

// Report takes results of a slot. They count in any order, repeatedly, and if another slot was to
// do the job.
func (l *Ledger) Report(now time.Time, name, slot string, results []Result) {
	w := l.worker(name)
	w.seen = now
	h := w.holder(slot)
	if n := len(results); n > 0 && len(h.jobs) > 0 {
		each := max(now.Sub(h.since)/time.Duration(n), 1)
		if w.each > 0 {
			each = (3*w.each + each) / 4
		}
		w.each, h.since = each, now
	}
	for _, r := range results {
		if w.barred != "" {
			return
		}
		if r.Number < 0 || r.Number >= len(l.jobs) {
			l.bar(w, fmt.Sprintf("reports job %d of %d", r.Number, len(l.jobs)))
			return
		}
		l.drop(h, r.Number)
		l.note(w, r)
		l.settle(r.Number)
	}
}

// note takes one result.
func (l *Ledger) note(w *worker, r Result) {
	j := &l.jobs[r.Number]
	switch {
	case w == l.workers[0]:
		l.truth(r)
	case r.Failed != "":
		j.claims = append(j.claims, claim{w, r})
	case j.result == nil:
		j.result, j.by, j.wanted = r.Record, w, w.sampler.next()
	case bytes.Equal(j.result, r.Record):
		if j.by != w && j.confirmed == nil {
			j.confirmed = w
		}
	default:
		j.claims = append(j.claims, claim{w, r})
	}
}

// truth takes a result of the coordinator's own, and bars who has another one.
func (l *Ledger) truth(r Result) {
	j := &l.jobs[r.Number]
	others := j.claims
	if j.by != nil {
		others = append(others, claim{j.by, Result{r.Number, j.result, ""}})
		if r.Number < l.delivered && !bytes.Equal(j.result, r.Record) {
			l.withdraw(r.Number)
		}
	}
	j.result, j.by, j.confirmed, j.claims = r.Record, l.workers[0], nil, nil
	for _, c := range others {
		switch {
		case c.by == l.workers[0]:
		case c.result.Failed == tooLarge && len(r.Record) > mostRecord:
		case c.result.Failed != "":
			l.bar(c.by, fmt.Sprintf("job %d fails there and not here: %s", r.Number, c.result.Failed))
		case !bytes.Equal(c.result.Record, r.Record):
			l.bar(c.by, fmt.Sprintf("its result of job %d is false: got %q, want %q", r.Number, c.result.Record,
				r.Record))
		}
	}
}

func (l *Ledger) withdraw(i int) {
	if l.withdrawn < 0 || i < l.withdrawn {
		l.withdrawn = i
	}
	l.delivered = min(l.delivered, i)
}

// Bar gives a worker no jobs any more, and withdraws its results that no other worker has confirmed.
func (l *Ledger) Bar(name, why string) { l.bar(l.worker(name), why) }

func (l *Ledger) bar(w *worker, why string) {
	if w.barred != "" {
		return
	}
	w.barred = why
	for _, h := range w.holders {
		l.release(h)
	}
	for i := range l.jobs {
		j := &l.jobs[i]
		if j.by != w && j.confirmed != w {
			continue
		}
		switch {
		case j.by.barred == "": // what a barred worker has confirmed is not confirmed
			j.confirmed = nil
		case j.confirmed != nil && j.confirmed.barred == "":
			j.by, j.confirmed = j.confirmed, nil
		default:
			j.result, j.by, j.confirmed, j.wanted = nil, nil, nil, false
			if i < l.delivered {
				l.withdraw(i)
			}
		}
		l.settle(i)
	}
}

// release gives the jobs of a holder to others.
func (l *Ledger) release(h *holder) {
	for len(h.jobs) > 0 {
		i := h.jobs[0]
		l.drop(h, i)
		l.settle(i)
	}
}

// drop takes a job from a holder, if it has the job.
func (l *Ledger) drop(h *holder, i int) {
	if k := slices.Index(h.jobs, i); k >= 0 {
		h.jobs = slices.Delete(h.jobs, k, k+1)
		j := &l.jobs[i]
		j.holders = slices.DeleteFunc(j.holders, func(other *holder) bool { return other == h })
	}
}

// settle finds what a job needs, after something has changed.
func (l *Ledger) settle(i int) {
	j := &l.jobs[i]
	before := j.need
	switch {
	case len(j.claims) > 0:
		j.need = theTruth
	case j.result == nil:
		j.need = aResult
	case j.wanted && j.confirmed == nil && j.by != l.workers[0]:
		j.need = aCheck
	default:
		j.need = nothing
	}
	if (before == nothing) != (j.need == nothing) {
		if l.open++; j.need == nothing {
			l.open -= 2
		}
	}
	if j.need == nothing || len(j.holders) > 0 && before == j.need || i >= l.fresh {
		return
	}
	if at, there := slices.BinarySearch(l.waiting[j.need], i); !there {
		l.waiting[j.need] = slices.Insert(l.waiting[j.need], at, i)
	}
}

// expire releases what silent slots hold.
func (l *Ledger) expire(now time.Time) {
	for _, w := range l.workers[1:] {
		for _, h := range w.holders {
			if now.After(h.until) {
				l.release(h)
			}
		}
	}
}
