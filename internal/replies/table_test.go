package replies

import (
	"strings"
	"testing"

	"flyball/internal/mail"
)

// A real sender's table, of tokens that providers publish or that senders' files have.
var published = []Row{
	{Code: 421, Class: "busy"},
	{Enhanced: 4_007_000, Class: "new-source"},
	{Enhanced: 4_007_000, Text: "low reputation", Class: "reputation-soft"},
	{Text: "TSS04", Class: "reputation-soft"},
	{Text: "TSS05", Class: "reputation-soft"},
	{Text: "too many connections", Class: "connections"},
	{Text: "RP-001", Class: "source-rate"},
	{Code: 550, Text: "IB510", Class: "messages-per-connection"},
	{Code: 550, At: "rcpt", Class: "unknown-user"},
	{Code: 550, At: "dot", Class: "content"},
	{Text: "104", Class: "connections"},
}

// The token decides, then status and text, then the status, then the code; case, lines and
// repeated codes do not matter, and a part of a word is not the word.
func TestMatch(t *testing.T) {
	table := NewTable(published, nil)
	for _, c := range []struct {
		at   mail.Stage
		code int
		text string
		want int
	}{
		{mail.StageMAIL, 421, "", 1},
		{mail.StageMAIL, 421, "4.7.0 try later", 2},
		{mail.StageMAIL, 421, "4.7.0 Low Reputation IP", 3},
		{mail.StageMAIL, 421, "4.7.0 low 4.7.0 reputation", 3}, // of two lines
		{mail.StageMAIL, 421, "4.7.0 [TSS04] wait", 4},
		{mail.StageMAIL, 421, "4.7.0 low reputation [tss04]", 4},
		{mail.StageMAIL, 421, "TSS045 tss04 ", 4},
		{mail.StageMAIL, 421, "TSS045", 1},
		{mail.StageMAIL, 421, "xTSS05", 1},
		{mail.StageBanner, 421, "Too  many\tconnections from 10.0.0.1", 6},
		{mail.StageMAIL, 451, "too many connectionsfoo", 0},
		{mail.StageMAIL, 450, "RP-0011", 0},
		{mail.StageMAIL, 450, "(RP-001)", 7},
		{mail.StageRCPT, 550, "IB510 wait", 8},
		{mail.StageRCPT, 554, "IB510 wait", 0},
		{mail.StageRCPT, 550, "5.1.1 who", 9},
		{mail.StageDot, 550, "", 10},
		{mail.StageMAIL, 550, "", 0},
		{mail.StageMAIL, 421, "OFR006_104 [104]", 11},
		{mail.StageDot, 250, "TSS04", 0},
	} {
		if got := int(table.Match(c.at, c.code, c.text)); got != c.want {
			t.Errorf("%d %q at %s matches row %d, want %d", c.code, c.text, c.at, got, c.want)
		}
	}
	if got := Table(nil).Match(mail.StageMAIL, 421, "TSS04"); got != 0 {
		t.Errorf("no table has row %d", got)
	}
}

// Of rows that are as certain, a destination's own go first; a general token goes before its
// own code.
func TestOwnRowsGoFirst(t *testing.T) {
	own := []Row{{Code: 421, Class: "busy"}, {Text: "TS01", Class: "content"}}
	table := NewTable(own, []Row{{Code: 421, Class: "window"}, {Text: "TS01", Class: "window"},
		{Text: "TS02", Class: "window"}})
	for text, want := range map[string]uint16{"x": 1, "TS01": 2, "TS02": 5} {
		if got := table.Match(mail.StageMAIL, 421, text); got != want {
			t.Errorf("%q matches row %d, want %d", text, got, want)
		}
	}
}

// The code decides for a reaction none alone: some 5yz pass and some 4yz never do.
func TestClassOf(t *testing.T) {
	for reaction, want := range map[string][2]mail.Class{
		"none": {mail.Deferral, mail.Bounce}, "bounce": {mail.Bounce, mail.Bounce},
		"defer": {mail.Deferral, mail.Deferral}, "reconnect": {mail.Deferral, mail.Deferral},
		"slow": {mail.Deferral, mail.Deferral}, "suspend": {mail.Deferral, mail.Deferral},
		"hold": {mail.Deferral, mail.Deferral},
	} {
		r := Row{Reaction: reaction}
		for i, code := range []uint16{450, 550} {
			if got := r.ClassOf(&mail.Reply{Code: code, Stage: mail.StageRCPT}); got != want[i] {
				t.Errorf("%s: %d is a %s, want %s", reaction, code, got, want[i])
			}
		}
	}
	for _, c := range reactions {
		if c.Name != "none" && c.Name != "bounce" && (Row{Reaction: c.Name}).Problems() == nil {
			t.Errorf("%s: a row that matches every reply is no problem", c.Name)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want string
	}{
		{Row{Code: 421, Reaction: "none"}, ""},
		{Row{Text: "TS01", Reaction: "suspend", For: 1, Scope: "campaign"}, ""},
		{Row{Reaction: "none"}, "code: got none, and no text or enhanced, want one of them"},
		{Row{Code: 550, Enhanced: 4_002_001, Reaction: "none"},
			"enhanced: got 4.2.1 with reply = 550, want a status of class 5"},
		{Row{Code: 421, Enhanced: 5_007_032, Reaction: "none"}, ""}, // as Google answers
		{Row{Code: 421, Reaction: "hold"}, "for: got none, want how long hold lasts"},
		{Row{Code: 421, Reaction: "defer", For: 1e9}, "for: got 1s, want none: reaction = \"defer\" has no use for it"},
		{Row{Code: 421, Reaction: "slow", For: 1e9, Scope: "campaign"},
			"scope: got \"campaign\", want source, domain or account: a campaign is suspended, not slowed"},
		{Row{Code: 421, Reaction: "suspend", For: 1e9, Scope: "domain", Return: 1, After: 2}, ""},
		{Row{Code: 421, Reaction: "suspend", For: 1e9, Scope: "campaign", Return: 2},
			"return: got 2, want 0: a source, domain or account returns from reaction = \"suspend\""},
		{Row{Code: 421, Reaction: "slow", For: 1e9, Return: 2},
			"return: got 2, want 0: a source, domain or account returns from reaction = \"suspend\""},
		{Row{Code: 421, Reaction: "defer", After: 2}, "after: got 2, want 1: " +
			"reaction = \"defer\" takes effect at once"},
	} {
		var all []string
		for _, err := range c.row.Problems() {
			all = append(all, err.Error())
		}
		if got := strings.Join(all, "; "); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.row, got, c.want)
		}
	}
}
