package reports

import (
	"math"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/hist"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// usl is the throughput of n processes by the universal scalability law, in
// messages per hour: lambda n / (1 + sigma (n-1) + kappa n (n-1)).
func usl(lambda, sigma, kappa float64) func(n float64) float64 {
	return func(n float64) float64 { return lambda * n / (1 + sigma*(n-1) + kappa*n*(n-1)) }
}

func linear(n float64) float64 { return 1000 * n }

// course is a server under the damped law of Table 2 with every process
// allocated, stepped by hand.
type course struct {
	start, d  float64
	intervals int
	plant     func(n float64) float64
	dfr       float64
}

const target = 140_000

// step is what the plant delivers in 3 hours, and the law's answer.
func (p course) step(number int, c float64) engine.Interval {
	const hours = 3
	delivered := math.Round(p.plant(c) * hours)
	rate := delivered / hours
	e := rate / c
	wanted := target / e
	next := min(c+p.d, max(c-p.d, wanted))
	return engine.Interval{
		Number: number,
		Sample: governor.Sample{Span: hours * vt.Hour, Delivered: uint64(delivered),
			Attempts: uint64(math.Round(delivered * p.dfr)), Allocated: c},
		Decision: governor.Decision{Rate: rate, Allocated: c, Efficiency: e, Utilization: 1, Previous: c,
			Target: wanted, Step: p.d, Available: next},
		RetryLimit: 10,
	}
}

// run gathers the paths of b1, b2 and so on into one run whose totals fit.
func run(paths ...course) *runlog.Run {
	r := &runlog.Run{
		Name: "hand-made", About: "A plant stepped by hand.", Mode: "sim", Law: "patent-damped",
		ScenarioID: "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed",
		Seed:       42, Digest: 0x0123456789abcdef, Horizon: 30 * vt.Day, TargetRate: target,
		Destinations: []string{"example", "slow"}, Latency: hist.New(),
		Host: runlog.Host{Wall: 2 * vt.Second, MaxRSS: 50 << 20, Go: "go1.26", CPU: "some"},
	}
	for i, p := range paths {
		r.Servers = append(r.Servers, "b"+string(rune('1'+i)))
		c := p.start
		for n := range p.intervals {
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

func expect(metric, op string, value float64) scenarios.Expectation {
	return scenarios.Expectation{Metric: metric, Op: op, Value: value, In: "any"}
}

func fold(r *runlog.Run, e ...scenarios.Expectation) *Report {
	return Fold(r, e, "flyball run hand-made --seed 42")
}

var (
	plantA = linear                 // E = 1000: C* = 140
	plantB = usl(1200, 0.001, 4e-6) // peak at 499.75 processes; C* = 142.612888
	peaked = usl(1000, 0.002, 1e-5) // at most 120,362.6/h, at 315.91 processes
)

// changing is a run whose target is 100,000/h, and 140,000/h from an interval on.
func changing(from int) *runlog.Run {
	r := run(course{100, 8, 20, plantA, 1})
	r.TargetRate = 100_000
	for i := range r.Intervals {
		if r.Intervals[i].TargetRate = 100_000; i >= from {
			r.Intervals[i].TargetRate = 140_000
		}
	}
	return r
}
