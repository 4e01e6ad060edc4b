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
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Server is the role of the sending server.
type Server struct {
	cfg  Config
	out  *engine.Outbox
	now  vt.Time
	next vt.Time // the next check
	pull vt.Time // when changes are asked for next

	jobs    []*job
	servers []known
	used    []used          // by account
	bars    []engine.Change // of who must get nothing, in the order of their numbers, from 1 on
	barred  map[mail.Recipient]bool
	// sources has the number of the last change from each server for returned mail, and from each for requests.
	sources [2][]uint64

	delivered uint64  // recipients of finished subsets
	busy      vt.Span // time of their attempts
}

// job is a mailing.
type job struct {
	engine.Submitted
	point   engine.Checkpoint
	epoch   uint32
	rest    []engine.Part // places that were in no plan
	offers  []int         // by server: processes that it keeps, or unknown; nil: servers were not asked since the plan
	asked   vt.Time       // when servers were asked for offers
	subsets []*subset
	planned []engine.Planned // of the plan that is being read from facts
	status  []mail.Status    // by recipient
	left    int              // number of recipients that are not final
	twice   []bool           // by recipient: may have got a message without a reply, and so another one
	summary engine.Summary
	told    bool // who asked for the mailing has the summary
}

// subset is a part of the list of a mailing on its server.
type subset struct {
	engine.Planned
	point    engine.Checkpoint // of the server, as it told
	imported uint64
	newest   vt.Time // Sent of its newest Progress
	echo     vt.Time // Sent of the Progress from which its lease is counted
	heard    vt.Time // when the last Progress came: a lease is counted from before it
	over     bool    // finished or lost

	moves     uint64  // of the newest Progress
	moved     vt.Time // when they last changed, or no attempt was under way
	restarted bool    // since the last outcome the server was asked to begin again
	still     uint64  // its moves then
	leaves    vt.Time // since when its lease is not renewed, since it stands still again; vt.Never: it is

	// time of attempts on the server: in all, and as last told
	busy, told vt.Span
}

// known is what the sender knows of a delivering server.
type known struct {
	heard  vt.Time // when the last message came; vt.Never: none yet
	barred uint64  // number of the last bar that it has
}

// New returns a server at time 0 without any facts.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, servers: make([]known, cfg.Servers), used: make([]used, len(cfg.Accounts)),
		barred: map[mail.Recipient]bool{}, sources: [2][]uint64{{0}, {0}}}
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
		if m.Recipients == 0 {
			panic(fmt.Sprintf("sender: job %d has no recipients, want at least 1", m.Job))
		}
		if m.Account < 0 || m.Account > len(s.cfg.Accounts) {
			panic(fmt.Sprintf("sender: job %d has account %d, want at most %d", m.Job, m.Account, len(s.cfg.Accounts)))
		}
		for _, j := range s.jobs {
			if m.First < j.end() && j.First < m.First+m.Recipients {
				panic(fmt.Sprintf("sender: job %d has places of job %d", m.Job, j.Job))
			}
		}
		if m.Processes == 0 {
			m.Processes = s.cfg.Processes
		}
		if m.Size == 0 {
			m.Size = s.cfg.Size
		}
		s.write(m)
		s.add(m)
		s.next = now
	}
}

func (s *Server) add(m engine.Submitted) {
	s.jobs = append(s.jobs, &job{Submitted: m, rest: []engine.Part{{From: m.First, To: m.First + m.Recipients}},
		status: make([]mail.Status, m.Recipients), left: int(m.Recipients),
		twice: make([]bool, m.Recipients)})
}

// Outcomes returns what became of each recipient of a mailing so far, and whether the mailing is closed; nil if there
// is no such mailing.
func (s *Server) Outcomes(id engine.Job) (all []mail.Status, closed bool) {
	j := s.find(id)
	if j == nil {
		return nil, false
	}
	return slices.Clone(j.status), j.point == engine.P699
}

// Tally returns the number of mailings that are not closed, and how many of their recipients have each status.
func (s *Server) Tally() (open int, count [mail.Statuses]uint64) {
	for _, j := range s.jobs {
		if j.point == engine.P699 {
			continue
		}
		open++
		for _, v := range j.status {
			count[v]++
		}
	}
	return open, count
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

// named returns the mailing of a subset, and the subset; nil: there is none.
func (s *Server) named(id engine.Subset) (*job, *subset) {
	j := s.find(id.Job)
	if j == nil {
		return nil, nil
	}
	return j, j.find(id)
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
		s.servers[m.From.Server].heard = now
		if j := s.find(b.Job); j != nil {
			s.offer(j, m.From.Server, b.Processes)
		}
	case engine.Tally:
		s.tally(b)
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

// Wake checks the queue (figure 7) and all subsets (figures 8B and 8C).
func (s *Server) Wake(now vt.Time, _ engine.Load, out *engine.Outbox) {
	if s.now, s.out = now, out; now < s.next {
		return
	}
	s.next = s.ask()
	for _, j := range s.jobs {
		if j.told {
			continue
		}
		if now < j.Due {
			s.next = min(s.next, j.Due)
			continue
		}
		if s.waits(j) {
			s.next = min(s.next, vt.Time(day)*vt.Time(dayOf(now)+1))
			continue
		}
		s.next = min(s.next, now.Add(s.cfg.Check))
		switch {
		case j.point < engine.P400:
			s.prepare(j)
			s.hire(j)
		case j.point < engine.P450:
			if !s.plan(j, true) {
				s.hire(j)
			}
		case j.point < engine.P699:
			s.check(j)
		default:
			s.send(engine.Address{}, j.summary)
		}
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
		case engine.Tallied:
			s.count(f.Tally)
		case engine.Finished:
			j := s.find(f.Subset.Job)
			v := j.find(f.Subset)
			v.over = true
			s.measure(j, v, f.Busy)
		case engine.Closed:
			j := s.find(f.Summary.Job)
			j.point, j.summary = engine.P699, f.Summary
		case engine.Reported:
			s.find(f.Job).told = true
		case engine.Worked:
			s.delivered, s.busy = s.delivered+f.Delivered, s.busy+f.Busy
		case engine.Barred:
			s.bar(f.From, f.Number, engine.Change{Rcpt: f.Rcpt})
		case engine.Unbarred:
			s.bar(f.From, f.Number, engine.Change{Rcpt: f.Rcpt, Add: true})
		default:
			panic(fmt.Sprintf("sender: got fact %T, want one of a sending server", f))
		}
	}
}
