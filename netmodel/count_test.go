package netmodel

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/netmodel/limits"
)

// servers returns the plain network with servers that have two addresses each, the last two
// in one netblock.
func servers(n int) config.Config {
	c := plain()
	c.Servers = nil
	for i := range n {
		v := config.DefaultServer()
		v.Name, v.Addresses = string(rune('a'+i)), 2
		if i >= n-2 {
			v.Block = "common"
		}
		c.Servers = append(c.Servers, v)
	}
	return c
}

// The connections of a server take its addresses in turn, and a cap holds for each address,
// each netblock or all servers, as the destination counts. By hand: three servers with two
// addresses each, two servers in one netblock, a cap of 2.
func TestCapByCounting(t *testing.T) {
	for by, want := range map[string][]int{ // connections that are let in, by server
		"address": {4, 4, 4}, "block": {2, 1, 1}, "shared": {1, 1, 0},
	} {
		c := servers(3)
		d := &c.Destinations[0]
		d.Cap, d.By, d.Shared = 2, by, by == "shared"
		if d.Shared {
			d.By = "address"
		}
		all := valid(t, c).Receivers()
		var conns [3][6]Connection
		got := make([]int, 3)
		for i := range 6 {
			for s := range 3 {
				if all[s][0].Connect(0, &conns[s][i]); !conns[s][i].Refused() {
					got[s]++
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s: %v connections of the servers let in, want %v", by, got, want)
		}
		// The first connection of the first server ends: one more is let in, if it comes from
		// the same address, which is the turn of the first again.
		all[0][0].Close(&conns[0][0])
		var again Connection
		if all[0][0].Connect(0, &again); again.Refused() {
			t.Errorf("by %s: refused, though a connection has ended", by)
		}
	}
}

// An allowance of three messages counts by address, by netblock, by the domain or the account of
// the campaign that a recipient belongs to, or all together. Messages go over one connection from each of
// two addresses of three servers in turns, first of recipients 0 to 17, which belong to two
// campaigns of one domain and two accounts, then of 18 to 35, whose campaign has another domain and account.
func TestAllowanceByCounting(t *testing.T) {
	for scope, want := range map[string]int{
		"server": 6 * 3, "block": 2 * 3, "domain": 2 * 3, "account": 3 * 3, "fleet": 3,
	} {
		c := servers(3)
		a := allow(3, vt.Hour, 451)
		a.Scope = scope
		c.Destinations[0].Allowances = []limits.Allowance{a}
		c.Campaigns = []config.Campaign{{End: 5, Size: 100, Domain: "one", Account: "a"},
			{End: 18, Size: 100, Domain: "one", Account: "b"}, {End: 36, Size: 100, Domain: "two", Account: "c"}}
		net := valid(t, c)
		all := net.Receivers()
		var conns [6]Connection
		for i := range conns {
			all[i%3][0].Connect(0, &conns[i])
		}
		taken := 0
		for to := range 36 {
			var m Message
			all[to%3][0].Offer(0, &conns[to%6], &m, mail.Recipient(to), 0)
			if m.fail == noEnding {
				taken++
			}
		}
		if taken != want {
			t.Errorf("by %s: %d of 36 messages taken, want %d", scope, taken, want)
		}
		if net.Joint() != (scope != "server") {
			t.Errorf("by %s: the servers are taken for joint: %v", scope, net.Joint())
		}
	}
}

// A destination whose receivers are those of another one has its cap, bucket and penalty, and
// they count both; dead addresses and delays are its own.
func TestLimitsOfAnother(t *testing.T) {
	c := plain()
	d := &c.Destinations[0]
	d.Name, d.Cap, d.Bucket = "provider", 2, config.Bucket{Rate: 1, Burst: 3, Reply: 450}
	d.Down = []config.Down{{From: vt.Hour, For: vt.Hour, Fault: "drop"}}
	brand := plain().Destinations[0]
	brand.Name, brand.Domain, brand.LimitsOf = "brand", "brand.example", "provider"
	brand.Dead = []config.Dead{{Share: 1, At: "rcpt", Reply: 550}}
	c.Destinations = append(c.Destinations, brand)
	all := valid(t, c).Receivers()[0]
	var conns [4]Connection
	for i := range conns {
		all[i%2].Connect(0, &conns[i])
	}
	for i, want := range []bool{false, false, true, true} {
		if conns[i].Refused() != want {
			t.Errorf("connection %d refused: %v, want %v", i, conns[i].Refused(), want)
		}
	}
	for i, want := range []uint16{0, 550, 0, 450, 450} {
		var m Message
		all[i%2].Offer(0, &conns[i%2], &m, mail.Recipient(i), 0)
		if m.fail.code() != want {
			t.Errorf("message %d: %d, want %d", i, m.fail.code(), want)
		}
	}
	if a, b := all[0].outage(vt.Time(90*vt.Minute)), all[1].outage(vt.Time(90*vt.Minute)); a != mail.Drop || b != a {
		t.Errorf("in the outage: %v and %v, want both down", a, b)
	}
	if of, _ := all[0].net.ReceiversOf(1); of != 0 {
		t.Errorf("the receivers of the brand are those of destination %d", of)
	}
}

// A greylist that has seen a recipient from one address of a server lets the recipient in from
// the next one: it looks at the netblock.
func TestGreylistOfANetblock(t *testing.T) {
	c := servers(1)
	c.Destinations[0].Greylist = config.Greylist{Share: 1, Delay: delay.Constant(vt.Minute), At: "rcpt", Reply: 451}
	r := &valid(t, c).Receivers()[0][0]
	var replies []uint16
	for i := range 2 {
		now := vt.Time(i) * vt.Time(vt.Hour)
		var c Connection
		var m Message
		r.Connect(now, &c)
		if int(c.from) != i {
			t.Fatalf("connection %d comes from address %d", i, c.from)
		}
		r.Offer(now, &c, &m, 7, mail.Try(i))
		replies = append(replies, r.Exchange(now, mail.Step{Stage: mail.StageRCPT}, &c, &m, 1).Code)
	}
	if !slices.Equal(replies, []uint16{451, 0}) {
		t.Errorf("got %v, want the second try let in", replies)
	}
}
