package crash

import (
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
)

// This file checks what is taken from lists and added to them: a server for returned mail or requests makes the
// changes of a person, the sending server has them, and then the delivering servers.

// ofInbox counts what servers for returned mail and requests have.
func (o *oracle) ofInbox(f engine.Fact) {
	switch f := f.(type) {
	case engine.Counted:
		if o.tokens[f.Token] {
			o.fail("a returned mail of recipient %d is counted twice", f.Rcpt)
		}
		o.tokens[f.Token] = true
		v := &o.rcpts[o.w.cfg.Places(f.Rcpt)[0]]
		if f.Hard {
			v.hard++
		} else {
			v.soft++
		}
		if due := v.hard == 2 || v.soft == 2; due != (f.Changes != "") {
			o.fail("returned mail %d of recipient %d, after %d hard and %d soft ones of the person, makes changes %v",
				f.Token, f.Rcpt, v.hard, v.soft, engine.UnpackChanges(f.Changes))
		} else if due {
			v.hard, v.soft = 0, 0
			o.makes(0, f.Rcpt, false, f.Changes)
		}
	case engine.Wanted:
		wants := o.rcpts[f.Rcpt].wants
		if _, ok := wants[f.Token]; ok {
			o.fail("a request of recipient %d is counted twice", f.Rcpt)
		}
		if wants[f.Token] = f.Changes == ""; wants[f.Token] != (f.Add || o.w.cfg.Confirm) {
			o.fail("request %d of recipient %d has to be confirmed: %v", f.Token, f.Rcpt, wants[f.Token])
		}
		if !wants[f.Token] {
			o.makes(1, f.Rcpt, f.Add, f.Changes)
		}
	case engine.Agreed:
		wants := o.rcpts[f.Rcpt].wants
		if !wants[f.Token] {
			o.fail("recipient %d confirms request %d, of %v", f.Rcpt, f.Token, wants)
		}
		wants[f.Token] = false
		o.makes(1, f.Rcpt, f.Token == uint64(addition), f.Changes)
	}
}

// makes checks the changes that a fact makes: they are those of all places of a person.
func (o *oracle) makes(source int, r mail.Recipient, add bool, changes string) {
	var want []engine.Change
	for _, p := range o.w.cfg.Places(r) {
		want = append(want, engine.Change{Rcpt: p, Add: add})
	}
	if got := engine.UnpackChanges(changes); !slices.Equal(got, want) {
		o.fail("recipient %d makes changes %v, want %v", r, got, want)
	}
	o.changes[source] = append(o.changes[source], want...)
}

// changed checks a change that the sending server has: it comes once and in order.
func (o *oracle) changed(f engine.Barred, add bool) {
	n := f.From.Role - engine.Bounces
	c := engine.Change{Rcpt: f.Rcpt, Add: add}
	if o.bars[n]++; f.Number != o.bars[n] || f.Number > uint64(len(o.changes[n])) || o.changes[n][f.Number-1] != c {
		o.fail("A has %+v as change %d from %v, after %d of %v", c, f.Number, f.From, o.bars[n]-1, o.changes[n])
	}
	if r := &o.rcpts[f.Rcpt]; r.barred == add {
		r.barred = !add
		o.barred = append(o.barred, c)
	}
}

// barredAt checks a change that a delivering server has.
func (o *oracle) barredAt(h *host, f engine.Barred, add bool) {
	v := &o.each[h.number]
	c := engine.Change{Rcpt: f.Rcpt, Add: add}
	if v.bars++; f.Number != v.bars || f.Number > uint64(len(o.barred)) || o.barred[f.Number-1] != c {
		o.fail("%s has %+v as bar %d after %d of %v", o.w.cfg.HostName(h.number), c, f.Number, v.bars-1, o.barred)
	}
	v.rows[f.Rcpt].barred = !add
}
