package netmodel

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/netmodel/config"
)

// A server has two addresses of its own, a pool of one and a pool of three, which a second server has not. Connections
// of three campaigns in turns: each pool's addresses take turns by themselves, and a cap of one counts each address.
func TestConnectionsComeFromTheirPool(t *testing.T) {
	c := servers(2)
	c.Servers[0].Addresses = 2
	c.Servers[0].Pools = []config.Pool{{Name: "urgent", Addresses: 1}, {Name: "bulk", Addresses: 3}}
	c.Servers[1].Addresses = 1
	c.Destinations[0].Cap = 1
	c.Campaigns = []config.Campaign{{End: 10, Size: 100}, {End: 20, Size: 100, Pool: "bulk"},
		{End: 30, Size: 100, Pool: "urgent"}}
	net := valid(t, c)
	if net.Pools() != 3 || net.PoolOf(9) != 0 || net.PoolOf(19) != 1 || net.PoolOf(29) != 2 {
		t.Fatalf("%d pools; of the recipients 9, 19 and 29: %d, %d, %d", net.Pools(), net.PoolOf(9), net.PoolOf(19),
			net.PoolOf(29))
	}
	for server, want := range [][]int{{0, 3, 2, 1, 4, 2, 0, 5, 2, 1, 3, 2}, slices.Repeat([]int{0}, 12)} {
		r := &net.Receivers()[server][0]
		var came []int
		refused := 0
		for i := range 12 {
			var conn Connection
			r.ConnectFrom(0, net.PoolOf(mail.Recipient(i%3*10)), &conn)
			came = append(came, int(conn.from))
			if conn.Refused() {
				refused++
			}
		}
		if taken := 12 - refused; !slices.Equal(came, want) || taken != []int{6, 1}[server] {
			t.Errorf("server %d: from %v, %d taken; want %v, and one from each address", server, came, taken, want)
		}
	}
}

func TestPoolsHaveNames(t *testing.T) {
	c := servers(1)
	c.Servers[0].Pools = []config.Pool{{Name: "a", Addresses: 1}, {Name: "a", Addresses: 999}, {Addresses: 1}}
	errs := c.Validate()
	if len(errs) != 3 {
		t.Errorf("got %v, want a name used twice, none, and more than 1000 addresses", errs)
	}
}
