// Package keyring keeps the keys of all mailings of a depot in a file, by which a server reads what comes back of these
// mailings, also while the depot is away.
package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/pause"
	"flyball/realrun/depot"
)

// Ring is the keys of all mailings, in the order of their numbers from 1 on. The exported fields are set before Open;
// then any goroutine may call the methods.
type Ring struct {
	File string
	From *depot.Remote
	Add  func(depot.Keys) error          // is called with the keys of each mailing, by Open and Fetch
	Warn func(job engine.Job, why error) // is called for a mailing that cannot be kept: a restart fetches it again

	log  *durable.Log
	asks chan chan<- bool // of callers of Complete that wait for an answer
	// The depot has patience for its answer to these, and is asked again after pause at the earliest: what is forged
	// costs it one question in that time, however much of it comes.
	patience, pause time.Duration

	lock sync.Mutex
	next engine.Job // that is not here
}

// ErrUntaken is the error of keys that Add does not take.
var ErrUntaken = errors.New("a mailing is not taken")

// header begins the file.
const header = "flyball mailings 1"

// mostAsking is the number of callers of Complete that wait for a question to begin. What comes beyond these has its
// answer at once: forged addresses must not hold all sessions.
const mostAsking = 50

// Open takes up the keys that are kept. The error wraps durable.ErrDamaged for a file that no Ring has written.
func (r *Ring) Open() error {
	r.asks, r.next = make(chan chan<- bool, mostAsking), 1
	r.patience, r.pause = 2*time.Second, 2*time.Second
	log, had, err := durable.OpenLog(r.File, header, true)
	if err != nil {
		return err
	}
	r.log = log
	for _, text := range had.Records {
		var k depot.Keys
		err := json.Unmarshal(text, &k)
		if err == nil {
			err = r.take(k)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w: %w", r.File, durable.ErrDamaged, err), r.Close())
		}
	}
	return nil
}

// Close closes the file.
func (r *Ring) Close() error { return r.log.Close() }

func (r *Ring) take(k depot.Keys) error {
	if err := r.Add(k); err != nil {
		return fmt.Errorf("%w: %w", ErrUntaken, err)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.next = k.Job + 1
	return nil
}

// missing returns the number of the first mailing that is not here.
func (r *Ring) missing() engine.Job {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.next
}

// Fetch fetches the keys of the next mailing, and waits a while for one that is yet to come: the error wraps
// depot.ErrAbsent then. What cannot be kept is used all the same. One goroutine fetches at a time.
func (r *Ring) Fetch(ctx context.Context) error {
	k, err := r.From.FetchKeys(ctx, r.missing(), true)
	if err != nil {
		return err
	}
	if err := r.keep(k); err != nil {
		r.Warn(k.Job, err)
	}
	return r.take(k)
}

func (r *Ring) keep(k depot.Keys) error {
	text, err := json.Marshal(k)
	if err == nil {
		err = r.log.Append(text)
	}
	if err == nil {
		err = r.log.Sync()
	}
	return err
}

// longest is for how long Complete waits for an answer.
const longest = 8 * time.Second

// Complete reports whether the keys are here of all mailings that the depot had when Complete was called; false if the
// depot does not say so within seconds, or too many ask. Whatever comes back of a message that was delivered before the
// call belongs to one of these mailings: each is in the depot before a server can deliver it.
func (r *Ring) Complete() bool {
	answer := make(chan bool, 1)
	select {
	case r.asks <- answer:
	default:
		return false
	}
	select {
	case all := <-answer:
		return all
	case <-time.After(longest):
		return false
	}
}

// Answer answers callers of Complete until ctx ends: all who wait by one question to the depot, which begins then.
func (r *Ring) Answer(ctx context.Context) {
	for {
		var all []chan<- bool
		select {
		case <-ctx.Done():
			return
		case first := <-r.asks:
			all = append(all, first)
		}
		for range len(r.asks) {
			all = append(all, <-r.asks)
		}
		short, cancel := context.WithTimeout(ctx, r.patience)
		_, err := r.From.FetchKeys(short, r.missing(), false)
		cancel()
		for _, to := range all {
			to <- errors.Is(err, depot.ErrAbsent)
		}
		pause.For(ctx, r.pause)
	}
}
