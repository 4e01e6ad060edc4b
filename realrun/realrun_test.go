package realrun_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"flyball/engine/delivery/retry"
	"flyball/governor"
	"flyball/governor/feedback"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/sink"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/work"
	"flyball/sim"
)

// rehearsal is a scenario with all kinds of draws by recipient: greylisting, 4yz
// and 5yz at MAIL, RCPT, DATA and the final dot, drops at RCPT and after, dead
// mailboxes. The speed of the computer does not matter: one greylist lets every
// first resend pass, however late, the other none.
func rehearsal(recipients int) *scenarios.Scenario {
	const ms = vt.Millisecond
	dest := func(name, receiver string) config.Destination {
		d := config.DefaultDestination()
		d.Name, d.Domain, d.Receiver = name, name+".example", receiver
		d.RTT = delay.Dist{Dist: "uniform", Min: 10 * ms, Max: 50 * ms}
		d.Banner = delay.Constant(20 * ms)
		d.Dot = delay.Dist{Dist: "lognormal", Median: 200 * ms, Sigma: 0.7}
		return d
	}
	big, plain, grey, wall := dest("big", "go-smtp"), dest("plain", "smtpd"), dest("grey", "go-smtp"),
		dest("wall", "go-smtp")
	big.Share, plain.Share, grey.Share, wall.Share = 6, 2, 2, 0.3
	big.Fail = []config.Fail{
		{At: "mail", Reply: 421, P: 0.01}, {At: "mail", Reply: 451, P: 0.01},
		{At: "rcpt", Reply: 450, P: 0.06}, {At: "rcpt", Reply: 554, P: 0.01}, {At: "rcpt", Fault: "drop", P: 0.02},
		{At: "data", Reply: 452, P: 0.02}, {At: "data", Fault: "drop", P: 0.01}, {At: "data", Reply: 554, P: 0.005},
		{At: "dot", Reply: 451, P: 0.02}, {At: "dot", Reply: 552, P: 0.01}, {At: "dot", Fault: "drop", P: 0.005},
	}
	big.Dead = []config.Dead{{Share: 0.02, At: "rcpt", Reply: 550}, {Share: 0.01, At: "rcpt", Reply: 452}}
	plain.Fail = []config.Fail{{At: "rcpt", Reply: 550, P: 0.01}, {At: "dot", Reply: 451, P: 0.03},
		{At: "rcpt", Fault: "drop", P: 0.02}}
	grey.Greylist = config.Greylist{Share: 0.7, Delay: delay.Constant(5 * vt.Second), At: "rcpt", Reply: 451}
	wall.Greylist = config.Greylist{Share: 0.7, Delay: delay.Constant(vt.Day), At: "rcpt", Reply: 450}
	grey.Fail = []config.Fail{{At: "rcpt", Reply: 450, P: 0.05}}

	network := config.DefaultPaths()
	network.DNS.ServFail = 0
	network.DNS.Miss = delay.Constant(50 * ms)
	g := governor.Default()
	g.Interval, g.Start, g.Target, g.StepMode, g.D = 20*vt.Second, 60, 1e6, "explicit", 40
	server := config.DefaultServer()
	second := server
	second.Name, second.ExtraRTT = "b2", 20*ms
	resends := retry.Default()
	resends.Limit = 4
	resends.Delays = []vt.Span{10 * vt.Second, 60 * vt.Second}
	dialogue := mail.DefaultDialogue()
	dialogue.Timeouts.Connect = 5 * vt.Minute // time for a busy machine
	return &scenarios.Scenario{Name: "rehearsal",
		Dispatch: scenarios.Default().Dispatch, Seed: 7, Horizon: vt.Hour, Stages: "collapsed",
		Governor: g, Retry: resends, Message: scenarios.Message{Size: 2 << 10}, Dialogue: dialogue,
		Network: network, Servers: []config.Server{server, second},
		Destinations: []config.Destination{big, plain, grey, wall},
		Campaigns:    []scenarios.Campaign{{Name: "c", Recipients: recipients, Processes: 120, Subset: 50}}}
}

// outcomes records the last status and the number of tries of every recipient.
type outcomes struct {
	status    []mail.Status
	tries     []int
	ambiguous []uint16
	last      vt.Time   // end of the last attempt
	ends      []vt.Time // of each recipient's last attempt
}

func newOutcomes(n int) *outcomes {
	return &outcomes{make([]mail.Status, n), make([]int, n), make([]uint16, n), 0, make([]vt.Time, n)}
}

func (o *outcomes) watch(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status) {
	if r.Class() == mail.Ambiguous {
		o.ambiguous[a.Rcpt]++
	}
	o.status[a.Rcpt] = s
	o.last, o.ends[a.Rcpt] = now, now
	o.tries[a.Rcpt]++
}

// with returns a watch that others follow.
func (o *outcomes) with(others []runlog.Watch) runlog.Watch {
	return func(now vt.Time, a mail.Attempt, r mail.Reply, s mail.Status) {
		o.watch(now, a, r, s)
		for _, w := range others {
			w(now, a, r, s)
		}
	}
}

type letters struct {
	s    *scenarios.Scenario
	list *mail.List
}

func (l letters) Letter(r mail.Recipient, body []byte) (string, []byte) {
	to := fmt.Sprintf("r%d@%s", r, l.s.Destinations[l.list.Destination(r)].Domain)
	return to, fmt.Appendf(body, "To: %s\r\nSubject: rehearsal\r\n\r\nHello.\r\n.leading dot\r\n", to)
}

// live runs a scenario on sockets.
func live(t *testing.T, s *scenarios.Scenario, scale float64, journal *realrun.Journal,
	also ...runlog.Watch) (*outcomes, *sink.Sink, *realrun.Runner) {
	t.Helper()
	return seen(t, s, scale, journal, nil, also...)
}

// seen is live, with a function that is called with the runner now and then.
func seen(t *testing.T, s *scenarios.Scenario, scale float64, journal *realrun.Journal, see func(*realrun.Runner),
	also ...runlog.Watch) (*outcomes, *sink.Sink, *realrun.Runner) {
	t.Helper()
	key := rng.New(s.Seed, 0)
	list := s.List(key)
	domains, problems := s.Domains()
	if problems != nil {
		t.Fatal(problems)
	}
	receivers, err := sink.Open(sink.Config{Network: netmodel.NewNetwork(s.Netmodel(), key), Servers: len(s.Servers),
		Receivers: s.Destinations, Recipients: list.Len(), Scale: scale, MaxBytes: 1 << 20,
		Dial:   (*dial.Allowlist)(nil).Dial,
		Domain: func(r mail.Recipient) string { return s.Destinations[list.Destination(r)].Domain },
		Find:   domains.Find})
	if err != nil {
		t.Fatal(err)
	}
	defer receivers.Close()
	transport := &realrun.SMTP{Replies: s.ReplyTables(), Resolver: receivers, Letters: letters{s, &list},
		Dialogue: s.Dialogue, Scale: scale, Domain: "sender.example", Traces: true,
		Broken: func(err error) { t.Error(err) }}
	traces := &traced{t: t, s: s, ends: map[mail.Reply]int{}}
	also = append(also, traces.watch)
	got := newOutcomes(list.Len())
	r, err := realrun.New(s, &list, scale, transport, got.with(also), journal)
	if err != nil {
		t.Fatal(err)
	}
	r.Traced = traces.add
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	progress := func(realrun.Progress) {
		if see != nil {
			see(r)
		}
	}
	if _, stopped := r.Run(ctx, progress); stopped {
		t.Fatalf("the run did not end in time: %v", r.Record().Final())
	}
	traces.check()
	return got, receivers, r
}

func simulate(t *testing.T, s *scenarios.Scenario, also ...runlog.Watch) (*outcomes, *sim.World) {
	t.Helper()
	got := newOutcomes(s.Recipients())
	w, err := sim.New(s, 0, nil, got.with(also))
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	return got, w
}

// On sockets every recipient ends as in the simulation, after the same number of
// tries, and the receivers' own account agrees with the sender's. The long test
// has three times as many recipients.
func TestEveryRecipientEndsAsSimulated(t *testing.T) {
	t.Run("one by one", func(t *testing.T) { endsAsSimulated(t, false) })
	t.Run("together", func(t *testing.T) { endsAsSimulated(t, true) })
}

func endsAsSimulated(t *testing.T, pipelining bool) {
	t.Parallel()
	s := rehearsal(longtest.Or(2500, 12000))
	s.Dialogue.Pipelining = pipelining
	want, _ := simulate(t, s)
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	began := time.Now()
	got, receivers, r := live(t, s, 50, j)
	t.Logf("%d attempts in %v, late p99 %v: %v", r.Record().Attempts(), time.Since(began), r.Late.Quantile(0.99),
		r.Record().Final())
	differ := 0
	for i := range want.status {
		if want.status[i] != got.status[i] || want.tries[i] != got.tries[i] {
			if differ++; differ <= 10 {
				t.Errorf("recipient %d: live %v after %d tries, simulated %v after %d", i, got.status[i], got.tries[i],
					want.status[i], want.tries[i])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d recipients differ", differ, len(want.status))
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() || a.LostReply == 0 {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
	for _, status := range []mail.Status{mail.Done, mail.Failed, mail.Held} {
		if r.Record().Count(status) == 0 {
			t.Errorf("no recipient ended %v: the scenario tests too little", status)
		}
	}
	replays(t, s, j, &journal, r)
}

// Draws of a connection are named by its ordinal, so they agree in total: exactly
// the connections fail that fail in the model, and about as many are needed as in
// the simulation.
func TestConnectionsFailAsNamed(t *testing.T) {
	t.Parallel()
	s := rehearsal(3000)
	s.Destinations = s.Destinations[:2]
	for i := range s.Destinations {
		s.Destinations[i].Dead, s.Destinations[i].Greylist.Share = nil, 0
		s.Destinations[i].Fail = []config.Fail{
			{At: "connect", Fault: "drop", P: 0.05}, {At: "banner", Reply: 421, P: 0.04},
			{At: "banner", Reply: 554, P: 0.01},
			{At: "ehlo", Fault: "drop", P: 0.02},
		}
	}
	s.Destinations[0].Fail = append(s.Destinations[0].Fail, config.Fail{At: "ehlo", Reply: 421, P: 0.03})
	_, simulated := simulate(t, s)
	_, receivers, r := live(t, s, 50, nil)

	world := netmodel.NewNetwork(s.Netmodel(), rng.New(s.Seed, 0))
	// the kernel accepts; the reset comes where the greeting should, or just before
	greeting := func(s mail.Stage) mail.Stage {
		return max(s, mail.StageBanner)
	}
	type end struct {
		stage mail.Stage
		code  int
		fault mail.Fault
	}
	named, connections := map[end]uint64{}, 0
	for server := range s.Servers {
		for d := range s.Destinations {
			n := receivers.Traffic(mail.Server(server), mail.Destination(d)).Connections
			connections += n
			for i := range n {
				c := world.Connect(mail.Server(server), mail.Destination(d), uint32(i))
				for _, stage := range []mail.Stage{mail.StageConnect, mail.StageBanner, mail.StageEHLO} {
					e := world.Exchange(mail.Step{Stage: stage, RoundTrips: 1}, &c, &netmodel.Message{}, false, 1)
					if !e.Ends() {
						continue
					}
					named[end{greeting(stage), int(e.Code), e.Fault}]++
					break
				}
			}
		}
	}
	got, inSimulation := map[end]uint64{}, uint64(0)
	for _, c := range r.Record().Replies() {
		if c.Stage <= mail.StageEHLO {
			got[end{greeting(c.Stage), c.Code, c.Fault}] += c.Count
		}
	}
	for _, c := range simulated.Record().Replies() {
		if c.Stage <= mail.StageEHLO {
			inSimulation += c.Count
		}
	}
	var total uint64
	for e, n := range named {
		if e.stage == mail.StageEHLO && e.fault == mail.Drop { // another connection with HELO follows
			if total += got[e]; n < 20 || got[e] > n/4 {
				t.Errorf("%d attempts ended with the %d connections that were closed at EHLO, want few", got[e], n)
			}
			continue
		}
		total += n
		if got[e] != n {
			t.Errorf("%d live connections ended at %v with %d %v, want %d", got[e], e.stage, e.code, e.fault, n)
		}
	}
	delete(got, end{mail.StageEHLO, 0, mail.Drop})
	if len(got) != len(named)-1 || total < 100 {
		t.Errorf("%d kinds of failure over %d connections, want %d", len(got), connections, len(named))
	}
	if ratio := float64(total) / float64(inSimulation); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("%d connections failed live, %d in the simulation", total, inSimulation)
	}
}

// A cap holds in simulation and live: there are never more connections than it
// allows, all of them are used, and both sides count every refusal. It holds for
// one server, and for two together where the receiver is shared. The number of
// refusals depends on how fast refused processes return, and so on the computer.
func TestCapInBothWorlds(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared %v", shared), func(t *testing.T) {
			t.Parallel()
			s := rehearsal(1500)
			s.Destinations = s.Destinations[1:2] // the plain receiver
			s.Destinations[0].Fail, s.Destinations[0].Cap, s.Destinations[0].Shared = nil, 12, shared
			s.Governor = governor.Default()
			s.Governor.Law, s.Governor.Start = "hold", 24
			if !shared {
				s.Servers = s.Servers[:1]
			} else {
				s.Governor.Start = 12
			}
			s.Retry.Limit = 20
			_, simulated := simulate(t, s)
			got, receivers, r := live(t, s, 50, nil)
			if n := r.Record().Count(mail.Done); n != simulated.Record().Count(mail.Done) || n != 1500 {
				t.Errorf("%d delivered live, %d in the simulation, want 1500", n, simulated.Record().Count(mail.Done))
			}
			refused := func(attempts []runlog.ReplyCount) (n float64) {
				for _, c := range attempts {
					if c.Code == 421 && c.Stage == mail.StageBanner {
						n += float64(c.Count)
					}
				}
				return n
			}
			traffic := receivers.Traffic(0, 0)
			if shared {
				other := receivers.Traffic(1, 0)
				if other.MostOpen != traffic.MostOpen || other.Connections == 0 {
					t.Errorf("the servers' traffic is %+v and %+v", traffic, other)
				}
				traffic.Refused += other.Refused
			}
			if traffic.MostOpen != 12 || float64(traffic.Refused) != refused(r.Record().Replies()) {
				t.Errorf("shared %v: the receiver saw %+v, the sender counts %v refusals, want at most 12 open", shared,
					traffic, refused(r.Record().Replies()))
			}
			if inSimulation := refused(simulated.Record().Replies()); traffic.Refused < 100 || inSimulation < 100 {
				t.Errorf("shared %v: %d refused live, %v in the simulation: the cap does not bind", shared,
					traffic.Refused, inSimulation)
			}
			if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
				t.Errorf("the receivers' ledger disagrees: %+v", a)
			}
		})
	}
}

// The limit of a destination holds in simulation and live: there are never more
// attempts under way, all recipients are delivered, and the journal gives the
// same limits again. The number of refusals depends on how soon a closed
// connection is noticed, and so on the computer.
func TestLimitsInBothWorlds(t *testing.T) {
	t.Parallel()
	s := rehearsal(1500)
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[:2]
	for i := range s.Destinations {
		s.Destinations[i].Fail, s.Destinations[i].Dead = nil, nil
	}
	s.Destinations[0].Cap = 12
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 60, 20*vt.Second
	each := governor.DefaultDestination()
	each.Law, each.Max, each.Cohorts, each.Parked = "postfix-feedback", 15, 0, 200
	each.Positive.Per, each.Negative.Per = feedback.PerCohort, feedback.PerCohort
	s.Governor.Destination = each
	s.Retry.Limit = 20
	_, simulated := simulate(t, s)
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	got, receivers, r := live(t, s, 50, j)
	if n := r.Record().Count(mail.Done); n != 1500 || simulated.Record().Count(mail.Done) != 1500 {
		t.Errorf("%d delivered live, %d in the simulation, want 1500", n, simulated.Record().Count(mail.Done))
	}
	parked := 0
	for _, i := range r.Record().Intervals {
		for d, v := range i.Destinations {
			parked += v.Parked
			if v.Limit > 15 || v.Busy > 15 {
				t.Errorf("interval %d: a limit of %d, %g attempts under way to destination %d, want 15 at most",
					i.Number, v.Limit, v.Busy, d)
			}
		}
	}
	if parked == 0 || receivers.Traffic(0, 0).Refused == 0 {
		t.Errorf("%d parked, %d refused: the limit does not bind", parked, receivers.Traffic(0, 0).Refused)
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
	replays(t, s, j, &journal, r)
}

// The sender's own policy holds on sockets: the receiver counts as many connections as
// the policy allows, and a rate makes the run at least as long as the rate needs.
func TestOwnPolicyLive(t *testing.T) {
	const n = 400
	for _, v := range []struct {
		name      string
		messages  int
		send      mail.Send
		most      func(end vt.Time) int // connections
		lastsFrom vt.Span
	}{
		{"connections", 1000, mail.Send{Connections: 6}, func(vt.Time) int { return 6 }, 0},
		{"rate", 1000, mail.Send{Rate: 72_000, Burst: 40}, nil, (n - 40) * 50 * vt.Millisecond},
		{"connection rate", 4, mail.Send{ConnectionRate: 36_000, Burst: 5},
			func(end vt.Time) int { return 5 + int(vt.Span(end)/(100*vt.Millisecond)) },
			(n/4 - 5) * 100 * vt.Millisecond},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := rehearsal(n)
			s.Servers, s.Destinations = s.Servers[:1], s.Destinations[1:2] // the plain receiver
			s.Destinations[0].Fail, s.Destinations[0].Send = nil, v.send
			s.Dialogue.Messages = v.messages
			s.Governor = governor.Default()
			s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 60, 20*vt.Second
			var journal bytes.Buffer
			j := realrun.NewJournal(&journal)
			got, receivers, r := live(t, s, 50, j)
			want, simulated := simulate(t, s)
			end, traffic := got.last, receivers.Traffic(0, 0)
			if live, sim := r.Record().Count(mail.Done), simulated.Record().Count(mail.Done); live != n || sim != n {
				t.Errorf("%d delivered live, %d in the simulation, want %d", live, sim, n)
			}
			if v.most != nil && (traffic.Connections > v.most(end) || traffic.MostOpen > v.most(end)) {
				t.Errorf("the receiver saw %+v until %s, want at most %d connections", traffic, end, v.most(end))
			}
			if vt.Span(end) < v.lastsFrom || vt.Span(want.last) < v.lastsFrom {
				t.Errorf("ended at %s live and %s in the simulation, want %s or later", end, want.last, v.lastsFrom)
			}
			if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
				t.Errorf("the receivers' ledger disagrees: %+v", a)
			}
			replays(t, s, j, &journal, r)
		})
	}
}

// On sockets, too, an urgent campaign is through long before the newsletter that began first,
// and takes the time that its rate needs.
func TestCampaignsLive(t *testing.T) {
	t.Parallel()
	const news, urgent = 1200, 20
	s := rehearsal(news)
	s.Servers, s.Destinations = s.Servers[:1], s.Destinations[1:2] // the plain receiver
	s.Destinations[0].Fail = nil
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 10, 20*vt.Second
	s.Campaigns[0].Subset = news / 10 // ten processes would keep it to the end
	s.Campaigns = append(s.Campaigns, scenarios.Campaign{Name: "urgent", Recipients: urgent, Processes: 5, Subset: 5,
		Start: vt.Second, Priority: 1, Rate: 7200})
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	got, receivers, r := live(t, s, 20, j)
	simulated, _ := simulate(t, s)
	for world, o := range map[string]*outcomes{"live": got, "simulated": simulated} {
		last, newsletter := slices.Max(o.ends[news:]), slices.Max(o.ends[:news])
		if least := vt.Time(vt.Second + (urgent-1)*vt.Second/2); last < least || last > newsletter*2/3 {
			t.Errorf("%s: got the last urgent recipient final at %s, want %s or later, and long before the "+
				"newsletter's last at %s", world, last, least, newsletter)
		}
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
	replays(t, s, j, &journal, r)
}

// The receivers' behaviour is the same in simulation and live. Each kind is at its
// extreme here, so that timing does not matter: a bucket that never refills gives
// what it holds, a throttle that one message heats for the day lets one pass, a
// destination that is down stays down.
func TestHabitsInBothWorlds(t *testing.T) {
	t.Parallel()
	s := rehearsal(500)
	s.Destinations = s.Destinations[:1]
	s.Destinations[0].Fail, s.Destinations[0].Dead = nil, nil
	for range 3 {
		s.Destinations = append(s.Destinations, s.Destinations[0])
	}
	const bucket, throttle, down, silent = 0, 1, 2, 3
	for i, name := range []string{"bucket", "throttle", "down", "silent"} {
		s.Destinations[i].Name, s.Destinations[i].Domain, s.Destinations[i].Share = name, name+".example", 1
	}
	s.Destinations[bucket].Bucket = config.Bucket{Rate: 1.0 / 24, Burst: 17, Reply: 450}
	s.Destinations[throttle].Recent = 30 * vt.Day
	s.Destinations[throttle].Throttle = config.Throttle{Soft: 1e-5, Hard: 1e-4, Curve: "linear", Reply: 421}
	s.Destinations[down].Down = []config.Down{{For: vt.Day, Fault: "drop"}}
	s.Destinations[silent].Down = []config.Down{{For: vt.Day, Fault: "timeout"}}
	s.Destinations[silent].Share = 0.1
	cutOff := s.Servers[0]
	cutOff.Name, cutOff.Share, cutOff.Down = "cut off", 0.2, s.Destinations[down].Down
	s.Servers = append(s.Servers, cutOff)
	s.Network.Drift = []config.PathDrift{{Factor: 0.5, Hops: 3}}
	s.Network.DNS.Drift = []delay.Drift{{Factor: 0.5}}
	s.Dialogue.Timeouts.Connect, s.Dialogue.Timeouts.Banner = vt.Minute, vt.Minute
	s.Retry.Limit = 0
	s.Governor.Law = "hold"
	_, simulated := simulate(t, s)
	got, receivers, r := live(t, s, 50, nil)

	list := s.List(rng.New(s.Seed, 0))
	sent, lost := make([]uint64, len(s.Destinations)), make([]uint64, len(s.Destinations))
	for _, a := range work.Arrivals(s, list.Len()) {
		for i := a.Reserve.From; i < a.Reserve.To; i++ {
			if d := list.Destination(i); a.Server == 2 {
				lost[d]++
			} else {
				sent[d]++
			}
		}
	}
	want := map[runlog.ReplyCount]uint64{
		{Destination: bucket, Stage: mail.StageDot, Code: 250}:               2 * 17, // of two servers
		{Destination: bucket, Stage: mail.StageMAIL, Code: 450}:              sent[bucket] - 2*17,
		{Destination: throttle, Stage: mail.StageDot, Code: 250}:             2,
		{Destination: throttle, Stage: mail.StageMAIL, Code: 421}:            sent[throttle] - 2,
		{Destination: down, Stage: mail.StageConnect, Fault: mail.Drop}:      sent[down] + lost[down],
		{Destination: bucket, Stage: mail.StageConnect, Fault: mail.Drop}:    lost[bucket],
		{Destination: throttle, Stage: mail.StageConnect, Fault: mail.Drop}:  lost[throttle],
		{Destination: silent, Stage: mail.StageConnect, Fault: mail.Drop}:    lost[silent],
		{Destination: silent, Stage: mail.StageConnect, Fault: mail.Timeout}: sent[silent],
	}
	for world, replies := range map[string][]runlog.ReplyCount{"live": r.Record().Replies(),
		"simulated": simulated.Record().Replies()} {
		found := map[runlog.ReplyCount]uint64{}
		for _, c := range replies {
			n := c.Count
			if c.Count = 0; c.Stage == mail.StageBanner { // the kernel accepts; the receiver never answers
				c.Stage = mail.StageConnect
			}
			found[c] += n
		}
		for c, n := range want {
			if found[c] != n {
				t.Errorf("%s: %d times %+v, want %d", world, found[c], c, n)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: attempts end as %v", world, found)
		}
	}
	if a := receivers.Ledger.Account(got.status, got.ambiguous); !a.Clean() {
		t.Errorf("the receivers' ledger disagrees: %+v", a)
	}
}

// replays fails if the journal of a live run does not give the same digest.
func replays(t *testing.T, s *scenarios.Scenario, j *realrun.Journal, journal io.Reader,
	live *realrun.Runner) *runlog.Recorder {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	list := s.List(rng.New(s.Seed, 0))
	again, err := realrun.Replay(s, &list, journal)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != live.Record().Digest() {
		t.Errorf("the replayed journal has digest %x, the live run %x", again.Digest(), live.Record().Digest())
	}
	return again
}
