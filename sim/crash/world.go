// Package crash stops servers of a mailing at every point and shows that no recipient is missed.
// A World has the roles of all servers, their disks, the messages between them, and receivers that
// remember what they accepted. Everything that a server does to the world outside its memory is an
// effect with a number. A Plan names effects before or after which servers stop, what their disks
// keep, and when they begin again. Invariants are checked at every effect and at the end.
package crash

import (
	"fmt"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/inbox"
	"flyball/engine/remote"
	"flyball/engine/sender"
	"flyball/governor"
	"flyball/internal/agenda"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
)

// Config configures a world.
type Config struct {
	Recipients int
	Mailings   int // that overlap, and divide the recipients among them
	Servers    int // delivering servers
	Processes  int // MTA processes of each
	Daily      int // most recipients that are planned in a day; 0: no limit
	Licence    int // most processes of all subsets that have not ended; 0: no limit
	Chunk      int // recipients that a delivering server fetches at a time; 0: the list is cut at once
	Window     int // most recipients of each who may have the message while the sending server has no outcome
	Seed       uint64
	Due        vt.Span // when the mailing is to begin
	Deadline   vt.Span // when it is to end; 0: it has none

	Deferred, Refused float64 // share of first tries that get 451 or 550 at RCPT
	Returned          int     // recipients whose messages are returned, three times each
	Requests          int     // recipients who ask to be deleted while the mailing is delivered
	Asks              vt.Span // when the first one does, and the time from each to the next
	Joins             int     // of these, who ask to be added again
	Confirm           bool    // requests to be deleted have to be confirmed too
	Couples           bool    // two places of the list are one person
	Pull              vt.Span // time after which the sending server asks for changes; 0: they are pushed

	Message        vt.Span // least time of a message between servers; the longest is twice as long
	Open           vt.Span // least time of an attempt up to the gate; the longest is twice as long
	Accept, Answer vt.Span // from the final dot to the receiver's decision, and from there to the sender
	Commit         vt.Span // time of making facts durable

	Hang  float64 // share of attempts that never come to the gate, and of those whose reply never arrives, each
	Stall vt.Span // after which attempts that do not move stand still for the sending server

	Batch    int     // most outcomes, bars or changes in a message
	Check    vt.Span // between two looks of the sending server at every subset, and before a resend
	Lease    vt.Span // how long a delivering server may deliver without an answer of the sending server
	Patience vt.Span // after which the sending server takes a server that does not answer for lost

	Horizon vt.Span // by which the mailing must be reported
	Scheme  Scheme
}

// Small returns the small scope, as the scenario crash-small has it: 24 recipients, two delivering servers
// with two processes each, one server for returned mail and one for requests.
func Small() Config {
	return Config{Recipients: 24, Mailings: 1, Servers: 2, Processes: 2, Window: 4, Seed: 1, Deferred: 0.2,
		Refused: 0.08, Returned: 2, Requests: 2, Asks: 200 * vt.Millisecond, Joins: 1, Couples: true,
		Message: 10 * vt.Millisecond, Open: 60 * vt.Millisecond, Accept: 20 * vt.Millisecond,
		Answer: 20 * vt.Millisecond, Batch: 5, Check: vt.Second, Lease: 5 * vt.Second,
		Patience: 20 * vt.Second, Stall: 15 * vt.Second, Horizon: 10 * vt.Minute}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int
	}{{"recipients", c.Recipients, 1}, {"mailings", c.Mailings, 1}, {"servers", c.Servers, 1},
		{"processes", c.Processes, 1},
		{"chunk", c.Chunk, 0}, {"licence", c.Licence, 0}, {"daily", c.Daily, 0},
		{"returned", c.Returned, 0}, {"requests", c.Requests, 0}, {"joins", c.Joins, 0},
		{"window", c.Window, 1}, {"batch", c.Batch, 1}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	for _, v := range []struct {
		name string
		p    float64
	}{{"deferred", c.Deferred}, {"refused", c.Refused}, {"hang", c.Hang}} {
		if !(v.p >= 0 && v.p < 1) {
			errs = append(errs, fmt.Errorf("%s: got %v, want from 0 to below 1", v.name, v.p))
		}
	}
	return errs
}

// asks returns the recipient with the request of a number.
func (c *Config) asks(i int) mail.Recipient {
	return mail.Recipient(c.Recipients - 1 - 5*i%c.Recipients)
}

// joins reports whether a recipient asks to be added again.
func (c *Config) joins(r mail.Recipient) bool {
	for i := range c.Joins {
		if c.asks(i) == r {
			return true
		}
	}
	return false
}

// places returns all places of the person at a place.
func (c *Config) places(r mail.Recipient) []mail.Recipient {
	if !c.Couples {
		return []mail.Recipient{r}
	}
	first := r &^ 1
	return []mail.Recipient{first, first + 1}[:min(2, mail.Recipient(c.Recipients)-first)]
}

// soon and late are how long servers stop: less than a lease, and longer than the sending server waits.
func (c *Config) soon() vt.Span { return 3 * c.Lease / 5 }
func (c *Config) late() vt.Span { return 3 * c.Patience }

// resends is how often a recipient is resent.
const resends = 6

// Hosts: the sending server is 0, then come the delivering servers, and the servers for returned mail
// and for requests.
func (c *Config) hosts() int      { return c.Servers + 3 }
func (c *Config) bounceHost() int { return c.Servers + 1 }
func (c *Config) askHost() int    { return c.Servers + 2 }

// HostName returns the name of a host: A, B1, B2, ..., C, D.
func (c *Config) HostName(h int) string {
	switch {
	case h == 0:
		return "A"
	case h <= c.Servers:
		return fmt.Sprintf("B%d", h)
	case h == c.bounceHost():
		return "C"
	}
	return "D"
}

// host is one server with its disk.
type host struct {
	number int
	role   engine.Durable
	remote *remote.Server // the role, if it delivers
	up     bool
	life   uint64   // counts starts of the process
	boot   uint64   // counts starts of the operating system
	until  vt.Time  // it pauses until then; vt.Never: it does not
	cut    vt.Time  // no message comes to it or from it until then
	safe   vt.Time  // when all facts are durable
	waits  int      // commits that are under way
	sure   int      // number of facts that are durable, as the server takes it
	begun  []uint32 // by slot: generation of its last attempt
	over   []uint32 // by slot: generation of the last attempt that was given up
	disk   disk
}

// World is one run.
type World struct {
	cfg    Config
	wrong  Case // everything that goes wrong
	key    rng.Key
	plan   []Crash // of wrong, at effects that are to come
	now    vt.Time
	hosts  []host
	list   *mail.List
	events agenda.Agenda[event]
	event  event // that happens
	out    engine.Outbox
	draws  uint64

	effects  int                    // performed so far
	counts   Counts                 // so far: servers that stopped
	trace    func(host int, k Kind) // called before each effect; may be nil
	points   *points                // that are collected; may be nil
	lastHeal vt.Time
	mailings []mailing
	oracle   oracle

	note func(host int, what string, of any) // called for what a story has; may be nil
}

// New returns the world of a valid configuration and a case.
func New(cfg Config, wrong Case) *World {
	w := &World{cfg: cfg, wrong: wrong, key: rng.New(cfg.Seed, 0), mailings: cfg.mailings(),
		counts: Counts{Hits: make([]int, 2*kinds)}}
	list := mail.SyntheticList(cfg.Recipients, []float64{1}, w.key)
	w.list = &list
	w.hosts = make([]host, cfg.hosts())
	w.oracle.begin(w)
	for i := range w.hosts {
		h := &w.hosts[i]
		h.number, h.up, h.until = i, true, vt.Never
		w.build(h)
	}
	for i, x := range wrong.Crashes {
		if x.Effect > 0 {
			w.plan = append(w.plan, x)
		} else {
			w.at(x.Time, event{kind: strike, rcpt: mail.Recipient(i)})
		}
	}
	for i := range w.mailings {
		w.at(w.mailings[i].at, event{kind: submit, try: mail.Try(i)})
	}
	for i := range cfg.Requests {
		w.at(vt.Time(i+1)*vt.Time(cfg.Asks), event{kind: request, host: cfg.askHost(), rcpt: cfg.asks(i),
			try: deletion})
	}
	return w
}

// build gives a host a new role without facts.
func (w *World) build(h *host) {
	h.life++
	h.remote, h.waits = nil, 0
	h.begun, h.over = make([]uint32, w.cfg.Processes), make([]uint32, w.cfg.Processes)
	switch c := &w.cfg; {
	case h.number == 0:
		cfg := sender.Default(c.Servers)
		cfg.Processes, cfg.Lease, cfg.Patience, cfg.Batch = c.Processes, c.Lease, c.Patience, c.Batch
		cfg.Check, cfg.Stall = c.Check, c.Stall
		cfg.Chunk, cfg.Pull, cfg.Licence = c.Chunk, c.Pull, c.Licence
		if c.Daily > 0 {
			cfg.Accounts = []sender.Account{{Messages: c.Daily}}
		}
		h.role = sender.New(cfg)
	case h.number <= c.Servers:
		d := delivery.Config{Server: mail.Server(h.number - 1), Retry: retry.Default(), Messages: 1, Servers: 1,
			Interval: governor.Default().Interval}
		d.Retry.Limit, d.Retry.Delays, d.Retry.Ambiguous = resends, []vt.Span{c.Check}, "resend"
		cfg := remote.Default(d)
		cfg.Lease, cfg.Stall, cfg.Resend, cfg.Batch, cfg.Window = c.Lease, c.Stall, true, c.Batch, c.Window
		h.remote = remote.New(cfg, w.list, hold(c.Processes), silent{})
		h.role = h.remote
	case h.number == c.bounceHost():
		h.role = c.inbox(engine.Bounces)
	default:
		h.role = c.inbox(engine.Requests)
	}
}

func (c *Config) inbox(k engine.Kind) *inbox.Server {
	cfg := inbox.Default(engine.Address{Role: k})
	cfg.Batch, cfg.Soft, cfg.ConfirmDelete, cfg.Same = c.Batch, 2, c.Confirm, c.places
	if c.Pull > 0 {
		cfg.Push = 0
	}
	return inbox.New(cfg)
}

// hold is a governor that never changes C. Those of package governor check their keys each time that a server begins.
type hold int

func (h hold) Available() float64 { return float64(h) }

func (h hold) Decide(governor.Sample) governor.Decision {
	return governor.Decision{Available: float64(h)}
}

// silent observes nothing.
type silent struct{}

func (silent) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}
func (silent) Interval(vt.Time, mail.Server, engine.Interval)         {}

// chance returns a number from 0 to below 1 that (entity, try, purpose) names.
func (w *World) chance(entity uint64, try uint32, p rng.Purpose) float64 {
	b := w.key.At(entity, try, p)
	return float64(b[0]) / (1 << 32)
}

// next returns the next number of a sequence, for what has no name.
func (w *World) next(p rng.Purpose) float64 {
	w.draws++
	return w.chance(w.draws, 0, p)
}

const (
	outcomes rng.Purpose = iota + 100
	times
	replies
	messages
	tails
	hangs
)

// local returns the time by the clock of a host, and global its inverse.
func (w *World) local(h int, t vt.Time) vt.Time {
	if h < 1 || h > len(w.wrong.Drift) || t == vt.Never {
		return t
	}
	return t + vt.Time(float64(t)*w.wrong.Drift[h-1])
}

func (w *World) global(h int, t vt.Time) vt.Time {
	if h < 1 || h > len(w.wrong.Drift) || t == vt.Never {
		return t
	}
	g := vt.Time(float64(t) / (1 + w.wrong.Drift[h-1]))
	for w.local(h, g) < t {
		g++
	}
	return g
}

// Run runs to the end and returns what came of it. A role that finds an invariant broken breaks a promise.
func (w *World) Run() (r Result) {
	defer func() {
		if v := recover(); v != nil {
			w.oracle.fail("%v", v)
			r = w.oracle.result()
		}
	}()
	for w.oracle.violation == "" {
		if w.over() {
			break
		}
		h, at := w.earliest()
		switch next := w.events.Next(); {
		case next != vt.Never && next <= at:
			_, w.event = w.events.Pop()
			w.now = max(w.now, next)
			w.handle(&w.event)
		case h >= 0:
			w.now = max(w.now, at)
			v := &w.hosts[h]
			v.role.Wake(w.local(h, w.now), nil, &w.out)
			w.perform(v)
		default:
			w.oracle.fail("the mailing is not reported, and no server waits for anything")
		}
		if w.now > vt.Time(w.cfg.Horizon) {
			w.oracle.fail("the mailing is not reported after %v", w.cfg.Horizon)
		}
	}
	return w.oracle.result()
}

// over reports whether all mailings are reported and nothing is under way.
func (w *World) over() bool {
	if w.reported() == vt.Never || w.oracle.under > 0 {
		return false
	}
	for i := range w.hosts {
		delivers := i >= 1 && i <= w.cfg.Servers // it may wait for an answer that is not needed any more
		if h := &w.hosts[i]; !h.up || !delivers && !h.role.Done() {
			return false
		}
	}
	return true
}

// earliest returns the host that wants to be woken first, and when; -1 if none does.
func (w *World) earliest() (first int, at vt.Time) {
	first, at = -1, vt.Never
	for i := range w.hosts {
		h := &w.hosts[i]
		if !h.up {
			continue
		}
		t := w.global(i, h.role.NextWake())
		if h.until != vt.Never {
			t = max(t, h.until) // paused
		}
		if t < at {
			first, at = i, t
		}
	}
	return first, at
}
