// Package study reads parameter studies: a TOML file that names scenarios, the
// values that their keys shall take, and what is to be measured. It turns one
// into points, each a valid scenario, in an order that only the file decides,
// and keeps what was measured so that a study that was stopped goes on. It runs
// and draws nothing, and refuses whatever no point could be run with, all of it
// at once and with file, line and column.
package study

import (
	"regexp"
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/reports/measure"
)

// Limits of a study.
const (
	MostParameters   = 8 // each has a prime of its own in a Halton design
	MostPoints       = 100_000
	MostReplications = 10_000
	MostScenarios    = 100
)

// Designs, by how the values of several parameters are put together.
const (
	Grid   = "grid"   // every value of one with every value of the others
	Zip    = "zip"    // the first values of all, then the second ones
	Halton = "halton" // points that fill the space evenly, however many there are
)

// Config is a study as its file says it.
type Config struct {
	SchemaVersion int         `toml:"schema_version" range:"1..1" required:"true"`
	Name          string      `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	About         string      `toml:"about"`
	Scenario      string      `toml:"scenario"`  // a built-in name, or a path from the study's folder
	Scenarios     []string    `toml:"scenarios"` // instead: every point is run in each
	Set           []string    `toml:"set"`       // fixed settings, "path.to.key=value"
	Design        string      `toml:"design" oneof:"grid zip halton"`
	Points        int         `toml:"points" range:"0..100000"` // of a Halton design; 0 in any other
	Replications  int         `toml:"replications" range:"1..10000"`
	Metrics       []string    `toml:"metrics"`
	Seed          uint64      `toml:"seed" range:"0..9223372036854775807"` // names all luck, whatever the scenarios say
	Choice        Choice      `toml:"choice"`
	Parameters    []Parameter `toml:"parameter" required:"true"`
	Tune          Tune        `toml:"tune"` // of a search; a sweep has no use for it
}

// Choice asks which value of one parameter is best, and where: for each value
// of two others, by their names. Without Of none is asked.
type Choice struct {
	Of      string  `toml:"of" required:"true"`
	Rows    string  `toml:"rows"` // the scenarios if not given
	Columns string  `toml:"columns" required:"true"`
	Default string  `toml:"default" required:"true"` // value of Of that all are compared with
	Aside   []Value `toml:"aside"`                   // values of Of that are shown and never chosen
	// a parameter; classes are told of points with its first value alone
	Noise string `toml:"noise"`
}

// Parameter is a key, or several that are set to the same value together, and
// the values that it takes; or a name of the author's, and cases.
type Parameter struct {
	Key    Keys    `toml:"key"`
	Label  string  `toml:"name" pattern:"^[a-z][a-z0-9-]{0,31}$"` // of a parameter with cases
	Cases  []Case  `toml:"case"`
	Values []Value `toml:"values"` // or From and To
	From   Value   `toml:"from"`
	To     Value   `toml:"to"`
	Steps  int     `toml:"steps" range:"0..100000"` // values from From to To; 0 in a Halton design
	Scale  string  `toml:"scale" oneof:"linear log"`
}

// SetDefault makes steps between From and To equal in size.
func (p *Parameter) SetDefault() { *p = Parameter{Scale: "linear"} }

// Case is a value that is several settings at once, by a name of its own.
type Case struct {
	Name string   `toml:"name" required:"true"`
	Set  []string `toml:"set"` // as those of the study; none: the scenario as it is
}

// Name is what the parameter is called: its first key, or the name of its
// cases.
func (p Parameter) Name() string {
	if len(p.Cases) > 0 {
		return p.Label
	}
	return string(p.Key[0])
}

// listed are the values that the parameter lists, as opposed to those from an
// end to another.
func (p Parameter) listed() []Value {
	if len(p.Cases) == 0 {
		return p.Values
	}
	var names []Value
	for _, c := range p.Cases {
		names = append(names, Value(c.Name))
	}
	return names
}

// Keys are one key or a list of them.
type Keys []Value

// UnmarshalText reads a single key.
func (k *Keys) UnmarshalText(text []byte) error {
	*k = Keys{Value(text)}
	return nil
}

// Value is the text of a TOML string, number or truth value; a setting is made
// of it as of one on the command line.
type Value string

// UnmarshalText takes the text as it is written.
func (v *Value) UnmarshalText(text []byte) error {
	*v = Value(text)
	return nil
}

// Default is a Config without what only its author can name: a name,
// scenarios and parameters.
func Default() Config {
	return Config{
		SchemaVersion: 1,
		Design:        Grid,
		Replications:  1,
		Metrics: []string{"settling_intervals_5pct", "rate_per_h", "overshoot", "iae_target_hours",
			"total_variation", "dfr"},
		Seed: 1,
		Tune: defaultTune(),
	}
}

// settable is a path as a setting names it; what stands in brackets is an index or a name.
var settable = regexp.MustCompile(`^[A-Za-z0-9_-]+(\[[^\[\]]{1,64}\])*(\.[A-Za-z0-9_-]+(\[[^\[\]]{1,64}\])*)*$`)

// Validate reports every problem that tags cannot tell, but for what only a
// scenario knows: whether it has the keys and takes the values. It never edits.
func (c Config) Validate() []error { return append(c.validatePoints(c.Design), c.validateMetrics()...) }

// validateMetrics are the problems with what is looked at, whatever the points.
func (c Config) validateMetrics() []error {
	var l conf.List
	l.Check(len(c.Metrics) > 0, "metrics", "got none, want at least one")
	for i, m := range c.Metrics {
		_, known := measure.MetricNamed(m)
		l.Check(known, conf.Index("metrics", i), "got %q, want one that flyball scenario metrics lists%s", m, near(m))
		l.Check(!slices.Contains(c.Metrics[:i], m), conf.Index("metrics", i), "got %q a second time", m)
	}
	return l
}

// shaping are the keys that decide what the points are.
var shaping = []string{"schema_version", "scenario", "scenarios", "set", "design", "points", "seed", "parameter"}

// validatePoints are the problems with the rest, for values that are put
// together by a design, which is searched if it is not the study's own.
func (c Config) validatePoints(design string) []error {
	var l conf.List
	switch {
	case c.Scenario == "" && len(c.Scenarios) == 0:
		l.Check(false, "scenario", "missing, want the name of a built-in scenario, a path, or scenarios = [...]")
	case c.Scenario != "" && len(c.Scenarios) > 0:
		l.Check(false, "scenarios", "got a list beside scenario = %q, want one of the two", c.Scenario)
	}
	l.Check(len(c.Scenarios) <= MostScenarios, "scenarios", "got %d, want at most %d", len(c.Scenarios), MostScenarios)
	for i, s := range c.Scenarios {
		l.Check(s != "", conf.Index("scenarios", i), "got nothing, want a built-in name or a path")
		l.Check(!slices.Contains(c.Scenarios[:i], s), conf.Index("scenarios", i), "got %q a second time", s)
	}
	for i, s := range c.Set {
		checkSetting(&l, conf.Index("set", i), s)
	}
	l.Check((c.Points > 0) == (c.Design == Halton), "points",
		"got %d, want a number with design = %q and none with any other", c.Points, Halton)
	l.Check(len(c.Parameters) > 0, "parameter", "got none, want at least one [[parameter]]")
	l.Check(len(c.Parameters) <= MostParameters, "parameter", "got %d, want at most %d", len(c.Parameters),
		MostParameters)
	var seen []string
	for i, p := range c.Parameters {
		at := conf.Index("parameter", i)
		l.Within(at, p.validate(design))
		before := len(seen)
		for k, one := range p.Cases {
			for j, set := range one.Set {
				key := keyOf(set)
				l.Check(!slices.Contains(seen[:before], key), conf.Index(conf.Index(at+".case", k)+".set", j),
					"got %s, want a key that no other parameter sets", key)
				seen = append(seen, key)
			}
		}
		for _, k := range p.Key {
			l.Check(string(k) != "seed", at+".key",
				"got a seed, want replications: all points of a study have the same luck")
			l.Check(!slices.Contains(seen, string(k)), at+".key", "got %q a second time", k)
			seen = append(seen, string(k))
		}
	}
	if len(l) == 0 && design == Zip {
		for i, p := range c.Parameters[1:] {
			l.Check(p.many() == c.Parameters[0].many(), conf.Index("parameter", i+1),
				"got %d values with design = %q, want %d as in the first parameter",
				p.many(), Zip, c.Parameters[0].many())
		}
	}
	if len(l) == 0 && c.Choice.Of != "" {
		l.Within("choice", c.validateChoice())
	}
	if len(l) == 0 && design != searched {
		n := c.count()
		l.Check(n <= MostPoints, "parameter", "got %d or more points, want at most %d", n, MostPoints)
	}
	return l
}

// Axis is the place of the parameter with that name; -1 if there is none.
func (c Config) Axis(name string) int {
	return slices.IndexFunc(c.Parameters, func(p Parameter) bool { return p.Name() == name })
}

// ChoiceMetrics are those that a study with a choice needs.
func ChoiceMetrics() []string {
	return []string{"iae_target_hours", "end_h", "attempts", "delivered", "peak_available"}
}

func (c Config) validateChoice() []error {
	var l conf.List
	l.Check(c.Design == Grid, "of", "got a choice with design = %q, want %q: every value in every place", c.Design,
		Grid)
	var names []string
	for _, p := range c.Parameters {
		names = append(names, p.Name())
	}
	known := func(key, name string) {
		l.Check(name == "" || c.Axis(name) >= 0, key, "got %q, want the name or first key of a parameter: %s", name,
			strings.Join(names, ", "))
	}
	ch := c.Choice
	known("of", ch.Of)
	known("rows", ch.Rows)
	known("columns", ch.Columns)
	known("noise", ch.Noise)
	l.Check(ch.Columns != ch.Of, "columns", "got %q, want another parameter than of", ch.Columns)
	l.Check(ch.Noise == "" || !slices.Contains([]string{ch.Of, ch.Rows, ch.Columns}, ch.Noise), "noise",
		"got %q, want a parameter that is averaged over", ch.Noise)
	l.Check(ch.Rows != ch.Of && ch.Rows != ch.Columns, "rows", "got %q, want another parameter than of and columns",
		ch.Rows)
	if i := c.Axis(ch.Of); i >= 0 {
		p := c.Parameters[i]
		l.Check(len(p.listed()) > 0, "of", "got %q, want a parameter with values or cases", ch.Of)
		l.Check(slices.Contains(p.listed(), Value(ch.Default)), "default", "got %q, want a value of %s", ch.Default,
			ch.Of)
		for i, v := range ch.Aside {
			l.Check(slices.Contains(p.listed(), v) && v != Value(ch.Default), conf.Index("aside", i),
				"got %q, want a value of %s other than the default", v, ch.Of)
		}
	}
	for _, m := range ChoiceMetrics() {
		l.Check(slices.Contains(c.Metrics, m), "of", "got a choice without the metric %s, want it among metrics", m)
	}
	return l
}

func checkSetting(l *conf.List, at, set string) {
	_, _, ok := strings.Cut(set, "=")
	l.Check(ok && settable.MatchString(keyOf(set)), at, "got %q, want path.to.key=value", set)
	l.Check(keyOf(set) != "seed", at, "got a seed, want the key seed of the study: all its points have the same luck")
}

// beside returns the metrics of a sweep. The rate ends with the last judged
// interval, so what burns a list looks best by it: beside it stand the end,
// whether that is one, and attempts per delivery. A choice has a cost of its own.
func beside(c Config) []string {
	all := c.Metrics
	if c.Choice.Of != "" || !slices.Contains(all, "rate_per_h") {
		return all
	}
	for _, m := range []string{"end_h", "pending", "dfr"} {
		if !slices.Contains(all, m) {
			all = append(all[:len(all):len(all)], m)
		}
	}
	return all
}

// near is a hint at the metric that was perhaps meant.
func near(name string) string {
	var known []string
	for _, m := range measure.Metrics() {
		known = append(known, m.Name)
	}
	return conf.DidYouMean(name, known)
}

func (p Parameter) validate(design string) []error {
	if len(p.Cases) > 0 || p.Label != "" {
		return p.validateCases()
	}
	var l conf.List
	l.Check(len(p.Key) > 0, "key", "got none, want a path such as governor.d, or a name and cases")
	for _, k := range p.Key {
		l.Check(settable.MatchString(string(k)), "key", "got %q, want a path such as governor.d or destination[0].cap",
			k)
	}
	ranged := p.From != "" || p.To != ""
	switch {
	case len(p.Values) > 0:
		l.Check(!ranged, "values", "got a list beside from and to, want one of the two")
		l.Check(p.Steps == 0, "steps", "got %d, want none with values", p.Steps)
		l.Check(p.Scale == "linear", "scale", "got %q, want none with values", p.Scale)
		for i, v := range p.Values {
			l.Check(!slices.Contains(p.Values[:i], v), conf.Index("values", i), "got %s a second time", v)
		}
	case !ranged:
		l.Check(false, "values", "missing, want a list, or from and to")
	default:
		span, err := newSpan(p.From, p.To, p.Scale)
		if l.Check(err == nil, "from", "%v", err); err != nil {
			break
		}
		if design == searched {
			break
		}
		if design == Halton {
			l.Check(p.Steps == 0, "steps", "got %d, want none with design = %q", p.Steps, Halton)
			break
		}
		if l.Check(p.Steps >= 2, "steps", "got %d, want 2 or more values", p.Steps); p.Steps < 2 ||
			p.Steps > MostPoints {
			break
		}
		values := span.values(p.Steps)
		for i := range values[1:] {
			if values[i] == values[i+1] {
				l.Check(false, "steps", "got %d, but from %s to %s there are not so many different values%s", p.Steps,
					p.From, p.To, span.hint())
				break
			}
		}
	}
	return l
}

func (p Parameter) validateCases() []error {
	var l conf.List
	l.Check(p.Label != "", "name", "missing, want what the cases differ in, such as \"law\"")
	l.Check(len(p.Cases) > 0, "case", "got none, want at least one { name = ..., set = [...] }")
	l.Check(len(p.Key) == 0, "key", "got %q beside a name, want one of the two", p.Key)
	l.Check(len(p.Values) == 0, "values", "got a list beside a name, want cases")
	l.Check(p.From == "" && p.To == "" && p.Steps == 0, "from", "got a span beside a name, want cases")
	l.Check(p.Scale == "linear", "scale", "got %q, want none with cases", p.Scale)
	names := p.listed()
	for i, c := range p.Cases {
		at := conf.Index("case", i)
		l.Check(!slices.Contains(names[:i], names[i]), at+".name", "got %q a second time", c.Name)
		l.Check(conf.Printable(c.Name), at+".name", "got %q, want printable characters, at most 64", c.Name)
		for k, set := range c.Set {
			checkSetting(&l, conf.Index(at+".set", k), set)
		}
	}
	return l
}
