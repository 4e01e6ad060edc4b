package names

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"

	"github.com/miekg/dns"

	"flyball/internal/peers"
)

// dnsmasq runs a name server of another project until the test ends, and returns its
// address.
func dnsmasq(t *testing.T, options ...string) string {
	t.Helper()
	program := peers.Find(t, "/usr/sbin/dnsmasq", "Debian's dnsmasq-base")
	addr := peers.Free(t)
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command(program, append([]string{"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
		"--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--port=" + port, "--user=root",
		"--log-facility=-", "--pid-file=", "--local=/test/", "--edns-packet-max=512"}, options...)...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	if !peers.Listens(addr) {
		t.Fatalf("dnsmasq does not listen on %s", addr)
	}
	return addr
}

// A name server that was written elsewhere packs its messages in other ways, and its
// answers lead to the same routes.
func TestRoutesOfDnsmasq(t *testing.T) {
	t.Parallel()
	options := []string{"--mx-host=d.test,m2.test,20", "--mx-host=d.test,m1.test,10",
		"--host-record=m1.test,192.0.2.1,2001:db8::1", "--host-record=m2.test,192.0.2.2",
		"--host-record=implicit.test,192.0.2.3", "--cname=alias.test,implicit.test", "--mx-host=null.test,.,0",
		"--mx-host=gone.test,nowhere.test,10"}
	for i := range 60 { // more than a datagram has room for
		options = append(options, fmt.Sprintf("--mx-host=many.test,exchanger-number-%d.test,%d", i, 100+i))
	}
	options = append(options, "--host-record=exchanger-number-0.test,192.0.2.4")
	addr := dnsmasq(t, options...)
	question := new(dns.Msg)
	question.SetQuestion("many.test.", dns.TypeMX)
	if answer, err := dns.Exchange(question, addr); err != nil || !answer.Truncated {
		t.Errorf("got %v, %v, want an answer that is cut: the test tests too little", answer, err)
	}
	r := ask(addr, &clock{}, nil)
	for _, c := range []struct{ domain, want string }{
		{"d.test", "m1.test 192.0.2.1, m1.test 2001:db8::1, m2.test 192.0.2.2"},
		{"D.Test", "m1.test 192.0.2.1, m1.test 2001:db8::1, m2.test 192.0.2.2"},
		{"implicit.test", "implicit.test 192.0.2.3"},
		{"alias.test", "alias.test 192.0.2.3"},
		{"null.test", "P 5.1.10"},
		{"gone.test", "P 5.4.4"},
		{"missing.test", "P 5.1.2"},
		{"elsewhere.example", "T 4.4.3"}, // REFUSED
		{"many.test", "exchanger-number-0.test 192.0.2.4"},
	} {
		if got := words(r.Route(context.Background(), c.domain, 0, 0)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.domain, got, c.want)
		}
	}
}
