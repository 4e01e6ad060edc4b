package inbound

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/engine"
	"flyball/engine/sender"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/station"
)

// unsafe is a carrier that loses a third of all messages and repeats a third of the others.
type unsafe struct {
	lock sync.Mutex
	luck *rand.Rand
	to   station.Local
}

func (u *unsafe) Send(m engine.Message) {
	u.lock.Lock()
	n := u.luck.IntN(3)
	more := u.luck.IntN(3)
	u.lock.Unlock()
	if n > 0 {
		u.to.Send(m)
		if more == 0 {
			u.to.Send(m)
		}
	}
}

// startSender runs a sending server, which keeps its facts in a folder, until the test or stop ends it.
func startSender(t *testing.T, dir string, pull vt.Span, over *unsafe) (stop func()) {
	t.Helper()
	files := durable.Files(dir)
	if err := files.Make(); err != nil {
		t.Fatal(err)
	}
	j, before, err := journal.Open(files, journal.ID{1})
	if errors.Is(err, journal.ErrMissing) {
		j, err = journal.Create(files, journal.ID{1})
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := sender.Default(1)
	cfg.Pull = pull
	a := engine.Address{Role: engine.Sender}
	s, err := station.New(station.Config{Address: a, Role: sender.New(cfg), Journal: j, Before: before.Entries,
		Carrier: over})
	if err != nil {
		t.Fatal(err)
	}
	over.to.Join(a, s.Receive)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		over.to.Join(a, nil)
		cancel()
		if err := errors.Join(<-done, j.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// barred returns the places that the journal of a sending server has as barred, in the order of the server for returned
// mail.
func barred(t *testing.T, dir string) (all []mail.Recipient) {
	t.Helper()
	c, err := journal.Read(durable.Files(dir), journal.ID{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries {
		if b, is := e.Fact.(engine.Barred); is {
			if all = append(all, b.Rcpt); b.From != Address || b.Number != uint64(len(all)) {
				t.Errorf("got change %d of %v, want %d of %v", b.Number, b.From, len(all), Address)
			}
		}
	}
	return all
}

// Each change reaches the sending server once and in order, by places of the list of all mailings, whatever is lost and
// repeated on the way and whichever of both stops: pushed, or when it is pulled.
func TestChangesReachTheSendingServer(t *testing.T) {
	for _, pull := range []vt.Span{0, 50 * vt.Millisecond} {
		t.Run(fmt.Sprintf("pull %v", pull), func(t *testing.T) {
			over := &unsafe{luck: rand.New(rand.NewPCG(1, 2))}
			dir := filepath.Join(t.TempDir(), "a")
			stop := startSender(t, dir, pull, over)
			cfg := config(t)
			cfg.Hard, cfg.Carrier, cfg.Push = 1, over, 20*time.Millisecond
			if pull > 0 {
				cfg.Push = 0
			}
			cfg.Jobs = []Job{{Name: "news", Key: testKey, First: 1000}}
			h := &harness{t: t, cfg: cfg}
			begin := func() {
				h.begin()
				over.to.Join(Address, h.server.Receive)
			}
			begin()
			t.Cleanup(func() { h.end() })
			var want []mail.Recipient
			for i := range 12 {
				r := (i * 7) % 12
				want = append(want, 1000+mail.Recipient(r))
				h.must(bounce(i, unknown), to(r, 0))
				switch i {
				case 4:
					stop()
				case 6:
					h.end()
					begin()
				case 8:
					stop = startSender(t, dir, pull, over)
				}
			}
			for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if got := barred(t, dir); slices.Equal(got, want) {
					break
				} else if time.Now().After(end) {
					t.Fatalf("got %v, want %v", got, want)
				}
			}
		})
	}
}

// Two servers take returned mail, and the first one counts: a recipient is purged whose two messages came to both of
// them, and not one whose single message came to both, whichever of them stops and whatever is lost on the way.
func TestOneServerCountsForOthers(t *testing.T) {
	over := &unsafe{luck: rand.New(rand.NewPCG(1, 2))}
	dir := filepath.Join(t.TempDir(), "a")
	startSender(t, dir, 0, over)
	other := engine.Address{Role: engine.Bounces, Server: 1}
	var all [2]*harness
	begin := func(i int) {
		all[i].begin()
		over.to.Join(all[i].cfg.Address, all[i].server.Receive)
	}
	for i, a := range []engine.Address{Address, other} {
		cfg := config(t)
		cfg.Carrier, cfg.Push, cfg.Address, cfg.Counter = over, 20*time.Millisecond, a, Address
		cfg.Jobs = []Job{{Name: "news", Key: testKey, First: 1000}}
		all[i] = &harness{t: t, cfg: cfg}
		begin(i)
		t.Cleanup(func() { all[i].end() })
	}
	want := map[mail.Recipient]bool{}
	for r := range 12 {
		first, second := 0, 1 // tries
		if r%3 == 0 {
			second = first // the same message
		} else {
			want[1000+mail.Recipient(r)] = true
		}
		all[r%2].must(bounce(2*r, unknown), to(r, first))
		switch r {
		case 3, 4, 8:
			all[r%2].end()
			begin(r % 2)
		}
		all[1-r%2].must(bounce(2*r+1, unknown), to(r, second))
		if r == 6 {
			all[1].end()
			begin(1)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := barred(t, dir)
		if len(got) == len(want) && !slices.ContainsFunc(got, func(r mail.Recipient) bool { return !want[r] }) {
			break
		} else if time.Now().After(end) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if n := all[0].server.Standing("news").Dead; n < 12 {
		t.Errorf("the server that counts has %d dead addresses of the mailing, want those of both", n)
	}
}

// drop is a carrier that keeps what it gets.
type drop struct{ all []engine.Message }

func (d *drop) Send(m engine.Message) { d.all = append(d.all, m) }

// A person's places change together, also after a stop with other places; a job may be added later; a complaint is a
// change as well.
func TestPersons(t *testing.T) {
	cfg := config(t)
	d := &drop{}
	cfg.Carrier, cfg.Hard, cfg.Jobs = d, 2, nil
	cfg.Same = func(r mail.Recipient) []mail.Recipient { return []mail.Recipient{r % 100, r%100 + 100} }
	h := start(t, cfg)
	var refused error
	if refused = h.send(bounce(1, unknown), to(7, 0)); refused == nil {
		t.Error("a return path of no job is taken")
	}
	for _, j := range []Job{{Name: "news", Key: testKey, First: 0}, {Name: "more", Key: otherKey, First: 100}} {
		if err := h.server.Add(j); err != nil {
			t.Fatal(err)
		}
	}
	h.must(bounce(1, unknown), to(7, 0))
	h.must(bounce(2, unknown), otherKey.VERP(7, 0, "sender.example"))
	h.wants("returned news/7 unknown-user, returned more/7 unknown-user, purged more/7 unknown-user")
	h.end()
	h.cfg.Same, h.cfg.Jobs = nil, []Job{{Name: "news", Key: testKey}}
	d.all = nil
	h.begin()
	h.end()
	want := fmt.Sprintf("%v", engine.Changes{First: 1, Entries: engine.PackChanges([]engine.Change{{Rcpt: 7},
		{Rcpt: 107}})})
	if len(d.all) == 0 || fmt.Sprintf("%v", d.all[0].Body) != want {
		t.Errorf("got %v, want first %v", d.all, want)
	}
}

// A folder whose places are others is refused in words: of a server without a sending server, of another list, or of
// another sending server's changes.
func TestOtherPlaces(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	h.must(bounce(1, unknown), to(7, 0))
	h.end()
	cfg.Carrier = &drop{}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "of another list") {
		t.Errorf("got %v, want a refusal", err)
	}
	cfg.Dir += "2"
	h = start(t, cfg)
	h.must(bounce(1, unknown), to(7, 0))
	if err := h.server.Add(Job{Name: "news", Key: testKey, First: 10}); err == nil {
		t.Error("a job's places change while the server runs")
	}
	ended := h.ended
	h.server.Receive(engine.Message{From: engine.Address{Role: engine.Sender}, To: Address, Body: engine.Got{UpTo: 1}})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "sender 0 has 1 changes") {
		t.Errorf("got %v, want a refusal", err)
	}
	h.end = func() {}
}

// What concerns a campaign is known after a stop.
func TestStanding(t *testing.T) {
	cfg := config(t)
	cfg.Pause = 2
	h := start(t, cfg)
	h.must(bounce(1, unknown), to(7, 0))
	h.must(bounce(2, blocked), to(8, 0))
	h.must(bounce(3, blocked), to(9, 0))
	for range 2 {
		if got := fmt.Sprint(h.server.Standing("news")); got != "{1 false [reputation]}" {
			t.Errorf("got %s", got)
		}
		h.end()
		h.begin()
	}
	h.must(bounce(4, unknown), to(10, 0))
	if got := h.server.Standing("news"); !got.Paused || got.Dead != 2 {
		t.Errorf("got %v, want a pause", got)
	}
}
