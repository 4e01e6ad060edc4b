package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/bus"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/storage"
)

// The set of who gets no mail by the store of the site is in the memory of a B server: the last gate asks for each
// message. No message goes before the set is what the store has, and the server follows the store from then on.

// follow keeps the set up to date until ctx ends. It returns an error if it cannot: the server must end then, since it
// would mail who has asked for nothing.
func (s *delivering) follow(ctx context.Context) error {
	if s.store == nil {
		return nil
	}
	heard, whole := time.Now(), false
	return s.repeat(ctx, look, "the storage server does not answer", func(ctx context.Context) error {
		var e storage.Entries
		err := s.store.FetchSuppression(ctx, s.stops.Last(), !whole, &e)
		if err == nil {
			err = s.stops.Take(e)
		}
		switch {
		case errors.Is(err, depot.ErrRefused):
			return fmt.Errorf("the storage server: %w", s.in.site.Refused(s.of, err))
		case errors.Is(err, storage.ErrDamaged):
			return task.Fail(task.Invalid, "the storage server: %w", err)
		case err != nil && time.Since(heard) > bus.Patience:
			return task.Fail(task.Environment, "the storage server has not answered for %v: %w", bus.Patience, err)
		case err != nil:
			return err
		}
		heard = time.Now()
		if !e.More && !whole {
			whole = true
			close(s.whole)
		}
		return nil
	})
}

// suppressed reports whether the store has it that a recipient gets nothing.
func (s *delivering) suppressed(r mail.Recipient) bool {
	m, own := s.letters.of(r)
	return s.stops.HasIn(m.stored, m.mailing.Address(own))
}
