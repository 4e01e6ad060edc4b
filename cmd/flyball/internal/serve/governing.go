package serve

import (
	"context"
	"log/slog"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun"
	"flyball/realrun/station"
)

// governing is the governor of all B servers ([0063]). While it is away they keep their C.
type governing struct {
	*member
	station *station.Station
}

// openGoverning opens the governor.
func (p *Process) openGoverning(ctx context.Context, m *member) error {
	s := &governing{member: m}
	m.server = s
	role, err := realrun.Governing(p.site.Scenario, decisions{m.log})
	if err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	if s.station, err = m.openStation(role, m.zero()); err != nil {
		return err
	}
	return m.join(ctx, s.station.Receive)
}

// run runs the governor until ctx ends, or something fails for good.
func (s *governing) run(ctx context.Context) error { return together(ctx, s.station.Run, s.watchBus) }

// zero returns time zero of a new journal, where servers are governed together: intervals of all of them end at the
// same moments then. The zero value: now, or as the journal has it.
func (m *member) zero() time.Time {
	if s := m.in.site.Scenario; s.Together() && len(m.before) == 0 {
		return time.Now().Truncate(time.Duration(s.Governor.Interval))
	}
	return time.Time{}
}

// decisions is an observer that logs what the governor decides.
type decisions struct{ log *slog.Logger }

func (decisions) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}

func (d decisions) Interval(_ vt.Time, _ mail.Server, i engine.Interval) {
	d.log.Info("the governor decides", "attempts", i.Sample.Attempts, "delivered", i.Sample.Delivered,
		"processes", i.Decision.Available)
}
