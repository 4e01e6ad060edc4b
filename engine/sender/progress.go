package sender

import (
	"fmt"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// check asks the servers of all subsets for progress ([0035]), renews leases, ends subsets whose server is lost, and
// closes the mailing when all have ended.
func (s *Server) check(j *job) {
	if s.plan(j, true) {
		return
	}
	open := len(j.rest) > 0
	ask := open && s.portion(j) > 0
	for i := 0; i < len(j.subsets); i++ { // a subset that is planned on the way is transferred at once
		v := j.subsets[i]
		if v.over {
			continue
		}
		open = true
		ask = ask || s.now > v.heard.Add(s.cfg.Patience-2*s.cfg.Check) || v.leaves != vt.Never
		switch {
		case s.now > v.heard.Add(s.cfg.Patience) && s.reallocate(j, v):
		case s.now > v.leaves.Add(s.cfg.Patience) && s.reallocate(j, v):
		case v.point < engine.P500:
			s.transfer(j, v)
		default:
			s.watch(v)
			s.start(v)
		}
	}
	if ask {
		s.hire(j) // who has finished answers too, and may fetch more or take over
	}
	if !open {
		s.close(j)
	}
}

// watch sees whether the attempts of a subset stand still on a server that answers ([0035]). The server is asked to
// begin again at its checkpoint; if they stand still again and no outcome has come since, its lease is not renewed.
// Once it has ended for certain, the subset is lost.
func (s *Server) watch(v *subset) {
	if s.now > v.leaves.Add(s.cfg.Patience) { // no other server could take over
		v.restarted, v.leaves, v.moved = false, vt.Never, s.now
	}
	if !s.answers(v.Server) {
		return // it does not answer: patience counts
	}
	if s.now > v.moved.Add(s.cfg.Stall) && v.leaves == vt.Never {
		if v.moved = s.now; v.restarted {
			v.leaves = s.now
		} else {
			v.restarted, v.still = true, v.moves
		}
	}
	if v.restarted && v.moves == v.still {
		s.send(remote(v.Server), engine.Restart{Subset: v.Subset, Moves: v.still})
	}
}

// answers reports whether a server has sent something not long ago.
func (s *Server) answers(v mail.Server) bool {
	heard := s.servers[v].heard
	return heard != vt.Never && s.now <= heard.Add(3*s.cfg.Check)
}

// transfer hands a subset to its server.
func (s *Server) transfer(j *job, v *subset) {
	terms := j.Terms
	terms.Processes = v.Processes
	s.send(remote(v.Server), engine.Transfer{Subset: v.Subset, Part: v.Part, Digest: engine.DigestOf(v.Part),
		Terms: terms})
}

// start lets the server of a subset deliver it until the end of a lease.
func (s *Server) start(v *subset) {
	known := &s.servers[v.Server]
	bars := s.bars[min(known.barred, uint64(len(s.bars))):]
	s.send(remote(v.Server), engine.Start{Subset: v.Subset, Echo: v.echo, Imported: v.imported, First: known.barred + 1,
		Bars: engine.PackChanges(bars[:min(len(bars), s.cfg.Batch)])})
}

// progress takes the state of a subset from its server.
func (s *Server) progress(from mail.Server, b engine.Progress) {
	s.servers[from].heard = s.now
	s.servers[from].barred = max(s.servers[from].barred, b.Barred)
	j, v := s.named(b.Subset)
	if v == nil || v.over {
		s.send(remote(from), engine.Drop{Subset: b.Subset})
		return
	}
	fresh := fresh(v, b)
	if !j.has(fresh) {
		return // it is about another list
	}
	v.heard = s.now
	if len(fresh) > 0 {
		v.restarted, v.moved, v.leaves = false, s.now, vt.Never
	}
	if b.Sent > v.newest {
		if v.newest = b.Sent; b.Moves != v.moves || b.Open == 0 && v.leaves == vt.Never {
			v.moves, v.moved, v.leaves = b.Moves, s.now, vt.Never
		}
		if v.leaves == vt.Never {
			v.echo = b.Sent
		}
		if b.Busy < v.told {
			v.told = 0 // the server stopped and counts anew
		}
		v.busy, v.told = v.busy+b.Busy-v.told, b.Busy
	}
	first := v.point < engine.P500
	v.point = max(v.point, b.Checkpoint)
	if b.Checkpoint == engine.P000 {
		v.point = engine.P000 // the server lost what it had
	}
	if len(fresh) > 0 {
		s.write(engine.Imported{Subset: v.Subset, First: v.imported + 1, Outcomes: engine.PackOutcomes(fresh)})
		s.take(j, v, fresh)
	}
	switch {
	case b.Checkpoint == engine.P650 && v.imported == b.Ended: // of an older Progress Ended is not the last
		s.finish(j, v, v.busy)
		s.start(v) // the server learns what is imported
		s.check(j)
	case first && v.point >= engine.P500, len(fresh) > 0:
		s.start(v)
	}
}

// tally ends a subset whose recipients were only counted.
func (s *Server) tally(b engine.Tally) {
	j, v := s.named(b.Subset)
	if v == nil || v.over {
		return // it is known
	}
	s.write(engine.Tallied{Tally: b})
	s.count(b)
	if len(j.rest) == 0 && !slices.ContainsFunc(j.subsets, func(v *subset) bool { return !v.over }) {
		s.close(j)
	}
}

// count applies the outcomes of a subset.
func (s *Server) count(b engine.Tally) {
	j := s.find(b.Subset.Job)
	v := j.find(b.Subset)
	v.over = true
	v.each(func(r mail.Recipient) { j.status[r-j.First] = counted })
	j.left -= count(engine.UnpackParts(v.Part))
	j.summary.Delivered += b.Delivered
	j.summary.Failed += b.Failed
	j.summary.Held += b.Held
	s.busy += b.Busy
	s.delivered += b.Delivered
}

// counted stands for the status of a recipient that is in the counts of its subset.
const counted = mail.Statuses

// finish ends a subset whose recipients are all final, and whose attempts took the time busy; 0: not known.
func (s *Server) finish(j *job, v *subset, busy vt.Span) {
	s.write(engine.Finished{Subset: v.Subset, Busy: busy})
	v.over = true
	s.measure(j, v, busy)
}

// fresh returns the outcomes that are not imported yet; none if some before them did not come.
func fresh(v *subset, b engine.Progress) []engine.Final {
	if b.First > v.imported+1 {
		return nil
	}
	all := engine.UnpackOutcomes(b.Outcomes)
	return all[min(v.imported+1-b.First, uint64(len(all))):]
}

// has reports whether all outcomes are about recipients of the mailing.
func (j *job) has(all []engine.Final) bool {
	for _, f := range all {
		if f.Rcpt < j.First || f.Rcpt >= j.end() {
			return false
		}
	}
	return true
}

// take applies outcomes of a subset.
func (s *Server) take(j *job, v *subset, fresh []engine.Final) {
	v.imported += uint64(len(fresh))
	for _, f := range fresh {
		i := f.Rcpt - j.First
		j.status[i] = f.Status
		j.left--
		j.twice[i] = j.twice[i] || f.Ambiguous
	}
}

// close ends a mailing: its report is due, and it leaves the queue.
func (s *Server) close(j *job) {
	sum := j.summary
	sum.Job = j.Job
	if j.Deadline > 0 {
		sum.Late = max(0, s.now.Sub(j.Deadline))
	}
	for i, status := range j.status {
		switch status {
		case mail.Done:
			sum.Delivered++
		case mail.Failed:
			sum.Failed++
		case mail.Held, mail.Unreached:
			sum.Held++
		case mail.Suppressed:
			sum.Suppressed++
		case counted:
		default:
			panic(fmt.Sprintf("sender: job %d: recipient %d is %v after all subsets, want final", j.Job,
				j.First+mail.Recipient(i), status))
		}
		if j.twice[i] {
			sum.Ambiguous++
		}
	}
	f := engine.Closed{Summary: sum}
	s.write(f)
	j.point, j.summary = engine.P699, sum
	s.send(engine.Address{}, sum)
}
