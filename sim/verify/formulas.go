package verify

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/netmodel/delay"
)

// Times are in seconds, and in the queues the mean service takes one: so the
// arrival rate lambda is the offered load in erlangs, and mu is 1.

// geometric returns the distribution of the number in an M/M/1 queue, or in any
// M/G/1 queue with processor sharing.
func geometric(rho float64) func(n int) float64 {
	return func(n int) float64 { return (1 - rho) * math.Pow(rho, float64(n)) }
}

// poisson returns the distribution of the number in an M/G/inf queue.
func poisson(load float64) func(n int) float64 {
	return func(n int) float64 { return distuv.Poisson{Lambda: load}.Prob(float64(n)) }
}

// blocking returns Erlang's B: the share of calls that find all c servers busy
// and are lost.
func blocking(load float64, c int) float64 {
	b := 1.0
	for n := 1; n <= c; n++ {
		b = load * b / (float64(n) + load*b)
	}
	return b
}

// lossSystem returns the distribution of the number in an M/G/c/c system:
// Poisson, truncated at c.
func lossSystem(load float64, c int) func(n int) float64 {
	return weighted(c, poisson(load))
}

// waiting returns Erlang's C: the share of customers that find all c servers busy
// and wait.
func waiting(load float64, c int) float64 {
	b := blocking(load, c)
	return float64(c) * b / (float64(c) - load*(1-b))
}

// manyServers returns the distribution of the number in an M/M/c queue.
func manyServers(load float64, c int) func(n int) float64 {
	rho := load / float64(c)
	atC := waiting(load, c) * (1 - rho) // P(n >= c) is a geometric series
	return func(n int) float64 {
		p := atC * math.Pow(rho, float64(max(0, n-c)))
		for k := c; k > n; k-- {
			p *= float64(k) / load
		}
		return p
	}
}

// meanManyServers returns the mean number in an M/M/c queue.
func meanManyServers(load float64, c int) float64 {
	rho := load / float64(c)
	return load + waiting(load, c)*rho/(1-rho)
}

// meanWait returns the mean wait in an M/G/1 queue, by the formula of Pollaczek
// and Khinchine.
func meanWait(lambda float64, service delay.Dist) float64 {
	m, v := moments(service)
	return lambda * (m*m + v) / (2 * (1 - lambda*m))
}

// machineRepair returns the distribution of the number at a server that is shared
// by customers with a mean think time between two visits (M/M/1//N).
func machineRepair(customers int, think float64) func(n int) float64 {
	return weighted(customers, func(n int) float64 {
		w := 1.0
		for k := range n {
			w *= float64(customers-k) / think
		}
		return w
	})
}

// weighted returns the distribution over 0..most in proportion to weights.
func weighted(most int, weight func(n int) float64) func(n int) float64 {
	var sum float64
	for n := range most + 1 {
		sum += weight(n)
	}
	return func(n int) float64 {
		if n > most {
			return 0
		}
		return weight(n) / sum
	}
}

// meanOf returns the mean of a distribution over 0..most.
func meanOf(p func(n int) float64, most int) float64 {
	var sum float64
	for n := range most + 1 {
		sum += float64(n) * p(n)
	}
	return sum
}

// moments returns the exact mean and variance of a distribution, in seconds.
func moments(d delay.Dist) (mean, variance float64) {
	mean = d.ExactMean() / 1e9
	switch d.Dist {
	case "constant":
		return mean, 0
	case "uniform":
		w := (d.Max - d.Min).Seconds()
		return mean, w * w / 12
	case "exponential":
		return mean, mean * mean
	case "lognormal":
		return mean, mean * mean * math.Expm1(d.Sigma*d.Sigma)
	case "gamma":
		return mean, mean * mean / d.Shape
	case "pareto":
		return mean, distuv.Pareto{Xm: d.Min.Seconds(), Alpha: d.Alpha}.Variance()
	}
	panic("verify: no moments of " + d.Dist)
}

// failureRate returns the attempts per delivery of a list with a share of dead
// recipients. Every attempt for another recipient succeeds with probability p,
// and each recipient has at most n attempts.
func failureRate(dead, p float64, n int) float64 {
	return 1/p + dead*float64(n)/((1-dead)*delivered(p, n))
}

// delivered returns the share of living recipients that n attempts reach.
func delivered(p float64, n int) float64 { return 1 - math.Pow(1-p, float64(n)) }

// plant is a server under the universal scalability law (Gunther): messages
// per hour and process, slowed by contention and coherency.
type plant struct{ lambda, sigma, kappa float64 }

func (p plant) slowdown(n float64) float64 { return 1 + p.sigma*(n-1) + p.kappa*n*(n-1) }

// efficiency returns E(N), messages per hour and process.
func (p plant) efficiency(n float64) float64 { return p.lambda / p.slowdown(n) }

// rate returns X(N), messages per hour.
func (p plant) rate(n float64) float64 { return n * p.efficiency(n) }

// contraction returns a(N) = -dlnE/dlnN: near a fixed point of the unclipped law
// C' = T / E(C), each interval multiplies the error by a.
func (p plant) contraction(n float64) float64 {
	return n * (p.sigma + p.kappa*(2*n-1)) / p.slowdown(n)
}

// root returns the lesser N with X(N) = target, which is the stable one.
func (p plant) root(target float64) float64 {
	a, b, c := p.kappa, p.sigma-p.kappa-p.lambda/target, 1-p.sigma
	if a == 0 {
		return -c / b
	}
	return (-b - math.Sqrt(b*b-4*a*c)) / (2 * a)
}

// settling returns the number of intervals until C stays within a share of its
// fixed point. C moves by d per interval until the remaining error shrinks by
// less than d, and then by the factor a.
func settling(from, to, d, a, within float64) float64 {
	left := min(math.Abs(to-from), d/(1-a))
	n := math.Ceil((math.Abs(to-from) - left) / d)
	if left > within*to {
		n += math.Ceil(math.Log(within*to/left) / math.Log(a))
	}
	return n
}
