package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Laws is how governor laws did on the disturbances, each under the same luck,
// and whether the regulator does what it is meant to.
//
// What is judged is the mean course of all replications. Intervals in which the
// scenario orders that nothing can be reached count for nobody: no law can
// deliver in them.
type Laws struct {
	Suite        string    `json:"suite"` // SHA-256 of the suite as it stands
	Half         string    `json:"half"`  // "training", "reporting" or "all"
	Seed         string    `json:"seed"`  // empty: the scenarios' own
	Replications int       `json:"replications"`
	Level        float64   `json:"level"`
	Noise        []float64 `json:"noise"`
	Laws         []string  `json:"laws"`
	Digest       string    `json:"digest"` // of the digests of all runs, in order

	Goals     []Goal       `json:"goals"`
	Summaries []LawSummary `json:"summary"` // of each law
	Trials    []LawWorld   `json:"trials"`  // of each scenario and level of noise

	Host   Host   `json:"-"` // host.json
	Replay string `json:"-"` // manifest.json

	runs [][]string // runs.csv
	sum  hash.Hash
}

// LawTrial is what one law is tried on.
type LawTrial struct {
	Disturbance scenarios.Disturbance
	Noise       float64
	Law         scenarios.Law
	Scenario    *scenarios.Scenario
	Probe       bool // holds the processes of the peak, to know what the peak delivers
}

// PlanLaws lists all trials: scenario by scenario, of each the levels of noise,
// of each the laws. Where a server has a throughput peak, one more trial holds
// the processes of the peak.
func PlanLaws(disturbances []scenarios.Disturbance, noise []float64, laws []scenarios.Law, set []string) ([]LawTrial, error) {
	var all []LawTrial
	for _, d := range disturbances {
		for _, level := range noise {
			for _, law := range laws {
				s, err := d.Load(level, slices.Concat(set, law.Set)...)
				if err != nil {
					return nil, err
				}
				all = append(all, LawTrial{d, level, law, s, false})
			}
			s, err := d.Load(level, slices.Concat(set, []string{"governor.law=hold"})...)
			if err != nil {
				return nil, err
			}
			if n := s.Peak(0); n > 0 {
				s.Governor.Start = math.Round(n)
				all = append(all, LawTrial{d, level, scenarios.Law{Name: "peak"}, s, true})
			}
		}
	}
	return all, nil
}

// LawWorld is a scenario at a level of noise.
type LawWorld struct {
	Scenario  string    `json:"scenario"`
	Family    string    `json:"family"`
	Half      string    `json:"half"`
	Noise     float64   `json:"noise"`
	Hindsight string    `json:"hindsight"`      // which of the patent's laws lost the fewest target-hours
	Peak      Num       `json:"peak_processes"` // missing where more processes always deliver more
	Cells     []LawCell `json:"laws"`

	about string
	start float64
	span  float64     // of an interval, s
	best  *LawCell    // of Hindsight
	probe *meanCourse // holding the processes of the peak
}

// LawCell is one law in it.
type LawCell struct {
	Law      string          `json:"law"`
	Judged   int             `json:"judged_intervals"` // in every run, of all servers together
	Course   []CourseMeasure `json:"mean_course"`
	Runs     []CourseMeasure `json:"runs"`      // means over the runs
	Ratio    Estimate        `json:"iae_ratio"` // lost target-hours by those of hindsight
	TVRatio  Estimate        `json:"tv_ratio"`  // total variation likewise
	Swings   bool            `json:"swings"`    // the mean course oscillates, as classes are told
	courses  []meanCourse
	steps    []step
	iae, tv  float64
	without  []float64 // iae without each run
	tvRuns   []float64
	late     float64 // iae after three days
	lateLess []float64
}

// tuned reports whether hindsight may choose the law.
func (c LawCell) tuned() bool { return scenarios.Law{Name: c.Law}.Tuned() }

// measures of the runs, beside those of the course.
const (
	recoveryMeasure   = "recovery_intervals"
	iaeOfRuns         = "iae_target_hours"
	undeliveredOfRuns = "undelivered"
	aboveOfRuns       = "above_peak_share"
)

// takeLaw judges the runs of one trial.
func takeLaw(t LawTrial, runs []Observation) LawCell {
	s := t.Scenario
	span := s.Governor.Interval.Seconds()
	c := LawCell{Law: t.Law.Name}
	for i, v := range s.Servers {
		cut := func(r Row) bool {
			end := vt.Time(r.End * float64(vt.Second))
			return s.CutOff(i, end.Add(-s.Governor.Interval), end)
		}
		one := courseOf(v.Name, runs, i, span, cut)
		c.Judged += len(one.at)
		c.courses = append(c.courses, one)
		c.steps = append(c.steps, meanSteps(v.Name, runs, i, span)...)
	}
	metrics, without := ofCourses(c.courses)
	c.Course = courseMeasures(c.courses, metrics, without)
	from := int((s.LastOrder() + vt.Time(s.Governor.Interval) - 1) / vt.Time(s.Governor.Interval))
	c.Course = append(c.Course, CourseMeasure{recoveryMeasure, "intervals", settledLast(c.courses, 0.05, from)})
	c.iae, c.without = metrics["iae_target_hours"], without["iae_target_hours"]
	for _, x := range c.courses {
		c.Swings = c.Swings || len(x.at) >= 8 && oscillates(x.without(nobody))
	}

	ofRuns := func(name, unit string, of func(Observation) float64) []float64 {
		values := make([]float64, len(runs))
		for i, o := range runs {
			values[i] = of(o)
		}
		c.Runs = append(c.Runs, CourseMeasure{name, unit, Estimated(stats.Mean(values, confidence))})
		return values
	}
	of := func(name string) func(Observation) float64 {
		return func(o Observation) float64 { return o.metrics[name] }
	}
	c.tvRuns = ofRuns("total_variation", "processes", of("total_variation"))
	c.tv = stats.Mean(c.tvRuns, confidence).Value
	ofRuns(iaeOfRuns, "h", of("iae_target_hours"))
	ofRuns("swing_processes", "processes", of("swing_processes"))
	ofRuns("throttled", "attempts", of("throttled"))
	ofRuns(undeliveredOfRuns, "recipients", func(o Observation) float64 { return o.metrics["failed"] + o.metrics["ambiguous"] })
	ofRuns("dfr", "attempts per success", of("dfr"))
	if n := s.Peak(0); n > 0 {
		c.Runs = append(c.Runs, CourseMeasure{aboveOfRuns, "1", Estimate{Value: c.courses[0].shareAbove(n), Low: missing, High: missing, Level: confidence, N: len(runs)}})
	}

	late := make([]meanCourse, len(c.courses))
	for i, x := range c.courses {
		late[i] = x
		late[i].at = slices.DeleteFunc(slices.Clone(x.at), func(t together) bool { return t.End <= 72*3600 })
	}
	m, less := ofCourses(late)
	c.late, c.lateLess = m["iae_target_hours"], less["iae_target_hours"]
	if c.Law != ours {
		c.courses = nil // which are most of the memory
	}
	return c
}

// LawsAsked is what was asked for.
type LawsAsked struct {
	Half         string
	Seed         string
	Replications int
	Noise        []float64
	Laws         []scenarios.Law
}

// GatherLaws begins to fold trials, which are added one by one.
func GatherLaws(asked LawsAsked) *Laws {
	l := &Laws{Suite: scenarios.SuiteHash(), Half: asked.Half, Seed: asked.Seed, Replications: asked.Replications, Level: confidence, Noise: asked.Noise,
		Goals: []Goal{}, Trials: []LawWorld{}, sum: sha256.New()}
	for _, law := range asked.Laws {
		l.Laws = append(l.Laws, law.Name)
	}
	return l
}

// Add takes in the runs of the next trial.
func (l *Laws) Add(t LawTrial, runs []Observation) {
	for _, o := range runs {
		io.WriteString(l.sum, o.Digest+"\n")
	}
	last := len(l.Trials) - 1
	if last < 0 || l.Trials[last].Scenario != t.Disturbance.Base() || l.Trials[last].Noise != t.Noise {
		l.Trials = append(l.Trials, LawWorld{Scenario: t.Disturbance.Base(), Family: t.Disturbance.Family, Half: t.Disturbance.Half, Noise: t.Noise, Peak: missing,
			about: t.Scenario.About, start: t.Scenario.Governor.Start, span: t.Scenario.Governor.Interval.Seconds()})
		last++
	}
	x := &l.Trials[last]
	if t.Probe {
		x.Peak = Num(t.Scenario.Peak(0))
		probe := courseOf(t.Scenario.Servers[0].Name, runs, 0, x.span, nil)
		x.probe = &probe
		return
	}
	x.Cells = append(x.Cells, takeLaw(t, runs))
	for _, o := range runs {
		l.runs = append(l.runs, append([]string{x.Scenario, plain(x.Noise), t.Law.Name, fmt.Sprint(o.Replication), o.Digest}, runFields(o)...))
	}
}

// Judge ends the folding. Replay is the command line that makes it again.
func (l *Laws) Judge(host runlog.Host, replay string) *Laws {
	l.Digest = hex.EncodeToString(l.sum.Sum(nil))[:16]
	for i := range l.Trials {
		l.Trials[i].judge()
	}
	for _, name := range l.Laws {
		l.Summaries = append(l.Summaries, l.summary(name))
	}
	l.Goals = l.goals()
	l.Host, l.Replay = newHost(host, 0), replay
	l.Host.AttemptsPerSec = missing
	return l
}

// judge finds hindsight, and holds every law against it.
func (t *LawWorld) judge() {
	for i, c := range t.Cells {
		if c.tuned() && Num(c.iae).Known() && (t.best == nil || c.iae < t.best.iae) {
			t.best, t.Hindsight = &t.Cells[i], c.Law
		}
	}
	for i := range t.Cells {
		c := &t.Cells[i]
		value, without := t.ratio(*c)
		c.Ratio = geometric(value, without)
		value, without = t.tvRatio(*c)
		c.TVRatio = geometric(value, without)
	}
}

// ratio is the logarithm of lost target-hours by those of hindsight, with all
// runs and without each: then hindsight may choose otherwise.
func (t LawWorld) ratio(c LawCell) (value float64, without []float64) {
	if t.best == nil {
		return math.NaN(), nil
	}
	const resolution = 0.001 // target-hours
	by := func(a, b float64) float64 { return math.Log((a + resolution) / (b + resolution)) }
	for r := range c.without {
		least := math.NaN()
		for _, other := range t.Cells {
			if other.tuned() && !(other.without[r] >= least) {
				least = other.without[r]
			}
		}
		without = append(without, by(c.without[r], least))
	}
	return by(c.iae, t.best.iae), without
}

// tvRatio is that of the total variation, means over the runs.
func (t LawWorld) tvRatio(c LawCell) (value float64, without []float64) {
	if t.best == nil {
		return math.NaN(), nil
	}
	const resolution = 1 // process
	by := func(a, b float64) float64 { return math.Log((a + resolution) / (b + resolution)) }
	n := float64(len(c.tvRuns))
	for r := range c.without {
		without = append(without, by((c.tv*n-c.tvRuns[r])/(n-1), (t.best.tv*n-t.best.tvRuns[r])/(n-1)))
	}
	return by(c.tv, t.best.tv), without
}

// geometric is a number whose logarithm has been estimated.
func geometric(value float64, without []float64) Estimate {
	e := Estimated(stats.Jackknife(value, without, confidence))
	for _, n := range []*Num{&e.Value, &e.Low, &e.High} {
		if n.Known() {
			*n = Num(math.Exp(float64(*n)))
		} else {
			*n = missing
		}
	}
	return e
}

func (t LawWorld) cell(law string) (LawCell, bool) {
	i := slices.IndexFunc(t.Cells, func(c LawCell) bool { return c.Law == law })
	if i < 0 {
		return LawCell{}, false
	}
	return t.Cells[i], true
}

// of the course or of the runs; missing if there is none.
func measured(all []CourseMeasure, name string) Estimate {
	i := slices.IndexFunc(all, func(m CourseMeasure) bool { return m.Metric == name })
	if i < 0 {
		return Estimate{Value: missing, Low: missing, High: missing}
	}
	return all[i].Estimate
}

// LawSummary is one law over all trials.
type LawSummary struct {
	Law     string   `json:"law"`
	IAE     Estimate `json:"iae_ratio"` // geometric mean
	Worst   Num      `json:"worst"`
	WorstIn string   `json:"worst_in"`
	Better  int      `json:"better"` // trials in which it lost fewer target-hours than hindsight, shown by the interval
	Worse   int      `json:"worse"`
	Trials  int      `json:"trials"` // in which both could be judged
	TV      Estimate `json:"tv_ratio"`
	// Means over all trials.
	Throttled   Num `json:"throttled"`
	Undelivered Num `json:"undelivered"`
	DFR         Num `json:"dfr"`
	Above       Num `json:"above_peak_share"` // over those with a peak
}

// over is the geometric mean of ratios of a law to hindsight, over those trials
// that count.
func (l *Laws) over(law string, counts func(LawWorld) bool, of func(LawWorld, LawCell) (float64, []float64)) (e Estimate, trials int) {
	var sum float64
	var without []float64
	for _, t := range l.Trials {
		c, ok := t.cell(law)
		if !ok || !counts(t) {
			continue
		}
		value, less := of(t, c)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		trials++
		sum += value
		if without == nil {
			without = make([]float64, len(less))
		}
		for r, v := range less {
			without[r] += v
		}
	}
	for r := range without {
		without[r] /= float64(trials)
	}
	if trials == 0 {
		return Estimate{Value: missing, Low: missing, High: missing, Level: confidence}, 0
	}
	return geometric(sum/float64(trials), without), trials
}

func (l *Laws) iaeOver(law string, counts func(LawWorld) bool) (Estimate, int) {
	return l.over(law, counts, LawWorld.ratio)
}

func (l *Laws) tvOver(law string, counts func(LawWorld) bool) (Estimate, int) {
	return l.over(law, counts, LawWorld.tvRatio)
}

func every(LawWorld) bool { return true }

func (l *Laws) summary(law string) LawSummary {
	s := LawSummary{Law: law, Worst: missing}
	s.IAE, s.Trials = l.iaeOver(law, every)
	s.TV, _ = l.tvOver(law, every)
	means := map[string][]float64{}
	for _, t := range l.Trials {
		c, ok := t.cell(law)
		if !ok {
			continue
		}
		if v := c.Ratio.Value; v.Known() && !(v <= s.Worst) {
			s.Worst, s.WorstIn = v, t.name()
		}
		switch {
		case c.Ratio.High.Known() && c.Ratio.High < 1:
			s.Better++
		case c.Ratio.Low.Known() && c.Ratio.Low > 1:
			s.Worse++
		}
		for _, name := range []string{"throttled", undeliveredOfRuns, "dfr", aboveOfRuns} {
			if v := measured(c.Runs, name).Value; v.Known() {
				means[name] = append(means[name], float64(v))
			}
		}
	}
	mean := func(name string) Num { return Num(stats.Mean(means[name], confidence).Value) }
	s.Throttled, s.Undelivered, s.DFR, s.Above = mean("throttled"), mean(undeliveredOfRuns), mean("dfr"), mean(aboveOfRuns)
	return s
}

// name of a trial: "outage-8, noise 5 %".
func (t LawWorld) name() string { return t.Scenario + ", noise " + noiseWords(t.Noise) }

func noiseWords(level float64) string { return grouped(100*level, 0) + " %" }

func runFields(o Observation) []string {
	var all []string
	for _, name := range runMetrics() {
		v := o.metrics[name]
		if math.IsInf(v, 1) {
			all = append(all, "never")
			continue
		}
		all = append(all, Num(v).String())
	}
	return all
}

func runMetrics() []string {
	return []string{settlingMetric, "overshoot", "steady_state_error", "rate_per_h", "iae_target_hours", "total_variation", "swing_processes", "throttled", "failed", "ambiguous", "dfr", "peak_available"}
}
