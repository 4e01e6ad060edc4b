package measure

import (
	"fmt"
	"math"

	"flyball/reports/format"
)

// Expectation is a condition on the summary.
type Expectation struct {
	// name of a metric, see flyball scenario metrics; of one campaign or destination as t90_h:NAME
	Metric string `toml:"metric" required:"true"`
	// comparison
	Op string `toml:"op" oneof:"< <= > >= == !=" required:"true"`
	// limit
	Value float64 `toml:"value" required:"true"`
	// runs that it is held against; how fast a live run settles depends on the machine
	In string `toml:"in" oneof:"any sim real" default:"any"`
}

// Result is an expectation with its outcome in a run.
type Result struct {
	Metric string     `json:"metric"`
	Op     string     `json:"op"`
	Limit  float64    `json:"limit"`
	Value  format.Num `json:"value"` // missing if undefined or never reached; then the expectation is missed
	OK     *bool      `json:"ok"`    // null if it was not judged because the run was stopped
}

// Met reports whether the expectation was judged and met.
func (e Result) Met() bool { return e.OK != nil && *e.OK }

// Verdict returns the word for the outcome: met or missed, or that it was not judged.
func (e Result) Verdict(met, missed string) string {
	switch {
	case e.OK == nil:
		return "not judged"
	case *e.OK:
		return met
	}
	return missed
}

// Evaluate returns the results of the expectations that apply to a mode ("sim" or
// "real"), in order. A time that the run did not reach misses its expectation. It panics
// on a metric or an operator that a valid scenario cannot have.
func Evaluate(mode string, metrics map[string]float64, expectations []Expectation) []Result {
	results := []Result{}
	for _, e := range expectations {
		if e.In != "any" && e.In != mode {
			continue
		}
		v, known := metrics[e.Metric]
		if !known {
			panic(fmt.Sprintf("measure: unknown metric %q", e.Metric))
		}
		if !Reached(e.Metric, metrics) {
			v = math.Inf(1)
		}
		r := Result{Metric: e.Metric, Op: e.Op, Limit: e.Value, Value: format.Num(v)}
		ok := false
		switch e.Op {
		case "<":
			ok = v < e.Value
		case "<=":
			ok = v <= e.Value
		case ">":
			ok = v > e.Value
		case ">=":
			ok = v >= e.Value
		case "==":
			ok = v == e.Value
		case "!=":
			ok = v != e.Value
		default:
			panic(fmt.Sprintf("measure: unknown operator %q", e.Op))
		}
		ok = ok && r.Value.Known()
		r.OK = &ok
		results = append(results, r)
	}
	return results
}

// Words returns the measured value, and the operator with the limit.
func (e Result) Words() (is, want string) {
	want = e.Op + " " + format.Given(e.Limit)
	switch {
	case e.Value.Known():
		return format.Beside(float64(e.Value), e.Limit), want
	case MayNeverCome(e.Metric):
		return NeverWord(e.Metric), want
	}
	return "undefined", want
}
