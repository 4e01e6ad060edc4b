package sim_test

import (
	"testing"

	"flyball/internal/mail"
	"flyball/scenarios"
	"flyball/sim"
)

// A server that begins again has hours of each day that began before: its time goes on from its restart.
func TestRestartAfterQuietHoursBegan(t *testing.T) {
	s, err := scenarios.Load("test", []byte(`schema_version = 1
name = "restart"
horizon = "1d"
[sender]
check = "10s"
[[server]]
name = "b1"
[[destination]]
name = "p"
domain = "p.example"
[[campaign]]
name = "m"
recipients = 500
processes = 2
subset = 50
[[quiet]]
from = "00:01"
to = "06:00"
[[fault]]
server = "b1"
at = "90s"
kind = "kill"
for = "1m"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := sim.New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if n := w.Record().Count(mail.Done); n != 500 {
		t.Errorf("got %d delivered, want all 500", n)
	}
}
