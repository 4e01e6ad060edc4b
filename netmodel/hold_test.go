package netmodel

import (
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// At any time the share of the mailboxes is held, each for its period or a multiple of it;
// the reply is the state's, and does not count against the sender.
func TestMailboxesAreHeld(t *testing.T) {
	const share, long = 0.2, 6 * vt.Hour
	r := receiver(t, func(d *config.Destination) {
		d.Mailboxes = []config.Mailbox{{Share: share, For: long, At: "rcpt", Reply: 452, Enhanced: 4_002_002},
			{Share: 0.1, For: vt.Hour, At: "rcpt", Reply: 450, Enhanced: 4_002_001}}
		d.Recent, d.Throttle = vt.Hour, config.Throttle{Soft: 1e8, Hard: 2e8, Curve: "linear", Reply: 421}
		d.Reputation = config.Reputation{PerRefusal: 1, PerDead: 1, Heals: vt.Day}
	})
	var c Connection
	r.Connect(0, &c)
	full, fast, changes := 0, 0, 0
	const n, looks = 4000, 24
	for to := range mail.Recipient(n) {
		var since vt.Time // of the state
		var before uint16
		for i := range looks {
			now := vt.Time(i) * vt.Time(vt.Hour)
			var m Message
			r.Offer(now, &c, &m, to, 0)
			e := r.Exchange(now, mail.Step{Stage: mail.StageRCPT}, &c, &m, 1)
			status, _ := r.Words(e)
			switch {
			case e.Code == 452 && status.String() == "4.2.2":
				full++
			case e.Code == 450 && status.String() == "4.2.1":
				fast++
			case e.Code != 0:
				t.Fatalf("refused with %d %s", e.Code, status)
			}
			if i > 0 && (e.Code == 452) != (before == 452) {
				if since > 0 && now.Sub(since)%long != 0 {
					t.Fatalf("recipient %d was %d for %s, want whole periods of %s", to, before, now.Sub(since), long)
				}
				since = now
				changes++
			}
			before = e.Code
		}
	}
	near4(t, "full in the end", full/looks, n, share) // few are independent: one look of each
	near4(t, "too fast", fast/looks, n, (1-share)*0.1)
	want := n * 2 * share * (1 - share) * (looks - 1) / 6
	if float64(changes) < 0.9*want || float64(changes) > 1.1*want {
		t.Errorf("%d changes, want about %.0f", changes, want)
	}
	if p := r.states[0].points.Sum; p != 0 {
		t.Errorf("%v points of bad reputation for full mailboxes", p)
	}
}

// A hold comes after a drawn failure of an earlier stage and before those of its own and
// later ones; a dead recipient has no mailbox.
func TestHoldAmongFailures(t *testing.T) {
	for name, v := range map[string]struct {
		change func(*config.Destination)
		stage  mail.Stage
		code   uint16
	}{
		"mail": {func(d *config.Destination) {
			d.Fail = []config.Fail{{At: "mail", Reply: 421, P: 1}}
		}, mail.StageMAIL, 421},
		"rcpt": {func(d *config.Destination) {
			d.Fail = []config.Fail{{At: "rcpt", Reply: 421, P: 1}}
		}, mail.StageRCPT, 452},
		"dot": {func(d *config.Destination) {
			d.Fail = []config.Fail{{At: "dot", Reply: 421, P: 1}}
		}, mail.StageRCPT, 452},
		"dead": {func(d *config.Destination) {
			d.Dead = []config.Dead{{Share: 1, At: "dot", Reply: 550}}
		}, mail.StageDot, 550},
	} {
		r := receiver(t, func(d *config.Destination) {
			d.Mailboxes = []config.Mailbox{{Share: 1, For: vt.Day, At: "rcpt", Reply: 452}}
			v.change(d)
		})
		if stage, code := r.through(0, 0); stage != v.stage || code != v.code {
			t.Errorf("%s: refused with %d at %s, want %d at %s", name, code, stage, v.code, v.stage)
		}
	}
}
