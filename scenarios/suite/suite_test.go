package suite

import (
	"strings"
	"testing"

	"flyball/scenarios"
)

// The suite is frozen: tuned parameters and claims about laws refer to this
// hash. A new scenario, or one changed number of an old scenario, makes all
// results so far results of another suite. After such a change, measure
// docs/laws.md anew, and note there if a law was tuned on the old halves.
func TestSuiteIsFrozen(t *testing.T) {
	const want = "24ed234dd0e32734a11b57bde53b2b28fbfc269fd3121b7e890440cbaedccd65"
	if got := Hash(); got != want {
		t.Errorf("the suite is %s, want %s", got, want)
	}
}

func TestDisturbances(t *testing.T) {
	all := All()
	if len(all) < 24 {
		t.Errorf("got %d disturbances, want 24 at least", len(all))
	}
	halves := map[string]map[string]int{}
	for _, d := range all {
		if halves[d.Family] == nil {
			halves[d.Family] = map[string]int{}
		}
		halves[d.Family][d.Half]++
		src, ok := scenarios.Builtin(d.Name)
		if !ok {
			t.Fatalf("no %s", d.Name)
		}
		s, err := scenarios.Load(d.Name, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != d.Base() || !strings.HasPrefix(s.Name, d.Family+"-") || s.Analysis.Kind != scenarios.Terminating {
			t.Errorf("%s: got name %q, family %s, kind %s", d.Name, s.Name, d.Family, s.Analysis.Kind)
		}
		for _, law := range Laws() {
			if _, err := d.Load(0.1, law.Set...); err != nil {
				t.Errorf("%s with %s: %v", d.Name, law.Name, err)
			}
		}
		noisy, err := d.Load(0.05)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range noisy.Destinations {
			if w := x.Weather; w.Sigma != 0.05 || w.Period != s.Governor.Interval ||
				(w.Correlation == 0.8) != (s.Name == "structure-correlated") {
				t.Errorf("%s: weather %+v, want 0.05 in every interval", d.Name, w)
			}
		}
	}
	for family, n := range halves {
		if n[Reporting] != n[Training] && n[Reporting] != n[Training]+1 {
			t.Errorf("family %s: %d to report and %d to train, want equal parts or one more to report", family,
				n[Reporting], n[Training])
		}
	}
}
