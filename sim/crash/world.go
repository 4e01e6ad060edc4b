// Package crash stops servers of a mailing at every point and shows that no recipient is missed.
// A World has the roles of all servers, their disks, the messages between them, and receivers that
// remember what they accepted. Everything that a server does to the world outside its memory is an
// effect with a number. A scope.Case names effects before or after which servers stop, what their disks
// keep, and when they begin again. An oracle checks invariants at every effect and at the end.
package crash

import (
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
	"flyball/sim/crash/scope"
)

// resends is how often a recipient is resent.
const resends = 6

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
	sent   int      // messages, final dots and answers to the outside so far
	safe   vt.Time  // when all facts are durable
	waits  int      // commits that are under way
	sure   int      // number of facts that are durable, as the server takes it
	ends   []int    // by fact that the role has written since its process began: number of facts on the disk with it
	begun  []uint32 // by slot: generation of its last attempt
	over   []uint32 // by slot: generation of the last attempt that was given up
	disk   disk
}

// World is one run.
type World struct {
	cfg    scope.Config
	wrong  scope.Case // everything that goes wrong
	key    rng.Key
	plan   []scope.Crash // of wrong, at effects that are to come
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
func New(cfg scope.Config, wrong scope.Case) *World {
	w := &World{cfg: cfg, wrong: wrong, key: rng.New(cfg.Seed, 0), mailings: mailingsOf(&cfg),
		counts: Counts{Hits: make([]int, 2*kinds)}}
	list := mail.SyntheticList(cfg.Recipients, []float64{1}, w.key)
	w.list = &list
	w.hosts = make([]host, cfg.Hosts())
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
		w.at(vt.Time(i+1)*vt.Time(cfg.Asks), event{kind: request, host: cfg.AskHost(), rcpt: cfg.Asker(i),
			try: deletion})
	}
	return w
}

// build gives a host a new role without facts.
func (w *World) build(h *host) {
	h.life++
	h.remote, h.waits, h.ends = nil, 0, nil
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
		d := delivery.Config{Server: mail.Server(h.number - 1), Retry: retry.Default(), Messages: 1 + 1000*c.Ahead,
			Servers: 1, Interval: governor.Default().Interval}
		d.Retry.Limit, d.Retry.Delays, d.Retry.Ambiguous = resends, []vt.Span{c.Check}, "resend"
		cfg := remote.Default(d)
		cfg.Lease, cfg.Stall, cfg.Resend, cfg.Batch, cfg.Window = c.Lease, c.Stall, true, c.Batch, c.Window
		cfg.Ahead = c.Ahead
		h.remote = remote.New(cfg, w.list, hold(c.Processes), silent{})
		h.role = h.remote
	case h.number == c.BounceHost():
		h.role = inboxOf(c, engine.Bounces)
	default:
		h.role = inboxOf(c, engine.Requests)
	}
}

func inboxOf(c *scope.Config, k engine.Kind) *inbox.Server {
	cfg := inbox.Default(engine.Address{Role: k})
	cfg.Batch, cfg.Soft, cfg.ConfirmDelete, cfg.Same = c.Batch, 2, c.Confirm, c.Places
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
	rewrites
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
