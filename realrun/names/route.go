package names

import (
	"net/netip"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Route is the result of a look-up: where one attempt may deliver, in the order
// in which it tries, or why there is no such place.
type Route struct {
	To []Candidate
	// Fault is NoFault, or the reason why To is empty: NoName if it is certain that
	// no mail can go to the domain, NoResolver if the name server fails for all
	// domains, else ServFail or Timeout.
	Fault mail.Fault
	Why   string  // what Fault means here, with an enhanced status code (RFC 3463); empty without one
	Took  vt.Span // time of the look-up
}

// Candidate is one address of one exchanger.
type Candidate struct {
	Host string // name of the exchanger without the last dot; empty if it has none
	At   netip.AddrPort
}

// MostSessions is the number of candidates that may greet one attempt before the
// attempt ends (Postfix smtp_mx_session_limit).
const MostSessions = 2

// Trial is the rule by which one attempt goes along its candidates. The zero value
// has tried none.
//
//	for _, c := range route.To {
//		if trial.Ends(deliver(c)) {
//			break
//		}
//	}
//	return trial.Reply()
type Trial struct {
	end      mail.Reply
	tried    bool
	sessions int
}

// Ends takes the reply of a candidate and reports whether it ends the attempt. It
// does not if the candidate could not be reached or refused the session before
// MAIL with 421 or 5yz, or by silence: the next candidate may take the message in
// the same attempt (RFC 5321 5.1, RFC 7504 4). A 4yz greeting asks for a later
// time, and a reply from MAIL on belongs to the message.
func (t *Trial) Ends(r mail.Reply) bool {
	if r.Fault == mail.Aborted || r.Stage >= mail.StageMAIL {
		t.end, t.tried = r, true
		return true
	}
	// A candidate that may take the message later makes the whole route one that may.
	if !t.tried || t.end.Class() == mail.Bounce {
		t.end, t.tried = r, true
	}
	if r.Code != 0 {
		t.sessions++
	}
	return r.Code/100 == 4 && r.Code != 421 || t.sessions >= MostSessions
}

// Reply returns the end of the attempt: the reply that ended it, or, if no candidate
// was left, the first reply after which a later attempt can succeed, or else a
// refusal.
func (t *Trial) Reply() mail.Reply { return t.end }
