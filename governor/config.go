package governor

import (
	"errors"
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config names a law and its parameters.
type Config struct {
	Law            string       `toml:"law" doc:"hold keeps the start value; patent-damped moves by at most d per interval ([0067]), patent-dynamic by at most d x utilization ([0069]); pi and regulator steer to the target too; aimd, gradient2 and corr-vegas seek what the receivers take, whatever the target" oneof:"hold patent-damped patent-dynamic pi regulator aimd gradient2 corr-vegas"`
	Scope          string       `toml:"scope" doc:"what one law governs: each server by itself, or all servers together ([0063]), whose C it divides by their efficiencies; every number here is that of one server, and a cluster of n has n times the target, processes and steps" oneof:"server cluster"`
	Target         unit.PerHour `toml:"target" doc:"rate of successful deliveries to attain (TARGET_DELIVERY_RATE)"`
	Interval       vt.Span      `toml:"interval" doc:"time between two decisions (S)"`
	Start          float64      `toml:"start" doc:"available MTA processes before the first decision" range:"1..1000000"`
	Ceiling        string       `toml:"ceiling" doc:"a seeker above which the law does not go; not given: none" oneof:"aimd gradient2 corr-vegas"`
	Max            float64      `toml:"max" doc:"most available MTA processes; not given: no limit" range:"1..1000000"`
	StepMode       string       `toml:"step" doc:"how d is found: per-day is factor x S, so that a day's steps add up to the factor; as-printed is factor / S; explicit is the key d" oneof:"per-day as-printed explicit"`
	Factor         unit.PerHour `toml:"factor" doc:"greatest change of the available processes over time (AVAIL_PROCS_DAMPING_FACTOR)"`
	D              float64      `toml:"d" doc:"greatest change per interval, in processes; only with step = \"explicit\"" range:"0..1000000"`
	Allocated      string       `toml:"allocated" doc:"what P_a is: the time-average of allocated processes, or as Table 2 prints it, that average / S (a demonstration: it settles at target / S)" oneof:"average as-printed"`
	CapUtilization bool         `toml:"cap_utilization" doc:"a utilization above 1 does not enlarge the step; only patent-dynamic looks at it"`
	PI             PI           `toml:"pi" doc:"parameters of law pi"`
	AIMD           AIMD         `toml:"aimd" doc:"parameters of aimd"`
	Gradient2      Gradient2    `toml:"gradient2" doc:"parameters of gradient2"`
	CorrVegas      CorrVegas    `toml:"corr_vegas" doc:"parameters of corr-vegas"`
	Destination    Destination  `toml:"destination" doc:"the law of every single destination"`
	Changes        []Change     `toml:"change" doc:"new targets during the run; each interval has the target of its beginning"`
	Faults         []Fault      `toml:"fault" doc:"intervals of which the governor is told something wrong"`
}

// Default is the governor of Table 1.
func Default() Config {
	return Config{
		Law:            "patent-dynamic", // Table 1: DONT_USE_DYNAMIC_DAMPING = FALSE
		Scope:          "server",         // [0063]: "each server"
		Target:         140000,           // Table 1
		Interval:       3 * vt.Hour,      // Table 1
		Start:          40,               // assumed
		StepMode:       "per-day",        // [0067]: "the maximum allowed change in available MTAs per day"
		Factor:         24.0 / 24,        // Table 1: 24 processes a day
		D:              0,                // no explicit step
		Allocated:      "average",        // [0066]
		CapUtilization: false,            // [0069], to the letter
		PI: PI{
			Proportional: 0,   // assumed: no error is left for it while the rate follows within the interval
			Integral:     0.5, // Skogestad 2003, SIMC: a process that is all delay, here of one interval
			Weight:       1,   // Astrom and Hagglund: 0 to 1
		},
		AIMD: AIMD{
			Backoff: 0.9,           // Netflix AIMDLimit
			Timeout: 5 * vt.Second, // Netflix AIMDLimit
			Drops:   0.01,          // assumed
			Min:     20,            // Netflix AIMDLimit
			Max:     200,           // Netflix AIMDLimit
		},
		Gradient2: Gradient2{
			Tolerance: 1.5, // Netflix Gradient2Limit
			Smoothing: 0.2, // Netflix Gradient2Limit
			Queue:     4,   // Netflix Gradient2Limit
			Window:    600, // Netflix Gradient2Limit
			Min:       20,  // Netflix Gradient2Limit
			Max:       200, // Netflix Gradient2Limit
		},
		CorrVegas: CorrVegas{
			Baseline:    10,  // failsafe-go
			Correlation: 50,  // failsafe-go
			MaxFactor:   5,   // failsafe-go
			Min:         1,   // failsafe-go
			Max:         200, // failsafe-go
		},
		Destination: DefaultDestination(),
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
	l.Check(slices.Contains(laws, c.Law), "law", "got %q, want one of %s", c.Law, strings.Join(laws, ", "))
	l.Check(c.Scope == "" || c.Scope == "server" || c.Scope == "cluster", "scope", "got %q, want \"server\" or \"cluster\"", c.Scope)
	l.Check(c.Target > 0 && c.Target <= 1e9, "target", "got %s, want more than 0/h, at most 1000000000/h", c.Target)
	l.Check(c.Interval >= vt.Second && c.Interval <= 30*vt.Day, "interval", "got %s, want 1s to 30d", c.Interval)
	l.Check(c.Start >= 1 && c.Start <= 1e6, "start", "got %g, want 1 to 1000000", c.Start)
	l.Check(c.Factor > 0 && c.Factor <= 1e6, "factor", "got %s, want more than 0/h, at most 1000000/h", c.Factor)
	l.Check(c.Ceiling == "" || slices.Contains(seekers, c.Ceiling), "ceiling", "got %q, want one of %s", c.Ceiling, strings.Join(seekers, ", "))
	l.Check(c.Ceiling == "" || !slices.Contains(seekers, c.Law), "ceiling", "got %q, want none: law = %q seeks by itself", c.Ceiling, c.Law)
	l.Check(c.Max == 0 || c.Max >= 1 && c.Max <= 1e6, "max", "got %g, want 1 to 1000000", c.Max)
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
	l = append(l, c.validateChanges()...)
	l = append(l, c.validateFaults()...)
	usual := Default()
	own(&l, c, "pi", "pi", c.PI, usual.PI, c.PI.validate())
	own(&l, c, "aimd", "aimd", c.AIMD, usual.AIMD, c.AIMD.validate())
	own(&l, c, "gradient2", "gradient2", c.Gradient2, usual.Gradient2, c.Gradient2.validate())
	own(&l, c, "corr-vegas", "corr_vegas", c.CorrVegas, usual.CorrVegas, c.CorrVegas.validate())
	l.Within("destination", c.Destination.Validate())
	return l
}

var (
	seekers = []string{"aimd", "gradient2", "corr-vegas"}
	laws    = append([]string{"hold", "patent-damped", "patent-dynamic", "pi", "regulator"}, seekers...)
)

// Uses reports whether the law or its ceiling is the one named. Parameters of
// any other are no part of what the Config means.
func (c Config) Uses(law string) bool { return c.Law == law || c.Ceiling == law }

// Idle reports whether the table at that key has the parameters of a law that
// c does not name, or something that does not happen.
func (c Config) Idle(key string) bool {
	switch key {
	case "scope":
		return c.Scope != "cluster"
	case "change":
		return len(c.Changes) == 0
	case "destination":
		return !c.Destination.Limits()
	case "fault":
		return len(c.Faults) == 0
	}
	law, ok := map[string]string{"pi": "pi", "aimd": "aimd", "gradient2": "gradient2", "corr_vegas": "corr-vegas"}[key]
	return ok && !c.Uses(law)
}

// own adds the problems of a law's parameters. They may be left alone, at their
// defaults or zero, where no such law is named; to set them there is a mistake.
func own[P comparable](l *conf.List, c Config, law, key string, p, usual P, problems []error) {
	var zero P
	if c.Uses(law) {
		l.Within(key, problems)
		return
	}
	l.Check(p == usual || p == zero, key, "got parameters of %s, want none: neither law = %q nor ceiling names it", law, c.Law)
}

// New returns the governor that c describes, at its start value; the error
// joins all problems of c.
func New(c Config) (Governor, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return c.compose(), nil
}

// compose makes the governor of a valid Config.
func (c Config) compose() Governor {
	g := &composed{law: c.build(c.Law), cfg: c}
	start := g.Available()
	if c.Ceiling != "" {
		g.ceiling = c.build(c.Ceiling)
		start = min(start, g.ceiling.Available())
	}
	if c.Max > 0 {
		start = min(start, c.Max)
	}
	g.force(start)
	if len(c.Faults) > 0 {
		return &misled{Keeper: g, target: c.Target, faults: c.Faults}
	}
	return g
}

// NewCluster returns the governor of so many servers together; see Times.
func NewCluster(c Config, servers int) (Governor, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return c.Times(servers).compose(), nil
}

// Times is the governor of so many servers together: what c says of a rate or a
// number of processes it says of each. It may be beyond what Validate takes.
func (c Config) Times(servers int) Config {
	n := float64(servers)
	for _, v := range []*float64{&c.Start, &c.Max, &c.D, &c.AIMD.Min, &c.AIMD.Max, &c.Gradient2.Queue, &c.Gradient2.Min, &c.Gradient2.Max, &c.CorrVegas.Min, &c.CorrVegas.Max} {
		*v *= n
	}
	c.Target *= unit.PerHour(n)
	c.Factor *= unit.PerHour(n)
	c.Changes = slices.Clone(c.Changes)
	for i := range c.Changes {
		c.Changes[i].Target *= unit.PerHour(n)
	}
	return c
}

// build makes one law by itself, of a valid Config.
func (c Config) build(name string) law {
	g := gauge{cfg: c, step: c.Step(), available: c.Start}
	between := func(low, high float64) gauge {
		g.available = min(max(c.Start, low), high)
		return g
	}
	switch name {
	case "pi":
		return &pi{gauge: g}
	case "aimd":
		return &aimd{between(c.AIMD.Min, c.AIMD.Max)}
	case "gradient2":
		return &gradient2{gauge: between(c.Gradient2.Min, c.Gradient2.Max)}
	case "corr-vegas":
		return &corrVegas{gauge: between(c.CorrVegas.Min, c.CorrVegas.Max)}
	case "regulator":
		return newRegulator(g)
	}
	return &patent{g}
}
