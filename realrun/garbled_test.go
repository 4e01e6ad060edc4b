package realrun_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun"
)

// answer serves SMTP with one wrong code at one stage, until the test ends.
func answer(t *testing.T, stage string, code int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				say := func(at string, right int) {
					if at == stage {
						right = code
					}
					fmt.Fprintf(c, "%d here\r\n", right)
				}
				say("banner", 220)
				body := false
				for lines := bufio.NewScanner(c); lines.Scan(); {
					verb := strings.ToLower(lines.Text()[:min(4, len(lines.Text()))])
					switch {
					case body && verb == ".":
						body = false
						say("dot", 250)
					case body:
					case verb == "data":
						say(verb, 354)
						body = stage != "data"
					default:
						say(verb, 250)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// Only a 2yz reply to the final dot is a delivery, whatever the other replies are.
func TestUnexpectedRepliesAreNoDelivery(t *testing.T) {
	for _, c := range []struct {
		stage  string
		code   int
		status mail.Status
	}{
		{"none", 0, mail.Done}, // the server itself is sound
		{"banner", 250, mail.Failed}, {"banner", 120, mail.Failed}, {"ehlo", 220, mail.Failed}, {"mail", 354, mail.Failed},
		{"mail", 199, mail.Failed}, {"rcpt", 354, mail.Failed}, {"rcpt", 604, mail.Failed}, {"data", 250, mail.Failed},
		{"dot", 354, mail.Held}, {"dot", 199, mail.Held}, {"dot", 999, mail.Held}, // who knows?
	} {
		got, replies := deliverTo(t, sinkAt(answer(t, c.stage, c.code)))
		for r, s := range got.status {
			if s != c.status {
				t.Errorf("%d at %s: recipient %d ended %v, want %v; replies %v", c.code, c.stage, r, s, c.status, replies)
				break
			}
		}
	}
}

// A refusal carries the stage that it came at.
func TestRefusalsHaveTheirStage(t *testing.T) {
	for stage, at := range map[string]mail.Stage{"banner": mail.StageBanner, "mail": mail.StageMAIL, "rcpt": mail.StageRCPT,
		"data": mail.StageDATA, "dot": mail.StageDot} {
		_, replies := deliverTo(t, sinkAt(answer(t, stage, 550)))
		if want := (mail.Reply{Code: 550, Stage: at}); len(replies) != 1 || replies[want] != 40 {
			t.Errorf("550 at %s: got %v, want 40 of %v", stage, replies, want)
		}
	}
}

// Recipients whose conversations a stopped run aborts stay pending, even while a
// receiver does not reply, and also at the horizon.
func TestStoppedAttemptsStayPending(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for horizon, patience := range map[vt.Span]time.Duration{vt.Second / 5: 20 * time.Second, vt.Hour: time.Second / 5} {
		s := rehearsal(100)
		s.Horizon, s.Retry.Limit = horizon, 0
		list := s.List(rng.New(s.Seed, 0))
		transport := &realrun.SMTP{Resolver: sinkAt(l.Addr().String()), Letters: letters{s, &list}, Dialogue: s.Dialogue, Scale: 1,
			Domain: "sender.example", Broken: func(err error) { t.Error(err) }}
		r, err := realrun.New(s, &list, 1, transport, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		began := time.Now()
		_, stopped := r.Run(ctx, nil)
		cancel()
		if stopped != (horizon == vt.Hour) {
			t.Errorf("horizon %s: stopped = %v", horizon, stopped)
		}
		if n := r.Rec.Attempts; n != 0 || r.Rec.Final() != 0 {
			t.Errorf("horizon %s: %d attempts ended, %d recipients final, want none", horizon, n, r.Rec.Final())
		}
		if s.Dialogue.Timeouts.Banner < 5*vt.Minute || time.Since(began) > time.Minute {
			t.Errorf("horizon %s: the run ended with the banner's patience, not when it was stopped", horizon)
		}
	}
}
