// Package sender carries mailings to their end: the role of the sending server ("A server",
// [0029]-[0041], [0078]-[0088]). It has the queue of pending messages, cuts the list of a due
// one into subsets for the delivering servers that have processes, sees that each makes
// progress, cuts what a lost server leaves unfinished anew, and reports.
//
//	mailing: pending (P000) -> prepared (P400) -> planned (P450) -> closed (P699) -> reported
//	subset:  planned -> finished (P699), or lost: then planned again under the next plan
package sender

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Servers   int     // number of delivering servers
	Processes int     // wanted for a mailing
	Size      int     // recipients that a process takes at a time
	Chunk     int     // recipients that a server with free processes fetches at a time; 0: the list is cut at once
	Check     vt.Span // time between two checks of all subsets
	Lease     vt.Span // for which a delivering server may deliver after a Progress
	Drift     float64 // most by which the clocks of two servers differ in speed, as a share
	Patience  vt.Span // after which a server that does not answer is lost; longer than any lease lasts
	Batch     int     // most bars in a Start
}

// Default returns the configuration for a number of delivering servers.
func Default(servers int) Config {
	return Config{Servers: servers, Processes: 4, Size: 3, Check: vt.Second, Lease: 5 * vt.Second, Drift: 0.01,
		Patience: 20 * vt.Second, Batch: 1000}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name string
		n    int
	}{{"servers", c.Servers}, {"processes", c.Processes}, {"size", c.Size}, {"batch", c.Batch}} {
		if v.n < 1 {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least 1", v.name, v.n))
		}
	}
	if c.Chunk < 0 {
		errs = append(errs, fmt.Errorf("chunk: got %d, want at least 0", c.Chunk))
	}
	if c.Check <= 0 {
		errs = append(errs, fmt.Errorf("check: got %v, want more than 0", c.Check))
	}
	if c.Lease <= c.Check {
		errs = append(errs, fmt.Errorf("lease: got %v, want more than the check of %v: it would end before it is "+
			"renewed", c.Lease, c.Check))
	}
	if c.Drift < 0 || c.Drift >= 1 {
		errs = append(errs, fmt.Errorf("drift: got %v, want from 0 to below 1", c.Drift))
	}
	if least := vt.Span(float64(c.Lease) * (1 + c.Drift)); c.Patience < least {
		errs = append(errs, fmt.Errorf("patience: got %v, want at least %v, the lease by the slowest clock: a server "+
			"may deliver until then", c.Patience, least))
	}
	return errs
}

// Server is the role of the sending server.
type Server struct {
	cfg  Config
	out  *engine.Outbox
	now  vt.Time
	next vt.Time // the next check

	jobs    []*job
	servers []known
	bars    []mail.Recipient // who must get nothing any more, in the order of their numbers, from 1 on
	barred  map[mail.Recipient]bool
	sources [2]uint64 // number of the last change from the servers for returned mail and for requests
}

// job is a mailing.
type job struct {
	engine.Submitted
	point   engine.Checkpoint
	epoch   uint32
	next    mail.Recipient // places before it were planned
	subsets []*subset
	planned []engine.Planned // of the plan that is being read from facts
	status  []mail.Status    // by recipient
	twice   []bool           // by recipient: may have got the message more than once
	summary engine.Summary
	told    bool
}

// subset is a part of the list of a mailing on its server.
type subset struct {
	engine.Planned
	point    engine.Checkpoint // of the server, as it told
	imported uint64
	echo     vt.Time // Sent of its newest Progress
	heard    vt.Time // when the last Progress came: a lease is counted from before it
	over     bool    // finished or lost
}

// known is what the sender knows of a delivering server.
type known struct {
	granted engine.Granted
	heard   vt.Time // when the last message came; vt.Never: none yet
	barred  uint64  // number of the last bar that it has
}

// New returns a server at time 0 without any facts.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, servers: make([]known, cfg.Servers), barred: map[mail.Recipient]bool{}}
	for i := range s.servers {
		s.servers[i].heard = vt.Never
	}
	return s
}

func (s *Server) write(f engine.Fact) { s.out.Write = append(s.out.Write, f) }

func (s *Server) send(to engine.Address, b engine.Body) {
	s.out.Send = append(s.out.Send, engine.Message{From: engine.Address{Role: engine.Sender}, To: to, Body: b})
}

func remote(v mail.Server) engine.Address { return engine.Address{Role: engine.Remote, Server: v} }

// Submit adds a mailing to the queue. A mailing that is there already is not added again.
func (s *Server) Submit(now vt.Time, m engine.Submitted, out *engine.Outbox) {
	s.now, s.out = now, out
	if s.find(m.Job) == nil {
		for _, j := range s.jobs {
			if m.First < j.end() && j.First < m.First+m.Recipients {
				panic(fmt.Sprintf("sender: job %d has places of job %d", m.Job, j.Job))
			}
		}
		s.write(m)
		s.add(m)
		s.next = now
	}
}

func (s *Server) add(m engine.Submitted) {
	s.jobs = append(s.jobs, &job{Submitted: m, next: m.First, status: make([]mail.Status, m.Recipients),
		twice: make([]bool, m.Recipients)})
}

// end returns the place behind the last recipient of the mailing.
func (j *job) end() mail.Recipient { return j.First + j.Recipients }

func (s *Server) find(id engine.Job) *job {
	for _, j := range s.jobs {
		if j.Job == id {
			return j
		}
	}
	return nil
}

func (j *job) find(id engine.Subset) *subset {
	for _, v := range j.subsets {
		if v.Subset == id {
			return v
		}
	}
	return nil
}

// Receive processes Granted and Progress of delivering servers, Changes of servers for returned mail
// and requests, Got of who asked for the mailing, and Stop.
func (s *Server) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	s.now, s.out = now, out
	switch b := m.Body.(type) {
	case engine.Granted:
		s.servers[m.From.Server].granted = b
		s.servers[m.From.Server].heard = now
		if j := s.find(b.Job); j != nil {
			s.offer(j, m.From.Server)
		}
	case engine.Progress:
		s.progress(m.From.Server, b)
	case engine.Changes:
		s.change(m.From, b)
	case engine.Got:
		if j := s.find(engine.Job(b.UpTo)); j != nil && j.point == engine.P699 && !j.told {
			s.write(engine.Reported{Job: j.Job})
			j.told = true
		}
	case engine.Stop:
		s.next = vt.Never
	default:
		panic(fmt.Sprintf("sender: got %v, want Granted, Progress, Changes, Got or Stop", m))
	}
}

// Complete panics: the role asks for no attempts.
func (s *Server) Complete(vt.Time, *mail.Completion, *engine.Outbox) {
	panic("sender: an attempt ended, want none")
}

// Wake checks the queue (figure 7) and all subsets (figures 8B and 8C).
func (s *Server) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	if s.now, s.out = now, out; now < s.next {
		return
	}
	s.next = vt.Never
	for _, j := range s.jobs {
		if j.told {
			continue
		}
		if now < j.Due {
			s.next = min(s.next, j.Due)
			continue
		}
		s.next = min(s.next, now.Add(s.cfg.Check))
		switch {
		case j.point < engine.P400:
			s.prepare(j)
			s.hire(j)
		case j.point < engine.P450 && s.cfg.Chunk > 0:
			s.hire(j)
		case j.point < engine.P450:
			s.plan(j, true)
		case j.point < engine.P699:
			s.check(j)
		default:
			s.send(engine.Address{}, j.summary)
		}
	}
}

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

// offer uses the processes that a server has granted.
func (s *Server) offer(j *job, v mail.Server) {
	switch {
	case s.cfg.Chunk == 0:
		s.plan(j, false)
	case j.point == engine.P400 || j.point == engine.P450:
		s.fetch(j, v)
	}
}

// fetch gives a server that has free processes the next chunk of the list, if it has begun all that it was given
// ([0060]-[0062]). Each chunk is a plan.
func (s *Server) fetch(j *job, v mail.Server) {
	g := &s.servers[v].granted
	if j.next == j.end() || g.Job != j.Job || g.Processes == 0 {
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
// all have answered, or late with those that have ([0031], [0062]).
func (s *Server) plan(j *job, late bool) {
	if j.point != engine.P400 {
		return
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
	switch {
	case any && (all || late):
		s.cut(j, []engine.Part{{From: j.First, To: j.end()}}, granted, engine.Subset{})
		s.check(j)
	case late:
		s.hire(j)
	}
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

// check asks the servers of all subsets for progress ([0035]), renews leases, ends subsets whose server is lost, and
// closes the mailing when all have ended.
func (s *Server) check(j *job) {
	open := j.next < j.end()
	ask := open
	for i := 0; i < len(j.subsets); i++ { // a subset that is planned on the way is transferred at once
		v := j.subsets[i]
		if v.over {
			continue
		}
		open = true
		ask = ask || s.now > v.heard.Add(s.cfg.Patience-2*s.cfg.Check)
		switch {
		case s.now > v.heard.Add(s.cfg.Patience) && s.reallocate(j, v):
		case v.point < engine.P500:
			s.transfer(v)
		default:
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

// transfer hands a subset to its server.
func (s *Server) transfer(v *subset) {
	s.send(remote(v.Server), engine.Transfer{Subset: v.Subset, Part: v.Part, Digest: engine.DigestOf(v.Part),
		Processes: s.cfg.Processes, Size: s.cfg.Size})
}

// start lets the server of a subset deliver it until the end of a lease.
func (s *Server) start(v *subset) {
	known := &s.servers[v.Server]
	bars := s.bars[min(known.barred, uint64(len(s.bars))):]
	s.send(remote(v.Server), engine.Start{Subset: v.Subset, Echo: v.echo, Imported: v.imported, First: known.barred + 1,
		Bars: engine.PackRecipients(bars[:min(len(bars), s.cfg.Batch)])})
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

// progress takes the state of a subset from its server.
func (s *Server) progress(from mail.Server, b engine.Progress) {
	s.servers[from].heard = s.now
	s.servers[from].barred = max(s.servers[from].barred, b.Barred)
	j := s.find(b.Subset.Job)
	var v *subset
	if j != nil {
		v = j.find(b.Subset)
	}
	if v == nil || v.over {
		s.send(remote(from), engine.Drop{Subset: b.Subset})
		return
	}
	v.heard = s.now
	v.echo = max(v.echo, b.Sent)
	first := v.point < engine.P500
	v.point = max(v.point, b.Checkpoint)
	if b.Checkpoint == engine.P000 {
		v.point = engine.P000 // the server lost what it had
	}
	fresh := fresh(v, b)
	if len(fresh) > 0 {
		s.write(engine.Imported{Subset: v.Subset, First: v.imported + 1, Outcomes: engine.PackOutcomes(fresh)})
		s.take(j, v, fresh)
	}
	switch {
	case b.Checkpoint == engine.P650 && v.imported == b.Ended: // of an older Progress Ended is not the last
		s.write(engine.Finished{Subset: v.Subset})
		v.over = true
		s.start(v) // the server learns what is imported
		s.check(j)
	case first && v.point >= engine.P500, len(fresh) > 0:
		s.start(v)
	}
}

// fresh returns the outcomes that are not imported yet; none if some before them did not come.
func fresh(v *subset, b engine.Progress) []engine.Final {
	if b.First > v.imported+1 {
		return nil
	}
	all := engine.UnpackOutcomes(b.Outcomes)
	return all[min(v.imported+1-b.First, uint64(len(all))):]
}

// take applies outcomes of a subset.
func (s *Server) take(j *job, v *subset, fresh []engine.Final) {
	v.imported += uint64(len(fresh))
	for _, f := range fresh {
		i := f.Rcpt - j.First
		j.status[i] = f.Status
		j.twice[i] = j.twice[i] || f.Ambiguous
	}
}

// close ends a mailing: its report is due, and it leaves the queue.
func (s *Server) close(j *job) {
	sum := engine.Summary{Job: j.Job}
	for i, status := range j.status {
		switch status {
		case mail.Done:
			sum.Delivered++
		case mail.Failed:
			sum.Failed++
		case mail.Held:
			sum.Held++
		case mail.Suppressed:
			sum.Suppressed++
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

// change takes changes of the list from a server for returned mail or requests.
func (s *Server) change(from engine.Address, b engine.Changes) {
	last := s.source(from)
	before := len(s.bars)
	for i, r := range engine.UnpackRecipients(b.Entries) {
		if n := b.First + uint64(i); n == *last+1 {
			f := engine.Barred{From: from, Number: n, Rcpt: r}
			s.write(f)
			s.bar(f)
		}
	}
	s.send(from, engine.Got{UpTo: *last})
	if len(s.bars) == before {
		return
	}
	for _, j := range s.jobs { // a request during a mailing counts at once
		for _, v := range j.subsets {
			if !v.over && v.point >= engine.P500 {
				s.start(v)
			}
		}
	}
}

func (s *Server) source(from engine.Address) *uint64 { return &s.sources[from.Role-engine.Bounces] }

func (s *Server) bar(f engine.Barred) {
	*s.source(f.From) = f.Number
	if !s.barred[f.Rcpt] {
		s.barred[f.Rcpt] = true
		s.bars = append(s.bars, f.Rcpt)
	}
}

// NextWake returns the time of the next check.
func (s *Server) NextWake() vt.Time { return s.next }

// Done reports whether all mailings are reported.
func (s *Server) Done() bool {
	for _, j := range s.jobs {
		if !j.told {
			return false
		}
	}
	return true
}

// Recover takes the facts of the server before its stop, and checks everything at once.
func (s *Server) Recover(now vt.Time, _ uint64, facts []engine.Fact, out *engine.Outbox) {
	s.now, s.out, s.next = now, out, now
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Submitted:
			s.add(f)
		case engine.Reached:
			s.find(f.Job).point = f.Checkpoint
		case engine.Planned:
			s.enact(s.find(f.Subset.Job), f)
		case engine.Imported:
			j := s.find(f.Subset.Job)
			s.take(j, j.find(f.Subset), engine.UnpackOutcomes(f.Outcomes))
		case engine.Finished:
			s.find(f.Subset.Job).find(f.Subset).over = true
		case engine.Closed:
			j := s.find(f.Summary.Job)
			j.point, j.summary = engine.P699, f.Summary
		case engine.Reported:
			s.find(f.Job).told = true
		case engine.Barred:
			s.bar(f)
		default:
			panic(fmt.Sprintf("sender: got fact %T, want one of a sending server", f))
		}
	}
}

// State is not saved: facts are.
func (s *Server) State(*snap.Codec) { panic("sender: State: the state of the role is its facts") }
