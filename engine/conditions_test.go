package engine

import (
	"testing"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// The conditions of ten attempts, counted by hand: four of them are resends; 421
// counts as a refusal at every stage, and as a deferral as well.
func TestConditionsByHand(t *testing.T) {
	var c Conditions
	for _, a := range []struct {
		try   mail.Try
		conn  mail.Conn
		took  vt.Span // seconds
		code  uint16
		stage mail.Stage
		fault mail.Fault
	}{
		{0, mail.Fresh, 1, 250, mail.StageDot, mail.NoFault},
		{1, mail.Reused, 2, 250, mail.StageDot, mail.NoFault},
		{2, mail.Reset, 3, 421, mail.StageMAIL, mail.NoFault},
		{0, mail.Fresh, 4, 421, mail.StageBanner, mail.NoFault},
		{0, mail.Fresh, 5, 421, mail.StageDot, mail.NoFault},
		{1, mail.Reused, 6, 451, mail.StageRCPT, mail.NoFault},
		{0, mail.Reused, 7, 550, mail.StageRCPT, mail.NoFault},
		{0, mail.Reused, 8, 499, mail.StageDot, mail.NoFault},
		{3, mail.Fresh, 9, 0, mail.StageConnect, mail.Timeout},
		{0, mail.Fresh, 15, 0, mail.StageDot, mail.Drop},
	} {
		attempt := mail.Attempt{Try: a.try, Conn: a.conn}
		c.Count(&attempt, &mail.Completion{Reply: mail.Reply{Took: a.took * vt.Second, Code: a.code, Stage: a.stage,
			Fault: a.fault}})
	}
	got := governor.Sample{Attempts: 10}
	c.Into(&got)
	want := governor.Sample{Attempts: 10, Retries: 4, Deferrals: 5, Bounces: 1, Refusals: 3, Timeouts: 2,
		AttemptTime: 6 * vt.Second}
	if got != want || c.Lookups != 5 {
		t.Errorf("got %+v with %d look-ups\nwant %+v with 5", got, c.Lookups, want)
	}
}
