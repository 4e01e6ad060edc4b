package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/engine/proximity"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/scenarios"
	"flyball/scenarios/work"
	"flyball/sim"
)

// mailings is the scenario proximity over fresh connections alone, so that the mean time of an attempt is what a plan
// reckons with. Its servers have names that no region has.
func mailings(t *testing.T, db *proximity.Database, set ...string) *scenarios.Scenario {
	t.Helper()
	text, _ := scenarios.Builtin("proximity")
	all := []string{"dialogue.messages_per_connection=1", "expect=[]"}
	for i := range 5 {
		all = append(all, fmt.Sprintf("server[%d].name=b%d", i, i))
	}
	s, err := scenarios.Load("proximity.toml", text, append(all, set...))
	if err != nil {
		t.Fatal(err)
	}
	return s.WithKnown(db)
}

// means runs the scenario and returns the mean time of an attempt of each campaign in milliseconds, and the world.
func means(t *testing.T, s *scenarios.Scenario) (all []float64, w *sim.World) {
	t.Helper()
	all = make([]float64, len(s.Campaigns))
	count, ends := make([]float64, len(all)), s.Ends(s.Recipients())
	w, err := sim.New(s, 0, nil, func(_ vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		c := slices.IndexFunc(ends, func(end mail.Recipient) bool { return a.Rcpt < end })
		count[c]++
		all[c] += float64(r.Took) / float64(vt.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	for c, n := range count {
		all[c] /= n
	}
	return all, w
}

// probesWithin checks that probes are at most 1 % of the recipients of each mailing.
func probesWithin(t *testing.T, s *scenarios.Scenario, db *proximity.Database) {
	t.Helper()
	for i, m := range db.Mailings[max(len(db.Mailings)-len(s.Campaigns), 0):] {
		if m.Probes > uint64(s.Campaigns[i].Recipients/100) {
			t.Errorf("mailing %d has %d probes, want at most 1 %% of %d", i, m.Probes, s.Campaigns[i].Recipients)
		}
	}
}

// [0057]: after some mailings an attempt takes as long as with a plan that was given the distances, and far less than
// with servers at random. The first mailing, which knows nothing, is as slow as that.
func TestMailingsLearnDistances(t *testing.T) {
	learned, w := means(t, mailings(t, nil))
	random, _ := means(t, mailings(t, nil, "sender.partition=random"))
	optimal, _ := means(t, mailings(t, nil, "sender.partition=optimal"))
	t.Logf("learned %.1f, random %.1f, optimal %.1f ms", learned, random, optimal)
	if learned[0] < 0.98*random[0] {
		t.Errorf("a mailing that knows nothing takes %.1f ms, want about %.1f as at random", learned[0], random[0])
	}
	if learned[3] > 0.75*random[3] || learned[3] > 1.02*optimal[3] {
		t.Errorf("the fourth mailing takes %.1f ms, want at most 0.75 x %.1f at random and 1.02 x %.1f at best",
			learned[3], random[3], optimal[3])
	}
	s := mailings(t, nil)
	probesWithin(t, s, w.Learned())
	loads := make([]float64, len(s.Servers)*len(s.Campaigns))
	for _, a := range w.Work() {
		loads[a.Campaign*len(s.Servers)+int(a.Server)] += float64(a.Reserve.To - a.Reserve.From)
	}
	for at, n := range loads { // connections are the resources: 300, 150, 200, 150 and 300 of 1,100
		fair := float64(s.Campaigns[0].Recipients) * float64(s.Servers[at%5].Connections) / 1100
		if n > 1.05*fair+1 {
			t.Errorf("campaign %d: server %d has %.0f, want at most 1.05 x %.0f", at/5, at%5, n, fair)
		}
	}
}

// After all servers have changed places, one mailing is enough to find out.
func TestOneMailingFindsShiftedDistances(t *testing.T) {
	_, before := means(t, mailings(t, nil))
	for _, places := range [][]string{
		{"server[0].region=north-california", "server[4].region=east"},
		{"server[0].region=north-california", "server[4].region=midwest", "server[2].region=southeast",
			"server[1].region=south-california", "server[3].region=east"},
	} {
		s := mailings(t, before.Learned(), places...)
		after, w := means(t, s)
		optimal, _ := means(t, mailings(t, nil, append(places, "sender.partition=optimal")...))
		t.Logf("after the shift %.1f, optimal %.1f ms", after, optimal)
		if after[0] < 1.5*optimal[0] {
			t.Errorf("the mailing at the shift takes %.1f ms: too little has shifted", after[0])
		}
		if after[1] > 1.05*optimal[1] {
			t.Errorf("the mailing after the shift takes %.1f ms, want at most 1.05 x %.1f", after[1], optimal[1])
		}
		probesWithin(t, s, w.Learned())
	}
}

// The twin, which learns from its own attempts by docs/model.md, plans as the engine does: in random scenarios, where
// much goes wrong, and in the scenario proximity, where much is learned.
func TestTwinLearnsAsTheEngineDoes(t *testing.T) {
	eachScenario(t, howMany(t, 8, 100), func(t *testing.T, d *dice, s *scenarios.Scenario) {
		if s.Dispatch.Plain() {
			d.partition(s)
		}
		s.Dispatch.Partition, s.Dispatch.Imbalance = "proximity", pick(d, 1, 1.05, 2)
		s.Dispatch.Proximity = d.learning()
		s.Horizon += vt.Hour
		for i, name := range []string{"later", "last"} {
			c := s.Campaigns[0]
			c.Name, c.Recipients = name, 200+d.IntN(400)
			c.Start, c.Deadline = c.Start+vt.Span((i+1)*(60+d.IntN(60)))*vt.Second, 0
			s.Campaigns = append(s.Campaigns, c)
		}
		for i := range s.Destinations {
			s.Destinations[i].Allowances = nil // the twin counts them slowly
		}
		if len(s.Validate()) > 0 { // a list without room on servers with quotas
			t.Skip(s.Validate()[0])
		}
		agree(t, s)
	})
	for seed := range longtest.Or[uint64](6, 40) {
		d := &dice{rand.New(rand.NewPCG(seed, 56))}
		var set []string
		for i := range 4 {
			set = append(set, fmt.Sprintf("campaign[%d].recipients=%d", i, d.between(200, 1500)),
				fmt.Sprintf("campaign[%d].subset=5", i), fmt.Sprintf("campaign[%d].start=%ds", i, 50*d.IntN(5)))
		}
		s := mailings(t, nil, append(set, fmt.Sprint("sender.imbalance=", pick(d, 1, 1.05, 2)))...)
		s.Dispatch.Proximity = d.learning()
		if agree(t, s); t.Failed() {
			t.Fatalf("seed %d: %+v %s", seed, s.Dispatch, set)
		}
	}
}

// A run that learns goes on from a checkpoint, and on several processors, as it would have otherwise.
func TestLearningIsTheSameAfterACheckpoint(t *testing.T) {
	const fewer = "campaign[%d].recipients=3000"
	var set []string
	for i := range 4 {
		set = append(set, fmt.Sprintf(fewer, i))
	}
	s := mailings(t, nil, set...)
	world := func(from []byte) *sim.World {
		w, err := sim.New(s, 0, nil, nil)
		if from != nil {
			w, err = sim.Resume(s, 0, nil, nil, from)
		}
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	whole := world(nil)
	whole.Run(nil)
	for _, stop := range []vt.Time{vt.Time(vt.Second), vt.Time(6 * vt.Minute), vt.Time(14 * vt.Minute)} {
		w := world(nil)
		w.Workers = 3
		if _, stopped := w.Run(func(p sim.Progress) bool { return p.Now < stop }); !stopped {
			t.Fatalf("the run was over before %s", stop)
		}
		again := world(w.Checkpoint())
		again.Run(nil)
		if again.Record().Digest() != whole.Record().Digest() ||
			again.Learned().Digest() != whole.Learned().Digest() || len(again.Work()) != len(whole.Work()) {
			t.Errorf("stopped at %s, the run ends otherwise", stop)
		}
		if _, err := sim.Resume(s.WithKnown(whole.Learned()), 0, nil, nil, w.Checkpoint()); err == nil {
			t.Errorf("a run that knew more goes on from a checkpoint of one that knew nothing")
		}
	}
}

// Later campaigns may stand before earlier ones, and begin at the same time: each recipient has one part.
func TestCampaignsArePlannedInTheOrderOfTheirStarts(t *testing.T) {
	s := mailings(t, nil, "campaign[0].start=20m", "campaign[1].start=0s", "campaign[2].start=1ns",
		"campaign[3].start=20m")
	list := s.List(rng.New(s.Seed, 0))
	p, err := work.NewPlanner(s, &list)
	if err != nil {
		t.Fatal(err)
	}
	var order []int
	var at []vt.Time
	for p.Next() < vt.Never {
		at = append(at, p.Next())
		for _, a := range p.Plan() {
			if a.Server == 0 {
				order = append(order, a.Campaign)
			}
		}
	}
	if fmt.Sprint(order, at) != fmt.Sprint([]int{1, 2, 0, 3}, []vt.Time{0, vt.Time(20*vt.Minute) - 1}) {
		t.Errorf("got campaigns %v at %v", order, at)
	}
	seen := make([]bool, list.Len())
	for place := range list.Len() {
		seen[p.List().At(mail.Recipient(place))] = true
	}
	if slices.Contains(seen, false) {
		t.Error("some recipient has no place")
	}
}
