package task

import (
	"strings"
	"testing"

	"flyball/scenarios/draft"
)

// Answers at a terminal become the same question as flags, and an empty line takes what is in
// brackets.
func TestInitAsks(t *testing.T) {
	q := Init{Draft: draft.Default()}
	var shown strings.Builder
	answers := "night\ngmail=60% yahoo=10%,cap=5\n\n3\n2026-11-30 22:00\nEurope/Berlin\n06:00\n"
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
	if n := strings.Count(shown.String(), "]: "); n != 7 {
		t.Errorf("got %d questions, want 7:\n%s", n, shown.String())
	}
}
