package live

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/netmodel/config"
	"flyball/scenarios"
)

// Each destination that refuses the sender is named once, with what it said first.
func TestAlarms(t *testing.T) {
	s := &scenarios.Scenario{Destinations: []config.Destination{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	var all alarms
	if got := all.words(s); got != nil {
		t.Errorf("got %q without a refusal", got)
	}
	all.add(2, mail.Reply{Stage: mail.StageEHLO, Code: 550}, "who is that")
	all.add(0, mail.Reply{Stage: mail.StageMAIL, Code: 530}, "5.7.0 authenticate")
	all.add(0, mail.Reply{Stage: mail.StageMAIL, Code: 535}, "5.7.8 no")
	const rest = ". No recipient was given up for that; attempts waited for the resend delay."
	if got, want := all.words(s), []string{
		"Alarm: a refused this sender in 2 attempts, first at mail with: 530 5.7.0 authenticate" + rest,
		"Alarm: c refused this sender in 1 attempt, first at ehlo with: 550 who is that" + rest,
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
