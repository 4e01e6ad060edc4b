package verify

import (
	"flyball/internal/mail"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/netmodel/config"
)

// An interval that is too narrow makes wrong results look certain. So the
// project's intervals are tested with a thousand trials where the answer is
// known: nominal 95 % intervals must contain it in 93.6 to 96.4 % of the trials,
// two standard deviations to either side. With a seed other than the default
// this fails by chance once in twenty times.
const (
	trials    = 1000
	nominal   = 0.95
	tolerance = 0.014
)

// covers returns 1 if the interval of the mean of the given number of
// replications contains the exact value, else 0.
func covers(r run, replications int, exact float64, once func(r run) float64) float64 {
	values := make([]float64, replications)
	for i := range values {
		inner := r
		inner.replication = r.replication*uint64(replications) + uint64(i)
		values[i] = once(inner)
	}
	if stats.Mean(values, nominal).Contains(exact) {
		return 1
	}
	return 0
}

// coverQueue tests intervals of sojourns in M/M/1 at a load of 0.9, which are
// highly correlated and skewed. The queue starts in its stationary distribution,
// so the mean over a fixed number of customers has no bias. Many short
// replications serve better than a few long ones, whose means are too skewed for
// Student's intervals.
func coverQueue() model {
	const rho, replications = 0.9, 1000
	l := line{load: rho, servers: 1, service: exponential, start: geometric(rho), counted: 50}
	return model{
		name: "cover-mm1", runs: trials, full: true,
		about: "how often the 95 % interval of W in M/M/1 at a load of 0.9 contains the exact value: 1,000 intervals " +
			"of 1,000 replications of 50 customers",
		quantities: []quantity{
			around("share of intervals that contain W", nominal, tolerance),
		},
		once: func(r run) []float64 {
			return []float64{covers(r, replications, 1/(1-rho),
				func(r run) float64 { return l.run(r).mean(visit.sojourn) })}
		},
	}
}

// coverGovernor tests intervals of the deliveries under a governor that never
// attains its target and adds d processes every interval. Each process delivers
// a Poisson stream thinned by failures, so the deliveries have a known mean.
func coverGovernor() model {
	const start, d, intervals, p, replications = 5, 3, 5, 0.8, 40
	const perProcess = 60 // attempts in an interval
	var processes float64
	for i := range intervals {
		processes += float64(start + d*i)
	}
	return model{
		name: "cover-govern", runs: trials, full: true,
		about: "the same for the deliveries of a mailing with resends while the governor adds three processes per " +
			"interval",
		quantities: []quantity{
			around("share of intervals that contain the mean", nominal, tolerance),
		},
		once: func(r run) []float64 {
			return []float64{covers(r, replications, processes*perProcess*p, func(r run) float64 {
				s := plain(r)
				s.Governor.Law, s.Governor.Start, s.Governor.StepMode, s.Governor.D = "patent-dynamic", start,
					"explicit", d
				s.Governor.Target, s.Governor.Interval = 1e9, perProcess*vt.Second
				s.Destinations[0].Dot = exponential
				s.Destinations[0].Fail = []config.Fail{{At: "dot", Reply: 451, P: 1 - p}}
				s.Retry.Limit, s.Retry.Delays = 4, []vt.Span{5 * vt.Second}
				s.Horizon = intervals * s.Governor.Interval
				s.Campaigns[0].Recipients = 1_000_000
				return float64(simulate(r, s, nil).Count(mail.Done))
			})}
		},
	}
}
