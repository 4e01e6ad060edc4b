package serve

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/realrun/depot"
)

// mailings are the keys of all mailings, by which a station reads what comes back of them. They are kept in its folder,
// so that it understands all of this while the A server is away.
type mailings struct {
	*member
	log  *durable.Log
	next engine.Job // that is not here
	add  func(depot.Keys) error
}

// Names of what is kept.
const (
	mailingsFile   = "mailings"
	mailingsHeader = "flyball mailings 1"
)

// openMailings takes up the keys that are kept, and calls add with those of each mailing, now and later.
func (m *member) openMailings(add func(depot.Keys) error) (*mailings, error) {
	a := &mailings{member: m, next: 1, add: add}
	name := filepath.Join(m.of.Folder, mailingsFile)
	log, had, err := durable.OpenLog(name, mailingsHeader, true)
	if err != nil {
		return nil, task.Unusable(m.name, err)
	}
	a.log = log
	m.closes(log.Close)
	for _, text := range had.Records {
		var k depot.Keys
		err := json.Unmarshal(text, &k)
		if err == nil {
			err = a.take(k)
		}
		if err != nil {
			return nil, task.Fail(task.Invalid, "%s: %s: %w", m.name, name, err)
		}
	}
	return a, nil
}

// take adds the next mailing.
func (a *mailings) take(k depot.Keys) error {
	a.next = k.Job + 1
	return a.add(k)
}

// fetch has the keys of each further mailing from the depot until ctx ends. What cannot be kept is used all the same: a
// restart fetches it again.
func (a *mailings) fetch(ctx context.Context) error {
	return a.repeat(ctx, look, "the depot does not answer", func(ctx context.Context) error {
		k, err := a.depot.FetchKeys(ctx, a.next, true)
		switch {
		case errors.Is(err, depot.ErrAbsent): // it is yet to come
			return errIdle
		case err != nil:
			return err
		}
		if err := a.keep(k); err != nil {
			a.member.log.Warn("a mailing is not kept: a restart fetches it again", "mailing", k.Job, "why", err)
		}
		if err := a.take(k); err != nil {
			return task.Error{Kind: task.Invalid, Err: err}
		}
		return nil
	})
}

func (a *mailings) keep(k depot.Keys) error {
	text, err := json.Marshal(k)
	if err == nil {
		err = a.log.Append(text)
	}
	if err == nil {
		err = a.log.Sync()
	}
	return err
}
