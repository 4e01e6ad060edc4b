package netmodel

import (
	"testing"

	"flyball/internal/evq"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// Attempts of a server with a rate begin in turns, and its messages share the link. By hand:
// an attempt each second, and 100 bytes at 50 bytes a second, which is two seconds each; the
// dialogue itself takes no time.
func TestHost(t *testing.T) {
	for name, v := range map[string]struct {
		change func(*config.Config)
		ends   []vt.Span
	}{
		"neither": {func(*config.Config) {}, []vt.Span{0, 0, 0}},
		"rate": {func(c *config.Config) { c.Servers[0].Rate = 3600 },
			[]vt.Span{vt.Second, 2 * vt.Second, 3 * vt.Second}},
		"link": {func(c *config.Config) { c.Servers[0].Bandwidth = 50 },
			[]vt.Span{2 * vt.Second, 4 * vt.Second, 6 * vt.Second}},
		"both": {func(c *config.Config) { c.Servers[0].Rate, c.Servers[0].Bandwidth = 3600, 50 },
			[]vt.Span{3 * vt.Second, 6 * vt.Second, 9 * vt.Second}}, // both waits count, one after the other
		"dead": {func(c *config.Config) {
			c.Servers[0].Bandwidth = 50
			c.Destinations[0].Dead = []config.Dead{{Share: 1, At: "rcpt", Reply: 550}}
		}, []vt.Span{0, 0, 0}}, // a message that is refused is not sent
	} {
		c := plain()
		c.Size = 100
		d := &c.Destinations[0]
		d.RTT, d.Banner, d.RCPT, d.Dot = delay.Constant(0), delay.Constant(0), delay.Constant(0), delay.Constant(0)
		c.Network.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(0), Miss: delay.Constant(0)}
		v.change(&c)
		for _, stages := range []string{"collapsed", "full"} {
			c.Stages = stages
			m := newShell(t, c, 3).models[0]
			var q evq.Queue
			for i := range 3 {
				m.Begin(0, &mail.Attempt{Slot: mail.Slot(i), Rcpt: mail.Recipient(i)}, &q)
			}
			for i := range 3 {
				at, done, ended := handle(m, &q)
				for !ended {
					at, done, ended = handle(m, &q)
				}
				if at != vt.Time(v.ends[i]) || done.Reply.Took != v.ends[i] {
					t.Errorf("%s, %s: attempt %d ends at %s after %s, want %s", name, stages, i, at, done.Reply.Took,
						v.ends[i])
				}
			}
		}
	}
}
