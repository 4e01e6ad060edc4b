package carrier

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/bus"
	"flyball/engine"
	"flyball/engine/codec"
	"flyball/internal/mail"
)

// party is a process of a site: its name, its roles, and its key.
type party struct {
	name string
	own  []engine.Address
	key  string // file
}

// parties are the processes of a site: A, two B servers, C, D, and the role that governs.
func parties() []*party {
	b := func(n mail.Server) *party {
		return &party{name: fmt.Sprintf("b%d", n+1), own: []engine.Address{{Role: engine.Remote, Server: n},
			{Role: engine.Delivery, Server: n}}}
	}
	one := func(name string, k engine.Kind) *party {
		return &party{name: name, own: []engine.Address{{Role: k}}}
	}
	return []*party{one("a", engine.Sender), b(0), b(1), one("c", engine.Bounces), one("d", engine.Requests),
		one("governor", engine.Governing)}
}

// broker starts a broker on loopback that knows the parties of some sites alone.
func broker(t testing.TB, sites map[string][]*party) *bus.Server {
	t.Helper()
	dir := t.TempDir()
	var users []bus.User
	for site, all := range sites {
		for _, p := range all {
			p.key = filepath.Join(dir, site+p.name+".nk")
			users = append(users, bus.User{Name: p.name, NKey: newKey(t, p.key), Rights: Rights(site, p.own...)})
		}
	}
	s, err := bus.Start(bus.ServerConfig{Listen: "127.0.0.1:0", Users: users})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newKey(t testing.TB, name string) (public string) {
	t.Helper()
	seed, public := bus.NewKey()
	if err := os.WriteFile(name, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	return public
}

func dial(t testing.TB, c bus.Config, within *bus.Server) *bus.Conn {
	t.Helper()
	conn, err := bus.Dial(t.Context(), c, within)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// box keeps what comes. Any goroutine may use it.
type box[T comparable] struct {
	mu  sync.Mutex
	all map[T]int
}

func (b *box[T]) put(v T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[T]int{}
	}
	b.all[v]++
}

func (b *box[T]) has(v T) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[v]
}

func (b *box[T]) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

func (b *box[T]) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.all)
}

// until waits for what must come, and fails if it does not.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(6 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// messages returns one message of each flow between each two roles of the parties.
func messages(all []*party) (every []engine.Message) {
	for _, from := range all {
		for _, to := range all {
			for _, f := range codec.Flows {
				for _, a := range from.own {
					for _, b := range to.own {
						if f.Carried() && f.From == a.Role && f.To == b.Role {
							every = append(every, engine.Message{From: a, To: b, Number: uint64(len(every)) << 40,
								Body: body(f)})
						}
					}
				}
			}
		}
	}
	return every
}

func body(f codec.Flow) engine.Body {
	if t, ok := f.Body.(engine.Transfer); ok {
		t.Processes, t.Size = 1, 1
		return t
	}
	return f.Body
}

// With the rights of the table each role can send all that it sends, and hear all that it hears, and a second site on
// the same broker hears none of it.
func TestEveryFlow(t *testing.T) {
	north, south := parties(), parties()
	s := broker(t, map[string][]*party{"north": north, "south": south})
	var alarms box[string]
	var there, here box[engine.Message]
	carriers := map[engine.Address]*Carrier{}
	join := func(site string, all []*party, got *box[engine.Message]) {
		for _, p := range all {
			conn := dial(t, bus.Config{Name: p.name, URL: s.URL(), NKey: p.key}, nil)
			c := New(conn, Config{Site: site, Alarm: alarms.put})
			for _, own := range p.own {
				if err := c.Listen(own, func(m engine.Message) {
					if m.To != own {
						t.Errorf("%v got %v", own, m)
					}
					got.put(m)
				}); err != nil {
					t.Fatalf("%s %s: %v", site, p.name, err)
				}
				if site == "north" {
					carriers[own] = c
				}
			}
		}
	}
	join("south", south, &there)
	join("north", north, &here)
	every := messages(north)
	for _, m := range every {
		carriers[m.From].Send(m)
	}
	until(t, "every message", func() bool { return here.len() == len(every) })
	for _, m := range every {
		if here.has(m) != 1 {
			t.Errorf("%v came %d times", m, here.has(m))
		}
	}
	if there.len() > 0 || alarms.len() > 0 || len(every) < 30 {
		t.Errorf("%d messages; the other site got %v, alarms %v", len(every), &there, &alarms)
	}
}

// What a stranger publishes on subjects of the site, and what a role says in another's name, reaches no role.
func TestStrangers(t *testing.T) {
	s, err := bus.Start(bus.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	a, b0 := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote}
	b7 := engine.Address{Role: engine.Remote, Server: 7}
	var got box[engine.Message]
	stranger := dial(t, bus.Config{Name: "stranger"}, s)
	good := engine.Message{From: b0, To: a, Body: engine.Granted{Job: 1, Processes: 2}}
	text := func(m engine.Message) []byte {
		b, err := codec.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n := 0
	for want, lie := range map[string]struct {
		subject string
		message []byte
	}{
		"the bytes are cut short":   {"sender.0.remote.0.granted", nil},
		"version 71, want 1":        {"sender.0.remote.0.granted", []byte("GET / HTTP/1.1")},
		"granted of remote 0 to se": {"sender.0.remote.1.granted", text(good)},
		"it is granted of remote 0": {"sender.0.remote.0.tally", text(good)},
		"it is granted of remote":   {"sender.0.remote.0.progress", text(good)},
		"it is granted of remote 7": {"sender.0.remote.00.granted", text(engine.Message{From: b7, To: a,
			Body: engine.Granted{}})},
		"the site has no remote 7": {"sender.0.remote.7.granted", text(engine.Message{From: b7, To: a,
			Body: engine.Granted{}})},
		"it is hire of sender 0": {"sender.0.remote.0.granted", text(engine.Message{From: a, To: b0,
			Body: engine.Hire{}})},
		"it is stop of operator": {"sender.0.remote.0.granted", text(engine.Message{To: a, Body: engine.Stop{}})},
	} {
		n++
		var alarms box[string]
		conn := dial(t, bus.Config{Name: fmt.Sprint("a", n)}, s)
		site := fmt.Sprint("site-", n)
		c := New(conn, Config{Site: site, Alarm: alarms.put, Peers: func(a engine.Address) bool { return a != b7 }})
		if err := c.Listen(a, got.put); err != nil {
			t.Fatal(err)
		}
		if err := stranger.Tell("flyball.site."+site+"."+lie.subject, lie.message); err != nil {
			t.Fatal(err)
		}
		until(t, want, func() bool { return alarms.len() == 1 })
		if text := alarms.String(); !strings.Contains(text, want) || !strings.Contains(text, lie.subject) {
			t.Errorf("got %s, want %q", text, want)
		}
	}
	if got.len() > 0 {
		t.Errorf("got %v", &got)
	}
}

// What no role sends, and what has no form, is not sent, and the next message is.
func TestWhatIsNotSent(t *testing.T) {
	s, err := bus.Start(bus.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	a, b := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote, Server: 1}
	conn := dial(t, bus.Config{Name: "a"}, s)
	for want, m := range map[string]engine.Message{
		"stop of operator 0 to remote 1 is lost: no role sends it so": {To: b, Body: engine.Stop{}},
		"progress of sender 0 to remote 1 is lost":                    {From: a, To: b, Body: engine.Progress{}},
		"transfer of sender 0 to remote 1 is lost: transfer: got 0":   {From: a, To: b, Body: engine.Transfer{}},
	} {
		var alarms box[string]
		var got box[engine.Message]
		c := New(conn, Config{Site: "x", Alarm: alarms.put})
		if err := c.Listen(b, got.put); err != nil {
			t.Fatal(err)
		}
		good := engine.Message{From: a, To: b, Body: engine.Drop{}}
		c.Send(m)
		c.Send(good)
		until(t, "the next message", func() bool { return got.has(good) > 0 })
		if !strings.Contains(alarms.String(), want) || got.len() != 1 {
			t.Errorf("got %v and messages %v, want %q", &alarms, &got, want)
		}
	}
}

// A role that takes nothing loses what is too much for its process, which is said, and who sends is not held up.
func TestSlowRole(t *testing.T) {
	s, err := bus.Start(bus.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	a, b := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote}
	var notes box[string]
	slow := New(dial(t, bus.Config{Name: "b", Note: notes.put}, s), Config{Site: "x", Alarm: notes.put})
	release := make(chan struct{})
	defer close(release)
	if err := slow.Listen(b, func(engine.Message) { <-release }); err != nil {
		t.Fatal(err)
	}
	c := New(dial(t, bus.Config{Name: "a"}, s), Config{Site: "x"})
	for n := range 40_000 {
		c.Send(engine.Message{From: a, To: b, Number: uint64(n), Body: engine.Drop{}})
		if n%2000 == 0 {
			time.Sleep(time.Millisecond) // else they are lost before they come to the broker
		}
	}
	until(t, "a note", func() bool { return strings.Contains(notes.String(), "come faster than they are taken") })
}

// A broker that reads nothing holds no sender up: what is too much is lost, which is said.
func TestBrokerThatReadsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "INFO {\"max_payload\":%d,\"proto\":1}\r\n", bus.MostPayload)
		for in := bufio.NewScanner(conn); in.Scan(); {
			if in.Text() == "PING" {
				fmt.Fprint(conn, "PONG\r\n")
				return
			}
		}
	}()
	var alarms box[string]
	conn, err := bus.Dial(t.Context(), bus.Config{Name: "a", URL: "nats://" + l.Addr().String(), Steady: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := New(conn, Config{Site: "x", Alarm: alarms.put})
	m := engine.Message{From: engine.Address{Role: engine.Bounces}, To: engine.Address{Role: engine.Sender},
		Body: engine.Changes{First: 1, Entries: strings.Repeat("\x00\x00\x00\x07", 1<<18)}}
	for range 100 { // MiB: more than waits, and than the system takes
		c.Send(m)
	}
	if !strings.Contains(alarms.String(), "messages to sender 0 are lost: the broker takes them too slowly") {
		t.Errorf("got %v", &alarms)
	}
}

// A role that its broker leaves says so, loses what it sends meanwhile, and goes on when the broker is there again.
func TestLostBroker(t *testing.T) {
	s, err := bus.Start(bus.ServerConfig{Listen: "127.0.0.1:0", Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	url := s.URL()
	var notes box[string]
	var got box[engine.Message]
	a, b := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote}
	c := New(dial(t, bus.Config{Name: "a", URL: url, Steady: true, Note: notes.put}, nil), Config{Site: "x",
		Alarm: notes.put})
	if err := c.Listen(b, got.put); err != nil {
		t.Fatal(err)
	}
	lost := engine.Message{From: a, To: b, Number: 1, Body: engine.Drop{}}
	s.Close()
	until(t, "the loss", func() bool { return strings.Contains(notes.String(), "lost the broker") })
	c.Send(lost)
	until(t, "an alarm", func() bool { return strings.Contains(notes.String(), "messages are lost: ") })
	address := strings.TrimPrefix(url, "nats://x@")
	var again *bus.Server
	until(t, "the port", func() bool {
		again, err = bus.Start(bus.ServerConfig{Listen: address, Token: "x"})
		return err == nil
	})
	t.Cleanup(again.Close)
	next := engine.Message{From: a, To: b, Number: 2, Body: engine.Drop{}}
	until(t, "the next message", func() bool { c.Send(next); return got.has(next) > 0 })
	if got.has(lost) > 0 || !strings.Contains(notes.String(), "has a broker again") {
		t.Errorf("got %v, notes %v", &got, &notes)
	}
}
