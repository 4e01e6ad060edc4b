package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/internal/longtest"
)

// placesOf are the points at which a station of a role can be killed.
var placesOf = map[string][]string{
	"a": {"written", "durable", "sent"}, "b1": {"written", "durable", "passed", "dot", "replied"},
	"b2": {"written", "durable", "passed", "dot", "replied"}, "c": {"kept", "written", "durable", "counted"},
	"c2": {"kept", "written", "durable"}, "d": {"written", "durable", "sent"}, "d2": {"written", "durable", "sent"},
	"response": {"answered", "written", "durable"}, "hybrid": {"handed", "asked"},
	"storage": {"recorded", "named", "taken"}, "governor": {"written", "durable", "sent"}, "broker": nil,
}

// Each station of a site is a process of its own that ends by SIGKILL, at random times and at named points: one of each
// role, and two of B, C and D. By the receivers' ledger no recipient is missed, and who has a message twice is recorded
// as ambiguous. A request to leave and returned mail that a hybrid has confirmed are not lost, nor is a click, unless
// the response server is killed just after it. Who is suppressed in the store gets nothing from a server that begins
// then, and C goes on. The long form kills each station 200 times, which takes three quarters of an hour.
func TestSiteSurvivesKills(t *testing.T) {
	t.Parallel()
	f := newWhole(t, longtest.Or(600, 60_000), 50*time.Millisecond, 20*time.Second)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	sleep := func(most int) { time.Sleep(time.Duration(r.IntN(most)) * time.Millisecond) }
	f.kill("a") // at each step of what it does once for a mailing
	f.kill("b1")
	for _, v := range [][2]string{{"a", "numbered:1"}, {"a", "submitted:1"}, {"b1", "fetched:1"}} {
		if f.startDoomed(v[0], v[1]); v[0] == "b1" {
			f.start("a")
		}
		if !f.running[v[0]].endsWithin(time.Minute) {
			t.Errorf("%s does not come to %s: %s", v[0], v[1], f.running[v[0]].text())
		}
		f.kill(v[0])
		if v[0] == "b1" {
			f.start("b1")
		}
	}
	f.within(time.Minute, "the first message", func() bool { return f.ledger.all() > 0 })
	kills, at := map[string]int{}, map[string]int{}
	for i := 0; i < longtest.Or(len(f.stations), 100*len(f.stations)) && !f.reported(); i++ {
		name := f.stations[i%len(f.stations)]
		f.ledger.allow(20)
		f.suppress()
		sleep(200)
		f.kill(name)
		kills[name]++
		sleep(200)
		if all := placesOf[name]; all == nil {
			f.start(name)
			sleep(200)
		} else {
			point := all[r.IntN(len(all))]
			f.startDoomed(name, fmt.Sprintf("%s:%d", point, 1+r.IntN(3)))
			f.ledger.allow(20)
			p := f.running[name]
			f.within(time.Minute, name, func() bool { return p.ended() || strings.Contains(p.text(), "begins") })
			if p.endsWithin(time.Second) {
				at[point]++
			}
		}
		f.kill(name)
		kills[name]++
		sleep(100)
		f.start(name)
	}
	f.kill("a")
	f.ledger.allow(math.MaxInt)
	f.startDoomed("a", "reported:1")
	if !f.running["a"].endsWithin(longtest.Or(time.Minute, 5*time.Minute)) {
		t.Errorf("a gives no report: %s", f.running["a"].text())
	}
	f.kill("a")
	f.start("a")
	t.Logf("killed %v, at points %v", kills, at)
	f.judgeRoles()
	f.judge()
}

// Nothing is lost or doubted when stations stand still for longer than a lease lasts, since the replies of a healthy
// receiver wait for them; nor when the link between one B server and all others carries nothing for a while, without
// a word; nor when the broker is killed, its folder is deleted and an empty one takes its place: within 15 s messages
// go out again that no lease from before allows. In the long form each station stands still for 20 s, the link is cut
// for a minute, and the broker goes 50 times, which takes some eight minutes.
func TestSiteStandsStill(t *testing.T) {
	t.Parallel()
	f := newFleet(t, longtest.Or(1800, 60_000), 50*time.Millisecond, time.Hour, func(f *fleet, _ string) {
		f.ledger.allow(0)
	})
	link := f.linked("b1")
	more := func() { // what begins next finds messages under way
		t.Helper()
		before := f.ledger.all()
		f.ledger.allow(100)
		f.within(time.Minute, "more messages", func() bool { return f.ledger.all() > before })
	}
	for _, name := range f.stations {
		more()
		p := f.running[name]
		p.Process.Signal(syscall.SIGSTOP)
		time.Sleep(longtest.Or(1200*time.Millisecond, 20*time.Second))
		p.Process.Signal(syscall.SIGCONT)
	}
	more()
	link.cut()
	time.Sleep(longtest.Or(2*time.Second, time.Minute))
	link.mend()
	more()
	r, longest := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)), time.Duration(0)
	for range longtest.Or(1, 50) {
		time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		longest = max(longest, f.withoutBroker())
		more()
	}
	t.Logf("going again without the broker's folder after at most %v", longest)
	if n := f.judge(); n > 0 {
		t.Errorf("%d recipients are ambiguous, want none", n)
	}
}

// withoutBroker has a broker with nothing take the place of the one that runs, and returns the time until a message
// comes that no lease from before allows.
func (f *fleet) withoutBroker() time.Duration {
	f.t.Helper()
	f.ledger.allow(math.MaxInt)
	f.kill("broker")
	if err := os.RemoveAll(filepath.Join(filepath.Dir(f.file), "state", "broker")); err != nil {
		f.t.Fatal(err)
	}
	before, since := f.ledger.all(), time.Now()
	for time.Since(since) < 1500*time.Millisecond { // longer than a lease and an attempt
		if n := f.ledger.all(); n > before {
			before, since = n, time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
	if f.reported() {
		f.t.Fatal("the mailing ended before its broker did: too few recipients")
	}
	f.start("broker")
	began := time.Now()
	f.within(15*time.Second, "messages after the broker", func() bool { return f.ledger.all() > before })
	return time.Since(began)
}

// proxy carries connections to an address, unless it is cut: then it carries nothing, and ends nothing.
type proxy struct {
	net.Listener
	to string

	lock  sync.Mutex
	whole chan struct{} // closed: it is not cut
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, whole: make(chan struct{})}
	close(p.whole)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(in)
		}
	}()
	return p
}

func (p *proxy) carry(in net.Conn) {
	defer in.Close()
	<-p.now()
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	var both sync.WaitGroup
	for _, v := range [][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			io.Copy(gated{v[0], p}, v[1])
			v[0].Close()
		})
	}
	both.Wait()
}

// gated is a connection that waits with what it writes while its proxy is cut.
type gated struct {
	net.Conn
	of *proxy
}

func (g gated) Write(b []byte) (int, error) {
	<-g.of.now()
	return g.Conn.Write(b)
}

func (p *proxy) now() chan struct{} {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.whole
}

func (p *proxy) cut() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.whole = make(chan struct{})
}

func (p *proxy) mend() { close(p.now()) }

// linked starts a station anew whose link to the broker is returned.
func (f *fleet) linked(name string) *proxy {
	f.t.Helper()
	text, err := os.ReadFile(f.file)
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `url = "nats://`)
	broker, _, _ := strings.Cut(rest, `"`)
	link := newProxy(f.t, broker)
	far := filepath.Join(filepath.Dir(f.file), "far.toml")
	changed := strings.Replace(string(text), "nats://"+broker, "nats://"+link.Addr().String(), 1)
	if err := os.WriteFile(far, []byte(changed), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.kill(name)
	f.running[name] = begin(f.t, "serve", far, "--role", name)
	return link
}

// A server whose link is cut for a minute counts as lost: others take over its recipients who are not final, each of
// whom may have the message. When the link is whole again it sends none of them a message that is not doubted.
func TestSiteLinkIsCut(t *testing.T) {
	if !longtest.Asked() {
		t.Skip("it takes 90 s: TestSiteStandsStill cuts a link for a shorter time")
	}
	f := newFleet(t, 6000, 50*time.Millisecond, 20*time.Second)
	link := f.linked("b1")
	f.within(time.Minute, "a part of the messages", func() bool { return f.ledger.all() > f.recipients/6 })
	link.cut()
	time.Sleep(time.Minute)
	link.mend()
	f.judge()
}
