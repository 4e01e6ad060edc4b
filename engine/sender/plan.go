package sender

import (
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

// hire asks all servers for the processes that the mailing wants now; if it wants none, for an answer alone.
func (s *Server) hire(j *job) {
	j.asked = s.now
	j.offers = make([]int, len(s.servers))
	for i := range s.servers {
		j.offers[i] = unknown
		s.send(remote(mail.Server(i)), engine.Hire{Job: j.Job,
			Processes: min(j.Processes, s.wanted(j, s.portion(j), nil)), Fetch: s.cfg.Chunk > 0})
	}
}

// unknown is the offer of a server that has not answered.
const unknown = -1

// offer takes the processes that a server keeps for the mailing.
func (s *Server) offer(j *job, v mail.Server, processes int) {
	if j.offers == nil {
		return // of another life
	}
	if s.cfg.Chunk > 0 {
		s.fetch(j, v, processes)
		return
	}
	j.offers[v] = processes
	s.plan(j, false)
}

// fetch gives a server that keeps processes for the mailing the next chunk of the list, if it has begun all that it was
// given ([0060]-[0062]). Each chunk is a plan.
func (s *Server) fetch(j *job, v mail.Server, kept int) {
	n := min(s.cfg.Chunk, s.portion(j))
	most := s.limit(j, nil)
	if j.Deadline > 0 { // of all chunks together; a chunk that gets some gets what it needs itself
		if all := s.needed(j, j.left) - j.inUse(nil); all > 0 {
			most = min(most, max(all, s.needed(j, n)))
		} else {
			most = 0
		}
	}
	if n == 0 || most <= 0 || kept == 0 {
		return
	}
	for _, o := range j.subsets {
		if o.Server == v && !o.over && o.point < engine.P600 {
			return
		}
	}
	processes := make([]int, len(s.servers))
	if processes[v] = j.Processes; most < j.Processes {
		processes[v] = min(most, kept)
	}
	parts := make([][]engine.Part, len(s.servers))
	parts[v], _ = split(j.rest, n)
	s.decide(j, parts, processes, engine.Subset{})
	s.transfer(j, j.subsets[len(j.subsets)-1])
}

// plan cuts what is in no plan of the list of a mailing, or what the account has left today, by the processes that
// servers keep for the mailing, as soon as all have answered, or late with those that have ([0031], [0062]). It reports
// whether it did; a list that is fetched in chunks is not cut.
func (s *Server) plan(j *job, late bool) bool {
	if s.cfg.Chunk > 0 || s.now > j.asked.Add(2*s.cfg.Check) {
		return false
	}
	n := s.portion(j)
	most := s.wanted(j, n, nil)
	all, any := true, false
	for _, kept := range j.offers {
		all, any = all && kept != unknown, any || kept > 0
	}
	if n == 0 || most == 0 || !any || !all && !late {
		return false
	}
	kept := deal(most, len(s.servers), func(i int) int { return j.offers[i] })
	parts := cut(j.rest, kept)
	if s.cfg.Plan != nil {
		parts = s.given(j, kept)
	}
	parts = head(parts, n)
	s.decide(j, parts, j.staff(parts, kept, most), engine.Subset{})
	j.offers = nil
	s.check(j)
	return true
}

// given returns what is in no plan of the parts that the function of the configuration plans.
func (s *Server) given(j *job, kept []int) [][]engine.Part {
	parts := s.cfg.Plan(j.Submitted, kept)
	if list := []engine.Part{{From: j.First, To: j.end()}}; !slices.Equal(union(parts), list) {
		panic(fmt.Sprintf("sender: job %d: the plan has %v, want each of %v once", j.Job, parts, list))
	}
	all := make([][]engine.Part, len(s.servers))
	for i, p := range parts {
		all[i] = both(p, j.rest)
	}
	return all
}

// staff returns the processes of servers for their parts, most in all: one for each part, then as many as the server
// keeps, then up to those that the mailing wants on each. A part without processes goes to the other servers.
func (j *job) staff(parts [][]engine.Part, kept []int, most int) []int {
	withPart := func(bound func(i int) int) func(i int) int {
		return func(i int) int {
			if len(parts[i]) == 0 {
				return 0
			}
			return bound(i)
		}
	}
	n := deal(most, len(parts), withPart(func(int) int { return 1 }), withPart(func(i int) int { return kept[i] }),
		withPart(func(int) int { return j.Processes }))
	var rest []engine.Part
	for i := range parts {
		if n[i] == 0 {
			rest, parts[i] = append(rest, parts[i]...), nil
		}
	}
	for i, p := range cut(rest, n) {
		parts[i] = append(parts[i], p...)
	}
	return n
}

// decide makes the next plan: the parts of the list for servers with their processes, instead of a lost subset; of
// recipients that were in no plan: none.
func (s *Server) decide(j *job, parts [][]engine.Part, processes []int, instead engine.Subset) {
	of := 0
	for _, p := range parts {
		if len(p) > 0 {
			of++
		}
	}
	f := engine.Planned{Subset: engine.Subset{Job: j.Job, Epoch: j.epoch + 1}, Of: of, Instead: instead, At: s.now}
	for i, p := range parts {
		if len(p) > 0 {
			f.Server, f.Part, f.Processes = mail.Server(i), engine.PackParts(p), processes[i]
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
	before := count(j.rest)
	for _, p := range j.planned {
		for _, part := range engine.UnpackParts(p.Part) {
			j.rest = without(j.rest, part)
		}
		j.subsets = append(j.subsets, &subset{Planned: p, heard: s.now, moved: s.now, leaves: vt.Never})
	}
	s.spend(j, f.At, before-count(j.rest))
	j.planned, j.epoch = nil, f.Subset.Epoch
	j.point = engine.P450
}

// reallocate ends a subset whose server is lost and plans its recipients that are not final on servers that answer
// ([0037], [0078]). It reports whether there is such a server.
func (s *Server) reallocate(j *job, lost *subset) bool {
	var rest []engine.Part
	lost.each(func(r mail.Recipient) {
		if j.status[r-j.First] != mail.Pending {
			return
		}
		if n := len(rest); n > 0 && rest[n-1].To == r {
			rest[n-1].To++
		} else {
			rest = append(rest, engine.Part{From: r, To: r + 1})
		}
	})
	if rest == nil {
		s.finish(j, lost, 0)
		return true
	}
	most := s.wanted(j, count(rest), lost)
	kept := deal(most, len(s.servers), func(i int) int {
		if v := mail.Server(i); v != lost.Server && s.answers(v) {
			return 1
		}
		return 0
	})
	if !slices.Contains(kept, 1) {
		return false
	}
	parts := cut(rest, kept)
	s.decide(j, parts, j.staff(parts, kept, most), lost.Subset)
	return true
}

// lose ends a subset. Its recipients that are not final may have the message.
func (j *job) lose(lost *subset) {
	lost.over = true
	lost.each(func(r mail.Recipient) {
		j.twice[r-j.First] = j.twice[r-j.First] || j.status[r-j.First] == mail.Pending
	})
}

// each calls do with each recipient of the subset.
func (v *subset) each(do func(r mail.Recipient)) {
	for _, p := range engine.UnpackParts(v.Part) {
		for r := p.From; r < p.To; r++ {
			do(r)
		}
	}
}
