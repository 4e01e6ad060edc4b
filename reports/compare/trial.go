package compare

import (
	"cmp"
	"math"
	"slices"

	"flyball/reports/ensemble"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// Candidate has the runs of one side: of a law, a set of parameters or a revision.
type Candidate struct {
	Name   string
	Trials []Trial // one for each scenario
}

// Trial is the runs of one candidate in one scenario.
type Trial struct {
	Scenario    string
	Seed        uint64
	Mode        string
	List        string  // digest of a list that is not the scenario's own
	Target      float64 // messages per hour
	IntervalSec float64
	Resolved    []byte // the scenario with every default
	Runs        []Replicate
	courses     []ensemble.MeanPoint // mean courses of all servers
	mean        int                  // of that many runs are the courses
}

// Replicate is one run of a trial.
type Replicate struct {
	Replication uint64
	Digest      string
	recipients  float64
	watched     int                // intervals
	unfinished  bool               // recipients are pending at the horizon
	values      map[string]float64 // by the names that Names returns; NaN: undefined; +Inf: never
}

// Tried returns the trial with the given replications of a scenario.
func Tried(s *scenarios.Scenario, runs []ensemble.Observation) Trial {
	t := Trial{Scenario: s.Name, Seed: s.Seed, Mode: "sim", Target: s.TargetRate(),
		IntervalSec: s.Governor.Interval.Seconds(), Resolved: scenarios.Resolved(s)}
	t.take(s.Governed(), runs)
	return t
}

func (t *Trial) take(servers []string, runs []ensemble.Observation) {
	for _, o := range runs {
		t.Runs = append(t.Runs, t.sample(o.Replication, o.Digest, ensemble.Horizon([]ensemble.Observation{o}),
			o.Metrics))
	}
	t.mean = len(runs)
	for i, name := range servers {
		t.courses = append(t.courses, ensemble.MeanPoints(name, runs, i, t.IntervalSec)...)
	}
}

// First returns the candidate with the first n runs of each trial.
func (c Candidate) First(n int) Candidate {
	c.Trials = slices.Clone(c.Trials)
	for i, t := range c.Trials {
		c.Trials[i] = t.First(n)
	}
	return c
}

// First returns the trial with its first n runs alone, by replication. The courses are still of all runs.
func (t Trial) First(n int) Trial {
	t.Runs = slices.Clone(t.Runs)
	slices.SortFunc(t.Runs, func(a, b Replicate) int { return cmp.Compare(a.Replication, b.Replication) })
	t.Runs = t.Runs[:min(n, len(t.Runs))]
	return t
}

// sample returns the metrics of a run that are compared.
func (t *Trial) sample(replication uint64, digest string, watched int, metrics map[string]float64) Replicate {
	r := Replicate{Replication: replication, Digest: digest, recipients: metrics["recipients"], watched: watched,
		unfinished: metrics["pending"] > 0, values: map[string]float64{
			"iae": metrics["iae_target_hours"], "tv": metrics["total_variation"],
			"settling":  metrics[measure.SettlingMetric] * t.IntervalSec / 3600,
			"overshoot": metrics["overshoot"], "steady-error": math.Abs(metrics["steady_state_error"]),
			"end":         metrics["end_h"],
			"dfr":         metrics["dfr"],
			"undelivered": metrics["recipients"] - metrics["delivered"] - metrics["suppressed"],
			"deferrals":   metrics["deferrals"],
		}}
	for name, v := range metrics {
		if _, is := measure.MetricNamed(name); is && shortNames[name] == "" {
			r.values[name] = v
		}
	}
	return r
}
