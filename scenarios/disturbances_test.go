package scenarios

import (
	"strings"
	"testing"

	"flyball/internal/vt"
)

// The suite is frozen: tuned parameters and claims about laws refer to this
// hash. A new scenario, or one changed number of an old scenario, makes all
// results so far results of another suite. After such a change, measure
// docs/laws.md anew, and note there if a law was tuned on the old halves.
func TestSuiteIsFrozen(t *testing.T) {
	const want = "24ed234dd0e32734a11b57bde53b2b28fbfc269fd3121b7e890440cbaedccd65"
	if got := SuiteHash(); got != want {
		t.Errorf("the suite is %s, want %s", got, want)
	}
}

func TestDisturbances(t *testing.T) {
	all := Disturbances()
	if len(all) < 24 {
		t.Errorf("got %d disturbances, want 24 at least", len(all))
	}
	halves := map[string]map[string]int{}
	for _, d := range all {
		if halves[d.Family] == nil {
			halves[d.Family] = map[string]int{}
		}
		halves[d.Family][d.Half]++
		src, ok := Builtin(d.Name)
		if !ok {
			t.Fatalf("no %s", d.Name)
		}
		s, err := Load(d.Name, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != d.Base() || !strings.HasPrefix(s.Name, d.Family+"-") || s.Analysis.Kind != Terminating {
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

func TestOrdersAndCuts(t *testing.T) {
	load := func(name string) *Scenario {
		t.Helper()
		src, _ := Builtin("disturbances/" + name)
		s, err := Load(name, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	hour := vt.Time(vt.Hour)
	for name, want := range map[string]vt.Time{"setpoint-cold-low": 0, "cycle-15": 0, "setpoint-ramp": 90 * hour,
		"plant-drift": 150 * hour, "plant-dns": 60 * hour, "plant-hops": 60 * hour,
		"demand-half": 120 * hour, "outage-8": 85*hour + hour/2, "outage-twice": 90 * hour, "structure-loss": 84 * hour,
		"fault-missed": 123 * hour} {
		if got := load(name).LastOrder(); got != want {
			t.Errorf("%s: the last order is complete at %s, want %s", name, got, want)
		}
	}
	loss := load("structure-loss")
	for _, v := range []struct {
		server   int
		from, to vt.Time
		want     bool
	}{{0, 60 * hour, 84 * hour, false}, {1, 57 * hour, 60 * hour, false}, {1, 60 * hour, 63 * hour, true},
		{1, 81 * hour, 84 * hour, true}, {1, 84 * hour, 87 * hour, false}} {
		if got := loss.CutOff(v.server, v.from, v.to); got != v.want {
			t.Errorf("server %d from %s to %s: cut off %t, want %t", v.server, v.from, v.to, got, v.want)
		}
	}
	if s := load("outage-8"); s.CutOff(0, 57*hour, 60*hour) || !s.CutOff(0, 60*hour, 63*hour) ||
		!s.CutOff(0, 84*hour, 87*hour) || s.CutOff(0, 87*hour, 90*hour) {
		t.Error("an outage from the middle of one interval to that of another cuts off both")
	}
}
