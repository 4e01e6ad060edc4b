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

	"flyball/engine/delivery"
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
	machines  []*delivery.Machine
	cluster   *delivery.Cluster // nil: no server waits for another
	cpu       cpuMeter
	arrivals  []scenarios.Arrival
	transport Transport
	scale     float64
	horizon   vt.Time
	began     time.Time
	total     uint64

	ended   chan ending
	slots   map[slot]chan delivery.Action
	workers sync.WaitGroup
	actions []delivery.Action
	journal *Journal
}

type slot struct {
	server mail.Server
	slot   mail.Slot
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
func New(s *scenarios.Scenario, list *mail.List, scale float64, t Transport, watch runlog.Watch, journal *Journal) (*Runner, error) {
	r := &Runner{
		Rec: runlog.NewRecorder(len(s.Destinations), watch), Late: hist.New(),
		arrivals: s.Arrivals(list.Len()), transport: t, scale: scale, horizon: vt.Time(s.Horizon),
		total: uint64(list.Len()), slots: map[slot]chan delivery.Action{}, journal: journal,
	}
	// No recipient is in two attempts, and no process of a server beyond those asked for.
	most := 0
	for _, a := range r.arrivals {
		r.Rec.Begins(a.Reserve.From, a.At)
		most = min(most+a.Reserve.Processes, list.Len())
	}
	r.ended = make(chan ending, most)
	var err error
	r.machines, r.cluster, err = newMachines(s, list, r.Rec)
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
			r.complete(ctx, now, e)
			select {
			case e = <-r.ended:
			default:
				got = false
			}
		}
		if !stopped {
			r.arrive(ctx, now)
			r.wake(ctx, now)
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
		r.machines[e.server].Complete(now, e.Completion, nil)
	}
	load := r.cpu.load()
	for i, m := range r.machines {
		r.journal.loaded(now, mail.Server(i), load)
		m.Loaded(load)
		r.journal.finish(now, mail.Server(i))
		m.Finish(now)
	}
	if r.cluster != nil {
		r.cluster.Finish(now, reports(r.machines))
	}
	return now
}

func (r *Runner) done() bool {
	for _, m := range r.machines {
		if !m.Done() {
			return false
		}
	}
	return len(r.arrivals) == 0
}

// nextWake is the first time at which an arrival or a machine is due.
func (r *Runner) nextWake() vt.Time {
	at := r.horizon
	if len(r.arrivals) > 0 {
		at = min(at, r.arrivals[0].At)
	}
	for _, m := range r.machines {
		at = min(at, m.NextWake())
	}
	return at
}

func (r *Runner) progress(now vt.Time) Progress {
	return Progress{Now: now, Final: r.Rec.Final(), Total: r.total}
}

func (r *Runner) now() vt.Time { return vt.Time(float64(time.Since(r.began)) * r.scale) }

// complete, arrive and wake hand the machines their inputs, in this order of
// simultaneous ones, as the simulator does.
func (r *Runner) complete(ctx context.Context, now vt.Time, e ending) {
	if e.Reply.Fault == mail.Aborted {
		return // the run is being stopped
	}
	r.Late.Record(now.Sub(e.at))
	r.journal.complete(now, e.server, e.Completion)
	r.perform(ctx, r.machines[e.server].Complete(now, e.Completion, r.actions[:0]))
}

func (r *Runner) arrive(ctx context.Context, now vt.Time) {
	for len(r.arrivals) > 0 && r.arrivals[0].At <= now {
		a := r.arrivals[0]
		r.arrivals = r.arrivals[1:]
		r.journal.receive(now, a.Server, a.Reserve)
		r.perform(ctx, r.machines[a.Server].Receive(now, a.Reserve, r.actions[:0]))
	}
}

func (r *Runner) wake(ctx context.Context, now vt.Time) {
	load, measured := 0.0, false
	for i, m := range r.machines {
		if due := m.NextWake(); due <= now {
			r.Late.Record(now.Sub(due))
			if m.IntervalEnds() <= now { // that of all machines
				if !measured {
					load, measured = r.cpu.load(), true
				}
				r.journal.loaded(now, mail.Server(i), load)
				m.Loaded(load)
			}
			r.journal.wake(now, mail.Server(i))
			r.perform(ctx, m.Wake(now, r.actions[:0]))
		}
	}
	for i, v := range meet(now, r.machines, r.cluster) {
		r.perform(ctx, r.machines[i].Adjust(now, v, r.actions[:0]))
	}
}

// perform hands actions to their slots' goroutines.
func (r *Runner) perform(ctx context.Context, actions []delivery.Action) {
	for _, a := range actions {
		if a.Op == delivery.OpReport {
			continue
		}
		id := slot{a.Attempt.Server, a.Attempt.Slot}
		orders, ok := r.slots[id]
		if !ok {
			// At most a start is under way when a hang-up and the next start come.
			orders = make(chan delivery.Action, 3)
			r.slots[id] = orders
			process := r.transport.Process(id.server, id.slot)
			r.workers.Go(func() { r.work(ctx, process, orders) })
		}
		orders <- a
	}
	r.actions = actions
}

// work is the life of one MTA process.
func (r *Runner) work(ctx context.Context, p Process, orders <-chan delivery.Action) {
	defer p.HangUp()
	for a := range orders {
		switch a.Op {
		case delivery.OpHangUp:
			p.HangUp()
		case delivery.OpStart:
			start := r.now()
			reply := p.Deliver(ctx, a.Attempt)
			at := r.now()
			reply.Took = at.Sub(start)
			r.ended <- ending{a.Attempt.Server, at, mail.Completion{Reply: reply, Slot: a.Attempt.Slot, Gen: a.Attempt.Gen}}
		}
	}
}
