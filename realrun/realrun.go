// Package realrun runs a scenario in wall time: the same engine as the
// simulator, over a Transport that really delivers.
//
// One goroutine owns the machines; every MTA process is a goroutine that does
// blocking I/O and posts its completion to a channel sized to the processes,
// so a post never blocks. Virtual time is monotonic time multiplied by a
// scale, so hours can be rehearsed in minutes; lateness is measured, never
// hidden. It never sees the network model: only realrun/sink does. The dialer
// refuses every address that is not loopback.
package realrun

import (
	"context"
	"sync"
	"time"

	"flyball/engine"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Transport gives every slot its MTA process. It is called on the machines'
// goroutine.
type Transport interface {
	Process(mail.Server, mail.Slot) Process
}

// Process is one MTA process ([0031]). Only the goroutine of its slot calls it.
type Process interface {
	// Deliver makes the attempt and always returns: when it ends, or soon
	// after ctx is cancelled. Once ctx is cancelled it sends no final dot.
	Deliver(ctx context.Context, a mail.Attempt) mail.Reply
	// HangUp closes the connection that the process keeps, if any.
	HangUp()
}

// Runner is one live run.
type Runner struct {
	Rec       *runlog.Recorder
	Late      hist.Hist // virtual time between a completion or wake-up and its handling
	roles     *roles
	cpu       cpuMeter
	arrivals  []scenarios.Arrival
	transport Transport
	scale     float64
	horizon   vt.Time
	began     time.Time
	total     uint64

	ended   chan ending
	slots   map[slot]chan order
	workers sync.WaitGroup
	journal *Journal
}

type slot struct {
	server mail.Server
	slot   mail.Slot
}

// order is what a slot's process is to do: make the attempt, or close its connection.
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

// New prepares a run of a scenario over a list. watch, if not nil, is told of
// every attempt on the owner's goroutine; journal, if not nil, takes every
// input of the machines.
func New(s *scenarios.Scenario, list *mail.List, scale float64, t Transport, watch runlog.Watch,
	journal *Journal) (*Runner, error) {
	r := &Runner{
		Rec: runlog.NewRecorder(len(s.Destinations), watch), Late: hist.New(),
		arrivals: s.Arrivals(list.Len()), transport: t, scale: scale, horizon: vt.Time(s.Horizon),
		total: uint64(list.Len()), slots: map[slot]chan order{}, journal: journal,
	}
	// No recipient is in two attempts, and no process of a server beyond those asked for.
	most := 0
	for _, a := range r.arrivals {
		r.Rec.Begins(a.Reserve.From, a.At)
		most = min(most+a.Reserve.Processes, list.Len())
	}
	r.ended = make(chan ending, most)
	var err error
	r.roles, err = newRoles(s, list, r.Rec)
	return r, err
}

// Progress is how far a run is.
type Progress struct {
	Now   vt.Time
	Final uint64
	Total uint64
}

// Run runs to the end: all mail is final, the horizon is reached, or ctx is
// cancelled. Cancelling stops new final dots at once; attempts under way end
// as they stand. progress, if not nil, is called about every 100 ms.
func (r *Runner) Run(ctx context.Context, progress func(Progress)) (end vt.Time, stopped bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.roles.perform = func(server mail.Server, out *engine.Outbox) { r.perform(ctx, server, out) }
	r.began = time.Now()
	r.cpu.load()
	timer := time.NewTimer(0)
	defer timer.Stop()
	shown := r.began
	for !r.done() && !stopped {
		var e ending
		var got bool
		select {
		case e = <-r.ended:
			got = true
		case <-timer.C:
		case <-ctx.Done():
			stopped = true
		}
		now := r.now() // one reading a turn
		if now > r.horizon {
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
		if !stopped {
			r.arrive(now)
			r.wake(now)
		}
		timer.Reset(time.Duration(float64(r.nextWake()-r.now()) / r.scale))
		if progress != nil && time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			progress(r.progress(now))
		}
	}
	cancel()
	return r.close(), stopped
}

// close cuts the attempts under way short, takes the results of those that
// could not be, since their final dot was sent, and closes the accounts. The
// recipients of the others stay pending. What the machines want started now is
// left undone.
func (r *Runner) close() vt.Time {
	r.roles.perform = nil
	for _, orders := range r.slots {
		close(orders)
	}
	r.workers.Wait()
	close(r.ended)
	now := min(r.now(), r.horizon)
	for e := range r.ended {
		if e.Reply.Fault == mail.Aborted {
			continue
		}
		r.journal.complete(now, e.server, e.Completion)
		r.roles.complete(now, e.server, e.Completion)
	}
	measured := sync.OnceValue(r.cpu.load)
	for i := range r.roles.machines {
		server := mail.Server(i)
		r.roles.stop(now, server, r.load(now, server, measured))
		r.journal.finish(now, server)
	}
	return now
}

func (r *Runner) done() bool {
	for _, m := range r.roles.machines {
		if !m.Done() {
			return false
		}
	}
	return len(r.arrivals) == 0
}

// nextWake returns the first time at which an arrival or a role is due.
func (r *Runner) nextWake() vt.Time {
	at := min(r.horizon, r.roles.nextWake())
	if len(r.arrivals) > 0 {
		at = min(at, r.arrivals[0].At)
	}
	return at
}

func (r *Runner) progress(now vt.Time) Progress {
	return Progress{Now: now, Final: r.Rec.Final(), Total: r.total}
}

func (r *Runner) now() vt.Time { return vt.Time(float64(time.Since(r.began)) * r.scale) }

// complete, arrive and wake hand the machines their inputs, in this order of
// simultaneous ones, as the simulator does.
func (r *Runner) complete(now vt.Time, e ending) {
	if e.Reply.Fault == mail.Aborted {
		return // the run is being stopped
	}
	r.Late.Record(now.Sub(e.at))
	r.journal.complete(now, e.server, e.Completion)
	r.roles.complete(now, e.server, e.Completion)
}

func (r *Runner) arrive(now vt.Time) {
	for len(r.arrivals) > 0 && r.arrivals[0].At <= now {
		a := r.arrivals[0]
		r.arrivals = r.arrivals[1:]
		r.journal.receive(now, a.Server, a.Reserve)
		r.roles.receive(now, a.Message())
	}
}

func (r *Runner) wake(now vt.Time) {
	measured := sync.OnceValue(r.cpu.load) // one interval ends for all machines
	for i := range r.roles.number() {
		number := mail.Server(i)
		if due := r.roles.role(number).NextWake(); due <= now {
			r.Late.Record(now.Sub(due))
			r.roles.wake(now, number, r.load(now, number, measured))
			r.journal.wake(now, number)
		}
	}
}

// load returns the load that a machine is given, which the journal keeps where
// the machine asks for it.
func (r *Runner) load(now vt.Time, server mail.Server, measured func() float64) engine.Load {
	return func(float64) float64 {
		r.journal.loaded(now, server, measured())
		return measured()
	}
}

// perform hands orders to their slots' goroutines.
func (r *Runner) perform(ctx context.Context, server mail.Server, out *engine.Outbox) {
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
		// At most a start is under way when a hang-up and the next start come.
		orders = make(chan order, 3)
		r.slots[id] = orders
		process := r.transport.Process(id.server, id.slot)
		r.workers.Go(func() { r.work(ctx, process, orders) })
	}
	orders <- o
}

// work is the life of one MTA process.
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
		r.ended <- ending{a.Server, at, mail.Completion{Reply: reply, Slot: a.Slot, Gen: a.Gen}}
	}
}
