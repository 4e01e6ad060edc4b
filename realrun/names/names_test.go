package names

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// edited answers with records, of whose packed message a text is replaced.
func edited(old, new string, all ...string) reply {
	return func(asked *dns.Msg, _ string) [][]byte {
		packed := pack(answered(asked, all...))
		if !bytes.Contains(packed[0], []byte(old)) {
			panic(fmt.Sprintf("the message has no %q", old))
		}
		return [][]byte{bytes.Replace(packed[0], []byte(old), []byte(new), 1)}
	}
}

// A look-up waits while this computer has no descriptor for it, and a lack that lasts is
// not kept as a failure of the name server.
func TestLookupWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := serve(t, zone{"d.test MX": records("d.test. 60 IN MX 0 .")})
	lacking := 3
	r := ask(s.addr, &clock{}, func(c *Config) {
		connect := c.Dial
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if lacking--; lacking >= 0 {
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
			return connect(ctx, network, addr)
		}
	})
	if got := words(r.Route(context.Background(), "d.test", 0, 0)); got != "P 5.1.10" {
		t.Errorf("got %s, want P 5.1.10", got)
	}
	lacking = 1 << 30
	r.server.patience = 50 * time.Millisecond
	for range 2 {
		if got := words(r.Route(context.Background(), "e.test", 0, 0)); got != "T 4.4.3 ours" {
			t.Errorf("got %s, want T that is ours", got)
		}
	}
	if asked := r.Count().Asked; asked != 3 {
		t.Errorf("%d questions, want each look-up to ask", asked)
	}
}

// Where nothing listens any more, a look-up is the sender's matter at once, though other names were found out a moment
// ago, and is not kept: the name server may be back. One domain that fails stays the domain's.
func TestNameServerGoesDown(t *testing.T) {
	t.Parallel()
	s := serve(t, zone{"d.test MX": records("d.test. 60 IN MX 0 ."), "e.test": code(dns.RcodeServerFailure)})
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.LocalAddr().String()
	l.Close()
	down := false
	r := ask(s.addr, &clock{}, func(c *Config) {
		connect := c.Dial
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down {
				addr = closed
			}
			return connect(ctx, network, addr)
		}
	})
	for _, c := range []struct {
		domain string
		down   bool
		want   string
	}{{"d.test", false, "P 5.1.10"}, {"e.test", false, "T 4.4.3"}, {"f.test", true, "T 4.4.3 ours"},
		{"f.test", false, "P 5.1.2"}} {
		down = c.down
		if got := words(r.Route(context.Background(), c.domain, 0, 0)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.domain, got, c.want)
		}
	}
}

// A look-up ends with the run, however patient it is.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t, zone{"d.test": silence})
	for _, apart := range []bool{false, true} {
		r := ask(s.addr, &clock{}, func(c *Config) { c.Patience, c.Apart = time.Hour, apart })
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan Route)
		go func() { ended <- r.Route(ctx, "d.test", 0, 0) }()
		cancel()
		if got := words(<-ended); !strings.HasPrefix(got, "T ") {
			t.Errorf("got %s, want T", got)
		}
	}
}

// D16: each of four equal exchangers comes first for about a quarter of the
// recipients. The order belongs to the recipient and the try, not to the order of the
// server's answer; an exchanger of another preference keeps its place.
func TestEqualExchangers(t *testing.T) {
	t.Parallel()
	all := []string{"d.test. 0 IN MX 20 last.test.", "d.test. 0 IN MX 10 m1.test.", "d.test. 0 IN MX 10 m2.test.",
		"d.test. 0 IN MX 10 m3.test.", "d.test. 0 IN MX 10 m4.test.", "d.test. 0 IN MX 30 m4.test."}
	z := zone{"d.test MX": records(all...)}
	for i, host := range []string{"last.test", "m1.test", "m2.test", "m3.test", "m4.test"} {
		z[host+" A"] = records(fmt.Sprintf("%s. 86400 IN A 192.0.2.%d", host, i))
		z[host] = nothing(dns.RcodeSuccess, 86400, 86400)
	}
	s := serve(t, z)
	r := ask(s.addr, &clock{}, nil)
	const recipients = 400
	first, orders := map[string]int{}, map[string]int{}
	var one []string
	for n := range recipients {
		route := r.Route(context.Background(), "d.test", mail.Recipient(n), 0)
		if len(route.To) != 5 || route.To[4].Host != "last.test" {
			t.Fatalf("got %s, want four equal exchangers and then last.test", words(route))
		}
		first[route.To[0].Host]++
		orders[words(route)]++
		one = append(one, words(route))
	}
	for host, n := range first { // 400 x 1/4 +- 5 standard deviations
		if n < 57 || n > 143 {
			t.Errorf("%s comes first for %d of %d recipients, want about a quarter", host, n, recipients)
		}
	}
	if len(first) != 4 || len(orders) != 24 {
		t.Errorf("%d exchangers come first, in %d orders; want 4 and 24", len(first), len(orders))
	}
	turned := slices.Clone(all)
	slices.Reverse(turned)
	s.set("d.test MX", records(turned...))
	other := 0
	for n := range recipients {
		if got := words(r.Route(context.Background(), "d.test", mail.Recipient(n), 0)); got != one[n] {
			t.Fatalf("recipient %d: got %s, want %s, whatever the order of the answer", n, got, one[n])
		}
		if words(r.Route(context.Background(), "d.test", mail.Recipient(n), 1)) != one[n] {
			other++
		}
	}
	if other < recipients*3/4 {
		t.Errorf("%d of %d recipients have another order at the second try, want 23 of 24", other, recipients)
	}
}

// D18, D22: answers hold for their TTL and no longer than the caps, to the nanosecond; TTL 0 is for
// one look-up. The scripts of realrun/faulty have what follows for mail.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	soa := func(rcode int, ttl, minimum uint32) reply { return nothing(rcode, ttl, minimum) }
	for _, c := range []struct {
		name  string
		reply reply
		held  vt.Span
	}{
		{"D21 TTL 300", records("d.test. 300 IN MX 0 ."), 300 * vt.Second},
		{"D18 TTL 0", records("d.test. 0 IN MX 0 ."), 0},
		{"a TTL of 30 days", records("d.test. 2592000 IN MX 0 ."), vt.Day},
		{"the greatest TTL", records("d.test. 2147483647 IN MX 0 ."), vt.Day},
		{"a TTL with the first bit", records("d.test. 4294967295 IN MX 0 ."), 0},
		{"the lesser TTL of two", records("d.test. 300 IN MX 0 .", "d.test. 60 IN MX 0 ."), vt.Minute},
		{"the TTL of an alias", records("d.test. 30 IN CNAME e.test.", "e.test. 300 IN MX 0 ."), 30 * vt.Second},
		{"D22 NXDOMAIN", soa(dns.RcodeNameError, 600, 700), 600 * vt.Second},
		{"D22 NXDOMAIN, MINIMUM", soa(dns.RcodeNameError, 700, 600), 600 * vt.Second},
		{"D22 NXDOMAIN for 68 years", soa(dns.RcodeNameError, 1<<31-1, 1<<31-1), 3 * vt.Hour},
		{"D22 NXDOMAIN without SOA", code(dns.RcodeNameError), 0},
		{"D22 no exchanger for 68 years", soa(dns.RcodeSuccess, 1<<31-1, 1<<31-1), 3 * vt.Hour},
		{"D22 SERVFAIL", code(dns.RcodeServerFailure), 30 * vt.Second},
		{"D22 SERVFAIL with an SOA record", soa(dns.RcodeServerFailure, 1<<31-1, 1<<31-1), 30 * vt.Second},
		{"D20 only what cannot be read", edited("\x01x\x00", "\x41x\x00", "d.test. 86400 IN MX 5 x."), 30 * vt.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, zone{"d.test MX": c.reply})
			var now clock
			r := ask(s.addr, &now, nil)
			asks := func() bool {
				r.Route(context.Background(), "d.test", 0, 0)
				return slices.Contains(s.questions(), "d.test MX")
			}
			if !asks() {
				t.Fatal("the first look-up does not ask")
			}
			if c.held > 0 {
				now.pass(c.held - 1)
				if asks() {
					t.Errorf("asked again before %s are over", c.held)
				}
				now.pass(1)
			}
			if !asks() {
				t.Errorf("not asked again after %s", c.held)
			}
		})
	}
}

// D18: look-ups of one domain at the same time share one question, whatever its TTL;
// with Apart each has its own.
func TestSharedLookup(t *testing.T) {
	t.Parallel()
	const most = 20
	for _, apart := range []bool{false, true} {
		var s *nameServer
		var r *Resolver
		open := make(chan struct{})
		s = serve(t, zone{"d.test MX": func(asked *dns.Msg, _ string) [][]byte {
			<-open
			return records("d.test. 0 IN MX 0 .")(asked, "")
		}})
		r = ask(s.addr, &clock{}, func(c *Config) { c.Apart = apart })
		var looking sync.WaitGroup
		for n := range most {
			looking.Go(func() {
				if got := words(r.Route(context.Background(), "d.test", mail.Recipient(n), 0)); got != "P 5.1.10" {
					t.Errorf("got %s", got)
				}
			})
		}
		for !apart { // until all wait for the one question
			if c := r.Count(); c.Asked+c.Shared == most {
				break
			}
			time.Sleep(time.Millisecond)
		}
		close(open)
		looking.Wait()
		want := 1
		if apart {
			want = most
		}
		if n := len(s.questions()); n != want {
			t.Errorf("apart %t: %d questions for %d look-ups, want %d", apart, n, most, want)
		}
	}
}

// The cache has room for a number of answers, and keeps those that are used.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	var now clock
	c := newCache(now.now, func(_ context.Context, q question) answer {
		asked[q.name]++
		return answer{status: found, ttl: vt.Hour}
	})
	get := func(name string) { c.get(context.Background(), question{name, dns.TypeMX}) }
	for i := range mostEntries + 10 {
		get(fmt.Sprint(i))
		if i%1000 == 0 {
			get("used")
		}
	}
	if len(c.kept) != mostEntries || c.recent.Len() != mostEntries {
		t.Errorf("%d answers kept, %d in order, want %d", len(c.kept), c.recent.Len(), mostEntries)
	}
	get("used")
	get("0")
	if asked["used"] != 1 || asked["0"] != 2 {
		t.Errorf("what is used was asked for %d times, what is not %d times; want 1 and 2", asked["used"], asked["0"])
	}
}

// FuzzAnswer: whatever arrives, the reader neither fails nor takes a name or an
// address that no host can have for a candidate; what has another id is ignored.
func FuzzAnswer(f *testing.F) {
	seed := func(m *dns.Msg) {
		for _, b := range pack(m) {
			f.Add(b)
		}
	}
	asked := new(dns.Msg)
	asked.SetQuestion("d.test.", dns.TypeMX)
	asked.Id = 7
	seed(asked)
	seed(answered(asked, "d.test. 60 IN MX 10 mx.test.", "d.test. 60 IN MX 20 m2.test."))
	seed(answered(asked, "d.test. 60 IN CNAME e.test.", "e.test. 60 IN MX 0 ."))
	compressed := answered(asked, "d.test. 60 IN MX 10 mx.d.test.", "d.test. 60 IN MX 20 m2.d.test.")
	compressed.Compress = true
	seed(compressed)
	f.Add(nothing(dns.RcodeNameError, 60, 60)(asked, "")[0])
	asked.SetQuestion("d.test.", dns.TypeA)
	asked.Id = 7
	seed(answered(asked, "d.test. 60 IN A 192.0.2.1"))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, kind := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA} {
			a, m := read(message, question{"d.test.", kind}, 7)
			if m != other && (len(message) < headerSize || message[0] != 0 || message[1] != 7) {
				t.Fatalf("an answer with another id is taken: %+v", a)
			}
			if a.ttl < 0 || a.ttl > mostTTL {
				t.Fatalf("kept for %s", a.ttl)
			}
			if m == whole && a.alias == "" && (a.status == found) != (len(a.exchangers)+len(a.addresses) > 0) {
				t.Fatalf("status %d with %+v", a.status, a)
			}
			for _, e := range a.exchangers {
				if hostname(e.host) && net.ParseIP(strings.TrimSuffix(e.host, ".")) != nil {
					t.Fatalf("the address %s is the name of a host", e.host)
				}
			}
			for _, addr := range a.addresses {
				if !addr.IsValid() || addr.Is4() != (kind == dns.TypeA) {
					t.Fatalf("got %s for type %d", addr, kind)
				}
			}
		}
	})
}
