package serve

import (
	"cmp"
	"context"
	"path/filepath"
	"sync/atomic"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine/inbox"
	"flyball/realrun/depot"
)

// pushing is the time between two pushes of changes, and between two fetches.
const pushing = time.Second

// openChanges opens what the storage server fetches the changes of this server through, if the site says that it does.
func (m *member) openChanges() (err error) {
	if m.of.Changes == "" {
		return nil
	}
	if m.changes, err = depot.Open(filepath.Join(m.of.Folder, "depot")); err != nil {
		return task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(m.changes.Close)
	m.fetched, err = m.listen("changes", m.of.Changes)
	return err
}

// hands has the storage server of the site have the changes that this server has made ([0051], [0052]), until ctx ends:
// it pushes them, or the storage server fetches them. They are read by changes, from a number on; those that it returns
// are durable.
func (m *member) hands(ctx context.Context, changes func(context.Context, uint64) ([]inbox.Made, error)) error {
	var upTo atomic.Uint64 // the store has them up to this number, or further
	buffer := func(ctx context.Context, after uint64) (all []depot.Change, err error) {
		made, err := changes(ctx, max(after, 1)-1)
		switch {
		case err != nil:
			return nil, err
		case after > 0 && len(made) == 0:
			upTo.Store(after)
			return nil, task.Fail(task.Invalid, "the store has %d changes of this server, which has not made as many: "+
				"it is not the folder that these came from, but another journal", after)
		case after > 0:
			made = made[1:]
		}
		for _, c := range made {
			all = append(all, depot.ChangeOf(c))
		}
		upTo.Store(after)
		m.buffer.Has(len(all))
		return all, nil
	}
	look := func(ctx context.Context) ([]depot.Change, error) { return buffer(ctx, upTo.Load()) }
	if m.changes != nil {
		serve := func(ctx context.Context) error {
			return m.serveDepot(ctx, m.changes, m.fetched, func(d *depot.Server) { d.Buffer = buffer })
		}
		watch := func(ctx context.Context) error {
			return m.repeat(ctx, pushing, "changes cannot be read", func(ctx context.Context) error {
				_, err := look(ctx)
				return cmp.Or(err, errIdle)
			})
		}
		return together(ctx, serve, watch)
	}
	if m.store == nil {
		return nil
	}
	return m.repeat(ctx, pushing, "the storage server takes no changes", func(ctx context.Context) error {
		made, err := look(ctx)
		if err == nil && len(made) > 0 {
			_, err = m.store.Push(ctx, buffer)
		}
		return cmp.Or(err, errIdle)
	})
}
