package engine

import (
	"fmt"

	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// This file has the messages by which a mailing is carried from a sending server ("A
// server", package sender) to delivering servers ("B servers", package remote), and list
// changes from the servers that receive returned mail and requests ("C" and "D", package
// inbox) to both. Each may be lost, repeated, late or overtaken: it carries the state of a
// matter and not a step, so the newest one is enough.

func (Hire) body()      {}
func (Granted) body()   {}
func (Transfer) body()  {}
func (Start) body()     {}
func (Drop) body()      {}
func (Restart) body()   {}
func (Progress) body()  {}
func (Tally) body()     {}
func (Summary) body()   {}
func (Changes) body()   {}
func (Got) body()       {}
func (Returned) body()  {}
func (Returns) body()   {}
func (Request) body()   {}
func (Join) body()      {}
func (Letter) body()    {}
func (Confirm) body()   {}
func (Confirmed) body() {}
func (Pull) body()      {}

// Job numbers a mailing.
type Job uint32

// Subset names a part of the list of a mailing under one plan. It has one server for life:
// what the server leaves unfinished is cut anew, under the next plan.
type Subset struct {
	Job    Job
	Epoch  uint32 // number of the plan
	Number uint32
}

func (s Subset) String() string {
	return fmt.Sprintf("job %d, plan %d, subset %d", s.Job, s.Epoch, s.Number)
}

// Checkpoint is how far a mailing or a subset is ([0083], figures 8A to 8C). P450 and P650
// are added: the plan is frozen, the subset has ended.
type Checkpoint uint16

const (
	P000 Checkpoint = 0
	P100 Checkpoint = 100 // files moved to the processing folder
	P200 Checkpoint = 200 // masters made
	P300 Checkpoint = 300 // history updated
	P400 Checkpoint = 400 // list and cross-reference made
	P450 Checkpoint = 450 // list cut; the plan is not computed again
	P500 Checkpoint = 500 // subset, masters and cross-reference are on the server
	P600 Checkpoint = 600 // delivery begun
	P650 Checkpoint = 650 // every recipient of the subset is final
	P699 Checkpoint = 699 // everything is reported
)

func (p Checkpoint) String() string { return fmt.Sprintf("P%03d", uint16(p)) }

// Hire asks a delivering server for processes for a mailing ([0033]). It is repeated until
// the mailing is planned, and again when servers are to fetch more or to take over. Without processes it asks for an
// answer alone.
type Hire struct {
	Job       Job
	Processes int
	Fetch     bool // answer again whenever processes become free: the list is fetched in chunks ([0060])
}

// Granted answers Hire: the processes that the server keeps for the mailing for a while.
type Granted struct {
	Job       Job
	Processes int
}

// Transfer hands a subset to a delivering server ([0033]); Progress answers it.
type Transfer struct {
	Subset Subset
	Part   string // places of the list: see PackParts
	Digest uint64 // of Part and the masters
	Terms
}

// Terms is how a delivering server delivers a subset: as a Reserve of each.
type Terms struct {
	Processes int          // MTA processes wanted on each server
	Size      int          // number of recipients that a process takes at a time
	Priority  int          // the highest gets processes first
	Rate      unit.PerHour // attempts that the server begins in the long run; 0: no limit
}

// Start lets a delivering server deliver a subset that it has, for the length of a lease from
// the time Echo on; Progress answers it. It is repeated while the lease is to be renewed.
type Start struct {
	Subset   Subset
	Echo     vt.Time // Sent of the newest Progress about the subset, by the clock of its server; 0: none yet
	Imported uint64  // number of outcomes of the subset that are recorded
	First    uint64  // number of the first of Bars
	Bars     string  // recipients that must get nothing any more, or may again: see PackChanges
}

// Drop ends the right to deliver a subset: its plan is not in force any more.
type Drop struct{ Subset Subset }

// Restart asks the server of a subset to begin again at its checkpoint if its attempts stand still ([0035]); Progress
// answers it. If they have moved since, it has no effect.
type Restart struct {
	Subset Subset
	Moves  uint64 // of the newest Progress
}

// Progress is the state of a subset on its server ([0035]).
type Progress struct {
	Subset     Subset
	Checkpoint Checkpoint // P000: the server has no such subset
	Sent       vt.Time    // by the clock of the server
	Ended      uint64     // number of outcomes in all
	First      uint64     // number of the first of Outcomes, from 1 on
	Outcomes   string     // see PackOutcomes
	Barred     uint64     // number of the last bar that the server has
	Busy       vt.Span    // time of all attempts that ended since the server began
	Moves      uint64     // steps of attempts since then: begun, further, at the gate, ended
	Open       int        // attempts under way, but for those that wait at the gate
}

// Tally ends a subset whose server counted its recipients, and followed none. It answers Start like Progress.
type Tally struct {
	Subset                  Subset
	Delivered, Failed, Held uint64
	Busy                    vt.Span // time of all attempts
}

// Summary reports a mailing to who asked for it ([0038]). It is repeated until Got.
type Summary struct {
	Job Job
	// Held has those who are held after an ambiguous attempt, and those to whom no allowed way leads.
	Delivered, Failed, Held, Suppressed uint64
	Ambiguous                           uint64  // recipients who may have a message without a reply, and so another
	Late                                vt.Span // from the deadline to the end; 0: in time
}

// Changes are changes to the list, numbered from First on ([0044], [0047], [0051]).
type Changes struct {
	First   uint64
	Entries string // recipients to be deleted or added: see PackChanges
}

// Got acknowledges everything up to a number: the receiver has it durably.
type Got struct{ UpTo uint64 }

// Returned is a returned mail, identified by the token of its return address ([0042]).
type Returned struct {
	Token uint64 // of one message to one recipient; a returned mail that comes again has the same
	Rcpt  mail.Recipient
	Hard  bool // the mailbox does not exist
}

// Returns are returned mails that another server has taken, for the one that counts those of all servers. They are
// numbered from First on by the server that took them. Got answers.
type Returns struct {
	First   uint64
	Entries string // see PackReturns
}

// Request is a message of a recipient who wants to be deleted from the list ([0047]).
type Request struct {
	Rcpt  mail.Recipient
	Token uint64 // of one request of the recipient; a request that comes again has the same
}

// Join is a message of a recipient who wants to be added to the list, or again ([0047]).
type Join struct {
	Rcpt  mail.Recipient
	Token uint64 // as in Request
}

// Letter is a mail of a recipient, whose words may be a request ([0044]).
type Letter struct {
	Rcpt  mail.Recipient
	Token uint64 // as in Request
	Text  string
}

// Confirm asks a recipient whether a request is the recipient's own ([0047]); Confirmed answers it. A
// request that comes again asks again. What goes out shows the token in a form that cannot be guessed.
type Confirm struct {
	Rcpt  mail.Recipient
	Token uint64 // of the request
	Add   bool   // it is one to be added
}

// Confirmed is a recipient's answer to Confirm.
type Confirmed struct {
	Rcpt  mail.Recipient
	Token uint64
}

// Pull asks a server for returned mail or requests for the changes after UpTo ([0044], [0051]), and
// acknowledges those before it as Got does. Changes answer it, if there are any.
type Pull struct{ UpTo uint64 }
