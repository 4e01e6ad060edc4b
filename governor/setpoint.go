package governor

import (
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Change is a new target that an operator gives during a run.
type Change struct {
	At     vt.Span      `toml:"at" doc:"when the operator changes the target" required:"true" range:">0s..3650d" source:"scenario"`
	Target unit.PerHour `toml:"target" doc:"the target from then on" required:"true" range:">0/h..1000000000/h" source:"scenario"`
	Over   vt.Span      `toml:"over" doc:"time in which the target changes, linearly from its value at that moment; 0: at once" range:"0s..3650d" source:"scenario"`
}

// TargetAt returns the target at the time now, in messages per hour. An interval
// has the target of the moment at which it begins: governors do not foresee a
// change.
func (c Config) TargetAt(now vt.Time) float64 {
	target := float64(c.Target)
	for i, v := range c.Changes {
		if now < vt.Time(v.At) {
			break
		}
		until := now
		if i+1 < len(c.Changes) {
			until = min(now, vt.Time(c.Changes[i+1].At))
		}
		to := float64(v.Target)
		if since := until.Sub(vt.Time(v.At)); since < v.Over {
			to = target + float64((to-target)*(float64(since)/float64(v.Over)))
		}
		target = to
	}
	return target
}

func (c Config) validateChanges() []error {
	var l conf.List
	for i, v := range c.Changes {
		key := conf.Index("change", i)
		if i > 0 {
			before := c.Changes[i-1].At
			l.Check(v.At > before, key+".at", "got %s, want later than the change before, at %s", v.At, before)
		}
	}
	return l
}
