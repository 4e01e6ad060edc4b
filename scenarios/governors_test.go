package scenarios

import (
	"reflect"
	"strings"
	"testing"

	"flyball/governor"
)

// A scenario names one law and perhaps a ceiling. The parameters of other laws
// do not belong to it, so its ID does not depend on which laws exist.
func TestParametersOfTheNamedLawsOnly(t *testing.T) {
	load := func(table string) *Scenario {
		t.Helper()
		s, err := Load("f.toml", []byte(minimal+table), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, v := range []struct {
		table      string
		with, none []string
	}{
		{"[governor]\n", nil, []string{"governor.", "ceiling", "max"}},
		{"[governor]\nlaw = \"pi\"\nmax = 300\n", []string{"[governor.pi]\nproportional", "max = 300"},
			[]string{"governor.aimd", "governor.gradient2", "governor.corr", "ceiling"}},
		{"[governor]\nlaw = \"regulator\"\nceiling = \"corr-vegas\"\n[governor.corr_vegas]\nmax = 500\n",
			[]string{"ceiling = \"corr-vegas\"", "[governor.corr_vegas]\nbaseline = 10", "max = 500"},
			[]string{"governor.pi", "governor.aimd", "governor.gradient2"}},
		{"[governor.destination]\nlaw = \"none\"\n", nil, []string{"destination"}},
		{"[governor.destination]\nlaw = \"aimd\"\n",
			[]string{"[governor.destination]\nlaw = \"aimd\"\ninitial = 5\nparked = 20000\n",
				"[governor.destination.aimd]\nbackoff = 0.9\n"},
			[]string{"positive", "cohorts", "revive"}},
		{"[governor.destination]\nlaw = \"postfix-feedback\"\npositive = \" 1 / sqrt  N \"\nnegative = \".5/N\"\n",
			[]string{"positive = \"1/sqrt N\"\nnegative = \"0.5/N\"\ncohorts = 1.0\nrevive = \"5m\"\n"},
			[]string{"aimd"}},
	} {
		s := load(v.table)
		text := string(Resolved(s))
		for _, want := range v.with {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", v.table, want, text)
			}
		}
		_, text, _ = strings.Cut(text, "[governor]")
		text, _, _ = strings.Cut(text, "[retry]")
		for _, no := range v.none {
			if strings.Contains(text, no) {
				t.Errorf("%s: %q in\n%s", v.table, no, text)
			}
		}
		again, err := Load("f.toml", Resolved(s), nil)
		if err != nil || !reflect.DeepEqual(again.Governor, s.Governor) || ID(again) != ID(s) {
			t.Errorf("%s: read back %+v, %v", v.table, again, err)
		}
		for _, a := range s.Assumptions() {
			key, _, sub := strings.Cut(strings.TrimPrefix(a.Key, "governor."), ".")
			if strings.HasPrefix(a.Key, "governor.") && sub && s.Governor.Idle(key) {
				t.Errorf("%s: rests on %s", v.table, a.Key)
			}
		}
	}
	if ID(load("[governor]\nlaw = \"pi\"\n")) == ID(load("[governor]\nlaw = \"pi\"\n[governor.pi]\nintegral = 0.4\n")) {
		t.Error("a parameter makes no difference to the ID")
	}
	_, err := Load("f.toml", []byte(minimal+"[governor]\n[governor.pi]\nintegral = 0.4\n"), nil)
	if err == nil || !strings.Contains(err.Error(),
		`governor.pi: got a value, want none: neither law = "patent-dynamic" nor ceiling names it`) {
		t.Errorf("parameters of a law that is not named: %v", err)
	}
	if _, err := governor.New(load("[governor]\nlaw = \"gradient2\"\n").Governor); err != nil {
		t.Error(err)
	}
}
