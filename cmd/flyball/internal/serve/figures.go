package serve

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/status"
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
)

// counting is a station with numbers of its own for Prometheus.
type counting interface {
	count(context.Context, *metrics.Text) error
}

// Count adds the numbers of all stations of the process to a text for Prometheus, each with the station's name. It is
// called while the process runs.
func (p *Process) Count(ctx context.Context, t *metrics.Text) error {
	p.lock.Lock()
	all := slices.Clone(p.members)
	p.lock.Unlock()
	for _, m := range all {
		if m.journal != nil {
			bytes, undurable := m.journal.Size()
			t.Gauge("flyball_journal_bytes", "Bytes of the journal's last file.", float64(bytes), "station", m.name)
			t.Gauge("flyball_undurable_records", "Records of the journal that a loss of power would lose.",
				float64(undurable), "station", m.name)
		}
		m.heard.Add(t, m.name)
		for _, c := range m.counters {
			c.Add(t, "station", m.name)
		}
		m.buffer.Add(t, m.name)
		if c, is := m.server.(counting); is {
			if err := c.count(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// hears returns receive so that the station knows whom it has heard.
func (m *member) hears(receive func(engine.Message)) func(engine.Message) {
	names := map[engine.Address]string{}
	for _, v := range m.in.site.Stations {
		for _, a := range m.in.site.Roles(v) {
			names[a] = v.Name()
		}
	}
	return func(e engine.Message) {
		m.heard.From(names[e.From])
		receive(e)
	}
}

// counts returns counters of what the station tells of, since it was opened.
func (m *member) counts(name, help string, labels ...string) *metrics.Counts {
	c := metrics.NewCounts(name, help, labels...)
	m.counters = append(m.counters, c)
	return c
}

// count implements counting: mailings, and their recipients by status.
func (s *sending) count(ctx context.Context, t *metrics.Text) error {
	queue, err := s.in.site.Waiting()
	if err != nil {
		return err
	}
	var open int
	var n [mail.Statuses]uint64
	if err := s.station.Do(ctx, func(vt.Time, *engine.Outbox) { open, n = s.role.Tally() }); err != nil {
		return err
	}
	t.Gauge("flyball_queued_mailings", "Mailings in the queue of pending messages.", float64(len(queue)))
	t.Gauge("flyball_open_mailings", "Mailings that are taken and not reported.", float64(open))
	for v := mail.Pending; v < mail.Statuses; v++ {
		t.Gauge(status.Recipients, "Recipients of open mailings by status.", float64(n[v]), "status", status.Labels[v])
	}
	return depotBytes(t, s.member, "depot")
}

// depotBytes adds the size of what is in a folder of the station for other stations.
func depotBytes(t *metrics.Text, m *member, folder string) error {
	all, err := os.ReadDir(filepath.Join(m.of.Folder, folder))
	bytes := int64(0)
	for _, f := range all {
		if info, err := f.Info(); err == nil { // else it is gone
			bytes += info.Size()
		}
	}
	t.Gauge("flyball_depot_bytes", "Bytes of lists and letters.", float64(bytes), "station", m.name)
	return err
}

// count implements counting: attempts and MTA processes.
func (s *delivering) count(_ context.Context, t *metrics.Text) error {
	var v realrun.Status
	if err := s.runner.Do(func(now vt.Time) { v = s.runner.Status(now) }); err != nil {
		return err
	}
	of := []string{"station", s.name}
	t.Counter(status.AttemptsTotal, status.AttemptsHelp, v.Attempts, of...)
	t.Counter(status.AmbiguousTotal, status.AmbiguousHelp, uint64(v.Ambiguous), of...)
	for r := mail.Done; r < mail.Statuses; r++ {
		t.Counter("flyball_outcomes_total", "Recipients that are final, by status.", v.Count[r], "station", s.name,
			"status", status.Labels[r])
	}
	for i, n := range v.Deferred {
		t.Counter(status.DeferredTotal, status.DeferredHelp, n, "station", s.name, "destination",
			s.in.site.Scenario.Destinations[i].Name)
	}
	for _, p := range v.Servers {
		t.Gauge(status.Available, status.AvailableHelp, float64(p.Available), of...)
		t.Gauge(status.Allocated, status.AllocatedHelp, float64(p.Allocated), of...)
	}
	t.Gauge("flyball_waiting_attempts", "Attempts that wait at the last gate.", float64(v.Waiting), of...)
	return depotBytes(t, s.member, "kept")
}
