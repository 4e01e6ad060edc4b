package realrun_test

import (
	"bytes"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/realrun"
)

// A live run learns from its own attempts, as a simulation does: the second mailing goes to the near servers, and the
// journal gives the same plans again.
func TestMailingsLearnLive(t *testing.T) {
	t.Parallel()
	s := rehearsal(600)
	s.Governor.Law, s.Governor.Start = "hold", 30
	s.Destinations = s.Destinations[:2]
	s.Network.DNS.HitRatio = 1
	for i := range s.Destinations {
		d := &s.Destinations[i]
		d.Fail, d.Dead, d.Share, d.Region = nil, nil, 1, []string{"east", "west"}[i]
		d.RTT, d.Dot = delay.Constant(10*vt.Millisecond), delay.Constant(20*vt.Millisecond)
	}
	s.Servers[1].ExtraRTT = 0
	for i, region := range []string{"east", "west"} { // far enough for a busy machine to see it
		s.Servers[i].Region = region
		s.Network.Distances = append(s.Network.Distances,
			config.Distance{From: s.Servers[i].Name, To: s.Destinations[1-i].Name, RTT: 4 * vt.Second})
	}
	second := s.Campaigns[0]
	second.Name, second.Start = "second", 10*vt.Minute
	s.Campaigns = append(s.Campaigns, second)
	s.Dispatch.Partition = "proximity"
	var journal bytes.Buffer
	j := realrun.NewJournal(&journal)
	var near, tries [2]float64 // by mailing
	_, _, r := live(t, s, 150, j, func(_ vt.Time, a mail.Attempt, _ mail.Reply, _ mail.Status) {
		mailing := a.Rcpt / 600
		tries[mailing]++
		if int(a.Server) == int(a.Dest) {
			near[mailing]++
		}
	})
	replays(t, s, j, &journal, r)
	_, w := simulate(t, s)
	got, want := r.Learned(), w.Learned()
	if len(got.Mailings) != 2 || len(got.Pairs) != 4 || got.Mailings[1].Probes != want.Mailings[1].Probes {
		t.Fatalf("learned %+v, simulated %+v", got, want)
	}
	if first, then := near[0]/tries[0], near[1]/tries[1]; first > 0.6 || then < 0.9 {
		t.Errorf("%.0f %% of the attempts of the first mailing, and %.0f %% of the second, went to the server nearby",
			100*first, 100*then)
	}
}
