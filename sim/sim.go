// Package sim runs a scenario in virtual time. It advances to the next event,
// passes it to the engine, and lets the network model schedule the ends of the
// attempts that the engine starts. It never sleeps. It does not validate: a
// Scenario is valid by construction. A World is not safe for concurrent use; run
// one per goroutine.
package sim

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/governing"
	"flyball/engine/proximity"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/scenarios/work"
)

// World is one run of a scenario.
type World struct {
	// Workers is the number of servers that may run at a time, each on its own
	// goroutine; 1 unless set. No result depends on it. A watched world, or a
	// world with a shared destination, runs one server at a time.
	Workers int

	servers  []*server
	system   *system            // nil without a sending server
	cluster  *governing.Cluster // nil if every server decides by itself
	out      engine.Outbox      // of the cluster
	shared   *runlog.Recorder   // of its intervals
	lockstep bool               // servers run together, event by event
	reached  vt.Time            // all events until then are handled, except the ends of intervals of idle servers
	window   vt.Span            // time that is run between two calls of keepGoing
	horizon  vt.Time
	total    uint64
	saved    []byte        // checkpoint of a run that was stopped
	id       func() string // names scenario, replication and length of the list; takes time
	list     *mail.List
	work     []work.Arrival
	planner  *work.Planner       // of a run that learns; else nil
	given    bool                // the list is not the scenario's own
	enough   func(Standing) bool // as in Job
	due      []runlog.Campaign   // of the run, without their results; only if enough is set

	course    *course    // of a run from which others may branch; else nil
	witnesses []*witness // by server; only of a run with a course
}

// New returns the world of one replication of a scenario; replication 0 is the
// run that the scenario's seed names. list, if not nil, replaces the scenario's
// synthetic list. watch, if not nil, is called with every attempt, in the order
// of time and, at equal times, of the servers; at a moment in which servers meet,
// what ended before the meeting comes first.
func New(s *scenarios.Scenario, replication uint64, list *mail.List, watch runlog.Watch) (*World, error) {
	return newWorld(s, netmodel.NewNetwork(s.Netmodel(), rng.Key{}), replication, list, watch, nil)
}

// newWorld is New with a network that was built for the scenario before, and with the course that
// is to be written; nil: none.
func newWorld(s *scenarios.Scenario, physics *netmodel.Network, replication uint64, list *mail.List,
	watch runlog.Watch, c *course) (*World, error) {
	key := rng.New(s.Seed, replication)
	given := list != nil
	if !given {
		synthetic := s.List(key)
		list = &synthetic
	}
	net := physics.With(key, s.Ends(list.Len()))
	w := &World{
		Workers: 1,
		lockstep: watch != nil || s.React() || len(s.Servers) > 1 && net.Joint() || s.Dispatch.Fetches() ||
			s.Dispatch.Sends() && s.Guarded(),
		window:  vt.Second,
		horizon: vt.Time(s.Horizon),
		total:   uint64(list.Len()),
		id: func() string {
			return fmt.Sprintf("%s %d %d%s", scenarios.ID(s), replication, list.Len(), s.Known().Digest())
		},
		list:  list,
		given: given,
	}
	var arrivals []work.Arrival
	var err error
	if s.Dispatch.Learns() {
		if w.planner, err = work.NewPlanner(s, list); err == nil {
			list = w.planner.List()
		}
	} else {
		list, arrivals, err = work.Of(s, list, key)
	}
	if err != nil {
		return nil, err
	}
	w.list = list
	w.shared = runlog.NewRecorder(len(s.Destinations), nil)
	governors, cluster, err := s.Governors(w.shared)
	if err != nil {
		return nil, err
	}
	w.cluster = cluster
	if s.Dispatch.Sends() {
		w.system = newSystem(s, key, list.Len())
	}
	if c != nil {
		w.course, w.witnesses = c, c.witnesses(governors)
	}
	for i, model := range netmodel.NewModels(net) {
		rec := runlog.NewRecorder(len(s.Destinations), watch)
		v := &server{number: mail.Server(i), load: model.Load, model: model, rec: rec}
		var obs engine.Observer = rec
		if w.planner != nil {
			obs = &proximity.Witness{Observer: rec, Seen: w.planner.Seen(i), Way: &v.end}
		}
		if w.system != nil {
			w.system.attach(v, s.Servers[i].Name, list, governors[i], obs)
		} else {
			v.machine = delivery.New(s.Engine(mail.Server(i)), list, governors[i], obs)
		}
		w.servers = append(w.servers, v)
		rec.Sends(stated.Sending(s, given))
	}
	if w.system != nil {
		w.system.start(list.Len())
		return w, nil
	}
	w.assign(arrivals)
	if w.planner != nil && w.planner.Next() == 0 {
		w.assign(w.planner.Plan())
	}
	return w, nil
}

// assign gives servers parts of the list.
func (w *World) assign(parts []work.Arrival) {
	w.work = append(w.work, parts...)
	for _, a := range parts {
		v := w.servers[a.Server]
		v.rec.Begins(a.First, a.Campaign, a.At, a.Due)
		v.arrivals = append(v.arrivals, a)
	}
	for _, v := range w.servers {
		v.coming = w.nextPlan() < vt.Never
	}
}

// nextPlan returns when a campaign is planned next; vt.Never if none is.
func (w *World) nextPlan() vt.Time {
	if w.planner == nil {
		return vt.Never
	}
	return w.planner.Next()
}

// Learned returns what a run that learns has learned; nil if the run does not learn.
func (w *World) Learned() *proximity.Database {
	if w.planner == nil {
		return nil
	}
	return w.planner.Known()
}

// KeepOutcomes makes the run record the outcome of every recipient, in 32 bytes
// each. It must be called before Run.
func (w *World) KeepOutcomes() {
	all := make(runlog.Outcomes, w.list.Len())
	for _, s := range w.servers {
		s.rec.Outcomes = all
	}
}

// Trace makes the run call traced with each attempt that has an end, in the order of time. It must be called before
// Run.
func (w *World) Trace(traced func(*mail.Trace)) {
	w.lockstep = true
	for _, s := range w.servers {
		s.model.Trace(traced)
	}
}

// Work returns the parts of the list, in the order of time.
func (w *World) Work() []work.Arrival { return w.work }

// List returns the recipients of the run.
func (w *World) List() *mail.List { return w.list }

// outcomes returns the recorded outcomes; nil if they are not recorded.
func (w *World) outcomes() runlog.Outcomes { return w.servers[0].rec.Outcomes }

// Progress is the state of progress of a run.
type Progress struct {
	Now   vt.Time
	Final uint64 // recipients that are final
	Total uint64
}

// Run runs until all mail is final or the horizon is reached. It calls keepGoing,
// if not nil, now and then, and stops early when keepGoing returns false. It
// returns the end of the run and whether it was stopped.
func (w *World) Run(keepGoing func(Progress) bool) (end vt.Time, stopped bool) {
	for !w.done() && w.reached < w.horizon {
		w.advance()
		if w.course != nil {
			w.course.pass(w, false)
		}
		if keepGoing != nil && !w.done() && !keepGoing(w.progress()) {
			w.saved = w.save()
			w.wait(w.reached)
			return w.finish(w.reached), true
		}
		if w.enough != nil && !w.done() && w.enough(w.standing()) {
			if w.course != nil {
				w.course.pass(w, true)
			}
			w.wait(w.reached)
			return w.finish(w.reached), false
		}
	}
	if w.course != nil {
		w.course.pass(w, true)
	}
	end, last := w.horizon, w.horizon
	if w.done() {
		end = w.now()
		last = end - 1 // at the end itself no server is woken any more
	}
	w.wait(last)
	return w.finish(end), false
}

// eventsPerWindow is the number of events in a window: some milliseconds of work.
const eventsPerWindow = 1 << 14

// advance runs all servers through the next window of time, which ends at the
// latest where they meet. It adapts the length of the windows until each holds
// about eventsPerWindow events.
func (w *World) advance() {
	meeting, plan := w.meeting(), w.nextPlan()
	until := min(w.horizon, w.reached.Add(w.window), meeting, plan)
	whole := until < plan
	if w.course != nil {
		if next := w.course.next(w.reached); next < until {
			until, whole = next, false
		}
	}
	before := w.events()
	w.deliver(until)
	if until == meeting && !w.done() {
		w.meet(until)
		w.deliver(until)
	}
	if until == w.nextPlan() {
		w.assign(w.planner.Plan())
	}
	w.reached = until
	switch n := w.events() - before; {
	case n < eventsPerWindow && until != meeting && whole:
		w.window *= 2
	case n > 4*eventsPerWindow && w.window > 1:
		w.window /= 2
	}
}

// meeting returns the next wake-up of the cluster, at which all servers meet.
func (w *World) meeting() vt.Time {
	if w.cluster == nil {
		return vt.Never
	}
	return w.cluster.NextWake()
}

// deliver handles the events of all servers up to and including until.
func (w *World) deliver(until vt.Time) {
	if w.lockstep {
		for w.step(until) {
		}
		return
	}
	if w.system != nil {
		w.runApart(until)
		return
	}
	inParallel(w.servers, w.Workers, func(s *server) { s.deliver(until) })
}

// runApart handles the events of a run in which nothing stops its servers up to and including until. Until the
// next event of the system each server runs by itself: a message that it sends meanwhile, that a subset has ended,
// changes nothing on another server before that.
func (w *World) runApart(until vt.Time) {
	y := w.system
	for {
		next := y.next()
		y.apart = true
		inParallel(w.servers, w.Workers, func(s *server) {
			if next > until {
				s.deliver(until)
			} else {
				s.runTo(next)
			}
		})
		y.apart = false
		y.gather()
		if next = y.next(); next > until {
			return
		}
		if y.handle(next); w.done() {
			return
		}
	}
}

// meet advances all servers to now, including servers without mail, and delivers
// messages until no role has one to send.
func (w *World) meet(now vt.Time) {
	w.wait(now)
	w.carry(now)
	for w.cluster.NextWake() <= now {
		w.cluster.Wake(now, nil, &w.out)
		w.carry(now)
	}
}

// carry delivers all messages to their receivers, the first server's first.
func (w *World) carry(now vt.Time) {
	var post []engine.Message
	for {
		for _, s := range w.servers {
			post = append(post, s.out.Send...)
			s.out.Clear()
		}
		post = append(post, w.out.Send...)
		w.out.Clear()
		if len(post) == 0 {
			return
		}
		switch m := post[0]; m.To.Role { // what is for the sender's other servers travels by itself
		case engine.Delivery:
			w.servers[m.To.Server].receive(now, m)
		case engine.Governing:
			w.cluster.Receive(now, m, &w.out)
		}
		post = post[1:]
	}
}

// inParallel calls do for each of all, at most workers at a time. If calls
// panic, it panics with Broken, with the value of the first panic.
func inParallel[T any](all []T, workers int, do func(T)) {
	if workers = min(workers, len(all)); workers < 2 {
		for _, v := range all {
			do(v)
		}
		return
	}
	var turn atomic.Int64
	var broken atomic.Pointer[Broken]
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					broken.CompareAndSwap(nil, &Broken{Value: v, Stack: debug.Stack()})
				}
			}()
			for i := turn.Add(1) - 1; i < int64(len(all)); i = turn.Add(1) - 1 {
				do(all[i])
			}
		})
	}
	running.Wait()
	if b := broken.Load(); b != nil {
		panic(*b)
	}
}

// step handles the next event, up to and including until, of all servers that
// have mail, or plans the campaigns that are to be planned before it. Among simultaneous
// events the first server's goes first. It reports whether there was an event or a plan.
func (w *World) step(until vt.Time) bool {
	if w.system != nil && w.done() {
		return false
	}
	var first *server
	plan := w.nextPlan()
	next := min(until, plan).Add(1)
	for _, s := range w.servers {
		if at := s.next(); at < next && !s.idle() {
			first, next = s, at
		}
	}
	switch {
	case w.system != nil && w.system.comesBefore(first, next):
		w.system.handle(w.system.next())
		w.tellAll()
	case first != nil:
		first.handle(next)
		w.tell(first, next)
	case plan <= until && plan < vt.Never:
		w.assign(w.planner.Plan())
	default:
		return false
	}
	return true
}

// tell delivers what a server has for other delivering servers, of which those without mail need
// nothing. Reports to the cluster wait for the meeting.
func (w *World) tell(s *server, now vt.Time) {
	kept := s.out.Send[:0]
	for _, m := range s.out.Send {
		if m.To.Role != engine.Delivery {
			kept = append(kept, m)
		} else if to := w.servers[m.To.Server]; !to.idle() && (to.node == nil || to.node.up) {
			to.receive(now, m)
		}
	}
	s.out.Send = kept
}

// tellAll delivers what all servers have for other delivering servers.
func (w *World) tellAll() {
	for _, s := range w.servers {
		if len(s.out.Send) > 0 {
			w.tell(s, w.system.now)
		}
	}
}

func (w *World) done() bool {
	if w.system != nil {
		return w.system.sender.Done()
	}
	return !slices.ContainsFunc(w.servers, func(s *server) bool { return !s.idle() })
}

// wait ends the intervals of idle servers up to and including until.
func (w *World) wait(until vt.Time) {
	for _, s := range w.servers {
		s.wait(until)
	}
}

func (w *World) finish(end vt.Time) vt.Time {
	for _, s := range w.servers {
		s.stop(end)
	}
	w.carry(end)
	return end
}

func (w *World) progress() Progress {
	p := Progress{Now: w.reached, Total: w.total}
	for _, s := range w.servers {
		p.Final += s.rec.Final()
	}
	if w.system != nil {
		p.Final += w.system.account.Suppressed
	}
	return p
}

// Forecast estimates when the last recipient of all servers will be final. It is not Known while mail has
// yet to come.
func (w *World) Forecast() runlog.Forecast {
	var all []*runlog.Recorder
	for _, s := range w.servers {
		if len(s.arrivals) > 0 || s.coming {
			return runlog.Forecast{}
		}
		all = append(all, s.rec)
	}
	return runlog.LastOf(all)
}

// Standing is what a run has come to so far. The counts of a run only grow.
type Standing struct {
	Now               vt.Time
	Recipients, Final uint64
	Attempts, Refused uint64 // that ended, and among them those with which a receiver refused the sender
	Late              uint64 // recipients who were not final by their deadline; more may be
}

func (w *World) standing() Standing {
	s := Standing{Now: w.reached, Recipients: w.total}
	for _, v := range w.servers {
		s.Final += v.rec.Final()
		s.Attempts += v.rec.Attempts()
		s.Refused += v.rec.Refusals()
	}
	for i, c := range w.due {
		if c.Deadline >= w.reached {
			continue
		}
		late := c.Recipients
		if w.system != nil { // others may yet be suppressed, and then they are not late
			late = 0
			for _, v := range w.servers {
				_, final := v.rec.Last(i)
				late += final
			}
		}
		for _, v := range w.servers {
			late -= v.rec.OnTime(i)
		}
		s.Late += late
	}
	return s
}

// Control returns what the sender's own servers did so far; nil without a sending server.
func (w *World) Control() *runlog.Control {
	if w.system == nil {
		return nil
	}
	return &w.system.account
}

// Record returns the records of all servers so far, merged.
func (w *World) Record() *runlog.Recorder { return runlog.Merge(w.Records()) }

// Records returns the records of each server so far, and then of the cluster if
// it has a governor.
func (w *World) Records() []*runlog.Recorder {
	var all []*runlog.Recorder
	for _, s := range w.servers {
		all = append(all, s.rec)
	}
	if w.cluster != nil && w.cluster.Governs() {
		all = append(all, w.shared)
	}
	return all
}

// now returns the time of the last event.
func (w *World) now() (now vt.Time) {
	for _, s := range w.servers {
		now = max(now, s.now)
	}
	if w.system != nil {
		now = max(now, w.system.now)
	}
	return now
}

func (w *World) events() (n uint64) {
	for _, s := range w.servers {
		n += s.events
	}
	if w.system != nil {
		n += w.system.events
	}
	return n
}

// Where returns the virtual time and event of the run, for the report of a panic.
func (w *World) Where() string {
	return fmt.Sprintf("virtual time %s, event %d", w.now(), w.events())
}
