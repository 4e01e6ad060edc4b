package ensemble

import (
	"math"
	"slices"
	"testing"

	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
)

func near(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// wandering are runs that have a course in common and luck of their own, which
// cancels in their mean: run r is off by a tenth, one way or the other.
func wandering(runs, of int, course func(int) float64) []Observation {
	all := make([]Observation, runs)
	for r := range all {
		path := make([]float64, of)
		for i := range path {
			path[i] = course(i) * (1 + 0.1*float64(1-2*((r+i)%2)))
		}
		all[r] = observed(r, 1<<30, path)
	}
	return all
}

// No run settles, but their mean does, when the course says so; and what it
// loses is what the course loses: a quarter of the target, for five intervals
// of three hours.
func TestTheMeanCourseHasNoLuck(t *testing.T) {
	runs := wandering(6, 40, func(i int) float64 {
		if i < 5 {
			return 105_000
		}
		return 140_000
	})
	for _, o := range runs {
		if v := o.Metrics[measure.SettlingMetric]; !math.IsInf(v, 1) {
			t.Fatalf("a run settles after %g intervals, want never", v)
		}
	}
	m, _ := MetricsOf([]MeanSeries{NewMeanSeries("b1", runs, 0, 3*3600, nil)})
	if got, want := m["iae_target_hours"], 5*3*0.25; !near(got, want) {
		t.Errorf("lost target-hours: got %g, want %g", got, want)
	}
	if got, want := m["ise_target_hours"], 5*3*0.25*0.25; !near(got, want) {
		t.Errorf("squared: got %g, want %g", got, want)
	}
	// ITAE counts an interval by its end: 3 h x 0.25 x (3 + 6 + 9 + 12 + 15) h.
	if got, want := m["itae_target_hours2"], 3*0.25*45.0; !near(got, want) {
		t.Errorf("by time: got %g, want %g", got, want)
	}
	if got := m[measure.SettlingMetric]; got != 5 {
		t.Errorf("settled after %g intervals, want 5", got)
	}
}

// A metric without a run equals the metric of an ensemble that never had the run.
func TestWithoutARun(t *testing.T) {
	runs := wandering(5, 30, func(i int) float64 { return 140_000 - 60_000*math.Exp(-float64(i)/4) })
	runs[2] = observed(2, 1<<30, handmade.Settles(9, 30))
	_, without := MetricsOf([]MeanSeries{NewMeanSeries("b1", runs, 0, 3*3600, nil)})
	for r := range runs {
		fewer := slices.Delete(slices.Clone(runs), r, r+1)
		want, _ := MetricsOf([]MeanSeries{NewMeanSeries("b1", fewer, 0, 3*3600, nil)})
		for _, name := range courseMetrics() {
			if got := without[name][r]; !near(got, want[name]) {
				t.Errorf("%s without run %d: got %g, want %g", name, r, got, want[name])
			}
		}
	}
}

// An interval in which any run cannot be judged is none of the mean course, nor is one that is cut.
func TestACourseHasWhatAllRunsHave(t *testing.T) {
	runs := []Observation{observed(0, 1<<30, handmade.Settles(0, 20)), observed(1, 12, handmade.Settles(0, 20))}
	c := NewMeanSeries("b1", runs, 0, 3*3600, func(r measure.Row) bool { return r.Number == 3 })
	var got []int
	for _, x := range c.At {
		got = append(got, x.Number)
	}
	if want := []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("intervals: got %v, want %v", got, want)
	}
}

// The band of the mean says when it may have settled, and when it surely has.
func TestSettledWithin(t *testing.T) {
	for _, v := range []struct {
		name                   string
		level                  float64 // of the course by the target, until interval 8
		spread                 float64 // of a run about the course
		mean, earliest, latest float64 // NaN: never
	}{
		{"no luck", 0.82, 0, 8, 8, 8},
		// Six runs +-20 %: Student's band of their mean is +-2.571 x 0.2 x sqrt(6/5) / sqrt(6) = 23 %.
		// The course is 18 % short until interval 8: within the band of 5 % at once if luck was bad, never if good.
		{"much luck", 0.82, 0.2, 8, 0, math.NaN()},
		// +-2 %: a band of 2.7 % of the target and 2.3 % at 4 % above it, which reaches beyond 5 %
		// on its far side only.
		{"above", 1.04, 0.02, 0, 0, 8},
	} {
		var runs []Observation
		for r := range 6 {
			path := make([]float64, 20)
			for i := range path {
				path[i] = 140_000
				if i < 8 {
					path[i] *= v.level
				}
				path[i] *= 1 + v.spread*float64(1-2*(r%2))
			}
			runs = append(runs, observed(r, 1<<30, path))
		}
		mean, earliest, latest := NewMeanSeries("b1", runs, 0, 3*3600, nil).settled(0.05, 0)
		if !near(float64(mean), v.mean) || !near(float64(earliest), v.earliest) || !near(float64(latest), v.latest) {
			t.Errorf("%s: got %g, %g to %g, want %g, %g to %g", v.name, float64(mean), float64(earliest),
				float64(latest), v.mean, v.earliest, v.latest)
		}
	}
}
