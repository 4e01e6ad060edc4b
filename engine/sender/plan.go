package sender

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// prepare makes what the mailing needs, a checkpoint after each step (figure 8A). What is made
// depends on the mailing alone, so a step that is done again makes the same.
func (s *Server) prepare(j *job) {
	for _, p := range []engine.Checkpoint{engine.P100, engine.P200, engine.P300, engine.P400} {
		if j.point < p {
			s.write(engine.Reached{Job: j.Job, Checkpoint: p, Digest: digest(j.Submitted, p)})
			j.point = p
		}
	}
}

func digest(m engine.Submitted, p engine.Checkpoint) uint64 { return engine.DigestOf(fmt.Sprint(m, p)) }

func (s *Server) hire(j *job) {
	for i := range s.servers {
		s.send(remote(mail.Server(i)), engine.Hire{Job: j.Job, Processes: j.Processes,
			Fetch: s.cfg.Chunk > 0})
	}
}

// fetch gives a server that has free processes the next chunk of the list, if it has begun all that it was given
// ([0060]-[0062]). Each chunk is a plan.
func (s *Server) fetch(j *job, v mail.Server) {
	g := &s.servers[v].granted
	if j.point < engine.P400 || j.next == j.end() || g.Processes == 0 {
		return
	}
	for _, o := range j.subsets {
		if o.Server == v && !o.over && o.point < engine.P600 {
			return
		}
	}
	g.Processes = 0
	parts := make([][]engine.Part, len(s.servers))
	parts[v] = []engine.Part{{From: j.next, To: min(j.next+mail.Recipient(s.cfg.Chunk), j.end())}}
	s.decide(j, parts, engine.Subset{})
	s.transfer(j, j.subsets[len(j.subsets)-1])
}

// plan cuts the list of a mailing by the processes that servers keep for it, as soon as all have answered, or late with
// those that have ([0031], [0062]). It reports whether it did; a list that is fetched in chunks is not cut.
func (s *Server) plan(j *job, late bool) bool {
	if j.point != engine.P400 || s.cfg.Chunk > 0 {
		return false
	}
	var granted []int
	all, any := true, false
	for i := range s.servers {
		n := 0
		if g := s.servers[i].granted; g.Job == j.Job && s.servers[i].heard != vt.Never {
			n = g.Processes
		} else {
			all = false
		}
		any = any || n > 0
		granted = append(granted, n)
	}
	if !any || !all && !late {
		return false
	}
	list := []engine.Part{{From: j.First, To: j.end()}}
	var parts [][]engine.Part
	if s.cfg.Plan == nil {
		parts = cut(list, granted)
	} else if parts = s.cfg.Plan(j.Submitted, granted); !slices.Equal(union(parts), list) {
		panic(fmt.Sprintf("sender: job %d: the plan has %v, want each of %v once", j.Job, parts, list))
	}
	s.decide(j, parts, engine.Subset{})
	s.check(j)
	return true
}

// union returns the places of all parts, in their order.
func union(parts [][]engine.Part) (all []engine.Part) {
	places := slices.Concat(parts...)
	slices.SortFunc(places, func(a, b engine.Part) int { return cmp.Compare(a.From, b.From) })
	for _, p := range places {
		if n := len(all); n > 0 && all[n-1].To == p.From {
			all[n-1].To = p.To
		} else {
			all = append(all, p)
		}
	}
	return all
}

// cut divides places of the list among servers, in proportion to weights.
func cut(places []engine.Part, weights []int) [][]engine.Part {
	var count, total uint64
	for _, p := range places {
		count += uint64(p.To - p.From)
	}
	for _, n := range weights {
		total += uint64(n)
	}
	parts := make([][]engine.Part, len(weights))
	var sum, taken uint64
	for i, n := range weights {
		sum += uint64(n)
		want := count*sum/total - taken
		taken += want
		for want > 0 {
			p := &places[0]
			n := min(mail.Recipient(want), p.To-p.From)
			parts[i] = append(parts[i], engine.Part{From: p.From, To: p.From + n})
			want -= uint64(n)
			if p.From += n; p.From == p.To {
				places = places[1:]
			}
		}
	}
	return parts
}

// decide makes the next plan: the parts of the list for servers, instead of a lost subset; of the first plan: none.
func (s *Server) decide(j *job, parts [][]engine.Part, instead engine.Subset) {
	of := 0
	for _, p := range parts {
		if len(p) > 0 {
			of++
		}
	}
	f := engine.Planned{Subset: engine.Subset{Job: j.Job, Epoch: j.epoch + 1}, Of: of, Instead: instead}
	for i, p := range parts {
		if len(p) > 0 {
			f.Server, f.Part = mail.Server(i), engine.PackParts(p)
			s.write(f)
			s.enact(j, f)
			f.Subset.Number++
		}
	}
}

// enact reads a plan, one subset after the other: it is in force when it is whole.
func (s *Server) enact(j *job, f engine.Planned) {
	if f.Subset.Number == 0 {
		j.planned = nil // of a plan that was never in force
	}
	if j.planned = append(j.planned, f); len(j.planned) < f.Of {
		return
	}
	if v := j.find(f.Instead); v != nil {
		j.lose(v)
	}
	for _, p := range j.planned {
		for _, part := range engine.UnpackParts(p.Part) {
			j.next = max(j.next, part.To)
		}
		j.subsets = append(j.subsets, &subset{Planned: p, heard: s.now})
	}
	j.planned, j.epoch = nil, f.Subset.Epoch
	j.point = engine.P450
}

// reallocate ends a subset whose server is lost and plans its recipients that are not final on servers
// that answer ([0037], [0078]). It reports whether there is such a server.
func (s *Server) reallocate(j *job, lost *subset) bool {
	weights := make([]int, len(s.servers))
	any := false
	for i := range s.servers {
		v := &s.servers[i]
		if v.heard != vt.Never && s.now <= v.heard.Add(3*s.cfg.Check) && mail.Server(i) != lost.Server {
			weights[i], any = 1, true
		}
	}
	if !any {
		return false
	}
	var rest []engine.Part
	for _, p := range engine.UnpackParts(lost.Part) {
		for r := p.From; r < p.To; r++ {
			if j.status[r-j.First] != mail.Pending {
				continue
			}
			if n := len(rest); n > 0 && rest[n-1].To == r {
				rest[n-1].To++
			} else {
				rest = append(rest, engine.Part{From: r, To: r + 1})
			}
		}
	}
	if rest == nil {
		s.finish(lost)
	} else {
		s.decide(j, cut(rest, weights), lost.Subset)
	}
	return true
}

// lose ends a subset. Its recipients that are not final may have the message.
func (j *job) lose(lost *subset) {
	lost.over = true
	for _, p := range engine.UnpackParts(lost.Part) {
		for r := p.From; r < p.To; r++ {
			j.twice[r-j.First] = j.twice[r-j.First] || j.status[r-j.First] == mail.Pending
		}
	}
}
