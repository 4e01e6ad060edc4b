package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine/inbox"
	"flyball/realrun/depot"
)

// pushing is the time between two pushes of changes.
const pushing = time.Second

// pushes has the storage server of the site take the changes that this server has made ([0051]), until ctx ends. They
// are read by changes, from a number on; those that it returns are durable.
func (m *member) pushes(ctx context.Context, changes func(context.Context, uint64) ([]inbox.Made, error)) error {
	to, err := m.in.lists(m.of)
	if to == nil || err != nil {
		return err
	}
	upTo, said := uint64(0), "" // the store has them up to this number, or further
	other := errors.New("another journal")
	buffer := func(ctx context.Context, after uint64) (all []depot.Change, err error) {
		made, err := changes(ctx, max(after, 1)-1)
		switch {
		case err != nil:
			return nil, err
		case after > 0 && len(made) == 0:
			return nil, fmt.Errorf("the store has %d changes of this server, which has not made as many: it is not "+
				"the folder that these came from, but %w", after, other)
		case after > 0:
			made = made[1:]
		}
		for _, c := range made {
			all = append(all, depot.Change{Rcpt: c.Rcpt, Add: c.Add, Dead: c.Returned && !c.Add})
		}
		upTo = after + uint64(len(all))
		return all, nil
	}
	for ; ctx.Err() == nil; sleep(ctx, pushing) {
		if made, err := changes(ctx, upTo); err == nil && len(made) == 0 {
			continue
		}
		before := upTo
		_, err := to.Push(ctx, buffer)
		if err != nil {
			upTo = before
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, other):
			return task.Fail(task.Invalid, "%w", err)
		case errors.Is(err, depot.ErrRefused):
			return task.Fail(task.Refused, "%w", err)
		case said != err.Error():
			said = err.Error()
			m.log.Warn("the storage server takes no changes", "why", err)
		}
	}
	return nil
}
