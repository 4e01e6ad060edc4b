package task

import (
	"io"
	"strings"
	"testing"

	"flyball/scenarios/draft"
)

// Answers at a terminal become the same question as flags, an empty line takes what is in
// brackets, and an answer that makes no scenario is asked for again at once.
func TestInitAsks(t *testing.T) {
	q := Init{Draft: draft.Default()}
	var shown strings.Builder
	answers := "N x\nnight\nfew\n0\n3\nsoon\n2026-11-30 22:00\nMars\nEurope/Berlin\n" +
		"gmail=0.5\ngmail=60% yahoo=10%,cap=5\na=7,cpa=3\n\n6x\n06:00\n"
	if err := q.Ask(strings.NewReader(answers), &shown); err != nil {
		t.Fatal(err)
	}
	asked, err := q.Do()
	if err != nil {
		t.Fatal(err)
	}
	f := Init{Draft: draft.Default(), Providers: []string{"gmail=60%", "yahoo=10%,cap=5"},
		Campaigns: []string{"mailing=100k"}}
	f.Draft.Name, f.Draft.Servers, f.Draft.StartAt = "night", 3, "2026-11-30 22:00"
	f.Draft.TimeZone, f.Draft.Deadline = "Europe/Berlin", "06:00"
	if flags, err := f.Do(); err != nil || string(flags) != string(asked) {
		t.Errorf("got %s\nand %v, want %s", asked, err, flags)
	}
	got := shown.String()
	if n := strings.Count(got, " ["); n != 15 {
		t.Errorf("got %d questions, want 15:\n%s", n, got)
	}
	for _, want := range []string{"name: got \"N x\"", "servers: got \"few\"", "--servers: got 0", "start_at: \"soon\"",
		"time_zone: ", "want a percentage of the list, such as 50%: 0.5% if", "unknown key \"cpa\"",
		"deadline: \"6x\""} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// At the end of the input answers are missing.
func TestInitAsksToTheEnd(t *testing.T) {
	for _, answers := range []string{"", "night\n3\n", "night\n3\n\n\n\n"} {
		q := Init{Draft: draft.Default()}
		err := q.Ask(strings.NewReader(answers), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "standard input: got its end") {
			t.Errorf("%q: got %v, want the end of the input to be an error", answers, err)
		}
	}
}
