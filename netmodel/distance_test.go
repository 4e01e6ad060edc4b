package netmodel

import (
	"math"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// far has two servers and two destinations in two regions, and rows that lengthen single paths and whole regions.
func far() config.Config {
	c := plain()
	c.Network.Hops, c.Network.PerHop = config.Hops{Mean: 10, Min: 10, Max: 10}, vt.Millisecond
	b1, b2 := config.DefaultServer(), config.DefaultServer()
	b1.Name, b1.Region, b2.Name, b2.Region, b2.ExtraHops = "b1", "east", "b2", "west", 2
	c.Servers = []config.Server{b1, b2}
	d1, d2 := config.DefaultDestination(), config.DefaultDestination()
	d1.Name, d1.Domain, d1.Region, d2.Name, d2.Domain = "d1", "d1.example", "east", "d2", "d2.example"
	for _, d := range []*config.Destination{&d1, &d2} {
		d.RTT, d.Banner, d.Dot = delay.Constant(20*ms), delay.Constant(0), delay.Constant(100*ms)
	}
	c.Destinations = []config.Destination{d1, d2}
	c.Network.Distances = []config.Distance{{From: "west", To: "east", RTT: 40 * vt.Millisecond, Hops: 5},
		{From: "b2", To: "d1", RTT: 3 * vt.Millisecond}, {From: "b1", To: "d2", Hops: 7}}
	return c
}

// By hand: 20 ms, what the rows add, and 1 ms for each of 10 hops and those that are added.
func TestDistancesAddUp(t *testing.T) {
	c := far()
	if errs := c.Validate(); errs != nil {
		t.Fatal(errs)
	}
	net := NewNetwork(c, rng.New(1, 0))
	for _, v := range []struct {
		s    mail.Server
		d    mail.Destination
		rtt  vt.Span
		hops int
	}{{0, 0, 30, 10}, {0, 1, 37, 17}, {1, 0, 80, 17}, {1, 1, 32, 12}} {
		got := net.Connect(v.s, v.d, 0)
		if got.RTT != v.rtt*vt.Millisecond || got.Hops != v.hops {
			t.Errorf("server %d to %d: %s over %d hops, want %d ms over %d", v.s, v.d, got.RTT, got.Hops, v.rtt, v.hops)
		}
	}
}

// A fresh attempt takes the look-up, its round trips and the receiver's delay.
func TestTimesAreThoseOfAttempts(t *testing.T) {
	c := far()
	c.Network.DNS.HitRatio, c.Network.DNS.Hit = 1, delay.Constant(6*vt.Millisecond)
	c.Size = 1000
	trips := 0
	for _, s := range c.Dialogue.Steps(mail.Fresh, 1000) {
		trips += s.RoundTrips
	}
	for d := range c.Destinations {
		c.Destinations[d].Banner = delay.Constant(9 * vt.Millisecond)
	}
	for i, rtt := range []int{30, 80, 37, 32} {
		if got, want := c.Times(mail.Fresh)[i], int64(6+9+100+rtt*trips); got != want {
			t.Errorf("pair %d: %d ms, want %d", i, got, want)
		}
		if got, want := c.Times(mail.Reused)[i], int64(100+rtt*(trips-3)); got != want { // TCP, banner, EHLO
			t.Errorf("pair %d: %d ms over a reused connection, want %d", i, got, want)
		}
	}
	c.Destinations[0].Dot = delay.Dist{Dist: "lognormal", Median: 400 * vt.Millisecond, Sigma: 0.9}
	want := 6 + 9 + 400*math.Exp(0.405) + float64(30*trips)
	if got := c.Times(mail.Fresh)[0]; math.Abs(float64(got)-want) > 1 {
		t.Errorf("with a lognormal delay %d ms, want %.1f", got, want)
	}
}
