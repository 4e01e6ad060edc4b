package sim_test

import (
	"cmp"
	"container/heap"
	"iter"
	"math"
	"slices"
	"time"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/scenarios"
	"flyball/scenarios/work"
)

// The twin is a second simulator, slow and simple, written from docs/model.md and
// the patent application in another style: every MTA process is a coroutine that
// makes its deliveries one after the other, with one event per stage. It shares
// with the engine only the types of internal/mail, the named draws and the exact
// quantile functions. Start reading at live.

// ended is the end of one attempt.
type ended struct {
	At     vt.Time
	Server mail.Server
	Slot   mail.Slot
	Rcpt   mail.Recipient
	Try    mail.Try
	Dest   mail.Destination
	Conn   mail.Conn
	Reply  mail.Reply
	Status mail.Status
}

// row is one interval of one server.
type row struct {
	Server              mail.Server
	Number              int
	End                 vt.Time
	Delivered, Attempts uint64
	Target              float64 // in force during the interval
	Allocated           float64 // time-average
	Demand, Load        float64
	Previous, Available float64 // C during the interval and after it
	RetryLimit          int
	Freed, HandedBack   uint64
	Partial, Draining   bool
	Gates               []gateRow // of the destinations, where they have limits
}

// account is everything that a run records.
type account struct {
	Ended    []ended
	Rows     []row
	End      vt.Time
	features map[string]int // what the twin's reading of replies did; the engine's account has none
}

type twin struct {
	account
	s        *scenarios.Scenario
	key      rng.Key
	list     *mail.List // if lists are partitioned; else nil
	school   *school    // of a run that learns; else nil
	office   *office    // the sending server; nil: none
	now      vt.Time
	events   agenda
	attempts uint64 // begun
	final    int
	servers  []*twinServer
	knots    map[knot]float64
	skies    map[mail.Destination]*sky
	books    map[string]*sender // what receivers think, by whom and of whom
	ours     cluster
}

// recipient is a recipient of a list.
type recipient struct {
	number mail.Recipient
	dest   mail.Destination
	try    mail.Try
	first  vt.Time // beginning of the first attempt
	tried  bool
	seen   vt.Time // by a greylist, at first: the end of the stage at which it deferred
	sight  vt.Time // by a greylist, the last
}

// runTwin runs the scenario to its end.
func runTwin(s *scenarios.Scenario) account {
	t := &twin{account: account{features: map[string]int{}}, s: s, key: rng.New(s.Seed, replication(s)),
		knots: map[knot]float64{}, books: map[string]*sender{},
		skies: map[mail.Destination]*sky{}}
	for i := range s.Servers {
		v := &twinServer{twin: t, number: mail.Server(i), available: s.Governor.Start, target: ordered(s.Governor, 0),
			waiting: map[vt.Time][]resend{},
			plan:    timetable(s.Retry), limit: newPatience(s.Retry), ofSlot: map[mail.Slot]*patience{},
			prospects: map[mail.Destination]*prospects{},
			gates:     map[mail.Destination]*gate{}, lastTried: map[mail.Slot]mail.Destination{},
			lookUps: map[mail.Destination]uint64{}, connections: map[mail.Destination]uint64{},
			dialled: map[string]int{}}
		t.servers = append(t.servers, v)
		v.wakeAt(vt.Time(s.Governor.Interval))
		for _, at := range v.silenceEnds() {
			v.wakeAt(at)
		}
	}
	t.found()
	if s.Dispatch.Sends() {
		t.openOffice()
	} else {
		t.sendLists()
	}
	for !t.over() {
		if len(t.events) == 0 || t.events[0].at > vt.Time(s.Horizon) {
			t.now = vt.Time(s.Horizon)
			break
		}
		e := heap.Pop(&t.events).(event)
		t.now = e.at
		e.happen()
	}
	t.End = t.now
	t.sort()
	t.cutIntervals()
	for _, v := range t.servers {
		v.sendHome()
	}
	slices.SortStableFunc(t.Rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Server, b.Server))
	})
	return t.account
}

// sort brings attempts that ended at the same time into the order of their servers:
// at a moment in which servers meet, attempts of the last server from before the meeting
// end before attempts of the first server from after it.
func (a *account) sort() {
	slices.SortStableFunc(a.Ended, func(a, b ended) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Server, b.Server))
	})
}

// sendLists cuts every campaign's list into one run of recipients per server,
// by the servers' shares to the nearest recipient ([0062]), and sends it at the campaign's start.
func (t *twin) sendLists() {
	switch t.s.Dispatch.Partition {
	case "shares":
	case "proximity":
		t.schedule()
		return
	default:
		t.sendParts()
		return
	}
	var weight float64
	for _, v := range t.s.Servers {
		weight += v.Share
	}
	first, lists := 0, uint64(0)
	for _, c := range t.s.Campaigns {
		from, share := first, 0.0
		for i, v := range t.s.Servers {
			share += v.Share
			to := first + int(math.Round(float64(c.Recipients)*(share/weight)))
			if to > from {
				j := &job{next: from, end: to, campaign: c, total: to - from, left: to - from,
					parked: map[mail.Destination][]*recipient{}}
				t.at(vt.Time(c.Start), mail.Server(i), listArrives, lists, func() { t.servers[i].receive(j) })
				lists++
			}
			from = to
		}
		first += c.Recipients
	}
}

// sendParts sends the parts of partitioned lists. Which recipients they have is the subject of other tests.
func (t *twin) sendParts() {
	list := t.s.List(t.key)
	dealt, parts, err := work.Of(t.s, &list, t.key)
	if err != nil {
		panic(err)
	}
	t.list = dealt
	for i, a := range parts {
		n := int(a.Reserve.To - a.Reserve.From)
		j := &job{next: int(a.Reserve.From), end: int(a.Reserve.To), campaign: t.s.Campaigns[a.Campaign], total: n,
			left: n, parked: map[mail.Destination][]*recipient{}}
		t.at(a.At, a.Server, listArrives, uint64(i), func() { t.servers[a.Server].receive(j) })
	}
}

// agenda holds the future events, soonest first.
type agenda []event

type event struct {
	at     vt.Time
	last   bool // of all that happens at the same time
	server mail.Server
	kind   kind
	order  uint64
	happen func()
}

type kind int

const (
	attemptEnds kind = iota // by the order in which the attempts began
	listArrives
	wakeUp
)

func (t *twin) at(at vt.Time, s mail.Server, k kind, order uint64, happen func()) {
	heap.Push(&t.events, event{at: at, server: s, kind: k, order: order, happen: happen})
}

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)   { *a = append(*a, e.(event)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}
func (a agenda) Less(i, j int) bool {
	x, y := a[i], a[j]
	switch {
	case x.at != y.at:
		return x.at < y.at
	case x.last != y.last:
		return y.last
	case x.server != y.server:
		return x.server < y.server
	case x.kind != y.kind:
		return x.kind < y.kind
	}
	return x.order < y.order
}

// twinServer is a B server.
type twinServer struct {
	*twin
	number    mail.Server
	jobs      []*job // in the order of their arrival
	processes []*process
	free      []mail.Slot // last freed last
	slots     mail.Slot   // ever used
	rested    bool        // a destination has refused the sender

	lookUps, connections map[mail.Destination]uint64
	dialled              map[string]int       // connections, by destination and pool of addresses
	turnFree, linkFree   vt.Time              // when what waits now is done
	underWay             int                  // attempts
	waiting              map[vt.Time][]resend // by due time

	available           float64 // C
	target              float64 // T of the interval under way
	unheard             []row   // intervals that have not reached the governor
	interval            int
	began, until        vt.Time // of the interval, and of what the next two lines count
	processTime         float64 // allocated processes x nanoseconds
	wantedTime          float64 // wanted processes x nanoseconds
	draining            bool
	delivered, attempts uint64
	freed, handedBack   uint64

	plan        plan
	limit       *patience
	ofSlot      map[mail.Slot]*patience
	prospects   map[mail.Destination]*prospects
	allocations int
	gates       map[mail.Destination]*gate
	all         lane // its attempts to all destinations
	lastTried   map[mail.Slot]mail.Destination
}

// job is a campaign's part of the list on one server.
type job struct {
	next, end int // recipients not yet taken
	campaign  scenarios.Campaign
	processes int
	due       []*recipient // resends, by due time and then by the order of failure
	back      [][]int      // rests of subsets, the earliest first
	parked    map[mail.Destination][]*recipient
	begun     []vt.Time // when attempts began, if the campaign has a rate
	total     int
	left      int     // not final
	done      func()  // called when all are final; nil: none
	limit     int     // of the stages
	shut      vt.Time // until then, by a reply
}

type resend struct {
	job       *job
	recipient *recipient
}

func (v *twinServer) receive(j *job) {
	v.count()
	v.jobs = append(v.jobs, j)
	j.limit = v.stageLimit(j)
	v.grant()
}

// published returns C as the server announces it.
func (v *twinServer) published() int {
	if most := v.s.Servers[v.number].Connections; most > 0 {
		return min(most, int(math.Floor(v.available)))
	}
	return int(math.Floor(v.available))
}

// grant allocates processes while there are reservable ones ([0068]) and work
// for them.
func (v *twinServer) grant() {
	if v.silent() {
		return
	}
	for len(v.processes) < v.published() {
		chosen := v.mostUrgent()
		if chosen == nil {
			return
		}
		v.allocate(chosen)
	}
}

// mostUrgent returns the job that gets the next process; nil if none can use one.
func (v *twinServer) mostUrgent() *job {
	able := slices.DeleteFunc(slices.Clone(v.jobs), func(j *job) bool {
		return j.processes >= j.campaign.Processes || !j.hasWork() || v.now < j.opens() || !v.useful(j)
	})
	slices.SortStableFunc(able, func(a, b *job) int { return b.campaign.Priority - a.campaign.Priority })
	if len(able) == 0 {
		return nil
	}
	return able[0]
}

// opens returns the time from which the rate of the campaign, and the replies to it, allow
// an attempt.
func (j *job) opens() vt.Time { return max(j.shut, earliest(j.begun, j.campaign.Rate, 1)) }

// silent reports whether no attempt may begin now.
func (v *twinServer) silent() bool {
	for i, c := range v.s.Governor.Changes {
		next := vt.Never
		if i+1 < len(v.s.Governor.Changes) {
			next = vt.Time(v.s.Governor.Changes[i+1].At)
		}
		if c.Target == 0 && vt.Time(c.At) <= v.now && v.now < next {
			return true
		}
	}
	for _, q := range v.s.Quiet {
		shown := vt.TimeOfDay(vt.Span(v.twin.shown().Sub(v.twin.shown().Truncate(24 * time.Hour))))
		switch inside := q.From <= shown && shown < q.To; {
		case q.From < q.To && inside, q.From > q.To && (shown >= q.From || shown < q.To):
			return true
		}
	}
	return false
}

// silenceEnds returns the times at which attempts may begin again.
func (v *twinServer) silenceEnds() (all []vt.Time) {
	var perhaps []vt.Time
	for _, c := range v.s.Governor.Changes {
		perhaps = append(perhaps, vt.Time(c.At))
	}
	for _, o := range append([]vt.Offset{{}}, v.s.UTCOffsets...) {
		perhaps = append(perhaps, vt.Time(o.From))
		v.twin.now = vt.Time(o.From)
		midnight := v.twin.now.Add(-vt.Span(v.twin.shown().Sub(v.twin.shown().Truncate(24 * time.Hour))))
		for ; len(v.s.Quiet) > 0 && midnight <= vt.Time(v.s.Horizon); midnight = midnight.Add(vt.Day) {
			for _, q := range v.s.Quiet {
				perhaps = append(perhaps, midnight.Add(vt.Span(q.To)))
			}
		}
	}
	slices.Sort(perhaps)
	for _, at := range slices.Compact(perhaps) {
		v.twin.now = at - 1
		before := v.silent()
		if v.twin.now = at; at > 0 && at <= vt.Time(v.s.Horizon) && before && !v.silent() {
			all = append(all, at)
		}
	}
	v.twin.now = 0
	return all
}

// shown returns what the clock shows; without one the run begins at midnight.
func (t *twin) shown() time.Time {
	if !t.s.StartAt.Given() {
		return time.Unix(0, 0).UTC().Add(time.Duration(t.now))
	}
	ahead := vt.Span(0)
	for _, o := range t.s.UTCOffsets {
		if vt.Span(t.now) >= o.From {
			ahead = o.Ahead - t.s.UTCOffsets[0].Ahead
		}
	}
	return time.Unix(int64(t.s.StartAt), 0).UTC().Add(time.Duration(vt.Span(t.now) + ahead))
}

func (j *job) hasWork() bool {
	return j.next < j.end || len(j.due) > 0 || len(j.back) > 0 || parkedOf(j) > 0
}

func (v *twinServer) allocate(j *job) {
	slot := v.slots
	if last := len(v.free) - 1; last >= 0 {
		slot, v.free = v.free[last], v.free[:last]
	} else {
		v.slots++
	}
	if v.ofSlot[slot] == nil {
		v.ofSlot[slot] = newPatience(v.s.Retry)
	}
	v.allocations++
	p := &process{twinServer: v, slot: slot, job: j, since: v.now, order: v.allocations}
	v.count()
	v.processes = append(v.processes, p)
	j.processes++
	p.resume, p.stop = iter.Pull(p.live)
	p.goOn()
}

// release takes back a process that has ended.
func (v *twinServer) release(p *process) {
	v.count()
	for i := range v.processes {
		if v.processes[i] == p {
			v.processes = append(v.processes[:i], v.processes[i+1:]...)
			break
		}
	}
	p.job.processes--
	v.free = append(v.free, p.slot)
}

// count brings the interval's measures up to date.
func (v *twinServer) count() {
	if v.now > v.until {
		v.processTime += float64(len(v.processes)) * float64(v.now-v.until)
		v.wantedTime += float64(v.wanted()) * float64(v.now-v.until)
		v.draining = v.draining || len(v.processes) < v.published() && parkedOf(v.jobs...) == 0
		v.until = v.now
	}
}

func (v *twinServer) measured() row {
	v.count()
	r := row{Server: v.number, Number: v.interval, End: v.now, Target: v.target, Delivered: v.delivered,
		Attempts:  v.attempts,
		Allocated: v.processTime / float64(v.now-v.began), Previous: v.available, Draining: v.draining,
		RetryLimit: v.shownLimit(), Freed: v.freed, HandedBack: v.handedBack, Gates: v.gateRows()}
	r.Demand, r.Load = v.wantedTime/float64(v.now-v.began), v.load(r.Allocated)
	v.interval++
	v.forgetInterval()
	v.began, v.processTime, v.wantedTime, v.draining, v.delivered, v.attempts, v.freed, v.handedBack =
		v.now, 0, 0, false, 0, 0, 0, 0
	return r
}

// wakeAt wakes the server at a time; if it then has no mail, when all others
// have had their turn.
func (v *twinServer) wakeAt(at vt.Time) {
	v.at(at, v.number, wakeUp, 0, func() {
		if slices.ContainsFunc(v.jobs, func(j *job) bool { return j.left > 0 }) {
			v.wake()
			return
		}
		heap.Push(&v.events, event{at: at, last: true, server: v.number, happen: v.wake})
	})
}

// wake ends an interval and makes resends due, if it is time for either; then
// there may be more processes to grant, or more work for them.
func (v *twinServer) wake() {
	switch ends := v.now == v.began.Add(v.s.Governor.Interval); {
	case ends && v.together():
		return
	case ends:
		v.intervalEnds()
	}
	v.reviveAll()
	v.ripen()
	v.grant()
}

// ripen makes the resends due whose time has come.
func (v *twinServer) ripen() {
	v.count()
	for _, r := range v.waiting[v.now] {
		r.job.due = append(r.job.due, r.recipient)
	}
	delete(v.waiting, v.now)
}

func (v *twinServer) intervalEnds() {
	r := v.measured()
	v.target = ordered(v.s.Governor, v.now)
	v.unheard = append(v.unheard, r)
	v.goOn(r, govern(v.s.Governor, &v.unheard, v.available, v.target), r)
}

// goOn begins the next interval with a new C. DFR is the DFR of a row.
func (v *twinServer) goOn(r row, available float64, dfrOf row) {
	v.available = available
	r.Available = v.available
	v.Rows = append(v.Rows, r)
	v.moveGates(r.Gates)
	v.reconsider(r, dfrOf)
	v.freeMany()
	v.wakeAt(v.now.Add(v.s.Governor.Interval))
}

// sendHome ends the coroutines of processes that are under way at the end of the
// run.
func (v *twinServer) sendHome() {
	for _, p := range v.processes {
		p.stop()
	}
}

// mostProcesses is the greatest C; Table 2 has no limit.
const mostProcesses = math.MaxInt32

// ordered returns the target that the scenario schedules for a time.
func ordered(g governor.Config, now vt.Time) float64 {
	last := -1
	for i, c := range g.Changes {
		if c.At <= vt.Span(now) {
			last = i
		}
	}
	if last >= 0 && g.Changes[last].Target == 0 { // a pause leaves the governor what it had
		at := vt.Time(g.Changes[last].At)
		g.Changes = g.Changes[:last]
		return ordered(g, at)
	}
	if last < 0 {
		return float64(g.Target)
	}
	c := g.Changes[last]
	if done := vt.Span(now) - c.At; done < c.Over {
		g.Changes = g.Changes[:last]
		before := ordered(g, vt.Time(c.At))
		return before + float64((float64(c.Target)-before)*(float64(done)/float64(c.Over)))
	}
	return float64(c.Target)
}

// measured is a governor's measurement of one or more intervals.
type measured struct {
	delivered        uint64
	hours, allocated float64
}

// measure returns the measurement that the governor gets at the end of an interval
// of the intervals that have not reached it, and how often it gets it.
func measure(g governor.Config, of []row, number int) (m measured, times int) {
	times = 1
	for _, r := range of {
		m.delivered += r.Delivered
		m.hours += g.Interval.Hours()
		m.allocated += r.Allocated / float64(len(of)) // all are as long
	}
	for _, f := range g.Faults {
		switch {
		case f.Interval != number:
		case f.Kind == "missed":
			times = 0
		case f.Kind == "duplicate":
			times = 2
		case f.Kind == "reset":
			m.delivered = 0
		}
	}
	return m, times
}

// govern returns C after an interval, the last one that has not reached the
// governor.
func govern(g governor.Config, unheard *[]row, c, target float64) float64 {
	of := *unheard
	m, times := measure(g, of, of[len(of)-1].Number)
	for range times {
		c = decide(g, m, c, target)
		*unheard = nil
	}
	return c
}

// decide returns C for the next interval, which has the given target, by Table 2.
func decide(g governor.Config, r measured, c, target float64) float64 {
	hours := g.Interval.Hours()
	allocated := r.allocated
	if g.Allocated == "as-printed" {
		allocated /= r.hours
	}
	if g.Law == "hold" || allocated == 0 {
		return c
	}
	d := float64(g.Factor) * 24 * hours / 24 // [0067], FACTOR per day
	switch g.StepMode {
	case "as-printed":
		d = float64(g.Factor) * 24 / hours
	case "explicit":
		d = g.D
	}
	if g.Law == "patent-dynamic" { // [0069]
		u := allocated / c
		if g.CapUtilization {
			u = min(u, 1)
		}
		d *= u
	}
	throughput := float64(r.delivered) / r.hours
	efficiency := throughput / allocated
	return min(mostProcesses, max(1, min(c+d, max(c-d, target/efficiency)))) // T / 0 is infinite
}

// process is an MTA process from its allocation to its end.
type process struct {
	*twinServer
	slot   mail.Slot
	job    *job
	subset []int  // recipients that it has still to try
	line   *line  // the open connection, if any
	turn   uint64 // of its attempt among all attempts
	idle   bool   // an attempt ended just now
	met    reception
	passed bool // a greylist, in this attempt
	listed bool // by a greylist, which has looked at this attempt

	lookedUp vt.Span // time of the last look-up

	order     int     // of its allocation
	since     vt.Time // when it took its subset, or was allocated
	size      int     // of its subset when it took it
	successes int     // since then
	goes      bool    // it has been sent away

	resume func() (vt.Time, bool)
	stop   func()
	sleep  func(vt.Time) bool
}

// line is a connection.
type line struct {
	dest    mail.Destination
	number  uint64
	address int           // of the server's, with those of all its pools
	rtt     vt.Span       // now
	hops    int           // now
	offered int           // messages
	refused bool          // the last one
	capped  bool          // the connection itself was refused
	lost    bool          // the destination was down and did not notice the connection
	shut    config.Refuse // the event that refused the connection, if any
	carried int           // messages, as the receiver counts
	luck    rng.Block

	drawnHops int
}

// goOn runs the process until it sleeps or ends.
func (p *process) goOn() {
	p.idle = false
	if until, alive := p.resume(); alive {
		p.at(until, p.number, attemptEnds, p.turn, p.goOn)
	} else {
		p.release(p)
	}
	if p.idle {
		p.grant()
	}
}

type curfew struct{}

// live runs an MTA process: it delivers to one recipient after another until
// there is no more work for it.
func (p *process) live(yield func(vt.Time) bool) {
	defer func() {
		if over := recover(); over != nil && over != any(curfew{}) {
			panic(over)
		}
	}()
	p.sleep = yield
	for {
		r := p.takeRecipient()
		if r == nil {
			p.hangUp()
			return
		}
		began := p.now
		if !r.tried {
			r.first, r.tried = began, true
		}
		p.enters(r.dest)
		conn, reply := p.deliver(r)
		reply.Took = p.now.Sub(began)
		if p.school != nil && conn == mail.Fresh && reply.Stage == mail.StageDot && reply.Code == 250 {
			p.school.lessons = append(p.school.lessons, lesson{p.number, r.dest, reply.Took - p.lookedUp, p.line.hops})
		}
		p.idle = true
		p.settle(r, conn, reply)
		p.leaves(r.dest, reply)
		p.reacts(r.dest, reply)
		p.perhapsGoes()
	}
}

// takeRecipient is a resend that is due, else the next recipient of the subset,
// else the first of a new subset. Only where no subset is left unfinished may
// the process be sent away ([0070]); one that has been sent away has only that.
func (p *process) takeRecipient() *recipient {
	p.count()
	j := p.job
	first := p.mostUrgent()
	if p.silent() || p.now < j.opens() || first != nil && first.campaign.Priority > j.campaign.Priority {
		if len(p.subset) > 0 {
			j.back, p.subset = append(j.back, p.subset), nil
		}
		return nil
	}
	if p.choosy() {
		return p.search()
	}
	if len(p.subset) == 0 && (p.goes || p.tooMany() > 0) {
		return nil
	}
	if len(j.due) > 0 && !p.goes {
		r := j.due[0]
		j.due = j.due[1:]
		return r
	}
	if len(p.subset) == 0 {
		p.takeSubset()
	}
	if len(p.subset) == 0 {
		return nil
	}
	number := p.subset[0]
	p.subset = p.subset[1:]
	return p.fresh(number)
}

func (p *process) takeSubset() {
	j := p.job
	p.since, p.successes = p.now, 0
	want := j.campaign.Subset
	if len(j.back) > 0 {
		p.subset, j.back = j.back[0], j.back[1:]
		want = 0
	}
	for ; j.next < j.end && len(p.subset) < want; j.next++ {
		p.subset = append(p.subset, j.next)
	}
	p.size = len(p.subset)
}

// fresh returns the recipient at a place, who has not been tried.
func (t *twin) fresh(number int) *recipient {
	r := mail.Recipient(number)
	if t.list != nil {
		r = t.list.At(r)
		return &recipient{number: r, dest: t.list.Destination(r), seen: vt.Never}
	}
	return &recipient{number: r, dest: t.destination(r), seen: vt.Never}
}

// deliver makes one attempt.
func (p *process) deliver(r *recipient) (conn mail.Conn, reply mail.Reply) {
	p.turn = p.twin.attempts
	p.twin.attempts++
	p.underWay++
	p.passed, p.listed = false, false
	slow := p.slowness()
	switch {
	case p.line == nil:
	case p.line.dest != r.dest || p.line.offered == p.offers(r.dest):
		p.hangUp()
	case p.line.refused:
		conn = mail.Reset
	default:
		conn = mail.Reused
	}
	if conn == mail.Fresh {
		reply = p.connects(r, slow)
	} else {
		p.route()
		p.meet(r, false)
		if turn := p.takesTurn(); turn > 0 {
			p.wait(turn)
		}
	}
	if !ends(reply) {
		reply = p.offer(r, conn, slow)
	}
	if conn != mail.Fresh && (reply.Stage == mail.StageEHLO ||
		reply.Stage == mail.StageMAIL && (slices.Contains([]uint16{421, 452, 503}, reply.Code) ||
			reply.Fault == mail.Drop)) {
		// The receiver had enough of the connection, not of the recipient.
		offered := p.line.offered // the sender counts on
		p.hangUp()
		if reply = p.connects(r, slow); !ends(reply) {
			p.line.offered = offered - 1
			reply = p.offer(r, mail.Fresh, slow)
		}
	}
	if reply.Fault != mail.NoFault || reply.Code == 421 || reply.Stage < mail.StageMAIL {
		p.hangUp()
	} else {
		p.line.refused = reply.Code >= 400
	}
	p.underWay--
	if rep := p.house(r.dest).Reputation; reply == (mail.Reply{Stage: mail.StageDot, Code: 250}) &&
		happens(rep.Complaints, p.draw(r, 0, luckOfTemper)[0]) {
		p.known().points.now(p.now, rep.Heals)
		p.known().points.sum += rep.PerComplaint
	}
	if p.passed {
		p.grey(r.dest).letIn(p.now, p.house(r.dest).Greylist)
	}
	return conn, reply
}

// offers returns how many messages a connection to a destination may carry.
func (p *process) offers(d mail.Destination) int {
	for _, n := range []int{p.s.Destinations[d].Send.Messages, p.s.Destinations[d].Messages} {
		if n > 0 {
			return n
		}
	}
	return p.s.Dialogue.Messages
}

// connects is connect, and once more if the connection is closed at EHLO, where HELO may be known.
func (p *process) connects(r *recipient, slow float64) mail.Reply {
	reply := p.connect(r, slow)
	if reply.Stage == mail.StageEHLO && reply.Fault == mail.Drop {
		p.features["HELO"]++
		p.hangUp()
		reply = p.connect(r, slow)
	}
	return reply
}

// connect looks the destination up, connects and greets. Ordinals are given,
// and a cap counts, in the order in which attempts begin.
func (p *process) connect(r *recipient, slow float64) mail.Reply {
	d, turn := r.dest, p.takesTurn()
	took, fault := p.lookUp(d, slow)
	p.lookedUp = took
	took += turn
	if fault != mail.NoFault {
		p.wait(took)
		return mail.Reply{Stage: mail.StageDNS, Fault: fault}
	}
	p.call(d)
	p.route()
	hopeless := false
	for at := mail.StageConnect; at <= mail.StageEHLO; at++ {
		hopeless = hopeless || p.connectionFails(at) != mail.Reply{}
	}
	p.meet(r, hopeless)
	p.wait(took)
	greeting := p.connectionFails(mail.StageBanner)
	if p.line.capped {
		v := p.house(d)
		greeting = p.says(d, mail.StageBanner, 421, v.CapEnhanced, v.CapText)
	}
	ehlos := 1
	if p.s.Dialogue.StartTLS {
		ehlos = 4 // EHLO, STARTTLS, TLS 1.3, EHLO
	}
	// AUTH PLAIN; AUTH LOGIN, the name, the password
	ehlos += map[string]int{"plain": 1, "login": 3}[p.s.Dialogue.Auth]
	reached := p.connectionFails(mail.StageConnect)
	if p.met.down != mail.NoFault {
		reached = mail.Reply{Fault: p.met.down}
	}
	var reply mail.Reply
	for _, x := range []exchange{
		{stage: mail.StageConnect, trips: 1, fails: reached},
		{stage: mail.StageBanner, trips: 1, delay: times(p.quantile(p.s.Destinations[d].Banner, p.line.luck[2]),
			p.met.longer), fails: greeting},
		{stage: mail.StageEHLO, trips: ehlos, fails: p.connectionFails(mail.StageEHLO)},
	} {
		x.lost = p.losses(x, p.drawLine(p.line, lossOnLine))
		if reply = p.exchange(x, slow); ends(reply) {
			break
		}
	}
	return reply
}

// offer sends the message over the open connection.
func (p *process) offer(r *recipient, conn mail.Conn, slow float64) mail.Reply {
	dest := &p.s.Destinations[r.dest]
	mailbox, message, loss := p.draw(r, 0, luckOfMailbox), p.draw(r, r.try, luckOfMessage),
		p.draw(r, r.try, lossOfMessage)
	p.line.offered++
	if conn == mail.Reset {
		x := exchange{stage: mail.StageEHLO, trips: 2, fails: p.met.reset} // RSET, EHLO
		if p.met.down != mail.NoFault {
			x.fails = mail.Reply{Fault: p.met.down}
		}
		x.lost = p.losses(x, p.drawLine(p.line, lossOnLine))
		if reply := p.exchange(x, slow); ends(reply) {
			return reply
		}
	}
	commands := 1
	if p.s.Dialogue.Pipelining {
		commands = 0 // RCPT and DATA travel with MAIL
	}
	dot := 1
	if conn == mail.Fresh {
		for window := 14_600; int(p.sizeOf(r)) > window*(1<<dot-1); {
			dot++
		}
	}
	dead := deathOf(dest, mailbox)
	var reply mail.Reply
	for _, x := range []exchange{
		{stage: mail.StageMAIL, trips: 1, delay: p.met.tarpit},
		{stage: mail.StageRCPT, trips: commands, delay: times(p.quantile(dest.RCPT, message[2]), p.met.longer)},
		{stage: mail.StageDATA, trips: commands},
		{stage: mail.StageDot, trips: dot, delay: times(p.quantile(dest.Dot, message[1]), p.met.longer) + p.met.link},
	} {
		switch { // a dead mailbox fails alike at every try, so nothing else befalls it
		case x.stage == mail.StageMAIL && p.met.down != mail.NoFault:
			x.fails = mail.Reply{Fault: p.met.down}
		case x.stage == mail.StageMAIL && p.met.refused.Code != 0:
			x.fails = p.met.refused
		case p.met.event.At == x.stage.String():
			v := p.met.event
			x.fails = p.says(r.dest, x.stage, v.Reply, v.Enhanced, v.Text)
		case dead.At == x.stage.String():
			x.fails = p.says(r.dest, x.stage, dead.Reply, dead.Enhanced, dead.Text)
		case dead.At != "":
		case dest.Greylist.At == x.stage.String() && p.greylisted(r, dest, mailbox):
			v := dest.Greylist
			x.fails = p.says(r.dest, x.stage, v.Reply, v.Enhanced, v.Text)
		case p.met.held.At == x.stage.String():
			v := p.met.held
			x.fails = p.says(r.dest, x.stage, v.Reply, v.Enhanced, v.Text)
		default:
			x.fails = p.messageFails(x.stage, r.dest, message)
		}
		x.lost = p.losses(x, loss)
		reply = p.exchange(x, slow)
		if p.listed && dest.Greylist.At == x.stage.String() {
			r.seen, r.sight = min(r.seen, p.now), p.now
		}
		if ends(reply) {
			break
		}
	}
	return reply
}

// settle records the result of an attempt: the recipient is final, or waits for a
// resend.
func (p *process) settle(r *recipient, conn mail.Conn, reply mail.Reply) {
	retry := p.s.Retry
	status := mail.Pending
	delays := p.plan.delays
	if own := p.s.Destinations[r.dest].Send.Delays; len(own) > 0 {
		delays = own
	}
	wait := delays[min(int(r.try), len(delays)-1)]
	if grey := reply.Stage == mail.StageRCPT && (reply.Code == 450 || reply.Code == 451); grey && r.try == 0 &&
		retry.GreylistDelay > 0 {
		wait = retry.GreylistDelay
	}
	row := p.rowOf(r.dest, reply)
	switch {
	case row.Reaction == "hold":
		wait = row.For
	case row.Reaction == "reconnect" && conn != mail.Fresh:
		wait = 0
	}
	switch {
	case reply.Stage == mail.StageDot && reply.Fault == mail.NoFault && reply.Code < 400:
		status = mail.Done
		p.twinServer.delivered++
		p.successes++
	case reply.Stage == mail.StageDot && reply.Fault != mail.NoFault && retry.Ambiguous == "hold":
		status = mail.Held
	case uncounted(reply):
		p.rests(r.dest, wait, reply)
		if p.plan.age > 0 && p.now.Add(wait) > r.first.Add(p.plan.age) {
			status = mail.Failed
		}
	case row.Reaction == "bounce", reply.Code >= 500 && retry.Bounce == "fail" && asTheCodeSays(row):
		status = mail.Failed
	case int(r.try) >= p.retryLimit(r, reply):
		status = mail.Failed
	case p.plan.age > 0 && p.now.Add(wait) > r.first.Add(p.plan.age):
		status = mail.Failed
	}
	p.twinServer.attempts++
	p.ofSlot[p.slot].tell(status == mail.Done)
	p.hear(r, reply)
	p.Ended = append(p.Ended, ended{p.now, p.number, p.slot, r.number, r.try, r.dest, conn, reply, status})
	if status != mail.Pending {
		p.final++
		if p.job.left--; p.job.left == 0 && p.job.done != nil {
			p.job.done()
		}
		return
	}
	longest := max(slices.Max(p.plan.delays), retry.GreylistDelay)
	for _, d := range p.s.Destinations {
		for _, own := range d.Send.Delays {
			longest = max(longest, own)
		}
		for _, row := range slices.Concat(d.Replies, p.s.Replies) {
			if row.Reaction == "hold" {
				longest = max(longest, row.For)
			}
		}
	}
	grain := roundUp(longest, 32768*vt.Millisecond) / 32768
	if !uncounted(reply) {
		r.try++
	}
	due := vt.Time(roundUp(vt.Span(p.now)+wait, grain))
	if len(p.waiting[due]) == 0 {
		p.wakeAt(due)
	}
	p.waiting[due] = append(p.waiting[due], resend{p.job, r})
}

// roundUp gives the least multiple of unit that is not below d.
func roundUp(d, unit vt.Span) vt.Span { return (d + unit - 1) / unit * unit }

func (p *process) wait(d vt.Span) {
	if !p.sleep(p.now.Add(d)) {
		panic(curfew{})
	}
}

// hangUp closes the open connection, if any.
func (p *process) hangUp() {
	if p.line != nil && !p.line.capped && !p.line.lost {
		p.known().open--
	}
	p.line = nil
}

// slowness returns the factor of the universal scalability law for the attempts
// under way.
func (p *process) slowness() float64 {
	v, n := p.s.Servers[p.number], float64(p.underWay)
	return 1 + float64(v.Contention*(n-1)) + float64(v.Coherency*(n*(n-1)))
}

// lookUp returns how long a look-up lasts and what is wrong with its answer.
func (p *process) lookUp(d mail.Destination, slow float64) (vt.Span, mail.Fault) {
	dns := p.s.Network.DNS
	luck := p.key.At(p.lineEntity(d, p.lookUps[d]), 0, luckOfLookUp)
	p.lookUps[d]++
	took, fault := p.quantile(dns.Hit, luck[1]), mail.NoFault
	if !happens(dns.HitRatio, luck[0]) {
		took = p.quantile(dns.Miss, luck[1])
		if happens(dns.ServFail, luck[2]) {
			fault = mail.ServFail
		}
	}
	took = times(took, p.drifted(1, dns.Drift))
	took = vt.Span(float64(took) * slow)
	if patience := p.s.Dialogue.Timeouts.DNS; took > patience {
		return patience, mail.Timeout
	}
	return took, fault
}

// call opens a connection. A receiver that has too many already refuses it and
// does not count it.
func (p *process) call(d mail.Destination) {
	l := &line{dest: d, number: p.connections[d], address: p.address(d)}
	p.line = l
	p.connections[d]++
	l.luck = p.drawLine(l, luckOfLine)
	if p.downAt(d) != mail.NoFault {
		l.lost = true
	} else if most := p.house(d).Cap; most > 0 && p.known().open >= most {
		l.capped = true
	} else {
		p.known().open++
	}
	l.shut = p.event(d, p.drawLine(l, luckOfCall)[0], "banner", "ehlo")
	n, v := p.s.Network, p.s.Servers[p.number]
	hops := math.Round(n.Hops.Mean + n.Hops.SD*normal((float64(l.luck[3])+0.5)/(1<<32)))
	l.drawnHops = int(max(float64(n.Hops.Min), min(hops, float64(n.Hops.Max)))) + v.ExtraHops
	for _, far := range p.between(d) {
		l.drawnHops += far.Hops
	}
}

// route sets the path of the line for an attempt that begins now.
func (p *process) route() {
	l, n := p.line, p.s.Network
	l.hops = l.drawnHops
	var times []delay.Drift
	for _, v := range n.Drift {
		times = append(times, delay.Drift{At: v.At, Factor: v.Factor, Over: v.Over})
		l.hops += int(math.Floor(float64(v.Hops) * p.gone(v.At, v.Over)))
	}
	rtt := p.quantile(p.s.Destinations[l.dest].RTT, l.luck[1]) + n.PerHop*vt.Span(l.hops) +
		p.s.Servers[p.number].ExtraRTT
	for _, far := range p.between(l.dest) {
		rtt += far.RTT
	}
	l.rtt = vt.Span(min(float64(rtt)*p.drifted(1, times), 1e17))
}

// between returns the distances that lie between the server and a destination.
func (v *twinServer) between(d mail.Destination) (all []config.Distance) {
	from, to := v.s.Servers[v.number], v.s.Destinations[d]
	for _, far := range v.s.Network.Distances {
		if slices.Contains([]string{from.Name, from.Region}, far.From) &&
			slices.Contains([]string{to.Name, to.Region}, far.To) {
			all = append(all, far)
		}
	}
	return all
}

// gone returns the completed share of a drift.
func (t *twin) gone(at, over vt.Span) float64 {
	done := vt.Span(t.now) - at
	switch {
	case done < 0:
		return 0
	case over == 0:
		return 1
	}
	return min(1, float64(done)/float64(over))
}

// drifted multiplies a factor by what drifts have made of a time by now.
func (t *twin) drifted(by float64, all []delay.Drift) float64 {
	for _, v := range all {
		if part := t.gone(v.At, v.Over); part == 1 {
			by *= v.Factor
		} else {
			by *= 1 + float64((v.Factor-1)*part)
		}
	}
	return by
}

// exchange is one stage: its time, and its failure if it fails.
type exchange struct {
	stage mail.Stage
	trips int
	delay vt.Span    // the receiver's
	fails mail.Reply // a code or a fault; neither: it does not
	lost  int        // exchanges
}

func ends(r mail.Reply) bool {
	return r.Fault != mail.NoFault || r.Code >= 400 || r.Stage == mail.StageDot
}

// exchange passes a stage and returns how it ended.
func (p *process) exchange(x exchange, slow float64) mail.Reply {
	took := p.line.rtt*vt.Span(x.trips) + x.delay + (1<<x.lost-1)*p.s.Network.Retrans
	took = vt.Span(float64(took) * slow)
	patience := map[mail.Stage]vt.Span{
		mail.StageConnect: p.s.Dialogue.Timeouts.Connect,
		mail.StageBanner:  p.s.Dialogue.Timeouts.Banner,
		mail.StageEHLO:    p.s.Dialogue.Timeouts.Command,
		mail.StageMAIL:    p.s.Dialogue.Timeouts.Command,
		mail.StageRCPT:    p.s.Dialogue.Timeouts.Command,
		mail.StageDATA:    p.s.Dialogue.Timeouts.Data,
		mail.StageDot:     p.s.Dialogue.Timeouts.Dot,
	}[x.stage]
	lost := x.lost == p.s.Network.GiveUpAt
	if took > patience || x.fails.Fault == mail.Timeout && !lost {
		p.wait(patience)
		return mail.Reply{Stage: x.stage, Fault: mail.Timeout}
	}
	p.wait(took)
	switch {
	case lost || x.fails.Fault == mail.Drop:
		return mail.Reply{Stage: x.stage, Fault: mail.Drop}
	case x.fails.Code != 0:
		return mail.Reply{Stage: x.stage, Code: x.fails.Code, Row: x.fails.Row}
	}
	return mail.Reply{Stage: x.stage, Code: 250}
}
