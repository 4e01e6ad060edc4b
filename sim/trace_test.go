package sim

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// A run whose attempts are traced is the same run, with one event per stage or one per attempt; each attempt has one
// trace, and its stages last as long as it does, but for its turn at its server.
func TestTracesAreThoseOfTheRun(t *testing.T) {
	for _, stages := range []string{"collapsed", "full"} {
		s := eventful(3000)
		s.Stages = stages
		plain, err := New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		plain.Run(nil)
		var of [mail.Stages]int
		traces, texts := 0, 0
		last := map[mail.Recipient]mail.Reply{}
		w, err := New(s, 0, nil, func(_ vt.Time, a mail.Attempt, r mail.Reply, _ mail.Status) {
			if last[a.Rcpt] != r {
				t.Fatalf("recipient %d: the trace has %+v, the run %+v", a.Rcpt, last[a.Rcpt], r)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Trace(func(v *mail.Trace) {
			traces++
			last[v.Rcpt] = v.Reply
			sum := vt.Span(0)
			for stage, took := range v.Stages {
				sum += took
				if took > 0 {
					of[stage]++
				}
				// After a kept connection, or one that was closed at EHLO, comes another one.
				over := v.Conn == mail.Fresh && v.Reply.Stage != mail.StageEHLO
				if over && took > 0 && mail.Stage(stage) > v.Reply.Stage {
					t.Errorf("recipient %d ended at %s and has been at %s", v.Rcpt, v.Reply.Stage, mail.Stage(stage))
				}
			}
			if sum != v.Reply.Took || v.Waited() != 0 {
				t.Errorf("recipient %d: stages take %v, the attempt %v", v.Rcpt, sum, v.Reply.Took)
			}
			if (len(v.Text) > 0) != (v.Reply.Code >= 400) {
				t.Errorf("recipient %d: got text %q of %+v", v.Rcpt, v.Text, v.Reply)
			}
			if len(v.Text) > 0 {
				texts++
			}
		})
		w.Run(nil)
		if w.Record().Digest() != plain.Record().Digest() || uint64(traces) != w.Record().Attempts() || texts == 0 {
			t.Errorf("%s: digest %x of %d traces, want %x of %d", stages, w.Record().Digest(), traces,
				plain.Record().Digest(), w.Record().Attempts())
		}
		for stage, n := range of {
			if n == 0 {
				t.Errorf("%s: no attempt has been at %s", stages, mail.Stage(stage))
			}
		}
	}
}

// The wait of an attempt is its turn at a server that begins few connections at a time.
func TestTracesHaveTheWaitForTheServer(t *testing.T) {
	s := plain(100)
	s.Servers[0].Rate = 3600 * 5 // turns of 200 ms
	w, err := New(s, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	longest := vt.Span(0)
	w.Trace(func(v *mail.Trace) { longest = max(longest, v.Waited()) })
	w.Run(nil)
	if longest == 0 {
		t.Error("no attempt waited")
	}
}
