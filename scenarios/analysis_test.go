package scenarios

import (
	"strings"
	"testing"

	"flyball/internal/vt"
)

// The kind of analysis has no default, and a declared kind and warm-up survive
// in the resolved file.
func TestAnalysis(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want Analysis
	}{
		{nil, Analysis{"", AutoWarmUp}},
		{[]string{"analysis.kind=terminating"}, Analysis{Terminating, AutoWarmUp}},
		{[]string{"analysis.kind=steady-state"}, Analysis{SteadyState, AutoWarmUp}},
		{[]string{"analysis.kind=steady-state", "analysis.warm_up=auto"}, Analysis{SteadyState, AutoWarmUp}},
		{[]string{"analysis.kind=steady-state", "analysis.warm_up=1h30m"},
			Analysis{SteadyState, WarmUp(90 * vt.Minute)}},
		{[]string{"analysis.kind=steady-state", "analysis.warm_up=0s"}, Analysis{SteadyState, 0}},
	} {
		s, err := Load("a.toml", []byte(minimal), c.set)
		if err != nil {
			t.Fatal(err)
		}
		if s.Analysis != c.want {
			t.Errorf("%v: %+v", c.set, s.Analysis)
		}
		if declared := strings.Contains(string(Resolved(s)), "kind = "); declared != (c.want.Kind != "") {
			t.Errorf("%v: spelled out as\n%s", c.set, Resolved(s))
		}
		roundTrip(t, s, schemaTree(t))
	}
}

// Every built-in scenario declares its kind of analysis, because repeated runs
// are refused without one.
func TestBuiltinsDeclareTheirAnalysis(t *testing.T) {
	for _, name := range Names() {
		src, _ := Builtin(name)
		s, err := Load(name, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := Terminating
		if name == "long-run" {
			want = SteadyState
		}
		if s.Analysis.Kind != want {
			t.Errorf("%s: kind %q, want %q", name, s.Analysis.Kind, want)
		}
	}
}
