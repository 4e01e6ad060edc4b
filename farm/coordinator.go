package farm

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"flyball/bus"
)

// Do does a job: the result depends on the job alone, not on the process. The coordinator's own process knows a job by
// its number, and gets an empty Job. An error is a job that cannot be done.
type Do func(ctx context.Context, number int, j Job) (record []byte, err error)

// Coordinating is what a coordinator needs.
type Coordinating struct {
	Config
	Program, Build string // of this program; a worker with others is refused
	What           string // is done here, in a few words
	Gone           bool   // the broker ends with the coordinator
	// Own is the number of jobs that this process does at the same time. With 0 it does only what workers cannot:
	// jobs that they disagree about, and what is to be made again while there is one worker alone.
	Own int
	// Job returns the job with a number. It is called whenever the job is given out, so that nothing is kept of it.
	Job func(number int) Job
	// Here returns what does a job here. The same slot, from 0, is never used by two goroutines.
	Here func(slot int) Do
	// Check returns an error if a record cannot be a result of the job.
	Check func(number int, record []byte) error
	Note  func(format string, args ...any) // is called on the goroutine of Coordinator.Do
}

// mostWorkers bounds what a coordinator remembers of strangers.
const mostWorkers = 10_000

// Coordinator has jobs done by the workers on a bus.
type Coordinator struct {
	Coordinating
	conn *bus.Conn
	farm string

	mu       sync.Mutex // over everything below
	ledger   *Ledger
	welcomed map[string]bool
	over     bool
	told     map[string]bool // workers that know that it is over
	notes    []string
	large    bool // a result was too large for a message, which was noted
	barred   int  // workers that were noted
	changed  chan struct{}
	stats    Stats
}

// Stats counts what a coordinator has done.
type Stats struct {
	Workers  int           // that were welcomed
	Results  int           // that workers have sent
	Messages int           // that were answered
	Handling time.Duration // time in which they were
}

// Coordinate begins to answer workers on the bus.
func Coordinate(conn *bus.Conn, c Coordinating) (*Coordinator, error) {
	co := &Coordinator{Coordinating: c, conn: conn, farm: bus.NewToken(), ledger: newLedger(c.Config),
		welcomed: map[string]bool{}, told: map[string]bool{}, changed: make(chan struct{}, 1)}
	answer := func(subject string, f func(name string, question []byte) any) error {
		return conn.Answer(subject+"*", func(full string, question []byte) []byte {
			began := time.Now()
			co.mu.Lock()
			defer co.mu.Unlock()
			out := encode(f(strings.TrimPrefix(full, subject), question))
			co.stats.Messages++
			co.stats.Handling += time.Since(began)
			return out
		})
	}
	if err := answer(helloSubject, co.hello); err != nil {
		return nil, err
	}
	return co, answer(workSubject, co.work)
}

// Stats returns what was done so far.
func (c *Coordinator) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Barred returns the workers that were found to compute wrongly, or to send what makes no sense.
func (c *Coordinator) Barred() []Barred {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.Barred()
}

// hello compares a worker's program with this one: the same job must mean the same.
func (c *Coordinator) hello(name string, question []byte) any {
	out := welcome{Version: version, Farm: c.farm, What: c.What, Silence: int(c.Silence.Milliseconds())}
	var h hello
	switch err := decode(question, &h); {
	case err != nil:
		out.Refused = err.Error()
	case h.Version != version:
		out.Refused = fmt.Sprintf("got version %d of the messages, want %d", h.Version, version)
	case h.Program != c.Program:
		out.Refused = fmt.Sprintf("got %s, want %s: results of two revisions do not belong together", h.Program,
			c.Program)
	case h.Build != c.Build:
		out.Refused = fmt.Sprintf("got the build %.12s, want %.12s: without a revision that says what they were built "+
			"from, both programs must be the same file", h.Build, c.Build)
	case c.ledger.WhyBarred(name) != "":
		out.Refused = c.ledger.WhyBarred(name)
	case !c.welcomed[name] && len(c.welcomed) == mostWorkers:
		out.Refused = fmt.Sprintf("got a worker more than %d", mostWorkers)
	case !c.welcomed[name]:
		c.welcomed[name] = true
		c.stats.Workers++
		c.note("worker %s takes part", name)
	}
	if out.Refused != "" {
		c.note("worker %s is refused: %s", name, out.Refused)
	}
	return out
}

// note keeps a line for the goroutine of Do.
func (c *Coordinator) note(format string, args ...any) {
	const most = 1000
	if len(c.notes) < most {
		c.notes = append(c.notes, fmt.Sprintf(format, args...))
	}
	c.change()
}

func (c *Coordinator) change() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// work takes the results of a slot and gives it jobs.
func (c *Coordinator) work(name string, question []byte) any {
	now := time.Now()
	out := give{Version: version, State: stateWait, Gone: c.Gone}
	if !c.welcomed[name] {
		out.State = stateHello
		return out
	}
	var a ask
	if err := decode(question, &a); err != nil {
		c.ledger.Bar(name, err.Error())
	} else if a.Farm != c.farm {
		out.State = stateHello
		return out
	}
	slot := strconv.Itoa(a.Slot)
	for _, r := range a.Results {
		if r.Number < 0 || r.Number >= len(c.ledger.jobs) || r.Failed != "" {
			if r.Failed == tooLarge && !c.large {
				c.large = true
				c.note("job %d is done here: %s; more machines are of no help with such jobs", r.Number, r.Failed)
			}
			continue // the ledger decides
		}
		if err := c.Check(r.Number, r.Record); err != nil {
			c.ledger.Bar(name, fmt.Sprintf("its result of job %d makes no sense: %v", r.Number, err))
		}
	}
	if c.ledger.WhyBarred(name) == "" && len(a.Results) > 0 {
		c.ledger.Report(now, name, slot, a.Results)
		c.stats.Results += len(a.Results)
		c.change()
	}
	if why := c.ledger.WhyBarred(name); why != "" {
		out.State, out.Why = stateBarred, why
		c.change()
		return out
	}
	switch {
	case a.Alive:
		c.ledger.Alive(now, name, slot)
	case c.over || a.Leaving:
		c.ledger.Leave(name, slot)
		c.told[name], out.State = c.over, stateOver
		c.change()
	default:
		c.give(&out, name, slot, c.ledger.Lease(now, name, slot))
	}
	return out
}

// give writes the jobs of a slot into a message, and gives back those for which it has no room.
func (c *Coordinator) give(out *give, name, slot string, jobs []int) {
	const wait, forEach = 100, 20 // milliseconds; the more workers wait, the less often each of them asks
	if len(jobs) == 0 {
		out.Wait = min(wait+c.stats.Workers/forEach, 5000)
		return
	}
	out.State = stateWork
	size := 0
	for k, i := range jobs {
		j := c.Job(i)
		if n := len(out.Specs); n == 0 || out.Specs[n-1] != j.Spec {
			if size += len(j.Spec); k > 0 && size > mostGiven {
				for _, rest := range jobs[k:] {
					c.ledger.GiveBack(name, slot, rest)
				}
				return
			}
			out.Specs = append(out.Specs, j.Spec)
		}
		out.Jobs = append(out.Jobs, given{Number: i, Spec: len(out.Specs) - 1, Part: j.Part})
	}
}

// Do has n more jobs done, numbered on from the call before, of which an earlier process has done the first and kept
// their records. It calls each with every other record, in the order of the jobs. It calls withdraw if records from a
// number on do not hold any more; the records of jobs of this call come again. It returns nil when all is done and
// checked, or the cause of the end of ctx or of the bus. It panics with what a job in this process panics with.
func (c *Coordinator) Do(ctx context.Context, n int, kept [][]byte, each func(record []byte) error,
	withdraw func(from int) error) error {
	c.mu.Lock()
	c.ledger.Add(n, kept...)
	c.mu.Unlock()

	own, stop := context.WithCancel(ctx)
	broken := make(chan any, c.Own+1) // what a job here has panicked with
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for slot := range max(c.Own, 1) {
		running.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					broken <- v
				}
			}()
			c.doOwn(own, slot)
		})
	}
	tick := time.NewTicker(100 * time.Millisecond) // silence causes no event
	defer tick.Stop()
	for {
		if done, err := c.fold(each, withdraw); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.conn.Context().Done():
			return context.Cause(c.conn.Context())
		case v := <-broken:
			panic(v)
		case <-c.changed:
		case <-tick.C:
		}
	}
}

// fold hands on what is there.
func (c *Coordinator) fold(each func([]byte) error, withdraw func(int) error) (done bool, err error) {
	c.mu.Lock()
	notes := c.notes
	c.notes = nil
	barred := c.ledger.Barred()
	from, some := c.ledger.Withdrawn()
	var records [][]byte
	for {
		_, r, ok := c.ledger.Next()
		if !ok {
			break
		}
		records = append(records, r)
	}
	done = c.ledger.Done()
	c.mu.Unlock()
	for _, n := range notes {
		c.Note("%s", n)
	}
	for _, b := range barred[c.barred:] {
		c.Note("worker %s is shut out, and its results are made again: %s", b.Name, b.Why)
	}
	c.barred = len(barred)
	if some {
		if err := withdraw(from); err != nil {
			return false, err
		}
	}
	for _, r := range records {
		if err := each(r); err != nil {
			return false, err
		}
	}
	return done, nil
}

// doOwn does jobs in this process until ctx ends.
func (c *Coordinator) doOwn(ctx context.Context, slot int) {
	do, name := c.Here(slot), strconv.Itoa(slot)
	for ctx.Err() == nil {
		c.mu.Lock()
		var numbers []int
		if c.Own > 0 {
			numbers = c.ledger.Lease(time.Now(), Own, name)
		} else {
			numbers = c.ledger.LeaseOwn(time.Now(), name)
		}
		c.mu.Unlock()
		for _, i := range numbers {
			record, err := do(ctx, i, Job{})
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				panic(fmt.Errorf("job %d: %w", i, err))
			}
			c.mu.Lock()
			c.ledger.Report(time.Now(), Own, name, []Result{{Number: i, Record: record}})
			c.mu.Unlock()
			c.change()
		}
		if len(numbers) == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// Restart forgets all jobs, so that the next one has number 0 again. Workers that are shut out stay so.
func (c *Coordinator) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	barred := c.ledger.Barred()
	c.ledger, c.farm, c.welcomed = newLedger(c.Config), bus.NewToken(), map[string]bool{}
	for _, b := range barred {
		if b.Name != Earlier {
			c.ledger.Bar(b.Name, b.Why)
		}
	}
	c.barred = len(c.ledger.Barred())
}

// Close tells the workers that it is over. It waits for those that ask, but not long.
func (c *Coordinator) Close() {
	const wait = 2 * time.Second
	deadline := time.Now().Add(wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for time.Now().Before(deadline) && c.conn.Context().Err() == nil && !c.allTold() {
		c.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		c.mu.Lock()
	}
}

func (c *Coordinator) allTold() bool {
	now := time.Now()
	for _, w := range c.ledger.workers[1:] {
		if c.ledger.active(w, now) && !c.told[w.name] {
			return false
		}
	}
	return true
}
