package measure

import (
	"math"
	"testing"

	"flyball/reports/format"
)

// A run with recipients pending at the horizon has no end: it misses what a run that ended
// just then meets, whatever the operator.
func TestWhatDidNotComeMissesEveryExpectation(t *testing.T) {
	for _, c := range []struct {
		metric, op         string
		limit, is, pending float64
		met                bool
		words              string
	}{
		{"end_h", "<=", 48, 48, 0, true, "48"}, {"end_h", "<=", 48, 48, 1, false, "not finished"},
		{"end_h", ">", 47, 48, 0, true, "48"}, {"end_h", ">", 47, 48, 1, false, "not finished"},
		{"end_h", "!=", 40, 48, 1, false, "not finished"},
		{"time_to_final_p95_h", ">", 40, math.Inf(1), 1, false, "never"},
		{"time_to_final_p50_h", "<=", 3, 2, 1, true, "2"},
		{SettlingMetric, ">=", 40, math.Inf(1), 0, false, "never"}, {"dfr", "<=", 48, 48, 1, true, "48"},
	} {
		e := Evaluate("sim", map[string]float64{"pending": c.pending, c.metric: c.is},
			[]Expectation{{Metric: c.metric, Op: c.op, Value: c.limit, In: "any"}})[0]
		if is, _ := e.Words(); e.Met() != c.met || is != c.words || e.Value.Known() != c.met {
			t.Errorf("%s %s %g with %g pending: met %v, %s, want %v, %s", c.metric, c.op, c.limit, c.pending, e.Met(),
				is,
				c.met, c.words)
		}
	}
}

func TestWordsOfWhatIsMissing(t *testing.T) {
	for metric, want := range map[string]string{"end_h": "not finished", "time_to_final_p95_h": "never",
		"settling_intervals_2pct": "never", "dfr": "undefined"} {
		if got := Word(metric, format.Missing); got != want {
			t.Errorf("%s without a value is %s, want %s", metric, got, want)
		}
	}
}
