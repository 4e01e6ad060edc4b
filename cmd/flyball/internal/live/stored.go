package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/proximity"
	"flyball/internal/mail"
	"flyball/realrun/mailing"
	"flyball/reports/distances"
	"flyball/storage"
)

// checkStored returns an error for a list of a store without a folder that keeps the mailing: only a mailing that is
// kept has a gate, which a suppression during the run must reach.
func (q *Run) checkStored() error {
	if !storage.IsPlace(q.List) || q.State != "" {
		return nil
	}
	return task.Fail(task.Usage, "--list: got the store %s, want --state too: with it, who is suppressed while the "+
		"run is under way gets nothing any more", task.Quote(q.List))
}

// stored is the store that the list of a run comes from: whom it suppresses gets nothing, and it has what became of
// each recipient. The journal of the mailing is the truth: what the store lacks after a stop it gets when the mailing
// goes on.
type stored struct {
	store   *storage.Store
	list    string
	mailing *mailing.Mailing
	job     int64
	cancel  context.CancelFunc // ends the recording now and then; nil before it begins
	ended   chan struct{}      // closed when it has ended

	mu    sync.Mutex
	fresh []end // not recorded
}

// end is the end of a recipient.
type end struct {
	rcpt   mail.Recipient
	status mail.Status
}

// perRecord is the most outcomes of one transaction, and recording the time between two.
const (
	perRecord = 10_000
	recording = 5 * time.Second
)

// openStored opens the store of the list; nil for a list of no store.
func (q *Run) openStored(m *mailing.Mailing) (*stored, error) {
	if !storage.IsPlace(q.List) {
		return nil, nil
	}
	s, p, err := task.OpenStore(context.Background(), q.List, false)
	if err != nil {
		return nil, task.Stored("--list", err)
	}
	return &stored{store: s, list: p.List, mailing: m, ended: make(chan struct{})}, nil
}

// Close closes the store.
func (v *stored) Close() error {
	if v == nil {
		return nil
	}
	v.rest()
	return v.store.Close()
}

// rest ends the recording now and then.
func (v *stored) rest() {
	if v.cancel != nil {
		v.cancel()
		<-v.ended
	}
}

// add takes the end of a recipient. A recipient who is pending has none.
func (v *stored) add(r mail.Recipient, s mail.Status) {
	if v == nil || s == mail.Pending {
		return
	}
	v.mu.Lock()
	v.fresh = append(v.fresh, end{r, s})
	v.mu.Unlock()
}

// suppressed returns whether the store suppresses a recipient; nil without a store. What it returns follows the store
// until ctx ends, and stops the run if the store does not answer.
func (v *stored) suppressed(ctx context.Context, stop func(error)) (func(mail.Recipient) bool, error) {
	if v == nil {
		return nil, nil
	}
	set, err := v.store.SuppressedIn(ctx, v.list)
	if err != nil {
		return nil, task.Stored("--list", err)
	}
	go func() {
		if err := v.store.Follow(ctx, set); err != nil {
			stop(err)
		}
	}()
	return func(r mail.Recipient) bool {
		is := set.Has(v.mailing.Address(r))
		if is {
			v.add(r, mail.Suppressed)
		}
		return is
	}, nil
}

// begin records that the mailing of a scenario begins or goes on, and what became of recipients from then on.
func (v *stored) begin(ctx context.Context, scenario string, own kept.Mailing, st *kept.State) error {
	if v == nil {
		return nil
	}
	for _, e := range st.Before.Entries {
		if f, ok := e.Fact.(engine.Outcome); ok && f.Status == mail.Suppressed {
			v.add(f.Rcpt, f.Status)
		}
	}
	lists, err := v.store.Lists(ctx)
	if err != nil {
		return task.Stored("--list", err)
	}
	j := storage.Job{Mailing: own.Name(), Name: scenario, List: v.list, Recipients: v.mailing.List.Len()}
	if i := slices.IndexFunc(lists, func(l storage.List) bool { return l.Name == v.list && l.Complete }); i >= 0 {
		j.Digest = lists[i].Digest
	}
	if v.job, err = v.store.BeginJob(ctx, j); err != nil {
		return task.Stored("--list", err)
	}
	under, cancel := context.WithCancel(ctx)
	v.cancel = cancel
	go func() {
		defer close(v.ended)
		tick := time.NewTicker(recording)
		defer tick.Stop()
		for {
			select {
			case <-under.Done():
				return
			case <-tick.C:
				v.record() // what fails is tried again, at last by end
			}
		}
	}()
	return nil
}

// record records the outcomes that the store lacks.
func (v *stored) record() error {
	for {
		v.mu.Lock()
		batch := v.fresh[:min(len(v.fresh), perRecord)]
		v.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		all := make([]storage.Outcome, len(batch))
		for i, e := range batch {
			all[i] = storage.Outcome{Place: uint32(e.rcpt), To: v.mailing.Address(e.rcpt), Outcome: e.status.String()}
		}
		if err := v.store.Record(context.Background(), v.job, all); err != nil {
			return err
		}
		v.mu.Lock()
		v.fresh = slices.Delete(v.fresh, 0, len(batch))
		v.mu.Unlock()
	}
}

// end records what is left, the state of the mailing, and what it has learned of distances, which may be nil.
func (v *stored) end(state string, learned *proximity.Database) error {
	if v == nil {
		return nil
	}
	v.rest()
	ctx := context.Background()
	err := v.record()
	if err == nil && learned != nil {
		err = v.store.KeepProximity(ctx, v.list, distances.Write(learned))
	}
	if err = errors.Join(err, v.store.EndJob(ctx, v.job, state)); err != nil {
		return task.Fail(task.Environment, "--list: the store lacks what became of recipients, and has it once the "+
			"same command has gone on with --resume: %w", err)
	}
	return nil
}
