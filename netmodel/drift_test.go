package netmodel

import (
	"math"
	"testing"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// The time of an attempt before, during and after the drift of paths, over new
// connections (7 round trips) and kept ones (4): hop by hop, and as a whole.
func TestPathsDrift(t *testing.T) {
	c := plain()
	c.Network.Hops, c.Network.PerHop, c.Servers[0].ExtraRTT = config.Hops{Mean: 14, Min: 14, Max: 14}, 2*ms, 7*ms
	c.Network.Drift = []config.PathDrift{
		{At: 10 * vt.Second, Factor: 1, Hops: 9, Over: 10 * vt.Second},
		{At: 15 * vt.Second, Factor: 3},
		{At: 100 * vt.Second, Factor: 0.5},
	}
	m := newShell(t, c, 1).models[0]
	var q evq.Queue
	try := func(at vt.Span, conn mail.Conn) (vt.Span, uint64) {
		m.Begin(vt.Time(at), &mail.Attempt{Conn: conn}, &q)
		_, done, _ := handle(m, &q)
		return done.Reply.Took, done.Way.Hops()
	}
	const sec, before = vt.Second, 100*ms + 7*ms + 14*2*ms
	for _, v := range []struct {
		at   vt.Span
		rtt  vt.Span
		hops uint64
	}{
		{0, before, 14},
		{10 * sec, before, 14},
		{11 * sec, before, 14}, // 0.9 of a hop
		{12 * sec, before + 2*ms, 15},
		{15*sec - 1, before + 8*ms, 18},
		{15 * sec, 3 * (before + 8*ms), 18},
		{20 * sec, 3 * (before + 18*ms), 23},
		{99 * sec, 3 * (before + 18*ms), 23},
		{100 * sec, (3 * (before + 18*ms)) / 2, 23},
	} {
		for conn, trips := range map[mail.Conn]vt.Span{mail.Fresh: 7, mail.Reused: 4} {
			if conn == mail.Reused {
				try(0, mail.Fresh) // a kept connection has the path of this moment
			}
			if took, hops := try(v.at, conn); took != trips*v.rtt || hops != v.hops {
				t.Errorf("%s at %s: %s over %d hops, want %s over %d", conn, v.at, took, hops, trips*v.rtt, v.hops)
			}
		}
	}
}

// Added hops lose packets like the others: the share (1 - loss)^hops of the
// connections loses no packet at connect.
func TestHopsThatAppearLosePackets(t *testing.T) {
	c := plain()
	c.Network.Hops, c.Network.HopLoss = config.Hops{Mean: 4, Min: 4, Max: 4}, 0.01
	c.Network.Drift = []config.PathDrift{{At: vt.Hour, Factor: 1, Hops: 40}}
	w := valid(t, c)
	const n = 100_000
	for at, hops := range map[vt.Time]int{0: 4, vt.Time(vt.Hour): 44} {
		smooth := 0
		for i := range uint32(n) {
			conn, msg := w.Connect(0, 0, i), Message{}
			w.reroute(&conn, at)
			if w.Exchange(mail.Step{Stage: mail.StageConnect, RoundTrips: 1}, &conn, &msg, false, 1).Took == 100*ms {
				smooth++
			}
		}
		near4(t, "connections without a loss", smooth, n, math.Pow(0.99, float64(hops)))
	}
}

// A drift makes cached and uncached look-ups longer, and the longer time counts
// for the client's time-out.
func TestLookupsDrift(t *testing.T) {
	c := plain()
	c.Network.DNS = config.DNS{HitRatio: 0.5, Hit: delay.Constant(10 * ms), Miss: delay.Constant(2 * vt.Second),
		Drift: []delay.Drift{{At: 10 * vt.Second, Factor: 3, Over: 10 * vt.Second}, {At: vt.Minute, Factor: 2}}}
	w := valid(t, c)
	for _, v := range []struct {
		at        vt.Span
		hit, miss vt.Span
		fault     mail.Fault
	}{
		{0, 10 * ms, 2 * vt.Second, mail.NoFault},
		{15 * vt.Second, 20 * ms, 4 * vt.Second, mail.NoFault},
		{20 * vt.Second, 30 * ms, 6 * vt.Second, mail.NoFault},
		{vt.Minute, 60 * ms, 10 * vt.Second, mail.Timeout}, // 12 s
	} {
		hits := 0
		for n := range uint32(100) {
			took, fault := w.Lookup(0, 0, n, vt.Time(v.at))
			switch {
			case took == v.hit && fault == mail.NoFault:
				hits++
			case took != v.miss || fault != v.fault:
				t.Fatalf("at %s: %s, %s; want %s or %s, %s", v.at, took, fault, v.hit, v.miss, v.fault)
			}
		}
		if hits < 30 || hits > 70 {
			t.Errorf("%d of 100 from the cache", hits)
		}
	}
}

// One server is cut off, from all destinations; the others are not.
func TestAServerIsCutOff(t *testing.T) {
	c := plain()
	second := config.DefaultServer()
	second.Name, second.Down = "b2", []config.Down{{From: vt.Minute, For: vt.Minute, Fault: "drop"}}
	c.Servers = append(c.Servers, second)
	other := c.Destinations[0]
	other.Name, other.Domain, other.Down = "other", "other.example",
		[]config.Down{{From: 90 * vt.Second, For: vt.Minute, Fault: "timeout"}}
	c.Destinations = append(c.Destinations, other)
	receivers := valid(t, c).Receivers()
	for _, v := range []struct {
		at   vt.Span
		want [2][2]mail.Fault // by server and destination
	}{
		{vt.Minute - 1, [2][2]mail.Fault{}},
		{vt.Minute, [2][2]mail.Fault{{}, {mail.Drop, mail.Drop}}},
		// the server's own outage comes first
		{90 * vt.Second, [2][2]mail.Fault{{mail.NoFault, mail.Timeout}, {mail.Drop, mail.Drop}}},
		{2 * vt.Minute, [2][2]mail.Fault{{mail.NoFault, mail.Timeout}, {mail.NoFault, mail.Timeout}}},
		{3 * vt.Minute, [2][2]mail.Fault{}},
	} {
		for s, faults := range v.want {
			for d, want := range faults {
				if got := receivers[s][d].outage(vt.Time(v.at)); got != want {
					t.Errorf("server %d, destination %d at %s: %s, want %s", s, d, v.at, got, want)
				}
			}
		}
	}
}
