package conf

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"law", "target", "interval", "start", "step", "d"}
	for name, want := range map[string]string{
		"lwa": "law", "tarket": "target", "strat": "start", "intervall": "interval", "stp": "step",
		"x": "", "governor": "", "": "", "D": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
