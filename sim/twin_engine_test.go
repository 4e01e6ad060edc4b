package sim_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/scenarios"
	"flyball/sim"
)

// TestTwinOnBuiltins compares the engine with its twin, attempt by attempt, on
// every built-in scenario: its first few thousand recipients, and the whole
// made so small that C moves.
func TestTwinOnBuiltins(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name+"/beginning", func(t *testing.T) {
			t.Parallel()
			s := undisturbed(load(t, name))
			shorten(s, 3000)
			agree(t, s)
		})
		t.Run(name+"/small", func(t *testing.T) {
			t.Parallel()
			s := undisturbed(load(t, name))
			miniature(s)
			rows := agree(t, s).Rows
			if !slices.ContainsFunc(rows, func(r row) bool { return r.Available != s.Governor.Start }) {
				t.Errorf("C never moves in %d intervals", len(rows))
			}
		})
	}
}

// load returns a built-in scenario with some of its keys set.
func load(t *testing.T, name string, set ...string) *scenarios.Scenario {
	t.Helper()
	src, _ := scenarios.Builtin(name)
	return parse(t, string(src), set...)
}

// parse returns the scenario of a text.
func parse(t *testing.T, text string, set ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("test", []byte(text), set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// finished returns the world of a scenario's replication after its run.
func finished(t *testing.T, s *scenarios.Scenario, replication uint64) *sim.World {
	t.Helper()
	w, err := sim.New(s, replication, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	return w
}

// undisturbed takes from a scenario what stops its servers, and those who ask for no more mail: the twin has none.
func undisturbed(s *scenarios.Scenario) *scenarios.Scenario {
	s.Faults, s.Dispatch.SameList = nil, false
	for i := range s.Destinations {
		s.Destinations[i].Returned = config.DefaultDestination().Returned
	}
	for i := range s.Campaigns {
		s.Campaigns[i].Asks.Share = 0
	}
	return s
}

// shorten cuts the lists to about the given number of recipients.
func shorten(s *scenarios.Scenario, recipients int) {
	all := s.Recipients()
	for i := range s.Campaigns {
		s.Campaigns[i].Recipients = s.Campaigns[i].Recipients * recipients / all
	}
}

// miniature has a tenth of the processes, and intervals of two minutes.
func miniature(s *scenarios.Scenario) {
	shorten(s, 5000)
	for i := range s.Campaigns {
		s.Campaigns[i].Processes /= 10
		s.Campaigns[i].Subset = max(1, s.Campaigns[i].Subset/50)
	}
	for i := range s.Destinations {
		s.Destinations[i].Cap /= 10
	}
	g := &s.Governor
	g.Target, g.Start, g.Interval = g.Target/10, g.Start/10, 2*vt.Minute
	g.StepMode, g.D = "explicit", 1.7
}

// TestTwinOnRandomScenarios compares engine and twin on scenarios that no author
// has chosen.
func TestTwinOnRandomScenarios(t *testing.T) {
	const enough = 400
	n := howMany(t, 100, enough)
	var lock sync.Mutex
	met := map[string]int{}
	eachScenario(t, n, func(t *testing.T, _ *dice, s *scenarios.Scenario) {
		a := agree(t, s)
		if t.Failed() {
			small := shrink(s, func(c *scenarios.Scenario) bool { d, _ := disagreement(t, c); return d != "" })
			differ, _ := disagreement(t, small)
			t.Logf("in a smaller scenario: %s\n%s", differ, scenarios.Resolved(small))
		}
		lock.Lock()
		defer lock.Unlock()
		for feature, on := range map[string]bool{"look-ups drift": len(s.Network.DNS.Drift) > 0,
			"paths drift": len(s.Network.Drift) > 0,
			"a destination is shared": len(s.Servers) > 1 &&
				netmodel.NewNetwork(s.Netmodel(), rng.Key{}).Joint(),
			"campaigns of several priorities": s.Freeing.Policy == "none" &&
				slices.ContainsFunc(s.Campaigns,
					func(c scenarios.Campaign) bool { return c.Priority != s.Campaigns[0].Priority }),
			"a campaign with a rate": slices.ContainsFunc(s.Campaigns,
				func(c scenarios.Campaign) bool { return c.Rate > 0 }),
			"a server is cut off": slices.ContainsFunc(s.Servers,
				func(v config.Server) bool { return len(v.Down) > 0 })} {
			if on {
				met[feature]++
			}
		}
		for feature, n := range a.features {
			met[feature] += min(n, 3) // not all in one scenario
		}
		tables := s.ReplyTables()
		for _, e := range a.Ended {
			how := e.Reply.Fault.String()
			if e.Reply.Fault == mail.NoFault {
				how = strconv.Itoa(int(e.Reply.Code))
			}
			met[how+" at "+e.Reply.Stage.String()]++
			met[e.Conn.String()]++
			met[e.Status.String()]++
			if e.Reply.Row > 0 {
				row := tables[e.Dest].Row(e.Reply.Row)
				met["reply read: "+row.Reaction]++
				switch {
				case e.Status == mail.Pending && e.Reply.Code >= 500:
					met["a 5yz is resent by its row"]++
				case e.Status == mail.Failed && e.Reply.Code < 500 && row.Reaction == "bounce":
					met["a 4yz has failed by its row"]++
				}
			}
		}
		first := 0.0 // C of the first server
		for _, r := range a.Rows {
			met[fmt.Sprintf("partial %v, draining %v", r.Partial, r.Draining)]++
			if !r.Partial && r.Available > r.Previous {
				met["C rises"]++
			}
			if !r.Partial && r.Available < r.Previous {
				met["C falls"]++
			}
			if r.Allocated > r.Previous {
				met["more allocated than available"]++
			}
			if r.Target != float64(s.Governor.Target) {
				met["another target"]++
			}
			for _, f := range s.Governor.Faults {
				if f.Interval == r.Number && !r.Partial && s.Governor.Law != "hold" {
					met[f.Kind]++
				}
			}
			if r.Freed > 0 {
				met["freed, "+s.Freeing.Policy+", "+s.Freeing.Victim]++
			}
			for _, g := range r.Gates {
				law := s.Governor.Destination.Law
				switch {
				case g.Parked > 0 && g.Parked >= s.Governor.Destination.Parked && s.Governor.Destination.Parked > 0:
					met["a limit by "+law+", nobody may be parked any more"]++
				case g.Parked > 0:
					met["a limit by "+law+", some parked"]++
				}
				switch initial := s.Governor.Destination.Initial; {
				case g.Limit == 0:
					met["a dead destination"]++
				case g.Limit > initial:
					met["a limit by "+law+" rises"]++
				case g.Limit < initial:
					met["a limit by "+law+" falls"]++
				}
			}
			if r.HandedBack > 0 {
				met["recipients handed back"]++
			}
			if int(r.Server) == len(s.Servers) && !r.Partial {
				met["one governor"]++
			}
			if r.Server == 0 {
				first = r.Available
			} else if s.OneGovernor() && int(r.Server) < len(s.Servers) && !r.Partial &&
				math.Abs(r.Available-first) > 1 {
				met["C is divided unequally"]++
			}
			if r.RetryLimit < s.Retry.Spelled().Limit && s.Retry.OfCluster() {
				met["a lower limit of a cluster"]++
			}
			if r.RetryLimit < s.Retry.Spelled().Limit {
				met["a lower limit by "+s.Retry.Policy]++
			}
		}
	})
	if n < enough || seedOfScenarios(t) != 1 || t.Failed() {
		return // the long tests have enough of them, and the seed for which the list below was written
	}
	// Every feature must occur in some scenario.
	for _, wanted := range []string{
		"servfail at dns", "timeout at dns", "drop at connect", "timeout at connect",
		"421 at banner", "450 at banner", "550 at banner", "drop at banner", "timeout at banner",
		"421 at ehlo", "450 at ehlo", "550 at ehlo", "drop at ehlo", "timeout at ehlo",
		"421 at mail", "450 at mail", "550 at mail", "drop at mail", "timeout at mail",
		"421 at rcpt", "450 at rcpt", "451 at rcpt", "550 at rcpt", "drop at rcpt", "timeout at rcpt",
		"421 at data", "450 at data", "550 at data", "drop at data", "timeout at data",
		"250 at dot", "421 at dot", "450 at dot", "550 at dot", "drop at dot", "timeout at dot",
		"fresh", "reused", "reset", "pending", "delivered", "failed", "ambiguous",
		"partial false, draining false", "partial false, draining true", "partial true, draining false",
		"partial true, draining true",
		"freed, at-interval, ahead-of-schedule", "freed, at-interval, lowest-priority",
		"freed, at-interval, most-complete", "freed, at-interval, newest",
		"freed, continuous, ahead-of-schedule", "freed, continuous, lowest-priority",
		"freed, continuous, most-complete", "freed, continuous, newest",
		"recipients handed back",
		"a lower limit by alloc", "a lower limit by dfr", "a lower limit by dfr-fn", "a lower limit by both-a",
		"a lower limit by both-fn",
		"a lower limit by stage", "a lower limit by stage-fn", "a lower limit by util", "a lower limit by util-fn",
		"a lower limit by yield",
		"another target", "missed", "duplicate", "reset", "look-ups drift", "a destination is shared", "paths drift",
		"a server is cut off", "campaigns of several priorities", "a campaign with a rate",
		"a limit by postfix-feedback, some parked", "a limit by aimd, some parked",
		"a limit by postfix-feedback, nobody may be parked any more",
		"a limit by postfix-feedback rises", "a limit by postfix-feedback falls", "a limit by aimd rises",
		"a limit by aimd falls", "a dead destination",
		"reply read: none", "reply read: defer", "reply read: reconnect", "reply read: hold", "reply read: bounce",
		"slow of source", "slow of domain", "slow of account", "suspend of source", "suspend of domain",
		"suspend of account", "suspend of campaign", "too few replies to slow", "too few replies to suspend",
		"enough replies to slow", "enough replies to suspend", "return of source", "return of domain",
		"return of account", "a gentle return is full, it has grown false",
		"a gentle return is full, it has grown true", "a gentle return of an account is full",
		"a 5yz is resent by its row", "a 4yz has failed by its row",
		"one governor", "C is divided unequally", "a lower limit of a cluster",
		"C rises", "C falls", "more allocated than available",
	} {
		if met[wanted] < 5 {
			t.Errorf("the random scenarios met %q %d times, want 5 or more", wanted, met[wanted])
		}
	}
}

// agree fails if engine and twin differ in anything. It returns the account of
// the twin.
func agree(t *testing.T, s *scenarios.Scenario) account {
	t.Helper()
	differ, twin := disagreement(t, s)
	if differ != "" {
		t.Errorf("engine and twin differ, stages %s", differ)
	}
	return twin
}

// disagreement runs a scenario in the engine, with one event per attempt and with
// one per stage, and in the twin. It returns a description of the first difference.
func disagreement(t *testing.T, s *scenarios.Scenario) (string, account) {
	twin := runTwin(s)
	for _, stages := range []string{"collapsed", "full"} {
		one := *s
		one.Stages = stages
		if diff := difference("in the engine", runEngine(t, &one), "in the twin", twin); diff != "" {
			return stages + ": " + diff, twin
		}
	}
	return "", twin
}

// replication that a scenario is compared in: not always the first.
func replication(s *scenarios.Scenario) uint64 { return s.Seed % 3 }

// runEngine returns the account of the engine.
func runEngine(t *testing.T, s *scenarios.Scenario) account { return runEngineOn(t, s, nil) }

// runEngineOn delivers to another list than the scenario's own, if there is one.
func runEngineOn(t *testing.T, s *scenarios.Scenario, list *mail.List) account {
	t.Helper()
	a, w := attemptsOf(t, s, list)
	for _, i := range w.Record().Intervals {
		r := row{Server: i.Server, Number: i.Number, End: i.End, Target: i.TargetRate, Delivered: i.Sample.Delivered,
			Attempts:  i.Sample.Attempts,
			Allocated: i.Sample.Allocated, Demand: i.Sample.Demand, Load: i.Sample.Load, Previous: i.Decision.Previous,
			Available:  i.Decision.Available,
			RetryLimit: i.RetryLimit, Freed: i.Freed, HandedBack: i.HandedBack, Partial: i.Partial,
			Draining: i.Draining}
		for _, d := range i.Destinations {
			r.Gates = append(r.Gates, gateRow{d.Limit, int(d.Limits), int(d.Attempts), d.Parked,
				int(d.Refusals + d.Timeouts), d.AttemptTime, d.Busy})
		}
		a.Rows = append(a.Rows, r)
	}
	return a
}

// attemptsOf returns the attempts of a run without its intervals, which may be hundreds of
// thousands, and the world that ran.
func attemptsOf(t *testing.T, s *scenarios.Scenario, list *mail.List) (a account, w *sim.World) {
	t.Helper()
	w, err := sim.New(s, replication(s), list, func(now vt.Time, x mail.Attempt, r mail.Reply, st mail.Status) {
		a.Ended = append(a.Ended, ended{now, x.Server, x.Slot, x.Rcpt, x.Try, x.Dest, x.Conn, r, st})
	})
	if err != nil {
		t.Fatal(err)
	}
	a.End, _ = w.Run(nil)
	a.sort()
	return a, w
}

// difference describes the first difference of two accounts; it is empty if they
// are equal. One and other name them.
func difference(one string, x account, other string, y account) string {
	for i := range min(len(x.Ended), len(y.Ended)) {
		if x.Ended[i] != y.Ended[i] {
			return fmt.Sprintf("attempt %d ends as\n  %s %s,\n  %s %s", i, x.Ended[i], one, y.Ended[i], other)
		}
	}
	if n, m := len(x.Ended), len(y.Ended); n != m {
		return fmt.Sprintf("%d attempts end %s, %d %s; the first that only one has is\n  %s",
			n, one, m, other, append(x.Ended[min(n, m):], y.Ended[min(n, m):]...)[0])
	}
	for i := range min(len(x.Rows), len(y.Rows)) {
		if !x.Rows[i].sameAs(y.Rows[i]) {
			return fmt.Sprintf("interval row %d is\n  %s %s,\n  %s %s", i, x.Rows[i], one, y.Rows[i], other)
		}
	}
	if n, m := len(x.Rows), len(y.Rows); n != m {
		return fmt.Sprintf("%d interval rows %s, %d %s; the first that only one has is\n  %s",
			n, one, m, other, append(x.Rows[min(n, m):], y.Rows[min(n, m):]...)[0])
	}
	if x.End != y.End {
		return fmt.Sprintf("the run ends at %s %s, at %s %s", x.End, one, y.End, other)
	}
	return ""
}

func (e ended) String() string {
	return fmt.Sprintf("%s (%d ns): server %d slot %d recipient %d try %d to %d over a %s connection: %d %s at %s "+
		"after %s, %s",
		e.At, int64(e.At), e.Server, e.Slot, e.Rcpt, e.Try, e.Dest, e.Conn, e.Reply.Code, e.Reply.Fault, e.Reply.Stage,
		e.Reply.Took, e.Status)
}

func (r row) String() string {
	return fmt.Sprintf("server %d interval %d to %s: target %.12g, %d delivered, %d attempts, %.12g allocated, %.12g "+
		"wanted, load %.12g, C %.12g then %.12g, retry limit %d, %d freed with %d recipients, partial %v, draining "+
		"%v, limits %+v",
		r.Server, r.Number, r.End, r.Target, r.Delivered, r.Attempts, r.Allocated, r.Demand, r.Load, r.Previous,
		r.Available, r.RetryLimit, r.Freed, r.HandedBack, r.Partial, r.Draining, r.Gates)
}

// sameAs allows floats to differ by their last digits. Load is what a factor near
// 1 is more than 1, and the subtraction keeps digits of the factor only. A partial
// interval has no decision.
func (r row) sameAs(o row) bool {
	if !near(r.Target, o.Target) || !near(r.Allocated, o.Allocated) || !near(r.Demand, o.Demand) ||
		!near(1+r.Load, 1+o.Load) || !near(r.Previous, o.Previous) || !r.Partial && !near(r.Available, o.Available) {
		return false
	}
	o.Target, o.Allocated, o.Demand, o.Load, o.Previous, o.Available =
		r.Target, r.Allocated, r.Demand, r.Load, r.Previous, r.Available
	if !slices.EqualFunc(r.Gates, o.Gates, func(g, h gateRow) bool {
		same := near(g.Busy, h.Busy)
		h.Busy = g.Busy
		return same && g == h
	}) {
		return false
	}
	o.Gates = r.Gates
	return reflect.DeepEqual(r, o)
}

func near(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y)) }
