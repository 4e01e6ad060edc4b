package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/realrun/depot"
	"flyball/realrun/mailing"
	"flyball/storage"
)

// Site is a store as the storage server of a site has it ([0050] to [0053]): it records what becomes of the site's
// mailings, takes what their recipients ask for, and gives lists and suppression. It is a depot.Lists and a
// depot.Store. Any goroutine may use it.
type Site struct {
	Store *storage.Store
	Name  string // of the site
	// Hard and Forget are as of Changes.
	Hard   int
	Forget time.Duration
	Tell   func(kind string, err error) // is called after each transaction, with its kind: mailing, outcomes or changes

	lock     sync.Mutex
	mailings []*Mailing // in the order of their places

	open atomic.Int64 // mailings that have not ended; without the lock, which a database that hangs holds
	last atomic.Int64 // when outcomes were last recorded, in milliseconds of Unix time; 0: not yet
}

// Mailing is a mailing of a site as the store has it.
type Mailing struct {
	Keys  depot.Keys
	name  string
	job   int64            // in the store
	of    *mailing.Mailing // nil: its list is not here
	held  *depot.Held
	has   []mail.Status // by recipient: outcome that the store has
	ended bool
}

// Add adds a mailing. ended reports whether the store has all outcomes of the mailing of a name.
func (s *Site) Add(k depot.Keys, ended func(name string) bool) {
	name := kept.Mailing{Secret: k.Secret}.Name()
	s.lock.Lock()
	defer s.lock.Unlock()
	m := &Mailing{Keys: k, name: name, ended: ended(name)}
	s.mailings = append(s.mailings, m)
	if !m.ended {
		s.open.Add(1)
	}
}

// Mailings returns all mailings.
func (s *Site) Mailings() []*Mailing {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.mailings)
}

// Ended reports whether the store has all outcomes of a mailing.
func (s *Site) Ended(m *Mailing) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return m.ended
}

// Has reports whether the list of a mailing is here, or is not needed any more.
func (s *Site) Has(m *Mailing) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return m.of != nil || m.ended
}

// Open returns the number of mailings of which the store lacks outcomes, and when it was last given some; zero: not
// since the process began. It does not wait for the store.
func (s *Site) Open() (n int, last time.Time) {
	if ms := s.last.Load(); ms != 0 {
		last = time.UnixMilli(ms)
	}
	return int(s.open.Load()), last
}

// done tells of a transaction, and returns its error.
func (s *Site) done(kind string, err error) error {
	s.Tell(kind, err)
	return err
}

// Begin records that a mailing of a scenario has begun, and keeps its list, which is of what h holds, until it ends.
func (s *Site) Begin(ctx context.Context, m *Mailing, scenario string, h *depot.Held, list *mailing.Mailing) error {
	j := storage.Job{Mailing: m.name, Name: scenario, Recipients: int(m.Keys.Recipients)}
	if h.List != nil && h.List.Stored != "" {
		j.List, j.Digest = h.List.Stored, h.List.Digest.String()
	}
	id, err := s.Store.BeginJob(ctx, j)
	if s.done("mailing", err) != nil {
		h.Release()
		return fmt.Errorf("mailing %d: %w", m.Keys.Job, err)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	m.job, m.of, m.held, m.has = id, list, h, make([]mail.Status, m.Keys.Recipients)
	return nil
}

// perRecord is the most outcomes of one transaction.
const perRecord = 10_000

// Record records the outcomes of a mailing that the store lacks; all has one of each recipient, a mail.Status each.
// The mailing has ended with them if it is closed.
func (s *Site) Record(ctx context.Context, m *Mailing, all []byte, closed bool) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(all) != len(m.has) {
		return fmt.Errorf("got %d outcomes, want %d", len(all), len(m.has))
	}
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
		if err := s.done("outcomes", s.Store.Record(ctx, m.job, outcomes)); err != nil {
			return err
		}
		points.Reached("recorded")
		s.last.Store(time.Now().UnixMilli())
		for _, r := range batch {
			m.has[r] = mail.Status(all[r])
		}
	}
	if !closed {
		return nil
	}
	if err := s.done("mailing", s.Store.EndJob(ctx, m.job, "ended")); err != nil {
		return err
	}
	s.end(m)
	return nil
}

// End marks a mailing as complete in the store.
func (s *Site) End(m *Mailing) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.end(m)
}

func (s *Site) end(m *Mailing) {
	if !m.ended {
		s.open.Add(-1)
	}
	if m.held != nil {
		m.held.Release()
	}
	m.of, m.held, m.has, m.ended = nil, nil, nil, true
}

func (m *Mailing) outcome(r mail.Recipient, v mail.Status) storage.Outcome {
	return storage.Outcome{Place: uint32(r), To: m.of.Address(r), Outcome: v.String()}
}

// find returns the mailing with a place of the list of all mailings; nil: it is not here yet. The caller has the lock.
func (s *Site) find(r mail.Recipient) *Mailing {
	for _, m := range s.mailings {
		if m.Keys.Has(r) {
			return m
		}
	}
	return nil
}

// source names who makes changes: other sites may use the same store.
func (s *Site) source(client string) string { return client + " of site " + s.Name }

// Taken implements depot.Lists.
func (s *Site) Taken(ctx context.Context, client string) (uint64, error) {
	return s.Store.Taken(ctx, s.source(client))
}

// Take implements depot.Lists: a person who leaves gets no mail of the list of the mailing any more, and one whose
// address is dead none at all. Take first records each of these people in the history, by which the store
// finds the person at a place.
func (s *Site) Take(ctx context.Context, client string, first uint64, all []depot.Change) (uint64, error) {
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
		r := c.Rcpt - m.Keys.First
		named := []storage.Outcome{m.outcome(r, m.has[r])}
		if err := s.done("outcomes", s.Store.Record(ctx, m.job, named)); err != nil {
			return 0, err
		}
	}
	to := Changes{Store: s.Store, MayLack: true, Hard: s.Hard, Forget: s.Forget}
	to.Of = func(r mail.Recipient) (string, uint32, bool) {
		m := s.find(r)
		if m == nil {
			return "", 0, false
		}
		return m.name, uint32(r - m.Keys.First), true
	}
	points.Reached("named")
	upTo, err := to.Take(ctx, s.source(client), first, all)
	points.Reached("taken")
	return upTo, s.done("changes", err)
}

// List implements depot.Store.
func (s *Site) List(ctx context.Context, who, name string) (io.ReadSeekCloser, depot.Digest, error) {
	text, err := s.Store.Open(ctx, "read by "+who, name)
	if err != nil {
		return nil, depot.Digest{}, absent(err)
	}
	d, err := depot.ParseDigest(text.Digest)
	return text, d, err
}

// Part implements depot.Store.
func (s *Site) Part(ctx context.Context, who string, of depot.Digest) (io.ReadSeekCloser, error) {
	text, err := s.Store.OpenDigest(ctx, "read by "+who, of.String())
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
func (s *Site) Digests(ctx context.Context) (all []depot.Digest, err error) {
	lists, err := s.Store.Lists(ctx)
	for _, l := range lists {
		if d, wrong := depot.ParseDigest(l.Digest); wrong == nil && l.Complete {
			all = append(all, d)
		}
	}
	return all, err
}

// Suppressed implements depot.Store.
func (s *Site) Suppressed(ctx context.Context, after int64) (any, bool, error) {
	e, err := s.Store.Entries(ctx, after)
	return e, len(e.All) > 0, err
}
