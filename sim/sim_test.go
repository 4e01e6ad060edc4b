package sim

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

const ms = vt.Millisecond

// plain is a scenario without random draws: every message takes a second on a
// fresh connection, none fails, and C stays.
func plain(recipients int) *scenarios.Scenario {
	g := governor.Default()
	g.Law, g.Start = "hold", 10
	n := config.DefaultPaths()
	n.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(0), Miss: delay.Constant(0)}
	d := config.DefaultDestination()
	d.Name, d.Domain = "plain", "plain.example"
	d.RTT, d.Banner, d.RCPT, d.Dot = delay.Constant(100*ms), delay.Constant(0), delay.Constant(0),
		delay.Constant(300*ms)
	dialogue := mail.DefaultDialogue()
	dialogue.Messages = 1 // 7 round trips and the reply to the final dot
	return &scenarios.Scenario{Name: "plain",
		Dispatch: scenarios.Default().Dispatch, Seed: 5, Horizon: 30 * vt.Day, Stages: "collapsed",
		Governor: g, Retry: retry.Default(), Message: scenarios.Message{Size: 2 << 10}, Dialogue: dialogue,
		Network: n, Servers: []config.Server{config.DefaultServer()}, Destinations: []config.Destination{d},
		Campaigns: []scenarios.Campaign{{Name: "c", Recipients: recipients, Processes: 1000, Subset: 10}}}
}

// eventful is a scenario in which everything happens.
func eventful(recipients int) *scenarios.Scenario {
	s := plain(recipients)
	s.Network = config.DefaultPaths()
	s.Network.HopLoss = 0.003
	s.Dialogue.Messages = 20
	s.Governor.Law, s.Governor.Start, s.Governor.Interval, s.Governor.Target = "patent-dynamic", 50, 10*vt.Minute, 30000
	s.Governor.StepMode, s.Governor.D = "explicit", 8
	s.Retry.Limit, s.Retry.Delays = 4, []vt.Span{vt.Minute, 10 * vt.Minute}
	second := config.DefaultServer()
	second.Name, second.ExtraRTT, second.Contention, second.Coherency, second.Share = "b2", 40*ms, 0.001, 1e-5, 0.7
	s.Servers = append(s.Servers, second)
	busy, grey, dead := config.DefaultDestination(), config.DefaultDestination(), config.DefaultDestination()
	busy.Name, busy.Domain, grey.Name, grey.Domain, dead.Name, dead.Domain =
		"busy", "busy.example", "grey", "grey.example", "dead", "dead.example"
	busy.Cap = 12
	busy.Fail = []config.Fail{{At: "connect", Fault: "drop", P: 0.01}, {At: "ehlo", Reply: 421, P: 0.01},
		{At: "rcpt", Reply: 450, P: 0.05},
		{At: "dot", Fault: "drop", P: 0.01}, {At: "dot", Fault: "timeout", P: 0.001}, {At: "data", Reply: 554, P: 0.01}}
	grey.Greylist = config.Greylist{Share: 0.6, Delay: delay.Dist{Dist: "exponential", Mean: 5 * vt.Minute},
		At: "rcpt", Reply: 451}
	grey.Share, dead.Share = 0.5, 0.3
	dead.Dead = []config.Dead{{Share: 0.3, At: "rcpt", Reply: 550}, {Share: 0.2, At: "mail", Reply: 452}}
	s.Destinations = []config.Destination{busy, grey, dead}
	late := scenarios.Campaign{Name: "late", Recipients: recipients / 4, Start: 7 * vt.Minute, Processes: 15, Subset: 3}
	s.Campaigns = append(s.Campaigns, late)
	return s
}

// record is everything that a run records.
type record struct {
	*World
	end    vt.Time
	status []mail.Status
	tries  []int
	server []mail.Server
}

func run(t testing.TB, s *scenarios.Scenario) *record {
	t.Helper()
	n := s.Recipients()
	r := &record{status: make([]mail.Status, n), tries: make([]int, n), server: make([]mail.Server, n)}
	w, err := New(s, 0, nil, func(_ vt.Time, a mail.Attempt, _ mail.Reply, status mail.Status) {
		r.status[a.Rcpt], r.server[a.Rcpt] = status, a.Server
		r.tries[a.Rcpt]++
	})
	if err != nil {
		t.Fatal(err)
	}
	r.World = w
	r.end, _ = w.Run(nil)
	return r
}

func (r *record) sameAs(t *testing.T, what string, other *record) {
	t.Helper()
	if r.Record().Digest() != other.Record().Digest() {
		t.Errorf("%s: digest %x, then %x", what, r.Record().Digest(), other.Record().Digest())
	}
	if r.end != other.end || !slices.Equal(r.status, other.status) || !slices.Equal(r.tries, other.tries) ||
		!slices.Equal(r.server, other.server) {
		t.Errorf("%s: recipients end otherwise", what)
	}
	if !slices.EqualFunc(r.Record().Intervals, other.Record().Intervals,
		func(a, b runlog.Interval) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%s: other intervals", what)
	}
}

func TestSameRunEveryTime(t *testing.T) {
	const n = 12000
	first := run(t, eventful(n))
	for status := range mail.Statuses {
		outside := status == mail.Suppressed || status == mail.Unreached // of lists that are read, and of live runs
		if first.Record().Count(status) == 0 && !outside {
			t.Errorf("nothing ended %s: the test tests too little", status)
		}
	}
	if len(first.Record().Intervals) < 6 {
		t.Errorf("only %d intervals", len(first.Record().Intervals))
	}
	first.sameAs(t, "again", run(t, eventful(n)))
	for _, procs := range []int{1, 2} {
		before := runtime.GOMAXPROCS(procs)
		first.sameAs(t, fmt.Sprint("GOMAXPROCS ", procs), run(t, eventful(n)))
		runtime.GOMAXPROCS(before)
	}
	before := debug.SetGCPercent(1)
	first.sameAs(t, "GOGC=1", run(t, eventful(n)))
	debug.SetGCPercent(before)
	full := eventful(n)
	full.Stages = "full"
	first.sameAs(t, "stages", run(t, full))

	other := eventful(n)
	other.Seed++
	if run(t, other).Record().Digest() == first.Record().Digest() {
		t.Error("another seed has the same digest")
	}
}

// Many events share the same moments: one event per stage and one event per
// attempt decide ties in the same way.
func TestStagesTie(t *testing.T) {
	s := eventful(4000)
	for i := range s.Destinations {
		d := &s.Destinations[i]
		d.RTT, d.Banner, d.Dot = delay.Constant(vt.Second), delay.Constant(vt.Second),
			delay.Constant(vt.Second)
		d.Greylist.Delay = delay.Constant(vt.Minute)
	}
	s.Network.DNS.Hit, s.Network.DNS.Miss, s.Network.HopLoss = delay.Constant(0), delay.Constant(vt.Second), 0
	s.Servers[1] = config.Server{Name: "b2", Share: 1}
	one := run(t, s)
	full := *s
	full.Stages = "full"
	one.sameAs(t, "stages", run(t, &full))
}

func TestReplicationsDiffer(t *testing.T) {
	s := eventful(1000)
	digests := map[uint64]bool{}
	for rep := range uint64(3) {
		w, err := New(s, rep, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		digests[w.Record().Digest()] = true
	}
	if len(digests) != 3 {
		t.Errorf("%d digests of 3 replications", len(digests))
	}
}

// After every event of a run: recipients = delivered + failed + held +
// pending, each attempt under way has its event, and nothing is tried after
// its end.
func TestConservation(t *testing.T) {
	for seed := range uint64(10) {
		s := eventful(300)
		s.Seed = seed
		if seed%2 == 1 {
			s.Stages = "full"
		}
		s.Horizon = 40 * vt.Minute // some runs end before their mail does
		n := uint64(s.Recipients())
		status := make([]mail.Status, n)
		w, err := New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, st mail.Status) {
			if status[a.Rcpt] != mail.Pending {
				t.Fatalf("recipient %d is tried again after it ended %s", a.Rcpt, status[a.Rcpt])
			}
			status[a.Rcpt] = st
		})
		if err != nil {
			t.Fatal(err)
		}
		for last := w.now(); !w.done() && w.step(w.horizon); last = w.now() {
			var left, allocated, coming uint64
			var events int
			var final [mail.Statuses]uint64
			for _, s := range w.servers {
				left += s.machine.Left()
				allocated += uint64(s.machine.Allocated())
				events += s.ends.Len()
				for _, a := range s.arrivals {
					coming += uint64(a.Reserve.To - a.Reserve.From)
				}
				for st := range mail.Statuses {
					n := s.rec.Count(st)
					final[st] += n
				}
			}
			if w.now() < last {
				t.Fatalf("time fell from %s to %s", last, w.now())
			}
			if all := w.progress().Final; all+left+coming != n {
				t.Fatalf("%s: %d final, %d left, %d to come, of %d", w.Where(), all, left, coming, n)
			}
			if uint64(events) != allocated {
				t.Fatalf("%s: %d events for %d attempts under way", w.Where(), events, allocated)
			}
			var by [mail.Statuses]uint64
			for _, st := range status {
				by[st]++
			}
			for st := mail.Done; st < mail.Statuses; st++ {
				if by[st] != final[st] {
					t.Fatalf("%s: %d recipients are %s, the recorders have %d", w.Where(), by[st], st, final[st])
				}
			}
		}
	}
}

// Once all buffers have grown, events allocate no memory: neither attempts, nor
// stages, nor resends. (Intervals do; here none ends.)
func TestNoAllocationPerEvent(t *testing.T) {
	for _, stages := range []string{"collapsed", "full"} {
		s := eventful(400000)
		s.Stages = stages
		s.Governor.Interval = 30 * vt.Day
		w, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 100000 {
			w.step(w.horizon)
		}
		if n := testing.AllocsPerRun(100000, func() { w.step(w.horizon) }); n != 0 {
			t.Errorf("stages %s: %v allocations per event", stages, n)
		}
		if w.done() {
			t.Error("the list is too short")
		}
	}
}

// The same holds in every built-in scenario: in the second half of a run only rows
// of intervals and a growing backlog are allocated, far less than once per
// attempt.
func TestHardlyAnAllocationInBuiltins(t *testing.T) {
	for _, name := range scenarios.Names() {
		s := builtin(t, name, 30000)
		if s.Guarded() { // what servers write is kept
			continue
		}
		whole := run(t, s).Record().Attempts()
		w, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		attempts := func() (n uint64) {
			for _, r := range w.Records() {
				n += r.Attempts()
			}
			return n
		}
		for attempts() < whole/2 {
			w.step(w.horizon)
		}
		var before, after runtime.MemStats
		from := attempts()
		runtime.ReadMemStats(&before)
		for w.step(w.horizon) {
		}
		runtime.ReadMemStats(&after)
		if n, of := after.Mallocs-before.Mallocs, attempts()-from; n > of/100 {
			t.Errorf("%s: %d allocations in %d attempts", name, n, of)
		}
	}
}

// One slot and a constant second per message: floor(horizon / second) messages
// are delivered, and the rest is pending.
func TestOneSlotAgainstArithmetic(t *testing.T) {
	for _, horizon := range []vt.Span{10 * vt.Second, 10*vt.Second - 1, 10*vt.Second + 999*ms, 100000 * vt.Second} {
		s := plain(200000)
		s.Governor.Start, s.Horizon = 1, horizon
		r := run(t, s)
		if want := uint64(horizon / vt.Second); r.Record().Count(mail.Done) != want ||
			r.servers[0].machine.Left() != 200000-want {
			t.Errorf("horizon %s: %d delivered, %d pending, want %d", horizon, r.Record().Count(mail.Done),
				r.servers[0].machine.Left(), want)
		}
		if r.end != vt.Time(horizon) {
			t.Errorf("horizon %s: ends at %s", horizon, r.end)
		}
	}
	// Over used connections: 1 s for the first of 5 messages, 4 round trips and the reply to the dot for the others.
	s := plain(100000)
	s.Governor.Start, s.Dialogue.Messages, s.Horizon = 1, 5, vt.Hour
	cycle := vt.Second + 4*(700*ms)
	want := 5 * int(s.Horizon/cycle)
	for rest, took := s.Horizon%cycle, vt.Second; rest >= took; rest, took = rest-took, 700*ms {
		want++
	}
	if r := run(t, s); int(r.Record().Count(mail.Done)) != want {
		t.Errorf("5 messages per connection: %d delivered, want %d", r.Record().Count(mail.Done), want)
	}
	// N slots do N times as much.
	s = plain(100000)
	s.Horizon = 1000 * vt.Second
	if r := run(t, s); r.Record().Count(mail.Done) != 10000 {
		t.Errorf("10 slots deliver %d in 1000 s, want 10000", r.Record().Count(mail.Done))
	}
}

// [0062]: 200,000 recipients over five equal servers, 40,000 each.
func TestServersShareTheList(t *testing.T) {
	for _, v := range []struct {
		shares []float64
		want   []int
	}{{[]float64{1, 1, 1, 1, 1}, []int{40000, 40000, 40000, 40000, 40000}}, {[]float64{3, 1}, []int{150000, 50000}},
		{[]float64{1, 0, 1}, []int{100000, 0, 100000}}} {
		s := plain(200000)
		s.Servers = nil
		for i, share := range v.shares {
			s.Servers = append(s.Servers, config.Server{Name: fmt.Sprint("b", i+1), Share: share})
		}
		r := run(t, s)
		got := make([]int, len(v.shares))
		for i := range r.server {
			if i > 0 && r.server[i] < r.server[i-1] {
				t.Fatalf("recipient %d goes to server %d, the one before to %d", i, r.server[i], r.server[i-1])
			}
			got[r.server[i]]++
		}
		if !slices.Equal(got, v.want) {
			t.Errorf("shares %v: %v recipients, want %v", v.shares, got, v.want)
		}
		if r.Record().Count(mail.Done) != 200000 || r.Record().Attempts() != 200000 {
			t.Errorf("shares %v: %d delivered in %d attempts", v.shares, r.Record().Count(mail.Done),
				r.Record().Attempts())
		}
	}
}

// failing is a list with a share of dead recipients; the others fail each try with
// probability 1 - p.
func failing(recipients int, dead, p float64, limit int) *scenarios.Scenario {
	s := plain(recipients)
	s.Governor.Start = 1000
	s.Retry.Limit = limit
	d := &s.Destinations[0]
	d.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 1 - p}}
	if dead > 0 {
		d.Dead = []config.Dead{{Share: dead, At: "rcpt", Reply: 450}} // for ever 4yz, so it is resent to the last
	}
	return s
}

// On a list of identical recipients, DFR = 1/p for any retry limit: every attempt
// succeeds with probability p.
func TestDFROfHomogeneousList(t *testing.T) {
	for _, limit := range []int{0, 1, 5, 10} {
		for _, p := range []float64{0.2, 0.87} {
			r := run(t, failing(40000, 0, p, limit))
			a, got := float64(r.Record().Attempts()), float64(r.Record().Count(mail.Done))
			if sd := math.Sqrt(a * p * (1 - p)); math.Abs(got-p*a) > 4*sd {
				t.Errorf("limit %d: DFR %.4f, want %.4f; %.1f standard deviations off", limit, a/got, 1/p, (got-p*a)/sd)
			}
			if most := slices.Max(r.tries); most > limit+1 {
				t.Errorf("limit %d: %d tries", limit, most)
			}
		}
	}
}

// With a dead share x and n attempts at most, DFR = 1/p + x n / ((1-x)(1 -
// (1-p)^n)). The retry limit counts resends, so n is one more.
func TestDFRWithDeadShare(t *testing.T) {
	const recipients = 40000
	for _, v := range []struct {
		dead, p float64
		limit   int
	}{{0.37, 0.87, 9}, {0.37, 0.87, 4}, {0.37, 0.87, 10}, {0.1, 0.3, 5}, {0.02, 0.9, 0}} {
		n := float64(v.limit + 1)
		q := math.Pow(1-v.p, n)
		want := 1/v.p + v.dead*n/((1-v.dead)*(1-q))
		r := run(t, failing(recipients, v.dead, v.p, v.limit))
		got := float64(r.Record().Attempts()) / float64(r.Record().Count(mail.Done))
		// The variance of attempts - DFR x successes of one recipient, over all ways in which it can end.
		variance := v.dead * n * n
		for k := 1.0; k <= n; k++ {
			ends := (1 - v.dead) * v.p * math.Pow(1-v.p, k-1)
			variance += ends * (k - want) * (k - want)
		}
		variance += (1 - v.dead) * q * n * n
		sd := math.Sqrt(variance/recipients) / ((1 - v.dead) * (1 - q))
		if math.Abs(got-want) > 4*sd {
			t.Errorf("%+v: DFR %.4f, want %.4f +- %.4f", v, got, want, 4*sd)
		}
	}
	// Worked numbers of the formula, about the thresholds 7 and 4 of [0074].
	for n, want := range map[int]float64{10: 7.02, 5: 4.09} {
		if got := 1/0.87 + 0.37*float64(n)/(0.63*(1-math.Pow(0.13, float64(n)))); math.Abs(got-want) > 0.005 {
			t.Errorf("%d attempts: %.3f, want %.2f", n, got, want)
		}
	}
}

// The horizon ends a run with mail pending, campaigns that have not begun
// included, and closes the interval under way.
func TestHorizon(t *testing.T) {
	s := eventful(3000)
	s.Horizon = 5 * vt.Minute // the second campaign begins at 7m
	r := run(t, s)
	if r.end != vt.Time(5*vt.Minute) || r.done() {
		t.Errorf("ends at %s, done %v", r.end, r.done())
	}
	var left, coming int
	for _, v := range r.servers {
		m := v.machine
		left += int(m.Left())
	}
	for _, a := range slices.Concat(r.servers[0].arrivals, r.servers[1].arrivals) {
		coming += int(a.Reserve.To - a.Reserve.From)
	}
	if coming != 750 || left == 0 || int(r.Record().Final())+left+coming != 3750 {
		t.Errorf("%d final, %d pending, %d to come, of 3750", r.Record().Final(), left, coming)
	}
	if len(r.Record().Intervals) != 2 || !r.Record().Intervals[0].Partial || !r.Record().Intervals[1].Partial {
		t.Errorf("intervals %+v", r.Record().Intervals)
	}
}

func TestStop(t *testing.T) {
	w, err := New(plain(200000), 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen Progress
	end, stopped := w.Run(func(p Progress) bool {
		seen = p
		return false
	})
	if !stopped || seen.Total != 200000 || seen.Final == 0 || seen.Final >= 200000 || end != seen.Now || w.done() {
		t.Errorf("stopped %v at %s, progress %+v", stopped, end, seen)
	}
}

// A list from the caller replaces the synthetic one.
func TestOtherList(t *testing.T) {
	s := eventful(1000)
	list := mail.ReadList(slices.Repeat([]mail.Destination{2, 0}, 40))
	w, err := New(s, 0, &list, func(_ vt.Time, a mail.Attempt, _ mail.Reply, _ mail.Status) {
		if want := mail.Destination(2 - 2*(a.Rcpt%2)); a.Dest != want {
			t.Fatalf("recipient %d is sent to %d", a.Rcpt, a.Dest)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if w.Record().Final() != 80 {
		t.Errorf("%d final of 80", w.Record().Final())
	}
}

func TestBadGovernorIsAnError(t *testing.T) {
	s := plain(1)
	s.Governor.Law = "pid"
	if _, err := New(s, 0, nil, nil); err == nil {
		t.Error("no error")
	}
}

// The resends of a greylisted list: the first try is deferred, the second one,
// half an hour later, passes.
func TestGreylistPasses(t *testing.T) {
	s := plain(2000)
	s.Destinations[0].Greylist = config.Greylist{Share: 1, Delay: delay.Constant(5 * vt.Minute), At: "rcpt",
		Reply: 451}
	r := run(t, s)
	if r.Record().Count(mail.Done) != 2000 || slices.Min(r.tries) != 2 || slices.Max(r.tries) != 2 {
		t.Errorf("%d delivered after %d to %d tries, want 2000 after 2", r.Record().Count(mail.Done),
			slices.Min(r.tries), slices.Max(r.tries))
	}
	s.Retry.Delays = []vt.Span{4 * vt.Minute}
	r = run(t, s)
	if r.Record().Count(mail.Done) != 2000 || slices.Min(r.tries) != 3 || slices.Max(r.tries) != 3 {
		t.Errorf("with 4 minutes: %d delivered after %d to %d tries, want 2000 after 3", r.Record().Count(mail.Done),
			slices.Min(r.tries), slices.Max(r.tries))
	}
}

// Among simultaneous events completions come before the end of the interval: with
// one message a second, the tenth belongs to the first ten seconds.
func TestCompletionsBeforeWakes(t *testing.T) {
	s := plain(100)
	s.Governor.Start, s.Governor.Interval, s.Horizon = 1, 10*vt.Second, 25*vt.Second
	r := run(t, s)
	var got []uint64
	for _, i := range r.Record().Intervals {
		got = append(got, i.Sample.Delivered)
	}
	if want := []uint64{10, 10, 5}; !slices.Equal(got, want) {
		t.Errorf("intervals deliver %v, want %v", got, want)
	}
}

// A process that is freed hangs up, and makes room under a receiver's cap: the
// second campaign is refused only while the first one's process is connected.
func TestHangUpMakesRoom(t *testing.T) {
	s := plain(1)
	s.Governor.Start, s.Dialogue.Messages = 2, 100
	s.Destinations[0].Cap = 1
	s.Retry.Limit, s.Retry.Delays = 1, []vt.Span{vt.Minute}
	s.Campaigns[0].Processes = 1
	s.Campaigns = append(s.Campaigns, scenarios.Campaign{Name: "second", Recipients: 20, Processes: 1, Subset: 20})
	r := run(t, s)
	if r.Record().Count(mail.Done) != 21 || r.Record().Attempts() <= 21 || r.Record().Attempts() > 30 {
		t.Errorf("%d delivered of 21 in %d attempts", r.Record().Count(mail.Done), r.Record().Attempts())
	}
}

// The result is the same whether servers run together in the order of time, one
// after the other, or in parallel.
func TestServersApart(t *testing.T) {
	for _, v := range []struct {
		horizon vt.Span
		scope   string
	}{{vt.Day, "server"}, {40 * vt.Minute, "server"}, {vt.Day, "cluster"}, {40 * vt.Minute, "cluster"}} {
		horizon := v.horizon
		s := eventful(20000)
		s.Horizon, s.Governor.Scope = horizon, v.scope
		for len(s.Servers) < 5 {
			v := s.Servers[len(s.Servers)-1]
			v.Name, v.Share = fmt.Sprint("b", len(s.Servers)+1), v.Share*0.8
			s.Servers = append(s.Servers, v)
		}
		watched := run(t, s)
		want := watched.Record()
		if final := want.Final(); (final < 25000) != (horizon < vt.Day) {
			t.Fatalf("%d recipients are final at %s", final, watched.end)
		}
		for workers := 1; workers <= 7; workers += 3 {
			w, err := New(s, 0, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			w.Workers = workers
			end, _ := w.Run(nil)
			got := w.Record()
			if end != watched.end || got.Digest() != want.Digest() ||
				fmt.Sprint(got.Intervals) != fmt.Sprint(want.Intervals) ||
				fmt.Sprint(got.Replies()) != fmt.Sprint(want.Replies()) ||
				fmt.Sprint(got.Latency.Bars()) != fmt.Sprint(want.Latency.Bars()) {
				t.Errorf("%d workers: the run ends at %s with digest %x, watched at %s with %x", workers, end,
					got.Digest(), watched.end, want.Digest())
			}
		}
	}
}

// A run that is stopped has the intervals of idle servers too.
func TestStopWithAnIdleServer(t *testing.T) {
	s := plain(500000)
	s.Governor.Interval = vt.Minute
	s.Servers = append(s.Servers, s.Servers[0])
	s.Servers[1].Name, s.Servers[1].Share = "idle", 0
	w, err := New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	end, stopped := w.Run(func(p Progress) bool { return p.Now < vt.Time(20*vt.Minute) })
	rows := w.Records()
	if busy, idle := len(rows[0].Intervals), len(rows[1].Intervals); !stopped || busy < 20 || busy != idle {
		t.Errorf("stopped %v at %s: %d rows of the busy server, %d of the idle one", stopped, end, busy, idle)
	}
}

// The run ends when its last recipient is final. The governor of another server
// whose interval ends at that moment makes no further decision.
func TestLastMoment(t *testing.T) {
	s := plain(1000)
	s.Governor.Interval = 90 * vt.Second
	s.Servers = append(s.Servers, s.Servers[0])
	s.Servers[1].Name, s.Servers[1].Share = "b2", 9 // 900 messages of a second each over ten slots
	rows := run(t, s).Record().Intervals
	if len(rows) != 2 {
		t.Errorf("%d rows, want one for each server", len(rows))
	}
	for _, i := range rows {
		if i.End != vt.Time(90*vt.Second) || !i.Partial {
			t.Errorf("server %d: %+v, want a partial interval of 90 s", i.Server, i)
		}
	}
}

// The total cost of an attempt: list, draws, dialogue, queue, engine, recorder.
// table1 is the built-in scenario at 200 processes, with one attempt in eight
// failing and all times random.
func BenchmarkAttempts(b *testing.B) {
	plain, eventful := plain(1<<20), eventful(1<<19)
	plain.Governor.Start, eventful.Governor.Start = 200, 200
	table1 := builtin(b, "patent-table1", 1<<21)
	table1.Governor.Law, table1.Governor.Start = "hold", 200
	d := &table1.Destinations[0]
	d.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 0.05}, {At: "rcpt", Reply: 550, P: 0.06},
		{At: "dot", Reply: 451, P: 0.02}}
	d.RTT, d.Dot = delay.Dist{Dist: "gamma", Mean: 100 * ms, Shape: 2},
		delay.Dist{Dist: "lognormal", Median: 3 * vt.Second, Sigma: 0.5}
	for _, v := range []struct {
		name string
		s    *scenarios.Scenario
	}{{"plain", plain}, {"eventful", eventful}, {"table1", table1},
		{"quickstart", builtin(b, "quickstart", 1<<20)}, {"billion", builtin(b, "billion", 1<<22)}} {
		b.Run(v.name, func(b *testing.B) { attempts(b, v.s) })
	}
}

// The same under a sending server: none, one that counts recipients, and one that follows each of them, since a message
// to a server could be lost.
func BenchmarkSendingServer(b *testing.B) {
	for _, v := range []struct {
		name string
		set  string
	}{{"none", "sender={}"}, {"counted", "bus.loss=0"}, {"followed", "bus.loss=1e-12"}} {
		text, _ := scenarios.Builtin("campaign")
		s, err := scenarios.Load("campaign", text, []string{"fault=[]", "campaign[0].recipients=400000", v.set})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(v.name, func(b *testing.B) { attempts(b, s) })
	}
}

// attempts reports the attempts of runs of s in a second.
func attempts(b *testing.B, s *scenarios.Scenario) {
	var attempts, digest uint64
	for b.Loop() {
		w, err := New(s, 0, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		w.Run(nil)
		attempts += w.Record().Attempts()
		digest = w.Record().Digest()
	}
	b.ReportMetric(float64(attempts)/b.Elapsed().Seconds(), "attempts/s")
	b.Logf("digest %016x", digest)
}

// builtin returns a built-in scenario with its lists cut to the given number of
// recipients.
func builtin(b testing.TB, name string, recipients int) *scenarios.Scenario {
	b.Helper()
	text, _ := scenarios.Builtin(name)
	s, err := scenarios.Load(name, text, []string{fmt.Sprint("campaign[0].recipients=", recipients)})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// Nothing comes to a server that is cut off, and nothing that it sends arrives.
func TestCutOff(t *testing.T) {
	w, err := New(builtin(t, "campaign", 3000), 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	y := w.system
	b := y.nodes[2]
	b.cut = vt.Time(vt.Minute)
	to := engine.Message{To: engine.Address{Role: engine.Remote, Server: 1}}
	from := engine.Message{To: engine.Address{Role: engine.Sender}}
	for _, at := range []vt.Time{b.cut - 1, b.cut} {
		before := y.agenda.Len()
		y.post(y.nodes[0], to, at)
		y.post(b, from, at)
		if n := y.agenda.Len() - before; n != 2*int(at/b.cut) {
			t.Errorf("%d of 2 messages travel at %s", n, at)
		}
	}
}
