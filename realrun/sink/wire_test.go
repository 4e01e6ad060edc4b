package sink

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/netmodel/config"
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

// An envelope sender that is of no attempt of the run is refused: any local user can connect.
func TestEnvelopeOfAnotherRun(t *testing.T) {
	key := mail.Key{1}
	for _, from := range []string{key.VERP(3, 0, "x.test"), key.VERP(1000, 1, "x.test"), "ann@x.test", "",
		"bounce+1.0@x.test", (mail.Key{}).VERP(1, 0, "x.test"),
		"bounce+1.1" + key.VERP(1, 0, "x.test")[len("bounce+1.0"):]} {
		client, server := net.Pipe()
		w := &wire{Conn: server, lane: &lane{sink: &Sink{cfg: Config{Recipients: 3, Key: key}}}}
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

// A refusal has the words of the model on the wire, whatever the receiver behind it would
// reply with that code; other replies are the receiver's own.
func TestRefusalOnTheWire(t *testing.T) {
	for _, c := range []struct {
		wire        wire
		reply, want string
	}{
		{wire{verdict: 550, status: 5_004_005, text: "Daily limit"}, "550 5.1.0 no", "550 5.4.5 Daily limit"},
		{wire{verdict: 421, text: "[TSS04] wait"}, "421 wait", "421 [TSS04] wait"},
		{wire{verdict: 550, text: "no"}, "250 2.0.0 fine", "250 2.0.0 fine"},
		{wire{}, "550 5.5.2 syntax", "550 5.5.2 syntax"},
	} {
		client, server := net.Pipe()
		w := c.wire
		w.Conn, w.greeted = server, true
		go func() {
			defer server.Close()
			w.Write([]byte(c.reply + "\r\n"))
		}()
		if got, _ := bufio.NewReader(client).ReadString('\n'); got != c.want+"\r\n" {
			t.Errorf("%s is %q on the wire, want %q", c.reply, got, c.want)
		}
		client.Close()
	}
}

// The plain receiver has no say at MAIL: what would refuse there is no setting for a
// live run, and what refuses elsewhere is.
func TestWhatThePlainReceiverCannot(t *testing.T) {
	for want, change := range map[string]func(d *config.Destination){
		"allowance":    func(d *config.Destination) { d.Allowances = make([]limits.Allowance, 1) },
		"refuse[0]":    func(d *config.Destination) { d.Refuse = []config.Refuse{{At: "mail", Reply: 451}} },
		"penalty.rate": func(d *config.Destination) { d.Penalty.Rate = 1 },
		"": func(d *config.Destination) {
			d.Refuse = []config.Refuse{{At: "dot", Reply: 451}, {At: "banner", Reply: 554}}
		},
	} {
		d := config.DefaultDestination()
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
