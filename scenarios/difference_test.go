package scenarios

import (
	"slices"
	"testing"
)

// Every key that differs is found, with both values, and none that does not.
func TestDifferencesOfParameters(t *testing.T) {
	load := func(text string) Parameters {
		t.Helper()
		p, err := LoadParameters("p", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := load(withHour("20", "8h", "3"))
	if got := a.Differences(a); got != nil {
		t.Errorf("the same: %v", got)
	}
	b := load(withHour("30", "9h", "4"))
	want := []Difference{{"governor.start", "20.0", "30.0"}, {"governor.change[0].at", `"8h"`, `"9h"`},
		{"retry.limit", "3", "4"}}
	got := a.Differences(b)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%s", got, want, a.TOML())
	}
	c := load("[governor]\nlaw = \"patent-dynamic\"\nstart = 20\n[retry]\nlimit = 3\n")
	for _, d := range a.Differences(c) {
		if d.From == d.To || d.Key == "governor.start" || d.Key == "retry.limit" {
			t.Errorf("got %q", d)
		}
	}
	if there := a.Differences(c); !slices.ContainsFunc(there, func(d Difference) bool {
		return d == Difference{"governor.law", `"hold"`, `"patent-dynamic"`}
	}) || !slices.ContainsFunc(there, func(d Difference) bool { return d.To == "" && d.From == `"8h"` }) {
		t.Errorf("got %q", there)
	}
}

// withHour returns a file of parameters with a start, the hour of a change, and a retry limit.
func withHour(start, hour, limit string) string {
	return "[governor]\nlaw = \"hold\"\nstart = " + start + "\nchange = [{ at = \"" + hour +
		"\", target = \"1000/h\" }]\n[retry]\nlimit = " + limit + "\n"
}
