package sim

import (
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/scenarios"
)

// competing is two servers that send to one receiver, which has room for 30
// connections at a time and takes a second and a half for a message.
func competing(shared bool) *scenarios.Scenario {
	s := plain(40_000)
	second := config.DefaultServer()
	second.Name = "b2"
	s.Servers = append(s.Servers, second)
	d := &s.Destinations[0]
	d.Shared, d.Cap, d.Dot = shared, 30, delay.Constant(800*ms)
	s.Retry.Limit = 1000
	s.Retry.Delays = []vt.Span{vt.Minute}
	return s
}

// A shared cap limits all servers together: there are never more connections than
// the cap, and at most 30 / 1.5 s = 72,000 messages an hour. Otherwise each server
// has its own cap.
func TestASharedCapHoldsForAllTogether(t *testing.T) {
	for _, shared := range []bool{true, false} {
		s := competing(shared)
		s.Governor.Start = 60
		type span struct{ from, to vt.Time }
		var all []span
		w, err := New(s, 0, nil, func(now vt.Time, _ mail.Attempt, r mail.Reply, _ mail.Status) {
			if r.Code == 250 {
				all = append(all, span{now.Add(-r.Took), now})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.Run(nil)
		most := 0
		for at := vt.Time(vt.Second); at < end; at = at.Add(vt.Second) {
			n := 0
			for _, v := range all {
				if v.from <= at && at < v.to {
					n++
				}
			}
			most = max(most, n)
			if len(all) > 3000 {
				all = all[:3000] // the first minutes are enough
				end = all[2999].to
			}
		}
		if want := map[bool]int{true: 30, false: 60}[shared]; most != want {
			t.Errorf("shared %v: %d connections at a time, want %d", shared, most, want)
		}
		rate := float64(w.servers[0].rec.Count(mail.Done)+w.servers[1].rec.Count(mail.Done)) / vt.Span(w.now()).Hours()
		if limit := 72_000.0; (rate <= limit) != shared {
			t.Errorf("shared %v: %.0f messages an hour, where one cap gives %.0f", shared, rate, limit)
		}
	}
}

// The result does not depend on how the servers run: watched or not, in one piece
// or stopped now and then, with one worker or two.
func TestSharedServersRunInLockstep(t *testing.T) {
	s := habits(t)
	for i := range s.Destinations {
		s.Destinations[i].Shared = true
	}
	want, _ := New(s, 0, nil, func(vt.Time, mail.Attempt, mail.Reply, mail.Status) {})
	want.Run(nil)
	got, _ := New(s, 0, nil, nil)
	got.Workers = 2
	got.Run(func(Progress) bool { return true })
	if got.Record().Digest() != want.Record().Digest() {
		t.Error("watched and unwatched worlds differ")
	}
	apart, _ := New(habits(t), 0, nil, nil)
	apart.Run(nil)
	if apart.Record().Digest() == want.Record().Digest() {
		t.Error("the receivers do not remember the servers together")
	}
	// A single server shares with no other.
	s.Servers = s.Servers[:1]
	alone, _ := New(s, 0, nil, nil)
	alone.Run(nil)
	for i := range s.Destinations {
		s.Destinations[i].Shared = false
	}
	plain, _ := New(s, 0, nil, nil)
	plain.Run(nil)
	if alone.Record().Digest() != plain.Record().Digest() {
		t.Error("a single server shares with somebody")
	}
}

// Two equal servers at one bucket get equal shares of it; a server that is farther
// away gets less. Times are drawn: with constant times ties would decide, which
// the first server wins.
func TestServersCompete(t *testing.T) {
	part := func(farther vt.Span) float64 {
		s := competing(true)
		s.Governor.Start = 40
		s.Servers[1].ExtraRTT = farther
		s.Destinations[0].Cap, s.Destinations[0].Bucket = 0, config.Bucket{Rate: 20_000, Burst: 10, Reply: 450}
		s.Destinations[0].RTT = delay.Dist{Dist: "uniform", Min: 50 * ms, Max: 150 * ms}
		s.Destinations[0].Dot = delay.Dist{Dist: "exponential", Mean: 800 * ms}
		s.Horizon = 20 * vt.Minute
		w, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Run(nil)
		a, b := float64(w.servers[0].rec.Count(mail.Done)), float64(w.servers[1].rec.Count(mail.Done))
		return a / (a + b)
	}
	if got := part(0); math.Abs(got-0.5) > 0.05 {
		t.Errorf("of two equal servers the first gets %.3f", got)
	}
	if got := part(300 * ms); got < 0.55 {
		t.Errorf("the nearer server gets %.3f", got)
	}
}
