package sim

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/scenarios"
)

// Four servers are in the middle of a newsletter when password mails come, which want half of
// the processes of each. When 99 % of them are delivered does not depend on how much of the
// newsletter is left, nor on the newsletter at all, but for the second that an attempt takes.
func TestPasswordMailDoesNotWaitForTheNewsletter(t *testing.T) {
	const start, passwords = 60 * vt.Second, 400
	for _, v := range []struct {
		what string
		rate float64 // messages per hour that a server offers the destination; 0: no limit
		set  func(*scenarios.Scenario)
		slow bool // the password mails are to wait for the newsletter
		most vt.Span
	}{
		// 100 on each server, five at a time, one a second.
		{what: "with a priority", set: func(s *scenarios.Scenario) { s.Campaigns[1].Priority = 1 },
			most: 20 * vt.Second},
		{what: "with a priority, behind a rate of the destination", set: func(s *scenarios.Scenario) {
			s.Campaigns[1].Priority = 1
			s.Destinations[0].Send.Rate, s.Destinations[0].Send.Burst = 7200, 1 // two a second
		}, most: 50 * vt.Second},
		{what: "the newsletter has a rate", set: func(s *scenarios.Scenario) { s.Campaigns[0].Rate = 5 * 3600 },
			most: 20 * vt.Second},
		{what: "without a priority", set: func(s *scenarios.Scenario) {}, slow: true, most: 20 * vt.Second},
	} {
		until := func(newsletter int) vt.Span {
			s := plain(newsletter)
			s.Campaigns[0].Subset = 100
			s.Campaigns = append(s.Campaigns, scenarios.Campaign{Name: "passwords", Recipients: passwords, Processes: 5,
				Subset: 10, Start: start})
			s.Servers = nil
			for _, name := range []string{"a", "b", "c", "d"} {
				server := config.DefaultServer()
				server.Name = name
				s.Servers = append(s.Servers, server)
			}
			v.set(s)
			var ends []vt.Time
			w, err := New(s, 0, nil, func(now vt.Time, a mail.Attempt, _ mail.Reply, status mail.Status) {
				if int(a.Rcpt) >= newsletter && status == mail.Done {
					ends = append(ends, now)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			w.Run(nil)
			slices.Sort(ends)
			if len(ends) != passwords {
				t.Fatalf("%s: got %d password mails delivered, want %d", v.what, len(ends), passwords)
			}
			return ends[passwords*99/100-1].Sub(vt.Time(start))
		}
		few, many := until(20_000), until(80_000)
		if v.slow {
			if many < 4*few-2*start {
				t.Errorf("%s: got 99 %% after %s and %s, want four times as long", v.what, few, many)
			}
			continue
		}
		if few != many || many > v.most+vt.Second {
			t.Errorf("%s: got 99 %% of the password mails delivered after %s and, with four times the newsletter, %s, "+
				"want %s at most both times", v.what, few, many, v.most+vt.Second)
		}
	}
}
