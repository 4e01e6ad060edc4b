// Package realrun runs a scenario in wall time: the same engine as the
// simulator, over a Transport that really delivers.
//
// One goroutine owns the machines. Every MTA process is a goroutine that does
// blocking I/O and sends its completion to a channel whose capacity is the
// number of processes, so that it never blocks. Virtual time is monotonic time
// multiplied by a scale, so that hours can be rehearsed in minutes; lateness is
// measured and reported. Only realrun/sink uses the network model. All connections
// are made by realrun/dial, which refuses an address outside of loopback that no
// allowlist has.
package realrun

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flyball/engine"
	"flyball/engine/proximity"
	"flyball/governor"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// Transport creates the MTA processes.
type Transport interface {
	// Process returns the MTA process of a slot. It is called on the goroutine
	// that owns the machines.
	Process(mail.Server, mail.Slot) Process
}

// Process is one MTA process ([0031]). Only the goroutine of its slot calls it.
type Process interface {
	// Deliver makes the attempt. It returns when the attempt ends, or soon after
	// ctx is cancelled. Once ctx is cancelled it sends no final dot.
	Deliver(ctx context.Context, a mail.Attempt) mail.Reply
	// Trace returns what is known of the last attempt, until the next one; the caller knows Start and Took.
	Trace() *mail.Trace
	// HangUp closes the kept connection of the process, if it has one.
	HangUp()
}

// Runner is one live run.
type Runner struct {
	Late hist.Hist // virtual time between a completion or wake-up and its handling
	// Traced, if set before Run, is called with each attempt that has an end, by the processes, several at once.
	Traced func(*mail.Trace)
	// Returns, if set before Run, is called when the trial of a server's law ends, with why, before the law that it
	// returns to announces anything.
	Returns func(governor.Flags)

	roles     *roles
	cpu       cpuMeter
	arrivals  []work.Arrival
	transport Transport
	scale     float64
	horizon   vt.Time
	began     time.Time
	total     uint64

	ended   chan ending
	slots   map[slot]chan order
	workers sync.WaitGroup
	journal *Journal

	scenario *scenarios.Scenario
	list     *mail.List
	calls    chan func(now vt.Time) // from other goroutines
	over     chan struct{}          // closed at the end of Run
	base     vt.Time                // when this process began: not 0 if the run goes on
	stopping bool
	inbox    *station.Inbox // messages from elsewhere
}

type slot struct {
	server mail.Server
	slot   mail.Slot
}

// order is an order to a slot's process: make the attempt, or close its connection.
type order struct {
	attempt mail.Attempt
	hangUp  bool
}

// ending is a completion on its way to the machines' owner.
type ending struct {
	server mail.Server
	at     vt.Time
	mail.Completion
}

// New returns a run of a scenario over a list, with scale times the speed of the
// clock. watch, if not nil, is called with every attempt, on the goroutine that
// owns the machines. journal, if not nil, records every input of the machines.
func New(s *scenarios.Scenario, list *mail.List, scale float64, t Transport, watch runlog.Watch,
	journal *Journal) (*Runner, error) {
	roles, list, arrivals, err := newRoles(s, list, watch)
	if err != nil {
		return nil, err
	}
	// A recipient is in at most one attempt, and a server has no more processes than requested.
	most := 0
	for _, c := range s.Campaigns {
		most = min(most+len(s.Servers)*c.Processes, list.Len())
	}
	r := newRunner(s, roles, list, scale, t, journal, most)
	r.arrivals = arrivals
	return r, nil
}

// newRunner returns a run of roles with at most most attempts under way at a time.
func newRunner(s *scenarios.Scenario, roles *roles, list *mail.List, scale float64, t Transport, journal *Journal,
	most int) *Runner {
	return &Runner{roles: roles,
		Late: hist.New(), transport: t, scale: scale, horizon: vt.Time(s.Horizon),
		total: uint64(list.Len()), slots: map[slot]chan order{}, journal: journal, scenario: s, list: list,
		calls: make(chan func(vt.Time)), over: make(chan struct{}), inbox: station.NewInbox(),
		ended: make(chan ending, most),
	}
}

// KeepOutcomes makes the run record the outcome of every recipient. It must be called before
// Run.
func (r *Runner) KeepOutcomes() {
	all := make(runlog.Outcomes, r.total)
	for _, rec := range r.roles.records {
		rec.Outcomes = all
	}
}

// Keep makes the run keep its facts, or go on with those that an earlier one kept. It must be called before Run, and
// after KeepOutcomes. The final dot of each attempt must ask Gate.
func (r *Runner) Keep(k Keeping) (err error) {
	if p := r.roles.planner; p != nil {
		r.arrivals = r.roles.begin(p.Plan())
		if p.Next() < vt.Never {
			return fmt.Errorf("scenario %s: sender.partition: got %q and campaigns that begin at several times with "+
				"--state, want one time, another strategy, such as \"shares\", or no --state: what a run has learned "+
				"before a stop is not kept", r.scenario.Name, r.scenario.Dispatch.Partition)
		}
	}
	r.base, err = r.roles.keep(r.scenario, r.list, r.arrivals, r.scale, k, 0, nil)
	r.arrivals = nil
	if err == nil {
		r.roles.kept.gate.asks = make(chan ask, cap(r.ended))
	}
	return err
}

// Began returns the time at which the run begins: where the last one stopped, if it goes on.
func (r *Runner) Began() vt.Time { return r.base }

// Gate reports whether the final dot of an attempt may be sent: the intention is durable, the lease of the server is
// current, the recipient is not barred, and the run is neither paused nor stopping. It waits until that is decided. Any
// goroutine may call it. The destination was allowed when its connection was dialled.
func (r *Runner) Gate(a mail.Attempt) bool { return r.roles.kept.gate.ask(a) }

// Doubts returns the attempts that may have been accepted though no reply is known, of a mailing that is kept.
func (r *Runner) Doubts() []Doubt { return r.roles.kept.doubts }

// Suppressed returns how many recipients of a mailing that is kept got nothing since they asked for that after its
// begin.
func (r *Runner) Suppressed() uint64 { return r.roles.kept.suppressed }

// Runs returns the runs of a mailing that is kept, of which this one is the last.
func (r *Runner) Runs() []Begun { return r.roles.kept.runs }

// Forgot reports whether the run begins without what earlier ones have learned, because another version of Flyball kept
// it.
func (r *Runner) Forgot() bool { return r.roles.kept.forgot }

// Record returns the records of all servers so far, merged.
func (r *Runner) Record() *runlog.Recorder { return r.roles.record() }

// Forecast estimates when the last recipient of all servers will be final. It is not Known while mail
// has yet to come.
func (r *Runner) Forecast() runlog.Forecast {
	if len(r.arrivals) > 0 || r.roles.nextPlan() < vt.Never {
		return runlog.Forecast{}
	}
	return runlog.LastOf(r.roles.records)
}

// Learned returns what a run that learns has learned; nil if the run does not learn.
func (r *Runner) Learned() *proximity.Database {
	if r.roles.planner == nil {
		return nil
	}
	return r.roles.planner.Known()
}

// Progress is the state of progress of a run.
type Progress struct {
	Now   vt.Time
	Final uint64
	Total uint64
}

// Run runs until all mail is final, the horizon is reached or ctx is cancelled,
// and returns the end of the run and whether it was cancelled. After a cancel no
// final dot is sent; attempts that have sent theirs wait for the reply. progress,
// if not nil, is called about every 100 ms.
func (r *Runner) Run(ctx context.Context, progress func(Progress)) (end vt.Time, stopped bool) {
	defer close(r.over)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.roles.perform = func(server mail.Server, out *engine.Outbox) { r.perform(ctx, server, out) }
	r.roles.returns = r.Returns
	r.began = time.Now()
	r.cpu.load()
	var asks chan ask
	var came <-chan struct{}
	var durable <-chan journal.Synced
	kept := r.roles.kept
	if kept != nil {
		asks, durable = kept.gate.asks, kept.group.Ended()
		if kept.sender != nil {
			kept.bar(r.now())
			kept.submit(r.now())
		}
		kept.flush()
		came = r.inbox.Came()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	shown := r.began
	for !r.done() && !stopped {
		var e ending
		var q ask
		var d journal.Synced
		var call func(vt.Time)
		var got, asked, safe bool
		select {
		case e = <-r.ended:
			got = true
		case q = <-asks:
			asked = true
		case d = <-durable:
			safe = true
		case call = <-r.calls:
		case <-came:
		case <-timer.C:
		case <-ctx.Done():
			stopped = true
		}
		now := r.now() // one reading of the clock per iteration
		if call != nil {
			call(min(now, r.horizon))
		}
		if now > r.horizon {
			if got { // its message may be there: close takes it
				r.ended <- e // there is room, since e came from there
			}
			if asked {
				q.answer <- false
			}
			if safe {
				kept.release(r.horizon, d)
			}
			break
		}
		for got {
			r.complete(now, e)
			select {
			case e = <-r.ended:
			default:
				got = false
			}
		}
		if safe {
			kept.release(now, d)
		}
		for asked {
			r.ask(now, q)
			select {
			case q = <-asks:
			default:
				asked = false
			}
		}
		if !stopped {
			for _, m := range r.inbox.Take() {
				r.roles.receive(now, m)
			}
			r.arrive(now)
			r.wake(now)
		}
		idle := time.Duration(float64(r.nextWake()-r.now()) / r.scale)
		if kept != nil {
			kept.flush()
			idle = min(idle, kept.group.Due())
		}
		timer.Reset(idle)
		if progress != nil && time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			progress(r.progress(now))
		}
	}
	r.stopping = true
	cancel()
	return r.close(), stopped
}

// ask brings an attempt to the gate of its server.
func (r *Runner) ask(now vt.Time, q ask) {
	kept := r.roles.kept
	// There must be room for what follows from the dots that are sent before the run is stopped.
	if err := kept.Journal.Reserve(64<<10 + 512*int64(cap(r.ended))); err != nil {
		kept.Broken(err)
		kept.shut()
	}
	if !kept.gate.take(q) {
		return
	}
	server := q.attempt.Server
	kept.remotes[server].Gate(now, q.attempt.Slot, q.attempt.Gen, &r.roles.out)
	r.roles.settle(now, server)
}

// close ends the run and returns its end. It aborts the attempts under way, whose
// recipients stay pending, except attempts that have sent their final dot: it
// records their results. It starts no new attempts.
func (r *Runner) close() vt.Time {
	r.roles.perform = nil
	r.roles.silent = true // its end is not the end of an interval of all servers
	for _, orders := range r.slots {
		close(orders)
	}
	if r.roles.kept != nil {
		r.closeGate()
	} else {
		r.workers.Wait()
	}
	close(r.ended)
	now := min(r.now(), r.horizon)
	for e := range r.ended {
		r.last(now, e)
	}
	if r.roles.kept != nil {
		r.finish(now) // what the roles have sent each other comes before the end
	}
	measured := sync.OnceValue(r.cpu.load)
	for i, machine := range r.roles.machines {
		if machine == nil {
			continue
		}
		server := mail.Server(i)
		r.roles.stop(now, server, r.load(now, server, measured))
		r.journal.finish(now, server)
	}
	if r.roles.kept != nil {
		r.finish(now)
	}
	return now
}

// last takes the result of an attempt after the end of the run.
func (r *Runner) last(now vt.Time, e ending) {
	if e.Reply.Fault != mail.Aborted {
		r.journal.complete(now, e.server, e.Completion)
		r.roles.complete(now, e.server, e.Completion)
	}
}

// closeGate refuses all attempts at the gate. It keeps the results of those that have passed it, as they come, until
// none is under way.
func (r *Runner) closeGate() {
	kept := r.roles.kept
	now := func() vt.Time { return min(r.now(), r.horizon) }
	kept.halt(now(), true)
	kept.shut()
	none := make(chan struct{})
	go func() {
		r.workers.Wait()
		close(none)
	}()
	for {
		select {
		case e := <-r.ended:
			r.last(now(), e)
		case q := <-kept.gate.asks:
			kept.gate.take(q)
		case d := <-kept.group.Ended():
			kept.release(now(), d)
		case call := <-r.calls:
			call(now())
		case <-none:
			return
		}
		kept.flush()
	}
}

// finish makes everything durable.
func (r *Runner) finish(now vt.Time) {
	kept := r.roles.kept
	for kept.flush(); ; kept.flush() {
		d, more := kept.group.Last()
		if !more {
			return
		}
		kept.release(now, d)
	}
}

func (r *Runner) done() bool {
	switch kept := r.roles.kept; {
	case r.roles.elsewhere != nil:
		return false // another mailing may come
	case kept != nil:
		return kept.sender.Done()
	}
	for _, m := range r.roles.machines {
		if !m.Done() {
			return false
		}
	}
	return len(r.arrivals) == 0 && r.roles.nextPlan() == vt.Never
}

// nextWake returns the first time at which an arrival or a role is due.
func (r *Runner) nextWake() vt.Time {
	at := min(r.horizon, r.roles.nextWake())
	if plan := r.roles.nextPlan(); plan < vt.Never {
		at = min(at, plan+1)
	}
	if len(r.arrivals) > 0 {
		at = min(at, r.arrivals[0].At)
	}
	return at
}

// all returns the number of recipients: of a server alone, how many were handed over to it, some of them perhaps twice.
func (r *Runner) all() uint64 {
	if r.roles.elsewhere != nil {
		return r.roles.kept.handed
	}
	return r.total
}

func (r *Runner) progress(now vt.Time) Progress {
	p := Progress{Now: now, Total: r.all()}
	for _, rec := range r.roles.records {
		p.Final += rec.Final() + rec.Unreached()
	}
	return p
}

func (r *Runner) now() vt.Time { return r.base + vt.Time(float64(time.Since(r.began))*r.scale) }

// complete passes the machine a completion. For inputs of the same time the order
// is complete, arrive, wake, as in the simulator.
func (r *Runner) complete(now vt.Time, e ending) {
	if e.Reply.Fault == mail.Aborted && (r.roles.kept == nil || r.stopping) {
		return // the run is being stopped
	}
	r.Late.Record(now.Sub(e.at))
	r.journal.complete(now, e.server, e.Completion)
	r.roles.complete(now, e.server, e.Completion)
}

func (r *Runner) arrive(now vt.Time) {
	r.arrivals = append(r.arrivals, r.roles.plan(now)...)
	for len(r.arrivals) > 0 && r.arrivals[0].At <= now {
		a := r.arrivals[0]
		r.arrivals = r.arrivals[1:]
		r.journal.receive(now, a.Server, a.Reserve)
		r.roles.assign(now, a)
	}
}

func (r *Runner) wake(now vt.Time) {
	measured := sync.OnceValue(r.cpu.load) // the same interval ends for all machines
	for _, number := range r.roles.here {
		if due := r.roles.role(number).NextWake(); due <= now {
			r.Late.Record(now.Sub(due))
			r.roles.wake(now, number, r.load(now, number, measured))
			r.journal.wake(now, number)
		}
	}
}

// load returns the load function of a machine. Each call of it is recorded in the
// journal.
func (r *Runner) load(now vt.Time, server mail.Server, measured func() float64) engine.Load {
	return func(float64) float64 {
		r.journal.loaded(now, server, measured())
		return measured()
	}
}

// perform sends the orders in out to the goroutines of their slots.
func (r *Runner) perform(ctx context.Context, server mail.Server, out *engine.Outbox) {
	if kept := r.roles.kept; kept != nil {
		kept.gate.perform(server, out)
	}
	for _, i := range out.Close {
		r.order(ctx, slot{server, i}, order{hangUp: true})
	}
	for _, a := range out.Start {
		r.order(ctx, slot{server, a.Slot}, order{attempt: a})
	}
}

func (r *Runner) order(ctx context.Context, id slot, o order) {
	orders, ok := r.slots[id]
	if !ok {
		// At most one start is under way when a hang-up and the next start arrive.
		orders = make(chan order, 3)
		r.slots[id] = orders
		process := r.transport.Process(id.server, id.slot)
		r.workers.Go(func() { r.work(ctx, process, orders) })
	}
	orders <- o
}

// work runs one MTA process until orders is closed.
func (r *Runner) work(ctx context.Context, p Process, orders <-chan order) {
	defer p.HangUp()
	for o := range orders {
		if o.hangUp {
			p.HangUp()
			continue
		}
		a := o.attempt
		start := r.now()
		reply := p.Deliver(ctx, a)
		at := r.now()
		reply.Took = at.Sub(start)
		trace := p.Trace()
		way := trace.Way()
		if r.Traced != nil && reply.Fault != mail.Aborted && reply.Fault != mail.NotAllowed {
			trace.Start, trace.Reply = start, reply
			r.Traced(trace)
		}
		r.ended <- ending{a.Server, at, mail.Completion{Reply: reply, Way: way, Slot: a.Slot, Gen: a.Gen}}
	}
}
