package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
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
	t.Parallel()
	for _, law := range []string{"hold", "patent-damped", "patent-dynamic", "pi", "regulator", "aimd", "gradient2",
		"corr-vegas",
		"regulator+aimd", "patent-dynamic+gradient2", "pi+corr-vegas"} {
		tracker, ceiling, both := strings.Cut(law, "+")
		sets := []string{"governor.law=" + tracker, "governor.interval=2m", "horizon=50m"}
		if both {
			sets = append(sets, "governor.ceiling="+ceiling)
		}
		dir := filepath.Join(t.TempDir(), "run")
		args := []string{"run", "throttling-provider", "-q", "--recipients", "no", "--out", dir}
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

// JSON has the columns of the CSV, with the same numbers; what a column leaves empty is null.
func TestDecisionsAsJSON(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.csv")
	const rows = "hours,delivered,allocated_mean\n3,0,0\n3,558000,186\n1,90000,120.5\n"
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	_, table, _ := invoke(t, "govern", "patent-table1", "--samples", file)
	code, out, errout := invoke(t, "govern", "patent-table1", "--samples", file, "--json")
	if code != 0 {
		t.Fatal(errout)
	}
	var list struct {
		Law       string
		Decisions []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(lines) != len(list.Decisions)+1 || list.Law != "patent-dynamic" {
		t.Fatalf("%d rows of %d decisions of %s, want one each of patent-dynamic: %v",
			len(lines)-1, len(list.Decisions), list.Law, err)
	}
	for i, d := range list.Decisions {
		if len(d) != len(lines[0]) {
			t.Errorf("decision %d has %d values, want %d", i, len(d), len(lines[0]))
		}
		for j, name := range lines[0] {
			want := lines[i+1][j]
			got := ""
			switch v := d[name].(type) {
			case string:
				got = v
			case float64:
				got = strconv.FormatFloat(v, 'g', 10, 64)
			}
			if number, err := strconv.ParseFloat(want, 64); err == nil {
				want = strconv.FormatFloat(number, 'g', 10, 64)
			}
			if _, there := d[name]; !there || got != want {
				t.Errorf("decision %d: %s is %q, want %q", i, name, got, want)
			}
		}
	}
}
