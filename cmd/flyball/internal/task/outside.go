package task

import (
	"fmt"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/reports/format"
)

// Outside allows a live run to mail people, outside of loopback and of reserved domains.
type Outside struct {
	Allow string // file of an allowlist; empty: nothing outside
	Count int    // recipients that the operator expects; 0: not given
	// Ask asks the operator for the number of recipients; nil if no operator is there.
	Ask func() (int, error)
}

// validate returns an error unless everything is given without which people are not mailed.
func (o *Outside) validate(q *Live) error {
	switch {
	case o.Allow == "" && o.Count != 0:
		return Fail(Usage, "--count: got %d, want --allow too", o.Count)
	case o.Allow == "":
		return nil
	case q.Promotion.File == "":
		return Fail(Refused, "--allow: got no --promotion, want the records that the parameters of the run come from")
	case q.List == "":
		return Fail(Refused, "--allow: got no --list, want one: synthetic recipients may be somebody's addresses")
	case !q.foreign():
		return Fail(Usage, "--allow: got no --receiver and no --resolver, want one: Flyball's own receivers need no "+
			"allowlist")
	case q.Scale != 0 && q.Scale != 1:
		return Fail(Refused, "--time-scale: got %g, want 1 with --allow", q.Scale)
	}
	return nil
}

// read returns the allowlist; nil if none is named.
func (o *Outside) read() (*dial.Allowlist, error) {
	if o.Allow == "" {
		return nil, nil
	}
	text, err := input.Read(o.Allow, input.Allowlist)
	if err != nil {
		return nil, unreadable("--allow", err)
	}
	a, err := dial.Load(o.Allow, text)
	if err != nil {
		return nil, Error{Invalid, err}
	}
	return a, nil
}

// confirm returns an error unless the operator has given the number of recipients, n, or types it now.
func (o *Outside) confirm(n int) error {
	got := o.Count
	if o.Allow == "" {
		return nil
	}
	if got == 0 && o.Ask != nil {
		var err error
		if got, err = o.Ask(); err != nil {
			return Fail(Refused, "recipients: %w", err)
		}
	}
	if got != n {
		said := "none"
		if got != 0 {
			said = fmt.Sprint(got)
		}
		return Fail(Refused, "--count: got %s, want %d, the number of recipients that would be mailed", said, n)
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
// a name server that is not Flyball's.
func (r *prepared) outside(t *realrun.SMTP) realrun.Transport {
	if r.allow == nil && r.lookups == nil {
		return t
	}
	domain := func(to mail.Recipient) string { return r.mailing.Address(to).Domain }
	r.allowed = &realrun.Allowed{Resolver: t.Resolver, List: r.allow, Domain: domain}
	t.Resolver = r.allowed
	if r.allow == nil { // on loopback a connection may carry whatever its receiver takes
		return t
	}
	return &realrun.OneDomain{Transport: t, Domain: domain}
}

// astray returns an error if attempts led to no receiver that is allowed for their domain.
func (r *prepared) astray() error {
	if r.allowed == nil {
		return nil
	}
	if n, first := r.allowed.Refused(); n > 0 {
		return Fail(Refused, "%s led to no receiver that is allowed; the first: %w",
			format.Plural(uint64(n), "attempt"), first)
	}
	return nil
}
