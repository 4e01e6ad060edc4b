package deadlines

import (
	"strings"
	"testing"
)

// A plan with a sending server needs as many processes as the plan of lists that are on their servers at the start: a
// message there and back, and a check, are nothing beside an hour.
func TestPlanWithSendingServer(t *testing.T) {
	const text = `schema_version = 1
name = "mailing"
horizon = "1d"
[sender]
check = "10s"
[governor]
law = "hold"
target = "140000/h"
start = 20
interval = "2m"
[[server]]
name = "b1"
[[server]]
name = "b2"
[[destination]]
name = "p"
domain = "p.example"
[[campaign]]
name = "m"
recipients = 5000
processes = 20
subset = 50
`
	_, with := planned(t, text, "1h")
	_, without := planned(t, strings.Replace(text, "check = \"10s\"\n", "", 1), "1h")
	if !with.Feasible || with.Processes < without.Processes || with.Processes > without.Processes+2 {
		t.Errorf("got %d processes (feasible: %v), want %d, or one more on each server", with.Processes, with.Feasible,
			without.Processes)
	}
	_, broken := planned(t, text+"[[fault]]\nserver = \"b2\"\nkind = \"power-min\"\nat = \"1m\"\n", "1h")
	if !broken.Feasible || broken.Processes <= with.Processes {
		t.Errorf("got %d processes (feasible: %v) if a server is lost, want more than %d", broken.Processes,
			broken.Feasible, with.Processes)
	}
}
