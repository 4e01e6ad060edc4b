package scenarios

import (
	"reflect"
	"strings"
	"testing"
)

// Promoted parameters of a scenario are read back unchanged.
func TestParametersComeBack(t *testing.T) {
	for _, name := range Names() {
		text, _ := Builtin(name)
		s, err := Load(name, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := LoadParameters("p", s.Parameters().TOML())
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, s.Parameters().TOML())
		}
		if !reflect.DeepEqual(got, s.Parameters()) {
			t.Errorf("%s: got %+v, want %+v", name, got, s.Parameters())
		}
	}
}

func TestBadParameters(t *testing.T) {
	for src, want := range map[string]string{
		"[governor]\nlaw = \"pid\"\n": `p:2:7: governor.law: got "pid"`,
		"[retry]\nlimit = -1\n":       `p:2:9: retry.limit: got -1`,
		// not under [[destination]]
		"[governor]\ncap = 3\n":                `p:2:1: governor: unknown key "cap", known here: law, `,
		"[server]\nname = \"x\"\n":             `p:1:2: unknown key "server"`,
		"[governor]\nlaw = \"hold\"\n[retry\n": `p:3:`,
	} {
		if _, err := LoadParameters("p", []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", src, err, want)
		}
	}
}
