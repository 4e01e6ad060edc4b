package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/internal/vt"
	"flyball/realrun/dial"
)

// failing is a run that counts how often a failed guard ends the trials of its servers.
type failing struct{ told chan struct{} }

func (f failing) Do(g func(vt.Time)) error { g(0); return nil }
func (f failing) Fail(vt.Time)             { f.told <- struct{}{} }

// After a guard has failed, no attempt is made until the trials of all servers have ended: the law that fails is in
// force until then on those that have not returned. A guard that fails while some have returned and others have not
// makes these return; only when all have, it stops the run.
func TestAllServersReturnBeforeAttemptsGoOn(t *testing.T) {
	var stopped error
	run := failing{make(chan struct{}, 9)}
	f := &fallback{inForce: "two", before: "one", servers: 3, trying: 3, runner: run,
		stop: func(err error) { stopped = err }}
	permits := func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return f.take(ctx, func(context.Context) error { return nil }) == nil
	}
	says := func(want string) {
		t.Helper()
		if got := f.words(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	guard := fmt.Errorf("%w: too many", dial.ErrRefused)
	f.returns(governor.CanaryOver) // the share of one server is delivered
	if !permits() {
		t.Error("a canary whose share was delivered stops attempts")
	}
	says("two, from which 1 of 3 servers have returned to one: the share ")
	f.failed(guard)
	f.failed(guard)
	<-run.told
	says("two, until the interval ends: ")
	f.returns(governor.GuardFailed)
	if permits() {
		t.Error("attempts go on while a server has not returned")
	}
	f.returns(governor.GuardFailed)
	if !permits() || stopped != nil || len(run.told) > 0 {
		t.Errorf("attempts do not go on after all have returned: %v", stopped)
	}
	says("one, returned to from two: ")
	if f.failed(guard); !errors.Is(stopped, dial.ErrRefused) {
		t.Errorf("a guard that fails after the return: got %v, want the run to stop", stopped)
	}
}
