package live

import (
	"strings"
	"testing"

	"flyball/internal/mail"
)

// A recipient whose turn came in one world alone has not ended differently: the other had no time for it.
func TestUntriedRecipientsAreNotCompared(t *testing.T) {
	both := []mail.Status{mail.Done, mail.Done, mail.Failed, mail.Pending, mail.Pending, mail.Done}
	live := &ends{status: both, tries: []uint16{1, 2, 1, 0, 0, 1}}
	simulated := &ends{status: []mail.Status{mail.Done, mail.Done, mail.Done, mail.Done, mail.Pending, mail.Pending},
		tries: []uint16{1, 1, 1, 1, 0, 0}}
	b := &books{Simulated: true, Recipients: len(both)}
	b.compare(live, simulated)
	if b.Tried != 3 || b.EndAlike != 1 {
		t.Errorf("%d of %d alike, want 1 of the 3 that were tried in both", b.EndAlike, b.Tried)
	}
	words := strings.Join(b.words(), "\n")
	if !strings.Contains(words, "1 of 3 recipients end in the same way") ||
		!strings.Contains(words, "; the turn of 3 did not come in both") {
		t.Error(words)
	}
}

// A run that tried mail and delivered none failed, whatever became of it; a run that tried none had nothing to do.
func TestNothingDelivered(t *testing.T) {
	for _, v := range []struct {
		status []mail.Status
		tries  []uint16
		last   mail.Reply
		want   string
	}{
		{[]mail.Status{mail.Failed, mail.Done}, []uint16{1, 1}, mail.Reply{}, ""},
		{[]mail.Status{mail.Pending, mail.Pending}, []uint16{0, 0}, mail.Reply{}, ""},
		{nil, nil, mail.Reply{}, ""},
		{[]mail.Status{mail.Failed, mail.Pending, mail.Pending}, []uint16{1, 2, 0}, mail.Reply{Code: 451,
			Stage: mail.StageRCPT}, "got 0 of 3 recipients delivered, want at least one: 2 were tried and 1 failed; " +
			"the last attempt ended at rcpt with 451"},
		{[]mail.Status{mail.Held}, []uint16{1}, mail.Reply{Fault: mail.Drop, Stage: mail.StageDot},
			"got 0 of 1 recipients delivered, want at least one: 1 were tried and 0 failed; the last attempt ended " +
				"at dot with drop"},
	} {
		got := ""
		if err := (&ends{status: v.status, tries: v.tries, last: v.last}).nothing(); err != nil {
			got = err.Error()
		}
		if got != v.want {
			t.Errorf("%v: got %q, want %q", v.status, got, v.want)
		}
	}
}
