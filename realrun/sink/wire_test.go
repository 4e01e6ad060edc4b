package sink

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/netmodel"
	"flyball/netmodel/limits"
)

// A line of dots within a message is text: one dot alone ends it (RFC 5321 4.5.2).
func TestDotsWithinAMessage(t *testing.T) {
	for _, line := range []string{"..\r\n", ". \r\n", ".\n", "...\r\n", "\r\n", "text.\r\n"} {
		w := &wire{data: true}
		if err := w.body([]byte(line)); err != nil || !w.data {
			t.Errorf("%q ends the message: %v", line, err)
		}
	}
}

// An envelope sender that names no recipient of the run is refused.
func TestEnvelopeOfAnotherRun(t *testing.T) {
	for _, from := range []string{mail.VERP(3, 0, "x.test"), mail.VERP(1000, 1, "x.test"), "ann@x.test", ""} {
		client, server := net.Pipe()
		w := &wire{Conn: server, lane: &lane{sink: &Sink{cfg: Config{Recipients: 3}}}}
		go func() {
			defer server.Close()
			if line, err := w.command([]byte("MAIL FROM:<" + from + ">\r\n")); line != nil || err != nil {
				t.Errorf("%s: passed on as %q, %v", from, line, err)
			}
		}()
		if got, _ := bufio.NewReader(client).ReadString('\n'); !strings.HasPrefix(got, "553 5.1.7 ") {
			t.Errorf("%s: %q", from, got)
		}
		client.Close()
	}
}

// A refusal has its enhanced status on the wire, else one of its class.
func TestEnhancedStatusOnTheWire(t *testing.T) {
	for _, c := range []struct {
		code   uint16
		status mail.Enhanced
		line   string
		want   smtp.EnhancedCode
	}{{550, 5_004_005, "550 5.4.5", smtp.EnhancedCode{5, 4, 5}}, {421, 0, "421", smtp.EnhancedCode{4, 0, 0}}} {
		w := &wire{verdict: c.code, status: c.status}
		if got := w.code(); got != c.line {
			t.Errorf("got %q, want %q", got, c.line)
		}
		if got, ok := w.refusal().(*smtp.SMTPError); !ok || got.EnhancedCode != c.want {
			t.Errorf("%s: got %+v, want %v", c.line, got, c.want)
		}
	}
}

// The plain receiver has no say at MAIL: what would refuse there is no setting for a
// live run, and what refuses elsewhere is.
func TestWhatThePlainReceiverCannot(t *testing.T) {
	for want, change := range map[string]func(d *netmodel.Destination){
		"allowance":    func(d *netmodel.Destination) { d.Allowances = make([]limits.Allowance, 1) },
		"refuse[0]":    func(d *netmodel.Destination) { d.Refuse = []netmodel.Refuse{{At: "mail", Reply: 451}} },
		"penalty.rate": func(d *netmodel.Destination) { d.Penalty.Rate = 1 },
		"": func(d *netmodel.Destination) {
			d.Refuse = []netmodel.Refuse{{At: "dot", Reply: 451}, {At: "banner", Reply: 554}}
		},
	} {
		d := netmodel.DefaultDestination()
		d.Receiver = "smtpd"
		change(&d)
		got := ""
		for _, err := range CheckPlain(d) {
			got += err.(conf.Problem).Key
		}
		if got != want {
			t.Errorf("got problems with %q, want %q", got, want)
		}
	}
}
