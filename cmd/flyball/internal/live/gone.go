package live

import (
	"context"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/requests"
)

// suppressed returns whether a recipient of a mailing that is kept must get nothing any more: one whom the store of the
// list suppresses, if it is of a store, or who has left by the server for requests. What it returns follows both until
// ctx ends, and stops the run if one of them does not answer.
func (q *Run) suppressed(ctx context.Context, r *prepared, stop func(error)) (func(mail.Recipient) bool, error) {
	gone, err := requests.ReadFolder(kept.Requests(q.State), r.secret)
	if err != nil {
		return nil, task.Fail(task.Invalid, "--state: %s: %w", kept.Requests(q.State), err)
	}
	store := r.ends.store
	byStore, err := store.suppressed(ctx, stop)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := gone.Follow(ctx); err != nil {
			stop(err)
		}
	}()
	return func(r mail.Recipient) bool {
		if !gone.Has(r) {
			return byStore != nil && byStore(r)
		}
		store.add(r, mail.Suppressed)
		return true
	}, nil
}
