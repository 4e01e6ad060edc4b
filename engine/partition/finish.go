package partition

import "math"

// FinishBound returns after how many milliseconds the last server is done at the earliest, whatever the plan:
// balance and quotas only add to it. Let servers have weights that add up to 1, over all processes. The last
// server is done no earlier than the weighted mean of all servers, and that is least if every recipient has the
// server of the least weighted time. So every choice of weights gives a bound; the weights are moved towards the
// servers that would be done last, and the greatest bound counts. A server without room takes no part.
func FinishBound(p *Problem) (best float64) {
	p = p.withRoom()
	n := len(p.Servers)
	weights, busy := make([]float64, n), make([]float64, n)
	for i := range weights {
		weights[i] = 1
	}
	for round := range 100 {
		var sum, bound float64
		for i, w := range weights {
			sum += float64(w * float64(p.Servers[i].Processes))
		}
		clear(busy)
		for d, s := range p.Sites {
			to, row := 0, p.Cost[p.At(d, 0):p.At(d+1, 0)]
			least := math.Inf(1)
			for i, c := range row {
				if v := float64(weights[i]*float64(c)) / sum; v < least {
					to, least = i, v
				}
			}
			bound += float64(float64(s.Recipients) * least)
			busy[to] += float64(s.Recipients*row[to]) / float64(p.Servers[to].Processes)
		}
		best = max(best, bound)
		if bound == 0 {
			return 0
		}
		step := 1 / math.Sqrt(float64(round+1))
		for i := range weights {
			weights[i] *= math.Exp(float64(step * min(busy[i]/bound-1, 1)))
		}
	}
	return best
}

// withRoom returns the problem of the servers that have room, without quotas of sites.
func (p *Problem) withRoom() *Problem {
	q := &Problem{Sites: p.Sites, Imbalance: p.Imbalance}
	rooms := p.Rooms()
	for i, v := range p.Servers {
		if rooms[i] > 0 {
			q.Servers = append(q.Servers, v)
		}
	}
	for at, c := range p.Cost {
		if rooms[at%len(rooms)] > 0 {
			q.Cost = append(q.Cost, c)
		}
	}
	return q
}
