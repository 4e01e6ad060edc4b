package carrier

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/bus"
	"flyball/engine"
	"flyball/internal/testca"
)

// site is what brokers of a test have in common: certificates, and the keys of the parties.
type site struct {
	dir   string
	all   []*party
	users []bus.User
}

func newSite(t *testing.T) *site {
	t.Helper()
	v := &site{dir: t.TempDir(), all: parties()}
	ca := testca.New(t, v.dir, "ca")
	for _, name := range []string{"broker", "role"} {
		ca.Issue(t, name, time.Now().Add(time.Hour))
	}
	for _, p := range v.all {
		v.users = append(v.users, v.user(t, p.name, p.own...))
		p.key = v.file(p.name + ".nk")
	}
	return v
}

func (v *site) file(name string) string { return filepath.Join(v.dir, name) }

// user makes a key with the rights of roles.
func (v *site) user(t *testing.T, name string, own ...engine.Address) bus.User {
	t.Helper()
	return bus.User{Name: name, NKey: newKey(t, v.file(name+".nk")), Rights: Rights("north", own...)}
}

func (v *site) server(t *testing.T, change func(*bus.ServerConfig)) *bus.Server {
	t.Helper()
	c := bus.ServerConfig{Listen: "127.0.0.1:0", CA: v.file("ca.crt"), Cert: v.file("broker.crt"),
		Key: v.file("broker.key"), Users: v.users}
	change(&c)
	s, err := bus.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// carrier connects a party.
func (v *site) carrier(t *testing.T, p *party, url string, notes *box[string]) *Carrier {
	t.Helper()
	conn := dial(t, bus.Config{Name: p.name, URL: url, CA: v.file("ca.crt"), Cert: v.file("role.crt"),
		Key: v.file("role.key"), NKey: p.key, Steady: true, Note: notes.put}, nil)
	return New(conn, Config{Site: "north", Alarm: notes.put})
}

// talk lets two carriers send to each other until what each has sent later than the call has come.
type talk struct {
	a, b   *Carrier
	mu     sync.Mutex
	number uint64
	last   map[engine.Kind]uint64 // by receiver: greatest number that has come
}

func newTalk(t *testing.T, a, b *Carrier) *talk {
	t.Helper()
	v := &talk{a: a, b: b, last: map[engine.Kind]uint64{}}
	for _, own := range []struct {
		c *Carrier
		a engine.Address
	}{{a, engine.Address{Role: engine.Sender}}, {b, engine.Address{Role: engine.Remote}}} {
		if err := own.c.Listen(own.a, func(m engine.Message) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.last[m.To.Role] = max(v.last[m.To.Role], m.Number)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// send sends a message in each direction and returns their number.
func (v *talk) send() uint64 {
	v.mu.Lock()
	v.number++
	n := v.number
	v.mu.Unlock()
	a, b := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote}
	v.a.Send(engine.Message{From: a, To: b, Number: n, Body: engine.Hire{Job: 1, Processes: 4}})
	v.b.Send(engine.Message{From: b, To: a, Number: n, Body: engine.Granted{Job: 1, Processes: 4}})
	return n
}

func (v *talk) heard(least uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[engine.Sender] >= least && v.last[engine.Remote] >= least
}

// goesOn waits until messages that are sent from now on come in both directions.
func (v *talk) goesOn(t *testing.T, what string) time.Duration {
	t.Helper()
	began := time.Now()
	first := v.send()
	until(t, what, func() bool { v.send(); return v.heard(first) })
	return time.Since(began)
}

// Of three brokers any one may end: the carriers of its clients go on over the others, in both directions, and a broker
// that comes back is one of the three again.
func TestThreeBrokers(t *testing.T) {
	v := newSite(t)
	var brokers [3]*bus.Server
	var ports [3]string
	start := func(i int, listen, route string) {
		routes := []string{}
		for j, s := range brokers {
			if s != nil && j != i {
				routes = append(routes, s.Route())
			}
		}
		until(t, "a broker", func() bool {
			var err error
			brokers[i], err = bus.Start(bus.ServerConfig{Name: string(rune('1' + i)), Listen: listen,
				CA: v.file("ca.crt"), Cert: v.file("broker.crt"), Key: v.file("broker.key"), Users: v.users,
				Cluster: bus.Cluster{Name: "north", Listen: route, Routes: routes}})
			return err == nil
		})
	}
	var urls []string
	for i := range brokers {
		start(i, "127.0.0.1:0", "127.0.0.1:0")
		urls = append(urls, brokers[i].URL())
		ports[i] = strings.TrimPrefix(brokers[i].URL(), "tls://")
	}
	t.Cleanup(func() {
		for _, s := range brokers {
			s.Close()
		}
	})
	var notes box[string]
	a := v.carrier(t, v.all[0], urls[0]+","+urls[1]+","+urls[2], &notes)
	b := v.carrier(t, v.all[1], urls[2]+","+urls[1]+","+urls[0], &notes)
	talk := newTalk(t, a, b)
	talk.goesOn(t, "a message")
	for i := range brokers {
		brokers[i].Close()
		brokers[i] = nil
		t.Logf("without broker %d a message came after %v", i+1, talk.goesOn(t, "a message over two brokers"))
		start(i, ports[i], "127.0.0.1:0")
		talk.goesOn(t, "a message over three brokers")
	}
	if !strings.Contains(notes.String(), "lost the broker") || !strings.Contains(notes.String(), "a broker again") {
		t.Errorf("got %v", &notes)
	}
}

// link is a connection between two sites that can be cut.
type link struct {
	listener net.Listener
	mu       sync.Mutex
	cut      bool
	open     []net.Conn
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &link{listener: l}
	t.Cleanup(func() { l.Close(); v.set(true) })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			v.mu.Lock()
			if err != nil || v.cut {
				here.Close()
				if err == nil {
					there.Close()
				}
			} else {
				v.open = append(v.open, here, there)
				for _, c := range [][2]net.Conn{{here, there}, {there, here}} {
					go func() { io.Copy(c[0], c[1]); c[0].Close() }()
				}
			}
			v.mu.Unlock()
		}
	}()
	return v
}

func (v *link) set(cut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cut = cut
	for _, c := range v.open {
		c.Close()
	}
	v.open = nil
}

// A customer's site joins as a leaf, over one connection that it opens itself. Its roles talk to the service's roles;
// when the link is cut they stay connected and what they send is lost, and when it is back they go on. The rights of
// the leaf's key bind the whole site, whatever its own broker allows.
func TestLeaf(t *testing.T) {
	v := newSite(t)
	b0, b1 := v.all[1], v.all[2]
	hubUsers := append(v.users, v.user(t, "customer", b0.own...))
	var notes, hubNotes box[string]
	hub := v.server(t, func(c *bus.ServerConfig) {
		c.Users, c.Leaves, c.Note = hubUsers, "127.0.0.1:0", hubNotes.put
	})
	link := newLink(t, hub.LeafAddress())
	leaf, err := bus.Start(bus.ServerConfig{Name: "customer", CA: v.file("ca.crt"), // without any port
		Cert: v.file("broker.crt"), Key: v.file("broker.key"), Note: notes.put,
		Leaf: bus.Leaf{Hubs: []string{link.listener.Addr().String()}, NKey: v.file("customer.nk")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leaf.Close)

	var said box[string]
	a := v.carrier(t, v.all[0], hub.URL(), &said)
	b := New(dial(t, bus.Config{Name: "b1", Steady: true, Note: said.put}, leaf), Config{Site: "north",
		Alarm: said.put})
	talk := newTalk(t, a, b)
	talk.goesOn(t, "a message over the link")
	link.set(true)
	talk.send()
	until(t, "the loss", func() bool { return strings.Contains(notes.String(), "connection closed") })
	link.set(false)
	t.Logf("with the link back a message came after %v", talk.goesOn(t, "a message over the link again"))
	if said.len() > 0 {
		t.Errorf("the roles lost their brokers: %v", &said)
	}

	// A process of the customer speaks as the service's sending server, and listens to all that it hears.
	var got, spied box[engine.Message]
	other := v.carrier(t, b1, hub.URL(), &said)
	if err := other.Listen(b1.own[0], got.put); err != nil {
		t.Fatal(err)
	}
	thief := New(dial(t, bus.Config{Name: "thief"}, leaf), Config{Site: "north"})
	if err := thief.Listen(b1.own[0], spied.put); err != nil {
		t.Fatal(err)
	}
	lie := engine.Message{From: engine.Address{Role: engine.Sender}, To: b1.own[0], Number: 1, Body: engine.Drop{}}
	truth := lie
	truth.Number = 2
	thief.Send(lie)
	talk.goesOn(t, "a message after the lie") // over the same link
	a.Send(truth)
	until(t, "the true message", func() bool { return got.has(truth) > 0 })
	talk.goesOn(t, "a message after the true one")
	if got.has(lie) > 0 || spied.has(truth) > 0 {
		t.Errorf("the service got %v, the thief %v", &got, &spied)
	}
	t.Log(&notes, &hubNotes)
}

// A broker without the site's certificates is neither one of a cluster nor a leaf, and a leaf needs a key.
func TestStrangeBrokers(t *testing.T) {
	v := newSite(t)
	testca.New(t, v.dir, "other").Issue(t, "stranger", time.Now().Add(time.Hour))
	var notes box[string]
	hub := v.server(t, func(c *bus.ServerConfig) {
		c.Leaves, c.Note, c.Cluster = "127.0.0.1:0", notes.put, bus.Cluster{Name: "north", Listen: "127.0.0.1:0"}
	})
	a := v.all[0]
	for _, leaf := range []bus.Leaf{{}, {Hubs: []string{hub.LeafAddress()}, NKey: a.key}} {
		c := bus.ServerConfig{Name: "stranger", CA: v.file("ca.crt"), Cert: v.file("stranger.crt"),
			Key: v.file("stranger.key"), Leaf: leaf, Listen: "127.0.0.1:0", Users: v.users}
		if leaf.Hubs == nil {
			c.Cluster = bus.Cluster{Name: "north", Listen: "127.0.0.1:0", Routes: []string{hub.Route()}}
		}
		s, err := bus.Start(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
	}
	until(t, "the alarm of two", func() bool { return strings.Count(notes.String(), "TLS") >= 2 })
	for what, c := range map[string]bus.ServerConfig{
		"without certificates": {Cluster: bus.Cluster{Name: "north", Listen: "127.0.0.1:0"}},
		`got "" for other`: {CA: v.file("ca.crt"), Cert: v.file("broker.crt"), Key: v.file("broker.key"),
			Cluster: bus.Cluster{Name: "north"}},
		`got "x" of another broker`: {CA: v.file("ca.crt"), Cert: v.file("broker.crt"), Key: v.file("broker.key"),
			Cluster: bus.Cluster{Name: "north", Listen: "127.0.0.1:0", Routes: []string{"x"}}},
		"the nkey": {CA: v.file("ca.crt"), Cert: v.file("broker.crt"), Key: v.file("broker.key"),
			Leaf: bus.Leaf{Hubs: []string{"127.0.0.1:1"}}},
	} {
		s, err := bus.Start(c)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
}
