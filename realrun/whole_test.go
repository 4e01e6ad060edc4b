package realrun

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"flyball/engine"
	requests "flyball/engine/inbox"
	"flyball/engine/sender"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/memdisk"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
	"flyball/scenarios"
)

// system is a sending server, delivering servers and a server for requests, each a station with its own journal, and
// receivers that remember what they accepted.
type system struct {
	t        *testing.T
	scenario *scenarios.Scenario
	local    station.Local
	carrier  station.Carrier
	hosts    []*host // the sending server, the one for requests, and the delivering servers
	reported chan engine.Summary

	lock   sync.Mutex
	luck   *rand.Rand
	got    []int              // messages accepted, by recipient
	parts  [][]mail.Recipient // of mailings: first place and number of recipients
	asked  map[mail.Recipient]bool
	asks   *requests.Server
	sender *sender.Server
}

// host is the machine of a station.
type host struct {
	of      *system
	address engine.Address
	disk    *memdisk.Disk
	boot    uint64
	stop    func()
	station *station.Station // nil: it delivers
	runner  *Runner
}

const wholeScenario = `schema_version = 1
name = "whole"
horizon = "10h"
[governor]
law = "hold"
start = 20
interval = "1h"
[retry]
limit = 100
ambiguous = "resend"
delays = ["200ms"]
[[server]]
name = "b1"
[[server]]
name = "b2"
[[server]]
name = "b3"
[[server]]
name = "b4"
[[server]]
name = "b5"
[[destination]]
name = "even"
share = 1
domain = "d.example"
[[destination]]
name = "odd"
share = 1
domain = "e.example"
[[campaign]]
name = "c"
recipients = 1
processes = 20
subset = 5
`

func newSystem(t *testing.T, seed uint64, recipients int) *system {
	s, err := scenarios.Load("whole.toml", []byte(wholeScenario), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &system{t: t, scenario: s, reported: make(chan engine.Summary, 100), luck: rand.New(rand.NewPCG(seed, 1)),
		got: make([]int, recipients), asked: map[mail.Recipient]bool{}}
	w.carrier = &w.local
	w.local.Join(engine.Address{}, func(m engine.Message) {
		b := m.Body.(engine.Summary)
		w.local.Send(engine.Message{To: m.From, Body: engine.Got{UpTo: uint64(b.Job)}})
		w.reported <- b
	})
	addresses := []engine.Address{{Role: engine.Sender}, {Role: engine.Requests}}
	for i := range s.Servers {
		addresses = append(addresses, engine.Address{Role: engine.Remote, Server: mail.Server(i)})
	}
	for _, a := range addresses {
		w.hosts = append(w.hosts, &host{of: w, address: a, disk: memdisk.New(), boot: 1})
	}
	return w
}

// chance reports whether something with a probability happens.
func (w *system) chance(p float64) bool {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.luck.Float64() < p
}

func (w *system) intn(n int) int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.luck.IntN(n)
}

// Process returns an MTA process to receivers that defer one try in 20, refuse one recipient in 16, and lose one reply
// in 200.
func (w *system) Process(s mail.Server, _ mail.Slot) Process {
	return &sessions{of: w, host: w.hosts[2+s]}
}

type sessions struct {
	of    *system
	host  *host
	trace mail.Trace
}

func (p *sessions) Deliver(ctx context.Context, a mail.Attempt) mail.Reply {
	w, end := p.of, mail.Reply{Stage: mail.StageRCPT}
	p.trace.Begin(&a, 0)
	if want := mail.Destination(a.Rcpt % 2); a.Dest != want {
		w.t.Errorf("recipient %d: got destination %d, want %d", a.Rcpt, a.Dest, want)
	}
	switch {
	case a.Rcpt%16 == 15:
		end.Code = 550
		return end
	case w.chance(0.05):
		end.Code = 450
		return end
	}
	if !p.host.runner.Gate(a) {
		return mail.Reply{Stage: mail.StageDATA, Fault: mail.Aborted}
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.got[a.Rcpt]++
	if w.luck.Float64() < 0.005 {
		return mail.Reply{Stage: mail.StageDot, Fault: mail.Drop}
	}
	return mail.Reply{Stage: mail.StageDot, Code: 250}
}

func (p *sessions) Trace() *mail.Trace { return &p.trace }
func (p *sessions) HangUp()            {}

// list returns the destinations of recipients.
func list(first, n mail.Recipient) (to []mail.Destination) {
	for r := range n {
		to = append(to, mail.Destination((first+r)%2))
	}
	return to
}

// start begins the process of a host, with the lists of all mailings so far.
func (h *host) start() {
	w := h.of
	j, before, err := journal.Open(h.disk, journal.ID{1})
	if errors.Is(err, journal.ErrMissing) {
		j, err = journal.Create(h.disk, journal.ID{1})
	}
	if err != nil {
		w.t.Fatalf("%v: %v", h.address, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run func()
	cfg := station.Config{Address: h.address, Journal: j, Before: before.Entries, Boot: h.boot, Carrier: w.carrier}
	switch h.address.Role {
	case engine.Sender:
		c := sender.Default(len(w.scenario.Servers))
		c.Check, c.Patience = 100*vt.Millisecond, vt.Hour
		w.sender = sender.New(c)
		cfg.Role = w.sender
	case engine.Requests:
		c := requests.Default(h.address)
		c.Push = 100 * vt.Millisecond
		w.asks = requests.New(c)
		cfg.Role = w.asks
	}
	if cfg.Role != nil {
		s, err := station.New(cfg)
		if err != nil {
			w.t.Fatalf("%v: %v", h.address, err)
		}
		h.station = s
		run = func() { s.Run(ctx) }
		w.local.Join(h.address, s.Receive)
	} else {
		all := mail.ReadList([]mail.Destination{})
		for _, p := range w.mailings() {
			all.Put(p[0], list(p[0], p[1]))
		}
		r, err := NewServer(w.scenario, h.address.Server, &all, w, nil, Keeping{Journal: j, Before: before.Entries,
			Boot: h.boot, Broken: func(error) { cancel() }}, w.carrier)
		if err != nil {
			w.t.Fatalf("%v: %v", h.address, err)
		}
		h.runner = r
		run = func() { r.Run(ctx, nil) }
		w.local.Join(h.address, r.Receive)
		w.local.Join(engine.Address{Role: engine.Delivery, Server: h.address.Server}, r.Receive)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); run() }()
	h.stop = func() { cancel(); <-ended }
}

func (w *system) mailings() [][]mail.Recipient {
	w.lock.Lock()
	defer w.lock.Unlock()
	return slices.Clone(w.parts)
}

// drop stops a host in the middle of everything, and starts it again.
func (h *host) drop() {
	power := h.of.chance(0.5)
	after := h.disk.Lose(power)
	h.of.local.Join(h.address, nil)
	h.stop()
	time.Sleep(time.Duration(h.of.intn(20)) * time.Millisecond)
	if h.disk = after; power {
		h.boot++
	}
	h.start()
}

// submit hands a mailing to the delivering servers and the sending server, as often as it takes.
func (w *system) submit(job engine.Job, first, n mail.Recipient) {
	w.lock.Lock()
	w.parts = append(w.parts, []mail.Recipient{first, n})
	w.lock.Unlock()
	for _, h := range w.hosts[2:] {
		h.runner.Do(func(vt.Time) { h.runner.Mail(first, list(first, n)) })
	}
	err := w.hosts[0].station.Do(w.t.Context(), func(now vt.Time, out *engine.Outbox) {
		w.sender.Submit(now, engine.Submitted{Job: job, First: first, Recipients: n, Due: now,
			Terms: engine.Terms{Processes: 20, Size: 5}}, out)
	})
	if err != nil {
		w.t.Error(err)
	}
}

// end stops all hosts and returns what the delivering servers know of each recipient: ambiguous attempts, and whether
// the recipient was barred.
func (w *system) end() (ambiguous []int, barred map[mail.Recipient]bool) {
	ambiguous, barred = make([]int, len(w.got)), map[mail.Recipient]bool{}
	for _, h := range w.hosts {
		h.stop()
		c, err := journal.Read(h.disk, journal.ID{1})
		if err != nil {
			w.t.Fatal(err)
		}
		for i, e := range c.Entries {
			if e.Role != h.address {
				w.t.Fatalf("the journal of %v has %v", h.address, e)
			}
			if i > 0 && e.At < c.Entries[i-1].At {
				w.t.Errorf("the clock of %v fell from %v to %v", h.address, c.Entries[i-1].At, e.At)
			}
			switch f := e.Fact.(type) {
			case engine.Outcome:
				if f.Ambiguous {
					ambiguous[f.Rcpt]++
				}
				barred[f.Rcpt] = barred[f.Rcpt] || f.Status == mail.Suppressed
			}
		}
	}
	return ambiguous, barred
}

// judge compares the receivers' ledger with what the servers know, and with what they reported.
func (w *system) judge(reports map[engine.Job]engine.Summary) {
	ambiguous, barred := w.end()
	missed, twice, delivered, failed, suppressed := 0, 0, uint64(0), uint64(0), uint64(0)
	for r, n := range w.got {
		switch rcpt := mail.Recipient(r); {
		case n > 1+ambiguous[r]:
			w.t.Errorf("recipient %d has %d messages after %d ambiguous attempts", r, n, ambiguous[r])
		case barred[rcpt]:
			suppressed++
			if !w.asked[rcpt] {
				w.t.Errorf("recipient %d was barred without a request", r)
			}
		case r%16 == 15:
			failed++
			if n > 0 {
				w.t.Errorf("recipient %d has a message that was refused", r)
			}
		case n == 0:
			missed++
		default:
			delivered++
		}
		if n > 1 {
			twice++
		}
	}
	sum := engine.Summary{}
	for _, b := range reports {
		sum.Delivered += b.Delivered
		sum.Failed += b.Failed
		sum.Suppressed += b.Suppressed
		sum.Ambiguous += b.Ambiguous
		sum.Held += b.Held
	}
	if missed > 0 || sum.Delivered != delivered || sum.Failed != failed || sum.Suppressed != suppressed ||
		sum.Held > 0 {
		w.t.Errorf("%d missed, %d delivered, %d failed, %d suppressed, want as reported: %v", missed, delivered, failed,
			suppressed, sum)
	}
	if uint64(twice) > sum.Ambiguous {
		w.t.Errorf("%d recipients have two messages, want at most the %d reported", twice, sum.Ambiguous)
	}
	w.t.Logf("%d delivered, %d failed, %d suppressed, %d twice of %d ambiguous", delivered, failed, suppressed, twice,
		sum.Ambiguous)
}

// Two mailings end with a message to each recipient, and second messages after recorded ambiguous attempts alone, while
// every station is stopped again and again, with a loss of power or without, and messages are lost, repeated, late and
// overtaken.
func TestWholeSystemInOneProcess(t *testing.T) {
	t.Parallel()
	for _, bad := range longtest.Or([]bool{true}, []bool{false, true}) {
		for seed := range uint64(longtest.Or(1, 20)) {
			t.Run(fmt.Sprintf("bad %v, seed %d", bad, seed), func(t *testing.T) {
				t.Parallel()
				const n = 20_000
				w := newSystem(t, seed, n)
				if bad {
					w.carrier = &badCarrier{w}
				}
				for _, h := range w.hosts {
					h.start()
				}
				w.submit(1, 0, 12_001)
				w.submit(2, 12_001, n-12_001)
				reports := map[engine.Job]engine.Summary{}
				drops := 0
				for len(reports) < 2 {
					select {
					case b := <-w.reported:
						reports[b.Job] = b
					case <-time.After(time.Duration(10+w.intn(30)) * time.Millisecond):
						rcpt := mail.Recipient(w.intn(n))
						if err := w.hosts[1].station.Do(t.Context(), func(now vt.Time, out *engine.Outbox) {
							w.asks.Receive(now, engine.Message{Body: engine.Request{Rcpt: rcpt}}, out)
						}); err == nil {
							w.asked[rcpt] = true
						}
						if drops < longtest.Or(40, 200) {
							drops++
							w.hosts[w.intn(len(w.hosts))].drop()
						}
					}
				}
				w.judge(reports)
				t.Logf("%d drops", drops)
			})
		}
	}
}

// badCarrier loses, repeats and delays a share of the messages.
type badCarrier struct{ of *system }

func (c *badCarrier) Send(m engine.Message) {
	send := func() { c.of.local.Send(m) }
	if c.of.chance(0.05) {
		return
	}
	for range 2 {
		if c.of.chance(0.2) {
			time.AfterFunc(time.Duration(c.of.intn(50))*time.Millisecond, send)
		} else {
			send()
		}
		if !c.of.chance(0.05) {
			return
		}
	}
}

// A message to a station elsewhere waits for all facts, also those of earlier inputs.
func TestMessagesElsewhereWait(t *testing.T) {
	w := newSystem(t, 1, 1)
	var sent []engine.Message
	j, err := journal.Create(memdisk.New(), journal.ID{})
	if err != nil {
		t.Fatal(err)
	}
	list := mail.ReadList([]mail.Destination{})
	a := engine.Address{Role: engine.Sender}
	w.local.Join(a, func(m engine.Message) { sent = append(sent, m) })
	r, err := NewServer(w.scenario, 0, &list, w, nil, Keeping{Journal: j}, &w.local)
	if err != nil {
		t.Fatal(err)
	}
	kept := r.roles.kept
	for range 2 { // of the second time all facts are durable when the message comes
		r.roles.out.Send = []engine.Message{{To: a, Body: engine.Progress{}}}
		before := len(sent)
		waits := kept.group.Record() > kept.group.Durable()
		if r.roles.settle(0, 0); (len(sent) == before) != waits {
			t.Errorf("got %d messages while facts are not durable: %v", len(sent)-before, waits)
		}
		r.finish(0)
	}
	if len(sent) != 2 {
		t.Errorf("got %d messages, want 2", len(sent))
	}
}
