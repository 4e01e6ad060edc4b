package governor

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config names a law and its parameters.
type Config struct {
	// the law of C
	Law string `toml:"law" default:"patent-dynamic"`
	// what one law governs: each server by itself, or all servers together ([0063]), among which it divides C by their
	// efficiencies; every number here is for one server, and a cluster of n servers has n times the target, processes
	// and steps
	Scope string `toml:"scope" oneof:"server cluster" default:"server"`
	// rate of successful deliveries to attain (TARGET_DELIVERY_RATE)
	// Source: derived: Table 1
	Target unit.PerHour `toml:"target" default:"140000/h" range:">0/h..1000000000/h"`
	// time between two decisions (S)
	// Source: derived: Table 1
	Interval vt.Span `toml:"interval" default:"3h" range:"1s..30d"`
	// available MTA processes before the first decision
	// Source: assumed: the patent application names none
	Start float64 `toml:"start" range:"1..1000000" default:"40" unit:"processes"`
	// a seeker whose C limits the C of the law; not given: none
	Ceiling string `toml:"ceiling"`
	// most available MTA processes; not given: no limit
	// Source: assumed: no limit
	Max float64 `toml:"max,omitdefault" range:"1..1000000" unit:"processes"`
	// how d is computed: per-day is factor x S, so that a day's steps add up to the factor; as-printed is factor / S;
	// explicit is the key d
	StepMode string `toml:"step" oneof:"per-day as-printed explicit" default:"per-day"`
	// greatest change of the available processes over time (AVAIL_PROCS_DAMPING_FACTOR)
	// Source: derived: Table 1: 24 processes a day
	Factor unit.PerHour `toml:"factor" default:"24/day" range:">0/h..1000000/h"`
	// greatest change per interval, in processes; only with step = "explicit"
	// Source: derived: no explicit step: [0067] gives it
	D float64 `toml:"d" range:"0..1000000" unit:"processes"`
	// definition of P_a: the time-average of allocated processes, or, as Table 2 prints it, that average / S (a
	// demonstration: it settles at target / S)
	Allocated string `toml:"allocated" oneof:"average as-printed" default:"average"`
	// a utilization above 1 does not enlarge the step; only patent-dynamic uses it
	CapUtilization bool `toml:"cap_utilization"`
	// parameters of pi
	PI PI `toml:"pi"`
	// parameters of aimd
	AIMD AIMD `toml:"aimd"`
	// parameters of gradient2
	Gradient2 Gradient2 `toml:"gradient2"`
	// parameters of corr-vegas
	CorrVegas CorrVegas `toml:"corr_vegas"`
	// the law that limits each destination
	Destination Destination `toml:"destination"`
	// new targets during the run; an interval keeps the target that held when it began
	Changes []Change `toml:"change,omitdefault"`
	// intervals with a faulty measurement
	Faults []Fault `toml:"fault,omitdefault"`
}

// laws are listed in the order of choices in help and schema. Each law has its
// own file; its parameters, if it has any, are a field of Config.
var laws = []Law{hold, patentDamped, patentDynamic, piLaw, aimdLaw, gradient2Law, corrVegasLaw, regulatorLaw}

var keys = declare()

// declare reads the tags of Config. It depends on laws, so that Go initializes
// laws first: Choices lists them.
func declare() *conf.Keys {
	_ = laws
	return conf.Declare[Config]()
}

// Choices returns the laws that the key law or ceiling may name.
func (Config) Choices(key string) (all []conf.Choice) {
	for _, l := range laws {
		switch {
		case key == "law":
			all = append(all, conf.Choice{Name: l.Name, Doc: l.Doc})
		case key == "ceiling" && l.Kind == Seeker:
			all = append(all, conf.Choice{Name: l.Name})
		}
	}
	return all
}

// Default returns the governor of Table 1.
func Default() Config { return conf.DefaultOf[Config](keys) }

// Step returns d, the greatest change per interval before utilization scales
// it, in processes. c must be valid.
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
	keys.Check(&l, c)
	law, _ := lawNamed(c.Law)
	l.Check(c.Ceiling == "" || law.Kind != Seeker, "ceiling", "got %q, want none: law = %q seeks by itself", c.Ceiling,
		c.Law)
	if c.StepMode == "explicit" {
		l.Check(c.D != 0, "d", "got %g, want more than 0, at most 1000000, with step = \"explicit\"", c.D)
	} else {
		l.Check(c.D == 0, "d", "got %g, want none: step = %q computes it from factor and interval", c.D, c.StepMode)
	}
	l = append(l, c.validateChanges()...)
	l = append(l, c.validateFaults()...)
	keys.CheckIdle(&l, c, func(key string) string {
		if !slices.ContainsFunc(laws, func(l Law) bool { return l.Key == key }) {
			return ""
		}
		return fmt.Sprintf("neither law = %q nor ceiling names it", c.Law)
	})
	return l
}

// Uses reports whether c names law as its law or its ceiling. The parameters of
// every other law have no effect.
func (c Config) Uses(law string) bool { return c.Law == law || c.Ceiling == law }

// Idle reports whether a key has no meaning beside the other values of c: the
// parameters of a law that c does not name.
func (c Config) Idle(key string) bool {
	if key == "scope" {
		return c.Scope != "cluster"
	}
	i := slices.IndexFunc(laws, func(l Law) bool { return l.Key == key })
	return i >= 0 && !c.Uses(laws[i].Name)
}

// New returns the governor that c describes, at its start value. The error
// joins all problems of c.
func New(c Config) (Governor, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return c.compose(), nil
}

// compose returns the governor that the valid Config c describes.
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
		return &faulty{Keeper: g, target: c.Target, faults: c.Faults}
	}
	return g
}

// NewCluster returns one governor for all servers together; see Times.
func NewCluster(c Config, servers int) (Governor, error) {
	if err := errors.Join(c.Validate()...); err != nil {
		return nil, err
	}
	return c.Times(servers).compose(), nil
}

// Times returns the Config of one governor for n servers: every rate and number
// of processes in c is for one server and is multiplied by n. The result may
// exceed the ranges that Validate checks. Limits per destination are unchanged.
func (c Config) Times(n int) Config {
	c.Changes = slices.Clone(c.Changes)
	keys.Scale(reflect.ValueOf(&c).Elem(), float64(n), func(k conf.Key) bool {
		return k.Unit == "processes" || k.Type == reflect.TypeFor[unit.PerHour]()
	})
	return c
}

// build returns the law called name, without ceiling, max and faults. c must be
// valid.
func (c Config) build(name string) law {
	l, _ := lawNamed(name)
	return l.build(c)
}

// Change is a new target that an operator gives during a run.
type Change struct {
	// when the operator changes the target
	// Source: scenario
	At vt.Span `toml:"at" unit:"moment" required:"true" range:">0s..3650d"`
	// the target from then on; 0/h: sending pauses, until the next change
	// Source: scenario
	Target unit.PerHour `toml:"target" required:"true" range:"0/h..1000000000/h"`
	// time in which the target changes, linearly from its value at that moment; 0: at once
	// Source: scenario
	Over vt.Span `toml:"over" range:"0s..3650d"`
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
		if to == 0 { // a pause of the sending is none of the governor, see Pauses
			to = target
		}
		if since := until.Sub(vt.Time(v.At)); since < v.Over {
			to = target + float64((to-target)*(float64(since)/float64(v.Over)))
		}
		target = to
	}
	return target
}

// Pauses returns the times at which changes to a target of 0 let the sending pause, in
// order. The last pause may have no end.
func (c Config) Pauses() (all []vt.Window) {
	for i, v := range c.Changes {
		if v.Target > 0 {
			continue
		}
		to := vt.Never
		if i+1 < len(c.Changes) {
			to = vt.Time(c.Changes[i+1].At)
		}
		all = append(all, vt.Window{From: vt.Time(v.At), To: to})
	}
	return all
}

func (c Config) validateChanges() []error {
	var l conf.List
	for i, v := range c.Changes {
		key := conf.Index("change", i)
		l.Check(v.Target != 0 || v.Over == 0, key+".over",
			"got %s with target = 0/h, want none: a pause begins at once", v.Over)
		if i > 0 {
			before := c.Changes[i-1].At
			l.Check(v.At > before, key+".at", "got %s, want later than the change before, at %s", v.At, before)
		}
	}
	return l
}
