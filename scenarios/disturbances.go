package scenarios

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/governor"
	"flyball/internal/conf"
	"flyball/internal/vt"
)

//go:embed suite/*.toml
var suite embed.FS

// suitePrefix is what the names of disturbances begin with.
const suitePrefix = "disturbances/"

// Disturbance is a scenario that governor laws are tried on: a server of Table 1
// at a hundredth of its rate, and something that happens to it.
type Disturbance struct {
	Name   string // as in flyball run NAME: "disturbances/outage-8"
	Family string // what kind of thing: the name up to its first dash
	Half   string // Training or Reporting
}

// Halves of the suite. What is tuned is tuned on Training; what is claimed is
// claimed on Reporting, which nobody who tunes has looked at.
const (
	Training  = "training"
	Reporting = "reporting"
)

// Disturbances is the whole suite, by name.
//
// The halves were dealt before any law had been run on it: of each family the
// scenarios in the order of the SHA-256 of their names go to Reporting and
// Training in turn.
func Disturbances() []Disturbance {
	entries, err := suite.ReadDir("suite")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var all []Disturbance
	families := map[string][]string{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".toml")
		family, _, _ := strings.Cut(name, "-")
		all = append(all, Disturbance{Name: suitePrefix + name, Family: family})
		families[family] = append(families[family], name)
	}
	for i, d := range all {
		dealt := slices.Clone(families[d.Family])
		slices.SortFunc(dealt, func(a, b string) int {
			x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
			return slices.Compare(x[:], y[:])
		})
		all[i].Half = []string{Reporting, Training}[slices.Index(dealt, d.Base())%2]
	}
	return all
}

// Base is the name of the scenario itself, as in its file.
func (d Disturbance) Base() string { return strings.TrimPrefix(d.Name, suitePrefix) }

// NoiseLevels of the suite: standard deviations, in logarithms, of a factor
// that all delays of a destination have in common in an interval.
func NoiseLevels() []float64 { return []float64{0, 0.05, 0.1} }

// Load is the disturbance at a level of noise, with entries of set as Load takes
// them. Noise is weather that is drawn anew in every governor interval.
func (d Disturbance) Load(level float64, set ...string) (*Scenario, error) {
	src, ok := Builtin(d.Name)
	if !ok {
		panic("no disturbance " + d.Name)
	}
	s, err := Load(d.Name, src, set)
	if err != nil || level == 0 {
		return s, err
	}
	return Load(d.Name, src, append(s.noise(level), set...))
}

func (s *Scenario) noise(level float64) []string {
	var set []string
	for i := range s.Destinations {
		key := conf.Index("destination", i) + ".weather"
		set = append(set, fmt.Sprintf("%s.sigma=%g", key, level), fmt.Sprintf("%s.period=%s", key, s.Governor.Interval))
	}
	return set
}

// SuiteHash is the SHA-256 of what laws are tried on: of each disturbance its
// name and half, and its scenario in full at every level of noise.
func SuiteHash() string {
	sum := sha256.New()
	for _, d := range Disturbances() {
		for _, level := range NoiseLevels() {
			s, err := d.Load(level)
			if err != nil {
				panic(err) // the file is part of the program
			}
			fmt.Fprintf(sum, "%s %s %g %s\n", d.Base(), d.Half, level, ID(s))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Law is a governor law with its parameters, as it is tried on the suite.
type Law struct {
	Name string
	Set  []string // path.to.key=value
}

// Tuned reports whether a law is, by its name, one that hindsight chooses among.
func (l Law) Tuned() bool {
	return slices.ContainsFunc(governor.Laws(), func(g governor.Law) bool {
		return slices.ContainsFunc(g.Trials, func(t governor.Trial) bool { return t.Hindsight && t.Name == l.Name })
	})
}

// Laws lists what is tried on the suite, as each law of package governor
// declares it. Rivals have the parameters that they were published with, but
// times are a hundredfold, as the attempts are.
func Laws() (all []Law) {
	for _, l := range governor.Laws() {
		trials := l.Trials
		if trials == nil {
			trials = []governor.Trial{{Name: l.Name}}
		}
		for _, t := range trials {
			all = append(all, Law{t.Name, append([]string{"governor.law=" + l.Name}, t.Set...)})
		}
	}
	return all
}

// LastOrder is when the last change that the scenario orders is complete: of
// the target, of delays, of what can be reached, of demand, of what the
// governor is told. 0 if it orders none. Chance and the time of the day are no
// orders.
func (s *Scenario) LastOrder() vt.Time {
	var last vt.Time
	at := func(spans ...vt.Span) {
		var sum vt.Span
		for _, v := range spans {
			sum += v
		}
		last = max(last, vt.Time(sum))
	}
	for _, v := range s.Governor.Changes {
		at(v.At, v.Over)
	}
	for _, v := range s.Governor.Faults {
		at(vt.Span(v.Interval+1) * s.Governor.Interval)
	}
	for _, v := range s.Network.Down {
		at(v.From, v.For)
	}
	for _, v := range s.Network.Drift {
		at(v.At, v.Over)
	}
	for _, v := range s.Network.DNS.Drift {
		at(v.At, v.Over)
	}
	for _, v := range s.Servers {
		for _, d := range v.Down {
			at(d.From, d.For)
		}
	}
	for _, d := range s.Destinations {
		for _, v := range d.Down {
			at(v.From, v.For)
		}
		for _, v := range d.Drift {
			at(v.At, v.Over)
		}
	}
	for _, c := range s.Campaigns {
		at(c.Start)
	}
	return last
}

// CutOff reports whether the scenario orders that a server reaches nothing at
// some moment between two times.
func (s *Scenario) CutOff(server int, from, to vt.Time) bool {
	for _, v := range slices.Concat(s.Network.Down, s.Servers[server].Down) {
		if vt.Time(v.From) < to && from < vt.Time(v.From+v.For) {
			return true
		}
	}
	return false
}

// Peak is the number of attempts under way at which a server delivers most, by
// the universal scalability law: sqrt((1 - contention) / coherency). 0 if more
// always deliver more.
func (s *Scenario) Peak(server int) float64 {
	v := s.Servers[server]
	if v.Coherency == 0 {
		return 0
	}
	return math.Sqrt((1 - v.Contention) / v.Coherency)
}
