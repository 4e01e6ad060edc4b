package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/sim/crash/scope"
	"flyball/sim/crash/search"
)

const scenario = `schema_version = 1
name = "small"
seed = 5
horizon = "2h"
[governor]
start = 3
[network.dns]
hit_ratio = 1
hit = "5ms"
[[server]]
name = "x"
[[server]]
name = "y"
[[server]]
name = "z"
[[destination]]
name = "near"
domain = "near.example"
share = 3
rtt = "10ms"
banner = "20ms"
dot = "30ms"
dead = [{ share = 0.1 }]
[[destination]]
name = "far"
domain = "far.example"
share = 1
rtt = "50ms"
banner = "0s"
dot = "10ms"
fail = [{ at = "rcpt", reply = 450, p = 0.2 }, { at = "rcpt", reply = 550, p = 0.04 }]
[destination.greylist]
share = 0.4
[[campaign]]
name = "first"
recipients = 40
[[campaign]]
name = "second"
recipients = 20
`

// A scenario gives a world its sizes, chances and times, and the promises hold in it.
func TestOf(t *testing.T) {
	s, err := scenarios.Load("small.toml", []byte(scenario), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := scope.Of(s)
	if err != nil {
		t.Fatal(err)
	}
	if c.Recipients != 60 || c.Mailings != 2 || c.Servers != 3 || c.Processes != 3 || c.Seed != 5 ||
		c.Horizon != 2*vt.Hour {
		t.Errorf("got %+v, want 60 recipients in 2 mailings by 3 servers with 3 processes", c)
	}
	// near: 0.75 of the list, far: 0.25. Replies: 40 and 60 ms. A new connection takes the look-up, the greeting and
	// some round trips, the reply included.
	if got, want := c.Refused, 0.75*0.1+0.25*0.04; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("refused %v, want %v", got, want)
	}
	if got, want := c.Deferred, 0.25*(0.4+0.2); got < want-1e-9 || got > want+1e-9 {
		t.Errorf("deferred %v, want %v", got, want)
	}
	if want := 45 * vt.Millisecond / 2; c.Accept != want || c.Answer != want {
		t.Errorf("a reply takes %v and %v, want %v each", c.Accept, c.Answer, want)
	}
	trips := 0
	for _, step := range s.Dialogue.Steps(0, int64(s.Message.Size)) {
		trips += step.RoundTrips
	}
	before := 5 + 0.75*float64(20+10*(trips-1)) + 0.25*float64(50*(trips-1)) // ms on average
	if got := 1.5 * c.Open.Seconds() * 1000; got < before-1 || got > before+1 {
		t.Errorf("before the final dot an attempt takes %.1f ms, want %.1f", got, before)
	}
	keeps(t, c, 100)
}

// keeps fails the test if the world breaks a promise in one of n random cases.
func keeps(t *testing.T, c scope.Config, n int) {
	t.Helper()
	s := search.Search{Config: c, Random: n, Seed: 1, Workers: 2, Every: 1, Firsts: 1}
	a := s.Run(func(done, all int) bool { return true })
	if a.Runs != n || a.Failed > 0 || a.Missed > 0 || a.Unexplained > 0 {
		t.Errorf("%d runs, want %d; %d recipients missed, %d duplicates unexplained, and broken: %+v", a.Runs, n,
			a.Missed, a.Unexplained, a.Failures)
	}
}

// The small scope is a scenario.
func TestSmallIsAScenario(t *testing.T) {
	s, err := scenarios.Load(scope.SmallName, scope.SmallText, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := scope.Of(s); err != nil || c != scope.Small() {
		t.Errorf("got %+v, %v; want %+v", c, err, scope.Small())
	}
}

// What a scenario has about its sending server counts.
func TestOfASendingServer(t *testing.T) {
	const more = `[sender]
check = "2s"
lease = "20s"
patience = "90s"
window = 7
licence = 3
partition = "pull"
chunk = 9
[requests]
confirm = true
[bus]
delay = "30ms"
[disk]
commit = "15ms"
[[server]]`
	text := strings.Replace(scenario, "[[server]]", more, 1)
	text = strings.Replace(text, "banner = \"20ms\"", "banner = \"20ms\"\nreturned = { share = 0.1 }", 1)
	text = strings.Replace(text, "recipients = 20", "recipients = 20\nasks = { share = 0.12, after = \"3s\" }", 1)
	s, err := scenarios.Load("sends.toml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := scope.Of(s)
	if err != nil {
		t.Fatal(err)
	}
	// 0.75 of 60 recipients have returned mail in one of ten cases; 0.12 of 20 ask
	if got, want := fmt.Sprint(c.Check, c.Lease, c.Patience, c.Window, c.Licence, c.Chunk, c.Message, c.Commit,
		c.Returned, c.Requests, c.Joins, c.Confirm), "2s 20s 1m30s 7 3 9 30ms 15ms 5 3 2 true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	keeps(t, c, 60)
}

func TestOfALargeScenario(t *testing.T) {
	servers := ""
	for n := range 8 {
		servers += fmt.Sprintf("[[server]]\nname = \"more-%d\"\n", n)
	}
	for _, v := range []struct{ old, more, want string }{
		{"recipients = 20", "recipients = 1000", "campaign: got 1040 recipients in all campaigns, want at most 200"},
		{"[[destination]]", servers + "[[destination]]", "server: got 11, want at most 10"},
	} {
		s, err := scenarios.Load("large.toml", []byte(strings.Replace(scenario, v.old, v.more, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scope.Of(s); err == nil || !strings.HasPrefix(err.Error(), v.want) {
			t.Errorf("got %v, want %s", err, v.want)
		}
	}
}
