package netmodel

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
)

const minute = vt.Time(vt.Minute)

// offer is a message at a time, and the reply that it gets at MAIL; 0: none.
type offer struct {
	at   vt.Time
	want uint16
}

func (r *Receiver) check(t *testing.T, offers []offer) {
	t.Helper()
	for i, c := range offers {
		if got := r.offered(c.at, i); got != c.want {
			t.Errorf("message %d at %v: refused with %d at mail, want %d", i, c.at, got, c.want)
		}
	}
}

// allow returns the default allowance with a limit in a window.
func allow(limit int, window vt.Span, reply int) limits.Allowance {
	return limits.Allowance{Limit: limit, Window: window, Kind: "fixed", Scope: "server", Growth: 1, Reply: reply}
}

// An allowance takes exactly its limit in each window, from its first moment on,
// whatever comes when; a message that something else refuses takes nothing of
// it. The ledger of the test is by hand.
func TestAllowance(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Allowances = []limits.Allowance{allow(3, vt.Hour, 550)}
		d.Bucket = config.Bucket{Rate: 3600, Burst: 2, Reply: 421} // two at once, then one a second
	})
	r.check(t, []offer{
		{1 * minute, 0}, {1 * minute, 0}, {1 * minute, 421}, // the bucket refuses the third
		{2 * minute, 0}, {2 * minute, 550}, {59 * minute, 550}, // three were taken, and the bucket is full
		{60*minute - 1, 550}, {60 * minute, 0}, {60 * minute, 0}, {61 * minute, 0}, {61 * minute, 550},
		{10 * 60 * minute, 0}, // windows in between took none, and leave nothing
		{10 * 60 * minute, 0}, {601 * minute, 0}, {602 * minute, 550},
	})
}

// A window of an hour that slides moves by a minute at a time: what was taken in a
// minute counts in that minute and the 59 after it.
func TestSlidingAllowance(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		a := allow(3, vt.Hour, 451)
		a.Kind = "sliding"
		d.Allowances = []limits.Allowance{a}
	})
	r.check(t, []offer{
		{10*minute + 1, 0}, {30 * minute, 0}, {65 * minute, 0}, // minutes 10, 30 and 65
		{66 * minute, 451}, {70*minute - 1, 451}, // minute 69: 10 to 69 count
		{70 * minute, 0}, {70 * minute, 451}, // minute 10 has left
		{90*minute - 1, 451}, {90 * minute, 0}, {125*minute - 1, 451}, {125 * minute, 0},
		{1000 * minute, 0}, {1000 * minute, 0}, {1000 * minute, 0}, {1059 * minute, 451}, // nothing is left over
	})
}

// Of two allowances the one without room replies, the first one first, and a
// message that one refuses takes nothing of the other.
func TestTwoAllowances(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Allowances = []limits.Allowance{allow(2, vt.Hour, 451), allow(4, 10*vt.Hour, 550)}
	})
	r.check(t, []offer{
		{0, 0}, {0, 0}, {0, 451}, {0, 451}, {60 * minute, 0}, {60 * minute, 0}, {61 * minute, 451}, // neither has room
		{120 * minute, 550}, // four were taken in ten hours
		{600 * minute, 0}, {600 * minute, 0}, {600 * minute, 451},
	})
}

// A fleet's allowance counts all servers at one destination; the other servers of
// a server's own allowance do not touch it.
func TestAllowanceOfTheFleet(t *testing.T) {
	for scope, want := range map[string][]uint16{
		"fleet":  {0, 0, 0, 550, 550, 550},
		"server": {0, 0, 0, 0, 0, 0},
	} {
		c := plain()
		a := allow(3, vt.Hour, 550)
		a.Scope = scope
		c.Destinations[0].Allowances = []limits.Allowance{a}
		second := c.Servers[0]
		second.Name = "b2"
		c.Servers = append(c.Servers, second)
		net := valid(t, c)
		all := net.Receivers()
		var got []uint16
		for i := range 6 {
			got = append(got, all[i%2][0].offered(minute, i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v of two servers in turns, want %v", scope, got, want)
		}
		if net.Joint() != (scope != "server") {
			t.Errorf("%s: the servers are taken for joint: %v", scope, net.Joint())
		}
	}
}

// The limit of a warm-up by hand: 10 a day, half as much more and one every day,
// at most 40.
func TestAllowanceGrows(t *testing.T) {
	a := allow(10, vt.Day, 421)
	a.Growth, a.More, a.Most = 1.5, 1, 40
	want := []int{10, 16, 25, 38, 40}
	r := receiver(t, func(d *config.Destination) { d.Allowances = []limits.Allowance{a} })
	for day, want := range append(want, 40, 40) {
		taken := 0
		for i := range 100 {
			if r.offered(vt.Time(day)*vt.Time(vt.Day)+vt.Time(i)*minute, i) == 0 {
				taken++
			}
		}
		if taken != want {
			t.Errorf("day %d: %d messages taken, want %d", day, taken, want)
		}
	}
}

// A daily window that begins at 2 h, which is midnight, begins there every day, and
// the limit grows then.
func TestAllowanceBeginsAtMidnight(t *testing.T) {
	a := allow(2, vt.Day, 421)
	a.Begins, a.More = 26*vt.Hour, 1
	r := receiver(t, func(d *config.Destination) { d.Allowances = []limits.Allowance{a} })
	hour := 60 * minute
	r.check(t, []offer{{0, 0}, {0, 0}, {2*hour - 1, 421}, {2 * hour, 0}, {2 * hour, 0}, {2 * hour, 0},
		{26*hour - 1, 421},
		{26 * hour, 0}, {26 * hour, 0}, {26 * hour, 0}, {26 * hour, 0}, {26 * hour, 421}})
	a = allow(2, vt.Hour, 421)
	a.Kind, a.Begins = "sliding", 30*vt.Second // steps of a minute begin at half minutes
	r = receiver(t, func(d *config.Destination) { d.Allowances = []limits.Allowance{a} })
	half := minute / 2
	r.check(t, []offer{{0, 0}, {half - 1, 0}, {59*minute + half - 1, 421}, {59*minute + half, 0}})
}

// The reply of an allowance has its enhanced status.
func TestAllowanceReplies(t *testing.T) {
	a := allow(1, vt.Day, 550)
	if err := a.Enhanced.UnmarshalText([]byte("5.4.5")); err != nil {
		t.Fatal(err)
	}
	r := receiver(t, func(d *config.Destination) { d.Allowances = []limits.Allowance{a} })
	r.message(0, 0)
	v := r.message(0, 1)
	e := r.Exchange(0, mail.Step{Stage: mail.StageMAIL, RoundTrips: 1}, &Connection{}, &v, 1)
	if status, _ := r.Words(e); e.Code != 550 || status.String() != "5.4.5" {
		t.Errorf("got %d %s, want 550 5.4.5", e.Code, status)
	}
}
