package scope

import (
	"strings"
	"testing"
)

func TestCaseText(t *testing.T) {
	cfg := Small()
	for _, text := range []string{"12- B1 power-min 3s", "12+ actor kill 1m", "@4.5s all power-any 30s",
		"9+ A power-any+2 3s", "9+ B1 cut 1m",
		"lost=0.01; loss=0.2; repeat=0.1; drift:B2=-0.004; 7- C pause 3s; 7+ D kill 3s"} {
		x, err := cfg.Parse(text)
		if err != nil || cfg.Text(&x) != text {
			t.Errorf("%q: got %q, %v", text, cfg.Text(&x), err)
		}
	}
	for _, v := range []struct{ text, want string }{
		{"", "0 words"}, {"x B1 kill 3s", `effect "x"`}, {"0- B1 kill 3s", `effect "0-"`},
		{"5 B1 kill 3s", `effect "5"`},
		{"5- B3 kill 3s", `"B3", want A, B1 to B2`}, {"5- B1 burn 3s", `"burn", want kill`}, {"5- B1 kill 3", `"3"`},
		{"5- B1 kill+1 3s", `"kill+1", want kill`}, {"5- B1 power-any+0 3s", `"power-any+0"`},
		{"5- B1 power-any+ 3s", `any+"`},
		{"5- B1 kill 0s", "want more than 0"}, {"@0s B1 kill 3s", "want more than 0"},
		{"@3s actor kill 3s", "or actor at"},
		{"9- A kill 3s; 8- A kill 3s", "effect 8 after 9"}, {"loss=2", "want from 0 to 0.5"},
		{"los=0.1", `"los", want lost`},
		{"loss=x", "want a share"}, {"drift:C=0.001", `server "C"`}, {"drift:B1=0.2", "and 0.01"},
	} {
		if _, err := cfg.Parse(v.text); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%q: got %v, want an error with %q", v.text, err, v.want)
		}
	}
}
