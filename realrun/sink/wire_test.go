package sink

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"flyball/internal/mail"
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
