package netmodel

import (
	"fmt"
	"slices"
	"testing"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// shell is a sender without lists and retries: every slot tries one recipient
// after the other, over and over.
type shell struct {
	models []*Model // by server
	queues []evq.Queue
	slots  []slot // of all servers in turn
	next   mail.Recipient
	dest   func(mail.Recipient) mail.Destination
	again  []mail.Attempt // deferred, to be tried again at once
	log    []end
}

type slot struct {
	a       mail.Attempt
	open    bool
	refused bool
}

type end struct {
	at     vt.Time
	server mail.Server
	slot   mail.Slot
	rcpt   mail.Recipient
	try    mail.Try
	reply  mail.Reply
}

func newShell(t *testing.T, c config.Config, slots int) *shell {
	t.Helper()
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	s := &shell{queues: make([]evq.Queue, len(c.Servers))}
	s.models = NewModels(NewNetwork(c, testKey))
	s.dest = func(r mail.Recipient) mail.Destination { return mail.Destination(int(r/7) % len(c.Destinations)) }
	for i := range slots * len(c.Servers) {
		s.slots = append(s.slots, slot{a: mail.Attempt{Server: mail.Server(i % len(c.Servers)),
			Slot: mail.Slot(i / len(c.Servers))}})
	}
	return s
}

// ended returns the next attempt to end; of simultaneous ends, the one of the
// first server.
func (s *shell) ended() (at vt.Time, server mail.Server, c mail.Completion) {
	for {
		server = 0
		for i := range s.queues {
			if s.queues[i].PeekTime() < s.queues[server].PeekTime() {
				server = mail.Server(i)
			}
		}
		if at, c, ended := handle(s.models[server], &s.queues[server]); ended {
			return at, server, c
		}
	}
}

// handle processes the next event of a server.
func handle(m *Model, q *evq.Queue) (vt.Time, mail.Completion, bool) {
	at, slot := q.Pop()
	var c mail.Completion
	ended := m.Handle(at, mail.Slot(slot), q, &c)
	return at, c, ended
}

func (s *shell) at(server mail.Server, i mail.Slot) *slot {
	for n := range s.slots {
		if s.slots[n].a.Server == server && s.slots[n].a.Slot == i {
			return &s.slots[n]
		}
	}
	panic("no such slot")
}

// begin starts the next attempt of a slot.
func (s *shell) begin(now vt.Time, p *slot) {
	a := mail.Attempt{Rcpt: s.next, Dest: s.dest(s.next)}
	if len(s.again) > 0 {
		a, s.again = s.again[0], s.again[1:]
	} else {
		s.next++
	}
	if p.open && p.a.Dest == a.Dest {
		a.Conn = mail.Reused
		if p.refused {
			a.Conn = mail.Reset
		}
	}
	a.Server, a.Slot, a.Gen = p.a.Server, p.a.Slot, p.a.Gen+1
	p.a = a
	s.models[a.Server].Begin(now, &a, &s.queues[a.Server])
}

// run continues until the given number of attempts has ended.
func (s *shell) run(attempts int) {
	for i := range s.slots {
		s.begin(0, &s.slots[i])
	}
	s.resume(attempts)
}

// resume continues until the given number of attempts has ended in all.
func (s *shell) resume(attempts int) {
	for len(s.log) < attempts {
		at, server, c := s.ended()
		p := s.at(server, c.Slot)
		s.log = append(s.log, end{at, server, c.Slot, p.a.Rcpt, p.a.Try, c.Reply})
		p.open, p.refused = c.Reply.Open(), c.Reply.Class() != mail.Delivered
		if c.Reply.Class() == mail.Deferral && p.a.Try < 3 {
			again := p.a
			again.Try++
			again.Conn = mail.Fresh
			s.again = append(s.again, again)
		}
		s.begin(at, p)
	}
}

// With one event per stage or one per attempt, attempts end in the same order, at
// the same times and with the same replies, even if everything happens at once.
func TestStagesFullEqualCollapsed(t *testing.T) {
	tied := eventful()
	for d := range tied.Destinations {
		v := &tied.Destinations[d]
		v.RTT, v.Banner, v.RCPT, v.Dot = delay.Constant(100*ms), delay.Constant(100*ms), delay.Constant(100*ms),
			delay.Constant(200*ms)
		v.Greylist.Delay = delay.Constant(700 * ms)
	}
	tied.Network.DNS.Hit, tied.Network.DNS.Miss, tied.Network.HopLoss = delay.Constant(0), delay.Constant(100*ms), 0
	tied.Servers[1] = config.Server{Name: "b2", Share: 1}
	atOnce := tied
	atOnce.Destinations = slices.Clone(tied.Destinations)
	for d := range atOnce.Destinations {
		v := &atOnce.Destinations[d]
		v.RTT, v.Banner, v.RCPT, v.Dot = delay.Constant(0), delay.Constant(0), delay.Constant(0), delay.Constant(0)
	}
	tls := eventful()
	tls.Dialogue.StartTLS, tls.Dialogue.Pipelining, tls.Size = true, true, 100<<10
	tls.Dialogue.Auth = "login"
	for name, c := range map[string]config.Config{"plain": plain(), "eventful": eventful(),
		"all behaviours": everything(), "everything ties": tied, "no time passes": atOnce,
		"TLS, pipelined, large": tls} {
		t.Run(name, func(t *testing.T) {
			c.Stages = "collapsed"
			one := newShell(t, c, 20)
			one.run(20000)
			c.Stages = "full"
			many := newShell(t, c, 20)
			many.run(20000)
			for i := range one.log {
				if one.log[i] != many.log[i] {
					t.Fatalf("end %d: collapsed %+v, full %+v", i, one.log[i], many.log[i])
				}
			}
			kinds := map[mail.Reply]bool{}
			for _, e := range one.log {
				e.reply.Took = 0
				kinds[e.reply] = true
			}
			if name != "plain" && len(kinds) < 12 {
				t.Errorf("only %d kinds of end: the test tests too little", len(kinds))
			}
		})
	}
}

// Without randomness an attempt takes its round trips and delays: 7 round trips
// over a fresh connection, 4 over a used one, 6 after a refusal.
func TestAttemptTakesItsRoundTrips(t *testing.T) {
	c := plain()
	d := &c.Destinations[0]
	c.Network.DNS.Hit, d.Banner, d.RCPT, d.Dot = delay.Constant(7*ms), delay.Constant(20*ms), delay.Constant(3*ms),
		delay.Constant(500*ms)
	for _, v := range []struct {
		conn mail.Conn
		size int
		want vt.Span
	}{
		{mail.Fresh, 2 << 10, 7*ms + 20*ms + 3*ms + 500*ms + 700*ms}, {mail.Reused, 2 << 10, 3*ms + 500*ms + 400*ms},
		{mail.Reset, 2 << 10, 3*ms + 500*ms + 600*ms},
		{mail.Fresh, 50_000, 7*ms + 20*ms + 3*ms + 500*ms + 900*ms}, {mail.Reused, 50_000, 3*ms + 500*ms + 400*ms},
	} {
		for _, stages := range []string{"collapsed", "full"} {
			c.Stages, c.Size = stages, unit.Bytes(v.size)
			m := NewModel(NewNetwork(c, testKey), 0)
			var q evq.Queue
			finish := func(now vt.Time, conn mail.Conn) (vt.Time, mail.Reply) {
				m.Begin(now, &mail.Attempt{Conn: conn}, &q)
				for {
					if at, done, ended := handle(m, &q); ended {
						return at, done.Reply
					}
				}
			}
			var now vt.Time
			if v.conn != mail.Fresh {
				now, _ = finish(now, mail.Fresh)
			}
			at, reply := finish(now, v.conn)
			if got := at.Sub(now); got != v.want || reply != (mail.Reply{Took: v.want, Code: 250,
				Stage: mail.StageDot}) {
				t.Errorf("%s, %s, %d bytes: %s, %+v, want %s", stages, v.conn, v.size, got, reply, v.want)
			}
		}
	}
}

// Shares of all ways to fail, over many attempts that each open a connection.
func TestFailureShares(t *testing.T) {
	const n = 300000
	c := eventful()
	c.Destinations = c.Destinations[1:]
	d := &c.Destinations[0]
	c.Network.HopLoss, d.Cap = 0, 0
	c.Network.DNS.Miss = delay.Constant(50 * ms)
	d.Banner, d.Dot = delay.Constant(0), delay.Constant(0)
	d.Fail = append(d.Fail, config.Fail{At: "mail", Reply: 554, P: 0}, config.Fail{At: "mail", Fault: "drop", P: 0.015})
	m := newShell(t, c, 1).models[0]
	var q evq.Queue
	seen := map[mail.Reply]int{}
	for i := range n {
		m.Begin(0, &mail.Attempt{Rcpt: mail.Recipient(i)}, &q)
		_, done, ended := handle(m, &q)
		for !ended { // closed at EHLO: another connection with HELO
			_, done, ended = handle(m, &q)
		}
		done.Reply.Took = 0
		seen[done.Reply]++
	}
	fault := func(at mail.Stage, f mail.Fault) mail.Reply { return mail.Reply{Stage: at, Fault: f} }
	code := func(at mail.Stage, n int) mail.Reply { return mail.Reply{Stage: at, Code: uint16(n)} }
	named := 1 - 0.5*0.1              // the name is found
	through := named * (1 - 0.07)     // and the connection made
	alive := through * (1 - 0.07)     // and the mailbox not dead
	white := alive * (1 - 0.3)        // and not greylisted
	grey := alive * 0.3 * (1 - 0.035) // and greylisted, and MAIL does not fail
	want := map[mail.Reply]float64{
		fault(mail.StageDNS, mail.ServFail): 0.5 * 0.1,
		fault(mail.StageConnect, mail.Drop): named * 0.02, fault(mail.StageConnect, mail.Timeout): named * 0.01,
		code(mail.StageBanner, 421): named * 0.01, code(mail.StageEHLO, 554): named * 0.02,
		fault(mail.StageEHLO, mail.Drop): named * 0.01,
		code(mail.StageRCPT, 550):        through * 0.05, code(mail.StageMAIL, 421): alive * 0.02,
		fault(mail.StageMAIL, mail.Drop): alive * 0.015,
		code(mail.StageRCPT, 451):        grey, code(mail.StageRCPT, 450): white * 0.05,
		fault(mail.StageRCPT, mail.Drop): white * 0.02,
		code(mail.StageDATA, 452):        through*0.02 + white*0.03,
		code(mail.StageDot, 451):         white * 0.02, fault(mail.StageDot, mail.Drop): white * 0.01,
		fault(mail.StageDot, mail.Timeout): white * 0.005,
	}
	closed := want[fault(mail.StageEHLO, mail.Drop)]
	delivered := 1.0
	for reply, p := range want {
		p *= 1 + closed // of both connections
		if reply == fault(mail.StageEHLO, mail.Drop) {
			p = closed * closed
		}
		near4(t, fmt.Sprintf("%d%s at %s", reply.Code, reply.Fault, reply.Stage), seen[reply], n, p)
		delivered -= p
		delete(seen, reply)
	}
	near4(t, "delivered", seen[code(mail.StageDot, 250)], n, delivered)
	delete(seen, code(mail.StageDot, 250))
	if len(seen) > 0 {
		t.Errorf("attempts also ended so: %v", seen)
	}
}

// No reply after the final dot is ambiguous, a refusal is not.
func TestEndsAtDot(t *testing.T) {
	for _, v := range []struct {
		fail config.Fail
		want mail.Class
	}{
		{config.Fail{At: "dot", Fault: "drop", P: 1}, mail.Ambiguous},
		{config.Fail{At: "dot", Fault: "timeout", P: 1}, mail.Ambiguous},
		{config.Fail{At: "dot", Reply: 451, P: 1}, mail.Deferral},
		{config.Fail{At: "dot", Reply: 552, P: 1}, mail.Bounce},
		{config.Fail{At: "data", Fault: "drop", P: 1}, mail.Deferral},
		{config.Fail{At: "dot", Reply: 451, P: 0}, mail.Delivered},
	} {
		c := plain()
		c.Destinations[0].Fail = []config.Fail{v.fail}
		s := newShell(t, c, 1)
		s.run(1)
		if got := s.log[0].reply.Class(); got != v.want {
			t.Errorf("%+v: %s, want %s", v.fail, got, v.want)
		}
	}
}

// The look-up has a time-out too, whatever the load.
func TestLookupPatience(t *testing.T) {
	for _, v := range []struct {
		miss  vt.Span
		load  int
		took  vt.Span
		fault mail.Fault
	}{
		{10 * vt.Second, 1, 10 * vt.Second, mail.NoFault}, {10*vt.Second + 1, 1, 10 * vt.Second, mail.Timeout},
		{5 * vt.Second, 3, 10 * vt.Second, mail.NoFault}, {5 * vt.Second, 4, 10 * vt.Second, mail.Timeout},
		{vt.Minute, 4, 10 * vt.Second, mail.Timeout},
	} {
		c := plain()
		c.Network.DNS = config.DNS{HitRatio: 0, Hit: delay.Constant(0), Miss: delay.Constant(v.miss)}
		c.Servers[0].Contention = 0.5 // three busy slots: twice as long
		m := newShell(t, c, 1).models[0]
		var q evq.Queue
		for i := range v.load {
			m.Begin(0, &mail.Attempt{Slot: mail.Slot(i), Rcpt: mail.Recipient(i)}, &q)
		}
		got := m.trips[v.load-1].reply
		if v.fault == mail.NoFault {
			if got.Stage != mail.StageDot || got.Code != 250 {
				t.Errorf("%+v: %+v", v, got)
			}
		} else if got != (mail.Reply{Took: v.took, Stage: mail.StageDNS, Fault: v.fault}) {
			t.Errorf("%+v: %+v", v, got)
		}
	}
}

// A receiver that allows 4 connections greets the fifth with 421. It counts
// connections in use or kept, separately for each server.
func TestCap(t *testing.T) {
	for _, stages := range []string{"collapsed", "full"} {
		c := eventful()
		c.Destinations = c.Destinations[1:]
		c.Destinations[0].Cap = 4
		c.Network.DNS.ServFail, c.Network.DNS.HitRatio = 0, 1
		c.Destinations[0].Fail = c.Destinations[0].Fail[3:] // what is refused at the banner is refused by the cap
		c.Network.HopLoss = 0
		c.Stages = stages
		s := newShell(t, c, 10)
		admitted := map[[2]int]bool{} // by server and slot: whether it holds one of the four
		expected := map[[2]int]bool{} // by server and slot: whether the current attempt will be refused
		open := func(server mail.Server) (n int) {
			for id, in := range admitted {
				if in && id[0] == int(server) {
					n++
				}
			}
			return n
		}
		// An independent account of every beginning and every end.
		begin := func(now vt.Time, p *slot) {
			id := [2]int{int(p.a.Server), int(p.a.Slot)}
			s.begin(now, p)
			if p.a.Conn != mail.Fresh {
				return
			}
			admitted[id] = false
			expected[id] = open(p.a.Server) >= 4
			admitted[id] = !expected[id]
		}
		for i := range s.slots {
			begin(0, &s.slots[i])
		}
		refused := 0
		for n := 0; n < 20000; {
			at, server, done := s.ended()
			n++
			p := s.at(server, done.Slot)
			id := [2]int{int(server), int(done.Slot)}
			at421 := done.Reply.Code == 421 && done.Reply.Stage == mail.StageBanner
			if at421 != (expected[id] && p.a.Conn == mail.Fresh) {
				t.Fatalf("%s: end %d, slot %v: %+v, want refused %v", stages, n, id, done.Reply, expected[id])
			}
			if at421 {
				refused++
			}
			p.open, p.refused = done.Reply.Open(), done.Reply.Class() != mail.Delivered
			admitted[id] = p.open
			if got := open(server); got > 4 || got != s.models[server].receivers[0].Open() {
				t.Fatalf("%s: end %d: server %d has %d connections, the receiver counts %d", stages, n, server, got,
					s.models[server].receivers[0].Open())
			}
			begin(at, p)
		}
		if refused < 1000 {
			t.Errorf("%s: only %d refusals", stages, refused)
		}
	}
}

// HangUp frees the place of a connection, once.
func TestHangUpFreesThePlace(t *testing.T) {
	c := plain()
	c.Destinations[0].Cap = 1
	m := newShell(t, c, 1).models[0]
	var q evq.Queue
	try := func(slot mail.Slot) uint16 {
		m.Begin(0, &mail.Attempt{Slot: slot}, &q)
		_, done, _ := handle(m, &q)
		return done.Reply.Code
	}
	if a, b := try(0), try(1); a != 250 || b != 421 {
		t.Fatalf("the first connection gets %d, the second %d", a, b)
	}
	m.HangUp(0)
	m.HangUp(0)
	m.HangUp(1) // the slot holds no connection
	if a, b := try(1), try(0); a != 250 || b != 421 {
		t.Errorf("after hanging up the first connection gets %d, the second %d", a, b)
	}
}

func TestNoAllocationPerAttempt(t *testing.T) {
	for _, stages := range []string{"collapsed", "full"} {
		c := everything()
		c.Stages = stages
		m := newShell(t, c, 1).models[1]
		var q evq.Queue
		r := mail.Recipient(0)
		begin := func(now vt.Time, slot mail.Slot) {
			r++
			m.Begin(now, &mail.Attempt{Slot: slot, Server: 1, Dest: mail.Destination(r / 2 % 2), Rcpt: r}, &q)
		}
		for i := range 8 {
			begin(0, mail.Slot(i))
		}
		attempt := func() {
			for {
				if at, c, ended := handle(m, &q); ended {
					begin(at, c.Slot)
					return
				}
			}
		}
		for range 100 {
			attempt()
		}
		if n := testing.AllocsPerRun(5000, attempt); n != 0 {
			t.Errorf("%s: %v allocations per attempt", stages, n)
		}
	}
}
