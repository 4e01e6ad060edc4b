package realrun

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun/journal"
	"flyball/realrun/names"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// inbox is a receiver that counts the messages that it accepted, by recipient. It waits for some time before it decides
// over a message, and before it replies.
type inbox struct {
	net.Listener
	lock sync.Mutex
	got  map[string]int
	wait time.Duration
	dots atomic.Int64
	open map[net.Conn]bool

	refuse atomic.Value // a string is the reply to every MAIL
	mails  atomic.Int64
}

func newInbox(t *testing.T, wait time.Duration) *inbox {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &inbox{Listener: l, got: map[string]int{}, wait: wait, open: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(conn)
		}
	}()
	return b
}

// hangUp closes all connections.
func (b *inbox) hangUp() {
	b.lock.Lock()
	defer b.lock.Unlock()
	for conn := range b.open {
		conn.Close()
	}
}

func (b *inbox) sessions() int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return len(b.open)
}

func (b *inbox) serve(conn net.Conn) {
	b.lock.Lock()
	b.open[conn] = true
	b.lock.Unlock()
	defer func() {
		b.lock.Lock()
		defer b.lock.Unlock()
		delete(b.open, conn)
		conn.Close()
	}()
	in, to := bufio.NewReader(conn), ""
	fmt.Fprint(conn, "220 inbox\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(line, "MAIL"):
			b.mails.Add(1)
			if reply, ok := b.refuse.Load().(string); ok {
				fmt.Fprint(conn, reply)
				continue
			}
		case strings.HasPrefix(line, "RCPT"):
			to = strings.TrimSpace(line)
			if b.refuses(to) {
				fmt.Fprint(conn, "550 no\r\n")
				continue
			}
		case strings.HasPrefix(line, "DATA"):
			fmt.Fprint(conn, "354 go on\r\n")
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			b.dots.Add(1)
			time.Sleep(b.wait)
			b.lock.Lock()
			b.got[to]++
			b.lock.Unlock()
			time.Sleep(b.wait)
		case strings.HasPrefix(line, "QUIT"):
			return
		}
		fmt.Fprint(conn, "250 ok\r\n")
	}
}

// refuses reports whether a mailbox is not there: one in 16.
func (b *inbox) refuses(to string) bool { return strings.Contains(to, "f@") }

// Resolve sends every attempt to the receiver at an address.
type at string

func (a at) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: []names.Candidate{{At: netip.MustParseAddrPort(string(a))}}}
}

// hex is a mailing whose recipients are hexadecimal numbers.
type hex struct{}

func (hex) Letter(r mail.Recipient, body []byte) (string, []byte) {
	return fmt.Sprintf("%x@d.example", r), append(body, "Subject: s\r\n\r\nHello\r\n"...)
}

const keptScenario = `schema_version = 1
name = "kept"
horizon = "10h"
[governor]
law = "hold"
start = 20
interval = "1h"
[retry]
limit = 100
ambiguous = "%s"
delays = ["1s"]
[[destination]]
name = "d"
domain = "d.example"
[[campaign]]
name = "c"
recipients = %d
processes = 20
subset = 5
`

// life is one process of a mailing.
type life struct {
	folder, addr, ambiguous string
	recipients              int
	boot                    uint64
	ahead, window           int
	resolver                Resolver // of each attempt; nil: all leads to addr
}

// run goes on with the mailing until it ends or ctx is cancelled.
func (l life) run(ctx context.Context, disk journal.Disk, see func(*Runner)) (*Runner, error) {
	text := fmt.Sprintf(keptScenario, l.ambiguous, l.recipients)
	s, err := scenarios.Load("kept.toml", []byte(text), nil)
	if err != nil {
		return nil, err
	}
	j, before, err := journal.Open(disk, journal.ID{})
	if errors.Is(err, journal.ErrMissing) {
		j, err = journal.Create(disk, journal.ID{})
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	list := s.List(rng.New(1, 0))
	transport := &SMTP{Resolver: l.resolver, Letters: hex{}, Dialogue: s.Dialogue, Scale: 1, Domain: "sender.example",
		Broken: cancel}
	if l.resolver == nil {
		transport.Resolver = at(l.addr)
	} else {
		transport.Carries = func(context.Context, *mail.Attempt, names.Candidate, mail.Recipient) bool { return false }
	}
	r, err := New(s, &list, 1, transport, nil, nil)
	if err != nil {
		return nil, err
	}
	r.KeepOutcomes()
	if err := r.Keep(Keeping{Journal: j, Before: before.Entries, Boot: l.boot, Ahead: l.ahead,
		Broken: cancel, window: l.window}); err != nil {
		return nil, err
	}
	transport.Gate = r.Gate
	if see != nil {
		see(r)
	}
	if _, stopped := r.Run(ctx, nil); stopped && context.Cause(ctx) != context.Canceled {
		return r, errors.Join(context.Cause(ctx), j.Close())
	}
	return r, j.Close()
}

// check compares the receiver's ledger with what the last process of a mailing found.
func (b *inbox) check(t *testing.T, l life, r *Runner) {
	t.Helper()
	doubts := map[mail.Recipient]int{}
	for _, d := range r.Doubts() {
		doubts[d.Rcpt]++
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	failed := uint64(0)
	for i := range mail.Recipient(l.recipients) {
		to, _ := hex{}.Letter(i, nil)
		to = "RCPT TO:<" + to + ">"
		n := b.got[to]
		switch {
		case b.refuses(to):
			if n > 0 {
				t.Errorf("recipient %d: got a message that was refused", i)
			}
			if l.ambiguous != "hold" || doubts[i] == 0 { // with messages ahead, an intent is written before the refusal
				failed++
			}
		case n == 0 && !(l.ambiguous == "hold" && doubts[i] > 0):
			t.Errorf("recipient %d is missed", i)
		case n > 1+doubts[i], l.ambiguous == "hold" && n > 1:
			t.Errorf("recipient %d has %d messages after %d ambiguous attempts", i, n, doubts[i])
		}
	}
	if rec := r.Record(); rec.Count(mail.Failed) != failed || rec.Final() != uint64(l.recipients) {
		t.Errorf("got %d failed and %d final, want %d and %d", rec.Count(mail.Failed), rec.Final(), failed,
			l.recipients)
	}
}

// A mailing that is never stopped delivers each message once, and makes the facts of many sessions durable together.
func TestKept(t *testing.T) {
	t.Parallel()
	b := newInbox(t, 0)
	l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 500, boot: 1}
	disk := Counting{durable.Files(t.TempDir()), new(atomic.Int64)}
	r, err := l.run(t.Context(), disk, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.check(t, l, r)
	if len(r.Doubts()) > 0 {
		t.Errorf("got %d ambiguous attempts, want none", len(r.Doubts()))
	}
	if n := disk.Syncs.Load(); n > 500 {
		t.Errorf("got %d syncs for 500 messages, want less than one each", n)
	}
	again, err := l.run(t.Context(), disk, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.check(t, l, again) // nothing is left to do
}

// fewAllowed leads nowhere for one recipient in 16.
type fewAllowed struct{ Resolver }

func (f fewAllowed) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	if a.Rcpt%16 == 3 {
		return names.Route{Fault: mail.NotAllowed}
	}
	return f.Resolver.Resolve(ctx, a)
}

// Recipients whose look-ups lead to no receiver that is allowed are charged with nothing, and end apart from all
// others, in the run that finds it and in those that go on. Journals have them as outcomes.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	b := newInbox(t, 0)
	l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 320, boot: 1,
		resolver: fewAllowed{at(b.Addr().String())}}
	disk := durable.Files(t.TempDir())
	for range 2 {
		r, err := l.run(t.Context(), disk, nil)
		if err != nil {
			t.Fatal(err)
		}
		rec := r.Record()
		if rec.Unreached() != 20 || rec.Final() != 300 || rec.Attempts() != 300 || rec.Count(mail.Failed) != 20 {
			t.Errorf("got %d not allowed, %d final and %d failed after %d attempts, want 20, 300, 20 and 300",
				rec.Unreached(), rec.Final(), rec.Count(mail.Failed), rec.Attempts())
		}
		for to, v := range rec.Outcomes {
			if not := to%16 == 3; not != (v.Status == mail.Unreached) || not != (v.Tries == 0) {
				t.Errorf("recipient %d ends %s after %d tries", to, v.Status, v.Tries)
			}
		}
		var run runlog.Run
		if rec.Fold(&run, 320, 0); run.Totals.Unreached != 20 || run.Totals.Pending != 0 || !run.Totals.Balanced() {
			t.Errorf("got %+v", run.Totals)
		}
		for _, i := range rec.Intervals {
			if i.Sample.Attempts > 300 {
				t.Errorf("the governor counts %d attempts of 300", i.Sample.Attempts)
			}
		}
	}
	if got := b.dots.Load(); got != 280 {
		t.Errorf("the receiver has %d messages, want 280", got)
	}
}

// A run that is cancelled waits for the replies to its final dots, and another one goes on: no attempt is ambiguous.
func TestCancelled(t *testing.T) {
	t.Parallel()
	b := newInbox(t, time.Millisecond)
	l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 400, boot: 1}
	disk := durable.Files(t.TempDir())
	for stops := int64(1); ; stops++ {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for b.dots.Load() < 37*stops && ctx.Err() == nil {
				time.Sleep(100 * time.Microsecond)
			}
			cancel()
		}()
		r, err := l.run(ctx, disk, nil)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Doubts()) > 0 {
			t.Fatalf("got %v, want no ambiguous attempt", r.Doubts())
		}
		if r.done() {
			if b.check(t, l, r); stops < 5 {
				t.Errorf("the run was cancelled %d times, want more often", stops-1)
			}
			return
		}
	}
}

// A run that is paused sends no final dot. Receivers that close meanwhile make no attempt ambiguous.
func TestPausedAtTheGate(t *testing.T) {
	t.Parallel()
	b := newInbox(t, time.Millisecond)
	l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 300, boot: 1}
	until := func(r *Runner, reached func(Status) bool) {
		for {
			is := false
			if err := r.Do(func(now vt.Time) { is = reached(r.Status(now)) }); err != nil {
				t.Error(err)
			} else if !is {
				time.Sleep(100 * time.Microsecond)
				continue
			}
			return
		}
	}
	r, err := l.run(t.Context(), durable.Files(t.TempDir()), func(r *Runner) {
		go func() {
			until(r, func(s Status) bool { return s.Attempts > 50 })
			r.Do(func(now vt.Time) { r.Pause(now, true) })
			kept := r.roles.kept
			atRest := func(s Status) bool { // none of them waits for the disk
				all := s.Servers[0].Allocated
				return all > 0 && s.Waiting == all && len(kept.held)+len(kept.dots) == 0
			}
			until(r, atRest)
			dots := b.dots.Load()
			b.hangUp()
			until(r, atRest)
			if b.dots.Load() != dots {
				t.Errorf("%d final dots were sent while the run was paused", b.dots.Load()-dots)
			}
			r.Do(func(now vt.Time) { r.Pause(now, false) })
		}()
	})
	if err != nil {
		t.Fatal(err)
	}
	if b.check(t, l, r); len(r.Doubts()) > 0 {
		t.Errorf("got %v, want no ambiguous attempt", r.Doubts())
	}
	if err := r.Do(func(vt.Time) {}); !errors.Is(err, ErrOver) {
		t.Errorf("got %v after the end of the run, want that", err)
	}
}

// slow is a disk whose syncs take some time.
type slow struct{ durable.Files }

type slowly struct{ durable.Growing }

func (d slow) Create(name string) (durable.Growing, error) {
	f, err := d.Files.Create(name)
	return slowly{f}, err
}

func (f slowly) Sync() error {
	time.Sleep(10 * time.Millisecond)
	return f.Growing.Sync()
}

// A run ends at its horizon and by Ctrl-C also while its attempts wait for the window of their subset, which only the
// disk opens, however far its sessions may go ahead. No attempt is ambiguous.
func TestEndsWhileTheWindowIsClosed(t *testing.T) {
	t.Parallel()
	for _, ahead := range []int{1, 4} {
		b := newInbox(t, 0)
		l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 300, boot: 1, ahead: ahead}
		disk := slow{durable.Files(t.TempDir())}
		closed := false // at the end of a run
		for stops := range 8 {
			ctx, cancel := context.WithCancel(t.Context())
			l.window = 1 + stops%3
			after := time.Duration(20+13*stops) * time.Millisecond
			r, err := l.run(ctx, disk, func(r *Runner) {
				if stops%2 == 0 {
					r.horizon = r.base.Add(vt.Span(after))
				} else {
					time.AfterFunc(after, cancel)
				}
			})
			cancel()
			if err != nil || len(r.Doubts()) > 0 {
				t.Fatalf("got %v and ambiguous attempts %v, want none", err, r.Doubts())
			}
			closed = closed || !r.done()
		}
		l.window = 0
		r, err := l.run(t.Context(), disk.Files, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b.check(t, l, r); !closed {
			t.Error("no run ended before its mailing")
		}
	}
}

// An attempt that has passed the gate, and whose receiver closes before the final dot, ends as any other: its recipient
// is tried again, though the run is not being stopped.
func TestClosedAtTheDot(t *testing.T) {
	b := newInbox(t, 0)
	s, err := scenarios.Load("kept.toml", fmt.Appendf(nil, keptScenario, "hold", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &SMTP{Resolver: at(b.Addr().String()), Letters: hex{}, Dialogue: s.Dialogue, Scale: 1,
		Domain: "sender.example"}
	transport.Gate = func(mail.Attempt) bool {
		b.hangUp()
		for b.sessions() > 0 {
			time.Sleep(100 * time.Microsecond)
		}
		return true
	}
	got := transport.Process(0, 0).Deliver(t.Context(), mail.Attempt{})
	if want := (mail.Reply{Stage: mail.StageDATA, Fault: mail.Drop}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// faulty is a disk that fails from some moment on, and keeps what was durable then.
type faulty struct {
	durable.Files
	lock  sync.Mutex
	files map[string][]byte // what is durable
	bytes int64             // that can be reserved; negative: no bound
	most  int               // bytes that can be written; 0: no bound
	left  int64             // calls of Sync until one fails; negative: none does
	dead  error             // of every call from now on
}

type failing struct {
	durable.Growing
	d    *faulty
	name string
	data []byte
}

func (d *faulty) Create(name string) (durable.Growing, error) {
	f, err := d.Files.Create(name)
	return &failing{Growing: f, d: d, name: name}, err
}

func (f *failing) Write(p []byte) (int, error) {
	f.d.lock.Lock()
	defer f.d.lock.Unlock()
	if f.d.dead != nil {
		return 0, f.d.dead
	}
	if f.d.most > 0 && len(f.data)+len(p) > f.d.most {
		f.d.dead = syscall.ENOSPC
		return 0, f.d.dead
	}
	f.data = append(f.data, p...)
	return f.Growing.Write(p)
}

func (f *failing) Reserve(size int64) error {
	f.d.lock.Lock()
	defer f.d.lock.Unlock()
	if f.d.bytes >= 0 && f.d.bytes < size {
		return syscall.ENOSPC
	}
	return nil
}

func (f *failing) Sync() error {
	f.d.lock.Lock()
	data := append([]byte(nil), f.data...)
	if f.d.left--; f.d.left == 0 {
		f.d.dead = syscall.EIO
	}
	f.d.lock.Unlock()
	time.Sleep(time.Millisecond) // what is written meanwhile is not durable
	f.d.lock.Lock()
	defer f.d.lock.Unlock()
	if f.d.dead == nil {
		f.d.files[f.name] = data
	}
	return f.d.dead
}

// lose leaves only what is durable, as a loss of power does.
func (d *faulty) lose(t *testing.T) durable.Files {
	t.Helper()
	d.lock.Lock()
	defer d.lock.Unlock()
	to := t.TempDir()
	for name, data := range d.files {
		if strings.HasPrefix(name, "facts-") {
			if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return durable.Files(to)
}

// A full disk stops a run at the gate: what is under way ends, and is not ambiguous.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newInbox(t, time.Millisecond)
	l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 300, boot: 1}
	disk := &faulty{Files: durable.Files(t.TempDir()), files: map[string][]byte{}, bytes: 80_000, left: -1}
	r, err := l.run(t.Context(), disk, nil)
	if !errors.Is(err, syscall.ENOSPC) || r == nil || r.Record().Final() == 0 || r.done() {
		t.Fatalf("got %v, want no space after some mail", err)
	}
	if r, err = l.run(t.Context(), disk.Files, nil); err != nil {
		t.Fatal(err)
	}
	if b.check(t, l, r); len(r.Doubts()) > 0 {
		t.Errorf("got %v, want no ambiguous attempt", r.Doubts())
	}
}

// Where room cannot be reserved, a full disk is seen late: outcomes are lost, and their attempts are ambiguous.
func TestFullDiskSeenLate(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		b := newInbox(t, time.Millisecond)
		l := life{addr: b.Addr().String(), ambiguous: "hold", recipients: 300, boot: 1}
		disk := &faulty{Files: durable.Files(t.TempDir()), files: map[string][]byte{}, bytes: -1, left: -1,
			most: 3000 + 50*i}
		if _, err := l.run(t.Context(), disk, nil); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v, want no space", err)
		}
		r, err := l.run(t.Context(), disk.Files, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.check(t, l, r)
	}
}

// An attempt does not pass after the end of its lease, nor one that was given up, and none passes a closed gate.
func TestGate(t *testing.T) {
	g := newGate()
	a := mail.Attempt{Slot: 3, Gen: 2}
	id := slot{0, 3}
	dot := engine.Dot{Slot: 3, Gen: 2, Send: true, Until: 5}
	ask := func() chan bool {
		answer := make(chan bool, 1)
		g.take(ask{a, answer})
		return answer
	}
	g.perform(0, &engine.Outbox{Start: []mail.Attempt{a}})
	for _, v := range []struct {
		what string
		now  vt.Time
		do   func()
		pass bool
	}{
		{"before the end of the lease", 4, func() {}, true},
		{"at the end of the lease", 5, func() {}, false},
		{"given up", 4, func() { g.perform(0, &engine.Outbox{Close: []mail.Slot{3}}) }, false},
	} {
		answer := ask()
		v.do()
		if g.answer(v.now, id, dot); len(answer) > 0 && v.pass {
			t.Errorf("%s: the dot is sent before its mark is written", v.what)
		}
		g.open(true)
		if got := <-answer; got != v.pass {
			t.Errorf("%s: got %v, want %v", v.what, got, v.pass)
		}
	}
	if <-ask() {
		t.Error("an attempt passes that was given up")
	}
	a.Gen, dot.Gen = 3, 3
	waits := ask()
	g.close()
	if g.answer(4, id, dot) || <-waits || <-ask() {
		t.Error("a closed gate lets an attempt pass")
	}
}

// Without its mark on the disk no final dot is sent.
func TestMarkIsWritten(t *testing.T) {
	for _, most := range []int{0, 1} {
		disk := &faulty{Files: durable.Files(t.TempDir()), files: map[string][]byte{}, bytes: -1, left: -1}
		j, err := journal.Create(disk, journal.ID{})
		if err != nil {
			t.Fatal(err)
		}
		disk.most = most
		v := &kept{Keeping: Keeping{Journal: j, Broken: func(error) {}}, gate: newGate(), group: journal.NewGroup(j, 0)}
		answer := make(chan bool, 1)
		v.gate.take(ask{mail.Attempt{Gen: 1}, answer})
		v.decide(0, 0, engine.Dot{Gen: 1, Send: true, Until: 1, Mark: engine.Dotted{}})
		if len(answer) > 0 {
			t.Error("the dot is sent before its mark is written")
		}
		if v.flush(); <-answer != (most == 0) {
			t.Errorf("room for a mark %v, and a dot is sent %v", most == 0, most > 0)
		}
	}
}

// Of a machine that loses its power, and of a disk that fails to make a record durable, what was durable is enough: by
// the receiver's ledger no recipient is missed, and second messages follow ambiguous attempts.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	n, doubts, early := longtest.Or(8, 100), 0, 0
	for i := range int64(n) {
		b := newInbox(t, time.Millisecond)
		l := life{addr: b.Addr().String(), ambiguous: []string{"resend", "hold"}[i%2], recipients: 200, boot: 1,
			ahead: []int{1, 6}[i/4%2]}
		disk := &faulty{Files: durable.Files(t.TempDir()), files: map[string][]byte{}, bytes: -1, left: -1}
		if i%4 < 2 {
			disk.left = 5 + i%12
		} else {
			go func() {
				for b.dots.Load() < 10+10*(i%16) {
					time.Sleep(100 * time.Microsecond)
				}
				disk.lock.Lock()
				defer disk.lock.Unlock()
				disk.dead = syscall.EIO
			}()
		}
		if _, err := l.run(t.Context(), disk, nil); err == nil { // the mailing was out before
			early++
			continue
		} else if !errors.Is(err, syscall.EIO) {
			t.Fatalf("got %v, want the error of the disk", err)
		}
		l.boot = 2
		r, err := l.run(t.Context(), disk.lose(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		b.check(t, l, r)
		if n := len(r.Doubts()); n > 20*l.ahead {
			t.Errorf("%d messages ahead: %d ambiguous attempts of 20 sessions", l.ahead, n)
		}
		doubts += len(r.Doubts())
	}
	if doubts == 0 || early > n/4 {
		t.Errorf("%d ambiguous attempts, %d of %d mailings ended before the loss: the test tests too little", doubts,
			early, n)
	}
}

// A process that stands still for a while, and is not killed, has no ambiguous attempt: the replies wait for it.
func TestPaused(t *testing.T) {
	t.Parallel()
	b := newInbox(t, time.Millisecond)
	l := life{folder: t.TempDir(), addr: b.Addr().String(), ambiguous: "hold", recipients: 600, boot: 1}
	c := l.start(t, "")
	for range longtest.Or(3, 1) {
		for before := b.dots.Load(); b.dots.Load() < before+50; {
			time.Sleep(100 * time.Microsecond)
		}
		c.Process.Signal(syscall.SIGSTOP)
		time.Sleep(longtest.Or(200*time.Millisecond, 20*time.Second))
		c.Process.Signal(syscall.SIGCONT)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	r, err := l.run(t.Context(), durable.Files(l.folder), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.check(t, l, r); len(r.Doubts()) > 0 {
		t.Errorf("got %v, want no ambiguous attempt", r.Doubts())
	}
}

// Counting is a disk that counts syncs of files.
type Counting struct {
	durable.Files
	Syncs *atomic.Int64
}

// Create creates a file; see journal.Disk.
func (d Counting) Create(name string) (durable.Growing, error) {
	f, err := d.Files.Create(name)
	return counted{f, d.Syncs}, err
}

type counted struct {
	durable.Growing
	syncs *atomic.Int64
}

func (f counted) Sync() error {
	f.syncs.Add(1)
	return f.Growing.Sync()
}
