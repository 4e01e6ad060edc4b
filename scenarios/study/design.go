package study

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/scenarios"
)

// Axis is a parameter with all its different values, in order.
type Axis struct {
	Keys   []string // keys of the parameter, or the name of its cases
	Values []string
}

// Point is one combination of values in one scenario.
type Point struct {
	Scenario int   // index into Study.Names
	At       []int // for each axis, index into its values
	Loaded   *scenarios.Scenario
	ID       string // of the loaded scenario
}

// Study is a valid study with all its points, ordered by scenario.
type Study struct {
	Config
	Names  []string // of scenarios, as the study names them
	Axes   []Axis
	Points []Point
	ID     string // SHA-256 of everything that its results depend on

	more []string // settings of the command line
	runs int      // greatest possible number
}

// Read returns the text of a scenario that a study names.
type Read func(name string) (Text, error)

// Text is a scenario that is not decoded yet.
type Text struct {
	Name string // that problems use for it
	TOML []byte
	From scenarios.Outside
}

// with returns the scenario with settings.
func (t Text) with(set []string) (*scenarios.Scenario, error) {
	return scenarios.LoadWith(t.Name, t.TOML, set, t.From)
}

// mostProblems is the number of problems that are reported: one mistake in a
// value can recur in each point.
const mostProblems = 50

// Load decodes a study and loads all its points. Set holds the settings of the
// command line, which the settings of the parameters override. Seed, if not nil,
// replaces the seed of the file. The error is of type tomlfile.Problems and
// holds all problems.
func Load(name string, src []byte, set []string, seed *uint64, read Read) (*Study, error) {
	s := &Study{Config: Default(), more: set}
	doc := format.Read(name, src, nil)
	doc.Decode(&s.Config)
	wrong := s.validatePoints(s.Design)
	doc.Refuse(append(wrong, s.validateMetrics()...))
	given := s.Metrics
	s.Metrics = beside(s.Config)
	texts, err := s.open(doc, len(wrong) == 0, seed, read)
	if err != nil {
		return nil, err
	}
	s.layOut()
	s.runs = len(s.Points) * s.Replications
	if err := s.loadPoints(doc, texts); err != nil {
		return nil, err
	}
	for _, p := range s.Points {
		for i, m := range given {
			refusePart(doc, conf.Index("metrics", i), m, p.Loaded)
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	s.identify()
	return s, nil
}

// refusePart refuses the metric of a campaign or destination that a scenario has not.
func refusePart(doc *tomlfile.Document, key, metric string, s *scenarios.Scenario) {
	if doc.Err() != nil {
		return
	}
	for _, err := range s.CheckMetric(metric) {
		doc.Refuse([]error{conf.Problem{Key: key, Text: fmt.Sprintf("%v in scenario %s", err, s.Name)}})
	}
}

// open reads the scenarios that the study names, if points reports that its
// points are valid. Otherwise it returns the problems of the study.
func (s *Study) open(doc *tomlfile.Document, points bool, seed *uint64, read Read) ([]Text, error) {
	for _, key := range shaping {
		points = points && doc.Sound(key)
	}
	if !points {
		return nil, doc.Err()
	}
	if seed != nil {
		s.Seed = *seed
	}
	s.Names = s.Scenarios
	key := func(i int) string { return conf.Index("scenarios", i) }
	if s.Scenario != "" {
		s.Names = []string{s.Scenario}
		key = func(int) string { return "scenario" }
	}
	texts := make([]Text, len(s.Names))
	var missing []error
	for i, n := range s.Names {
		var err error
		if texts[i], err = read(n); err != nil {
			missing = append(missing, conf.Problem{Key: key(i), Text: err.Error()})
		}
	}
	if doc.Refuse(missing); missing != nil {
		return nil, doc.Err()
	}
	return texts, nil
}

// count returns the number of points of a valid Config, or some number above
// MostPoints if there are more.
func (c Config) count() int {
	n := max(1, len(c.Scenarios))
	switch c.Design {
	case Halton:
		return n * c.Points
	case Zip:
		return n * c.Parameters[0].many()
	}
	for _, p := range c.Parameters {
		if n *= p.many(); n > MostPoints {
			break
		}
	}
	return n
}

// many returns the number of values of a parameter in a grid or zip.
func (p Parameter) many() int { return max(len(p.listed()), p.Steps) }

// layOut lists the points. In a grid the last parameter changes first.
func (s *Study) layOut() {
	s.Axes = make([]Axis, len(s.Parameters))
	for i, p := range s.Parameters {
		s.Axes[i] = s.axis(i, p)
	}
	places := make([]map[string]int, len(s.Axes)) // of the values of a Halton design
	for i, a := range s.Axes {
		places[i] = map[string]int{}
		for k, v := range a.Values {
			places[i][v] = k
		}
	}
	each := s.count() / len(s.Names)
	for k := range s.Names {
		for n := range each {
			at := make([]int, len(s.Axes))
			rest := n
			for i := len(at) - 1; i >= 0; i-- {
				switch a := s.Axes[i]; s.Design {
				case Grid:
					at[i] = rest % len(a.Values)
					rest /= len(a.Values)
				case Zip:
					at[i] = n
				case Halton:
					at[i] = places[i][s.drawn(i, n)]
				}
			}
			s.Points = append(s.Points, Point{Scenario: k, At: at})
		}
	}
}

// keys returns the Keys of the parameter's axis.
func (p Parameter) keys() []string {
	if len(p.Cases) > 0 {
		return []string{p.Label}
	}
	var all []string
	for _, k := range p.Key {
		all = append(all, string(k))
	}
	return all
}

// axis lists the values of parameter i: as given, or, for a range in a Halton
// design, the values of the points, sorted from one end to the other.
func (s *Study) axis(i int, p Parameter) Axis {
	a := Axis{Keys: p.keys()}
	values := p.listed()
	switch {
	case len(values) > 0:
	case s.Design == Halton:
		type placed struct {
			share float64
			value string
		}
		var all []placed
		for n := range s.Config.Points {
			all = append(all, placed{radicalInverse(uint64(n)+1, primes[i]), s.drawn(i, n)})
		}
		slices.SortFunc(all, func(a, b placed) int {
			switch {
			case a.share < b.share:
				return -1
			case a.share > b.share:
				return 1
			}
			return 0
		})
		for _, v := range all {
			if n := len(a.Values); n == 0 || a.Values[n-1] != v.value {
				a.Values = append(a.Values, v.value)
			}
		}
		return a
	default:
		span, err := newSpan(p.From, p.To, p.Scale)
		if err != nil {
			panic(err) // Validate has accepted it
		}
		values = span.values(p.Steps)
	}
	for _, v := range values {
		a.Values = append(a.Values, string(v))
	}
	return a
}

// drawn returns the value of parameter i in point n, from 0, of a Halton design.
func (s *Study) drawn(i, n int) string {
	return s.Parameters[i].at(radicalInverse(uint64(n)+1, primes[i]))
}

// at returns the value at share, 0 to 1, of the way from the first value to the
// last. The values of a list have equal shares.
func (p Parameter) at(share float64) string {
	if list := p.listed(); len(list) > 0 {
		return string(list[min(int(share*float64(len(list))), len(list)-1)])
	}
	span, err := newSpan(p.From, p.To, p.Scale)
	if err != nil {
		panic(err) // Validate has accepted it
	}
	return string(span.at(share))
}

var primes = [MostParameters]uint64{2, 3, 5, 7, 11, 13, 17, 19}

// radicalInverse returns n with its digits to base b mirrored about the point:
// a term of the Halton sequence (Numerische Mathematik 2, 1960), not scrambled.
// Callers leave out the term for n = 0, at which all parameters would be at
// their ends. Gonum's sequence does not serve, because a random source scrambles
// it. Numerator and denominator are exact, so all processors give the same.
func radicalInverse(n, b uint64) float64 {
	mirrored, scale := uint64(0), uint64(1)
	for ; n > 0; n /= b {
		mirrored, scale = mirrored*b+n%b, scale*b
	}
	return float64(mirrored) / float64(scale)
}

// Value returns the value of axis i at a point.
func (s *Study) Value(p Point, i int) string { return s.Axes[i].Values[p.At[i]] }

// Settings returns the settings that turn the scenario of a point into the point.
func (s *Study) Settings(p Point) []string {
	set := slices.Concat(s.Set, s.more)
	for i := range s.Axes {
		set = append(set, s.Parameters[i].settings(s.Value(p, i))...)
	}
	return append(set, fmt.Sprintf("seed=%d", s.Seed))
}

// settings returns the settings that stand for one value of the parameter.
func (p Parameter) settings(value string) []string {
	if k := slices.IndexFunc(p.Cases, func(c Case) bool { return c.Name == value }); k >= 0 {
		return p.Cases[k].Set
	}
	var set []string
	for _, k := range p.Key {
		set = append(set, string(k)+"="+value)
	}
	return set
}

// caseAt returns the index of the case that parameter i has at a point; -1 if
// the parameter has values instead of cases.
func (s *Study) caseAt(p Point, i int) int {
	return slices.IndexFunc(s.Parameters[i].Cases, func(c Case) bool { return c.Name == s.Value(p, i) })
}

// loadPoints loads the scenario of every point, on all cores. It returns the
// problems of the study so far and of all points. The problem of a point is
// reported at the entry of the study that causes it, if one does.
func (s *Study) loadPoints(doc *tomlfile.Document, texts []Text) error {
	problems := make([]tomlfile.Problems, len(s.Points))
	var next atomic.Int64
	var loading sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		loading.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(s.Points)); i = next.Add(1) - 1 {
				p := &s.Points[i]
				of := texts[p.Scenario]
				var err error
				if p.Loaded, err = of.with(s.Settings(*p)); err != nil {
					errors.As(err, &problems[i])
					continue
				}
				p.ID = scenarios.ID(p.Loaded)
			}
		})
	}
	loading.Wait()

	var ours []error
	var theirs tomlfile.Problems
	more := false
	for i, all := range problems {
		for _, p := range all {
			if more = more || len(ours)+len(theirs) >= mostProblems; more {
				break
			}
			if err, ok := s.blame(s.Points[i], p); !ok && !slices.Contains(theirs, p) {
				theirs = append(theirs, p)
			} else if ok && !slices.Contains(ours, error(err)) {
				ours = append(ours, err)
			}
		}
	}
	if ours == nil && theirs == nil {
		return doc.Err()
	}
	doc.Refuse(ours)
	var found tomlfile.Problems
	errors.As(doc.Err(), &found)
	found = append(found, theirs...)
	if more {
		found = append(found, tomlfile.Problem{File: found[0].File,
			Text: fmt.Sprintf("%d problems are reported, there may be more", mostProblems)})
	}
	return found
}

// blame returns the problem of a point as a problem of the study's entry that
// causes it; false if no entry does.
func (s *Study) blame(at Point, p tomlfile.Problem) (conf.Problem, bool) {
	if p.File != "--set" {
		return conf.Problem{}, false
	}
	about := func(key string) bool {
		rest, ok := strings.CutPrefix(p.Key, key)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	in := func(key string) (conf.Problem, bool) {
		return conf.Problem{Key: key, Text: fmt.Sprintf("%s: %s", p.Key, p.Text)}, true
	}
	ofList := func(set []string) int {
		return slices.IndexFunc(set, func(set string) bool { return about(keyOf(set)) })
	}
	for i := len(s.Axes) - 1; i >= 0; i-- {
		if c := s.caseAt(at, i); c >= 0 {
			if k := ofList(s.Parameters[i].Cases[c].Set); k >= 0 {
				return in(conf.Index(conf.Index(conf.Index("parameter", i)+".case", c)+".set", k))
			}
			continue
		}
		if !slices.ContainsFunc(s.Axes[i].Keys, about) {
			continue
		}
		key := conf.Index("parameter", i)
		if list := s.Parameters[i].Values; len(list) > 0 {
			return in(conf.Index(key+".values", slices.Index(list, Value(s.Value(at, i)))))
		}
		return conf.Problem{Key: key + ".from", Text: fmt.Sprintf("at %s: %s: %s", s.Value(at, i), p.Key, p.Text)}, true
	}
	if ofList(s.more) >= 0 {
		return conf.Problem{}, false // the command line causes it
	}
	for i := len(s.Set) - 1; i >= 0; i-- {
		if about(keyOf(s.Set[i])) {
			return in(conf.Index("set", i))
		}
	}
	return conf.Problem{}, false
}

// keyOf returns the key of a setting.
func keyOf(set string) string {
	key, _, _ := strings.Cut(set, "=")
	return strings.TrimSpace(key)
}

// identify sets the study's ID to the hash of its content.
func (s *Study) identify() {
	h := sha256.New()
	fmt.Fprintf(h, "flyball study 1\n%s\n%d replications\n", s.Design, s.Replications)
	s.list(h)
	s.ID = hex.EncodeToString(h.Sum(nil))
}

// list writes the metrics, axes and points to w.
func (s *Study) list(w io.Writer) {
	fmt.Fprintf(w, "%q\n", s.Metrics)
	for _, a := range s.Axes {
		fmt.Fprintf(w, "%q %q\n", a.Keys, a.Values)
	}
	for _, p := range s.Points {
		fmt.Fprintf(w, "%s %v %s\n", s.Names[p.Scenario], p.At, p.ID)
	}
}

// Loaded returns the scenarios of all points, in order.
func (s *Study) Loaded() []*scenarios.Scenario {
	all := make([]*scenarios.Scenario, len(s.Points))
	for i, p := range s.Points {
		all[i] = p.Loaded
	}
	return all
}
