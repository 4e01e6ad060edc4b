// Package sim runs a scenario in virtual time: it jumps to the next thing that
// can happen, tells the engine, and lets the network model schedule the ends
// of what the engine starts. It never sleeps, and refuses nothing: a Scenario
// is valid by construction. A World is not safe for concurrent use; run one
// per goroutine.
package sim

import (
	"fmt"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// World is one run of a scenario.
type World struct {
	Rec      *runlog.Recorder
	machines []*engine.Machine
	model    *netmodel.Model
	queue    evq.Queue
	arrivals []scenarios.Arrival
	actions  []engine.Action
	horizon  vt.Time
	now      vt.Time
	events   uint64
	total    uint64
	saved    []byte // checkpoint of a run that was stopped
	id       string // of scenario, replication and length of the list
}

// New builds the world of one replication of a scenario; replication 0 is the
// run that the scenario's seed names. list overrides the scenario's synthetic
// list where it is not nil. watch, if not nil, is told of every attempt.
func New(s *scenarios.Scenario, replication uint64, list *mail.List, watch runlog.Watch) (*World, error) {
	key := rng.New(s.Seed, replication)
	if list == nil {
		synthetic := s.List(key)
		list = &synthetic
	}
	w := &World{
		Rec:      runlog.NewRecorder(len(s.Destinations), watch),
		model:    netmodel.NewModel(s.Netmodel(), key),
		arrivals: s.Arrivals(list.Len()),
		horizon:  vt.Time(s.Horizon),
		total:    uint64(list.Len()),
		id:       fmt.Sprintf("%s %d %d", scenarios.ID(s), replication, list.Len()),
	}
	for i := range s.Servers {
		gov, err := governor.New(s.Governor)
		if err != nil {
			return nil, err
		}
		w.machines = append(w.machines, engine.New(s.Engine(mail.Server(i)), list, gov, w.Rec))
	}
	return w, nil
}

// Progress is how far a run is.
type Progress struct {
	Now   vt.Time
	Final uint64 // recipients that are final
	Total uint64
}

// pollEvery is the number of events between two calls of keepGoing.
const pollEvery = 1 << 12

// Run runs to the end: all mail is final, or the horizon is reached. It asks
// keepGoing, if not nil, now and then, and stops early when that says no. It
// reports the end of the run and whether it was stopped.
func (w *World) Run(keepGoing func(Progress) bool) (end vt.Time, stopped bool) {
	for !w.done() {
		w.events++
		if w.events%pollEvery == 0 && keepGoing != nil && !keepGoing(w.progress()) {
			stopped = true
			w.saved = w.save()
			break
		}
		if !w.step() {
			break
		}
	}
	for _, m := range w.machines {
		m.Finish(w.now)
	}
	return w.now, stopped
}

// step moves the world by one event. It reports whether there was one before
// the horizon.
func (w *World) step() bool {
	server, wake := w.firstWake()
	ends, arrives := w.queue.PeekTime(), vt.Never
	if len(w.arrivals) > 0 {
		arrives = w.arrivals[0].At
	}
	next := min(ends, arrives, wake)
	if next > w.horizon {
		w.now = w.horizon
		return false
	}
	w.now = next
	w.actions = w.actions[:0]
	switch next { // the order of simultaneous inputs, in both shells
	case ends:
		s, c, ended := w.model.Handle(w.queue.Pop(), &w.queue)
		if ended {
			w.actions = w.machines[s].Complete(next, c, w.actions)
		}
	case arrives:
		a := w.arrivals[0]
		w.arrivals = w.arrivals[1:]
		w.actions = w.machines[a.Server].Receive(next, a.Reserve, w.actions)
	default:
		w.actions = w.machines[server].Wake(next, w.actions)
	}
	for _, a := range w.actions {
		switch a.Op {
		case engine.OpStart:
			w.model.Begin(next, a.Attempt, &w.queue)
		case engine.OpHangUp:
			w.model.HangUp(a.Attempt.Server, a.Attempt.Slot)
		}
	}
	return true
}

// firstWake finds the machine that wants to be woken first; of equals, the
// first server.
func (w *World) firstWake() (server int, at vt.Time) {
	at = vt.Never
	for i, m := range w.machines {
		if t := m.NextWake(); t < at {
			server, at = i, t
		}
	}
	return server, at
}

func (w *World) done() bool {
	if len(w.arrivals) > 0 {
		return false
	}
	for _, m := range w.machines {
		if !m.Done() {
			return false
		}
	}
	return true
}

func (w *World) progress() Progress {
	return Progress{Now: w.now, Final: w.Rec.Final(), Total: w.total}
}

// Where says how far the run is, for a report of a broken invariant.
func (w *World) Where() string { return fmt.Sprintf("virtual time %s, event %d", w.now, w.events) }
