package governor

import (
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Change is a new target that an operator gives during a run.
type Change struct {
	At     vt.Span      `toml:"at" doc:"when the operator changes the target" required:"true"`
	Target unit.PerHour `toml:"target" doc:"the target from then on" required:"true"`
	Over   vt.Span      `toml:"over" doc:"time in which the target gets there, in a straight line from what it is at that moment; 0: at once"`
}

// TargetAt is the target at a time, in messages per hour. That of an interval is
// the one at the moment at which the interval begins: nobody foretells a change.
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
		l.Check(v.At > 0 && v.At <= 3650*vt.Day, key+".at", "got %s, want more than 0s, at most 3650d", v.At)
		if i > 0 {
			before := c.Changes[i-1].At
			l.Check(v.At > before, key+".at", "got %s, want more than that of the change before, %s", v.At, before)
		}
		l.Check(v.Target > 0 && v.Target <= 1e9, key+".target", "got %s, want more than 0/h, at most 1000000000/h", v.Target)
		l.Check(v.Over >= 0 && v.Over <= 3650*vt.Day, key+".over", "got %s, want 0s to 3650d", v.Over)
	}
	return l
}
