package task

import (
	"testing"

	"flyball/sim"
)

// A panic that does not come from a run passes unchanged.
func TestOtherPanicsPass(t *testing.T) {
	defer func() {
		if v := recover(); v != "no run" {
			t.Errorf("got %v, want the panic itself", v)
		}
	}()
	defer BrokenRun(func(sim.Broken) (string, string) { return "", "" })
	panic("no run")
}
