package verify

import (
	"fmt"
	"math"
	"slices"

	"flyball/governor"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/delay"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// bent is a server whose rate is 140,000 messages an hour with 142.6
// processes and again with 1751.2, and greatest with 500.
var bent = plant{1200, 0.001, 4e-6}

// peaked is a server whose rate never reaches 140,000: it is at most 120,363,
// with 316 processes.
var peaked = plant{1000, 0.002, 1e-5}

const target = 140000

// unlimited is a d so large that it never limits a step.
const unlimited = 1e6

// damped returns the law of [0067] at Table 1's target and interval, with an
// explicit d.
func damped(start, d float64) governor.Config {
	c := governor.Default()
	c.Law, c.Start, c.StepMode, c.D = "patent-damped", start, "explicit", d
	return c
}

// follow returns C at the start and after each of n decisions. Rate returns the
// messages per hour of c processes. Messages are whole numbers, so rate and
// target are scaled by a thousand, which does not affect the law.
func follow(c governor.Config, n int, rate func(c float64) float64) []float64 {
	const fine = 1000
	c.Target *= fine
	g, err := governor.New(c)
	if err != nil {
		panic(err)
	}
	path := []float64{g.Available()}
	for range n {
		now := g.Available()
		delivered := math.Round(rate(now) * fine * c.Interval.Hours())
		path = append(path, g.Decide(governor.Sample{Span: c.Interval, Delivered: uint64(delivered),
			Allocated: now}).Available)
	}
	return path
}

// settled returns the first interval from which on C stays within a share of
// goal.
func settled(path []float64, goal, within float64) float64 {
	for i := len(path) - 1; i >= 0; i-- {
		if math.Abs(path[i]-goal) > within*goal {
			return float64(i + 1)
		}
	}
	return 0
}

// greatestStep returns the greatest change of C in an interval.
func greatestStep(path []float64) float64 {
	var most float64
	for i := 1; i < len(path); i++ {
		most = max(most, math.Abs(path[i]-path[i-1]))
	}
	return most
}

// law verifies the governor alone, on plants that are formulas.
func law() model {
	root := bent.root(target)
	a := bent.contraction(root)
	const near = 0.95 * 240288.37 // of the peak
	slow := bent.root(near)
	return model{
		name: "law", runs: 1,
		about: "the governor alone on a server under the universal scalability law, all processes allocated",
		quantities: []quantity{
			always("fixed point C*, where M(C*) = T", root, 1e-5),
			always("contraction a(C*), successive errors", a, 1e-4),
			always("a(C*) at 95 % of the peak", bent.contraction(slow), 1e-4),
			always("settling from 40, d = 3, intervals", settling(40, root, 3, a, 0.02), 1),
			always("settling from 250, d = 8, intervals", settling(250, root, 8, a, 0.02), 1),
			always("settling at 95 % of the peak, d = 3", settling(40, slow, 3, bent.contraction(slow), 0.02), 1),
			always("greatest step, d = 3", 3, 1e-9),
			always("dynamic law, half used: 200 falls by d/2", 196, 1e-9), // [0069]
			always("runaway: rise of C per interval", 3, 1e-9),
		},
		once: func(run) []float64 {
			up := follow(damped(40, 3), 200, bent.rate)
			down := follow(damped(250, 8), 200, bent.rate)
			hard := damped(40, 3)
			hard.Target = near
			closeToPeak := follow(hard, 2000, bent.rate)
			away := follow(damped(200, 3), 1000, peaked.rate)
			return []float64{
				up[200], shrinks(target), shrinks(near),
				settled(up, root, 0.02), settled(down, root, 0.02), settled(closeToPeak, slow, 0.02),
				max(greatestStep(up), greatestStep(closeToPeak)),
				halfUsed(),
				(away[1000] - away[0]) / 1000,
			}
		},
	}
}

// halfUsed returns the decision of the dynamic law with d = 8 on 200 available
// processes, of which 100 were allocated and delivered 1200 messages an hour each.
func halfUsed() float64 {
	c := damped(200, 8)
	c.Law = "patent-dynamic"
	g, err := governor.New(c)
	if err != nil {
		panic(err)
	}
	return g.Decide(governor.Sample{Span: c.Interval, Delivered: 360000, Allocated: 100}).Available
}

// shrinks returns the factor by which an interval multiplies a small error,
// without a limit on the step.
func shrinks(rate unit.PerHour) float64 {
	root := bent.root(float64(rate))
	c := damped(root*(1+1e-4), unlimited)
	c.Target = rate
	path := follow(c, 2, bent.rate)
	return (path[2] - root) / (path[1] - root)
}

// lag verifies the governor where the work of a process is counted delta
// intervals after its allocation. On a server with constant efficiency the error
// then follows z^2 - delta z + delta = 0: with delta = 1 it oscillates for ever,
// with a period of exactly six intervals; below 1, the oscillation shrinks by
// sqrt(delta) per interval.
func lag() model {
	const start, goal = 141.0, 140.0
	return model{
		name: "lag", runs: 1,
		about: "the governor alone, work counted late: limit cycle at a lag of one interval, damping below",
		quantities: []quantity{
			always("period at a lag of 1, intervals", 6, 0),
			always("peak to peak at a lag of 1", start-goal*goal/start, 1e-3),
			always("swing kept per interval at a lag of 1/2", math.Sqrt(0.5), 1e-3),
		},
		once: func(run) []float64 {
			cycle := follow(damped(start, unlimited), 600, late(1, start))
			period := 1
			for ; period < 300 && !repeats(cycle, period); period++ {
			}
			e := follow(damped(goal+0.05, unlimited), 3, late(0.5, goal+0.05))
			for i := range e {
				e[i] -= goal
			}
			// The determinant of two successive states shrinks by the product of the roots, delta.
			kept := (e[3]*e[1] - e[2]*e[2]) / (e[2]*e[0] - e[1]*e[1])
			return []float64{float64(period), slices.Max(cycle) - slices.Min(cycle), math.Sqrt(kept)}
		},
	}
}

// late returns a server with 1000 messages per hour and process whose work counts
// delta <= 1 intervals late. Before the start, C was constant.
func late(delta, start float64) func(c float64) float64 {
	before := start
	return func(c float64) float64 {
		counted := (1-delta)*c + delta*before
		before = c
		return 1000 * counted
	}
}

func repeats(path []float64, period int) bool {
	for i := period; i < len(path); i++ {
		if math.Abs(path[i]-path[i-period]) > 1e-3 {
			return false
		}
	}
	return true
}

// governed returns a scenario of one server under the universal scalability law,
// slower by a factor: fewer messages give the same trajectory of C. Attempts take
// the time took, multiplied by that law.
func governed(r run, p plant, slower, start float64, took delay.Dist) *scenarios.Scenario {
	s := plain(r)
	s.Governor = governor.Default()
	s.Governor.Law, s.Governor.Start, s.Governor.Target = "patent-damped", start, unit.PerHour(target/slower)
	s.Servers[0].Contention, s.Servers[0].Coherency = p.sigma, p.kappa
	s.Destinations[0].Dot = took
	s.Campaigns[0].Recipients = 1_000_000_000 // more than the processes can deliver
	return s
}

// attempt returns the mean time of an attempt while no other process is busy.
func (p plant) attempt(slower float64) vt.Span {
	return seconds(3600 * slower / p.lambda)
}

// tableOne verifies the governor of Table 1 in the whole simulator: S = 3 h, at
// most 24 processes a day.
//
// Only whole processes work, so C settles where C = T / E(floor C). T is chosen
// so that this is 142.5, far from the next whole number.
func tableOne() model {
	const slower, start, goal, processes = 40, 100, 142.5, 142
	rate := goal * bent.efficiency(processes)
	a := bent.contraction(bent.root(rate))
	predicted := settling(start, goal, 3, a, 0.02)
	last := int(predicted) + 8
	base := bent.attempt(slower)
	took := delay.Dist{Dist: "uniform", Min: base * 85 / 100, Max: base * 115 / 100}
	return model{
		name: "table-1", runs: replications,
		about: "a mailing under the governor of Table 1 (at most 24 a day, S = 3 h), contention in the network model",
		quantities: []quantity{
			estimate("C at rest, T / E(142)", goal),
			estimate("rate at rest, M(142), messages per h", bent.rate(processes)/slower),
			around("settling to 2 % from 100, intervals", predicted, 1),
			always("greatest step, d = 24 S / 24 h", 3, 1e-9),
		},
		once: func(r run) []float64 {
			s := governed(r, bent, slower, start, took)
			s.Governor.Target = unit.PerHour(rate / slower)
			s.Horizon = vt.Span(last) * s.Governor.Interval
			rows := simulate(r, s, nil).Intervals
			path := []float64{start}
			var c, x float64
			for i, row := range rows {
				path = append(path, row.Decision.Available)
				if i >= last-5 {
					c += row.Decision.Available / 5
					x += row.Decision.Rate / 5
				}
			}
			return []float64{c, x, settled(path, goal, 0.02), greatestStep(path)}
		},
	}
}

// contraction measures a(C) in the whole simulator, from two decisions without a
// limit: one at 40 processes above C* and one at 40 below. Under the universal
// scalability law T / E(C) is a parabola, so the slope of the chord equals the
// slope in its middle. Attempts are exponential, so each process delivers a
// Poisson stream as soon as all have begun. The first attempts find fewer busy
// processes, which lowers a by a tenth of the half width.
func contraction() model {
	const slower, goal, off = 10, 140.0, 40
	took := delay.Dist{Dist: "exponential", Mean: bent.attempt(slower)}
	rate := bent.rate(goal)
	return model{
		name: "contraction", runs: replications,
		about: "one decision of the governor above and one below its fixed point, through a mailing: what is left of " +
			"the error",
		quantities: []quantity{
			estimate("contraction a(C*)", bent.contraction(goal)),
			estimate("C after one decision from 180", rate/slower*(goal+off)/bent.firstRate(goal+off, slower)),
		},
		once: func(r run) []float64 {
			decide := func(start float64) float64 {
				s := governed(r, bent, slower, start, took)
				s.Governor.StepMode, s.Governor.D = "explicit", unlimited
				s.Governor.Target = unit.PerHour(rate / slower)
				s.Horizon = s.Governor.Interval
				return simulate(r, s, nil).Intervals[0].Decision.Available
			}
			high, low := decide(goal+off), decide(goal-off)
			return []float64{(high - low) / (2 * off), high}
		},
	}
}

// firstRate returns the rate in an interval of 3 h at whose start n processes
// begin one after the other: the first attempt of the i-th process finds i busy
// processes, later attempts find n.
func (p plant) firstRate(n, slower float64) float64 {
	const hours = 3
	messages := hours * p.rate(n) / slower
	for i := 1.0; i <= n; i++ {
		messages += 1 - p.slowdown(i)/p.slowdown(n)
	}
	return messages / hours
}

// runaway verifies a target above the peak, which has no fixed point: C rises by
// d for ever, and beyond the peak the server becomes slower.
func runaway() model {
	const slower, start, intervals = 40, 330, 10
	const processes = start + 3*(intervals-1) // in the last interval
	took := delay.Dist{Dist: "exponential", Mean: peaked.attempt(slower)}
	return model{
		name: "runaway", runs: replications,
		about: "a mailing with a target above what the server can do at best, from past the peak on",
		quantities: []quantity{
			always("rise of C per interval", 3, 1e-9),
			estimate(fmt.Sprintf("rate in the last interval, X(%d)", processes), peaked.rate(processes)/slower),
		},
		once: func(r run) []float64 {
			s := governed(r, peaked, slower, start, took)
			s.Horizon = intervals * s.Governor.Interval
			rows := simulate(r, s, nil).Intervals
			return []float64{slope(rows, start), rows[intervals-1].Decision.Rate}
		},
	}
}

// slope returns the rise of C per interval if all rises are equal, else the rise
// farthest from their mean.
func slope(rows []runlog.Interval, start float64) float64 {
	mean := (rows[len(rows)-1].Decision.Available - start) / float64(len(rows))
	worst, before := mean, start
	for _, row := range rows {
		if rise := row.Decision.Available - before; math.Abs(rise-mean) > math.Abs(worst-mean) {
			worst = rise
		}
		before = row.Decision.Available
	}
	return worst
}
