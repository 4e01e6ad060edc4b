package live

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/promote"
	"flyball/cmd/flyball/internal/task"
	"flyball/governor"
	"flyball/internal/vt"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
)

// fallback is the record of parameters that a run can return to, and what it does when a guard fails: it makes no more
// attempts until the intervals of all servers have ended, with which they return; without a record, or if they have
// returned, it stops. The first return is durable in the folder of the mailing before a law that is returned to
// announces anything.
type fallback struct {
	inForce, before string // records in words; before is empty if there is none to return to
	number          int    // of the record to return to
	state           *kept.State
	breaker         *guard.Breaker
	runner          trying
	stop            func(error)

	lock    sync.Mutex
	earlier bool          // an earlier run of the mailing has returned
	why     string        // a guard has failed, or the share of a canary was delivered
	servers int           // all
	trying  int           // of them, with the law of the record in force
	open    chan struct{} // closed when attempts may be made again; nil: they may
	stuck   bool          // a return could not be kept: attempts wait until the run has stopped
}

// trying is a run whose servers try a law each, and can end these trials with their intervals; see realrun.Runner.
type trying interface {
	Do(func(vt.Time)) error
	Fail(vt.Time)
}

// over reports whether no server tries anything any more.
func (f *fallback) over() bool { return f.trying == 0 }

// named returns a record in words.
func named(in *promote.InForce) string {
	r := in.Last()
	return fmt.Sprintf("promotion %d of %s by %s", r.Number, in.From.File, r.By)
}

// take waits until no return is under way, and then for a permit.
func (f *fallback) take(ctx context.Context, permit func(context.Context) error) error {
	f.lock.Lock()
	wait := f.open
	f.lock.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return permit(ctx)
}

// failed takes the failure of a guard. Any goroutine may call it.
func (f *fallback) failed(err error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case f.over() || f.before == "" || !errors.Is(err, dial.ErrRefused):
		f.stop(err)
	case f.open == nil:
		f.open, f.why = make(chan struct{}), err.Error()
		go f.runner.Do(f.runner.Fail) // the run may have ended: then there is nothing to return from
	}
}

// returns is called when the trial of a server ends, on the goroutine that owns the machines.
func (f *fallback) returns(flags governor.Flags) {
	f.lock.Lock()
	defer f.lock.Unlock()
	first := f.trying == f.servers
	f.trying--
	if f.why == "" {
		f.why = "the share of the canary was delivered"
		if flags&governor.GuardFailed != 0 {
			f.why = "too many attempts of an interval of the canary went wrong"
		}
	}
	if first {
		if err := f.state.Returns(kept.Returned{Record: f.number, Why: f.why}); err != nil {
			f.stop(task.Fail(task.Environment, "--state: %w", err))
			f.stuck = true
		}
	}
	if f.stuck || !f.over() {
		return
	}
	if f.breaker != nil {
		f.breaker.Again()
	}
	if f.open != nil {
		close(f.open)
		f.open = nil
	}
}

// words returns which record is in force, and why it is not the one that was.
func (f *fallback) words() string {
	if f == nil {
		return ""
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case f.over():
		return fmt.Sprintf("%s, returned to from %s: %s", f.before, f.inForce, f.why)
	case f.open != nil:
		return fmt.Sprintf("%s, until the interval ends: %s", f.inForce, f.why)
	case f.why != "":
		return fmt.Sprintf("%s, from which %d of %d servers have returned to %s: %s", f.inForce, f.servers-f.trying,
			f.servers, f.before, f.why)
	}
	return f.inForce
}

// tells returns a line on a return.
func (f *fallback) tells() []string {
	if f == nil || f.why == "" {
		return nil
	}
	return []string{"Parameters at the end: " + f.words()}
}

// here reports whether the run itself can return, or has returned.
func (f *fallback) here() bool { return f != nil && f.number > 0 && !f.earlier }

// goOn takes up what the mailing in a folder has of earlier runs.
func (r *prepared) goOn(st *kept.State) error {
	if !st.Resumed() || st.Returned == nil {
		return nil
	}
	if r.promoted == nil || len(r.promoted.All) < 2 {
		return task.Fail(task.Refused, "--state: %s: got a mailing that has returned to promotion %d, want "+
			"--promotion with a record after it", st.Dir, st.Returned.Record)
	}
	back, err := r.promoted.Back()
	if err != nil {
		return err
	}
	if got := back.Last().Number; got != st.Returned.Record {
		return task.Fail(task.Refused, "--state: %s: got a mailing that has returned to promotion %d, want it to be "+
			"the record before the last one, which is %d", st.Dir, st.Returned.Record, got)
	}
	r.back = &fallback{inForce: named(r.promoted), before: named(back), why: st.Returned.Why, earlier: true}
	r.says = []string{"Parameters: " + r.back.words()}
	return nil
}
