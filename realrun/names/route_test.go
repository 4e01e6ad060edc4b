package names

import (
	"testing"

	"flyball/internal/mail"
)

// An attempt goes on to the next candidate only while nothing was decided about the
// message, and no more than two candidates may greet it.
func TestTrial(t *testing.T) {
	reply := func(at mail.Stage, code uint16) mail.Reply { return mail.Reply{Stage: at, Code: code} }
	fault := func(at mail.Stage, f mail.Fault) mail.Reply { return mail.Reply{Stage: at, Fault: f} }
	refused, unreachable := fault(mail.StageConnect, mail.Drop), fault(mail.StageConnect, mail.Timeout)
	mute, closed := fault(mail.StageBanner, mail.Timeout), fault(mail.StageBanner, mail.Drop)
	noMail, full, busy := reply(mail.StageBanner, 554), reply(mail.StageBanner, 421), reply(mail.StageBanner, 450)
	delivered := reply(mail.StageDot, 250)
	for _, c := range []struct {
		name    string
		replies []mail.Reply // of the candidates, in order
		tried   int
		end     mail.Reply
	}{
		{"the first takes it", []mail.Reply{delivered, delivered}, 1, delivered},
		{"refused connection", []mail.Reply{refused, delivered}, 2, delivered},
		{"black hole", []mail.Reply{unreachable, delivered}, 2, delivered},
		{"silence after the connection", []mail.Reply{mute, delivered}, 2, delivered},
		{"closed before the greeting", []mail.Reply{closed, delivered}, 2, delivered},
		{"four black holes", []mail.Reply{refused, unreachable, refused, unreachable, delivered}, 5, delivered},
		{"takes no mail", []mail.Reply{noMail, delivered}, 2, delivered},
		{"521", []mail.Reply{reply(mail.StageBanner, 521), delivered}, 2, delivered},
		{"too many connections", []mail.Reply{full, delivered}, 2, delivered},
		{"EHLO refused", []mail.Reply{reply(mail.StageEHLO, 550), delivered}, 2, delivered},
		{"lost at EHLO", []mail.Reply{fault(mail.StageEHLO, mail.Drop), delivered}, 2, delivered},
		{"a later time is wanted", []mail.Reply{busy, delivered}, 1, busy},
		{"EHLO at a later time", []mail.Reply{reply(mail.StageEHLO, 451), delivered}, 1, reply(mail.StageEHLO, 451)},
		{"the message is refused", []mail.Reply{reply(mail.StageRCPT, 550), delivered}, 1, reply(mail.StageRCPT, 550)},
		{"MAIL is put off", []mail.Reply{reply(mail.StageMAIL, 421), delivered}, 1, reply(mail.StageMAIL, 421)},
		{"lost in the message", []mail.Reply{fault(mail.StageDATA, mail.Drop), delivered}, 1,
			fault(mail.StageDATA, mail.Drop)},
		{"lost after the final dot", []mail.Reply{fault(mail.StageDot, mail.Drop), delivered}, 1,
			fault(mail.StageDot, mail.Drop)},
		{"stopped", []mail.Reply{refused, fault(mail.StageConnect, mail.Aborted), delivered}, 2,
			fault(mail.StageConnect, mail.Aborted)},
		{"all take no mail", []mail.Reply{noMail, noMail}, 2, noMail},
		{"one takes no mail, one is down", []mail.Reply{noMail, refused}, 2, refused},
		{"one is down, one takes no mail", []mail.Reply{refused, noMail}, 2, refused},
		{"two sessions", []mail.Reply{full, noMail, delivered}, 2, full},
		{"two sessions and what is down", []mail.Reply{refused, full, unreachable, noMail, delivered}, 4, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			var trial Trial
			tried := 0
			for _, r := range c.replies {
				tried++
				if trial.Ends(r) {
					break
				}
			}
			if tried != c.tried || trial.Reply() != c.end {
				t.Errorf("got %+v from %d candidates, want %+v from %d", trial.Reply(), tried, c.end, c.tried)
			}
		})
	}
}
