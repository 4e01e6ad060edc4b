package engine

import (
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Fact is something that a role has to know after its process has stopped and begun again.
// A role writes facts to its Outbox, and a shell keeps them in order. Like Body, it is a
// comparable value of one of the types of this file, and the meaning of a type never changes.
type Fact interface{ fact() }

func (Submitted) fact() {}
func (Reached) fact()   {}
func (Planned) fact()   {}
func (Imported) fact()  {}
func (Finished) fact()  {}
func (Tallied) fact()   {}
func (Closed) fact()    {}
func (Reported) fact()  {}
func (Barred) fact()    {}
func (Unbarred) fact()  {}
func (Took) fact()      {}
func (Began) fact()     {}
func (Intent) fact()    {}
func (Dotted) fact()    {}
func (Outcome) fact()   {}
func (Ended) fact()     {}
func (Counted) fact()   {}
func (Wanted) fact()    {}
func (Agreed) fact()    {}
func (Run) fact()       {}
func (Attempted) fact() {}
func (Measured) fact()  {}
func (Learned) fact()   {}
func (Forgot) fact()    {}
func (Ahead) fact()     {}
func (Opened) fact()    {}
func (Worked) fact()    {}
func (Over) fact()      {}

// Facts of a sending server.
type (
	// Submitted begins a mailing: an entry of the queue of pending messages ([0080]).
	Submitted struct {
		Job        Job
		First      mail.Recipient // place of its first recipient in the list of all mailings
		Recipients mail.Recipient // number of them
		Due        vt.Time
		Deadline   vt.Time // by which all recipients are to be final; 0: none
		Account    int     // its number, from 1 on; 0: none
		Terms              // of each subset; zero processes and a zero size are the sender's
	}

	// Reached is a checkpoint of a mailing, with the digest of what was made.
	Reached struct {
		Job        Job
		Checkpoint Checkpoint
		Digest     uint64
	}

	// Planned is a subset of a plan, checkpoint P450. Of is the number of subsets of its plan: a plan
	// is in force when all are written, in the order of their numbers. Instead is a subset whose server
	// is lost, if the plan is made for its recipients that are not final; these may have the message.
	Planned struct {
		Subset    Subset
		Of        int
		Server    mail.Server
		Part      string
		Instead   Subset  // zero: the recipients were in no plan before
		Processes int     // most on the server
		At        vt.Time // when the plan was made
	}

	// Imported has outcomes of a subset, from the number First on.
	Imported struct {
		Subset   Subset
		First    uint64
		Outcomes string
	}

	// Tallied ends a subset of which only the numbers of outcomes are known: its checkpoint P699.
	Tallied struct{ Tally Tally }

	// Finished ends a subset of which all outcomes are imported: its checkpoint P699.
	Finished struct {
		Subset Subset
		Busy   vt.Span // time of all its attempts; 0: not known
	}

	// Closed is checkpoint P699 of a mailing: it leaves the queue, and its report is due.
	Closed struct{ Summary Summary }

	// Reported ends a mailing: who asked for it has the report.
	Reported struct{ Job Job }

	// Worked stands for subsets of mailings whose facts do not count any more: the messages that were delivered, and
	// the time of all attempts.
	Worked struct {
		Delivered uint64
		Busy      vt.Span
	}
)

// Barred means that a recipient must get nothing any more. On a sending server it comes from
// another server, with the number that it has there; on a delivering server From is the sender.
type Barred struct {
	From   Address
	Number uint64
	Rcpt   mail.Recipient
}

// Unbarred means that a recipient who was barred may get mail again. Its number is one of the same sequence.
type Unbarred Barred

// Facts of a delivering server.
type (
	// Took is checkpoint P500 of a subset: its part of the list is here.
	Took struct {
		Subset Subset
		Part   string
		Terms
	}

	// Began is checkpoint P600 of a subset.
	Began struct{ Subset Subset }

	// Ahead begins the facts of a process whose sessions may have more than one message with a durable intent and no
	// durable outcome. Messages is the most of one session.
	Ahead struct{ Messages int }

	// Intent comes before the final dot of a message.
	Intent struct {
		Rcpt mail.Recipient
		Try  mail.Try
		Boot uint64 // names the time from one start of the machine's operating system to the next
	}

	// Dotted comes between Intent and the final dot. It is written and not waited for: it survives
	// the end of the process and not the loss of power.
	Dotted struct {
		Rcpt mail.Recipient
		Try  mail.Try
	}

	// Outcome ends an attempt that is charged to its recipient.
	Outcome struct {
		Rcpt      mail.Recipient
		Try       mail.Try
		Status    mail.Status
		Ambiguous bool    // the final dot was sent and no reply is known
		Due       vt.Time // when the next try may begin, if the status is Pending
	}

	// Ended is checkpoint P650 of a subset.
	Ended struct{ Subset Subset }

	// Over ends a mailing: the sending server asks nothing about its subsets any more.
	Over struct{ Job Job }
)

// Facts of a server that receives returned mail or requests. Each has the changes of the list that it
// made (see PackChanges), so that these keep their numbers when the configuration changes.
type (
	// Counted is a returned mail for a recipient.
	Counted struct {
		Token   uint64
		Rcpt    mail.Recipient
		Hard    bool
		Changes string
	}

	// Wanted is a recipient's request to be deleted or added. Without changes it waits for Agreed.
	Wanted struct {
		Rcpt    mail.Recipient
		Token   uint64
		Add     bool
		Changes string
	}

	// Agreed is a recipient's confirmation of a request.
	Agreed struct {
		Rcpt    mail.Recipient
		Token   uint64
		Changes string
	}

	// Forgot begins the counts of a person's returned mails anew.
	Forgot struct{ Rcpt mail.Recipient }
)

// Facts that a live shell keeps beside those of its roles, so that a run that goes on shows the whole mailing and
// begins with what the runs before it have learned. Roles neither write nor recover them.
type (
	// Opened begins the journal of a station: time zero is Wall, in nanoseconds since 1970.
	Opened struct{ Wall int64 }

	// Run begins a run: the first of a mailing, or one that goes on.
	Run struct{ Scale float64 } // how many times faster than real time

	// Attempted is the end of an attempt, as the observer of its server got it.
	Attempted struct {
		Rcpt    mail.Recipient
		Try     mail.Try
		Slot    mail.Slot
		Conn    mail.Conn
		Status  mail.Status
		Took    vt.Span
		Code    uint16
		Stage   mail.Stage
		Fault   mail.Fault
		Row     uint16
		Way     mail.Way
		Charged bool // the server's Outcome of the same attempt follows
	}

	// Measured is an interval of a server, or of all, that has ended.
	Measured struct {
		Ended             vt.Time
		Number            int
		TargetRate        float64
		Sample            governor.Sample
		Decision          governor.Decision
		RetryLimit        int
		Freed, HandedBack uint64
		Draining          bool
		Destinations      string // see PackDestinations
	}

	// Learned is what a server, or the governing role, has learned: the state of the law, the limits of resends and
	// of destinations, and what reactions to replies have slowed or suspended.
	Learned struct {
		Form  int    // of State; another one is not read
		State string // see package snap
	}
)

// Dot is the answer to a role's attempt that has come to its final dot.
type Dot struct {
	Slot mail.Slot
	Gen  uint32
	Send bool // false: end the attempt without the final dot, and complete it as aborted before the dot

	// Until is when the right to send ends. It may pass while facts become durable or the process does
	// not run: at Until or later the shell treats Send as false.
	Until vt.Time
	Mark  Fact // to be written before the final dot, without waiting for the disk; nil if Send is false

	// After is the number of facts that must be durable before the final dot, of all that the role has written since
	// its process began.
	After uint64
}

// Durable is a Role with facts. Its shell makes all facts of an Outbox durable, in their
// order, before it performs anything else of the same Outbox or of a later one: what a
// role sends may rest on any fact that it wrote before. A shell that knows Dot.After may
// begin attempts at once, and send each final dot as soon as that many facts are durable.
type Durable interface {
	Role

	// Recover gives a new role the durable facts of its predecessor, in order, before any other
	// input. boot names the time from the last start of the operating system to the next, as in Intent.
	Recover(now vt.Time, boot uint64, facts []Fact, out *Outbox)
}

// Gate is a Role that decides over each final dot.
type Gate interface {
	// Gate asks whether the attempt of a slot, of which everything but the final dot is sent, may
	// send it. The answer is a Dot in this Outbox or in a later one.
	Gate(now vt.Time, slot mail.Slot, gen uint32, out *Outbox)
}
