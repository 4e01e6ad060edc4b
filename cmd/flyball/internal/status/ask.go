package status

import (
	"cmp"
	"context"
	"errors"
	"io/fs"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/remote"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/control"
)

// Control asks about the mailing in a folder, or for a change of the run that uses it.
type Control struct {
	Dir     string
	Request string // status, pause, resume or cancel
}

// Do asks the run. Without a run, the status is what the journal has.
func (q *Control) Do(context.Context) (*Status, error) {
	var s Status
	err := control.Ask(q.Dir, q.Request, &s)
	switch {
	case err == nil:
		return &s, nil
	case errors.Is(err, control.ErrNone) && q.Request == "status":
		return q.stopped()
	case errors.Is(err, control.ErrNone):
		return nil, task.Fail(task.Environment, "%s: %w: realrun --resume begins one", q.Dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, task.Fail(task.Usage, "%w", err)
	}
	return nil, task.Fail(task.Environment, "%s: %w", q.Dir, err)
}

// stopped returns the status of a mailing that no run uses.
func (q *Control) stopped() (*Status, error) {
	entries, err := kept.Read(q.Dir)
	if err != nil {
		return nil, err
	}
	var total uint64
	var now vt.Time
	var attempts uint64
	ambiguous := 0
	status := map[mail.Recipient]mail.Status{}
	facts := map[mail.Server][]engine.Fact{} // of each delivering server
	for _, e := range entries {
		now = max(now, e.At)
		if e.Role.Role == engine.Remote {
			facts[e.Role.Server] = append(facts[e.Role.Server], e.Fact)
		}
		switch f := e.Fact.(type) {
		case engine.Submitted:
			total += uint64(f.Recipients)
		case engine.Outcome:
			if f.Status != mail.Suppressed && f.Status != mail.Unreached {
				attempts++
			}
			if status[f.Rcpt] = f.Status; f.Ambiguous {
				ambiguous++
			}
		}
	}
	for _, of := range facts { // what a run that goes on finds ambiguous
		n := len(remote.Doubtful(kept.Boot(), of))
		attempts, ambiguous = attempts+uint64(n), ambiguous+n
	}
	var count [mail.Statuses]uint64
	for _, s := range status {
		count[s]++
	}
	count[mail.Pending] = total - uint64(len(status)) + count[mail.Pending]
	s := New("stopped", now, cmp.Or(total, uint64(len(status))), count)
	s.Attempts, s.Ambiguous = attempts, ambiguous
	return s, nil
}
