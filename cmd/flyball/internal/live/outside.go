package live

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
	"flyball/reports/format"
)

// Outside allows a live run to mail people, outside of loopback and of reserved domains.
type Outside struct {
	Allow string // file of an allowlist; empty: nothing outside
	Count int    // recipients that the operator expects; 0: not given
	// Complaints is a file with a line for each complaint, which grows while the run goes on; empty: none are known.
	Complaints string
	// Ask asks the operator for the number of recipients; nil if no operator is there.
	Ask func() (int, error)
}

// validate returns an error unless everything is given without which people are not mailed.
func (o *Outside) validate(q *Run) error {
	switch {
	case o.Allow == "" && o.Count != 0:
		return task.Fail(task.Usage, "--count: got %d, want --allow too", o.Count)
	case o.Allow == "" && o.Complaints != "":
		return task.Fail(task.Usage, "--complaints: got %q, want --allow too", o.Complaints)
	case o.Allow == "":
		return nil
	case q.Promotion.File == "":
		return task.Fail(task.Refused, "--allow: got no --promotion, want the records that the parameters of the run "+
			"come from")
	case q.List == "":
		return task.Fail(task.Refused, "--allow: got no --list, want one: synthetic recipients may be somebody's "+
			"addresses")
	case !q.foreign():
		return task.Fail(task.Usage, "--allow: got no --receiver and no --resolver, want one: Flyball's own "+
			"receivers need no allowlist")
	case q.Scale != 0 && q.Scale != 1:
		return task.Fail(task.Refused, "--time-scale: got %g, want 1 with --allow", q.Scale)
	}
	return nil
}

// ReadAllowlist returns the allowlist in a file, which a flag or key names, and the file's SHA-256; nil if no file is
// given.
func ReadAllowlist(named, file string) (a *dial.Allowlist, digest string, err error) {
	if file == "" {
		return nil, "", nil
	}
	text, err := input.Read(file, input.Allowlist)
	if err != nil {
		return nil, "", task.Unreadable(named, err)
	}
	if a, err = dial.Load(file, text); err != nil {
		return nil, "", task.Error{Kind: task.Invalid, Err: err}
	}
	return a, fmt.Sprintf("%x", sha256.Sum256(text)), nil
}

// Confirm returns an error unless the operator has given the number of recipients, n, or types it now.
func (o *Outside) Confirm(n int) error {
	got := o.Count
	if o.Allow == "" {
		return nil
	}
	if got == 0 && o.Ask != nil {
		var err error
		if got, err = o.Ask(); err != nil {
			return task.Fail(task.Refused, "recipients: %w", err)
		}
	}
	if got != n {
		said := "none"
		if got != 0 {
			said = fmt.Sprint(got)
		}
		return task.Fail(task.Refused, "--count: got %s, want %d, the number of recipients that would be mailed", said,
			n)
	}
	return nil
}

// sender returns the domain of the sender.
func (r *prepared) sender() string {
	if r.allow == nil {
		return "sender.example"
	}
	return r.allow.Sender
}

// outside returns t so that mail goes to receivers alone that are allowed for its domain, if there is an allowlist or
// a name server that is not Flyball's. Stop is called when what the allowlist bounds is used up.
func (r *prepared) outside(t *realrun.SMTP, stop func(error)) realrun.Transport {
	if r.allow == nil && r.lookups == nil {
		return t
	}
	domain := func(to mail.Recipient) string { return r.mailing.Address(to).Domain }
	r.allowed = &realrun.Allowed{Resolver: t.Resolver, List: r.allow, Domain: domain}
	t.Resolver = r.allowed
	if r.allow == nil { // on loopback a connection may carry whatever its receiver takes
		return t
	}
	f := r.back // there are promotions where there is an allowlist
	f.breaker, f.stop = r.breaker, stop
	take := func(ctx context.Context) error { return f.take(ctx, r.caps.Take) }
	return &realrun.Guarded{Transport: &realrun.OneDomain{Transport: t, Domain: domain}, Take: take,
		Saw: r.breaker.Saw, Stop: stop, Failed: f.failed}
}

// guard opens what bounds the attempts of a run with an allowlist.
func (r *prepared) guard(o *Outside) (err error) {
	if r.allow == nil {
		return nil
	}
	if r.caps, err = Caps("--allow", o.Allow, r.allow); err != nil {
		return err
	}
	count, err := CountComplaints("--complaints", o.Complaints)
	if err != nil {
		return err
	}
	r.breaker = guard.NewBreaker(r.allow.Breakers, task.TraceNames(r.scenario).Destinations, count)
	return nil
}

// Caps returns the caps of an allowlist, which a flag or key names, as all runs with its file count them.
func Caps(named, file string, allow *dial.Allowlist) (*guard.Caps, error) {
	file, err := filepath.EvalSymlinks(file) // all names of the file have one count
	if err != nil {
		return nil, task.Unreadable(named, err)
	}
	c, err := guard.Open(file+".used", allow.Caps)
	if err != nil {
		return nil, RefusedOr(task.Environment, err)
	}
	return c, nil
}

// CountComplaints returns a function that counts the lines that a file of complaints, which a flag or key names, has
// more than now. It reads the file at most once a second. It is nil without a file.
func CountComplaints(named, file string) (func() (int, error), error) {
	if file == "" {
		return nil, nil
	}
	lines := func() (int, error) {
		text, err := input.Read(file, input.Complaints)
		return bytes.Count(text, []byte("\n")), err
	}
	before, err := lines()
	if err != nil {
		return nil, task.Unreadable(named, err)
	}
	var read time.Time
	var more int
	return func() (int, error) {
		if time.Since(read) < time.Second {
			return more, nil
		}
		n, err := lines()
		if read = time.Now(); err != nil {
			return 0, task.Unreadable(named, err)
		}
		if n < before { // a new file
			before = 0
		}
		more = n - before
		return more, nil
	}, nil
}

// RefusedOr gives an error its kind: Refused if it is for safety, or else another.
func RefusedOr(other task.Kind, err error) error {
	if errors.Is(err, dial.ErrRefused) {
		return task.Error{Kind: task.Refused, Err: err}
	}
	return task.Error{Kind: other, Err: err}
}

// astray returns an error if look-ups led n recipients to no receiver that is allowed for their domain.
func (r *prepared) astray(n uint64) error {
	if n == 0 {
		return nil
	}
	first := errors.New("in an earlier run")
	if _, err := r.allowed.Refused(); err != nil {
		first = err
	}
	return task.Fail(task.Refused, "%s not mailed, whose look-ups led to no receiver that is allowed; the first: %w",
		format.Plural(n, "recipient"), first)
}
