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

// suitePrefix begins the names of disturbances.
const suitePrefix = "disturbances/"

// Disturbance is a scenario that governor laws are tried on: a server of Table 1
// at a hundredth of its rate, and something that happens to it.
type Disturbance struct {
	Name   string // as in flyball run NAME: "disturbances/outage-8"
	Family string // kind of disturbance: the base name up to its first dash
	Half   string // Training or Reporting
}

// Halves of the suite. Parameters are tuned on Training. Claims rest on
// Reporting, which no tuning has seen.
const (
	Training  = "training"
	Reporting = "reporting"
)

// Disturbances returns the whole suite, sorted by name.
//
// The halves were dealt before any law had been run on the suite: the scenarios
// of a family, sorted by the SHA-256 of their names, go to Reporting and
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

// Base returns the name of the scenario as in its file, without the prefix.
func (d Disturbance) Base() string { return strings.TrimPrefix(d.Name, suitePrefix) }

// NoiseLevels returns the levels of noise of the suite. A level is the standard
// deviation of the logarithm of a factor that multiplies all delays of a
// destination in one interval.
func NoiseLevels() []float64 { return []float64{0, 0.05, 0.1} }

// Load returns the scenario of the disturbance at a level of noise, with the
// entries of set applied as by the function Load. Noise is weather that is drawn
// anew in every governor interval. The error is of type tomlfile.Problems.
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

// SuiteHash returns the SHA-256 of the suite: of the name, half and full
// scenario of each disturbance at each level of noise.
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

// Law is a governor law with the parameters that it has on the suite.
type Law struct {
	Name string
	Set  []string // path.to.key=value
}

// Tuned reports whether l is one of the laws among which hindsight chooses the
// best.
func (l Law) Tuned() bool {
	return slices.ContainsFunc(governor.Laws(), func(g governor.Law) bool {
		return slices.ContainsFunc(g.Trials, func(t governor.Trial) bool { return t.Hindsight && t.Name == l.Name })
	})
}

// Laws lists the trials that each law of package governor declares for the
// suite. Rivals have their published parameters, but with all times a hundred
// times as long, since attempts in the suite take a hundred times as long.
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

// LastOrder returns when the last change that the scenario schedules is
// complete: a change of the target, the delays, the reachability, the demand or
// the faults of the governor's measurements. It is 0 if the scenario schedules
// none. Random outages and daily patterns do not count.
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

// CutOff reports whether the scenario schedules an outage of the server or of
// the whole network that overlaps [from, to).
func (s *Scenario) CutOff(server int, from, to vt.Time) bool {
	for _, v := range slices.Concat(s.Network.Down, s.Servers[server].Down) {
		if vt.Time(v.From) < to && from < vt.Time(v.From+v.For) {
			return true
		}
	}
	return false
}

// Peak returns the number of attempts under way at which a server delivers
// most, by the universal scalability law: sqrt((1 - contention) / coherency).
// It is 0 if more attempts always deliver more.
func (s *Scenario) Peak(server int) float64 {
	v := s.Servers[server]
	if v.Coherency == 0 {
		return 0
	}
	return math.Sqrt((1 - v.Contention) / v.Coherency)
}
