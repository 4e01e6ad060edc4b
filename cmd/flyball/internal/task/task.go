// Package task does the work of the commands of flyball without a command line: single
// simulated runs, plans of partitions, and new scenarios. Under the same contract package
// live has the runs over SMTP, package promote the parameters that these may use, package
// trials the tasks of many runs, package deadlines what a deadline needs, and package speed
// what bench times. A task takes a context, a question and a Watch, and returns
// its findings. It checks the question before anything runs, and reports everything
// that is wrong with it. It writes only the files that the question names, never to
// standard output, and reads no flag; errors do name the flag that sets a value. The
// commands call it; a console, or a worker on another machine, could too.
package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// Kind is the kind of an error, by what has to be mended.
type Kind int

const (
	Usage       Kind = iota + 1 // the question makes no sense
	Invalid                     // a scenario, a list or data is wrong
	Environment                 // a port, a disk
	Missed                      // what was to be shown was not
	Undecided                   // nothing was shown
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

// Fail returns an error of a kind, formatted as by fmt.Errorf.
func Fail(kind Kind, format string, args ...any) error {
	return Error{kind, fmt.Errorf(format, args...)}
}

// CheckWorkers returns an error if n runs at the same time are none.
func CheckWorkers(n int) error {
	if n < 1 {
		return Fail(Usage, "--jobs: got %d, want 1 or more", n)
	}
	return nil
}

// ErrStopped is returned by a task whose context ended before the task and that has
// no result. Stopped is an ErrStopped with what was done until then.
var ErrStopped = errors.New("stopped")

// Stopped is the ErrStopped of a task that consists of runs.
type Stopped struct {
	Done  int    // runs
	Total int    // runs, at most; 0: unknown
	Kept  string // file or folder with the runs that were done; empty if nothing was kept
	GoOn  string // command that continues the task; empty if none can
}

func (s Stopped) Error() string { return "stopped " + s.After() }

// After returns in words how far the task was, what was kept, and how the task goes on.
func (s Stopped) After() string {
	text := fmt.Sprintf("after %d", s.Done)
	if s.Total > 0 {
		text += fmt.Sprintf(" of %d", s.Total)
	}
	switch text += " runs"; {
	case s.Kept == "":
		text += "; nothing is written"
	case s.GoOn == "":
		text += "; " + s.Kept + " has the scenarios whose runs were all done"
	default:
		text += ", which are kept in " + s.Kept + "\ngo on with: " + s.GoOn
	}
	return text
}

// Is reports whether target is ErrStopped.
func (s Stopped) Is(target error) bool { return target == ErrStopped }

// Event is the progress of a task: how much of a stage is done, or a note.
type Event struct {
	Stage       string // such as the name of the scenario that runs
	Done, Total uint64 // in the unit of the stage
	// Out, if not nil, returns when the mailing will be out, in words; empty if that is not known. Only the
	// Watch may call it, before it returns.
	Out func() string
	// Left, if not nil, returns how much real time is left by the same estimate; 0 if that is not known.
	Left    func() time.Duration
	Note    string // if not empty, a line about what happened; Done and Total are not set
	Warning bool   // the note is about a loss and must be shown
}

// Watch is called with the events of a task, on the task's goroutine. It may be nil.
type Watch func(Event)

// At reports that done units of total of a stage are done.
func (w Watch) At(stage string, done, total uint64) {
	if w != nil {
		w(Event{Stage: stage, Done: done, Total: total})
	}
}

// Out reports that done recipients of total are final in a run of s, of whose end forecast returns an
// estimate. left, if not nil, returns how much real time is left until a point in the run's time.
func (w Watch) Out(s *scenarios.Scenario, done, total uint64, forecast func() runlog.Forecast,
	left func(vt.Time) time.Duration) {
	if w == nil {
		return
	}
	e := Event{Stage: s.Name, Done: done, Total: total, Out: func() string { return WhenOut(s.Clock(), forecast()) }}
	if left != nil {
		e.Left = func() time.Duration {
			if f := forecast(); f.Known() {
				return max(0, left(f.Finish))
			}
			return 0
		}
	}
	w(e)
}

// WhenOut returns an estimate in words: "out by 05:40 (05:31 to 05:52)", or "out after 7.2 h (7 h to
// 7.4 h)" without a clock; empty if there is none.
func WhenOut(clock vt.Clock, f runlog.Forecast) string {
	word, text := "after", func(t vt.Time) string { return format.Duration(t.Seconds()) }
	switch {
	case !f.Known():
		return ""
	case clock.Given():
		word, text = "by", clock.Text
	}
	return fmt.Sprintf("out %s %s (%s to %s)", word, text(f.Finish), text(f.Low), text(f.High))
}

// Note reports a line about what happened, formatted as by fmt.Sprintf.
func (w Watch) Note(format string, args ...any) {
	if w != nil {
		w(Event{Note: fmt.Sprintf(format, args...)})
	}
}

// Warn reports a line about a loss.
func (w Watch) Warn(format string, args ...any) {
	if w != nil {
		w(Event{Note: fmt.Sprintf(format, args...), Warning: true})
	}
}

// Broken is what a task panics with when an invariant breaks in one of its runs.
type Broken struct {
	Value  any    // what the run panicked with
	Where  string // which run, and how far it was
	Replay string // command that repeats the run
	Stack  []byte // of the run's goroutine
}

func (b Broken) String() string { return fmt.Sprint(b.Value) }

// BrokenRun is deferred where runs are made. It adds to a broken invariant which run
// broke it, and the command that repeats that run alone.
func BrokenRun(describe func(b sim.Broken) (where, replay string)) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		where, replay := describe(b)
		v = Broken{b.Value, where, replay, b.Stack}
	}
	if v != nil {
		panic(v)
	}
}

// ManyRuns lets memory grow further between two garbage collections. Tasks that make
// thousands of networks and keep little of them spend less time collecting. The
// function undo restores the previous setting.
func ManyRuns() (undo func()) {
	before := debug.SetGCPercent(800)
	return func() { debug.SetGCPercent(before) }
}

// Going returns a function that reports whether runs should go on: ctx has not ended.
func Going(ctx context.Context) func() bool { return func() bool { return ctx.Err() == nil } }
