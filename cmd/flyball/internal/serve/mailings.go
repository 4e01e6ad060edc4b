package serve

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"time"

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
	add  func(depot.Keys) error
	asks chan chan<- bool // who asks whether keys are missing, and how the answer is given
	// The depot has patience for its answer to that, and is asked again after pause at the earliest: what is forged
	// costs it one question in that time, however much of it comes.
	patience, pause time.Duration
	waiters         chan struct{} // one for each who waits for an answer

	lock sync.Mutex
	next engine.Job // that is not here
}

// Names of what is kept.
const (
	mailingsFile   = "mailings"
	mailingsHeader = "flyball mailings 1"
)

// openMailings takes up the keys that are kept, and calls add with those of each mailing, now and later.
func (m *member) openMailings(add func(depot.Keys) error) (*mailings, error) {
	a := &mailings{member: m, next: 1, add: add, asks: make(chan chan<- bool),
		patience: 2 * time.Second, pause: 2 * time.Second, waiters: make(chan struct{}, mostWaiters)}
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
	if err := a.add(k); err != nil {
		return err
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.next = k.Job + 1
	return nil
}

// missing returns the number of the first mailing that is not here.
func (a *mailings) missing() engine.Job {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.next
}

// run keeps up with the mailings of the depot, and with those who ask whether it has, until ctx ends.
func (a *mailings) run(ctx context.Context) error { return together(ctx, a.fetch, a.answer) }

// fetch has the keys of each further mailing from the depot until ctx ends. What cannot be kept is used all the same: a
// restart fetches it again.
func (a *mailings) fetch(ctx context.Context) error {
	return a.repeat(ctx, look, "the depot does not answer", func(ctx context.Context) error {
		k, err := a.depot.FetchKeys(ctx, a.missing(), true)
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

// mostWaiters is the number of questions whether keys are missing that wait at a time. What comes beyond these has an
// answer for a later time at once: forged addresses must not hold all sessions.
const mostWaiters = 50

// waiting is the longest that a question whether keys are missing waits for its answer.
const waiting = 8 * time.Second

// complete reports whether the keys are here of all mailings that the depot had when it was called; false if the depot
// does not say so within seconds, or too many wait for it. Whatever comes back of a message that was delivered before
// the call belongs to one of these mailings: each is in the depot before a server can deliver it.
func (a *mailings) complete() bool {
	ctx, cancel := context.WithTimeout(context.Background(), waiting)
	defer cancel()
	select {
	case a.waiters <- struct{}{}:
		defer func() { <-a.waiters }()
	default:
		return false
	}
	answer := make(chan bool, 1)
	select {
	case a.asks <- answer:
	case <-ctx.Done():
		return false
	}
	select {
	case all := <-answer:
		return all
	case <-ctx.Done():
		return false
	}
}

// answer answers those who ask complete, all who wait by one question to the depot, until ctx ends.
func (a *mailings) answer(ctx context.Context) error {
	for {
		var all []chan<- bool
		select {
		case <-ctx.Done():
			return nil
		case first := <-a.asks:
			all = append(all, first)
		}
		for more := true; more; {
			select {
			case another := <-a.asks:
				all = append(all, another)
			default:
				more = false
			}
		}
		short, cancel := context.WithTimeout(ctx, a.patience)
		_, err := a.depot.FetchKeys(short, a.missing(), false)
		cancel()
		for _, to := range all {
			to <- errors.Is(err, depot.ErrAbsent)
		}
		sleep(ctx, a.pause)
	}
}
