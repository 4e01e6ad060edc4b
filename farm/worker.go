package farm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"flyball/bus"
	"flyball/internal/pause"
)

// Working is what a worker needs.
type Working struct {
	Name           string // of the worker, unique on the bus: a part of a subject
	Slots          int    // jobs that it does at the same time
	Program, Build string // of this program
	// Here returns what does a job. The same slot, from 0, is never used by two goroutines.
	Here func(slot int) Do
	Note func(format string, args ...any) // may be called on any goroutine
}

// Errors of Work, besides errors of the bus.
var (
	// ErrRefused is a coordinator that does not take this worker.
	ErrRefused = errors.New("refused by the coordinator")
	// ErrBarred is a coordinator that has found this worker to compute wrongly.
	ErrBarred = errors.New("shut out by the coordinator")
)

// Times of a worker.
const (
	lookEvery = time.Second     // for a coordinator
	retryFor  = 5 * time.Second // a coordinator that does not answer
	retryWait = 200 * time.Millisecond
)

// Work does jobs of the coordinators on a bus, one after the other, until ctx ends, or until a coordinator whose broker
// goes with it has ended; it returns nil then. Other ends are ErrRefused, ErrBarred and errors of the bus. What it does
// depends on the messages alone: it reads no file.
func Work(ctx context.Context, conn *bus.Conn, c Working) error {
	waiting := false
	for {
		text, err := conn.Ask(ctx, helloSubject+c.Name, encode(hello{version, c.Program, c.Build}))
		if ctx.Err() != nil {
			return nil
		}
		var w welcome
		switch {
		case errors.Is(err, bus.ErrNoAnswer):
			if !waiting {
				waiting = true
				c.Note("waits for a sweep")
			}
			pause.For(ctx, lookEvery)
			continue
		case err != nil:
			return err
		}
		if err := decode(text, &w); err != nil {
			return fmt.Errorf("%w: the coordinator: %w", ErrRefused, err)
		}
		if w.Refused != "" {
			return fmt.Errorf("%w: %s", ErrRefused, w.Refused)
		}
		waiting = false
		c.Note("takes part in %s", w.What)
		gone, err := takePart(ctx, conn, c, w)
		if ctx.Err() != nil || gone && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// takePart runs the slots until the coordinator ends; gone is set if its broker ends too.
func takePart(ctx context.Context, conn *bus.Conn, c Working, w welcome) (gone bool, _ error) {
	stop, end := context.WithCancelCause(ctx)
	defer end(nil)
	var mu sync.Mutex
	var running sync.WaitGroup
	for n := range c.Slots {
		running.Go(func() {
			s := slot{Working: c, conn: conn, welcome: w, n: n, do: c.Here(n)}
			over, err := s.run(stop)
			mu.Lock()
			defer mu.Unlock()
			if gone = gone || over; err != nil {
				end(err)
			}
		})
	}
	running.Wait()
	if err := context.Cause(stop); stop.Err() != nil && ctx.Err() == nil {
		return gone, err
	}
	return gone, nil
}

// slot does one batch of jobs at a time.
type slot struct {
	Working
	conn    *bus.Conn
	welcome welcome
	n       int
	do      Do
}

func (s *slot) ask(ctx context.Context, a ask) (give, error) {
	a.Version, a.Farm, a.Slot = version, s.welcome.Farm, s.n
	var g give
	text, err := s.conn.Ask(ctx, workSubject+s.Name, encode(a))
	if err == nil {
		if err = decode(text, &g); err != nil {
			err = fmt.Errorf("%w: the coordinator: %w", ErrRefused, err)
		}
	}
	return g, err
}

// run works until the coordinator ends; gone is set if its broker ends too.
func (s *slot) run(ctx context.Context) (gone bool, _ error) {
	var results []Result
	silent := time.Time{} // since when the coordinator does not answer
	for {
		g, err := s.ask(ctx, ask{Results: results})
		switch {
		case ctx.Err() != nil:
			s.leave(results)
			return false, nil
		case errors.Is(err, bus.ErrNoAnswer):
			switch {
			case silent.IsZero():
				silent = time.Now()
			case time.Since(silent) > retryFor:
				return false, nil // the next coordinator has other jobs
			}
			pause.For(ctx, retryWait)
			continue
		case err != nil:
			return false, err
		}
		silent, results = time.Time{}, nil
		switch g.State {
		case stateWork:
			if results = s.work(ctx, g); ctx.Err() != nil {
				s.leave(results)
				return false, nil
			}
		case stateBarred:
			return false, fmt.Errorf("%w: %s", ErrBarred, g.Why)
		case stateWait:
			pause.For(ctx, time.Duration(min(max(g.Wait, 1), 60_000))*time.Millisecond)
		default: // over, or a coordinator that does not know this worker
			return g.State == stateOver && g.Gone, nil
		}
	}
}

// leave hands over what is done and gives the rest back.
func (s *slot) leave(results []Result) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.ask(ctx, ask{Results: results, Leaving: true}) // else the lease ends
}

// work does the jobs of a message.
func (s *slot) work(ctx context.Context, g give) (results []Result) {
	alive, stop := context.WithCancel(ctx)
	defer stop()
	go s.beat(alive)
	size := 0
	for _, j := range g.Jobs {
		r := Result{Number: j.Number}
		var err error
		if r.Record, err = s.one(ctx, j.Number, Job{g.Specs[j.Spec], j.Part}); err != nil {
			r.Record, r.Failed = nil, short(err)
		}
		if ctx.Err() != nil {
			return results
		}
		results = append(results, r)
		if size += len(r.Record); size > mostReport {
			if _, err := s.ask(ctx, ask{Results: results, Alive: true}); err == nil {
				results, size = nil, 0
			}
		}
	}
	return results
}

// beat keeps the lease of the slot until ctx ends.
func (s *slot) beat(ctx context.Context) {
	every := time.NewTicker(time.Duration(max(s.welcome.Silence, 30)) * time.Millisecond / 3)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			s.ask(ctx, ask{Alive: true}) // a lost one is followed by others
		}
	}
}

// one does a job. What it panics with is a failure of the job: the coordinator does the job again and sees whose fault
// it is.
func (s *slot) one(ctx context.Context, number int, j Job) (record []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v", v)
		}
	}()
	if record, err = s.do(ctx, number, j); len(record) > mostRecord {
		return nil, errors.New(tooLarge)
	}
	return record, err
}

// short returns an error's words within what a message may have.
func short(err error) string {
	text := err.Error()
	return text[:min(len(text), mostWords/2)]
}
