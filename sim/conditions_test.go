package sim

import (
	"math"
	"testing"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// The governor's measurements of an interval equal the counts of the attempts
// that ended in it. Look-ups take 40 ms, and the servers are 14 and 17 hops away.
func TestConditions(t *testing.T) {
	s := eventful(20000)
	s.Network.DNS = config.DNS{HitRatio: 0, Hit: delay.Constant(0), Miss: delay.Constant(40 * ms), ServFail: 0}
	s.Network.Hops = config.Hops{Mean: 14, SD: 0, Min: 4, Max: 32}
	s.Servers[0].Contention, s.Servers[0].Coherency, s.Servers[1].Contention, s.Servers[1].Coherency = 0, 0, 0, 0
	s.Servers[1].ExtraHops = 3
	type key struct {
		server mail.Server
		number int
	}
	want := map[key]*governor.Sample{}
	var took = map[key]vt.Span{}
	w, err := New(s, 0, nil, func(now vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
		k := key{a.Server, int((now - 1) / vt.Time(s.Governor.Interval))} // an interval has its last moment
		v := want[k]
		if v == nil {
			v = &governor.Sample{}
			want[k] = v
		}
		took[k] += r.Took
		v.Attempts++
		if a.Try > 0 {
			v.Retries++
		}
		if r.Fault != mail.NoFault {
			v.Timeouts++
		}
		switch r.Code / 100 {
		case 4:
			v.Deferrals++
		case 5:
			v.Bounces++
		}
		if r.Code == 421 {
			v.Refusals++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	for _, i := range w.Record().Intervals {
		k := key{i.Server, i.Number}
		got := i.Sample
		if got.Attempts == 0 {
			continue
		}
		v := want[k]
		if got.Retries != v.Retries || got.Deferrals != v.Deferrals || got.Bounces != v.Bounces ||
			got.Refusals != v.Refusals || got.Timeouts != v.Timeouts ||
			got.AttemptTime != took[k]/vt.Span(v.Attempts) {
			t.Errorf("server %d interval %d: %+v, counted %+v", i.Server, i.Number, got, *v)
		}
		if hops := 14 + 3*float64(i.Server); got.LookupTime != 40*ms || math.Abs(got.Hops-hops) > 1e-9 {
			t.Errorf("server %d interval %d: look-ups of %s, %g hops, want 40ms and %g", i.Server, i.Number,
				got.LookupTime, got.Hops, hops)
		}
	}
	if len(want) < 10 {
		t.Errorf("only %d intervals", len(want))
	}
}
