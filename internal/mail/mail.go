// Package mail defines the terms that all packages share: recipient, destination,
// slot, attempt, reply, status, and the SMTP dialogue that the real client executes
// and whose time the network model computes. It makes no decisions. Any package may
// import it.
package mail

import (
	"fmt"

	"flyball/internal/vt"
)

// Recipient is a position in the list of a run: 0 is the first.
type Recipient uint32

// Destination is a position among the destinations (mailbox providers) of a
// scenario.
type Destination uint16

// Server is a position among the delivering servers (B servers) of a scenario.
type Server uint16

// Slot is one MTA process of a server ([0031]).
type Slot uint32

// Try counts the attempts for one recipient: 0 is the first, 1 the first resend.
type Try uint16

// Conn is how an attempt connects to its destination.
type Conn uint8

const (
	Fresh  Conn = iota // look up, connect, greet
	Reused             // the slot's open connection, after a completed message
	Reset              // the slot's open connection, after a refused message: RSET first
)

func (c Conn) String() string { return [...]string{"fresh", "reused", "reset"}[c] }

// Attempt is one try to deliver to one recipient, as the engine asks for it.
type Attempt struct {
	Rcpt   Recipient
	Slot   Slot
	Gen    uint32 // generation of the slot: the reply to an older one is stale
	Dest   Destination
	Try    Try
	Server Server
	Conn   Conn
}

// Stage is the part of an attempt that a reply belongs to.
type Stage uint8

const (
	StageDNS Stage = iota
	StageConnect
	StageBanner
	StageEHLO
	StageMAIL
	StageRCPT
	StageDATA
	StageDot // message body and final dot
	Stages
)

var stageNames = [Stages]string{"dns", "connect", "banner", "ehlo", "mail", "rcpt", "data", "dot"}

func (s Stage) String() string { return stageNames[s] }

// StageNamed returns the stage called name in scenarios.
func StageNamed(name string) (Stage, bool) {
	for s, n := range stageNames {
		if n == name {
			return Stage(s), true
		}
	}
	return 0, false
}

// Fault is how an attempt ends when no reply is received.
type Fault uint8

const (
	NoFault    Fault = iota
	Drop             // the connection was closed or reset
	Timeout          // the client gave up waiting
	NoName           // the name does not exist
	ServFail         // the name servers failed temporarily
	Garbled          // a reply that SMTP does not allow at this point
	Aborted          // the run was stopped; not a result for the recipient
	NoResolver       // the sender's own name server was not asked, or answers nothing about any name
	NotAllowed       // the sender may not mail any receiver of the recipient's domain; there was no attempt
	Faults
)

var faultNames = [Faults]string{"", "drop", "timeout", "no-name", "servfail", "garbled", "aborted", "no-resolver",
	"not-allowed"}

func (f Fault) String() string { return faultNames[f] }

// FaultNamed returns the fault called name in scenarios.
func FaultNamed(name string) (Fault, bool) {
	for f, n := range faultNames {
		if n == name && n != "" {
			return Fault(f), true
		}
	}
	return 0, false
}

// Reply is how an attempt ended. It is data, never a Go error.
type Reply struct {
	Took  vt.Span // from the start of the attempt to its end
	Code  uint16  // SMTP reply code; 0 when none was received
	Stage Stage
	Fault Fault
	Row   uint16 // of the sender's reply table that the reply matches, from 1 on; 0: none
}

// Class is the meaning of a reply for the recipient (RFC 5321 4.2.1).
type Class uint8

const (
	Delivered Class = iota // 2yz after the final dot
	Deferral               // 4yz, or no final dot was sent: may be resent
	Bounce                 // 5yz
	Ambiguous              // the final dot was sent and no reply is known
)

func (c Class) String() string { return [...]string{"delivered", "deferral", "bounce", "ambiguous"}[c] }

// Class returns the class of the reply.
func (r *Reply) Class() Class {
	switch {
	case r.Stage == StageDot && r.Fault == NoFault && r.Code >= 200 && r.Code < 300: // by far the most frequent
		return Delivered
	case r.Fault != NoFault && r.Stage == StageDot:
		return Ambiguous
	case r.Fault == NoName:
		return Bounce
	case r.Fault != NoFault:
		return Deferral
	case r.Code >= 500 && !r.OfSender():
		return Bounce
	case r.Code >= 400:
		return Deferral
	}
	panic(fmt.Sprintf("mail: no end of an attempt is %+v", r))
}

// OfSender reports whether a failure is about the sender alone, and would meet every recipient in
// its place: its own name server cannot be asked, or the receiver answers 5yz to EHLO, which has the
// sender's name, or at MAIL with what it did not understand or misses before it (500 to 504, 555), and
// with authentication or encryption that it wants (530 to 538, RFC 4954 6, RFC 3207 4). 550 and 553 at
// MAIL are about one envelope sender, which each recipient has its own of.
func (r *Reply) OfSender() bool {
	switch {
	case r.Fault == NoResolver:
		return true
	case r.Fault != NoFault || r.Code < 500:
		return false
	case r.Stage == StageMAIL:
		return r.Code <= 504 || r.Code >= 530 && r.Code <= 538 || r.Code == 555
	}
	return r.Stage == StageEHLO
}

// Open reports whether the connection can carry another message: a complete
// reply was received that does not close the channel (421, RFC 5321 3.8).
func (r *Reply) Open() bool {
	return r.Fault == NoFault && r.Code != 421 && r.Stage >= StageMAIL
}

// Refused reports whether the receiver refuses the sender, for its rate, its connections or its
// reputation, and has decided nothing about the recipient: 421 at any stage, and 4yz or 5yz before
// RCPT.
func (r *Reply) Refused() bool {
	return r.Code >= 400 && (r.Code == 421 || r.Stage < StageRCPT)
}

// EndedBy reports whether a reply to an attempt over a connection means that the
// connection, which was kept, has come to its end, and nothing about the
// recipient: any failure at RSET, and at MAIL 421, a limit of messages (452), commands
// out of sequence (503), a reply that is none, or no reply because the connection is
// closed. The attempt then goes on over a new connection, whose reply counts.
func (c Conn) EndedBy(r *Reply) bool {
	switch {
	case c == Fresh || r.Fault == Aborted:
		return false
	case r.Stage == StageMAIL:
		return r.Code == 421 || r.Code == 452 || r.Code == 503 || r.Fault == Drop || r.Fault == Garbled
	}
	return r.Stage < StageMAIL
}

// WantsHELO reports whether a new connection was closed at EHLO, as by a server without extensions.
// The attempt goes on over one other connection, with HELO, whose reply counts.
func (r *Reply) WantsHELO() bool { return r.Stage == StageEHLO && r.Fault == Drop }

// Completion is the end of an attempt, as the shell passes it to the engine.
type Completion struct {
	Reply Reply
	Way   Way
	Slot  Slot
	Gen   uint32
}

// Way holds the measured time of the look-up and hops to the destination in one
// word, so that a Completion stays small. Its zero value means unknown.
type Way uint64

// NewWay returns the Way with the time of the look-up, for an attempt over a fresh
// connection, and the number of hops, 0 if unknown; more than 255 count as 255.
func NewWay(lookup vt.Span, hops int) Way { return Way(lookup)<<8 | Way(min(hops, 255)) }

// Lookup returns the time that the look-up took.
func (w Way) Lookup() vt.Span { return vt.Span(w >> 8) }

// Hops returns the number of hops, 0 if unknown.
func (w Way) Hops() uint64 { return uint64(w & 255) }

// Status is the state of a recipient.
type Status uint8

const (
	Pending    Status = iota // not finished: untried, in an attempt, or waiting for a resend
	Done                     // delivered
	Failed                   // bounced, or the retry limit is reached
	Suppressed               // on the suppression list, or barred; got no message
	Held                     // ambiguous, and not to be resent
	Unreached                // not tried, since the sender may not mail any receiver of the domain
	Statuses
)

func (s Status) String() string {
	return [...]string{"pending", "delivered", "failed", "suppressed", "ambiguous", "not-allowed"}[s]
}
