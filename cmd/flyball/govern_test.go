package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/governor/recorded"
	"flyball/reports/run"
	"flyball/scenarios"
)

// Whatever the law, the intervals that a run has recorded, governed again, give
// the C of the run: every digit of it. The scenario has all that laws look at:
// attempts that deliver nothing, refusals, time-outs.
func TestReplayDecidesAsTheRun(t *testing.T) {
	for _, law := range []string{"hold", "patent-damped", "patent-dynamic", "pi", "regulator", "aimd", "gradient2", "corr-vegas",
		"regulator+aimd", "patent-dynamic+gradient2", "pi+corr-vegas"} {
		tracker, ceiling, both := strings.Cut(law, "+")
		sets := []string{"governor.law=" + tracker, "governor.interval=5m", "horizon=6h"}
		if both {
			sets = append(sets, "governor.ceiling="+ceiling)
		}
		dir := filepath.Join(t.TempDir(), "run")
		args := []string{"run", "throttling-provider", "-q", "--out", dir}
		for _, s := range sets {
			args = append(args, "--set", s)
		}
		if code, _, errout := invoke(t, args...); code != 0 && code != exitMissed {
			t.Fatalf("%s: exit code %d: %s", law, code, errout)
		}
		report, x, err := run.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenarios.Load("resolved", x.ResolvedTOML, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "intervals.csv"))
		if err != nil {
			t.Fatal(err)
		}
		log, err := recorded.Read(bytes.NewReader(raw), "intervals.csv")
		if err != nil || log.Lacking != nil || log.Gaps != nil {
			t.Fatal(log.Lacking, log.Gaps, err)
		}
		decisions, err := recorded.Replay(s.Governor, log.Samples)
		if err != nil {
			t.Fatal(err)
		}
		moved := false
		for i, d := range decisions {
			row := report.Rows[i]
			if d.Available != float64(row.Available) {
				t.Errorf("%s, interval %d: C = %.17g, replayed %.17g", law, i, float64(row.Available), d.Available)
				break
			}
			moved = moved || row.Available != row.Previous
		}
		if len(decisions) < 20 || moved == (law == "hold") {
			t.Errorf("%s: %d decisions, moved: %v", law, len(decisions), moved)
		}
	}
}
