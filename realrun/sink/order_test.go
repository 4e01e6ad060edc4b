package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/snap"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// The same sequence of attempts runs through the model and through the wires of a
// sink, one after the other over connections that are kept, refused and closed.
// Every attempt ends at the same time with the same reply, and leaves every
// receiver in the same state, because both make the same calls to the receivers
// in the same order. No time passes before RCPT, since the model calls at the
// beginning of an attempt what the sink calls when MAIL arrives.
func TestModelAndWireAskAlike(t *testing.T) {
	cfg := twoWorlds()
	if errs := cfg.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	network := netmodel.NewNetwork(cfg, rng.New(5, 0))
	const recipients, slots = 48, 10
	clock := &stepped{}
	s := newSink(Config{Network: network, Servers: len(cfg.Servers), Receivers: cfg.Destinations,
		Recipients: recipients, Scale: 1, MaxBytes: 1 << 20})
	s.clock = clock
	for _, l := range s.lanes {
		l.Listener = &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s.serve.Go(func() { s.receive(l) })
	}
	defer s.Close()
	models := netmodel.NewModels(network)
	clients := make([]*client, slots)
	tries := make([]mail.Try, recipients)
	luck := rand.New(rand.NewPCG(1, 2))
	var q evq.Queue
	met := map[string]int{}
	var took vt.Span // by all attempts
	for n := range 8000 {
		clock.pass(vt.Span(luck.Int64N(int64(2 * vt.Second))))
		if n == 7000 {
			clock.pass(8 * vt.Day) // greylists forget
		}
		slot := luck.IntN(slots)
		d := luck.IntN(len(cfg.Destinations))
		if c := clients[slot]; c != nil && luck.IntN(4) > 0 {
			d = int(c.dest)
		}
		rcpt := mail.Recipient(luck.IntN(recipients/8)*8 + slot%2*4 + d) // each server and destination has its own
		a := mail.Attempt{Rcpt: rcpt, Try: tries[rcpt], Slot: mail.Slot(slot), Server: mail.Server(slot % len(models)),
			Dest: mail.Destination(d)}
		tries[rcpt]++
		model, c := models[a.Server], clients[slot]
		switch {
		case c != nil && c.dest == a.Dest && luck.IntN(8) > 0:
			a.Conn = c.next
		case c != nil:
			model.HangUp(a.Slot)
			c.hangUp()
		}
		began := clock.now()
		model.Begin(began, &a, &q)
		var want mail.Completion
		for ended := false; !ended; {
			at, i := q.Pop()
			ended = model.Handle(at, mail.Slot(i), &q, &want)
		}
		got := mail.Reply{}
		if a.Conn != mail.Fresh {
			if got = c.attempt(&a); a.Conn.EndedBy(&got) {
				met[fmt.Sprintf("%s over %s %d%s", got.Stage, a.Conn, got.Code, got.Fault)]++
				c.hangUp()
				a.Conn = mail.Fresh
			}
		}
		if a.Conn == mail.Fresh {
			c = nil
			if fault := s.lookedUp(&a); fault != mail.NoFault {
				got = mail.Reply{Stage: mail.StageDNS, Fault: fault}
			} else {
				c = dial(s.lane(&a), a.Dest, clock, network, s.lane(&a).Addr().String())
				got = c.attempt(&a)
			}
		}
		got.Took = clock.now().Sub(began)
		if got != want.Reply {
			t.Fatalf("attempt %d, %+v at %s: the wire gives %+v, the model %+v", n, a, began, got, want.Reply)
		}
		if clients[slot] = c; c != nil && !got.Open() {
			c.hangUp()
			clients[slot] = nil
		}
		for i, l := range s.lanes {
			wire, simulated := snap.Writer(), snap.Writer()
			l.receiver.State(wire)
			models[l.server].Receiver(l.dest).State(simulated)
			if !bytes.Equal(wire.Data(), simulated.Data()) {
				t.Fatalf("attempt %d, %+v at %s, which ended with %+v: lane %d is in state %v, the model in %v", n, a,
					began, got, i, words(wire), words(simulated))
			}
		}
		met[fmt.Sprintf("%s %d%s", got.Stage, got.Code, got.Fault)]++
		took += got.Took
	}
	if asked, _ := s.Pace(); asked != took {
		t.Errorf("the model gave the attempts %s, and they took %s by a clock that loses no time", asked, took)
	}
	for _, want := range []string{"dns 0servfail", "connect 0drop", "connect 0timeout", "banner 421", "banner 554",
		"ehlo 451", "ehlo 554", "mail 421", "mail 550", "mail 454", "mail 450", "mail 452", "mail 453",
		"mail 0timeout", "mail over reused 421", "mail over reset 421", "mail over reused 452",
		"mail over reused 0drop", "ehlo over reset 503", "ehlo over reset 0drop", "ehlo over reset 0timeout",
		"rcpt 451", "rcpt 550", "rcpt 459", "rcpt 0drop",
		"data 452", "dot 250", "dot 451", "dot 552", "dot 0drop", "dot 0timeout"} {
		if met[want] < 3 {
			t.Errorf("%s happened %d times: the test tests too little: %v", want, met[want], met)
		}
	}
}

// lookedUp waits for the turn and the look-up of an attempt, as Resolve and the name
// server do.
func (s *Sink) lookedUp(a *mail.Attempt) mail.Fault {
	n := &nameServer{sink: s, server: a.Server, pool: s.lane(a).pool}
	turn := s.turn(a)
	took, fault := n.lookup(a.Dest)
	s.clock.pause(context.Background(), took+turn, 0)
	return fault
}

// twoWorlds has two servers and four destinations with all behaviour of receivers:
// one separate for each source address, one shared, a plain one, and one that has
// the receivers of the first.
func twoWorlds() config.Config {
	paths := config.DefaultPaths()
	paths.DNS = config.DNS{HitRatio: 0.5, Hit: delay.Constant(0), Miss: delay.Constant(0), ServFail: 0.1}
	near, far := config.DefaultServer(), config.DefaultServer()
	far.Name, far.Down = "b2", []config.Down{{From: vt.Hour, For: 4 * vt.Minute, Fault: "drop"}}
	d := config.DefaultDestination()
	d.Name, d.Domain = "apart", "apart.example"
	d.RTT, d.Banner = delay.Constant(0), delay.Constant(0)
	plain := d
	d.RCPT, d.Dot = delay.Constant(300*vt.Millisecond), delay.Constant(700*vt.Millisecond)
	d.Cap = 3
	d.Greylist.Share, d.Greylist.Delay = 0.7, delay.Constant(40*vt.Second)
	d.Greylist.WhitelistAfter, d.Greylist.WhitelistFor = 5, 10*vt.Minute
	d.Dead = []config.Dead{{Share: 0.1, At: "rcpt", Reply: 550}}
	d.Fail = []config.Fail{
		{At: "connect", Fault: "drop", P: 0.02}, {At: "connect", Fault: "timeout", P: 0.02},
		{At: "banner", Reply: 421, P: 0.02}, {At: "ehlo", Reply: 554, P: 0.02},
		{At: "mail", Reply: 452, P: 0.05}, {At: "rcpt", Fault: "drop", P: 0.05}, {At: "data", Reply: 452, P: 0.05},
		{At: "dot", Reply: 451, P: 0.1},
		{At: "dot", Fault: "drop", P: 0.05}, {At: "dot", Fault: "timeout", P: 0.05},
	}
	d.Recent = 10 * vt.Minute
	d.Bucket = config.Bucket{Rate: 60, Burst: 10, Reply: 450}
	d.Allowances = []limits.Allowance{{Limit: 9, Window: 10 * vt.Minute, Kind: "fixed", Scope: "account", Growth: 1,
		Reply: 453}, {Limit: 15, Window: 10 * vt.Minute, Kind: "sliding", Scope: "fleet", Growth: 1, Reply: 550}}
	d.Throttle = config.Throttle{Soft: 50, Hard: 1000, Curve: "linear", Reply: 421}
	d.Refuse = []config.Refuse{{From: vt.Hour, To: 2 * vt.Hour, At: "dot", Reply: 552, Share: 0.5},
		{From: 30 * vt.Minute, To: 2 * vt.Hour, At: "banner", Reply: 554, Share: 0.1},
		{From: vt.Hour, At: "ehlo", Reply: 451, Share: 0.1}}
	d.HangsUp, d.HangsUpReply = 4, 452
	d.ResetReply = 503
	d.Penalty.Rate, d.Penalty.Insist, d.Penalty.Escalate, d.Penalty.Connections, d.Penalty.Reply = 700, 5, 1.5, 2, 454
	d.Reputation = config.Reputation{PerRefusal: 0.02, PerDead: 0.1, PerComplaint: 0.3, Complaints: 0.2,
		Heals: vt.Hour}
	d.Tarpit = config.Tarpit{Soft: 100, Hard: 1000, Delay: 2 * vt.Second, PerPoint: vt.Second, Most: 5 * vt.Second}
	d.Knee = config.Knee{Connections: 1, Slope: 0.5}
	d.Outage = config.Outage{Up: 20 * vt.Minute, Down: 3 * vt.Minute, Fault: "timeout"}
	for i := range vt.Span(200) {
		d.Down = append(d.Down, config.Down{From: i * 20 * vt.Minute, For: 2 * vt.Minute, Fault: "drop"})
	}
	d.Daily = delay.Daily{Amplitude: 0.4, Peak: vt.Hour}
	d.Drift = []delay.Drift{{At: vt.Hour, Factor: 1.5, Over: vt.Hour}}
	d.Weather = config.Weather{Sigma: 0.3, Period: 5 * vt.Minute}
	near.Addresses, far.Bandwidth = 2, 1000
	near.Pools = []config.Pool{{Name: "urgent", Addresses: 1}, {Name: "bulk", Addresses: 3}}
	together := d
	together.HangsUpReply, together.ResetReply = 0, 0
	together.Name, together.Domain, together.Shared = "together", "together.example", true
	together.Mailboxes = []config.Mailbox{{Share: 0.2, For: vt.Hour, At: "rcpt", Reply: 459}}
	brand := plain
	brand.Name, brand.Domain, brand.LimitsOf = "brand", "brand.example", "apart"
	plain.Name, plain.Domain, plain.Greylist.Share, plain.Greylist.At, plain.Greylist.Delay =
		"plain", "plain.example", 1, "dot", delay.Constant(vt.Minute)
	return config.Config{Network: paths, Servers: []config.Server{near, far},
		Destinations: []config.Destination{d, together, plain, brand},
		Dialogue:     mail.DefaultDialogue(), Size: 100, Stages: "collapsed",
		Campaigns: []config.Campaign{{End: 24, Size: 100, Account: "a", Pool: "bulk"},
			{End: 1 << 30, Size: 100, Account: "b"}}}
}

func words(c *snap.Codec) (all []uint64) {
	for data := c.Data(); len(data) >= 8; data = data[8:] {
		var w uint64
		for i, b := range data[:8] {
			w |= uint64(b) << (8 * i)
		}
		all = append(all, w)
	}
	return all
}

// stepped is a clock that advances only by calls of pass and pause.
type stepped struct {
	sync.Mutex
	at vt.Time
}

func (c *stepped) now() vt.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *stepped) pass(d vt.Span) {
	c.Lock()
	defer c.Unlock()
	c.at = c.at.Add(d)
}

func (c *stepped) pause(_ context.Context, d vt.Span, _ time.Duration) time.Duration {
	c.pass(d)
	return 0
}

// client is the sending end of a connection to a lane.
type client struct {
	*pipe
	dest    mail.Destination
	next    mail.Conn // how the next attempt over it begins
	clock   *stepped
	network *netmodel.Network
	ended   bool // the receiver has closed the connection
}

func dial(l *lane, d mail.Destination, clock *stepped, network *netmodel.Network, _ string) *client {
	c := &client{pipe: newPipe(), dest: d, clock: clock, network: network}
	l.Listener.(*pipes).conns <- c.pipe
	return c
}

// attempt sends a message and returns the result.
func (c *client) attempt(a *mail.Attempt) mail.Reply {
	type command struct {
		stage mail.Stage
		line  string
	}
	commands := []command{{mail.StageConnect, ""}, {mail.StageEHLO, "EHLO sender.example\r\n"}}
	switch a.Conn {
	case mail.Reused:
		commands = nil
	case mail.Reset:
		commands = []command{{mail.StageEHLO, "RSET\r\n"}, {mail.StageEHLO, "EHLO sender.example\r\n"}}
	}
	commands = append(commands,
		command{mail.StageMAIL, "MAIL FROM:<" + (mail.Key{}).VERP(a.Rcpt, a.Try, "sender.example") + ">\r\n"},
		command{mail.StageRCPT, "RCPT TO:<somebody@receiver.example>\r\n"},
		command{mail.StageDATA, "DATA\r\n"},
		command{mail.StageDot, "Subject: a test\r\n\r\n.\r\n"})
	c.next = mail.Reset
	for _, v := range commands {
		code, fault := c.exchange(v.line)
		if fault == mail.Timeout {
			c.clock.pass(c.network.Patience(v.stage))
		}
		if v.stage == mail.StageConnect && code != 0 {
			v.stage = mail.StageBanner
		}
		if fault != mail.NoFault || code >= 400 {
			return mail.Reply{Code: code, Stage: v.stage, Fault: fault}
		}
	}
	c.next = mail.Reused
	return mail.Reply{Code: 250, Stage: mail.StageDot}
}

// exchange sends a command and returns its reply. The receiver may instead drop
// the connection, or wait for more without a reply.
func (c *client) exchange(command string) (code uint16, fault mail.Fault) {
	if command != "" {
		c.in <- []byte(command)
	}
	var reply strings.Builder
	for {
		e, more := <-c.events
		switch {
		case e.wrote != nil:
			reply.Write(e.wrote)
			continue
		case reply.Len() >= 3:
			n, err := strconv.Atoi(reply.String()[:3])
			if err != nil {
				panic(reply.String())
			}
			c.ended = !more
			return uint16(n), mail.NoFault
		case !more:
			c.ended = true
			return 0, mail.Drop
		}
		return 0, mail.Timeout
	}
}

// hangUp closes the connection and waits for the receiver to notice.
func (c *client) hangUp() {
	if !c.ended {
		c.ended = true
		close(c.in)
		for range c.events {
		}
	}
}

// pipe is the receiving end of a connection in memory. It reports the calls of its
// owner on events: read, which waits for more; write; and close, which closes
// events.
type pipe struct {
	net.Conn // none
	in       chan []byte
	rest     []byte
	events   chan event
	closed   bool
}

type event struct{ wrote []byte } // nil: read

func newPipe() *pipe { return &pipe{in: make(chan []byte, 1), events: make(chan event, 100)} }

func (p *pipe) Read(b []byte) (int, error) {
	if p.closed {
		return 0, net.ErrClosed
	}
	if len(p.rest) == 0 {
		p.events <- event{}
		p.rest = <-p.in
	}
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.closed {
		return 0, net.ErrClosed
	}
	p.events <- event{bytes.Clone(b)}
	return len(b), nil
}

func (p *pipe) Close() error {
	if !p.closed {
		p.closed = true
		close(p.events)
	}
	return nil
}

func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// pipes is a listener that accepts the connections sent to it.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }
