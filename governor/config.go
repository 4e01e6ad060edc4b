package governor

import (
	"errors"

	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config names a law and its parameters.
type Config struct {
	Law            string       `toml:"law" doc:"hold keeps the start value; patent-damped moves by at most d per interval ([0067]), patent-dynamic by at most d x utilization ([0069])" oneof:"hold patent-damped patent-dynamic"`
	Target         unit.PerHour `toml:"target" doc:"rate of successful deliveries to attain (TARGET_DELIVERY_RATE)"`
	Interval       vt.Span      `toml:"interval" doc:"time between two decisions (S)"`
	Start          float64      `toml:"start" doc:"available MTA processes before the first decision" range:"1..1000000"`
	StepMode       string       `toml:"step" doc:"how d is found: per-day is factor x S, so that a day's steps add up to the factor; as-printed is factor / S; explicit is the key d" oneof:"per-day as-printed explicit"`
	Factor         unit.PerHour `toml:"factor" doc:"greatest change of the available processes over time (AVAIL_PROCS_DAMPING_FACTOR)"`
	D              float64      `toml:"d" doc:"greatest change per interval, in processes; only with step = \"explicit\"" range:"0..1000000"`
	Allocated      string       `toml:"allocated" doc:"what P_a is: the time-average of allocated processes, or as Table 2 prints it, that average / S (a demonstration: it settles at target / S)" oneof:"average as-printed"`
	CapUtilization bool         `toml:"cap_utilization" doc:"a utilization above 1 does not enlarge the step; only patent-dynamic looks at it"`
}

// Default is the governor of Table 1.
func Default() Config {
	return Config{
		Law:            "patent-dynamic", // Table 1: DONT_USE_DYNAMIC_DAMPING = FALSE
		Target:         140000,           // Table 1
		Interval:       3 * vt.Hour,      // Table 1
		Start:          40,               // assumed
		StepMode:       "per-day",        // [0067]: "the maximum allowed change in available MTAs per day"
		Factor:         24.0 / 24,        // Table 1: 24 processes a day
		D:              0,                // no explicit step
		Allocated:      "average",        // [0066]
		CapUtilization: false,            // [0069], to the letter
	}
}

// Step is d, the greatest change per interval before utilization scales it, of
// a valid Config.
func (c Config) Step() float64 {
	hours := c.Interval.Hours()
	perDay := float64(c.Factor) * 24
	switch c.StepMode {
	case "explicit":
		return c.D
	case "as-printed":
		// [0067] prints d = FACTOR / S and names 8 for Table 1, which is 64 a day.
		return perDay / hours
	}
	// [0067] also calls FACTOR the change per day, and [0068] moves by 3: FACTOR x S / 24 h.
	return float64(perDay * hours / 24)
}

// Validate reports every problem.
func (c Config) Validate() []error {
	var l conf.List
	l.Check(c.Law == "hold" || c.Law == "patent-damped" || c.Law == "patent-dynamic",
		"law", "got %q, want \"hold\", \"patent-damped\" or \"patent-dynamic\"", c.Law)
	l.Check(c.Target > 0 && c.Target <= 1e9, "target", "got %s, want more than 0/h, at most 1000000000/h", c.Target)
	l.Check(c.Interval >= vt.Second && c.Interval <= 30*vt.Day, "interval", "got %s, want 1s to 30d", c.Interval)
	l.Check(c.Start >= 1 && c.Start <= 1e6, "start", "got %g, want 1 to 1000000", c.Start)
	l.Check(c.Factor > 0 && c.Factor <= 1e6, "factor", "got %s, want more than 0/h, at most 1000000/h", c.Factor)
	switch c.StepMode {
	case "explicit":
		l.Check(c.D > 0 && c.D <= 1e6, "d", "got %g, want more than 0, at most 1000000, with step = \"explicit\"", c.D)
	case "per-day", "as-printed":
		l.Check(c.D == 0, "d", "got %g, want none: step = %q computes it from factor and interval", c.D, c.StepMode)
	default:
		l.Check(false, "step", "got %q, want \"per-day\", \"as-printed\" or \"explicit\"", c.StepMode)
	}
	l.Check(c.Allocated == "average" || c.Allocated == "as-printed",
		"allocated", "got %q, want \"average\" or \"as-printed\"", c.Allocated)
	return l
}

// New returns the governor that c describes, at its start value; the error
// joins all problems of c.
func New(c Config) (Governor, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return &law{cfg: c, step: c.Step(), available: c.Start}, nil
}
