package run

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/internal/handmade"
	"flyball/reports/runlog"
)

// limits is a hand-made run of two destinations with limits: of four intervals
// recipients of the second waited in three, in one of them while it was dead.
func limits() *runlog.Run {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 4, Plant: handmade.LinearRate, Dfr: 1})
	for i := range r.Intervals {
		r.Intervals[i].Destinations = []engine.DestinationInterval{
			{Limit: 20, Limits: 20 * 100, Busy: 12, Attempts: 100, Delivered: 100, AttemptTime: 2 * vt.Second},
			{Limit: 6, Limits: 5*300 + 6*100, Busy: 5.5, Attempts: 400, Delivered: 300, Refusals: 90, Timeouts: 10,
				AttemptTime: vt.Second, Parked: 1234 * (3 - i)},
		}
	}
	r.Intervals[1].Destinations[1] = engine.DestinationInterval{Parked: 2000}
	return r
}

func TestLimitsAreReadAsTheyWereWritten(t *testing.T) {
	r := fold(limits())
	raw := r.limitsCSV()
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != 9 || lines[2] != "b1,0,10800,slow,6,5.25,5.5,400,300,90,10,1,3702" ||
		lines[4] != "b1,1,21600,slow,0,,0,0,0,0,0,,2000" {
		t.Errorf("%s", raw)
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := Write(folder.Place{Dir: dir, Replace: true}, r, extra()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "limits.csv")); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%v: %s", err, got)
	}
	again, _, err := Read(dir)
	if err != nil || !bytes.Equal(again.limitsCSV(), raw) || screen(t, again, false) != screen(t, r, false) {
		t.Errorf("read back: %v\n%s", err, again.limitsCSV())
	}
	if _, err := readLimits([]byte(strings.Replace(string(raw), "slow,6,", "slow,six,", 1))); err == nil ||
		!strings.Contains(err.Error(), `3:17: got "six", want a whole number`) {
		t.Errorf("a bad limit: %v", err)
	}
}

// The report names who was held back, and by how much: three intervals of 3 h
// with 5.5, 0 and 5.5 attempts under way.
func TestReportNamesWhoIsHeldBack(t *testing.T) {
	text := strings.Join(strings.Fields(screen(t, fold(limits()), false)), " ")
	want := "Held by its limit: slow, whose recipients waited for room at the ends of 3 of 4 intervals, " +
		"3,702 at most. 3.7 attempts were under way then, with a limit of 5.2; it was dead at the ends of 1."
	if !strings.Contains(text, want) || strings.Contains(text, "limit: example") {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if text := screen(t, fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 4, Plant: handmade.LinearRate,
		Dfr: 1})), false); strings.Contains(text, "Held") {
		t.Errorf("nobody is held:\n%s", text)
	}
}
