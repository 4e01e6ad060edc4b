package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/sender"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/internal/vt"
	"flyball/realrun/depot"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
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
	return together(ctx, s.station.Run, s.serve, s.takeMailings, s.reports, s.watchBus)
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
	for ; ctx.Err() == nil; sleep(ctx, look) {
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

// Report is a delivery report ([0038]).
type Report struct {
	Schema        string     `json:"schema"`
	SchemaVersion int        `json:"schema_version"`
	Site          string     `json:"site"`
	Job           engine.Job `json:"job"`
	Recipients    uint32     `json:"recipients"`
	Delivered     uint64     `json:"delivered"`
	Failed        uint64     `json:"failed"`
	Held          uint64     `json:"held"`       // who may have the message, and get it no second time
	Suppressed    uint64     `json:"suppressed"` // who asked for nothing while the mailing was under way
	Ambiguous     uint64     `json:"ambiguous"`  // who may have a message without a reply, and so another one
	LateSeconds   float64    `json:"late_seconds"`
	Ended         time.Time  `json:"ended"`
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
			switch ended, err := s.end(ctx, sum, given); {
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
func (s *sending) end(ctx context.Context, sum engine.Summary, given map[engine.Job]bool) (bool, error) {
	m, err := s.files.Mailing(sum.Job)
	if err == nil && !given[sum.Job] {
		err = s.report(ctx, m, sum)
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

// report gives a report: a file, and what the mailing's notify says.
func (s *sending) report(ctx context.Context, m depot.Manifest, sum engine.Summary) error {
	r := Report{Schema: "flyball/delivery-report", SchemaVersion: 1, Site: s.in.site.Name, Job: sum.Job,
		Recipients: m.Recipients, Delivered: sum.Delivered, Failed: sum.Failed, Held: sum.Held,
		Suppressed: sum.Suppressed, Ambiguous: sum.Ambiguous, LateSeconds: sum.Late.Seconds(),
		Ended: time.Now().UTC().Round(time.Millisecond)}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Files(s.in.site.Sending.Reports).Make(); err != nil {
		return err
	}
	name := filepath.Join(s.in.site.Sending.Reports, fmt.Sprintf("mailing-%d.json", sum.Job))
	if err := durable.Write(name, append(text, '\n')); err != nil {
		return err
	}
	if url := s.in.site.Sending.Notify; url != "" {
		if err := post(ctx, url, text); err != nil {
			return err
		}
	}
	s.log.Info("a mailing is reported", "job", r.Job, "delivered", r.Delivered, "failed", r.Failed,
		"suppressed", r.Suppressed, "held", r.Held, "ambiguous", r.Ambiguous, "report", name)
	return nil
}

// post posts a report to an address on loopback.
func post(ctx context.Context, url string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := (*dial.Allowlist)(nil).HTTP(nil).Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}
