package sink

import (
	"context"
	"net"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// A pause is shorter by what an earlier one took too long. A context that has ended makes the real wait nothing, so
// that a pause of hours returns by how much it was too short.
func TestPauseIsShorterByWhatIsLate(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c := &scaled{began: time.Now(), scale: 60}
	for _, early := range []time.Duration{0, time.Minute, 59 * time.Minute} {
		late := c.pause(ended, 60*vt.Hour, early)
		if least := early - time.Hour; late < least || late > least+30*time.Second {
			t.Errorf("60 h at scale 60, %s of it made up for: woken at once %s late, want %s", early, late, least)
		}
	}
	if late := c.pause(t.Context(), vt.Minute, 3*time.Second); late != 2*time.Second {
		t.Errorf("1 s with 3 s to make up for: %s late, want 2 s", late)
	}
}

// sleepy is a clock whose every pause takes 5 ms too long, at scale 2.
type sleepy struct{ stepped }

func (c *sleepy) pause(_ context.Context, d vt.Span, early time.Duration) time.Duration {
	wait := time.Duration(d/2) - early
	if wait <= 0 {
		return -wait
	}
	c.pass(2 * vt.Span(wait+5*time.Millisecond))
	return 5 * time.Millisecond
}

// However many answers a connection gives too late, it is late by one oversleeping in the end.
func TestConnectionMakesUpForLateness(t *testing.T) {
	d := config.DefaultDestination()
	d.RTT, d.Banner, d.Dot = delay.Constant(100*vt.Millisecond), delay.Constant(0), delay.Constant(vt.Second)
	paths := config.DefaultPaths()
	paths.DNS = config.DNS{HitRatio: 1, Hit: delay.Constant(0), Miss: delay.Constant(0)}
	network := netmodel.NewNetwork(config.Config{Network: paths, Servers: []config.Server{config.DefaultServer()},
		Destinations: []config.Destination{d}, Dialogue: mail.DefaultDialogue(), Size: 100, Stages: "collapsed",
		Campaigns: []config.Campaign{{End: 1 << 30, Size: 100}}}, rng.New(1, 0))
	const messages = 20
	clock := &sleepy{}
	s := newSink(Config{Network: network, Servers: 1, Receivers: []config.Destination{d}, Recipients: messages,
		Scale: 2, MaxBytes: 1 << 20})
	s.clock = clock
	l := s.lanes[0]
	l.Listener = &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.serve.Go(func() { s.receive(l) })
	defer s.Close()
	c := dial(l, 0, &clock.stepped, network, "")
	for r := range mail.Recipient(messages) {
		a := mail.Attempt{Rcpt: r}
		if r > 0 {
			a.Conn = mail.Reused
		}
		if got := c.attempt(&a); got.Class() != mail.Delivered {
			t.Fatalf("message %d: %+v", r, got)
		}
	}
	c.hangUp()
	asked, late := s.Pace()
	if over := clock.now().Sub(0) - asked; over < 0 || over > 10*vt.Millisecond {
		t.Errorf("%d messages took %s longer than the model gives them, %s; want at most one oversleeping, 10 ms",
			messages, over, asked)
	}
	if answers := late.Count(); answers < 4*messages || late.Quantile(0.5) < 9900*vt.Microsecond ||
		late.Quantile(1) > 10100*vt.Microsecond {
		t.Errorf("%d answers, half of them late by %s and the last by %s, want 10 ms of virtual time each", answers,
			late.Quantile(0.5), late.Quantile(1))
	}
}
