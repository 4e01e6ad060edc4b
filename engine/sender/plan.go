package sender

import (
	"fmt"

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
		s.send(remote(mail.Server(i)), engine.Hire{Job: j.Job, Processes: s.cfg.Processes,
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
	weights := make([]int, len(s.servers))
	weights[v] = 1
	to := min(j.next+mail.Recipient(s.cfg.Chunk), j.end())
	s.cut(j, []engine.Part{{From: j.next, To: to}}, weights, engine.Subset{})
	s.transfer(j.subsets[len(j.subsets)-1])
}

// plan cuts the list of a mailing in proportion to the processes that servers keep for it, as soon as
// all have answered, or late with those that have ([0031], [0062]). It reports whether it did; a list that is
// fetched in chunks is not cut.
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
	s.cut(j, []engine.Part{{From: j.First, To: j.end()}}, granted, engine.Subset{})
	s.check(j)
	return true
}

// cut makes the next plan: places of the list for servers, in proportion to weights, instead of a lost
// subset; of plan 0: none.
func (s *Server) cut(j *job, places []engine.Part, weights []int, instead engine.Subset) {
	var count, total uint64
	for _, p := range places {
		count += uint64(p.To - p.From)
	}
	of := 0
	for _, n := range weights {
		total += uint64(n)
		if n > 0 {
			of++
		}
	}
	epoch := j.epoch + 1
	var sum, taken uint64
	number := uint32(0)
	for i, n := range weights {
		if n == 0 {
			continue
		}
		sum += uint64(n)
		want := count*sum/total - taken
		taken += want
		var part []engine.Part
		for want > 0 {
			p := &places[0]
			n := min(mail.Recipient(want), p.To-p.From)
			part = append(part, engine.Part{From: p.From, To: p.From + n})
			want -= uint64(n)
			if p.From += n; p.From == p.To {
				places = places[1:]
			}
		}
		f := engine.Planned{Subset: engine.Subset{Job: j.Job, Epoch: epoch, Number: number}, Of: of,
			Server: mail.Server(i), Part: engine.PackParts(part), Instead: instead}
		number++
		s.write(f)
		s.enact(j, f)
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
		if parts := engine.UnpackParts(p.Part); p.Instead == (engine.Subset{}) && len(parts) > 0 {
			j.next = parts[len(parts)-1].To
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
	s.cut(j, rest, weights, lost.Subset)
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
