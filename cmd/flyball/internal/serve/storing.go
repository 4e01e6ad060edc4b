package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/lists"
	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/realrun/depot"
	"flyball/storage"
)

// storing is the storage server ([0050] to [0053]). It gives lists to those who may have them, and who gets no mail,
// and takes what became of mailings and what recipients have asked for.
type storing struct {
	*member
	lists *lists.Site
	files *depot.Depot // has the audit
	kept  *depot.Kept  // mailings under way
	all   *mailings
	web   net.Listener
	pulls []func(context.Context) error // from servers that do not push

	lock    sync.Mutex
	running depot.Running // as the A server has told last
}

// openStoring opens the storage server.
func (p *Process) openStoring(ctx context.Context, m *member) (err error) {
	s := &storing{member: m}
	m.server = s
	place, err := storage.ParsePlace(m.of.Store)
	var store *storage.Store
	if err == nil {
		store, err = storage.Open(ctx, place, storage.Config{Who: "site " + p.site.Name, Now: time.Now, Create: true})
	}
	if err != nil {
		return task.Stored(m.name+": store", err)
	}
	m.closes(store.Close)
	counts := p.counted()
	s.lists = &lists.Site{Store: store, Name: p.site.Name, Hard: counts.Hard, Forget: counts.Forget,
		Tell: m.transactions()}
	jobs, err := store.Jobs(ctx)
	if err != nil {
		return task.Stored(m.name+": store", err)
	}
	ended := map[string]bool{}
	for _, j := range jobs {
		ended[j.Mailing] = j.State != storage.Running
	}
	if s.files, err = depot.Open(filepath.Join(m.of.Folder, "depot")); err != nil {
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(s.files.Close)
	s.all, err = m.openMailings(func(k depot.Keys) error {
		s.lists.Add(k, func(name string) bool { return ended[name] })
		return nil
	})
	if err != nil {
		return err
	}
	if s.web, err = m.listen("listen", m.of.Listen); err != nil {
		return err
	}
	for _, v := range p.site.Stations {
		if v.Changes == "" {
			continue
		}
		from, err := p.site.Remote(cmp.Or(p.listening(v.Name(), "changes"), v.Changes), p.tokens[m.name])
		if err != nil {
			return err
		}
		s.pulls = append(s.pulls, s.pull(v.Name(), from))
	}
	s.kept, err = m.keep()
	return err
}

// run runs the server until ctx ends, or something fails for good.
func (s *storing) run(ctx context.Context) error {
	serve := func(ctx context.Context) error {
		return s.serveDepot(ctx, s.files, s.web, func(d *depot.Server) { d.Store, d.Lists = s.lists, s.lists })
	}
	return together(ctx, append(s.pulls, serve, s.all.run, s.record, s.letGo)...)
}

// pull returns what fetches the changes of another server until ctx ends ([0051], [0052]).
func (s *storing) pull(name string, from *depot.Remote) func(context.Context) error {
	return func(ctx context.Context) error {
		return s.repeat(ctx, pushing, "changes of "+name+" are not fetched", func(ctx context.Context) error {
			_, err := from.Pull(ctx, name, s.lists)
			return cmp.Or(err, errIdle)
		})
	}
}

// fetch fetches the list of a mailing, and records that the mailing has begun.
func (s *storing) fetch(ctx context.Context, m *lists.Mailing) error {
	h, list, err := s.mailing(ctx, s.kept, m.Keys.Job)
	if err != nil {
		return err
	}
	return s.lists.Begin(ctx, m, s.in.site.Scenario.Name, h, list)
}

// recording is the time between two looks for outcomes.
const recording = 2 * time.Second

// record records what becomes of mailings until ctx ends. What fails is tried again.
func (s *storing) record(ctx context.Context) error {
	over := map[engine.Job]bool{} // for the A server too
	return s.repeat(ctx, recording, "outcomes are not recorded", func(ctx context.Context) error {
		s.lock.Lock()
		running := s.running
		s.lock.Unlock()
		failed := []error{drop(s.kept, running, func(engine.Job) {})}
		for _, m := range s.lists.Mailings() {
			job := m.Keys.Job
			var err error
			if running.Over(job) && !over[job] { // also one that ended when the site had no storage server
				s.lists.End(m)
				over[job] = true
			}
			if !s.lists.Has(m) {
				err = s.fetch(ctx, m)
			}
			if err == nil && !s.lists.Ended(m) {
				err = s.recordOne(ctx, m)
			}
			if err == nil && s.lists.Ended(m) && !over[job] && running.Next > 0 { // again: a stop may make A forget it
				err = s.depot.Recorded(ctx, job)
			}
			if err != nil && !errors.Is(err, depot.ErrAbsent) { // else it is yet to come
				failed = append(failed, err)
			}
		}
		return cmp.Or(errors.Join(failed...), errIdle)
	})
}

// recordOne records the outcomes of a mailing that the store lacks, and its end.
func (s *storing) recordOne(ctx context.Context, m *lists.Mailing) error {
	all, closed, err := s.depot.FetchOutcomes(ctx, m.Keys.Job)
	if err == nil {
		err = s.lists.Record(ctx, m, all, closed)
	}
	if err != nil {
		return fmt.Errorf("mailing %d: %w", m.Keys.Job, err)
	}
	if closed {
		s.log.Info("a mailing is recorded", "job", m.Keys.Job, "recipients", m.Keys.Recipients)
	}
	return nil
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

// transactions returns what counts transactions of the store.
func (m *member) transactions() func(kind string, err error) {
	n := m.counts("flyball_store_transactions_total", "Transactions that change the store, since the station began.",
		"kind", "result")
	result := map[bool]string{true: "done", false: "failed"}
	for _, kind := range []string{"mailing", "outcomes", "changes"} {
		for _, v := range result {
			n.Count(0, kind, v)
		}
	}
	return func(kind string, err error) { n.Count(1, kind, result[err == nil]) }
}

// count implements counting: mailings that the store does not have whole, and when it was last given outcomes.
func (s *storing) count(_ context.Context, t *metrics.Text) error {
	open, last := s.lists.Open()
	t.Gauge("flyball_unrecorded_mailings", "Mailings of which the store does not have all outcomes.", float64(open),
		"station", s.name)
	if !last.IsZero() {
		t.Unix("flyball_last_outcome_timestamp_seconds", "When outcomes were last recorded in the store (Unix time).",
			last, "station", s.name)
	}
	return depotBytes(t, s.member, "kept")
}
