package sim_test

import (
	"fmt"
	"math"
	"slices"

	"flyball/governor/feedback"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// The twin's concurrency limits of destinations: docs/model.md, "Room" in section
// 7.3 and the limit of a destination in 7.4.

// gate is a server's state for a destination.
type gate struct {
	limit, x   float64
	f, s, dead float64 // f, s and F
	revival    vt.Time // if it is dead
	busy       int
	since      vt.Time // of busy
	busyTime   float64
	limits     []int // as the ends of attempts left them
	trouble    int   // attempts refused, or no reply
	took       vt.Span
	offers     []vt.Time // when attempts to it began
	calls      []vt.Time // when those began that opened a connection
	lane       lane
	read       map[uint16][]vt.Time // replies, by row
}

// limited reports whether a law limits destinations.
func (v *twinServer) limited() bool {
	law := v.s.Governor.Destination.Law
	return law == "postfix-feedback" || law == "aimd"
}

// choosy reports whether some destination may have no room.
func (v *twinServer) choosy() bool {
	return v.rested || v.limited() || slices.ContainsFunc(v.s.Destinations, func(d config.Destination) bool {
		return d.Send.Connections > 0 || d.Send.Rate > 0 || d.Send.ConnectionRate > 0 ||
			slices.ContainsFunc(slices.Concat(d.Replies, v.s.Replies), replies.Row.Gates)
	})
}

func (v *twinServer) gateOf(d mail.Destination) *gate {
	if v.gates[d] == nil {
		initial := float64(v.s.Governor.Destination.Initial)
		v.gates[d] = &gate{limit: initial, x: initial, read: map[uint16][]vt.Time{}}
	}
	return v.gates[d]
}

// room reports whether a process without a connection may try a destination.
func (v *twinServer) room(d mail.Destination) bool { return v.roomFor(d, false) }

// room reports whether the process may try a destination.
func (p *process) room(d mail.Destination) bool { return p.roomFor(d, p.keeps(d)) }

func (v *twinServer) roomFor(d mail.Destination, connected bool) bool {
	g, own := v.gateOf(d), v.s.Destinations[d].Send
	switch {
	case v.limited() && g.busy >= int(g.limit):
		return false
	case own.Connections > 0 && g.busy >= own.Connections:
		return false
	case v.now < g.lane.opens() || v.now < v.all.opens():
		return false
	case g.lane.busy >= g.lane.room():
		v.features[fmt.Sprintf("a gentle return is full, it has grown %v", g.lane.room() > g.lane.back.Return)]++
		return false
	case v.all.busy >= v.all.room():
		v.features["a gentle return of an account is full"]++
		return false
	}
	return v.now >= earliest(g.offers, own.Rate, own.Burst) &&
		(connected || v.now >= earliest(g.calls, own.ConnectionRate, own.Burst))
}

// earliest is the earliest time of one more event: at any rate r and burst b, no span t
// may hold more than b + r t of them.
func earliest(before []vt.Time, rate unit.PerHour, burst int) (at vt.Time) {
	if rate == 0 {
		return 0
	}
	apart := math.Round(float64(vt.Hour) / float64(rate))
	for i, first := range before {
		if n := len(before) - i + 1; n > burst {
			at = max(at, first+vt.Time(n-burst)*vt.Time(apart))
		}
	}
	return at
}

// keeps reports whether the process would go on with its connection.
func (p *process) keeps(d mail.Destination) bool {
	return p.line != nil && p.line.dest == d && p.line.offered != p.offers(d)
}

func (g *gate) count(now vt.Time) {
	g.busyTime += float64(g.busy) * float64(now-g.since)
	g.since = now
}

func (p *process) enters(d mail.Destination) {
	p.lastTried[p.slot] = d
	g := p.gateOf(d)
	g.count(p.now)
	g.busy++
	if p.job.campaign.Rate > 0 {
		p.job.begun = append(p.job.begun, p.now)
		p.wakeAt(p.job.opens())
	}
	own := p.s.Destinations[d].Send
	if own.Rate > 0 {
		g.offers = append(g.offers, p.now)
	}
	if own.ConnectionRate > 0 && !p.keeps(d) {
		g.calls = append(g.calls, p.now)
	}
	g.lane.busy, p.all.busy = g.lane.busy+1, p.all.busy+1
	g.lane.began, p.all.began = append(g.lane.began, p.now), append(p.all.began, p.now)
	for _, at := range []vt.Time{earliest(g.offers, own.Rate, own.Burst),
		earliest(g.calls, own.ConnectionRate, own.Burst), g.lane.opens(), p.all.opens()} {
		if at > p.now {
			p.wakeAt(at)
		}
	}
}

func (p *process) leaves(d mail.Destination, reply mail.Reply) {
	g := p.gateOf(d)
	g.count(p.now)
	if p.limited() {
		p.feedBack(g, reply.Stage < mail.StageMAIL || reply.Code == 421 || reply.Fault != mail.NoFault)
	}
	g.busy--
	row := p.rowOf(d, reply)
	well := reply.Fault == mail.NoFault && reply.Code != 421 && (reply.Code < 400 || reply.Stage >= mail.StageRCPT) &&
		row.Reaction != "slow" && row.Reaction != "suspend"
	g.lane.ends(p.now.Add(-reply.Took), well)
	p.all.ends(p.now.Add(-reply.Took), well)
	g.limits = append(g.limits, int(g.limit))
	g.took += reply.Took
	if reply.Code == 421 || reply.Fault != mail.NoFault {
		g.trouble++
	}
}

const little = 1e-9

func part(a feedback.Amount, limit float64) float64 {
	switch a.Per {
	case feedback.PerCohort:
		return a.Value / limit
	case feedback.PerRoot:
		return a.Value / math.Sqrt(limit)
	}
	return a.Value
}

func (v *twinServer) feedBack(g *gate, failed bool) {
	c := v.s.Governor.Destination
	if c.Law != "postfix-feedback" {
		return
	}
	most, initial := float64(c.Max), float64(c.Initial)
	switch {
	case g.limit == 0 && failed:
	case g.limit == 0:
		g.limit, g.dead = initial, 0
	case failed:
		if g.dead += 1 / g.limit; c.Cohorts > 0 && g.dead >= c.Cohorts-little {
			g.limit, g.revival = 0, v.now.Add(c.Revive)
			v.wakeAt(g.revival)
			return
		}
		g.f -= part(c.Negative, g.limit)
		for ; g.f < -little; g.f++ {
			g.limit--
			g.s = 0
		}
		g.limit = max(1, g.limit)
	default:
		g.dead = 0
		if g.limit < most && g.limit < float64(g.busy)+initial {
			g.s += part(c.Positive, g.limit)
			for ; g.s >= 1-little; g.s-- {
				g.limit++
				g.f = 0
			}
			g.limit = min(most, g.limit)
		}
	}
}

// reviveAll revives the gates whose time has come.
func (v *twinServer) reviveAll() {
	for _, g := range v.gates {
		if g.limit == 0 && g.revival == v.now {
			g.limit, g.dead = float64(v.s.Governor.Destination.Initial), 0
		}
	}
}

// gateRow is the record of a destination in an interval.
type gateRow struct {
	Limit, Limits, Attempts, Parked, Trouble int
	Took                                     vt.Span // mean of the attempts that ended
	Busy                                     float64
}

func (v *twinServer) gateRows() (rows []gateRow) {
	if !v.limited() {
		return nil
	}
	for d := range v.s.Destinations {
		g := v.gateOf(mail.Destination(d))
		g.count(v.now)
		r := gateRow{Limit: int(g.limit), Attempts: len(g.limits), Trouble: g.trouble,
			Busy: g.busyTime / float64(v.now-v.began)}
		if r.Attempts > 0 {
			r.Took = g.took / vt.Span(r.Attempts)
		}
		for _, n := range g.limits {
			r.Limits += n
		}
		for _, j := range v.jobs {
			r.Parked += len(j.parked[mail.Destination(d)])
		}
		rows = append(rows, r)
	}
	return rows
}

// moveGates adapts the gates at the end of an interval.
func (v *twinServer) moveGates(rows []gateRow) {
	a := v.s.Governor.Destination.AIMD
	for d, r := range rows {
		g := v.gateOf(mail.Destination(d))
		if v.s.Governor.Destination.Law == "aimd" && r.Busy > 0 {
			switch {
			case float64(r.Trouble) > a.Drops*float64(r.Attempts) || r.Took > a.Timeout:
				g.x = min(g.x-1, math.Floor(g.x*a.Backoff))
			case 2*r.Busy >= g.x:
				g.x++
			}
			g.x = max(a.Min, min(g.x, a.Max))
			g.limit = math.Floor(g.x)
		}
	}
}

func (v *twinServer) forgetInterval() {
	for _, g := range v.gates {
		g.busyTime, g.limits, g.took, g.trouble = 0, nil, 0, 0
	}
}

// parkedOf returns the number of deferred recipients of a job or of all jobs.
func parkedOf(jobs ...*job) (n int) {
	for _, j := range jobs {
		for _, all := range j.parked {
			n += len(all)
		}
	}
	return n
}

func (v *twinServer) park(j *job, r *recipient) {
	v.count()
	j.parked[r.dest] = append(j.parked[r.dest], r)
}

func (v *twinServer) mayPark(j *job) bool { return parkedOf(j) < v.s.Governor.Destination.Parked }

// nextInLine takes the first deferred recipient that may be tried.
func (p *process) nextInLine() *recipient {
	n := mail.Destination(len(p.s.Destinations))
	for k := range n {
		d := (p.lastTried[p.slot] + k) % n
		if all := p.job.parked[d]; len(all) > 0 && p.room(d) {
			p.count()
			p.job.parked[d] = all[1:]
			return all[0]
		}
	}
	return nil
}

// nextDue takes the first due resend that may be tried.
func (p *process) nextDue() *recipient {
	j := p.job
	for len(j.due) > 0 {
		r := j.due[0]
		j.due = j.due[1:]
		if p.room(r.dest) {
			return r
		}
		p.park(j, r)
	}
	return nil
}

// useful reports whether one more process of the job may have work.
func (v *twinServer) useful(j *job) bool {
	if !v.choosy() {
		return true
	}
	for d, all := range j.parked {
		if len(all) > 0 && v.room(d) {
			return true
		}
	}
	return len(j.due) > 0 || v.mayBegin(j, v.room)
}

// mayBegin reports whether a subset of the job may be taken, by who has room for its first recipient.
func (v *twinServer) mayBegin(j *job, room func(mail.Destination) bool) bool {
	next := j.next
	if len(j.back) > 0 {
		next = j.back[0][0]
	} else if next == j.end {
		return false
	}
	return v.mayPark(j) || room(v.fresh(next).dest)
}

// search is takeRecipient where destinations have limits.
func (p *process) search() *recipient {
	j := p.job
	if !p.goes && (len(p.subset) > 0 || p.tooMany() <= 0) {
		if r := p.nextInLine(); r != nil {
			if len(p.subset) > 0 {
				j.back, p.subset = append(j.back, p.subset), nil
			}
			return r
		}
		if r := p.nextDue(); r != nil {
			return r
		}
	}
	for {
		if len(p.subset) == 0 {
			if p.goes || p.tooMany() > 0 || !p.mayBegin(j, p.room) {
				return nil
			}
			p.takeSubset()
		}
		r := p.fresh(p.subset[0])
		switch {
		case p.room(r.dest):
			p.subset = p.subset[1:]
			return r
		case !p.mayPark(j):
			j.back = append(j.back, p.subset)
			p.subset = nil
			return nil
		}
		p.subset = p.subset[1:]
		p.park(j, r)
	}
}
