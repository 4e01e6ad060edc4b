package live

import (
	"context"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/mailing"
	"flyball/storage"
)

// checkStored returns an error for a list of a store without a folder that keeps the mailing: only a mailing that is
// kept has a gate, which a suppression during the run must reach.
func (q *Run) checkStored() error {
	if !storage.IsPlace(q.List) || q.State != "" {
		return nil
	}
	return task.Fail(task.Usage, "--list: got the store %s, want --state too: with it, who is suppressed while the "+
		"run is under way gets nothing any more", task.Quote(q.List))
}

// suppressed returns whether the store of the list suppresses a recipient; nil for a list of no store. What it returns
// follows the store until ctx ends, and stops the run if the store does not answer.
func (q *Run) suppressed(ctx context.Context, m *mailing.Mailing, stop func(error)) (func(mail.Recipient) bool,
	error) {
	if !storage.IsPlace(q.List) {
		return nil, nil
	}
	s, _, err := task.OpenStore(ctx, q.List, false)
	if err != nil {
		return nil, task.Stored("--list", err)
	}
	set, err := s.Suppressed(ctx)
	if err != nil {
		s.Close()
		return nil, task.Stored("--list", err)
	}
	go func() {
		defer s.Close()
		if err := s.Follow(ctx, set); err != nil {
			stop(err)
		}
	}()
	return func(r mail.Recipient) bool { return set.Has(m.Address(r)) }, nil
}
