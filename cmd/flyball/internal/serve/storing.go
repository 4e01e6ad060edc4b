package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/lists"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/realrun/depot"
	"flyball/realrun/mailing"
	"flyball/storage"
)

// storing is the storage server ([0050] to [0053]). It gives lists to those who may have them, and who gets no mail,
// and takes what became of mailings and what recipients have asked for. It is a depot.Store and a depot.Lists.
type storing struct {
	*member
	lists *storage.Store
	files *depot.Depot // has the audit
	kept  *depot.Kept  // mailings under way
	all   *mailings
	web   net.Listener
	ended map[string]bool // names of mailings that had ended when the server began

	lock     sync.Mutex
	mailings []*mailed     // in the order of their places
	running  depot.Running // as the A server has told last
}

// mailed is a mailing of the site as the store has it.
type mailed struct {
	keys depot.Keys
	name string
	job  int64            // in the store
	of   *mailing.Mailing // nil: its list is not here
	held *depot.Held
	has  []mail.Status // by recipient: outcome that the store has

	ended bool // the store has all outcomes
	over  bool // the mailing has ended for the A server too
}

// openStoring opens the storage server.
func (p *Process) openStoring(ctx context.Context, m *member) (err error) {
	s := &storing{member: m, ended: map[string]bool{}}
	m.server = s
	place, err := storage.ParsePlace(m.of.Store)
	if err == nil {
		s.lists, err = storage.Open(ctx, place, storage.Config{Who: "site " + p.site.Name, Now: time.Now, Create: true})
	}
	if err != nil {
		return task.Stored(m.name+": store", err)
	}
	m.closes(s.lists.Close)
	jobs, err := s.lists.Jobs(ctx)
	if err != nil {
		return task.Stored(m.name+": store", err)
	}
	for _, j := range jobs {
		s.ended[j.Mailing] = j.State != storage.Running
	}
	if s.files, err = depot.Open(filepath.Join(m.of.Folder, "depot")); err != nil {
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(s.files.Close)
	if s.all, err = m.openMailings(s.add); err != nil {
		return err
	}
	if s.web, err = m.listen("listen", m.of.Listen); err != nil {
		return err
	}
	s.kept, err = m.keep()
	return err
}

// run runs the server until ctx ends, or something fails for good.
func (s *storing) run(ctx context.Context) error {
	serve := func(ctx context.Context) error {
		return s.serveDepot(ctx, s.files, s.web, func(d *depot.Server) { d.Store, d.Lists = s, s })
	}
	return together(ctx, serve, s.all.run, s.record, s.letGo)
}

// add adds a mailing.
func (s *storing) add(k depot.Keys) error {
	name := kept.Mailing{Secret: k.Secret}.Name()
	s.lock.Lock()
	defer s.lock.Unlock()
	s.mailings = append(s.mailings, &mailed{keys: k, name: name, ended: s.ended[name]})
	return nil
}

// fetch fetches the list of a mailing, and records that the mailing has begun.
func (s *storing) fetch(ctx context.Context, m *mailed) error {
	h, list, err := s.mailing(ctx, s.kept, m.keys.Job)
	if err != nil {
		return err
	}
	j := storage.Job{Mailing: m.name, Name: s.in.site.Scenario.Name, Recipients: int(m.keys.Recipients)}
	if h.List != nil && h.List.Stored != "" {
		j.List, j.Digest = h.List.Stored, h.List.Digest.String()
	}
	id, err := s.lists.BeginJob(ctx, j)
	if err != nil {
		h.Release()
		return fmt.Errorf("mailing %d: %w", m.keys.Job, err)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	m.job, m.of, m.held, m.has = id, list, h, make([]mail.Status, m.keys.Recipients)
	return nil
}

// recording is the time between two looks for outcomes, and perRecord the most outcomes of one transaction.
const (
	recording = 2 * time.Second
	perRecord = 10_000
)

// record records what becomes of mailings until ctx ends. What fails is tried again.
func (s *storing) record(ctx context.Context) error {
	return s.repeat(ctx, recording, "outcomes are not recorded", func(ctx context.Context) error {
		s.lock.Lock()
		all, running := slices.Clone(s.mailings), s.running
		s.lock.Unlock()
		failed := []error{drop(s.kept, running, func(engine.Job) {})}
		for _, m := range all {
			var err error
			if running.Over(m.keys.Job) && !m.over { // also one that ended when the site had no storage server
				s.lock.Lock()
				m.end()
				s.lock.Unlock()
				m.over = true
			}
			if !m.ended && m.of == nil {
				err = s.fetch(ctx, m)
			}
			if err == nil && !m.ended {
				err = s.recordOne(ctx, m)
			}
			if err == nil && m.ended && !m.over && running.Next > 0 { // again: the A server may forget it by a stop
				err = s.depot.Recorded(ctx, m.keys.Job)
			}
			if err != nil && !errors.Is(err, depot.ErrAbsent) { // else it is yet to come
				failed = append(failed, err)
			}
		}
		return cmp.Or(errors.Join(failed...), errIdle)
	})
}

// recordOne records the outcomes of a mailing that the store lacks, and its end.
func (s *storing) recordOne(ctx context.Context, m *mailed) error {
	all, closed, err := s.depot.FetchOutcomes(ctx, m.keys.Job)
	if err == nil && len(all) != len(m.has) {
		err = fmt.Errorf("got %d outcomes, want %d", len(all), len(m.has))
	}
	if err != nil {
		return fmt.Errorf("mailing %d: %w", m.keys.Job, err)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	var fresh []mail.Recipient
	for r, v := range all {
		if v := mail.Status(v); v != mail.Pending && v < mail.Statuses && v != m.has[r] {
			fresh = append(fresh, mail.Recipient(r))
		}
	}
	for batch := range slices.Chunk(fresh, perRecord) {
		var outcomes []storage.Outcome
		for _, r := range batch {
			outcomes = append(outcomes, m.outcome(r, mail.Status(all[r])))
		}
		if err := s.lists.Record(ctx, m.job, outcomes); err != nil {
			return err
		}
		points.Reached("recorded")
		for _, r := range batch {
			m.has[r] = mail.Status(all[r])
		}
	}
	if !closed {
		return nil
	}
	if err := s.lists.EndJob(ctx, m.job, "ended"); err != nil {
		return err
	}
	m.end()
	s.log.Info("a mailing is recorded", "job", m.keys.Job, "recipients", m.keys.Recipients)
	return nil
}

// end takes that the store has all outcomes that it gets. The caller has the lock.
func (m *mailed) end() {
	if m.held != nil {
		m.held.Release()
	}
	m.of, m.held, m.has, m.ended = nil, nil, nil, true
}

// letGo hears which mailings have ended, until ctx ends: what is kept of these goes.
func (s *storing) letGo(ctx context.Context) error {
	return s.hearsEnds(ctx, func(all depot.Running) error {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.running = all
		return nil
	})
}

func (m *mailed) outcome(r mail.Recipient, v mail.Status) storage.Outcome {
	return storage.Outcome{Place: uint32(r), To: m.of.Address(r), Outcome: v.String()}
}

// find returns the mailing with a place of the list of all mailings; nil: it is not here yet. The caller has the lock.
func (s *storing) find(r mail.Recipient) *mailed {
	for _, m := range s.mailings {
		if m.keys.Has(r) {
			return m
		}
	}
	return nil
}

// source names who makes changes: other sites may use the same store.
func (s *storing) source(client string) string { return client + " of site " + s.in.site.Name }

// Taken implements depot.Lists.
func (s *storing) Taken(ctx context.Context, client string) (uint64, error) {
	return s.lists.Taken(ctx, s.source(client))
}

// Take implements depot.Lists: a person who leaves gets no mail of the list of the mailing any more, and one whose
// address is dead none at all. The history has each of them before: by it the store knows who is at a place.
func (s *storing) Take(ctx context.Context, client string, first uint64, all []depot.Change) (uint64, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, c := range all {
		m := s.find(c.Rcpt)
		if m == nil || m.of == nil && !m.ended {
			return 0, fmt.Errorf("the mailing of recipient %d is not here yet", c.Rcpt)
		}
		if m.ended {
			continue
		}
		r := c.Rcpt - m.keys.First
		if err := s.lists.Record(ctx, m.job, []storage.Outcome{m.outcome(r, m.has[r])}); err != nil {
			return 0, err
		}
	}
	to := lists.Changes{Store: s.lists, MayLack: true, Of: func(r mail.Recipient) (string, uint32, bool) {
		m := s.find(r)
		if m == nil {
			return "", 0, false
		}
		return m.name, uint32(r - m.keys.First), true
	}}
	points.Reached("named")
	upTo, err := to.Take(ctx, s.source(client), first, all)
	points.Reached("taken")
	return upTo, err
}

// List implements depot.Store.
func (s *storing) List(ctx context.Context, who, name string) (io.ReadSeekCloser, depot.Digest, error) {
	text, err := s.lists.Open(ctx, "read by "+who, name)
	if err != nil {
		return nil, depot.Digest{}, absent(err)
	}
	d, err := depot.ParseDigest(text.Digest)
	return text, d, err
}

// Part implements depot.Store.
func (s *storing) Part(ctx context.Context, who string, of depot.Digest) (io.ReadSeekCloser, error) {
	text, err := s.lists.OpenDigest(ctx, "read by "+who, of.String())
	if err != nil {
		return nil, absent(err)
	}
	return text, nil
}

// absent makes what a store does not have what a depot does not have.
func absent(err error) error {
	if errors.Is(err, storage.ErrAbsent) {
		return fmt.Errorf("%w: %w", depot.ErrAbsent, err)
	}
	return err
}

// Digests implements depot.Store.
func (s *storing) Digests(ctx context.Context) (all []depot.Digest, err error) {
	lists, err := s.lists.Lists(ctx)
	for _, l := range lists {
		if d, wrong := depot.ParseDigest(l.Digest); wrong == nil && l.Complete {
			all = append(all, d)
		}
	}
	return all, err
}

// Suppressed implements depot.Store.
func (s *storing) Suppressed(ctx context.Context, after int64) (any, bool, error) {
	e, err := s.lists.Entries(ctx, after)
	return e, len(e.All) > 0, err
}
