package scope

import (
	"flyball/engine"
	"flyball/internal/mail"
)

// Scheme is how a delivering server keeps what it has done. All but Ours are habits of other
// programs, for comparison.
type Scheme int

const (
	Ours     Scheme = iota // an intent before the final dot and an outcome after it, both durable
	Advance                // a recipient counts as done when it is fetched
	Unsynced               // an outcome that nothing waits for, no intent
	Journal                // a durable outcome, no intent
	Recall                 // as Ours, and receivers keep the names of transactions that they have accepted (RFC 1845)
	schemes
)

var schemeNames = [schemes]string{"ours", "advance-at-fetch", "mark-without-fsync", "journal-with-fsync", "rfc1845"}

func (s Scheme) String() string { return schemeNames[s] }

// SchemeNames returns the names of all schemes.
func SchemeNames() []string { return schemeNames[:] }

// SchemeNamed returns the scheme called name.
func SchemeNamed(name string) (Scheme, bool) {
	for s, n := range schemeNames {
		if n == name {
			return Scheme(s), true
		}
	}
	return 0, false
}

// Intends reports whether the scheme writes an intent before a final dot, and so keeps all promises.
func (s Scheme) Intends() bool { return s == Ours || s == Recall }

// Remembers reports whether receivers take a message once, however often they get it.
func (s Scheme) Remembers() bool { return s == Recall }

// Writes returns the facts that the scheme writes for an Outbox.
func (s Scheme) Writes(out *engine.Outbox) (all []engine.Fact) {
	if s.Intends() {
		return out.Write
	}
	for _, f := range out.Write {
		switch f.(type) {
		case engine.Intent:
		case engine.Outcome:
			if s != Advance {
				all = append(all, f)
			}
		default:
			all = append(all, f)
		}
	}
	if s == Advance {
		for i := range out.Start {
			a := &out.Start[i]
			all = append(all, engine.Outcome{Rcpt: a.Rcpt, Try: a.Try, Status: mail.Done})
		}
	}
	return all
}

// Waits reports whether the scheme waits until the facts of an Outbox are durable.
func (s Scheme) Waits(out *engine.Outbox) bool {
	if s != Unsynced {
		return true
	}
	for _, f := range out.Write {
		if _, ok := f.(engine.Outcome); !ok {
			return true
		}
	}
	return false
}
