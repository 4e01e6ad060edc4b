package sim_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

func run(t *testing.T, name string, set ...string) *runlog.Recorder {
	t.Helper()
	return finished(t, load(t, name, set...), 0).Record()
}

// A server with a limit of connections has no more processes than that, whatever C is, and the
// other server is as it would be without.
func TestConnectionsOfAServer(t *testing.T) {
	const most = 7
	limited, free := run(t, "two-distances", fmt.Sprint("server[0].connections=", most)), run(t, "two-distances")
	beyond := 0
	for _, i := range limited.Intervals {
		if i.Server == 0 && i.Sample.Allocated > most {
			t.Fatalf("%v processes in interval %d, want at most %d", i.Sample.Allocated, i.Number, most)
		}
		if i.Server == 0 && i.Decision.Available > most && i.Sample.Allocated == most {
			beyond++
		}
	}
	if beyond < 3 {
		t.Errorf("C was above the limit in %d intervals: the test tests too little", beyond)
	}
	second := func(r *runlog.Recorder) (all []float64) {
		for _, i := range r.Intervals {
			if i.Server == 1 {
				all = append(all, i.Sample.Allocated)
			}
		}
		return all
	}
	x, y := second(limited), second(free)
	if n := min(len(x), len(y)) / 2; n < 3 || !slices.Equal(x[:n], y[:n]) {
		t.Errorf("the other server has %v processes, want %v", x, y)
	}
}

// The whole simulator reproduces a measurement by Postfix's authors of their
// scheduler: a receiver with five slots that replies 421 to any more. It is
// published in SCHEDULER_README, without connection caching.
func TestPostfixTable(t *testing.T) {
	for _, v := range []struct {
		feedback       string
		deferred, mean float64
	}{{"1/N", 0.165, 5.17}, {"1/sqrt N", 0.245, 5.28}, {"1", 0.497, 5.63}} {
		r := run(t, "postfix-table", fmt.Sprintf("governor.destination.positive=%q", v.feedback),
			fmt.Sprintf("governor.destination.negative=%q", v.feedback))
		var sum, refused uint64
		for _, i := range r.Intervals {
			sum += i.Destinations[0].Limits
			refused += i.Destinations[0].Refusals
		}
		deferred, mean := float64(refused)/2000, float64(sum)/2000
		t.Logf("%s: deferred %.1f %% (published %.1f), concurrency %.2f (%.2f)", v.feedback, 100*deferred,
			100*v.deferred, mean, v.mean)
		if math.Abs(deferred-v.deferred) > 0.01 || math.Abs(mean-v.mean) > 0.1 || r.Attempts() != 2000 ||
			r.Count(mail.Failed) != refused {
			t.Errorf("%s: deferred %g, want %g +- 0.01; mean concurrency %g, want %g +- 0.1; %d attempts", v.feedback,
				deferred, v.deferred, mean, v.mean, r.Attempts())
		}
	}
}

// A limit that no server reaches changes nothing.
func TestLimitsOutOfReach(t *testing.T) {
	wide := []string{"governor.destination.law=postfix-feedback", "governor.destination.initial=100000",
		"governor.destination.max=100000", "governor.destination.cohorts=0"}
	for _, name := range []string{"throttling-provider", "greylist", "two-distances"} {
		short := []string{"campaign[0].recipients=5000"}
		free, limited := run(t, name, short...), run(t, name, append(short, wide...)...)
		if free.Attempts() != limited.Attempts() || free.Count(mail.Done) != limited.Count(mail.Done) ||
			free.Count(mail.Failed) != limited.Count(mail.Failed) || free.Latency.Mean() != limited.Latency.Mean() ||
			len(free.Intervals) != len(limited.Intervals) {
			t.Errorf("%s: %d attempts, %d delivered, want %d, %d", name, limited.Attempts(), limited.Count(mail.Done),
				free.Attempts(), free.Count(mail.Done))
		}
		for i, row := range limited.Intervals {
			if row.Sample != free.Intervals[i].Sample ||
				row.Decision.Available != free.Intervals[i].Decision.Available {
				t.Errorf("%s: interval %d: %+v, want %+v", name, i, row, free.Intervals[i])
			}
		}
	}
}

// A destination that takes half an hour for a message does not delay another: mail
// to the other is delivered as if it were alone.
func TestFullDestinationStandsInNobodysWay(t *testing.T) {
	const five = 5
	text, _ := scenarios.Builtin("limit-per-destination")
	for _, subset := range []int{1, 100} {
		s, err := scenarios.Load("limit", text, []string{"campaign[0].recipients=4000",
			fmt.Sprintf("campaign[0].subset=%d", subset),
			"destination[0].share=50", "destination[0].dot=30m", "destination[0].cap=0", "destination[1].share=50",
			"destination[1].dot=1s",
			"dialogue.timeouts.dot=1h", "retry.limit=0", "horizon=60d", "governor.law=hold", "governor.start=100",
			fmt.Sprintf("governor.destination.max=%d", five)})
		if err != nil {
			t.Fatal(err)
		}
		var last [2]vt.Time
		var attempts [2]int
		w, err := sim.New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
			last[a.Dest] = max(last[a.Dest], now)
			attempts[a.Dest]++
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		for _, i := range w.Record().Intervals {
			for _, d := range i.Destinations {
				if d.Limit > five || d.Busy > five {
					t.Fatalf("limit %d, %g attempts under way, want %d at most", d.Limit, d.Busy, five)
				}
			}
		}
		quick, slow := last[1].Seconds()*five/float64(attempts[1]), last[0].Seconds()*five/float64(attempts[0])
		// Beside the dot there are some round trips of a tenth of a second. The first five slow ones hold their
		// subsets while they last.
		held := 0.0
		if subset > 1 {
			held = 1800 * five / float64(attempts[1])
		}
		if quick < 1 || quick > 1.6+held || slow < 1800 || slow > 1810 {
			t.Errorf("subsets of %d: an attempt to the quick one takes %g s, to the slow one %g s", subset, quick, slow)
		}
	}
}

// The sender's own policy holds to the nanosecond, and where it asks for no more than
// the receiver takes, the receiver refuses nothing. Without it, it refuses.
func TestOwnPolicySparesRefusals(t *testing.T) {
	const n = 3000
	ended := func(s *scenarios.Scenario) (began []vt.Time, under int, connections int, refused uint64) {
		type edge struct {
			at vt.Time
			by int
		}
		var edges []edge
		w, err := sim.New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
			start := now.Add(-r.Took)
			began = append(began, start)
			edges = append(edges, edge{start, 1}, edge{now, -1})
			if a.Conn == mail.Fresh {
				connections++
			}
			if r.Code == 421 {
				refused++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		if got := w.Record().Count(mail.Done); got != n {
			t.Errorf("%d delivered, want %d", got, n)
		}
		slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
		busy := 0
		for _, e := range edges {
			busy += e.by
			under = max(under, busy)
		}
		slices.Sort(began)
		return began, under, connections, refused
	}
	scenario := func(set ...string) *scenarios.Scenario {
		text, _ := scenarios.Builtin("limit-per-destination")
		s, err := scenarios.Load("policy", text, append([]string{fmt.Sprintf("campaign[0].recipients=%d", n),
			"destination[0].share=0", "destination[1].share=1",
			"destination[1].cap=0", "governor.law=hold", "governor.start=50", "retry.limit=100", "horizon=30d",
			"network.dns.servfail=0"}, set...))
		if err != nil {
			t.Fatal(err)
		}
		s.Governor.Destination = governor.DefaultDestination()
		return s
	}
	const cap, bucket, burst = "destination[1].cap=7", `destination[1].bucket={rate="36000/h", burst=20}`, 20

	_, under, _, refused := ended(scenario(cap))
	if under < 30 || refused == 0 {
		t.Errorf("without a policy: %d under way, %d refused: the cap does not bind", under, refused)
	}
	_, under, _, refused = ended(scenario(cap, "destination[1].send.connections=7"))
	if under != 7 || refused != 0 {
		t.Errorf("7 connections: %d under way, %d refused, want 7 and 0", under, refused)
	}

	if _, _, _, refused = ended(scenario(bucket)); refused == 0 {
		t.Error("without a policy the bucket refuses nothing")
	}
	began, _, _, refused := ended(scenario(bucket, `destination[1].send={rate="36000/h", burst=20}`))
	last := vt.Time(n-burst) * vt.Time(100*vt.Millisecond)
	if refused != 0 || len(began) != n || began[burst-1] != 0 || began[burst] != vt.Time(100*vt.Millisecond) ||
		began[n-1] != last {
		t.Errorf("36000/h: %d refused; the attempts %d, %d and %d of %d began at %s, %s and %s, want 0s, 0.1s and %s",
			refused, burst-1, burst, n-1, len(began),
			began[burst-1], began[burst], began[len(began)-1], last)
	}

	_, _, many, _ := ended(scenario("dialogue.messages_per_connection=10"))
	began, _, connections, _ := ended(scenario("dialogue.messages_per_connection=10",
		`destination[1].send={connection_rate="1800/h", burst=1}`))
	if most := 1 + int(vt.Span(began[n-1])/(2*vt.Second)); many < n/10 || connections < n/10 || connections > most {
		t.Errorf("a connection in two seconds: %d in %s, want %d to %d", connections, began[n-1], n/10, most)
	}
}
