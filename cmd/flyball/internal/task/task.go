// Package task does what the commands of flyball do, without a command line: a
// task takes a context, a question and a Watch, and returns what was found. It
// writes only the files that the question names, never to standard output, and
// reads no flag, though refusals name the flag that asks the question. It refuses
// what makes no sense before anything runs. The commands call it; a console or a
// worker elsewhere can.
package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"flyball/sim"
)

// Kind of an error says who can do something about it.
type Kind int

const (
	Usage       Kind = iota + 1 // the question makes no sense
	Invalid                     // a scenario, a list or data is wrong
	Environment                 // a port, a disk
	Refused                     // for safety
	Disagrees                   // a promise of flyball itself is broken
)

// Error is an error with its kind.
type Error struct {
	Kind Kind
	Err  error
}

func (e Error) Error() string { return e.Err.Error() }
func (e Error) Unwrap() error { return e.Err }

func fail(kind Kind, format string, args ...any) error {
	return Error{kind, fmt.Errorf(format, args...)}
}

// ErrStopped is returned by tasks whose context ended before they did and that
// leave nothing to show. What was done until then is in Stopped.
var ErrStopped = errors.New("stopped")

// Stopped is the ErrStopped of a task that is made of runs.
type Stopped struct {
	Done, Total int    // runs
	Kept        string // file or folder that has what was done; empty if nothing was kept
	GoOn        string // command that goes on from there, if one can
}

func (s Stopped) Error() string { return fmt.Sprintf("stopped after %d of %d runs", s.Done, s.Total) }

// Is reports whether target is ErrStopped.
func (s Stopped) Is(target error) bool { return target == ErrStopped }

// Event is a sign of life of a task: how much of a stage is done, or a note.
type Event struct {
	Stage       string // such as the name of the scenario that runs
	Done, Total uint64 // in the unit of the stage
	Note        string // if not empty, a line that says what happened; Done and Total mean nothing
	Warning     bool   // of a note: something was lost, which may not be passed over
}

// Watch is called with what a task does, on the task's goroutine. A nil Watch
// watches nothing.
type Watch func(Event)

func (w Watch) at(stage string, done, total uint64) {
	if w != nil {
		w(Event{Stage: stage, Done: done, Total: total})
	}
}

func (w Watch) note(format string, args ...any) {
	if w != nil {
		w(Event{Note: fmt.Sprintf(format, args...)})
	}
}

func (w Watch) warn(format string, args ...any) {
	if w != nil {
		w(Event{Note: fmt.Sprintf(format, args...), Warning: true})
	}
}

// Broken is what a task panics with when an invariant breaks in one of its runs.
type Broken struct {
	Value  any    // what the run panicked with
	Where  string // how far the run was, and which one
	Replay string // command that makes that run again
	Stack  []byte // of its goroutine
}

func (b Broken) String() string { return fmt.Sprint(b.Value) }

// brokenRun is deferred where runs are made: it adds to a broken invariant which
// run it broke, and how to see it alone.
func brokenRun(describe func(b sim.Broken) (where, replay string)) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		where, replay := describe(b)
		v = Broken{b.Value, where, replay, b.Stack}
	}
	if v != nil {
		panic(v)
	}
}

// manyRuns lets memory grow further between two collections, for tasks whose
// networks come and go by the thousand and keep little: that leaves the cores to
// the runs. The function that it returns undoes that.
func manyRuns() (undo func()) {
	before := debug.SetGCPercent(800)
	return func() { debug.SetGCPercent(before) }
}

// going returns the question that runs under way are asked now and then.
func going(ctx context.Context) func() bool { return func() bool { return ctx.Err() == nil } }
