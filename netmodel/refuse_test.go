package netmodel

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
)

// through plays the dialogue of a message over a new connection and returns the
// stage and the code of the refusal, or dot and 250.
func (r *Receiver) through(now vt.Time, to int) (mail.Stage, uint16) {
	var c Connection
	var m Message
	r.Connect(now, &c)
	r.Offer(now, &c, &m, mail.Recipient(to), 0)
	defer r.Close(&c)
	for _, step := range r.net.Steps(mail.Fresh, &m) {
		if e := r.Exchange(now, step, &c, &m, 1); e.Ends() {
			r.End(now, &c, &m, false)
			return step.Stage, e.Code
		}
	}
	r.End(now, &c, &m, true)
	return mail.StageDot, 250
}

// An event refuses from its first moment to the last before its end, at its stage
// and with its reply, and nothing before and after.
func TestEventHasItsTime(t *testing.T) {
	for _, at := range []string{"banner", "ehlo", "mail", "rcpt", "data", "dot"} {
		r := receiver(t, func(d *config.Destination) {
			d.Refuse = []config.Refuse{
				{From: vt.Minute, To: 2 * vt.Minute, At: at, Reply: 554, Share: 1},
				{From: 5 * vt.Minute, At: at, Reply: 451, Share: 1}, // for ever
			}
		})
		for now, want := range map[vt.Time]uint16{0: 250, minute - 1: 250, minute: 554, 2*minute - 1: 554,
			2 * minute: 250,
			5 * minute: 451, 9000 * minute: 451} {
			stage, code := r.through(now, 0)
			if code != want || want != 250 && stage.String() != at {
				t.Errorf("%s, %v: refused with %d at %s, want %d", at, now, code, stage, want)
			}
		}
	}
}

// Of events under way at once the shares add up, and each refuses its own share;
// connections and messages are drawn apart.
func TestEventsHaveTheirShares(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Refuse = []config.Refuse{
			{At: "banner", Reply: 421, Share: 0.5},
			{At: "rcpt", Reply: 450, Share: 0.25},
			{At: "mail", Reply: 451, Share: 0},
			{At: "dot", Reply: 554, Share: 0.25},
			{At: "mail", Reply: 550, Share: 0.25, From: vt.Hour},
		}
	})
	const n = 20_000
	met := map[uint16]int{}
	for i := range n {
		_, code := r.through(minute, i)
		met[code]++
	}
	for code, share := range map[uint16]float64{421: 0.5, 450: 0.125, 554: 0.125, 250: 0.25} {
		if got := float64(met[code]) / n; got < share-0.015 || got > share+0.015 { // four standard deviations
			t.Errorf("%d to %.3f of the attempts, want %.3f", code, got, share)
		}
	}
	if len(met) != 4 {
		t.Errorf("replies: %v, want four codes", met)
	}
}

// An event comes before what is drawn for its stage or a later one, even for a
// dead recipient, and after what is drawn for an earlier one. So do greylists.
func TestEventAmongOtherRefusals(t *testing.T) {
	for _, c := range []struct {
		event, other string
		want         string
	}{{"rcpt", "rcpt", "event"}, {"mail", "rcpt", "event"}, {"dot", "rcpt", "other"}, {"rcpt", "dot", "event"}} {
		for kind, behave := range map[string]func(d *config.Destination){
			"dead":  func(d *config.Destination) { d.Dead = []config.Dead{{Share: 1, At: c.other, Reply: 450}} },
			"fails": func(d *config.Destination) { d.Fail = []config.Fail{{P: 1, At: c.other, Reply: 450}} },
			"greylist": func(d *config.Destination) {
				d.Greylist.Share, d.Greylist.At, d.Greylist.Reply = 1, c.other, 450
			},
		} {
			r := receiver(t, func(d *config.Destination) {
				behave(d)
				d.Refuse = []config.Refuse{{At: c.event, Reply: 421, Share: 1}}
			})
			stage, code := r.through(0, 0)
			got := "event"
			if code == 450 {
				got = "other"
			}
			if at := map[string]string{"event": c.event, "other": c.other}[c.want]; got != c.want ||
				stage.String() != at {
				t.Errorf("event at %s, %s at %s: %s at %s refused, want %s", c.event, kind, c.other, got, stage, c.want)
			}
		}
	}
}

// What an event refuses counts against a reputation, at each stage, and what comes
// before it does not. What it refuses at MAIL takes nothing of an allowance; at a
// later stage the allowance was asked before.
func TestEventCounts(t *testing.T) {
	for at, want := range map[string]uint16{"mail": 421, "dot": 450} {
		r := receiver(t, func(d *config.Destination) {
			d.Refuse = []config.Refuse{{At: at, Reply: 421, Share: 1}}
			d.Allowances = []limits.Allowance{allow(2, vt.Hour, 450)}
			d.Tarpit = config.Tarpit{PerPoint: vt.Second, Most: vt.Minute}
			d.Reputation = config.Reputation{PerRefusal: 1, PerDead: 10, Heals: 100 * vt.Day}
		})
		for range 3 {
			_, code := r.through(0, 0)
			if code == 450 && want == 421 {
				t.Errorf("%s: the allowance is used up by refused messages", at)
			}
		}
		if _, code := r.through(0, 0); code != want {
			t.Errorf("%s: the fourth message gets %d, want %d", at, code, want)
		}
		if got := r.states[0].points.Sum; got != 4 {
			t.Errorf("%s: %v points, want one for each refusal: 4", at, got)
		}
	}
	r := receiver(t, func(d *config.Destination) {
		d.Refuse = []config.Refuse{{At: "dot", Reply: 421, Share: 1}}
		d.Dead = []config.Dead{{Share: 1, At: "rcpt", Reply: 550}}
		d.Tarpit = config.Tarpit{PerPoint: vt.Second, Most: vt.Minute}
		d.Reputation = config.Reputation{PerRefusal: 1, PerDead: 10, Heals: 100 * vt.Day}
	})
	r.through(0, 0)
	if got := r.states[0].points.Sum; got != 10 {
		t.Errorf("a dead recipient before an event: %v points, want 10", got)
	}
}

// A receiver that hangs up after three messages lets three pass over each
// connection; the next command over it is not answered.
func TestReceiverHangsUp(t *testing.T) {
	r := receiver(t, func(d *config.Destination) { d.HangsUp = 3 })
	steps := r.net.Steps(mail.Reused, &Message{})
	for range 2 {
		var c Connection
		r.Connect(0, &c)
		for i := range 4 {
			if i > 0 {
				r.Reuse(0, mail.Reused, &c)
			}
			var m Message
			r.Offer(0, &c, &m, mail.Recipient(i), 0)
			e := r.Exchange(0, steps[0], &c, &m, 1)
			if want := (i == 3); want != (e.Fault == mail.Drop) || e.Code != 0 {
				t.Errorf("message %d: reply %d, fault %q, want the end of the connection: %v", i, e.Code, e.Fault, want)
			}
		}
		r.Close(&c)
	}
}

// With a reply, the receiver answers the fourth MAIL of a connection and each later one with it, and forgets the
// message.
func TestReceiverEndsConnectionsByReply(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.HangsUp, d.HangsUpReply = 3, 452
		d.Bucket = config.Bucket{Rate: 60, Burst: 3, Reply: 450}
	})
	steps := r.net.Steps(mail.Reused, &Message{})
	var c Connection
	r.Connect(0, &c)
	for i := range 6 {
		if i > 0 {
			r.Reuse(0, mail.Reused, &c)
		}
		var m Message
		r.Offer(0, &c, &m, mail.Recipient(i), 0)
		want := uint16(0)
		if i >= 3 { // else the empty bucket would answer
			want = 452
		}
		if e := r.Exchange(0, steps[0], &c, &m, 1); e.Code != want || e.Fault != mail.NoFault {
			t.Errorf("message %d: reply %d, fault %q, want %d", i, e.Code, e.Fault, want)
		}
	}
}

// A refused RSET is answered at EHLO's step, and only RSET is: a connection that is used again without it goes on.
func TestReceiverRefusesRSET(t *testing.T) {
	r := receiver(t, func(d *config.Destination) { d.ResetReply = 503 })
	for _, kind := range []mail.Conn{mail.Reused, mail.Reset} {
		var c Connection
		r.Connect(0, &c)
		var m Message
		r.Offer(0, &c, &m, 0, 0)
		r.Reuse(0, kind, &c)
		r.Offer(0, &c, &m, 1, 0)
		want := map[mail.Conn]uint16{mail.Reset: 503}[kind]
		if e := r.Exchange(0, r.net.Steps(kind, &m)[0], &c, &m, 1); e.Code != want || e.Fault != mail.NoFault {
			t.Errorf("%s: reply %d, fault %q, want %d", kind, e.Code, e.Fault, want)
		}
	}
}

// Complaints count when their messages are delivered, and no others do.
func TestComplaints(t *testing.T) {
	r := receiver(t, func(d *config.Destination) {
		d.Tarpit = config.Tarpit{PerPoint: ms, Most: vt.Minute}
		d.Reputation = config.Reputation{PerComplaint: 1, Complaints: 0.1, Heals: 365 * vt.Day}
		d.Fail = []config.Fail{{P: 0.5, At: "dot", Reply: 451}}
	})
	const n = 20_000
	delivered := 0
	for i := range n {
		if _, code := r.through(0, i); code == 250 {
			delivered++
		}
	}
	// four standard deviations
	if got, want := r.states[0].points.Sum, float64(delivered)/10; got < want-120 || got > want+120 {
		t.Errorf("%v complaints of %d delivered, want about %v", got, delivered, want)
	}
	v := r.message(0, 0)
	v.complains = true
	half := vt.Time(365 * vt.Day)
	before := r.states[0].points.At(half, r.facts.behaviour.healTick)
	r.End(half, &Connection{}, &v, true)
	if got := r.states[0].points.Sum; got != before+1 {
		t.Errorf("a complaint makes %v points of %v, want one more", got, before)
	}
}
