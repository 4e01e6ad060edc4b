package mailings

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// sentences returns the report on what the sender's own servers did, in words.
func sentences(c runlog.Control) []string { return Of(&c).Sentences() }

func TestNoSendingServer(t *testing.T) {
	if got := Of(nil); got != nil {
		t.Errorf("got %+v, want no report", got)
	}
	if got := sentences(runlog.Control{Messages: 7}); len(got) > 0 {
		t.Errorf("got %q, want nothing: messages between servers alone are in no sentence", got)
	}
}

// Counts have their nouns and verbs: of 0, of 1, and of more, in groups of three digits.
func TestCounts(t *testing.T) {
	for _, v := range []struct {
		name string
		run  runlog.Control
		want []string
	}{
		{"a fault without a consequence", runlog.Control{Faults: []runlog.Fault{{Server: "b1", Kind: "kill",
			At: vt.Time(vt.Second), For: vt.Second}}}, []string{"Server b1 was killed after 1 s, for 1 s.",
			"0 messages were delivered to recipients who had it already; the end of 0 attempts is not known."}},
		{"one of each", runlog.Control{Duplicates: 1, Ambiguous: 1, Returned: 1, Asked: 1, Unwanted: 1, Suppressed: 1},
			[]string{
				"1 message was delivered to a recipient who had it already; the end of 1 attempt is not known.",
				"1 message came back.",
				"1 recipient asked to get nothing any more, and got 1 message after that.",
				"1 message was not sent because of requests or returned mail."}},
		{"many of each", runlog.Control{Duplicates: 1449, Ambiguous: 28, Returned: 2000, Asked: 2262, Unwanted: 2,
			Suppressed: 1836}, []string{
			"1,449 messages were delivered to recipients who had it already; the end of 28 attempts is not known.",
			"2,000 messages came back.",
			"2,262 recipients asked to get nothing any more, and got 2 messages after that.",
			"1,836 messages were not sent because of requests or returned mail."}},
		{"duplicates alone", runlog.Control{Duplicates: 2}, []string{
			"2 messages were delivered to recipients who had it already; the end of 0 attempts is not known."}},
		{"attempts in doubt alone", runlog.Control{Ambiguous: 2}, []string{
			"0 messages were delivered to recipients who had it already; the end of 2 attempts is not known."}},
		{"requests that are kept", runlog.Control{Asked: 3}, []string{
			"3 recipients asked to get nothing any more, and got 0 messages after that."}},
	} {
		if got := sentences(v.run); !slices.Equal(got, v.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", v.name, strings.Join(got, "\n"), strings.Join(v.want, "\n"))
		}
	}
}

// A mailing has the times that there are: one that was not planned or not reported has none.
func TestMailings(t *testing.T) {
	ms, min, h, day := vt.Time(vt.Millisecond), vt.Time(vt.Minute), vt.Time(vt.Hour), vt.Time(24*vt.Hour)
	for _, v := range []struct {
		run  runlog.Mailing
		want string
	}{
		{runlog.Mailing{Planned: vt.Never, Reported: vt.Never}, "Mailing m was not planned."},
		{runlog.Mailing{Planned: 0, Reported: vt.Never, Subsets: 1},
			"Mailing m was planned after 0 s; servers got 1 part of its list in all; it was not reported."},
		{runlog.Mailing{Planned: 30 * ms, Reported: 90 * min, Subsets: 3},
			"Mailing m was planned after 0.03 s; servers got 3 parts of its list in all; it was reported after " +
				"90 min."},
		{runlog.Mailing{Planned: 2 * min, Reported: 5 * h, Subsets: 2, Moved: 1},
			"Mailing m was planned after 120 s; 1 recipient of lost servers went to others; servers got 2 parts " +
				"of its list in all; it was reported after 5 h."},
		{runlog.Mailing{Planned: 3 * h, Reported: 12*day + 12*h, Subsets: 1200, Moved: 20200},
			"Mailing m was planned after 3 h; 20,200 recipients of lost servers went to others; servers got " +
				"1,200 parts of its list in all; it was reported after 12.5 days."},
	} {
		v.run.Name = "m"
		if got := sentences(runlog.Control{Mailings: []runlog.Mailing{v.run}}); !slices.Equal(got, []string{v.want}) {
			t.Errorf("got %q, want %q", got, v.want)
		}
	}
	never := Of(&runlog.Control{Mailings: []runlog.Mailing{{Planned: vt.Never, Reported: vt.Never}}}).Mailings[0]
	if never.PlannedSec.Known() || never.ReportedSec.Known() {
		t.Errorf("got times %v and %v of a mailing that was not planned, want none", never.PlannedSec,
			never.ReportedSec)
	}
}

// Each kind of fault that a scenario may have is a sentence, with its end or for good.
func TestFaults(t *testing.T) {
	want := map[string]string{
		scenarios.Kill: "was killed", scenarios.PowerMin: "lost its power", scenarios.PowerAny: "lost its power",
		scenarios.Pause: "paused", scenarios.Cut: "was cut off from the others"}
	kinds := scenarios.Fault{}.Choices("kind")
	if len(kinds) != len(want) {
		t.Errorf("got %d kinds of faults, want %d", len(kinds), len(want))
	}
	for _, k := range kinds {
		f := runlog.Fault{Server: "sender", Kind: k.Name, At: vt.Time(8 * vt.Minute)}
		forGood := f
		f.For = 30 * vt.Second
		got := sentences(runlog.Control{Faults: []runlog.Fault{f, forGood}})[:2]
		begin := "Server sender " + want[k.Name] + " after 8 min, for "
		if !slices.Equal(got, []string{begin + "30 s.", begin + "good."}) {
			t.Errorf("%s: got %q, want %q and the same for good", k.Name, got, begin+"30 s.")
		}
	}
	r := Of(&runlog.Control{Faults: []runlog.Fault{{Server: "b1", Kind: scenarios.Cut, At: vt.Time(vt.Second)}}})
	if got := r.Faults[0]; got.Server != "b1" || got.Kind != "cut" || got.AtSec != 1 || got.ForSec.Known() {
		t.Errorf("got %+v, want b1, cut after 1 s, for good", got)
	}
}
