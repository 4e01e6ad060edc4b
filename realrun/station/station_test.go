package station_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flyball/engine"
	"flyball/engine/sender"
	"flyball/internal/longtest"
	"flyball/internal/memdisk"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
)

// counter is a role that writes the fact n, and sends it, at the n-th input that it has not had before. At each input
// that it has had it sends all facts again, and writes none.
type counter struct {
	facts []engine.Fact
	had   map[uint64]bool
	next  vt.Time
}

var bounces = engine.Address{Role: engine.Bounces}

func (c *counter) take(token uint64, out *engine.Outbox) {
	if !c.had[token] {
		c.had[token] = true
		c.facts = append(c.facts, engine.Counted{Token: token})
		out.Write = append(out.Write, c.facts[len(c.facts)-1])
	}
	for _, f := range c.facts {
		out.Send = append(out.Send, engine.Message{From: bounces, Body: engine.Got{UpTo: f.(engine.Counted).Token}})
	}
}

func (c *counter) Receive(_ vt.Time, m engine.Message, out *engine.Outbox) {
	c.take(m.Body.(engine.Returned).Token, out)
}

// Wake takes the input with the number of the time.
func (c *counter) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	if now >= c.next && c.next != vt.Never {
		c.next = vt.Never
		c.take(uint64(now), out)
	}
}

func (c *counter) NextWake() vt.Time { return c.next }
func (c *counter) Done() bool        { return true }

func (c *counter) Recover(_ vt.Time, _ uint64, facts []engine.Fact, _ *engine.Outbox) {
	for _, f := range facts {
		c.had[f.(engine.Counted).Token] = true
		c.facts = append(c.facts, f)
	}
}

func newCounter() *counter { return &counter{had: map[uint64]bool{}, next: vt.Never} }

// post is a carrier that keeps what it gets.
type post struct {
	lock sync.Mutex
	all  []engine.Message
}

func (p *post) Send(m engine.Message) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.all = append(p.all, m)
}

// tokens returns the numbers that a counter has sent.
func (p *post) tokens() (all []uint64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, m := range p.all {
		all = append(all, m.Body.(engine.Got).UpTo)
	}
	return all
}

// open opens a role's journal on a disk, or creates it.
func open(t *testing.T, d *memdisk.Disk, a engine.Address, role engine.Durable, c station.Carrier) *station.Station {
	t.Helper()
	j, before, err := journal.Open(d, journal.ID{1})
	if errors.Is(err, journal.ErrMissing) {
		j, err = journal.Create(d, journal.ID{1})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := station.New(station.Config{Address: a, Role: role, Journal: j, Before: before.Entries, Carrier: c})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs a station until stop is called, which returns what Run returned.
func start(t *testing.T, s *station.Station) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { stop() })
	return stop
}

func (c *counter) do(token uint64) func(vt.Time, *engine.Outbox) {
	return func(_ vt.Time, out *engine.Outbox) { c.take(token, out) }
}

// Nothing is sent, and no call returns, before the facts are durable on which it rests: what a message, a time and a
// call wrote, and what an earlier input wrote if the call itself writes nothing. One Sync serves all that wait.
func TestNothingBeforeItsFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c, p := memdisk.New(), newCounter(), &post{}
		s := open(t, d, bounces, c, p)
		hold := make(chan struct{})
		d.Set(func(d *memdisk.Disk) { d.Hold = hold })
		c.next = vt.Time(vt.Second)
		stop := start(t, s)
		s.Receive(engine.Message{To: bounces, Body: engine.Returned{Token: 1}})
		synctest.Wait()
		time.Sleep(2 * time.Second) // the time comes
		results := make(chan error, 20)
		for i := range 20 { // ten tokens, each twice: the second call writes nothing
			go func() { results <- s.Do(t.Context(), c.do(uint64(2+i/2))) }()
		}
		synctest.Wait()
		if got := p.tokens(); len(got) > 0 || len(results) > 0 {
			t.Fatalf("got messages %v and the end of %d calls while nothing is durable", got, len(results))
		}
		before := d.Syncs
		close(hold)
		synctest.Wait()
		if d.Syncs > before+1 {
			t.Errorf("got %d more flushes for all that waited, want 1", d.Syncs-before)
		}
		for range 20 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		got := p.tokens()
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != 12 {
			t.Errorf("got messages about %v, want 1 to 11 and a time", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := s.Do(t.Context(), c.do(99)); !errors.Is(err, station.ErrOver) {
			t.Errorf("got %v after the end, want ErrOver", err)
		}
	})
}

// Whatever a station has sent or answered is there again after it was dropped at any instant, with a loss of power or
// without.
func TestDroppedAtAnyInstant(t *testing.T) {
	luck := rand.New(rand.NewPCG(7, 1))
	d, known := memdisk.New(), map[uint64]bool{}
	token := uint64(0)
	var at vt.Time
	for life := range longtest.Or(60, 2000) {
		c, p := newCounter(), &post{}
		s := open(t, d, bounces, c, p)
		for k := range known {
			if !c.had[k] {
				t.Fatalf("life %d: %d was told and is lost", life, k)
			}
		}
		stop := start(t, s)
		var calls sync.WaitGroup
		var lock sync.Mutex
		for range luck.IntN(30) {
			token++
			mine := token
			if luck.IntN(2) == 0 {
				s.Receive(engine.Message{To: bounces, Body: engine.Returned{Token: mine}})
				continue
			}
			calls.Go(func() {
				if s.Do(t.Context(), c.do(mine)) == nil {
					lock.Lock()
					known[mine] = true
					lock.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(luck.IntN(300)) * time.Microsecond)
		d = d.Lose(luck.IntN(2) == 0)
		stop()
		calls.Wait()
		for _, n := range p.tokens() {
			known[n] = true
		}
		_, before, err := journal.Open(d, journal.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range before.Entries { // a fact is never before the one before it
			if e.At < at {
				t.Fatalf("life %d: a fact at %v after %v", life, e.At, at)
			}
			at = e.At
		}
		at = 0
	}
	if len(known) < 100 {
		t.Errorf("only %d facts were told", len(known))
	}
}

// A flush that fails ends the station: who waits gets an error, and nothing is sent.
func TestFailedFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c, p := memdisk.New(), newCounter(), &post{}
		s := open(t, d, bounces, c, p)
		broken := errors.New("input/output error")
		ended := make(chan error, 1)
		go func() { ended <- s.Run(t.Context()) }()
		synctest.Wait()
		d.Set(func(d *memdisk.Disk) { d.Fails = broken })
		if err := s.Do(t.Context(), c.do(1)); err == nil {
			t.Error("a call succeeded whose fact is not durable")
		}
		if err := <-ended; !errors.Is(err, broken) {
			t.Errorf("the station ended with %v, want %v", err, broken)
		}
		if got := p.tokens(); len(got) > 0 {
			t.Errorf("got messages about %v", got)
		}
	})
}

// On a full disk calls fail, messages are lost and times wait. When there is room again all goes on.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c, p := memdisk.New(), newCounter(), &post{}
		s := open(t, d, bounces, c, p)
		start(t, s)
		if err := s.Do(t.Context(), c.do(1)); err != nil {
			t.Fatal(err)
		}
		d.Set(func(d *memdisk.Disk) { d.Full = true })
		great := engine.Counted{Token: 2, Changes: strings.Repeat("x", 50_000)}
		for s.Do(t.Context(), func(_ vt.Time, out *engine.Outbox) { out.Write = append(out.Write, great) }) == nil {
		} // until the room is used that the journal has already
		sent := len(p.tokens())
		s.Receive(engine.Message{To: bounces, Body: engine.Returned{Token: 300}})
		err := s.Do(t.Context(), func(now vt.Time, out *engine.Outbox) { t.Error("called on a full disk") })
		if !errors.Is(err, memdisk.ErrFull) {
			t.Errorf("got %v, want %v", err, memdisk.ErrFull)
		}
		time.Sleep(time.Minute)
		if n := len(p.tokens()); n != sent || c.had[300] {
			t.Errorf("got %d messages on a full disk, and the input %v", n-sent, c.had[300])
		}
		d.Set(func(d *memdisk.Disk) { d.Full = false })
		if err := s.Do(t.Context(), c.do(400)); err != nil {
			t.Error(err)
		}
	})
}

// The clock goes on where the last fact was, and with the time on the wall in between.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memdisk.New()
		var got []vt.Time
		for range 3 {
			s := open(t, d, bounces, newCounter(), &post{})
			stop := start(t, s)
			time.Sleep(time.Minute)
			s.Do(t.Context(), func(now vt.Time, _ *engine.Outbox) { got = append(got, now) })
			stop()
			time.Sleep(time.Hour)
		}
		want := []vt.Time{vt.Time(vt.Minute), vt.Time(vt.Hour + 2*vt.Minute), vt.Time(2*vt.Hour + 3*vt.Minute)}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for since, want := range map[time.Duration]vt.Span{-time.Hour: vt.Minute, // the wall's clock was set back
			30 * time.Second: vt.Minute, time.Hour: vt.Hour} {
			zero := time.Now().Add(-since)
			before := []journal.Entry{{Role: bounces, Fact: engine.Opened{Wall: zero.UnixNano()}},
				{At: vt.Time(vt.Minute), Role: bounces, Fact: engine.Counted{}}}
			for _, given := range []time.Time{{}, zero} {
				c, opened, err := station.ClockOf(bounces, before, given)
				if now := c.Now(); err != nil || opened != nil || now != vt.Time(want) {
					t.Errorf("%v after the creation: got %v, %v and %v, want %v", since, now, opened, err, want)
				}
			}
			if _, _, err := station.ClockOf(bounces, before, zero.Add(1)); err == nil {
				t.Error("a journal goes on with another time zero")
			}
			if c, opened, _ := station.ClockOf(bounces, nil, zero); c.Now() != vt.Time(max(0, since)) ||
				opened != before[0].Fact {
				t.Errorf("a new journal begins at %v with %v, want %v after %v", c.Now(), opened, since, zero)
			}
		}
	})
}

// A journal that such a station cannot have written is refused.
func TestDamagedJournal(t *testing.T) {
	opened := journal.Entry{Role: bounces, Fact: engine.Opened{}}
	fact := journal.Entry{Role: bounces, Fact: engine.Counted{Token: 1}}
	late := journal.Entry{At: 5, Role: bounces, Fact: engine.Counted{Token: 2}}
	other := journal.Entry{Role: engine.Address{Role: engine.Requests}, Fact: engine.Counted{}}
	stranger := journal.Entry{Role: bounces, Fact: engine.Ended{}} // the role panics
	for i, all := range [][]journal.Entry{{fact}, {opened, fact, opened}, {opened, late, fact},
		{opened, other}, {opened, stranger}} {
		d := memdisk.New()
		j, err := journal.Create(d, journal.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := station.New(station.Config{Address: bounces, Role: newCounter(), Journal: j,
			Before: all}); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("journal %d: got %v, want ErrDamaged", i, err)
		}
	}
}

// A sending server goes on with its mailing after it was dropped between any two messages: it asks its servers for
// processes and hands them the list once it is submitted.
func TestSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := memdisk.New(), engine.Address{Role: engine.Sender}
		b := engine.Address{Role: engine.Remote}
		var local station.Local
		hired, transferred := make(chan engine.Hire, 100), make(chan engine.Transfer, 100)
		local.Join(b, func(m engine.Message) {
			switch b := m.Body.(type) {
			case engine.Hire:
				hired <- b
			case engine.Transfer:
				transferred <- b
			}
		})
		live := func() (*station.Station, *sender.Server, func() error) {
			role := sender.New(sender.Default(1))
			s := open(t, d, a, role, &local)
			local.Join(a, s.Receive)
			return s, role, start(t, s)
		}
		s, role, stop := live()
		if err := s.Do(t.Context(), func(now vt.Time, out *engine.Outbox) {
			role.Submit(now, engine.Submitted{Job: 7, Recipients: 100, Due: now}, out)
		}); err != nil {
			t.Fatal(err)
		}
		<-hired
		d = d.Lose(true)
		stop()
		_, _, stop = live()
		<-hired // by the second one, from its journal
		local.Send(engine.Message{From: b, To: a, Body: engine.Granted{Job: 7, Processes: 4}})
		if got := <-transferred; engine.UnpackParts(got.Part)[0] != (engine.Part{From: 0, To: 100}) {
			t.Errorf("got %v, want all of the list", got)
		}
		d = d.Lose(true)
		stop()
		for len(transferred) > 0 {
			<-transferred
		}
		live()
		if got := <-transferred; got.Subset != (engine.Subset{Job: 7, Epoch: 1}) { // the plan is not made again
			t.Errorf("got %v, want plan 1", got)
		}
	})
}

func ExampleLocal() {
	var l station.Local
	l.Join(bounces, func(m engine.Message) { fmt.Println(m.Body) })
	l.Send(engine.Message{To: bounces, Body: engine.Pull{UpTo: 3}})
	l.Send(engine.Message{To: engine.Address{Role: engine.Sender}, Body: engine.Pull{}}) // lost
	// Output: {3}
}
