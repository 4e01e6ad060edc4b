package run

import (
	"encoding/csv"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"flyball/reports/folder"
	"flyball/reports/internal/handmade"
	"flyball/scenarios"
)

// fourNumbers are one of each kind.
func fourNumbers() []scenarios.Assumption {
	return []scenarios.Assumption{
		{Key: "governor.target", Value: "140000/h", Status: "derived", Source: "Table 1"},
		{Key: "network.per_hop", Value: "0s", Status: "measured", Source: "Fei et al.: hops do not predict delay"},
		{Key: "destination[0].dot", Of: `the "big", one`, Value: "lognormal median 400ms sigma 0.9", Status: "assumed",
			Source: "not calibrated, <see> model"},
		{Key: "destination[0].cap", Of: `the "big", one`, Value: "20", Status: "scenario",
			Source: "instead of 0, which is assumed: no cap"},
	}
}

func TestAssumptionsInTheFolder(t *testing.T) {
	r := asked(t)
	r.Assumptions = fourNumbers()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	if err := Write(folder.Place{Dir: one, Replace: true}, r, extra()); err != nil {
		t.Fatal(err)
	}
	files := handmade.Tree(t, one)

	rows, err := csv.NewReader(strings.NewReader(files["assumptions.csv"])).ReadAll()
	if err != nil || len(rows) != 5 || strings.Join(rows[0], " ") != "parameter of value status source" ||
		strings.Join(rows[3], "|") != `destination[0].dot|the "big", one|lognormal median 400ms sigma `+
			`0.9|assumed|not calibrated, <see> model` {
		t.Errorf("%v, %v", rows, err)
	}

	page := files["report.html"]
	for _, want := range []string{"<summary>What it rests on: 4 numbers, 1 measured, 1 derived, 1 assumed, 1 chosen " +
		"by the scenario&#39;s author</summary>",
		`<td class="left">destination[0].cap</td><td class="left">the &#34;big&#34;, one</td><td ` +
			`class="left">20</td><td class="left">scenario</td><td class="left">instead of 0, which is assumed: no ` +
			`cap</td>`,
		"&lt;see&gt; model", "<summary>Sensitivity of settling_intervals_5pct: 7 numbers",
		"Sensitivity: settling_intervals_5pct, 12, hangs most on"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(page, "<details open") {
		t.Error("the tables are unfolded")
	}

	again, x, err := Read(one)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(folder.Place{Dir: two, Replace: true}, again, x); err != nil {
		t.Fatal(err)
	}
	if got := handmade.Tree(t, two); !maps.Equal(files, got) {
		for name := range files {
			if files[name] != got[name] {
				t.Errorf("%s differs after it was read", name)
			}
		}
	}
	if screen(t, r, false) != screen(t, again, false) {
		t.Errorf("the screen differs after the folder was read")
	}

	// A run that was not asked has no such files, and may not smuggle them in.
	if files := handmade.Tree(t, one); files["sensitivity.csv"] == "" || files["plots/sensitivity.svg"] == "" {
		t.Error("files are missing")
	}
	for _, name := range []string{"assumptions.csv", "sensitivity.csv"} {
		if err := Write(folder.Place{Dir: two, Replace: true},
			fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 2, Plant: handmade.Linear, Dfr: 1})),
			Extra{More: []folder.File{{Path: name, Data: nil}}}); err == nil {
			t.Errorf("%s is taken as an extra file", name)
		}
	}
}
