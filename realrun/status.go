package realrun

import (
	"errors"

	"flyball/engine/delivery"
	"flyball/engine/remote"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// Status is how far a live run is.
type Status struct {
	Now       vt.Time
	Paused    bool
	Stopping  bool
	Total     uint64 // recipients
	Count     [mail.Statuses]uint64
	Attempts  uint64
	Waiting   int // attempts that wait at the gate
	Ambiguous int // attempts, of a mailing that is kept
	Servers   []ServerStatus
	Deferred  []uint64 // attempts after which a recipient was to be resent, by destination
	Forecast  runlog.Forecast
}

// ServerStatus is how many processes a delivering server may allocate, C rounded down, and has allocated.
type ServerStatus struct{ Available, Allocated int }

// ErrOver reports that a run has ended.
var ErrOver = errors.New("the run has ended")

// Do has the goroutine that owns the machines call f, while the run goes on. Any goroutine may call it.
func (r *Runner) Do(f func(now vt.Time)) error {
	done := make(chan struct{})
	select {
	case r.calls <- func(now vt.Time) { f(now); close(done) }:
		<-done
		return nil
	case <-r.over:
		return ErrOver
	}
}

// Pause stops all final dots, or lets them go on, in a run that keeps its facts. Sessions stay open. Only a function of
// Do may call it.
func (r *Runner) Pause(now vt.Time, on bool) { r.roles.kept.halt(now, on || r.stopping) }

// Fail makes the trial of each server's law end with its interval: a guard has failed. Only a function of Do may call
// it.
func (r *Runner) Fail(now vt.Time) {
	r.journal.fail(now)
	r.roles.fail()
}

// Status returns how far the run is. Only a function of Do may call it.
func (r *Runner) Status(now vt.Time) Status {
	rec := r.Record()
	s := Status{Now: now, Stopping: r.stopping, Total: r.all(), Attempts: rec.Attempts(), Forecast: r.Forecast()}
	s.Count[mail.Pending] = s.Total
	for status := mail.Done; status < mail.Statuses; status++ {
		s.Count[status] = rec.Count(status)
	}
	s.Count[mail.Unreached] = rec.Unreached()
	if kept := r.roles.kept; kept != nil {
		s.Count[mail.Suppressed] += kept.suppressed
	}
	for status := mail.Done; status < mail.Statuses; status++ {
		s.Count[mail.Pending] -= s.Count[status]
	}
	for _, d := range rec.Destinations() {
		s.Deferred = append(s.Deferred, d.First[mail.Pending]+d.Resent[mail.Pending])
	}
	for _, v := range r.roles.machines { // one that is elsewhere is left out
		var m *delivery.Machine
		switch v := v.(type) {
		case *delivery.Machine:
			m = v
		case *remote.Server:
			m = v.Machine()
		default:
			continue
		}
		s.Servers = append(s.Servers, ServerStatus{m.Available(), m.Allocated()})
	}
	if kept := r.roles.kept; kept != nil {
		s.Paused, s.Waiting, s.Ambiguous = kept.paused, len(kept.gate.waits), len(kept.doubts)
	}
	return s
}
