package serve

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/storage"
)

// stops is who gets no mail by the store of the site, in the memory of a B server: the last gate asks for each message.
// No message goes before it is what the store has, and it follows the store from then on.
type stops struct {
	from *depot.Remote // nil: the site has no store
	set  *storage.Suppressed
	have chan struct{} // closed when the set is what the store has
}

func newStops() stops { return stops{set: storage.NewSuppressed(), have: make(chan struct{})} }

// wait returns when the set is what the store has, or ctx ends.
func (s *stops) wait(ctx context.Context) {
	if s.from == nil {
		return
	}
	select {
	case <-s.have:
	case <-ctx.Done():
	}
}

// follow keeps the set up to date until ctx ends. It returns an error if it cannot: the server must end then, since it
// would mail who has asked for nothing.
func (s *stops) follow(ctx context.Context, log *slog.Logger) error {
	if s.from == nil {
		return nil
	}
	said := ""
	for heard, whole := time.Now(), false; ctx.Err() == nil; {
		var e storage.Entries
		err := s.from.FetchSuppression(ctx, s.set.Last(), !whole, &e)
		if err == nil {
			err = s.set.Take(e)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			heard, said = time.Now(), ""
			if !e.More && !whole {
				whole = true
				close(s.have)
			}
		case errors.Is(err, depot.ErrRefused):
			return task.Fail(task.Refused, "the storage server: %w", err)
		case errors.Is(err, storage.ErrDamaged):
			return task.Fail(task.Invalid, "the storage server: %w", err)
		case time.Since(heard) > bus.Patience:
			return task.Fail(task.Environment, "the storage server has not answered for %v: %w", bus.Patience, err)
		default:
			if said != err.Error() {
				said = err.Error()
				log.Warn("the storage server does not answer", "why", err)
			}
			sleep(ctx, look)
		}
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

// suppressed reports whether the store has it that a recipient gets nothing.
func (s *delivering) suppressed(r mail.Recipient) bool {
	m, own := s.letters.of(r)
	return s.stops.set.HasIn(m.stored, m.mailing.Address(own))
}
