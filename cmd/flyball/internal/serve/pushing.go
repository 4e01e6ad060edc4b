package serve

import (
	"context"
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
	if m.store == nil {
		return nil
	}
	upTo := uint64(0) // the store has them up to this number, or further
	buffer := func(ctx context.Context, after uint64) (all []depot.Change, err error) {
		made, err := changes(ctx, max(after, 1)-1)
		switch {
		case err != nil:
			return nil, err
		case after > 0 && len(made) == 0:
			return nil, task.Fail(task.Invalid, "the store has %d changes of this server, which has not made as many: "+
				"it is not the folder that these came from, but another journal", after)
		case after > 0:
			made = made[1:]
		}
		for _, c := range made {
			all = append(all, depot.Change{Rcpt: c.Rcpt, Add: c.Add, Dead: c.Returned && !c.Add})
		}
		upTo = after + uint64(len(all))
		return all, nil
	}
	return m.repeat(ctx, pushing, "the storage server takes no changes", func(ctx context.Context) error {
		made, err := changes(ctx, upTo)
		if err == nil {
			m.buffer.has(len(made))
		}
		if err == nil && len(made) == 0 {
			return errIdle
		}
		before := upTo
		if _, err := m.store.Push(ctx, buffer); err != nil {
			upTo = before
			return err
		}
		m.buffer.has(0)
		return errIdle
	})
}
