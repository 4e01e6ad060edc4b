// Package laws reports how governor laws did on the disturbances, each compared with
// the best of the patent's laws in hindsight, and whether the regulator meets its
// goals. It runs nothing itself. The command line calls it.
package laws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"sync"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/scenarios/suite"
)

// Report has the results of governor laws on the disturbances, all with the same
// draws, and the goals of the regulator.
//
// The mean course of all replications is judged. Intervals in which the scenario puts
// the target out of reach for every law are left out.
type Report struct {
	Suite        string    `json:"suite"` // SHA-256 of the suite as it stands
	Half         string    `json:"half"`  // "training", "reporting" or "all"
	Seed         string    `json:"seed"`  // empty: the scenarios' own
	Replications int       `json:"replications"`
	Level        float64   `json:"level"`
	Noise        []float64 `json:"noise"`
	Laws         []string  `json:"laws"`
	Digest       string    `json:"digest"` // of the digests of all runs, in order

	Goals     []Goal    `json:"goals"`
	Summaries []Summary `json:"summary"` // of each law
	Trials    []Trial   `json:"trials"`  // of each scenario and level of noise

	Host   folder.Host `json:"-"` // host.json
	Replay string      `json:"-"` // manifest.json

	runs [][]string // runs.csv
	sum  hash.Hash
}

// Trial is a scenario at a level of noise.
type Trial struct {
	Scenario  string     `json:"scenario"`
	Family    string     `json:"family"`
	Half      string     `json:"half"`
	Noise     float64    `json:"noise"`
	Hindsight string     `json:"hindsight"`      // the one of the patent's laws that lost the fewest target-hours
	Peak      format.Num `json:"peak_processes"` // missing where more processes always deliver more
	Cells     []Cell     `json:"laws"`

	about string
	start float64
	span  float64              // of an interval, s
	best  *Cell                // of Hindsight
	probe *ensemble.MeanSeries // of runs that hold C at the processes of the peak
}

// Cell is one law in a trial.
type Cell struct {
	Law     string                   `json:"law"`
	Judged  int                      `json:"judged_intervals"` // in every run, of all servers together
	Course  []ensemble.CourseMeasure `json:"mean_course"`
	Runs    []ensemble.CourseMeasure `json:"runs"`      // means over the runs
	Ratio   measure.Estimate         `json:"iae_ratio"` // lost target-hours / hindsight's
	TVRatio measure.Estimate         `json:"tv_ratio"`  // total variation / hindsight's
	// Runs that left recipients pending: their end is the horizon.
	Unfinished int  `json:"unfinished"`
	Swings     bool `json:"swings"` // the mean course oscillates, see measure.Oscillates
	courses    []ensemble.MeanSeries
	steps      []ensemble.MeanPoint
	iae, tv    float64
	without    []float64 // iae without each run
	tvRuns     []float64
	late       float64 // iae after three days
	lateLess   []float64
}

// tuned reports whether hindsight may choose the law.
func (c Cell) tuned() bool { return suite.Law{Name: c.Law}.Tuned() }

// Measures of the runs, in addition to the measures of the course.
const (
	recoveryMeasure   = "recovery_intervals"
	iaeOfRuns         = "iae_target_hours"
	undeliveredOfRuns = "undelivered"
	aboveOfRuns       = "above_peak_share"
)

// takeLaw judges the runs of one trial.
func takeLaw(t suite.Experiment, runs []ensemble.Observation) Cell {
	s := t.Scenario
	span := s.Governor.Interval.Seconds()
	c := Cell{Law: t.Law.Name}
	for i, v := range s.Servers {
		cut := func(r measure.Row) bool {
			end := vt.Time(r.End * float64(vt.Second))
			return s.CutOff(i, end.Add(-s.Governor.Interval), end)
		}
		one := ensemble.NewMeanSeries(v.Name, runs, i, span, cut)
		c.Judged += len(one.At)
		c.courses = append(c.courses, one)
		c.steps = append(c.steps, ensemble.MeanPoints(v.Name, runs, i, span)...)
	}
	metrics, without := ensemble.MetricsOf(c.courses)
	c.Course = ensemble.CourseMeasures(c.courses, metrics, without)
	from := int((s.LastOrder() + vt.Time(s.Governor.Interval) - 1) / vt.Time(s.Governor.Interval))
	c.Course = append(c.Course, ensemble.CourseMeasure{Metric: recoveryMeasure, Unit: "intervals",
		Estimate: ensemble.SettledLast(c.courses, 0.05, from)})
	c.iae, c.without = metrics["iae_target_hours"], without["iae_target_hours"]
	for _, x := range c.courses {
		c.Swings = c.Swings || len(x.At) >= 8 && measure.Oscillates(x.Without(ensemble.NoRun))
	}

	ofRuns := func(name, unit string, of func(ensemble.Observation) float64) []float64 {
		values := make([]float64, len(runs))
		for i, o := range runs {
			values[i] = of(o)
		}
		c.Runs = append(c.Runs, ensemble.CourseMeasure{Metric: name, Unit: unit,
			Estimate: measure.Estimated(stats.Mean(values, measure.Confidence))})
		return values
	}
	of := func(name string) func(ensemble.Observation) float64 {
		return func(o ensemble.Observation) float64 { return o.Metrics[name] }
	}
	c.tvRuns = ofRuns("total_variation", "processes", of("total_variation"))
	c.tv = stats.Mean(c.tvRuns, measure.Confidence).Value
	ofRuns(iaeOfRuns, "h", of("iae_target_hours"))
	ofRuns("swing_processes", "processes", of("swing_processes"))
	ofRuns("throttled", "attempts", of("throttled"))
	ofRuns(undeliveredOfRuns, "recipients", func(o ensemble.Observation) float64 {
		return o.Metrics["failed"] +
			o.Metrics["ambiguous"]
	})
	ofRuns("dfr", measure.AttemptsPerDelivery, of("dfr"))
	ofRuns("end_h", "h", of("end_h"))
	for _, o := range runs {
		if o.Metrics["pending"] > 0 {
			c.Unfinished++
		}
	}
	if n := s.Peak(0); n > 0 {
		c.Runs = append(c.Runs, ensemble.CourseMeasure{Metric: aboveOfRuns, Unit: "1",
			Estimate: measure.Estimate{Value: c.courses[0].ShareAbove(n), Low: format.Missing, High: format.Missing,
				Level: measure.Confidence, N: len(runs)}})
	}

	late := make([]ensemble.MeanSeries, len(c.courses))
	for i, x := range c.courses {
		late[i] = x
		late[i].At = slices.DeleteFunc(slices.Clone(x.At), func(t ensemble.MeanRow) bool { return t.End <= 72*3600 })
	}
	m, less := ensemble.MetricsOf(late)
	c.late, c.lateLess = m["iae_target_hours"], less["iae_target_hours"]
	if c.Law != ours {
		c.courses = nil // which are most of the memory
	}
	return c
}

// Asked is the selection of laws and trials.
type Asked struct {
	Half         string
	Seed         string
	Replications int
	Noise        []float64
	Laws         []suite.Law
}

// Suite returns the hash of the suite. It takes a tenth of a second once: the suite is part of
// the program.
var Suite = sync.OnceValue(suite.Hash)

// Gather returns an empty report, which trials are added to one by one.
func Gather(asked Asked) *Report {
	l := &Report{Suite: Suite(), Half: asked.Half, Seed: asked.Seed, Replications: asked.Replications,
		Level: measure.Confidence, Noise: asked.Noise,
		Goals: []Goal{}, Trials: []Trial{}, sum: sha256.New()}
	for _, law := range asked.Laws {
		l.Laws = append(l.Laws, law.Name)
	}
	return l
}

// Add adds the runs of the next trial.
func (l *Report) Add(t suite.Experiment, runs []ensemble.Observation) {
	for _, o := range runs {
		io.WriteString(l.sum, o.Digest+"\n")
	}
	last := len(l.Trials) - 1
	if last < 0 || l.Trials[last].Scenario != t.Disturbance.Base() || l.Trials[last].Noise != t.Noise {
		l.Trials = append(l.Trials, Trial{Scenario: t.Disturbance.Base(), Family: t.Disturbance.Family,
			Half: t.Disturbance.Half, Noise: t.Noise, Peak: format.Missing,
			about: t.Scenario.About, start: t.Scenario.Governor.Start, span: t.Scenario.Governor.Interval.Seconds()})
		last++
	}
	x := &l.Trials[last]
	if t.Probe {
		x.Peak = format.Num(t.Scenario.Peak(0))
		probe := ensemble.NewMeanSeries(t.Scenario.Servers[0].Name, runs, 0, x.span, nil)
		x.probe = &probe
		return
	}
	x.Cells = append(x.Cells, takeLaw(t, runs))
	for _, o := range runs {
		l.runs = append(l.runs, append([]string{x.Scenario, format.Plain(x.Noise), t.Law.Name,
			fmt.Sprint(o.Replication), o.Digest}, runFields(o)...))
	}
}

// Judge completes the report after the last trial. Replay is the command line that
// repeats the trials.
func (l *Report) Judge(host runlog.Host, replay string) *Report {
	l.Digest = hex.EncodeToString(l.sum.Sum(nil))[:16]
	for i := range l.Trials {
		l.Trials[i].judge()
	}
	for _, name := range l.Laws {
		l.Summaries = append(l.Summaries, l.summary(name))
	}
	l.Goals = l.goals()
	l.Host, l.Replay = folder.NewHost(host, format.Missing), replay
	return l
}

// judge finds hindsight and compares every law with it.
func (t *Trial) judge() {
	for i, c := range t.Cells {
		if c.tuned() && format.Num(c.iae).Known() && (t.best == nil || c.iae < t.best.iae) {
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

// ratio returns ln(lost target-hours of c / hindsight's), over all runs and over all
// runs but one, for each of them. Without a run hindsight may choose another law.
func (t Trial) ratio(c Cell) (value float64, without []float64) {
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

// tvRatio returns ln(total variation of c / hindsight's), from the means over the runs,
// over all runs and without each.
func (t Trial) tvRatio(c Cell) (value float64, without []float64) {
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

// geometric returns the estimate of a number from the estimate of its logarithm.
func geometric(value float64, without []float64) measure.Estimate {
	e := measure.Estimated(stats.Jackknife(value, without, measure.Confidence))
	for _, n := range []*format.Num{&e.Value, &e.Low, &e.High} {
		if n.Known() {
			*n = format.Num(math.Exp(float64(*n)))
		} else {
			*n = format.Missing
		}
	}
	return e
}

func (t Trial) cell(law string) (Cell, bool) {
	i := slices.IndexFunc(t.Cells, func(c Cell) bool { return c.Law == law })
	if i < 0 {
		return Cell{}, false
	}
	return t.Cells[i], true
}

// measured returns the measure called name from all; missing if there is none.
func measured(all []ensemble.CourseMeasure, name string) measure.Estimate {
	i := slices.IndexFunc(all, func(m ensemble.CourseMeasure) bool { return m.Metric == name })
	if i < 0 {
		return measure.Estimate{Value: format.Missing, Low: format.Missing, High: format.Missing}
	}
	return all[i].Estimate
}

// Summary is one law over all trials.
type Summary struct {
	Law     string           `json:"law"`
	IAE     measure.Estimate `json:"iae_ratio"` // geometric mean
	Worst   format.Num       `json:"worst"`
	WorstIn string           `json:"worst_in"`
	// Better is the number of trials in which the law is shown to lose fewer target-hours than hindsight.
	Better int              `json:"better"`
	Worse  int              `json:"worse"`
	Trials int              `json:"trials"` // in which both could be judged
	TV     measure.Estimate `json:"tv_ratio"`
	// Means over all trials.
	Throttled   format.Num `json:"throttled"`
	Undelivered format.Num `json:"undelivered"`
	DFR         format.Num `json:"dfr"`
	End         format.Num `json:"end_h"`            // a run that is not finished counts as its horizon
	Unfinished  int        `json:"unfinished"`       // trials with such a run
	Above       format.Num `json:"above_peak_share"` // over those with a peak
}

// over returns the geometric mean of the ratios of a law to hindsight over the trials
// that count.
func (l *Report) over(law string, counts func(Trial) bool, of func(Trial, Cell) (float64,
	[]float64)) (e measure.Estimate, trials int) {
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
		return measure.Estimate{Value: format.Missing, Low: format.Missing, High: format.Missing,
			Level: measure.Confidence}, 0
	}
	return geometric(sum/float64(trials), without), trials
}

func (l *Report) iaeOver(law string, counts func(Trial) bool) (measure.Estimate, int) {
	return l.over(law, counts, Trial.ratio)
}

func (l *Report) tvOver(law string, counts func(Trial) bool) (measure.Estimate, int) {
	return l.over(law, counts, Trial.tvRatio)
}

func every(Trial) bool { return true }

func (l *Report) summary(law string) Summary {
	s := Summary{Law: law, Worst: format.Missing}
	s.IAE, s.Trials = l.iaeOver(law, every)
	s.TV, _ = l.tvOver(law, every)
	means := map[string][]float64{}
	for _, t := range l.Trials {
		c, ok := t.cell(law)
		if !ok {
			continue
		}
		if c.Unfinished > 0 {
			s.Unfinished++
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
		for _, name := range []string{"throttled", undeliveredOfRuns, "dfr", "end_h", aboveOfRuns} {
			if v := measured(c.Runs, name).Value; v.Known() {
				means[name] = append(means[name], float64(v))
			}
		}
	}
	mean := func(name string) format.Num { return format.Num(stats.Mean(means[name], measure.Confidence).Value) }
	s.End = mean("end_h")
	s.Throttled, s.Undelivered, s.DFR, s.Above = mean("throttled"), mean(undeliveredOfRuns), mean("dfr"),
		mean(aboveOfRuns)
	return s
}

// name returns the name of a trial, as in "outage-8, noise 5 %".
func (t Trial) name() string { return t.Scenario + ", noise " + noiseWords(t.Noise) }

func noiseWords(level float64) string { return format.Grouped(100*level, 0) + " %" }

func runFields(o ensemble.Observation) []string {
	var all []string
	for _, name := range runMetrics() {
		v := o.Metrics[name]
		if math.IsInf(v, 1) {
			all = append(all, "never")
			continue
		}
		all = append(all, format.Num(v).String())
	}
	return all
}

func runMetrics() []string {
	return []string{measure.SettlingMetric, "overshoot", "steady_state_error", "rate_per_h", "iae_target_hours",
		"total_variation", "swing_processes", "throttled", "failed", "ambiguous", "dfr", "end_h", "pending",
		"peak_available"}
}
