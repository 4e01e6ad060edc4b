package study

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"flyball/internal/conf"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// Tune is the table [tune] of a study: the objective and limits of a search.
type Tune struct {
	Objective   string       `toml:"objective" required:"true"` // a metric, as the ratio to its value in the baseline
	Goal        string       `toml:"goal" oneof:"minimise maximise"`
	Constraints []Constraint `toml:"constraint"`
	Budget      int          `toml:"budget" range:"1..1000000" required:"true"` // runs, and runs of the baseline
	HeldOut     HeldOut      `toml:"held_out"`
}

// HeldOut lists the scenarios and replications that the search does not use.
// They judge its result.
type HeldOut struct {
	Scenarios    []string `toml:"scenarios"`
	Replications int      `toml:"replications" range:"6..10000"`
}

// Constraint must hold in every scenario, for the mean over the replications.
type Constraint struct {
	Metric string  `toml:"metric" required:"true"`
	As     string  `toml:"as" oneof:"value ratio difference"`
	Op     string  `toml:"op" oneof:"<= >=" required:"true"`
	Value  float64 `toml:"value" required:"true"`
}

// Quantities that a constraint compares with its Value.
const (
	AsValue      = "value"      // the metric
	AsRatio      = "ratio"      // metric / metric of the baseline, as geometric mean
	AsDifference = "difference" // metric - metric of the baseline
)

// SetDefault makes the constraint compare the metric itself.
func (c *Constraint) SetDefault() { *c = Constraint{As: AsValue} }

func (c Constraint) String() string {
	what := c.Metric
	if c.As != AsValue {
		what = c.As + " of " + what
	}
	return fmt.Sprintf("%s %s %g", what, c.Op, c.Value)
}

func defaultTune() Tune {
	return Tune{Goal: "minimise", HeldOut: HeldOut{Replications: 20}} // as compare does
}

// searched is the design of a study whose points are chosen by a search.
const searched = "search"

// LeastBudget is the smallest number of runs per scenario that a search needs.
const LeastBudget = 20

// FirstHeldOut is the number of the first held-out replication. The replications
// of a search have numbers below MostReplications, so no draw is on both sides.
const FirstHeldOut = 1 << 20

// mostChecked is the number of points that are loaded before any is run.
const mostChecked = 256

// Tuning is a study for a search. Its Points are examples of the space. Its
// Names are the scenarios of the search, then the held-out scenarios. Its
// Metrics are the metrics of the objective, the constraints and the
// expectations, and the metrics that the file lists.
type Tuning struct {
	*Study
	Training int                   // number of scenarios of the search
	Bases    []*scenarios.Scenario // the baseline: every scenario as it is

	texts []Text
}

// LoadTuning decodes a study with a [tune] table, as Load decodes a study for a
// sweep. It ignores the keys that only a sweep uses: design, points,
// replications and steps.
func LoadTuning(name string, src []byte, set []string, seed *uint64, read Read) (*Tuning, error) {
	t := &Tuning{Study: &Study{Config: Default(), more: set}}
	doc := format.Read(name, src, nil)
	doc.Decode(&t.Config)
	wrong := t.validatePoints(searched)
	doc.Refuse(append(wrong, t.validateMetrics()...))
	points := len(wrong) == 0 && doc.Sound("tune.held_out")
	if doc.Gives("tune") {
		wrong := t.validateTune()
		doc.Refuse(wrong)
		for _, err := range wrong {
			p, _ := err.(conf.Problem)
			points = points && !strings.HasPrefix(p.Key, "tune.held_out.")
		}
	} else {
		doc.Refuse([]error{conf.Problem{Key: "tune",
			Text: "missing, want a table [tune] with an objective and a budget"}})
	}
	texts, err := t.open(doc, points, seed, read)
	if err != nil {
		return nil, err
	}
	t.Training = len(t.Names)
	t.Names = slices.Clone(t.Names)
	var missing []error
	for i, n := range t.Tune.HeldOut.Scenarios {
		held, err := read(n)
		if err != nil {
			missing = append(missing, conf.Problem{Key: conf.Index("tune.held_out.scenarios", i), Text: err.Error()})
		}
		texts, t.Names = append(texts, held), append(t.Names, n)
	}
	if doc.Refuse(missing); missing != nil {
		return nil, doc.Err()
	}
	t.texts = texts

	t.layOutSearch()
	if err := t.loadPoints(doc, texts); err != nil {
		return nil, err
	}
	for i := range t.Names {
		base, err := texts[i].with(t.settings(nil))
		if err != nil {
			return nil, err
		}
		t.Bases = append(t.Bases, base)
		refusePart(doc, "tune.objective", t.Tune.Objective, base)
		for k, c := range t.Tune.Constraints {
			refusePart(doc, conf.Index("tune.constraint", k)+".metric", c.Metric, base)
		}
		for k, m := range t.Metrics {
			refusePart(doc, conf.Index("metrics", k), m, base)
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	t.Metrics = t.recorded()
	t.runs = t.Tune.Budget + 2*t.Tune.HeldOut.Replications*len(t.Names)
	t.identify()
	return t, nil
}

func (c Config) validateTune() []error {
	var l conf.List
	metric := func(key, name string) measure.Metric {
		m, known := measure.MetricNamed(name)
		l.Check(known, key, "got %q, want one that flyball scenario metrics lists%s", name, near(name))
		return m
	}
	t := c.Tune
	m := metric("tune.objective", t.Objective)
	l.Check(!m.Signed, "tune.objective", "got %q, want a metric that is never below 0: it is compared as a ratio",
		t.Objective)
	for i, k := range t.Constraints {
		at := conf.Index("tune.constraint", i)
		m := metric(at+".metric", k.Metric)
		if k.As == AsRatio {
			l.Check(!m.Signed, at+".as", "got %q with %s, want %q or %q: a metric that may be below 0 has no ratios",
				k.As, k.Metric, AsValue, AsDifference)
			l.Check(k.Value > 0, at+".value", "got %g, want a ratio above 0", k.Value)
		}
	}
	n := max(1, len(c.Scenarios))
	l.Check(t.Budget >= n*LeastBudget, "tune.budget", "got %d, want %d or more: %d runs of each scenario", t.Budget,
		n*LeastBudget, LeastBudget)
	l.Check(n+len(t.HeldOut.Scenarios) <= MostScenarios, "tune.held_out.scenarios",
		"got %d beside %d, want at most %d in all", len(t.HeldOut.Scenarios), n, MostScenarios)
	for i, s := range t.HeldOut.Scenarios {
		key := conf.Index("tune.held_out.scenarios", i)
		l.Check(s != "", key, "got nothing, want a built-in name or a path")
		l.Check(!slices.Contains(t.HeldOut.Scenarios[:i], s), key, "got %q a second time", s)
		l.Check(s != c.Scenario && !slices.Contains(c.Scenarios, s), key,
			"got %q, want a scenario that the search does not use", s)
	}
	return l
}

// recorded returns the metrics that are recorded for each run.
func (t *Tuning) recorded() []string {
	all := []string{t.Tune.Objective}
	add := func(m string) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	for _, k := range t.Tune.Constraints {
		add(k.Metric)
	}
	for _, m := range t.Metrics {
		add(m)
	}
	for _, s := range t.Bases {
		for _, e := range s.Expect {
			add(e.Metric)
		}
	}
	for _, m := range all {
		if measure.MayNeverCome(m) && !measure.InIntervals(m) {
			add(measure.EndMetric) // of which there is none, but the horizon, with recipients pending
			add("pending")
		}
	}
	return all
}

// layOutSearch sets Points to examples of the space, which are checked before
// the first run: the first points of the Halton sequence, and the first of them
// with each value of each list and both ends of each range in turn.
func (t *Tuning) layOutSearch() {
	var places [][]float64
	for n := range min(mostChecked, t.Tune.Budget/max(1, t.Training)) {
		places = append(places, HaltonPlace(n, len(t.Parameters)))
	}
	for i := range t.Parameters {
		for _, share := range t.Sides(i) {
			place := HaltonPlace(0, len(t.Parameters))
			place[i] = share
			places = append(places, place)
		}
	}
	t.Axes = nil
	at := make([][]int, len(places))
	for i, p := range t.Parameters {
		a := Axis{Keys: p.keys()}
		known := map[string]int{}
		for n, place := range places {
			v := p.at(place[i])
			k, ok := known[v]
			if !ok {
				k = len(a.Values)
				known[v] = k
				a.Values = append(a.Values, v)
			}
			at[n] = append(at[n], k)
		}
		t.Axes = append(t.Axes, a)
	}
	t.Points = nil
	for k := range t.Names {
		for _, a := range at {
			t.Points = append(t.Points, Point{Scenario: k, At: a})
		}
	}
}

// HaltonPlace returns point n, from 0, of the Halton sequence in the unit cube.
func HaltonPlace(n, dimensions int) []float64 {
	place := make([]float64, dimensions)
	for i := range place {
		place[i] = radicalInverse(uint64(n)+1, primes[i])
	}
	return place
}

// Ranged reports whether parameter i is a range, in which values have
// neighbours, and not a list.
func (t *Tuning) Ranged(i int) bool { return len(t.Parameters[i].listed()) == 0 }

// Sides returns the extreme places of parameter i: both ends of a range, or
// every value of a list.
func (t *Tuning) Sides(i int) []float64 {
	if t.Ranged(i) {
		return []float64{0, 1}
	}
	n := len(t.Parameters[i].listed())
	all := make([]float64, n)
	for k := range all {
		all[k] = (float64(k) + 0.5) / float64(n)
	}
	return all
}

// Choices formats the possible values of parameter i for readers.
func (t *Tuning) Choices(i int) string {
	p := t.Parameters[i]
	if t.Ranged(i) {
		return fmt.Sprintf("%s to %s, %s", p.From, p.To, p.Scale)
	}
	var all []string
	for _, v := range p.listed() {
		all = append(all, string(v))
	}
	return strings.Join(all, ", ")
}

// Values returns the values of the parameters at a place in the unit cube.
func (t *Tuning) Values(place []float64) []string {
	all := make([]string, len(t.Parameters))
	for i, p := range t.Parameters {
		all[i] = p.at(place[i])
	}
	return all
}

// Changes returns the settings that stand for values, to be applied to a
// baseline.
func (t *Tuning) Changes(values []string) []string {
	var set []string
	for i, v := range values {
		set = append(set, t.Parameters[i].settings(v)...)
	}
	return set
}

func (t *Tuning) settings(values []string) []string {
	return append(slices.Concat(t.Set, t.more, t.Changes(values)), fmt.Sprintf("seed=%d", t.Seed))
}

// Settings returns all settings that turn a scenario's file into the scenario
// with these values.
func (t *Tuning) Settings(values []string) []string { return t.settings(values) }

// With returns every scenario with these values. The error is of type
// tomlfile.Problems.
func (t *Tuning) With(values []string) ([]*scenarios.Scenario, error) {
	all := make([]*scenarios.Scenario, len(t.Names))
	for i, of := range t.texts {
		s, err := of.with(t.settings(values))
		if err != nil {
			return nil, err
		}
		all[i] = s
	}
	return all, nil
}

// identify sets the search's ID to the hash of its content.
func (t *Tuning) identify() {
	h := sha256.New()
	fmt.Fprintf(h, "flyball tuning 1\n%d scenarios\n%+v\n", t.Training, t.Tune)
	t.list(h)
	for _, s := range t.Bases {
		fmt.Fprintln(h, scenarios.ID(s))
	}
	t.ID = hex.EncodeToString(h.Sum(nil))
}
