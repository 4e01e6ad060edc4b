package lists

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/depot"
	"flyball/realrun/requests"
	"flyball/reports/format"
	"flyball/storage"
)

// Changes takes changes of servers for returned mail and requests, which know recipients by their places, into a store:
// it is a depot.Lists.
type Changes struct {
	Store *storage.Store
	// Of returns the mailing that a recipient is of, by the name of its job, and the place in it; false: of none.
	Of func(mail.Recipient) (mailing string, place uint32, ok bool)
	// MayLack is storage.Change.MayLack of each change, Hard and Forget are storage.Change.Hard and Forget of returned
	// mail that counts.
	MayLack bool
	Hard    int
	Forget  time.Duration
}

// Taken implements depot.Lists.
func (c Changes) Taken(ctx context.Context, source string) (uint64, error) {
	return c.Store.Taken(ctx, source)
}

// Take implements depot.Lists. A request is about the list that its mailing was for, a dead address about all.
func (c Changes) Take(ctx context.Context, source string, first uint64, all []depot.Change) (uint64, error) {
	var changes []storage.Change
	for _, v := range all {
		of := storage.Change{Why: storage.Asked, Join: v.Add, MayLack: c.MayLack}
		switch {
		case v.Dead:
			of.Why = storage.Dead
		case v.Counts:
			of.Why, of.Token, of.Hard, of.Forget = storage.Returned, v.Token, c.Hard, c.Forget
		}
		var ok bool
		if of.Mailing, of.Place, ok = c.Of(v.Rcpt); !ok {
			return 0, fmt.Errorf("recipient %d of %s is of no mailing", v.Rcpt, source)
		}
		changes = append(changes, of)
	}
	upTo, err := c.Store.Take(ctx, source, first, changes)
	if errors.Is(err, storage.ErrGap) {
		err = fmt.Errorf("%w: %w", depot.ErrGap, err)
	}
	return upTo, err
}

// Take asks that a store takes what recipients of live runs of its lists have asked for.
type Take struct {
	Place    string
	Mailings []string // folders of the runs, see package kept
}

// Do takes what is new, and returns a line for each mailing.
func (q *Take) Do(ctx context.Context) (words []string, err error) {
	if len(q.Mailings) == 0 {
		return nil, task.Fail(task.Usage, "--mailing: got none, want the folder that a live run keeps with --state")
	}
	s, p, err := open(ctx, q.Place, false, false)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, dir := range q.Mailings {
		_, key, err := kept.ReturnPaths(dir)
		if err != nil {
			return words, err
		}
		facts, err := requests.Facts(kept.Requests(dir), key)
		if err != nil {
			return words, task.Fail(task.Invalid, "--mailing: %s: %w", kept.Requests(dir), err)
		}
		name := kept.Mailing{Secret: key}.Name()
		to := Changes{Store: s, Of: func(r mail.Recipient) (string, uint32, bool) { return name, uint32(r), true }}
		all := depot.ChangesOf(facts)
		before, err := to.Taken(ctx, "requests of "+name)
		switch {
		case err != nil:
		case before > uint64(len(all)):
			return words, task.Fail(task.Invalid, "--mailing: %s: got %d changes, want %d or more, which the store "+
				"has taken", kept.Requests(dir), len(all), before)
		case before < uint64(len(all)):
			_, err = to.Take(ctx, "requests of "+name, before+1, all[before:])
		}
		if err != nil {
			return words, task.Stored("--mailing: "+dir, err)
		}
		words = append(words, fmt.Sprintf("%s: %s of recipients taken into %s, %d of them new", dir,
			format.Plural(uint64(len(all)), "change"), p, uint64(len(all))-before))
	}
	return words, nil
}
