package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/reporting"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/sender"
	"flyball/internal/mail"
	"flyball/internal/pause"
	"flyball/internal/points"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/depot"
	"flyball/realrun/guard"
	"flyball/realrun/message"
	"flyball/realrun/station"
	"flyball/site"
)

// sending is the A server: it takes mailings from the queue, and has B servers deliver them.
type sending struct {
	*member
	role    *sender.Server
	station *station.Station
	files   *depot.Depot
	web     net.Listener // of the depot
	sums    chan engine.Summary
	outbox  *reporting.Outbox

	lock     sync.Mutex
	recorded map[engine.Job]bool // by the storage server

	register *guard.Register // of who makes attempts; nil: the site mails no people
}

// openSending opens the A server.
func (p *Process) openSending(ctx context.Context, m *member) (err error) {
	s := &sending{member: m, sums: make(chan engine.Summary, 16), recorded: map[engine.Job]bool{}}
	m.server = s
	cfg := sender.Default(p.site.Servers())
	of := p.site.Sending
	cfg.Processes, cfg.Chunk, cfg.Check, cfg.Lease, cfg.Patience, cfg.Licence = of.Processes, of.Chunk, of.Check,
		of.Lease, of.Patience, of.Licence
	cfg.Stall = p.site.Scenario.Stall()
	if errs := cfg.Validate(); errs != nil {
		return task.Fail(task.Invalid, "sending: %w", errors.Join(errs...))
	}
	s.role = sender.New(cfg)
	if err := s.openOutbox(); err != nil {
		return err
	}
	if s.files, err = depot.Open(filepath.Join(m.of.Folder, "depot")); err != nil {
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(s.files.Close)
	if s.web, err = m.listen("depot.listen", p.site.DepotAddress()); err != nil {
		return err
	}
	if err := s.openRegister(); err != nil {
		return err
	}
	m.local(engine.Operator, func(e engine.Message) {
		select {
		case s.sums <- e.Body.(engine.Summary):
		default: // it is repeated until it is answered
		}
	})
	if s.station, err = m.openStation(s.role, time.Time{}); err != nil {
		return err
	}
	return m.join(ctx, s.station.Receive)
}

// run runs the server until ctx ends, or something fails for good.
func (s *sending) run(ctx context.Context) error {
	return together(ctx, s.station.Run, s.serve, s.takeMailings, s.reports, s.outbox.Run, s.watchBus)
}

func (s *sending) serve(ctx context.Context) error {
	return s.serveDepot(ctx, s.files, s.web, func(d *depot.Server) {
		d.Outcomes = s.outcomes
		d.Recorded = func(_ context.Context, job engine.Job) error {
			s.lock.Lock()
			defer s.lock.Unlock()
			s.recorded[job] = true
			return nil
		}
		if s.register != nil {
			d.Admit = s.admit
		}
	})
}

// outcomes returns what became of each recipient of a mailing so far, and whether it is closed.
func (s *sending) outcomes(ctx context.Context, job engine.Job) (all []byte, closed bool, err error) {
	var status []mail.Status
	err = s.station.Do(ctx, func(vt.Time, *engine.Outbox) { status, closed = s.role.Outcomes(job) })
	if err == nil && status == nil {
		err = fmt.Errorf("mailing %d is %w: it is not taken yet", job, depot.ErrAbsent)
	}
	for _, v := range status {
		all = append(all, byte(v))
	}
	return all, closed, err
}

// takeMailings moves mailings from the queue to the role until ctx ends. A mailing that cannot be taken stays, and is
// said.
func (s *sending) takeMailings(ctx context.Context) error {
	said := map[string]string{}
	for ; ctx.Err() == nil; pause.For(ctx, look) {
		names, err := s.in.site.Waiting()
		if err != nil {
			return err
		}
		for _, name := range names {
			err := s.in.site.Lapsed(time.Now())
			if err == nil {
				err = s.in.site.Move(ctx, name, s.files, s.submit)
			}
			if ctx.Err() != nil {
				return nil
			} else if err != nil && said[name] != err.Error() {
				said[name] = err.Error()
				s.log.Error("a mailing cannot be taken", "mailing", name, "why", err)
			}
		}
	}
	return nil
}

// submit gives the role a mailing. Its times are times of the station.
func (s *sending) submit(ctx context.Context, m depot.Manifest, p sites.Pending) error {
	if err := s.outbox.Expect(m.Job, m.Secret, p.Notify); err != nil {
		return err
	}
	err := s.station.Do(ctx, func(now vt.Time, out *engine.Outbox) {
		at := func(t time.Time) vt.Time {
			if t.IsZero() {
				return 0
			}
			return max(1, now+vt.Time(time.Until(t)))
		}
		s.role.Submit(now, engine.Submitted{Job: m.Job, First: m.First, Recipients: mail.Recipient(m.Recipients),
			Due: at(p.Due), Deadline: at(p.Deadline), Terms: m.Terms}, out)
	})
	if err == nil {
		s.log.Info("a mailing is taken", "job", m.Job, "recipients", m.Recipients)
	}
	return err
}

// reports ends each mailing of which the role has a summary, and acknowledges that, until ctx ends. The role asks again
// about one that cannot end yet.
func (s *sending) reports(ctx context.Context) error {
	given := map[engine.Job]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case sum := <-s.sums:
			switch ended, err := s.end(sum, given); {
			case err != nil:
				s.log.Error("a report cannot be given", "job", sum.Job, "why", err)
			case ended:
				points.Reached("reported")
				s.station.Receive(engine.Message{Body: engine.Got{UpTo: uint64(sum.Job)}})
			}
		}
	}
}

// end gives the report of a mailing, unless given has it, and then lets its list and its letter go, once the storage
// server has its outcomes too, if there is one. It reports whether they have gone.
func (s *sending) end(sum engine.Summary, given map[engine.Job]bool) (bool, error) {
	m, err := s.files.Mailing(sum.Job)
	if err == nil && !given[sum.Job] {
		err = s.report(m, sum)
	}
	if given[sum.Job] = err == nil; err != nil {
		return false, err
	}
	if !m.Ended && !s.isRecorded(sum.Job) { // ended: before a stop
		return false, nil
	}
	return true, s.files.End(sum.Job)
}

// isRecorded reports whether no storage server needs a mailing any more.
func (s *sending) isRecorded(job engine.Job) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.recorded[job] || len(s.in.site.Of(site.Storage)) == 0
}

// report gives the report of a mailing: to a file, and to those who are to have it.
func (s *sending) report(m depot.Manifest, sum engine.Summary) error {
	r := reporting.New(s.in.site.Name, sum, m.Recipients, m.Date, time.Now())
	if m.List != nil {
		r.List = m.List.Name
	}
	if m.Letter != nil {
		r.Letter = m.Letter[0].Name
	}
	file, err := s.outbox.Give(r, m.Secret, s.in.site.Sending.Notify)
	if err != nil {
		return err
	}
	s.log.Info("a mailing is reported", "job", r.Job, "delivered", r.Delivered, "failed", r.Failed,
		"suppressed", r.Suppressed, "held", r.Held, "ambiguous", r.Ambiguous, "report", file)
	return nil
}

// openOutbox opens what sends reports: as B servers send, by the resend policy of the scenario.
func (s *sending) openOutbox() error {
	of := s.in.site
	s.outbox = &reporting.Outbox{Dir: of.Outbox(), Reports: of.Sending.Reports, Sender: of.Sender(), Log: s.log,
		Retry: of.Scenario.Retry, Via: s.mailsTo}
	if of.Allowlist != nil {
		s.outbox.Permit = func(ctx context.Context) error {
			all, err := s.in.allCaps()
			if err != nil {
				return err
			}
			return all.Take(ctx)
		}
	}
	if err := s.outbox.Open(); err != nil {
		return task.Fail(task.Environment, "%s: %w", s.name, err)
	}
	return nil
}

// mailsTo returns what takes a report to a domain, and what signs it. Secrets are read when they are needed: the
// computer of an A server that mails no report needs none.
func (s *sending) mailsTo(domain string) (*realrun.SMTP, *message.Signer, error) {
	of := s.in.site
	shows, err := of.ReadSecrets()
	if err != nil {
		return nil, nil, err
	}
	hello := of.Hello(s.of)
	leads, err := leads(of, hello, func(mail.Recipient) string { return domain })
	return &realrun.SMTP{Resolver: leads, Dialogue: of.Scenario.Dialogue, Scale: 1, Allow: of.Allowlist,
		Security: shows.Security, Domain: hello}, shows.Signer, err
}
