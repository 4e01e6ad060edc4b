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

// A greylisted recipient is deferred until the delay has passed since the end of
// the first deferral, to the nanosecond, whatever else happens to the recipient. A
// recipient that was delivered, or not seen for more than a week, starts again.
func TestGreylistClock(t *testing.T) {
	const first, rcpt = vt.Time(17 * vt.Second), 400 * ms
	const seen = first + vt.Time(rcpt) // the reply to the first RCPT
	const week = 7 * vt.Day
	type step struct {
		at   vt.Time // when the client sends RCPT
		code uint16
	}
	for name, v := range map[string]struct {
		dot   uint16
		steps []step
	}{
		"let in": {250, []step{{first, 450}, {seen, 450}, {seen.Add(5*vt.Minute - 1), 450},
			{seen.Add(5 * vt.Minute), 250}}},
		"late":                       {250, []step{{first, 450}, {seen.Add(vt.Day), 250}}},
		"delivered, then a stranger": {250, []step{{first, 450}, {seen.Add(vt.Day), 250}, {seen.Add(2 * vt.Day), 450}}},
		"let in, but refused at the dot, and let in again": {452,
			[]step{{first, 450}, {seen.Add(5 * vt.Minute), 452}, {seen.Add(6 * vt.Minute), 452}}},
		"not seen for a week": {250, []step{{first, 450}, {seen.Add(week), 250}}},
		"not seen for longer": {250,
			[]step{{first, 450}, {seen.Add(week + vt.Second), 450}, {seen.Add(week + 2*vt.Minute), 450},
				{seen.Add(week + vt.Second + 5*vt.Minute + rcpt), 250}}},
		"seen too soon, then a week later": {250,
			[]step{{first, 450}, {seen.Add(vt.Minute), 450}, {seen.Add(week + vt.Minute), 250}}},
	} {
		for _, stages := range []string{"collapsed", "full"} {
			c := plain()
			d := &c.Destinations[0]
			d.Greylist = config.Greylist{Share: 1, Delay: delay.Constant(5 * vt.Minute), At: "rcpt", Reply: 450}
			d.RCPT = delay.Constant(300 * ms)
			if v.dot != 250 {
				d.Fail = []config.Fail{{At: "dot", Reply: int(v.dot), P: 1}}
			}
			c.Stages = stages
			m := newShell(t, c, 1).models[0]
			var q evq.Queue
			for i, s := range v.steps {
				// Connect, banner, EHLO and MAIL are four round trips before RCPT.
				m.Begin(s.at.Add(-400*ms), &mail.Attempt{Try: mail.Try(i)}, &q)
				at, done, ended := handle(m, &q)
				for !ended {
					at, done, ended = handle(m, &q)
				}
				if done.Reply.Code != s.code {
					t.Errorf("%s, %s: try %d at %s: %+v, want %d", name, stages, i, s.at, done.Reply, s.code)
				}
				if end := s.at.Add(rcpt); s.code == 450 && (at != end || done.Reply.Stage != mail.StageRCPT) {
					t.Errorf("%s, %s: try %d ends at %s with %+v, want at %s with the reply to RCPT", name, stages, i,
						at, done.Reply, end)
				}
			}
		}
	}
}

// A greylist at the dot lets RCPT pass, defers the message at its end, and counts
// from that reply to the next end of data; a greylist at RCPT ignores the dot.
func TestGreylistStage(t *testing.T) {
	for _, at := range []string{"rcpt", "dot"} {
		c := plain()
		c.Destinations[0].Greylist = config.Greylist{Share: 1, Delay: delay.Constant(vt.Minute), At: at, Reply: 451}
		c.Destinations[0].Dot = delay.Constant(vt.Second)
		if errs := c.Validate(); len(errs) > 0 {
			t.Fatal(errs)
		}
		m := newShell(t, c, 1).models[0]
		var q evq.Queue
		try := func(now vt.Time) (vt.Time, mail.Reply) {
			m.Begin(now, &mail.Attempt{}, &q)
			end, done, _ := handle(m, &q)
			return end, done.Reply
		}
		stage, trips := mail.StageRCPT, vt.Span(4) // connect, banner, EHLO and MAIL before
		if at == "dot" {
			stage, trips = mail.StageDot, 6
		}
		seen, reply := try(0)
		if reply.Code != 451 || reply.Stage != stage {
			t.Errorf("at %s: %+v", at, reply)
		}
		next := seen.Add(vt.Minute - trips*100*ms) // the stage begins as the delay ends
		if _, reply := try(next - 1); reply.Code != 451 || reply.Stage != stage {
			t.Errorf("at %s, a moment too early: %+v", at, reply)
		}
		if _, reply := try(next); reply.Code != 250 {
			t.Errorf("at %s, in time: %+v", at, reply)
		}
	}
}

// The delay belongs to the recipient, not to the try, and is independent of
// whether a recipient is greylisted: its mean is the mean of its distribution.
func TestGreylistDelayStays(t *testing.T) {
	c := plain()
	c.Destinations[0].Greylist = config.Greylist{Share: 0.5, Delay: delay.Dist{Dist: "exponential", Mean: vt.Minute},
		At: "rcpt", Reply: 451}
	w := valid(t, c)
	listed, sum := 0, 0.0
	for r := range mail.Recipient(10000) {
		first := w.Message(0, r, 0)
		for try := range mail.Try(4) {
			if m := w.Message(0, r, try); m.Grey != first.Grey {
				t.Fatalf("recipient %d: %s, then %s", r, first.Grey, m.Grey)
			}
		}
		if first.Grey > 0 {
			listed++
			sum += first.Grey.Seconds()
		}
	}
	near4(t, "greylisted", listed, 10000, 0.5)
	if mean, sd := sum/float64(listed), 60/math.Sqrt(float64(listed)); math.Abs(mean-60) > 4*sd {
		t.Errorf("delays are %.2f s on average, want 60 +- %.2f", mean, 4*sd)
	}
}

// Clocks take memory only for greylisted recipients that are undelivered or were
// given up in the last days.
func TestClocksAreBounded(t *testing.T) {
	c := plain()
	c.Destinations[0].Greylist = config.Greylist{Share: 0.5, Delay: delay.Constant(vt.Second), At: "rcpt", Reply: 451}
	r := &valid(t, c).Receivers()[0][0]
	rcpt, dot := mail.Step{Stage: mail.StageRCPT}, mail.Step{Stage: mail.StageDot}
	var conn Connection
	r.Connect(0, &conn)
	offer := func(now vt.Time, to mail.Recipient) (accepted bool) {
		var v Message
		r.Offer(now, &conn, &v, to, 0)
		accepted = !r.Exchange(now, rcpt, &conn, &v, 1).Ends() && !r.Exchange(now, dot, &conn, &v, 1).Ends()
		r.End(now, &conn, &v, accepted)
		return accepted
	}
	now := vt.Time(0)
	for to := range mail.Recipient(100_000) { // a backlog of one
		now = now.Add(vt.Minute)
		if !offer(now, to) && !offer(now.Add(2*vt.Second), to) {
			t.Fatalf("recipient %d is not let in", to)
		}
	}
	if kept, n := r.grey.clocks.Size(); kept != 0 || n > 16 {
		t.Errorf("%d clocks in %d slots are left of a list that was delivered", kept, n)
	}
	for to := range mail.Recipient(100_000) { // every greylisted recipient is given up, 720 a day
		now = now.Add(vt.Minute)
		offer(now, to)
	}
	const young = 8 * 720
	if kept, n := r.grey.clocks.Size(); n > 4*young || kept > 2*young {
		t.Errorf("%d clocks in %d slots, though only %d are younger than eight days", kept, n, young)
	}
}
