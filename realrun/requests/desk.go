package requests

import (
	"cmp"
	"context"
	"errors"
	"time"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Role is the role of package inbox for requests, and where each recipient stands by its facts. A station runs it.
type Role struct {
	*inbox.Server
	address engine.Address
	of      map[mail.Recipient]standing
}

// standing is what a recipient's changes have come to.
type standing struct {
	changes uint64 // number of them
	out     bool   // the last one was a deletion
}

// NewRole returns a role without any facts.
func NewRole(cfg inbox.Config) *Role {
	return &Role{inbox.New(cfg), cfg.Address, map[mail.Recipient]standing{}}
}

// Receive processes a message as inbox.Server does. What goes to recipients is left out: a Server mails it.
func (r *Role) Receive(now vt.Time, m engine.Message, out *engine.Outbox) {
	facts, sent := len(out.Write), len(out.Send)
	r.Server.Receive(now, m, out)
	for _, f := range out.Write[facts:] {
		r.see(f)
	}
	rest := out.Send[:sent]
	for _, m := range out.Send[sent:] {
		if m.To.Role != engine.Recipients {
			rest = append(rest, m)
		}
	}
	out.Send = rest
}

// Recover takes the facts of the role before its stop.
func (r *Role) Recover(now vt.Time, boot uint64, facts []engine.Fact, out *engine.Outbox) {
	for _, f := range facts {
		r.see(f)
	}
	r.Server.Recover(now, boot, facts, out)
}

func (r *Role) see(f engine.Fact) {
	for _, c := range changes(f) {
		r.of[c.Rcpt] = standing{r.of[c.Rcpt].changes + 1, !c.Add}
	}
}

// changes returns the changes of the list that a fact of the role has made.
func changes(f engine.Fact) []engine.Change {
	switch f := f.(type) {
	case engine.Wanted:
		return engine.UnpackChanges(f.Changes)
	case engine.Agreed:
		return engine.UnpackChanges(f.Changes)
	}
	return nil
}

// token returns the number of a recipient's request to be added or deleted. It is another one after each change, so
// that who has left and returned may leave again, and an old confirmation confirms nothing.
func (s standing) token(add bool) uint64 {
	if add {
		return s.changes<<1 | 1
	}
	return s.changes << 1
}

// Shell runs a Role: it lets a function give the role its input, and returns when the facts are durable that follow,
// and
// those before (station.Station).
type Shell interface {
	Do(ctx context.Context, f func(now vt.Time, out *engine.Outbox)) error
}

// Desk takes requests of the recipients of a list. Any goroutine may use it. Its methods return when the request is
// durable; after an error it may or may not count.
type Desk struct {
	// Beside is for how long Return waits until the sending server has it, where other servers have desks for the same
	// recipients. None of them knows what another one has taken: each request is a change then. 0: it is the only desk.
	Beside time.Duration

	role  *Role
	shell Shell
}

// NewDesk returns the desk of a role that a shell runs.
func NewDesk(r *Role, s Shell) *Desk { return &Desk{role: r, shell: s} }

// do gives the role what f returns for where a recipient stands, and reports whether that changes the list.
func (d *Desk) do(ctx context.Context, r mail.Recipient, f func(standing) []engine.Body) (changed bool, err error) {
	err = d.shell.Do(ctx, func(now vt.Time, out *engine.Outbox) {
		before := d.role.of[r]
		for _, b := range f(before) {
			d.role.Receive(now, engine.Message{To: d.role.address, Body: b}, out)
		}
		changed = d.role.of[r].changes > before.changes
	})
	return err == nil && changed, err
}

// Leave deletes a recipient, and reports whether that changes anything.
func (d *Desk) Leave(ctx context.Context, r mail.Recipient) (changed bool, err error) {
	return d.do(ctx, r, func(s standing) []engine.Body {
		if s.out && d.Beside == 0 {
			return nil
		}
		return []engine.Body{engine.Request{Rcpt: r, Token: s.token(false)}}
	})
}

// Return undoes Leave, and reports whether that changes anything. Beside others, a return that the sending server does
// not have in time is taken back, and is an error: the recipient may leave at another desk meanwhile, and a return that
// comes late would undo that.
func (d *Desk) Return(ctx context.Context, r mail.Recipient) (changed bool, err error) {
	changed, err = d.do(ctx, r, func(s standing) []engine.Body {
		if !s.out && d.Beside == 0 {
			return nil
		}
		return []engine.Body{engine.Join{Rcpt: r, Token: s.token(true)},
			engine.Confirmed{Rcpt: r, Token: s.token(true)}}
	})
	if err != nil || d.Beside == 0 {
		return changed, err
	}
	if err := d.acknowledged(ctx); err != nil {
		_, back := d.Leave(context.WithoutCancel(ctx), r)
		return false, errors.Join(err, back)
	}
	return true, nil
}

// acknowledged returns when the sending server has all changes that the desk's role has made so far, or an error after
// Beside.
func (d *Desk) acknowledged(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.Beside)
	defer cancel()
	for number := uint64(0); ; {
		var has, all uint64
		if err := d.shell.Do(ctx, func(vt.Time, *engine.Outbox) { has, all = d.role.Acknowledged() }); err != nil {
			return err
		}
		if number = cmp.Or(number, all); has >= number {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Ask takes a request to be added or deleted that is to be confirmed, where the role wants that.
func (d *Desk) Ask(ctx context.Context, r mail.Recipient, add bool) error {
	_, err := d.do(ctx, r, func(s standing) []engine.Body {
		if add {
			return []engine.Body{engine.Join{Rcpt: r, Token: s.token(true)}}
		}
		return []engine.Body{engine.Request{Rcpt: r, Token: s.token(false)}}
	})
	return err
}

// Agree confirms what Ask has taken, and reports whether that changes anything.
func (d *Desk) Agree(ctx context.Context, r mail.Recipient, add bool) (changed bool, err error) {
	return d.do(ctx, r, func(s standing) []engine.Body {
		return []engine.Body{engine.Confirmed{Rcpt: r, Token: s.token(add)}}
	})
}
