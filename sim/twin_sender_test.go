package sim_test

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/sim"
)

// office is the twin's sending server, where nothing stops it or its delivering servers. It has no checkpoints
// and no leases: it asks all servers for processes, divides the list by their answers, hands it over, and ends when
// every server has told that it is done.
type office struct {
	*twin
	mailings []*mailing
	wakes    vt.Time // the next check
	letters  uint64
	told     int // mailings that are reported
	kept     []promise
}

// promise is what a server keeps for a mailing.
type promise struct {
	of    *mailing
	n     int
	until vt.Time
}

type mailing struct {
	scenarios.Campaign
	from, to int   // its recipients
	asked    bool  // servers were asked for processes
	offers   []int // by server; -1: not known
	open     int   // parts that are not done; 0: not planned, or done
	planned  bool
	parts    []*portion
	due      vt.Time
	asks     vt.Time // when servers were asked last
}

func (t *twin) openOffice() {
	o := &office{twin: t, kept: make([]promise, len(t.s.Servers))}
	first := 0
	for _, c := range t.s.Campaigns {
		o.mailings = append(o.mailings, &mailing{Campaign: c, from: first, to: first + c.Recipients,
			due: vt.Time(c.Start)})
		first += c.Recipients
	}
	t.office = o
	o.wakeAt(0)
}

// way returns how long what is sent now takes between servers: the sending one has number 0.
func (o *office) way(from, to int) vt.Span {
	luck := o.key.At(uint64(o.now), uint32(from)<<16|uint32(to), purposeOfDelays)
	return o.s.Bus.Delay + vt.Span(float64(o.s.Bus.Delay)*(float64(luck[0])/(1<<32)))
}

const purposeOfDelays rng.Purpose = 300

func (o *office) send(from, to int, arrives func()) {
	server := max(from, to) - 1
	o.letters++
	o.at(o.now.Add(o.way(from, to)), mail.Server(server), listArrives, o.letters, arrives)
}

func (o *office) wakeAt(at vt.Time) {
	o.wakes = at
	o.at(at, 0, listArrives, 0, func() {
		if o.now == o.wakes {
			o.check()
		}
	})
}

// check does what is due, and comes back for what is not done.
func (o *office) check() {
	next := vt.Never
	for _, m := range o.mailings {
		switch {
		case m.planned && m.open == 0:
			continue
		case o.now < m.due:
			next = min(next, m.due)
			continue
		case m.planned:
			for _, p := range m.parts {
				o.follow(m, p)
			}
		case !(m.asked && o.divide(m, true)):
			o.ask(m)
		}
		next = min(next, o.now.Add(o.s.Dispatch.Check))
	}
	if next < vt.Never {
		o.wakeAt(next)
	}
}

// ask asks all servers for processes.
func (o *office) ask(m *mailing) {
	m.asked, m.asks = true, o.now
	m.offers = make([]int, len(o.servers))
	for i, v := range o.servers {
		m.offers[i] = -1
		o.send(0, i+1, func() {
			n := v.keeps(m)
			o.send(i+1, 0, func() {
				if m.planned {
					return
				}
				m.offers[i] = n
				o.divide(m, false)
			})
		})
	}
}

// keeps returns how many processes the server keeps for a mailing ([0033], [0068]).
func (v *twinServer) keeps(m *mailing) int {
	p := &v.office.kept[v.number]
	if v.now < p.until {
		if p.of == m {
			return p.n
		}
		return 0
	}
	n := min(m.Processes, max(0, v.published()-len(v.processes)))
	*p = promise{of: m, n: n}
	if n > 0 {
		p.until = v.now.Add(3 * v.s.Dispatch.Check)
	}
	return n
}

// divide hands the list over in proportion to what servers keep ([0062]), once all have answered, or late by those
// that have.
func (o *office) divide(m *mailing, late bool) bool {
	all, have := 0, true
	for _, n := range m.offers {
		all += max(n, 0)
		have = have && n >= 0
	}
	if all == 0 || !have && !late || o.now > m.asks.Add(2*o.s.Dispatch.Check) {
		return false
	}
	m.planned = true
	from, sum := m.from, 0
	for i, n := range m.offers {
		sum += max(n, 0)
		to := m.from + (m.to-m.from)*sum/all
		if to > from {
			m.open++
			o.handOver(m, i, from, to)
		}
		from = to
	}
	for _, p := range m.parts {
		o.follow(m, p)
	}
	return true
}

// portion is a server's part of a mailing's list.
type portion struct {
	*job
	server int
	here   bool // the server has it
	known  bool // it has answered
	begun  bool
	over   bool // it has told that it is done
}

// follow sends what a part needs: the part itself until its server has answered, then the word to deliver it. Either
// is sent again at each check, and whichever comes first counts.
func (o *office) follow(m *mailing, p *portion) {
	v := o.servers[p.server]
	switch {
	case p.over:
	case !p.known:
		o.send(0, p.server+1, func() {
			if !p.here {
				p.here = true
				o.kept[p.server].until = o.now
			}
			o.send(p.server+1, 0, func() {
				if !p.known {
					p.known = true
					o.follow(m, p)
				}
			})
		})
	default:
		o.send(0, p.server+1, func() {
			switch {
			case !p.begun:
				p.begun = true
				v.receive(p.job)
			case p.left == 0:
				p.done()
			}
		})
	}
}

// handOver gives a part of the list to a server.
func (o *office) handOver(m *mailing, server, from, to int) {
	p := &portion{server: server, job: &job{next: from, end: to, campaign: m.Campaign, total: to - from,
		left: to - from, parked: map[mail.Destination][]*recipient{}}}
	p.done = func() {
		o.send(server+1, 0, func() {
			if p.over {
				return
			}
			p.over = true
			if m.open--; m.open == 0 {
				o.told++
			}
		})
	}
	m.parts = append(m.parts, p)
}

// over reports whether the run is.
func (t *twin) over() bool {
	if t.office != nil {
		return t.office.told == len(t.office.mailings)
	}
	return t.final == t.s.Recipients()
}

// Servers that run by themselves between two messages make the run that servers make who go on together, whether
// each recipient is followed or all are counted.
func TestSendingServerCounts(t *testing.T) {
	eachScenario(t, howMany(t, 20, 200), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		if !s.Dispatch.Sends() {
			d.sender(s)
		}
		watched := record(t, s, true)
		apart := record(t, s, false)
		if watched.digest != apart.digest {
			t.Errorf("digest %016x together, %016x apart", watched.digest, apart.digest)
		}
		if s.OneGovernor() || s.Retry.OfCluster() {
			return
		}
		guarded := *s
		guarded.Bus.Loss = 1e-12 // nothing is lost, and it could be
		followed := record(t, &guarded, true)
		if len(followed.ended) != len(watched.ended) {
			t.Fatalf("%d attempts where recipients are followed, %d where they are counted", len(followed.ended),
				len(watched.ended))
		}
		for i, e := range followed.ended {
			if e != watched.ended[i] {
				t.Fatalf("attempt %d is %+v where recipients are followed, %+v where they are counted", i, e,
					watched.ended[i])
			}
		}
	})
}

type recorded struct {
	ended  []ended
	digest uint64
}

// record runs a scenario, and keeps its attempts if it is watched.
func record(t *testing.T, s *scenarios.Scenario, watched bool) (r recorded) {
	t.Helper()
	watch := func(now vt.Time, a mail.Attempt, reply mail.Reply, status mail.Status) {
		r.ended = append(r.ended, ended{now, a.Server, a.Slot, a.Rcpt, a.Try, a.Dest, a.Conn, reply, status})
	}
	if !watched {
		watch = nil
	}
	w, err := sim.New(s, replication(s), nil, watch)
	if err != nil {
		t.Fatal(err)
	}
	w.Workers = 2
	w.Run(nil)
	r.digest = w.Record().Digest()
	return r
}
