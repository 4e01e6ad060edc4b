// Package plan finds out how many MTA processes a mailing needs to be done by its
// deadlines, and what limits prove that no number of them is enough. The search calls a
// function for the runs and has no clock: the same runs give the same plan. The task of
// flyball plan calls it.
package plan

import (
	"fmt"
	"slices"

	"flyball/internal/vt"
)

// Question is what a search is to find.
type Question struct {
	Due  []vt.Time // by campaign; vt.Never without a deadline
	Most []int     // processes that a server can use, by server, 1 or more
	// Together means that servers share limits or a governor: all have equal numbers.
	Together bool
	Few      int // runs with which numbers are compared, 1 or more
	Surely   int // runs in which the number that is chosen was in time, Few or more
}

// Outcome is what a run of a number of processes came to by the last deadline.
type Outcome struct {
	Ends  [][]vt.Time // when the last recipient was final, by server and campaign; vt.Never: not yet
	Final uint64      // recipients that are final
	Lost  bool        // too many were given up because of refusals
}

// Job is a run that a search asks for.
type Job struct {
	Processes   []int // by server
	Replication uint64
}

// Runner makes runs and returns their outcomes in the order of the jobs.
type Runner func([]Job) ([]Outcome, error)

// Plan is a number of processes.
type Plan struct {
	Processes []int // by server
	Feasible  bool  // every run of the search was in time; otherwise the best that was tried
	Above     []int // of a plan that is not feasible: the next higher numbers that were tried, if any were
}

// Total returns the number of processes of all servers.
func (p Plan) Total() (n int) {
	for _, v := range p.Processes {
		n += v
	}
	return n
}

// Search keeps what runs came to, so that questions that differ in their deadlines alone
// share runs. The runs must go on to the last deadline of all questions.
type Search struct {
	run   Runner
	known map[string][]Outcome
	tried [][]int
}

// NewSearch returns a search that makes runs with run.
func NewSearch(run Runner) *Search { return &Search{run: run, known: map[string][]Outcome{}} }

// Find returns the least number of processes with which every run is in time. It doubles
// a number that is equal for all servers until runs are in time, goes back by halves, and
// then lowers each server alone. The error is the runner's.
func (s *Search) Find(q Question) (Plan, error) {
	most := slices.Max(q.Most)
	low, high := 0, 0 // low is too few, high is enough
	for n := 1; high == 0; n = min(2*n, most) {
		switch ok, err := s.inTime(q, q.all(n), q.Few); {
		case err != nil:
			return Plan{}, err
		case ok:
			high = n
		case n == most:
			return s.best(q), nil
		default:
			low = n
		}
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		ok, err := s.inTime(q, q.all(mid), q.Few)
		if err != nil {
			return Plan{}, err
		}
		if ok {
			high = mid
		} else {
			low = mid
		}
	}
	// Few runs may be in time by luck.
	for ; high <= most; high += 1 + high/50 {
		ok, err := s.inTime(q, q.all(high), q.Surely)
		if err != nil {
			return Plan{}, err
		}
		if ok {
			return s.spare(q, q.all(high))
		}
	}
	return s.best(q), nil
}

// all returns n processes for each server, or as many as it can use.
func (q Question) all(n int) []int {
	all := slices.Clone(q.Most)
	for i := range all {
		all[i] = min(all[i], n)
	}
	return all
}

// spare lowers the number of each server as far as it is in time with it.
func (s *Search) spare(q Question, enough []int) (Plan, error) {
	if q.Together || len(enough) == 1 {
		return Plan{Processes: enough, Feasible: true}, nil
	}
	low, high := make([]int, len(enough)), slices.Clone(enough)
	for !slices.Equal(low, high) {
		mid := make([]int, len(enough))
		for i := range mid {
			mid[i] = max(1, low[i]+(high[i]-low[i])/2)
			low[i] = max(1, low[i])
		}
		in, err := s.servers(q, mid, q.Few)
		if err != nil {
			return Plan{}, err
		}
		for i := range mid {
			switch {
			case low[i] >= high[i]:
			case in[i]:
				high[i] = mid[i]
			default:
				low[i] = mid[i] + 1
			}
		}
	}
	for !slices.Equal(high, enough) {
		in, err := s.servers(q, high, q.Surely)
		if err != nil {
			return Plan{}, err
		}
		if !slices.Contains(in, false) {
			break
		}
		for i := range high {
			if !in[i] {
				high[i] = min(enough[i], high[i]+1+high[i]/50)
			}
		}
	}
	return Plan{Processes: high, Feasible: true}, nil
}

// runs returns the outcomes of n replications of a number of processes.
func (s *Search) runs(processes []int, n int) ([]Outcome, error) {
	key := fmt.Sprint(processes)
	var jobs []Job
	for r := len(s.known[key]); r < n; r++ {
		jobs = append(jobs, Job{processes, uint64(r)})
	}
	if len(jobs) > 0 {
		out, err := s.run(jobs)
		if err != nil {
			return nil, err
		}
		if s.known[key] == nil {
			s.tried = append(s.tried, processes)
		}
		s.known[key] = append(s.known[key], out...)
	}
	return s.known[key][:n], nil
}

// inTime reports whether n runs are all in time.
func (s *Search) inTime(q Question, processes []int, n int) (bool, error) {
	in, err := s.servers(q, processes, n)
	return !slices.Contains(in, false), err
}

// servers returns which servers are in time in n runs. It stops at the first run that is
// late on all servers.
func (s *Search) servers(q Question, processes []int, n int) ([]bool, error) {
	in := make([]bool, len(processes))
	for i := range in {
		in[i] = true
	}
	for k := 1; ; k = min(n, 4*k) { // most numbers that are too few are seen to be so in one run
		all, err := s.runs(processes, k)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			for i := range in {
				in[i] = in[i] && !o.Lost && o.inTime(q, i)
			}
		}
		if k == n || !slices.Contains(in, true) {
			return in, nil
		}
	}
}

// Kept reports whether a run was in time on every server, and not too many recipients were
// given up.
func (o Outcome) Kept(q Question) bool {
	in := !o.Lost
	for i := range o.Ends {
		in = in && o.inTime(q, i)
	}
	return in
}

// inTime reports whether a server is in time.
func (o Outcome) inTime(q Question, server int) bool {
	for c, end := range o.Ends[server] {
		if end > q.Due[c] {
			return false
		}
	}
	return true
}

// alike is the part of the best end, or of the most final recipients, by which a plan may fall
// short of the best and needs fewer processes.
const alike = 0.02

// best returns the plan with the least number of processes whose first run came nearly as far
// as the one that came furthest, by the part alike. A run came further without too many
// recipients that were given up, then if it ended, then with an earlier end or, if it did not
// end, with more final recipients. Of equal numbers the one that was tried first counts.
func (s *Search) best(q Question) (best Plan) {
	first := func(p []int) Outcome { return s.known[fmt.Sprint(p)][0] }
	of := first(s.tried[0])
	for _, p := range s.tried {
		if o := first(p); o.further(q, of) {
			of = o
		}
	}
	for _, p := range s.tried {
		v := Plan{Processes: p}
		if first(p).near(q, of) && (best.Processes == nil || v.Total() < best.Total()) {
			best = v
		}
	}
	for _, p := range s.tried {
		n := slices.Max(p)
		if n > slices.Max(best.Processes) && (best.Above == nil || n < slices.Max(best.Above)) {
			best.Above = p
		}
	}
	return best
}

// end returns when the last recipient of a campaign with a deadline was final.
func (o Outcome) end(q Question) (at vt.Time) {
	for i := range o.Ends {
		for c, e := range o.Ends[i] {
			if q.Due[c] != vt.Never {
				at = max(at, e)
			}
		}
	}
	return at
}

// further reports whether a run came further than another.
func (o Outcome) further(q Question, than Outcome) bool {
	switch end, other := o.end(q), than.end(q); {
	case o.Lost != than.Lost:
		return than.Lost
	case end != other:
		return end < other
	}
	return o.Final > than.Final
}

// near reports whether a run came nearly as far as the best one.
func (o Outcome) near(q Question, best Outcome) bool {
	switch end, other := o.end(q), best.end(q); {
	case o.Lost != best.Lost:
		return false
	case other == vt.Never:
		return float64(o.Final) >= (1-alike)*float64(best.Final)
	default:
		return end != vt.Never && float64(end) <= (1+alike)*float64(other)
	}
}
