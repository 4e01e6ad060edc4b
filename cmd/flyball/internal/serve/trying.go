package serve

import (
	"context"
	"errors"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/depot"
)

// look is the time between two looks for what another station may have.
const look = 250 * time.Millisecond

// errIdle is the error of a call that has found nothing to do.
var errIdle = errors.New("nothing to do")

// repeat calls do until ctx ends: again at once after a success, and after a pause else. An error with a kind, or of a
// server that refuses the station, ends it. What else fails is logged as what, each reason once in a row.
func (m *member) repeat(ctx context.Context, pause time.Duration, what string, do func(context.Context) error) error {
	said := ""
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil {
			said = ""
			continue
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, new(task.Error)):
			return err
		case errors.Is(err, depot.ErrRefused):
			return m.in.site.Refused(m.of, err)
		case errors.Is(err, errIdle):
			said = ""
		case said != err.Error():
			said = err.Error()
			m.log.Warn(what, "why", err)
		}
		sleep(ctx, pause)
	}
	return nil
}

// sleep returns after a time, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
