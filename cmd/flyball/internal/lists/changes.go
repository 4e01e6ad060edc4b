package lists

import (
	"context"
	"errors"
	"fmt"

	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/storage"
)

// Changes takes changes of servers for returned mail and requests, which know recipients by their places, into a store:
// it is a depot.Lists.
type Changes struct {
	Store *storage.Store
	// Of returns the mailing that a recipient is of, by the name of its job, and the place in it; false: of none.
	Of func(mail.Recipient) (mailing string, place uint32, ok bool)
}

// Taken implements depot.Lists.
func (c Changes) Taken(ctx context.Context, source string) (uint64, error) {
	return c.Store.Taken(ctx, source)
}

// Take implements depot.Lists. A request is about the list that its mailing was for, a dead address about all.
func (c Changes) Take(ctx context.Context, source string, first uint64, all []depot.Change) (uint64, error) {
	var changes []storage.Change
	for _, v := range all {
		of := storage.Change{Why: storage.Asked, Join: v.Add}
		if v.Dead {
			of.Why = storage.Dead
		}
		var ok bool
		if of.Mailing, of.Place, ok = c.Of(v.Rcpt); !ok {
			return 0, fmt.Errorf("recipient %d of %s is of no mailing", v.Rcpt, source)
		}
		changes = append(changes, of)
	}
	upTo, err := c.Store.Take(ctx, source, first, changes)
	if errors.Is(err, storage.ErrGap) {
		err = fmt.Errorf("%w: %w", depot.ErrGap, err)
	}
	return upTo, err
}
