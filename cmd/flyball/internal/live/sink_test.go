package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/fault"
)

// A client of another kind talks to the receiver of a script, which ends after its session.
func TestSinkPlaysAScript(t *testing.T) {
	name := filepath.Join(t.TempDir(), "busy.fault")
	text := "source RFC 5321 3.8\nat mail: reply \"421 enough\", close\nexpect T attempts=1 blame=session\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	q := Sink{Script: name, Scale: 1, Sessions: 1, Begun: func(_ *fault.Script, hosts []string, _ string) {
		conn, err := net.Dial("tcp", hosts[0])
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for _, command := range []string{"HELO client.example", "MAIL FROM:<>"} {
			lines.Scan()
			got = append(got, lines.Text())
			fmt.Fprintf(conn, "%s\r\n", command)
		}
		for lines.Scan() {
			got = append(got, lines.Text())
		}
	}}
	r, err := q.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := "220 mx.fault.example ESMTP|250 2.0.0 ok|421 enough"
	if strings.Join(got, "|") != want || r.Sessions() != 1 {
		t.Errorf("got %q in %d sessions, want %s", got, r.Sessions(), want)
	}
}

// The name server of a script tells a client of another kind where the hosts are.
func TestSinkHasANameServer(t *testing.T) {
	name := filepath.Join(t.TempDir(), "two.fault")
	text := "source RFC 5321 5.1\njob hosts=2\nat dns name=mx1: servfail\nexpect OK attempts=1 blame=none\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var got []string
	q := Sink{Script: name, Scale: 1, Begun: func(_ *fault.Script, hosts []string, names string) {
		defer cancel()
		for _, asked := range []struct {
			name string
			kind uint16
		}{{fault.Domain, dns.TypeMX}, {"mx1." + fault.Domain, dns.TypeA}, {"mx2." + fault.Domain, dns.TypeA}} {
			m := new(dns.Msg)
			m.SetQuestion(asked.name+".", asked.kind)
			answer, err := dns.Exchange(m, names)
			if err != nil {
				t.Error(err)
				return
			}
			got = append(got, dns.RcodeToString[answer.Rcode])
			for _, rr := range answer.Answer {
				got = append(got, strings.Join(strings.Fields(rr.String())[4:], " "))
			}
		}
		if _, port, _ := net.SplitHostPort(hosts[0]); hosts[1] != "127.0.0.2:"+port {
			t.Errorf("got the hosts %q, want one port at two addresses", hosts)
		}
	}}
	if _, err := q.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if want := "NOERROR|1 mx1.fault.example.|2 mx2.fault.example.|SERVFAIL|NOERROR|127.0.0.2"; strings.Join(got,
		"|") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

// A script that is wrong is invalid, with the place; a port that is taken is the environment's.
func TestSinkRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "wrong.fault")
	if err := os.WriteFile(name, []byte("source x\nat mall: ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := (&Sink{Script: name, Scale: 1}).Do(context.Background())
	var e task.Error
	if !errors.As(err, &e) || e.Kind != task.Invalid ||
		!strings.Contains(err.Error(), "wrong.fault:2:4: at: got \"mall\"") {
		t.Errorf("got %v", err)
	}
}
