package netmodel

import (
	"math/rand/v2"
	"testing"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// A shared receiver treats three servers as one: each of their attempts ends as if
// a single server had made all of them.
func TestServersTogetherAreOne(t *testing.T) {
	c := plain() // no draws depend on a connection, and so on a server
	d := &c.Destinations[0]
	d.RTT, d.Dot = delay.Constant(20*ms), delay.Constant(300*ms)
	d.Cap, d.Knee = 9, config.Knee{Connections: 4, Slope: 0.5}
	d.Dead = []config.Dead{{Share: 0.1, At: "rcpt", Reply: 550}}
	d.Greylist.Share, d.Greylist.Delay, d.Greylist.WhitelistAfter, d.Greylist.WhitelistFor =
		0.5, delay.Constant(3*vt.Second), 40, 5*vt.Second
	d.Recent = 10 * vt.Second
	d.Bucket = config.Bucket{Rate: 12_000, Burst: 3, Reply: 450}
	d.Throttle = config.Throttle{Soft: 30_000, Hard: 900_000, Curve: "linear", Reply: 421}
	d.Reputation = config.Reputation{PerRefusal: 0.02, PerDead: 0.1, Heals: 20 * vt.Second}
	d.Tarpit = config.Tarpit{Soft: 10_000, Hard: 90_000, Delay: vt.Second, PerPoint: 100 * ms, Most: 10 * vt.Second}
	one := newShell(t, c, 12).models[0]

	for range 2 {
		second := config.DefaultServer()
		second.Name = c.Servers[len(c.Servers)-1].Name + "b"
		c.Servers = append(c.Servers, second)
	}
	for _, shared := range []bool{true, false} {
		c.Destinations[0].Shared = shared
		many := newShell(t, c, 4)
		one = NewModel(one.Network, 0)
		differ := 0
		luck := rand.New(rand.NewPCG(1, 2))
		var oneQueue evq.Queue
		idle := make([]bool, 12) // slots of all servers
		for i := range idle {
			idle[i] = true
		}
		met := map[uint16]int{}
		now, rcpt := vt.Time(0), mail.Recipient(0)
		var under [12]mail.Recipient // way, by slot
		var again []mail.Recipient   // greylisted
		for range 6000 {
			if slot := luck.IntN(12); idle[slot] {
				idle[slot] = false
				a := mail.Attempt{Rcpt: rcpt, Try: 1, Slot: mail.Slot(slot)}
				if len(again) > 20 {
					a.Rcpt, again = again[0], again[1:]
				} else {
					rcpt++
				}
				under[slot] = a.Rcpt
				one.Begin(now, &a, &oneQueue)
				a.Server, a.Slot = mail.Server(slot%3), mail.Slot(slot/3)
				many.models[slot%3].Begin(now, &a, &many.queues[slot%3])
			}
			next := now.Add(vt.Span(luck.IntN(100)) * ms)
			for oneQueue.PeekTime() <= next {
				at, x, _ := handle(one, &oneQueue)
				slot := int(x.Slot)
				if got := many.queues[slot%3].PeekTime(); got != at {
					differ++
					break
				}
				_, y, _ := handle(many.models[slot%3], &many.queues[slot%3])
				if x.Reply != y.Reply || int(y.Slot) != slot/3 {
					differ++
					break
				}
				met[x.Reply.Code]++
				idle[slot] = true
				if x.Reply.Code == 451 {
					again = append(again, under[slot])
				}
				if luck.IntN(3) == 0 {
					one.HangUp(x.Slot)
					many.models[slot%3].HangUp(y.Slot)
				}
			}
			if differ > 0 {
				break
			}
			now = next
		}
		if shared != (differ == 0) {
			t.Errorf("shared %v: differs from one server in %d attempts", shared, differ)
		}
		if shared && (met[250] < 200 || met[421] < 200 || met[450] < 20 || met[451] < 20 || met[550] < 20) {
			t.Errorf("the test tests too little: %v", met)
		}
	}
}
