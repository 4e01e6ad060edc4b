package scenarios

import (
	"testing"

	"flyball/internal/vt"
)

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
