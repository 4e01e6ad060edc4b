// Package study reads parameter studies. A study is a TOML file that names
// scenarios, the values of their keys, and the metrics to record. The package
// turns it into points, each a valid scenario, in an order that depends only on
// the file. It also encodes results, so that an interrupted study can continue.
// It reports all problems at once, with file, line and column. It runs nothing
// and draws nothing.
package study

import (
	"regexp"
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/reports/measure"
)

// Limits of a study.
const (
	MostParameters   = 8 // each has its own prime in a Halton design
	MostPoints       = 100_000
	MostReplications = 10_000
	MostScenarios    = 100
)

// Designs: ways to combine the values of several parameters.
const (
	Grid   = "grid"   // every value of one with every value of the others
	Zip    = "zip"    // the first values of all, then the second ones
	Halton = "halton" // any number of points that fill the space evenly
)

// Config is the content of a study's file.
type Config struct {
	SchemaVersion int         `toml:"schema_version" range:"1..1" required:"true"`
	Name          string      `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	About         string      `toml:"about"`
	Scenario      string      `toml:"scenario"`  // a built-in name, or a path from the study's folder
	Scenarios     []string    `toml:"scenarios"` // instead: every point is run in each
	Set           []string    `toml:"set"`       // fixed settings, "path.to.key=value"
	Design        string      `toml:"design" oneof:"grid zip halton"`
	Points        int         `toml:"points" range:"0..100000"` // points of a Halton design; 0 in any other
	Replications  int         `toml:"replications" range:"1..10000"`
	Metrics       []string    `toml:"metrics"`
	Seed          uint64      `toml:"seed" range:"0..9223372036854775807"` // seed of all runs
	Choice        Choice      `toml:"choice"`
	Parameters    []Parameter `toml:"parameter" required:"true"`
	Tune          Tune        `toml:"tune"` // settings of a search; a sweep ignores them
}

// Choice asks which value of one parameter is best for each combination of the
// values of two others. It is unused if Of is empty.
type Choice struct {
	Of      string  `toml:"of" required:"true"`
	Rows    string  `toml:"rows"` // if empty, the scenarios
	Columns string  `toml:"columns" required:"true"`
	Default string  `toml:"default" required:"true"` // value of Of that all others are compared with
	Aside   []Value `toml:"aside"`                   // values of Of that are shown but never chosen
	Noise   string  `toml:"noise"`                   // a parameter to average over; its first value judges stability
}

// Parameter is a key, or several keys that always have the same value, with the
// values to try; or a name with cases.
type Parameter struct {
	Key    Keys    `toml:"key"`
	Label  string  `toml:"name" pattern:"^[a-z][a-z0-9-]{0,31}$"` // name of a parameter with cases
	Cases  []Case  `toml:"case"`
	Values []Value `toml:"values"` // instead of From and To
	From   Value   `toml:"from"`
	To     Value   `toml:"to"`
	Steps  int     `toml:"steps" range:"0..100000"` // number of values from From to To; 0 in a Halton design
	Scale  string  `toml:"scale" oneof:"linear log"`
}

// SetDefault sets a linear scale: steps between From and To have equal size.
func (p *Parameter) SetDefault() { *p = Parameter{Scale: "linear"} }

// Case is a named value that stands for several settings.
type Case struct {
	Name string   `toml:"name" required:"true"`
	Set  []string `toml:"set"` // "path.to.key=value"; if empty, the scenario as it is
}

// Name returns the parameter's first key, or the name of its cases.
func (p Parameter) Name() string {
	if len(p.Cases) > 0 {
		return p.Label
	}
	return string(p.Key[0])
}

// listed returns the values or the names of the cases that the file lists; none
// if the parameter is a range.
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

// Keys is one key or a list of keys.
type Keys []Value

// UnmarshalText reads a single key.
func (k *Keys) UnmarshalText(text []byte) error {
	*k = Keys{Value(text)}
	return nil
}

// Value is the text of a TOML string, number or boolean. It is used in settings
// as if typed on the command line.
type Value string

// UnmarshalText takes the text as it is written.
func (v *Value) UnmarshalText(text []byte) error {
	*v = Value(text)
	return nil
}

// format is the format of a study's file. No message has its example: a study has no --set of its own.
var format = tomlfile.New[Config]("parameter[0].key")

// Default returns the default Config. It lacks the parts that only an author can
// supply: a name, scenarios and parameters.
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

// settable matches the path of a setting, with an index or a name in brackets.
var settable = regexp.MustCompile(`^[A-Za-z0-9_-]+(\[[^\[\]]{1,64}\])*(\.[A-Za-z0-9_-]+(\[[^\[\]]{1,64}\])*)*$`)

// Validate returns all problems that the tags do not cover. Whether a scenario
// has the keys and accepts the values shows only when points are loaded.
// Validate edits nothing.
func (c Config) Validate() []error { return append(c.validatePoints(c.Design), c.validateMetrics()...) }

// validateMetrics returns the problems of the metrics.
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

// shaping lists the keys that determine the points.
var shaping = []string{"schema_version", "scenario", "scenarios", "set", "design", "points", "seed", "parameter"}

// validatePoints returns the problems of everything else, with the values
// combined by design: the study's own design, or searched.
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
				"got a seed, want replications: all points of a study have the same seed")
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

// Axis returns the index of the parameter with that name; -1 if there is none.
func (c Config) Axis(name string) int {
	return slices.IndexFunc(c.Parameters, func(p Parameter) bool { return p.Name() == name })
}

// choiceMetrics returns the metrics that a study with a choice must record.
func choiceMetrics() []string {
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
	for _, m := range choiceMetrics() {
		l.Check(slices.Contains(c.Metrics, m), "of", "got a choice without the metric %s, want it among metrics", m)
	}
	return l
}

func checkSetting(l *conf.List, at, set string) {
	_, _, ok := strings.Cut(set, "=")
	l.Check(ok && settable.MatchString(keyOf(set)), at, "got %q, want path.to.key=value", set)
	l.Check(keyOf(set) != "seed", at, "got a seed, want the key seed of the study: all its points have the same seed")
}

// beside returns the metrics of a sweep. The rate stops at the last judged
// interval, so a setting that wastes attempts looks best by the rate alone. The
// end, the pending recipients and the attempts per delivery therefore stand
// beside it, unless the study has a choice, which has its own cost. An end without the
// pending recipients may be the horizon.
func beside(c Config) []string {
	all := c.Metrics
	add := func(metrics ...string) {
		for _, m := range metrics {
			if !slices.Contains(all, m) {
				all = append(all[:len(all):len(all)], m)
			}
		}
	}
	switch {
	case c.Choice.Of != "":
	case slices.Contains(all, "rate_per_h"):
		add(measure.EndMetric, "pending", "dfr")
	case slices.Contains(all, measure.EndMetric):
		add("pending")
	}
	return all
}

// near returns a hint at a metric with a similar name, or "".
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
				l.Check(false, "steps", "got %d, want fewer: from %s to %s some of these values are equal%s", p.Steps,
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
