package realrun

import (
	"runtime"
	"slices"
	"syscall"
	"time"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/governing"
	"flyball/engine/proximity"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun/station"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/stated"
	"flyball/scenarios/work"
)

// roles holds the roles that a live run or its replay drives. Every input goes
// through one of the methods complete, receive, wake and stop, which deliver the
// resulting messages until no role has one to send.
type roles struct {
	here      []mail.Server   // numbers of the roles in this process, see role
	elsewhere station.Carrier // takes messages to other roles; nil: all are here
	silent    bool            // sends none any more

	machines []engine.Trier                    // delivering servers; nil: it is elsewhere
	planner  *work.Planner                     // of a run that learns; else nil
	cluster  *governing.Cluster                // nil if every server decides by itself
	records  []*runlog.Recorder                // of each machine
	shared   *runlog.Recorder                  // of the cluster's intervals
	perform  func(mail.Server, *engine.Outbox) // closes connections and starts attempts; nil: does nothing
	kept     *kept                             // of a run that keeps its facts; nil: none is kept
	end      mail.Completion                   // that a machine is being given
	out      engine.Outbox

	governors []governor.Governor  // of each machine
	returns   func(governor.Flags) // called when a trial ends, before its C is announced; nil: not called
}

// fail tells the trials of all servers that a guard has failed.
func (r *roles) fail() {
	for _, g := range r.governors {
		if t, ok := g.(interface{ Fail() }); ok {
			t.Fail()
		}
	}
}

// newRoles returns the roles of a scenario over a list, the list in the order in which they take it, and
// their work, which a run that learns does not know yet. Watch may be nil.
func newRoles(s *scenarios.Scenario, list *mail.List, watch runlog.Watch) (*roles, *mail.List, []work.Arrival,
	error) {
	sending := stated.Sending(s, !list.Synthetic())
	r := &roles{shared: runlog.NewRecorder(len(s.Destinations), nil)}
	var parts []work.Arrival
	var err error
	if s.Dispatch.Learns() {
		if r.planner, err = work.NewPlanner(s, list); err == nil {
			list = r.planner.List()
		}
	} else {
		list, parts, err = work.Of(s, list, rng.New(s.Seed, 0))
	}
	if err != nil {
		return nil, nil, nil, err
	}
	governors, cluster, err := s.Governors(r.shared, r.nearly)
	if err != nil {
		return nil, nil, nil, err
	}
	r.governors = governors
	r.cluster = cluster
	defer func() { r.here = upTo(r.number()) }()
	for i, gov := range governors {
		rec := runlog.NewRecorder(len(s.Destinations), watch)
		rec.Sends(sending)
		r.records = append(r.records, rec)
		r.machines = append(r.machines, delivery.New(s.Engine(mail.Server(i)), list, gov, r.observer(i)))
	}
	return r, list, r.begin(parts), nil
}

// observer returns what sees the attempts of a server.
func (r *roles) observer(server int) engine.Observer {
	if r.planner == nil {
		return r.records[server]
	}
	return &proximity.Witness{Observer: r.records[server], Seen: r.planner.Seen(server), Way: &r.end}
}

// upTo returns the numbers from 0 to below n.
func upTo(n int) (all []mail.Server) {
	for i := range n {
		all = append(all, mail.Server(i))
	}
	return all
}

// begin sets the starts of campaigns in the records, and returns their parts.
func (r *roles) begin(parts []work.Arrival) []work.Arrival {
	for _, a := range parts {
		r.records[a.Server].Begins(a.First, a.Campaign, a.At, a.Due)
	}
	return parts
}

// plan returns the parts of the campaigns that have begun by now and have no plan.
func (r *roles) plan(now vt.Time) (parts []work.Arrival) {
	for r.nextPlan() < now {
		parts = append(parts, r.begin(r.planner.Plan())...)
	}
	return parts
}

// nextPlan returns the last moment before a campaign without a plan begins; vt.Never if none does.
func (r *roles) nextPlan() vt.Time {
	if r.planner == nil {
		return vt.Never
	}
	return r.planner.Next()
}

// record returns the records of all roles, merged.
func (r *roles) record() *runlog.Recorder {
	if r.cluster == nil || !r.cluster.Governs() {
		return runlog.Merge(r.records)
	}
	return runlog.Merge(append(slices.Clone(r.records), r.shared))
}

// number returns the number of roles in all processes.
func (r *roles) number() int {
	n := len(r.machines)
	if r.cluster != nil {
		n++
	}
	if r.kept != nil {
		n++
	}
	return n
}

// role returns a role of this process by its number: a server, after the last one the cluster, if there is one, and
// then the sending server of a run that keeps its facts.
func (r *roles) role(number mail.Server) engine.Role {
	switch {
	case int(number) < len(r.machines):
		return r.machines[number]
	case r.cluster != nil && int(number) == len(r.machines):
		return r.cluster
	}
	return r.kept.sender
}

// numberOf returns the number of the role with an address.
func (r *roles) numberOf(a engine.Address) mail.Server {
	switch a.Role {
	case engine.Governing:
		return mail.Server(len(r.machines))
	case engine.Sender:
		return mail.Server(r.number() - 1)
	}
	return a.Server
}

// has reports whether the role with an address is in this process.
func (r *roles) has(a engine.Address) bool {
	return r.elsewhere == nil || (a.Role == engine.Remote || a.Role == engine.Delivery) && a.Server == r.here[0]
}

// nextWake returns the first time at which a role must be woken.
func (r *roles) nextWake() vt.Time {
	at := vt.Never
	for _, i := range r.here {
		at = min(at, r.role(i).NextWake())
	}
	return at
}

func (r *roles) complete(now vt.Time, server mail.Server, c mail.Completion) {
	r.end = c
	r.machines[server].Complete(now, &r.end, &r.out)
	r.end = mail.Completion{}
	r.settle(now, server)
}

// assign passes a server a part of a list.
func (r *roles) assign(now vt.Time, a work.Arrival) {
	r.records[a.Server].HandsOver(now, uint64(a.Reserve.To-a.Reserve.From))
	r.receive(now, a.Message())
}

func (r *roles) receive(now vt.Time, m engine.Message) {
	if !r.has(m.To) {
		if !r.silent {
			r.elsewhere.Send(m)
		}
		return
	}
	if summary, ok := m.Body.(engine.Summary); ok { // to who asked for the mailing
		m = engine.Message{To: m.From, Body: engine.Got{UpTo: uint64(summary.Job)}}
	}
	if m.To.Role == engine.Requests { // the list of those who asked for nothing was read whole
		return
	}
	number := r.numberOf(m.To)
	r.role(number).Receive(now, m, &r.out)
	r.settle(now, number)
}

func (r *roles) wake(now vt.Time, number mail.Server, load engine.Load) {
	r.role(number).Wake(now, load, &r.out)
	r.settle(now, number)
}

// stop ends the run of a server.
func (r *roles) stop(now vt.Time, server mail.Server, load engine.Load) {
	r.receive(now, engine.Message{To: engine.Address{Role: engine.Delivery, Server: server}, Body: engine.Stop{}})
	r.wake(now, server, load)
}

// settle performs the actions of a role after an input and delivers its messages.
func (r *roles) settle(now vt.Time, number mail.Server) {
	if r.perform != nil {
		r.perform(number, &r.out)
	}
	if r.kept != nil && r.kept.hold(now, number, &r.out) {
		r.out.Clear()
		return
	}
	messages := r.out.Send
	r.out.Send = nil
	r.out.Clear()
	for _, m := range messages {
		r.receive(now, m)
	}
}

// cpuMeter measures the load of the computer by this process, which contains all
// servers of a run and its own receivers.
type cpuMeter struct {
	at   time.Time
	used time.Duration
}

// load returns the processor time since the last call / the time of all cores, 0
// to 1; 0 if it is unknown.
func (m *cpuMeter) load() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	before := *m
	m.at, m.used = time.Now(), time.Duration(u.Utime.Nano()+u.Stime.Nano())
	if before.at.IsZero() || !m.at.After(before.at) {
		return 0
	}
	return min(1, float64(m.used-before.used)/(float64(runtime.NumCPU())*float64(m.at.Sub(before.at))))
}
