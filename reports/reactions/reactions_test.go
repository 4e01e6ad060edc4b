package reactions

import (
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/reports/runlog"
)

// A hundred attempts of a server for one destination, of which ten got a token, two another and
// four no row; nothing for the other.
func TestReactions(t *testing.T) {
	rec := runlog.NewRecorder(2, nil)
	end := func(n int, code, row uint16, s mail.Status) {
		for range n {
			rec.Ended(1, &mail.Attempt{Dest: 1}, &mail.Reply{Code: code, Stage: mail.StageDot, Row: row}, s)
		}
	}
	end(84, 250, 0, mail.Done)
	end(10, 421, 2, mail.Pending)
	end(2, 421, 3, mail.Pending)
	end(4, 550, 0, mail.Failed)
	both := runlog.Merge([]*runlog.Recorder{rec, rec}) // two servers
	run := &runlog.Run{Destinations: []string{"a", "b"}}
	table := []runlog.Reading{{Match: "421", Class: "busy", Reaction: "none"},
		{Match: `"TSS04"`, Class: "reputation-soft", Reaction: "suspend"},
		{Match: `"TS03"`, Class: "reputation-hard", Reaction: "none", Alarm: true}}
	run.Sender.Replies = [][]runlog.Reading{table, table}
	both.Fold(run, 200, 0)
	all := Of(run)
	want := []Row{
		{Destination: "b", Class: "reputation-soft", Reaction: "suspend", Match: `"TSS04"`, Count: 20, Share: 0.1},
		{Destination: "b", Class: "unknown", Reaction: "none", Count: 8, Share: 0.04},
		{Destination: "b", Class: "reputation-hard", Reaction: "none", Match: `"TS03"`, Alarm: true, Count: 4,
			Share: 0.02},
	}
	for i := range want {
		want[i].attempts = 200
	}
	if !slices.Equal(all, want) {
		t.Errorf("got  %+v\nwant %+v", all, want)
	}
	told := []string{"b replied 4xx or 5xx to 16.0 % of the attempts: reputation-soft 62.5 %, unknown 25.0 %, " +
		"reputation-hard 12.5 %.",
		`Alarm: b replied "TS03" (reputation-hard) to 4 attempts, which resending does not cure.`}
	if got := Sentences(all); !slices.Equal(got, told) {
		t.Errorf("got  %q\nwant %q", got, told)
	}
	if rows := Table(all, 2).Rows; len(rows) != 2 || rows[1][0] != "2 more" || rows[1][4] != "12" {
		t.Errorf("a table of two rows is %q", rows)
	}
	kind := runlog.ReplyCount{Destination: 1, Stage: mail.StageDot, Code: 421, Count: 24}
	meanings := []Meaning{{"reputation-soft", mail.Deferral, 20}, {"reputation-hard", mail.Deferral, 4}}
	if got := Meanings(run, kind); !slices.Equal(got, meanings) {
		t.Errorf("421 at the dot means %+v, want %+v", got, meanings)
	}
	table[1].Reaction, kind.Count = "bounce", 30
	meanings = []Meaning{{"reputation-soft", mail.Bounce, 20}, {"", mail.Deferral, 6},
		{"reputation-hard", mail.Deferral, 4}}
	if got := Meanings(run, kind); !slices.Equal(got, meanings) {
		t.Errorf("421 at the dot means %+v, want %+v", got, meanings)
	}
	kind = runlog.ReplyCount{Destination: 1, Stage: mail.StageRCPT, Code: 421, Count: 24}
	if got := Meanings(run, kind); !slices.Equal(got, []Meaning{{"", mail.Deferral, 24}}) {
		t.Errorf("421 at RCPT, which no row matched, means %+v", got)
	}
	run.Sender.Replies = nil
	if got := Of(run); got != nil {
		t.Errorf("without a table: %+v", got)
	}
}
