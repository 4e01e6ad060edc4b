package realrun_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"flyball/internal/apart"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/path"
)

// takesAll serves connections as a receiver that takes every message.
func takesAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			fmt.Fprint(conn, "220 receiver\r\n")
			lines := bufio.NewScanner(conn)
			for data := false; lines.Scan(); {
				switch line := lines.Text(); {
				case data && line != ".":
				case strings.HasPrefix(line, "QUIT"):
					return
				case strings.HasPrefix(line, "DATA"):
					data = true
					fmt.Fprint(conn, "354 go on\r\n")
				default:
					data = false
					fmt.Fprint(conn, "250 ok\r\n")
				}
			}
		}()
	}
}

// short is the letter to each recipient.
type short struct{}

func (short) Letter(_ mail.Recipient, body []byte) (string, []byte) {
	return "ann@one.org", append(body, "Subject: hops\r\n\r\nHello.\r\n"...)
}

// Mail that goes through two routers is delivered by every attempt, and after a few
// attempts these have the number of routers.
func TestAttemptsHaveTheirHops(t *testing.T) {
	const routers = 2
	if !apart.Run(t) {
		return
	}
	listener := apart.Behind(t, routers)
	go takesAll(listener)
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	list, err := dial.Load("allow.toml", fmt.Appendf(nil, `schema_version = 1
sender = "sender.com"
allow = [{ networks = ["%s"], ports = [25], domains = ["one.org"] }]
caps = { per_day = 9, per_second = 1 }
`, at.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	transport := &realrun.SMTP{Resolver: routed{{At: at}}, Letters: short{}, Dialogue: mail.DefaultDialogue(), Scale: 1,
		Domain: "sender.com", Allow: list, Paths: path.NewMeter(), Broken: func(err error) { t.Error(err) }}
	process := transport.Process(0, 0)
	defer process.HangUp()
	for n := range 6 {
		if r := process.Deliver(t.Context(), mail.Attempt{Rcpt: mail.Recipient(n)}); r.Class() != mail.Delivered {
			t.Errorf("attempt %d ends with %+v", n, r)
		}
	}
	if got := process.Trace().Way().Hops(); got != routers {
		t.Errorf("got %d hops, want %d", got, routers)
	}
}
