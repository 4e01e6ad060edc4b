package sim_test

import (
	"math"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/rng"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/scenarios"
	"flyball/sim"
)

// These properties must hold in every run of any scenario.
func TestInvariants(t *testing.T) {
	eachScenario(t, howMany(t, 40, 120), func(t *testing.T, _ *dice, s *scenarios.Scenario) {
		var a account
		var rowOf []int // the interval in which each attempt ended
		plan := timetable(s.Retry)
		var w *sim.World
		status := make([]mail.Status, s.Recipients())
		tries := make([]int, s.Recipients())
		earlier := map[mail.Recipient]ended{}
		type place struct {
			mail.Server
			mail.Slot
		}
		busyUntil := map[place]vt.Time{}
		var now vt.Time
		var final uint64
		watch := func(at vt.Time, x mail.Attempt, r mail.Reply, st mail.Status) {
			e := ended{at, x.Server, x.Slot, x.Rcpt, x.Try, x.Dest, x.Conn, r, st}
			began := at.Add(-r.Took)
			p := place{x.Server, x.Slot}
			switch before, again := earlier[x.Rcpt]; {
			case at < now:
				t.Errorf("time falls from %s to %s", now, at)
			case status[x.Rcpt] != mail.Pending:
				t.Errorf("tried again after it ended: %s", e)
			case int(x.Try) != tries[x.Rcpt]:
				t.Errorf("got try %d after %d tries: %s", x.Try, tries[x.Rcpt], e)
			case int(x.Try) > plan.limit:
				t.Errorf("resent more than %d times: %s", plan.limit, e)
			case again && began < before.At.Add(waitAfter(s, plan, before)):
				t.Errorf("began too soon after %s: %s", before, e)
			case again && before.Server != x.Server:
				t.Errorf("another server than for %s: %s", before, e)
			case began < busyUntil[p]:
				t.Errorf("the slot is busy until %s: %s", busyUntil[p], e)
			case st == mail.Pending && int(x.Try) == plan.limit && !uncounted(r):
				t.Errorf("will be resent a time too often: %s", e)
			}
			now, busyUntil[p], earlier[x.Rcpt] = at, at, e
			status[x.Rcpt] = st
			if !uncounted(r) {
				tries[x.Rcpt]++
			}
			if st != mail.Pending {
				final++
			}
			var recorded uint64
			for _, r := range w.Records() {
				recorded += r.Final()
			}
			if recorded != final {
				t.Fatalf("%s: %d recipients are final, the recorders have %d", at, final, recorded)
			}
			a.Ended = append(a.Ended, e)
			rowOf = append(rowOf, rows(w, x.Server))
		}
		w, err := sim.New(s, 0, nil, watch)
		if err != nil {
			t.Fatal(err)
		}
		var last sim.Progress
		end, stopped := w.Run(func(p sim.Progress) bool {
			if p.Now < last.Now || p.Final < last.Final || p.Final > p.Total || p.Total != uint64(len(status)) {
				t.Errorf("progress goes from %+v to %+v", last, p)
			}
			last = p
			return true
		})
		all := final == uint64(len(status))
		switch {
		case stopped:
			t.Errorf("stopped, though nobody said so")
		case end > vt.Time(s.Horizon) || end < now:
			t.Errorf("ends at %s, after its last attempt at %s and by its horizon of %s", end, now, s.Horizon)
		case all && len(status) > 0 && end != now && !s.Dispatch.Sends(): // a sending server reports it later
			t.Errorf("ends at %s, though everything was final at %s", end, now)
		case !all && end != vt.Time(s.Horizon):
			t.Errorf("ends at %s with %d of %d recipients final, before its horizon of %s", end, final, len(status),
				s.Horizon)
		}
		checkIntervals(t, s, w, a, rowOf, end, all)
		checkNoneForgotten(t, s, w, earlier, end)
	})
}

// waitAfter is the least time between the end of an attempt and the next.
func waitAfter(s *scenarios.Scenario, p plan, e ended) vt.Span {
	if n := e.Reply.Row; n > 0 {
		switch row := rowsOf(s, e.Dest)[n-1]; {
		case row.Reaction == "hold":
			return row.For
		case row.Reaction == "reconnect" && e.Conn != mail.Fresh:
			return 0
		}
	}
	if s.Retry.GreylistDelay > 0 && e.Try == 0 && e.Reply.Stage == mail.StageRCPT &&
		(e.Reply.Code == 450 || e.Reply.Code == 451) {
		return s.Retry.GreylistDelay
	}
	delays := p.delays
	if own := s.Destinations[e.Dest].Send.Delays; len(own) > 0 {
		delays = own
	}
	return delays[min(int(e.Try), len(delays)-1)]
}

// rowsOf returns the rows of the sender's reply table for a destination.
func rowsOf(s *scenarios.Scenario, d mail.Destination) []replies.Row {
	return slices.Concat(s.Destinations[d].Replies, s.Replies)
}

// plainRetries leaves a limit that stays and delays that are written out.
func plainRetries(s *scenarios.Scenario) {
	was, p := s.Retry, timetable(s.Retry)
	s.Retry = scenarios.Default().Retry
	s.Retry.Limit, s.Retry.Delays, s.Retry.Bounce, s.Retry.Ambiguous =
		p.limit, slices.Clone(p.delays), was.Bounce, was.Ambiguous
}

// rows returns the number of rows of a server so far.
func rows(w *sim.World, server mail.Server) int { return len(w.Records()[server].Intervals) }

// checkIntervals compares the rows with the attempts: every row counts the
// attempts that ended in it, the rows follow each other, and C changes by at most
// the step.
func checkIntervals(t *testing.T, s *scenarios.Scenario, w *sim.World, a account, rowOf []int, end vt.Time, all bool) {
	length := vt.Time(s.Governor.Interval)
	parts := map[int]float64{} // of C, by interval
	type place struct{ server, row int }
	counted := map[place][]ended{}
	for k, e := range a.Ended {
		for _, server := range []int{int(e.Server), len(s.Servers)} { // the last is the cluster, if it has an account
			counted[place{server, rowOf[k]}] = append(counted[place{server, rowOf[k]}], e)
		}
	}
	for server := range s.Accounts() {
		cluster := server == len(s.Servers)
		of := func(e ended) bool { return cluster || int(e.Server) == server }
		g, c := s.Governor, s.Governor.Start
		if cluster {
			g, c = g.Times(server), c*float64(server)
		}
		part := s.OneGovernor() && !cluster
		var number int
		var began vt.Time
		var slotTime, most float64
		for _, i := range w.Record().Intervals {
			if int(i.Server) != server {
				continue
			}
			d := i.Decision
			var gotDelivered, gotAttempts uint64
			for _, e := range counted[place{server, number}] {
				if e.At < began || e.At > i.End {
					t.Errorf("counted in the interval from %s to %s: %s", began, i.End, e)
				}
				gotAttempts++
				if e.Status == mail.Done {
					gotDelivered++
				}
			}
			most = max(most, i.Sample.Allocated)
			if part && number == 0 {
				c = d.Previous
			}
			step := greatestStep(g, most/c)
			switch fault := faultOf(g, i.Number); {
			case part: // what others lose it may get
				step = math.MaxInt32
			case fault == "missed":
				step = 0
			case fault == "duplicate": // twice, and with fewer processes each counts for more
				step = 2 * greatestStep(g, most/min(c, d.Available))
				fallthrough
			default:
				most = 0
			}
			switch {
			case i.Number != number:
				t.Errorf("server %d: interval %d after %d others", server, i.Number, number)
			case !i.Partial && i.End != began+length, i.Partial && (i.End != end || i.End > began+length):
				t.Errorf("server %d interval %d: from %s to %s, partial %v", server, number, began, i.End, i.Partial)
			case i.Sample.Delivered != gotDelivered || i.Sample.Attempts != gotAttempts:
				t.Errorf("server %d interval %d: %d of %d attempts delivered, want %d of %d", server, number,
					i.Sample.Delivered, i.Sample.Attempts, gotDelivered, gotAttempts)
			case d.Previous != c:
				t.Errorf("server %d interval %d: C was %v, then %v", server, number, c, d.Previous)
			case d.Available < 1:
				t.Errorf("server %d interval %d: C is %v", server, number, d.Available)
			case math.Abs(d.Available-c) > step*(1+1e-9)+1e-9*c:
				t.Errorf("server %d interval %d: C goes from %v to %v, which is more than %v", server, number, c,
					d.Available, step)
			}
			if part {
				parts[number] += d.Available
			}
			if want := max(float64(server), math.Floor(d.Available)); cluster && !i.Partial && parts[number] != want {
				t.Errorf("interval %d: C is %v and its parts add up to %v, want %v", number, d.Available, parts[number],
					want)
			}
			slotTime += i.Sample.Allocated * float64(i.End-began)
			number, began, c = number+1, i.End, d.Available
		}
		// Slots are allocated while they have an attempt under way, no longer.
		var took float64
		for _, e := range a.Ended {
			if of(e) {
				took += float64(e.Reply.Took)
			}
		}
		if all && math.Abs(slotTime-took) > 1e-9*took+1e-3 {
			t.Errorf("server %d: slots are allocated for %g ns and attempts last %g ns", server, slotTime, took)
		}
	}
}

// eachForItself lets every server decide for itself.
func eachForItself(s *scenarios.Scenario) {
	s.Governor.Scope = "server"
	if s.Retry.OfCluster() {
		s.Retry.Scope = "server"
	}
}

func faultOf(g governor.Config, number int) string {
	for _, f := range g.Faults {
		if f.Interval == number {
			return f.Kind
		}
	}
	return ""
}

// checkNoneForgotten finds recipients whose resend was due while their server was
// idle, from the beginning of its last interval to the end. Recipients of a
// destination that is dead then are not tried, recipients of a destination with a rate
// of its own, or of a campaign with one, wait for their turn, and so they do where a reply
// may slow or suspend attempts; in a pause every recipient waits.
func checkNoneForgotten(t *testing.T, s *scenarios.Scenario, w *sim.World, last map[mail.Recipient]ended, end vt.Time) {
	idle, rooms := map[mail.Server]bool{}, map[mail.Server][]engine.DestinationInterval{}
	for _, i := range w.Record().Intervals {
		idle[i.Server] = i.End == end && i.Sample.Allocated == 0
		rooms[i.Server] = i.Destinations
	}
	if slices.ContainsFunc(s.Pauses(), func(w vt.Window) bool { return w.From < end && end <= w.To }) {
		return
	}
	longest := max(slices.Max(timetable(s.Retry).delays), s.Retry.GreylistDelay)
	for _, e := range last {
		send := s.Destinations[e.Dest].Send
		wait := max(longest, slices.Max(append(send.Delays[:len(send.Delays):len(send.Delays)], 0)))
		for _, row := range rowsOf(s, e.Dest) {
			wait = max(wait, row.For)
		}
		latest := e.At.Add(wait + wait/32768 + vt.Millisecond) // with the grain
		dead := rooms[e.Server] != nil && rooms[e.Server][e.Dest].Limit == 0
		rated := send.Rate > 0 || send.ConnectionRate > 0 || // the next message waits for its turn
			slices.ContainsFunc(s.Campaigns, func(c scenarios.Campaign) bool { return c.Rate > 0 })
		for d := range s.Destinations { // a row of one destination may have the scope of all
			rated = rated || slices.ContainsFunc(rowsOf(s, mail.Destination(d)), replies.Row.Gates)
		}
		if idle[e.Server] && e.Status == mail.Pending && latest < end && !dead && !rated {
			t.Errorf("server %d is idle at %s, and this is never resent: %s", e.Server, end, e)
		}
	}
}

// greatestStep is d of [0067], with the dynamic law d x U of [0069].
func greatestStep(g governor.Config, utilization float64) float64 {
	if g.Allocated == "as-printed" {
		utilization /= g.Interval.Hours()
	}
	if g.CapUtilization {
		utilization = min(utilization, 1)
	}
	d := map[string]float64{"explicit": g.D, "per-day": float64(g.Factor) * g.Interval.Hours(),
		"as-printed": float64(g.Factor) * 24 / g.Interval.Hours()}[g.StepMode]
	return map[string]float64{"hold": 0, "patent-damped": d, "patent-dynamic": d * utilization}[g.Law]
}

// With an unattainable target C rises by d at the end of every interval in which
// a process was allocated.
func TestEndlessTargetRaisesCByD(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		eachForItself(s)
		g := &s.Governor
		g.Law, g.Target, g.Allocated, g.StepMode, g.D = "patent-damped", 1e9, "average", "explicit", 0.3+5*d.Float64()
		g.Changes, g.Faults = nil, nil
		for _, r := range runEngine(t, s).Rows {
			reach := 1e9 / (float64(r.Delivered) / g.Interval.Hours() / r.Allocated) // processes for the target
			if !r.Partial && r.Allocated > 0 && reach > r.Previous+g.D && !near(r.Available, r.Previous+g.D) {
				t.Errorf("%s, want C = %v", r, r.Previous+g.D)
			}
		}
	})
}

// The horizon ends a run and changes nothing before it.
func TestHorizonOnlyCuts(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		long := runEngine(t, s)
		short := *s
		short.Horizon = max(1, vt.Span(d.Float64()*float64(long.End)))
		short.Campaigns = nil
		for _, c := range s.Campaigns { // those that begin later are beyond it
			if c.Start < short.Horizon {
				short.Campaigns = append(short.Campaigns, c)
			}
		}
		if len(short.Campaigns) < len(s.Campaigns) {
			return // recipients would have other numbers
		}
		long.Ended = upTo(short.Horizon, long.Ended, func(e ended) vt.Time { return e.At })
		long.Rows = upTo(short.Horizon, long.Rows, func(r row) vt.Time { return r.End })
		cut := runEngine(t, &short)
		cut.Rows = slices.DeleteFunc(cut.Rows, func(r row) bool { return r.Partial })
		long.Rows = slices.DeleteFunc(long.Rows, func(r row) bool { return r.Partial })
		cut.End, long.End = 0, 0
		same(t, "cut at "+short.Horizon.String(), cut, "uncut", long)
	})
}

func upTo[T any](h vt.Span, all []T, at func(T) vt.Time) []T {
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return at(x) > vt.Time(h) })
}

// same fails if two accounts differ.
func same(t *testing.T, one string, x account, other string, y account) {
	t.Helper()
	if diff := difference(one, x, other, y); diff != "" {
		t.Error(diff)
	}
}

// Unused features change nothing: draws are named, not taken from a sequence.
func TestWhatIsNotUsedChangesNothing(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		atOnce(s)
		eachForItself(s)
		more := *s
		unused := s.Destinations[0]
		unused.Name, unused.Domain, unused.Share = "unused", "unused.example", 0
		more.Destinations = append(slices.Clone(s.Destinations), unused)
		idle := s.Servers[0]
		idle.Name, idle.Share = "idle", 0
		more.Servers = append(slices.Clone(s.Servers), idle)
		more.Horizon = min(s.Horizon, longDay(&more))
		s.Horizon = more.Horizon
		a := runEngine(t, &more)
		a.Rows = slices.DeleteFunc(a.Rows, func(r row) bool { return int(r.Server) == len(s.Servers) })
		for i := range a.Rows {
			a.Rows[i].Gates = a.Rows[i].Gates[:min(len(a.Rows[i].Gates), len(s.Destinations))]
		}
		same(t, "with an unused server and destination", a, "without", runEngine(t, s))
	})
}

// Servers are independent ([0063]): the results of one server's list do not depend
// on another server's distance or load.
func TestServersAreIndependent(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		asItStands(s)
		eachForItself(s)
		notShared(s)
		if len(s.Servers) == 1 {
			s.Servers = append(s.Servers, config.DefaultServer())
			s.Servers[1].Name = "b2"
		}
		s.Horizon = min(s.Horizon, longDay(s))
		one := d.IntN(len(s.Servers))
		others := *s
		others.Servers = slices.Clone(s.Servers)
		for i := range others.Servers {
			if v := &others.Servers[i]; i != one {
				v.ExtraRTT += 7 * vt.Millisecond
				v.ExtraHops++
				v.Contention, v.Coherency = v.Contention/2+0.01, v.Coherency/2+0.001
			}
		}
		x, y := runEngine(t, s), runEngine(t, &others)
		until := min(x.End, y.End) // the run goes on while any server is at work
		for _, a := range []*account{&x, &y} {
			a.End = 0
			a.Ended = slices.DeleteFunc(a.Ended, func(e ended) bool { return int(e.Server) != one })
			// at its end a run may stop before or after the row
			a.Rows = slices.DeleteFunc(a.Rows, func(r row) bool {
				return int(r.Server) != one || r.Partial ||
					r.End >= until
			})
		}
		same(t, "with other neighbours", x, "with these", y)
	})
}

// asItStands cuts lists as they stand: a plan depends on the times of all servers and destinations.
func asItStands(s *scenarios.Scenario) { s.Dispatch = scenarios.Default().Dispatch }

// atOnce has lists on their servers when a campaign starts: how long messages take depends on who sends them when.
func atOnce(s *scenarios.Scenario) { s.Dispatch.Check, s.Bus = 0, scenarios.Default().Bus }

// plannedBefore divides lists by what the scenario states: a plan by what was learned depends on what came before.
func plannedBefore(s *scenarios.Scenario) {
	if s.Dispatch.Learns() {
		s.Dispatch = scenarios.Default().Dispatch
		s.Dispatch.Partition = "equal"
	}
}

// Twice the servers for twice the list: the first half is delivered as before.
func TestTwiceTheServersAndTheList(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		asItStands(s)
		eachForItself(s)
		notShared(s)
		s.Campaigns = s.Campaigns[:1] // a second list would begin at another number
		s.Servers = s.Servers[:1]
		s.Servers[0].Share = 1
		twice := *s
		twice.Campaigns = slices.Clone(s.Campaigns)
		twice.Campaigns[0].Recipients *= 2
		second := s.Servers[0]
		second.Name = "second"
		twice.Servers = []config.Server{s.Servers[0], second}
		s.Horizon = min(s.Horizon, longDay(&twice))
		twice.Horizon = s.Horizon
		x, y := runEngine(t, s), runEngine(t, &twice)
		y.Ended = slices.DeleteFunc(y.Ended, func(e ended) bool { return e.Server != 0 })
		y.Rows = slices.DeleteFunc(y.Rows, func(r row) bool { return r.Server != 0 || r.Partial || r.End > x.End })
		x.Rows = slices.DeleteFunc(x.Rows, func(r row) bool { return r.Partial })
		x.End, y.End = 0, 0
		same(t, "alone", x, "as one of two", y)
	})
}

// All times k times as long: the run takes k times as long, and nothing else
// changes. Exact where no time is rounded: constant times, no contention, no habits, and
// delays of which the longest is a whole number of grains; with a governor,
// for powers of two.
func TestAllTimesScaled(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		asItStands(s)
		k := vt.Span(pick(d, 2, 4))
		if s.Governor.Law == "hold" {
			k = pick[vt.Span](d, 2, 3, 5)
		}
		s.Governor.Allocated = "average" // the average / S has no unit that scales
		s.Quiet = nil                    // a day stays a day
		noReplies(s)
		plainRetries(s)
		s.Freeing = scenarios.Default().Freeing
		noHabits(s)
		for i := range s.Retry.Delays {
			s.Retry.Delays[i] = 32_768 * vt.Millisecond * vt.Span(1+s.Retry.Delays[i]%7)
		}
		for i := range s.Destinations {
			own := &s.Destinations[i].Send
			for k := range own.Delays {
				own.Delays[k] = 32_768 * vt.Millisecond * vt.Span(1+own.Delays[k]%7)
			}
			inMilliseconds(&own.Rate)
			inMilliseconds(&own.ConnectionRate)
		}
		for i := range s.Campaigns {
			inMilliseconds(&s.Campaigns[i].Rate)
		}
		for i := range s.Servers {
			s.Servers[i].Contention, s.Servers[i].Coherency = 0, 0
		}
		eachTime(s, func(v *delay.Dist) { *v = delay.Constant(typical(*v)) })
		s.Horizon = min(s.Horizon, 3650*vt.Day/k)

		long := clone(s)
		eachTime(long, func(v *delay.Dist) { v.Mean *= k })
		times := []*vt.Span{&long.Horizon, &long.Governor.Interval, &long.Network.PerHop, &long.Network.Retrans}
		switch each := &long.Governor.Destination; each.Law {
		case "postfix-feedback":
			times = append(times, &each.Revive)
		case "aimd":
			times = append(times, &each.AIMD.Timeout)
		}
		for i := range long.Servers {
			times = append(times, &long.Servers[i].ExtraRTT)
		}
		for i := range long.Network.Distances {
			times = append(times, &long.Network.Distances[i].RTT)
		}
		for i := range long.Campaigns {
			times = append(times, &long.Campaigns[i].Start)
			long.Campaigns[i].Rate /= unit.PerHour(k)
		}
		for i := range long.Retry.Delays {
			times = append(times, &long.Retry.Delays[i])
		}
		for i := range long.Destinations {
			own := &long.Destinations[i].Send
			for k := range own.Delays {
				times = append(times, &own.Delays[k])
			}
			own.Rate, own.ConnectionRate = own.Rate/unit.PerHour(k), own.ConnectionRate/unit.PerHour(k)
		}
		p := &long.Dialogue.Timeouts
		for _, v := range append(times, &p.DNS, &p.Connect, &p.Banner, &p.Command, &p.Data, &p.Dot) {
			*v *= k
		}
		long.Governor.Target /= unit.PerHour(k)
		for i := range long.Governor.Changes {
			v := &long.Governor.Changes[i]
			v.At, v.Over, v.Target = v.At*k, v.Over*k, v.Target/unit.PerHour(k)
		}
		switch long.Governor.StepMode {
		case "per-day":
			long.Governor.Factor /= unit.PerHour(k)
		case "as-printed":
			long.Governor.Factor *= unit.PerHour(k)
		}

		want := runEngine(t, s)
		want.End *= vt.Time(k)
		for i := range want.Ended {
			want.Ended[i].At *= vt.Time(k)
			want.Ended[i].Reply.Took *= k
		}
		for i := range want.Rows {
			want.Rows[i].End *= vt.Time(k)
			want.Rows[i].Target /= float64(k)
		}
		got := runEngine(t, long)
		for _, rows := range [][]row{want.Rows, got.Rows} {
			for _, r := range rows {
				for d := range r.Gates {
					r.Gates[d].Took = 0 // a mean in whole nanoseconds
				}
			}
		}
		same(t, "slowed down", got, "by arithmetic", want)
	})
}

// inMilliseconds makes the time between two events at a rate a whole number of milliseconds.
func inMilliseconds(rate *unit.PerHour) {
	if *rate > 0 {
		*rate = unit.PerHour(float64(vt.Hour) / float64(mail.Every(*rate)/vt.Millisecond*vt.Millisecond))
	}
}

// Behaviour that never takes effect changes nothing: limits beyond every rate,
// outages and drifts after the end, a factor of 1.
func TestHabitsBeyondReach(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, _ *dice, s *scenarios.Scenario) {
		noHabits(s)
		with := clone(s)
		with.Network.Down = []config.Down{{From: s.Horizon + 1, For: vt.Day, Fault: "drop"}}
		for i := range with.Destinations {
			d := &with.Destinations[i]
			if d.Greylist.Share > 0 {
				d.Greylist.WhitelistAfter = 1_000_000_000
			}
			d.Bucket.Rate, d.Bucket.Burst = 3.6e9, 1_000_000
			d.Recent, d.Throttle.Soft, d.Throttle.Hard = vt.Day, 3.5e9, 3.6e9
			d.Tarpit.Soft, d.Tarpit.Hard, d.Tarpit.Delay = 3.5e9, 3.6e9, vt.Hour
			d.Knee.Connections, d.Knee.Slope = 100_000, 10
			d.Down = with.Network.Down
			d.Drift = []delay.Drift{{Factor: 1}, {At: s.Horizon + 1, Factor: 3}}
		}
		same(t, "with habits beyond reach", runEngine(t, with), "without", runEngine(t, s))
	})
}

// The order of the destinations does not change the run, if each recipient stays
// at its destination. This is exact where no draw belongs to a connection, since
// such draws depend on the number of the destination, and without limits, since
// deferred recipients are tried in the order of these numbers.
func TestDestinationsPermuted(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		asItStands(s)
		noConnectionLuck(s)
		noLimits(s)
		list := s.List(rng.New(s.Seed, replication(s)))
		order := d.Perm(len(s.Destinations))
		permuted := clone(s)
		for was, is := range order {
			permuted.Destinations[is] = s.Destinations[was]
		}
		var dest []mail.Destination
		for r := range list.Len() {
			dest = append(dest, mail.Destination(order[list.Destination(mail.Recipient(r))]))
		}
		there := mail.ReadList(dest)
		want := runEngine(t, s)
		for i := range want.Ended {
			want.Ended[i].Dest = mail.Destination(order[want.Ended[i].Dest])
		}
		same(t, "permuted", runEngineOn(t, permuted, &there), "in order", want)
	})
}

// Recipients in another order have the same outcomes, where the destination alone
// decides them: one server, probabilities of 0 and 1, constant times, no cap, no
// contention, no horizon.
func TestRecipientsPermuted(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		plannedBefore(s)
		eachForItself(s)
		noConnectionLuck(s)
		plainRetries(s)
		noInteraction(s)
		s.Servers = s.Servers[:1]
		s.Servers[0].Share = 1
		eachTime(s, func(v *delay.Dist) { *v = delay.Constant(typical(*v)) })
		for i := range s.Destinations {
			v := &s.Destinations[i]
			v.Dead = slices.DeleteFunc(v.Dead, func(config.Dead) bool { return d.coin() })
			v.Dead = v.Dead[:min(1, len(v.Dead))]
			for j := range v.Dead {
				v.Dead[j].Share = 1
			}
			v.Fail = v.Fail[:min(1, len(v.Fail))]
			for j := range v.Fail {
				v.Fail[j].P = 1
			}
		}
		list := s.List(rng.New(s.Seed, replication(s)))
		order := d.Perm(list.Len())
		dest := make([]mail.Destination, list.Len())
		for was, is := range order {
			dest[is] = list.Destination(mail.Recipient(was))
		}
		there := mail.ReadList(dest)
		x, y := fates(s, runEngine(t, s)), fates(s, runEngineOn(t, s, &there))
		for was, is := range order {
			if x[was] != y[is] {
				t.Fatalf("recipient %d ends %+v, and as number %d %+v", was, x[was], is, y[is])
			}
		}
	})
}

// A class split into two equal classes gives the same run, except for the name of
// the class. This is exact where no draw belongs to a connection, and no
// connection is kept for another message or counted.
func TestClassSplit(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		asItStands(s)
		s.Network.Distances = nil // by names
		noConnectionLuck(s)
		noLimits(s)
		s.Dialogue.Messages = 1
		for i := range s.Destinations {
			s.Destinations[i].Cap, s.Destinations[i].Messages = 0, 0
		}
		if s.Retry.Policy == "yield" { // each class has a limit of its own
			fixed := scenarios.Default().Retry
			fixed.Limit, fixed.Delays = s.Retry.Limit, s.Retry.Delays
			s.Retry = fixed
		}
		which := d.IntN(len(s.Destinations))
		split := clone(s)
		split.Destinations[which].Share /= 2
		other := split.Destinations[which]
		other.Name, other.Domain = "half", "half.example"
		split.Destinations = slices.Insert(split.Destinations, which+1, other)
		got := runEngine(t, split)
		for i, e := range got.Ended {
			if int(e.Dest) > which {
				got.Ended[i].Dest--
			}
		}
		same(t, "split", got, "whole", runEngine(t, s))
	})
}

// One more resend never delivers fewer, recipient by recipient with the same
// draws. This holds where the result of an attempt depends neither on its time nor
// on other attempts: no draws by connection, no kept connections, no cap, no
// contention, no greylist, no horizon.
func TestMoreRetriesNeverDeliverFewer(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		plannedBefore(s)
		noConnectionLuck(s)
		plainRetries(s)
		noInteraction(s)
		more := clone(s)
		more.Retry.Limit++
		few, _ := attemptsOf(t, s, nil)
		many, _ := attemptsOf(t, more, nil)
		x, y := fates(s, few), fates(more, many)
		for r := range x {
			gaveUp := x[r].status == mail.Failed && x[r].tries == s.Retry.Limit+1
			switch {
			case !gaveUp && x[r] != y[r]:
				t.Fatalf("recipient %d ends %+v with %d resends, %+v with one more", r, x[r], s.Retry.Limit, y[r])
			case gaveUp && y[r].tries < x[r].tries:
				t.Fatalf("recipient %d is tried %d times with %d resends, %d times with one more", r, x[r].tries,
					s.Retry.Limit, y[r].tries)
			}
		}
	})
}

// Lower latency never ends an attempt later, for a single slot that resends
// nothing: its attempts come in the order of the lists. (With resends a shorter
// attempt may let another one go first, as in any list scheduling.) No stage
// may run into its time-out: an attempt that is cut off ends early. And no
// receiver may look at the clock, nor a destination be dead for a time.
func TestLowerLatencyNeverEndsLater(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		plannedBefore(s)
		s.Servers = s.Servers[:1]
		s.Servers[0].Share = 1
		s.Governor.Law, s.Governor.Start = "hold", 1
		plainRetries(s)
		s.Retry.Limit = 0
		welcome(s)
		p := &s.Dialogue.Timeouts
		p.DNS, p.Connect, p.Banner, p.Command, p.Data, p.Dot = vt.Hour, vt.Hour, vt.Hour, vt.Hour, vt.Hour, vt.Hour
		endless(s)
		noHabits(s)
		noLimits(s)
		for i := range s.Campaigns {
			s.Campaigns[i].Priority = 0 // who goes first does not depend on when a list arrives
		}
		fast := clone(s)
		s.Servers[0].ExtraRTT += vt.Span(d.between(1, 50)) * vt.Millisecond
		s.Network.PerHop += vt.Span(d.between(0, 3)) * vt.Millisecond
		x, y := runEngine(t, s), runEngine(t, fast)
		for i, slow := range x.Ended {
			quick := y.Ended[i]
			if quick.Rcpt != slow.Rcpt || quick.Status != slow.Status || quick.At > slow.At {
				t.Fatalf("faster\n  %s, slower\n  %s", quick, slow)
			}
		}
	})
}

// Two mailings, one long after the other, give the same as each alone, in either
// order. This is exact where neither C nor limits change, no draw belongs to a
// connection, and the mailings are a whole number of grains apart.
func TestMergedMailingsAddUp(t *testing.T) {
	eachScenario(t, howMany(t, 15, 50), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		plannedBefore(s)
		atOnce(s)
		eachForItself(s)
		noConnectionLuck(s)
		noLimits(s)
		plainRetries(s)
		s.Governor.Law, s.Governor.Interval = "hold", 3*vt.Hour
		s.Horizon = 300 * vt.Day
		grain := roundUp(slices.Max(s.Retry.Delays), 32768*vt.Millisecond) / 32768
		apart := roundUp(100*vt.Day, grain)
		s.Campaigns = append(s.Campaigns[:1], s.Campaigns[0])
		s.Campaigns[1].Name = "second"
		s.Campaigns[0].Start, s.Campaigns[1].Start = 0, apart
		swapped := clone(s)
		swapped.Campaigns[0].Start, swapped.Campaigns[1].Start = apart, 0
		alone := clone(s)
		alone.Campaigns = alone.Campaigns[:1]

		both := runEngine(t, s)
		first := func(e ended) bool { return int(e.Rcpt) < s.Campaigns[0].Recipients }
		second := func(e ended) bool { return !first(e) }
		only := func(which func(ended) bool, a account, shift vt.Time) account {
			var part account
			for _, e := range a.Ended {
				if which(e) {
					e.At, e.Slot = e.At+shift, 0 // which of the free slots is taken depends on what was before
					part.Ended = append(part.Ended, e)
				}
			}
			return part
		}
		other := runEngine(t, swapped)
		same(t, "first of two", only(first, both, 0), "alone", only(first, runEngine(t, alone), 0))
		same(t, "second of two", only(second, both, 0), "first of two", only(second, other, vt.Time(apart)))
		same(t, "first of two", only(first, both, vt.Time(apart)), "second of two", only(first, other, 0))
	})
}

// fate is the outcome of a recipient.
type fate struct {
	status mail.Status
	tries  int
	reply  mail.Stage
	code   uint16
}

func fates(s *scenarios.Scenario, a account) []fate {
	all := make([]fate, s.Recipients())
	for _, e := range a.Ended {
		all[e.Rcpt] = fate{e.Status, all[e.Rcpt].tries + 1, e.Reply.Stage, e.Reply.Code}
	}
	return all
}

// noLimits removes what lets recipients of some destinations, or all of them, wait:
// limits of the sender's own, its reactions to replies, and pauses.
func noLimits(s *scenarios.Scenario) {
	noReplies(s)
	s.Quiet = nil
	s.Governor.Changes = slices.DeleteFunc(slices.Clone(s.Governor.Changes),
		func(c governor.Change) bool { return c.Target == 0 })
	s.Governor.Destination = governor.DefaultDestination()
	for i := range s.Destinations {
		s.Destinations[i].Send = config.DefaultDestination().Send
	}
	for i := range s.Servers {
		s.Servers[i].Connections = 0
	}
	for i := range s.Campaigns {
		s.Campaigns[i].Rate = 0
	}
}

// noReplies takes the sender's reply table away.
func noReplies(s *scenarios.Scenario) {
	s.Replies = nil
	for i := range s.Destinations {
		s.Destinations[i].Replies = nil
	}
}

// noHabits leaves receivers whose only state is caps and greylists and that are
// the same at any time, and servers that can do any number of things at once.
func noHabits(s *scenarios.Scenario) {
	s.Network.Down, s.Network.Drift, s.Network.DNS.Drift = nil, nil, nil
	for i := range s.Servers {
		v := &s.Servers[i]
		v.Down, v.Rate, v.Bandwidth = nil, 0, 0
	}
	for i, d := range s.Destinations {
		s.Destinations[i] = d.WithoutBehaviour()
		s.Destinations[i].Mailboxes = nil
	}
}

// welcome makes receivers refuse sessions for a time alone: a refusal of the sender leads to a resend, whatever the
// limit is.
func welcome(s *scenarios.Scenario) {
	for i := range s.Destinations {
		for k, f := range s.Destinations[i].Fail {
			if f.At == "ehlo" && f.Reply >= 500 {
				s.Destinations[i].Fail[k].Reply = 450
			}
		}
	}
}

// notShared makes every receiver treat servers separately, and servers react by themselves.
func notShared(s *scenarios.Scenario) {
	noReplies(s)
	for i := range s.Servers {
		s.Servers[i].Block = "" // a greylist passes a netblock
	}
	for i := range s.Destinations {
		d := &s.Destinations[i]
		d.Shared, d.By = false, "address"
		for k := range d.Allowances {
			d.Allowances[k].Scope = "server"
		}
	}
}

// noConnectionLuck removes all draws that are named by a connection's ordinal:
// look-ups, paths, greetings. It also removes the behaviour of receivers, which
// depends on the server and on the number of the destination.
func noConnectionLuck(s *scenarios.Scenario) {
	noHabits(s)
	n := &s.Network
	n.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(typical(n.DNS.Hit)), Miss: delay.Constant(0)}
	n.Hops = config.Hops{Mean: 14, Min: 14, Max: 14}
	n.HopLoss = 0
	for i := range s.Destinations {
		d := &s.Destinations[i]
		d.RTT, d.Banner = delay.Constant(typical(d.RTT)), delay.Constant(typical(d.Banner))
		d.Fail = slices.DeleteFunc(d.Fail, func(f config.Fail) bool {
			return f.At == "connect" || f.At == "banner" ||
				f.At == "ehlo"
		})
	}
}

// noInteraction removes everything by which another attempt, or time, could
// change an attempt.
func noInteraction(s *scenarios.Scenario) {
	noLimits(s)
	s.Dialogue.Messages, s.Message.SizeSigma = 1, 0
	for i := range s.Campaigns {
		s.Campaigns[i].Size = 0
	}
	for i := range s.Servers {
		s.Servers[i].Contention, s.Servers[i].Coherency = 0, 0
	}
	for i := range s.Destinations {
		s.Destinations[i].Cap, s.Destinations[i].Greylist.Share, s.Destinations[i].Messages = 0, 0, 0
	}
	endless(s)
}

// endless lets a scenario of a few thousand recipients run until all are final:
// for 300 days, of intervals that are long enough.
func endless(s *scenarios.Scenario) {
	s.Horizon = 300 * vt.Day
	s.Governor.Interval = max(s.Governor.Interval, roundUp(s.Horizon/400_000*vt.Span(len(s.Accounts())), vt.Second))
}

// typical returns a typical time of a distribution, in whole microseconds.
func typical(d delay.Dist) vt.Span {
	return vt.Span(d.Quantile(0.5)) / vt.Microsecond * vt.Microsecond
}

// eachTime calls f with every time of the world that is drawn.
func eachTime(s *scenarios.Scenario, f func(*delay.Dist)) {
	f(&s.Network.DNS.Hit)
	f(&s.Network.DNS.Miss)
	for i := range s.Destinations {
		d := &s.Destinations[i]
		for _, v := range []*delay.Dist{&d.RTT, &d.Banner, &d.RCPT, &d.Dot, &d.Greylist.Delay} {
			f(v)
		}
	}
}
