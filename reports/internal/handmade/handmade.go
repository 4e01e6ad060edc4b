// Package handmade has runs that are written down by hand, with the numbers
// that they must give, and checks of what reports write. Tests of reports
// call it.
package handmade

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/measure"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// Asking is a scenario with a target of 140,000/h and intervals of 3 h.
func Asking(t testing.TB, kind string, set ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load("asking.toml", []byte(`
schema_version = 1
name = "hand-made"
about = "Rates written down by hand."
seed = 42
horizon = "60d"
server = [{ name = "b1" }]
destination = [{ name = "example", domain = "example.com" }]
campaign = [{ name = "c", recipients = 1000000 }]
`), append(set, "analysis.kind="+kind))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Rated is one replication in which servers b1, b2 and so on had these rates.
// Its C is a thousandth of the rate. Intervals from short on were short of work.
func Rated(number, short int, rates ...[]float64) *runlog.Run {
	r := Run()
	r.Replication, r.Digest = uint64(number), uint64(0xabc000+number)
	r.Servers, r.Replies = nil, nil
	for i, path := range rates {
		r.Servers = append(r.Servers, fmt.Sprintf("b%d", i+1))
		for n, rate := range path {
			row := runlog.Interval{Server: mail.Server(i), End: vt.Time(vt.Span(n+1) * 3 * vt.Hour),
				Interval: engine.Interval{
					Number: n,
					Sample: governor.Sample{Span: 3 * vt.Hour, Delivered: uint64(3 * rate),
						Attempts: uint64(math.Round(3.3 * rate)), Allocated: 140},
					Decision: governor.Decision{Rate: rate, Allocated: 140, Efficiency: rate / 140, Utilization: 1,
						Previous:  140,
						Available: rate / 1000},
				}}
			if n >= short {
				ShortOfWork(&row)
			}
			r.Intervals = append(r.Intervals, row)
			r.Totals.Delivered += row.Sample.Delivered
			r.Totals.Attempts += row.Sample.Attempts
			r.End = max(r.End, row.End)
		}
	}
	r.Totals.Recipients = r.Totals.Delivered + r.Totals.Failed
	return r
}

const AllFull = 1 << 30 // no interval is short of work

// level rates, then on target.
func Settles(after, of int) []float64 {
	path := slices.Repeat([]float64{140_000}, of)
	for i := range after {
		path[i] = 100_000
	}
	return path
}

// ShortOfWork makes an interval one in which 2 % of the processes had nothing to do.
func ShortOfWork(i *runlog.Interval) {
	i.Draining = true
	i.Sample.Allocated *= 0.98
}

// usl is the throughput of n processes by the universal scalability law, in
// messages per hour: lambda n / (1 + sigma (n-1) + kappa n (n-1)).
func usl(lambda, sigma, kappa float64) func(n float64) float64 {
	return func(n float64) float64 { return lambda * n / (1 + sigma*(n-1) + kappa*n*(n-1)) }
}

// LinearRate is the throughput of n processes without contention.
func LinearRate(n float64) float64 { return 1000 * n }

// Course is a server under the damped law of Table 2 with every process
// allocated, stepped by hand.
type Course struct {
	Start, D  float64
	Intervals int
	Plant     func(n float64) float64
	Dfr       float64
}

const Target = 140_000

// step is what the plant delivers in 3 hours, and the law's answer.
func (p Course) step(number int, c float64) engine.Interval {
	const hours = 3
	delivered := math.Round(p.Plant(c) * hours)
	rate := delivered / hours
	e := rate / c
	wanted := Target / e
	next := min(c+p.D, max(c-p.D, wanted))
	return engine.Interval{
		Number: number,
		Sample: governor.Sample{Span: hours * vt.Hour, Delivered: uint64(delivered),
			Attempts: uint64(math.Round(delivered * p.Dfr)), Allocated: c},
		Decision: governor.Decision{Rate: rate, Allocated: c, Efficiency: e, Utilization: 1, Previous: c,
			Target: wanted, Step: p.D, Available: next},
		RetryLimit: 10,
	}
}

// Run gathers the paths of b1, b2 and so on into one run whose totals fit.
func Run(paths ...Course) *runlog.Run {
	r := &runlog.Run{
		Name: "hand-made", About: "A plant stepped by hand.", Mode: "sim", Law: "patent-damped",
		ScenarioID: "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed",
		Seed:       42, Digest: 0x0123456789abcdef, Horizon: 30 * vt.Day, TargetRate: Target,
		Destinations: []string{"example", "slow"}, Latency: hist.New(),
		Host: runlog.Host{Wall: 2 * vt.Second, MaxRSS: 50 << 20, Go: "go1.26", CPU: "some"},
	}
	for i, p := range paths {
		r.Servers = append(r.Servers, "b"+string(rune('1'+i)))
		c := p.Start
		for n := range p.Intervals {
			row := p.step(n, c)
			c = row.Decision.Available
			end := vt.Time(0).Add(vt.Span(n+1) * 3 * vt.Hour)
			r.Intervals = append(r.Intervals, runlog.Interval{Server: mail.Server(i), End: end, Interval: row})
			r.End = max(r.End, end)
			r.Totals.Delivered += row.Sample.Delivered
			r.Totals.Attempts += row.Sample.Attempts
		}
	}
	failed := r.Totals.Delivered / 50
	r.Totals.Failed = failed
	r.Totals.Recipients = r.Totals.Delivered + failed
	r.Totals.Resends = r.Totals.Attempts - min(r.Totals.Attempts, r.Totals.Recipients)
	r.Replies = []runlog.ReplyCount{
		{Destination: 0, Stage: mail.StageDot, Code: 250, Count: r.Totals.Delivered},
		{Destination: 1, Stage: mail.StageRCPT, Code: 451, Count: r.Totals.Attempts - r.Totals.Delivered},
		{Destination: 1, Stage: mail.StageConnect, Fault: mail.Timeout, Count: 7},
	}
	for i := range 2000 { // a lognormal of median 0.8 s, by its quantiles
		u := (float64(i) + 0.5) / 2000
		r.Latency.Record(vt.Span(0.8 * math.Exp(0.6*math.Sqrt2*math.Erfinv(2*u-1)) * float64(vt.Second)))
	}
	for range 20 {
		r.Latency.Record(30 * vt.Second)
	}
	return r
}

// Expect returns an expectation on runs of any mode.
func Expect(metric, op string, value float64) measure.Expectation {
	return measure.Expectation{Metric: metric, Op: op, Value: value, In: "any"}
}

var (
	Linear    = LinearRate             // E = 1000: C* = 140
	Contended = usl(1200, 0.001, 4e-6) // peak at 499.75 processes; C* = 142.612888
	Peaked    = usl(1000, 0.002, 1e-5) // at most 120,362.6/h, at 315.91 processes
)

// Changing is a run whose target is 100,000/h, and 140,000/h from an interval on.
func Changing(from int) *runlog.Run {
	r := Run(Course{100, 8, 20, Linear, 1})
	r.TargetRate = 100_000
	for i := range r.Intervals {
		if r.Intervals[i].TargetRate = 100_000; i >= from {
			r.Intervals[i].TargetRate = 140_000
		}
	}
	return r
}
