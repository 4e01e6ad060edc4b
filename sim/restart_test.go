package sim_test

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/sim"
)

// A server that begins again has hours of each day that began before: its time goes on from its restart.
func TestRestartAfterQuietHoursBegan(t *testing.T) {
	s := parse(t, `schema_version = 1
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
`)
	w := finished(t, s, 0)
	if n := w.Record().Count(mail.Done); n != 500 {
		t.Errorf("got %d delivered, want all 500", n)
	}
}

// A list that is shorter than the scenario's may leave nothing for a small campaign: the others are delivered.
func TestSendingServerWithAnEmptyCampaign(t *testing.T) {
	s := parse(t, `
schema_version = 1
name = "empty"
[sender]
check = "10s"
[[server]]
name = "b1"
[[destination]]
name = "p"
domain = "p.example"
[[campaign]]
name = "big"
recipients = 1250
[[campaign]]
name = "small"
recipients = 1
[[campaign]]
name = "last"
recipients = 1000
`)
	list := mail.SyntheticList(100, []float64{1}, rng.New(1, 0))
	w, err := sim.New(s, 0, &list, nil)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := w.Run(nil)
	if n := w.Record().Count(mail.Done); n != 100 || end >= vt.Time(s.Horizon) {
		t.Errorf("got %d delivered by %v, want all 100 before the horizon", n, end)
	}
}

// The outcomes of single recipients add up to the totals, though some are delivered to twice, and others suppressed.
func TestOutcomesWithSendingServer(t *testing.T) {
	s := parse(t, `
schema_version = 1
name = "outcomes"
horizon = "1d"
[sender]
check = "10s"
patience = "2m"
same_list = true
[[server]]
name = "b1"
[[server]]
name = "b2"
[[destination]]
name = "p"
domain = "p.example"
[[campaign]]
name = "first"
recipients = 2000
processes = 10
subset = 50
asks = { share = 0.2, after = "10s" }
[[campaign]]
name = "second"
recipients = 2000
start = "5m"
processes = 10
subset = 50
[[fault]]
server = "b1"
kind = "cut"
at = "30s"
for = "10m"
`)
	w, err := sim.New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.KeepOutcomes()
	w.Run(nil)
	var n [mail.Statuses]uint64
	for _, o := range w.Record().Outcomes {
		n[o.Status]++
	}
	c := w.Control()
	if c.Duplicates == 0 || c.Suppressed == 0 {
		t.Fatalf("got %d duplicates and %d suppressed, want some", c.Duplicates, c.Suppressed)
	}
	if n[mail.Done] != w.Record().Count(mail.Done) || n[mail.Suppressed] != c.Suppressed || n[mail.Pending] != 0 {
		t.Errorf("got %v outcomes, want %d delivered and %d suppressed", n, w.Record().Count(mail.Done), c.Suppressed)
	}
}
