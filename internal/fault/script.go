// Package fault holds scripts of misbehaving receivers: what a receiver does in each session at each command, and how
// a correct client's attempts end. A script is a text file; realrun/faulty plays it on TCP, and sim/faulty in virtual
// time. The package does no I/O and decides nothing about clients.
//
// A file is a list of lines. An empty line, or one that begins with #, is a comment.
//
//	source RFC 5321 3.8
//	job recipients=2 tries=2 messages=10 tls=required
//	offer STARTTLS SIZE 10000
//	at rcpt try=1: reply "451 4.7.1 greylisted"
//	at dot session=2.. recipient=2: wait 9m59s, ok
//	at dns name=mx1 type=A: answer "@ A 127.0.0.9" "@ A 127.0.0.1"
//	expect OK attempts=2 sessions=1 blame=none
//	expect recipient=2 T attempts=2 took=10m blame=recipient
//
// The first rule whose conditions hold decides; without one the receiver is sound. Sessions count from 1 over all
// connections to all hosts, messages count MAIL commands of a session, recipients are numbered in the order of their
// first RCPT, and tries count the RCPT of a recipient. A script with a rule at dns has a name server, which the client
// asks for its hosts; without one it is given their addresses. Job, conditions, actions and expectations are in the
// tables of parse.go and names.go.
package fault

import (
	"fmt"
	"strconv"

	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Script is one receiver, with the work that a client is given and the expected outcome.
type Script struct {
	Name   string   // of the file, without folder and extension
	Source string   // of the expectation, such as "RFC 5321 3.8"
	Job    Job      // of the client
	Hosts  int      // mail exchangers, in the order of preference
	Offers []string // EHLO keywords with their parameters
	Rules  []Rule
	Wants  []Want // the first for all recipients, the others for those that they name
}

// Job is what a client is given.
type Job struct {
	Recipients int
	Tries      int        // attempts for one recipient at most
	Messages   int        // over one connection at most
	Size       unit.Bytes // of each message; 0: some 100 bytes
	TLS        string     // none, opportunistic, required or verified
	UTF8       string     // what is beyond ASCII: nothing, local (part of the address), domain or body
	Resend     bool       // an ambiguous attempt is resent, not held
	Processes  int        // MTA processes
	Login      bool       // the client logs in
	Pipelining bool       // commands go out together where the receiver offers it
	Until      vt.Span    // the end of the run
	Body       string     // of each message, without its last line end; empty: what Size asks for
	Domains    int        // of the recipients in turn, do1 below Domain and so on; 0: all are of Domain
}

// Stage is what the receiver is at: a command of the client, or what comes before the first.
type Stage uint8

// Stages are in the order of a dialogue. DNS is a question to the name server, Body is between DATA and the final
// dot.
const (
	DNS Stage = iota
	Connect
	Banner
	EHLO
	HELO
	STARTTLS
	Auth
	MAIL
	RCPT
	DATA
	Body
	Dot
	RSET
	QUIT
	Other
	stages
)

var stageNames = [stages]string{"dns", "connect", "banner", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data",
	"body", "dot", "rset", "quit", "other"}

func (s Stage) String() string { return stageNames[s] }

// Range is a range of numbers from 1 on; its zero value contains all.
type Range struct{ From, To int } // To 0: no end

// Contains reports whether n is in the range.
func (r Range) Contains(n int) bool { return n >= r.From && (r.To == 0 || n <= r.To) }

func (r Range) String() string {
	switch {
	case r.To == r.From:
		return strconv.Itoa(r.From)
	case r.To == 0:
		return strconv.Itoa(r.From) + ".."
	}
	return fmt.Sprintf("%d..%d", r.From, r.To)
}

// Rule is what the receiver does at a stage, where all conditions hold.
type Rule struct {
	Line      int // of the file
	Stage     Stage
	Host      Range
	Session   Range
	Message   Range
	Recipient Range
	Try       Range
	Encrypted string     // yes or no: only within TLS, only outside; empty: both
	After     unit.Bytes // of the body
	Question             // dns
	Actions   []Action
}

// Verb is a kind of action.
type Verb uint8

const (
	OK          Verb = iota // the reply of a sound receiver
	Send                    // Text
	Wait                    // For
	Skip                    // no reply to this command
	Silence                 // no reply any more; the receiver goes on reading
	Deaf                    // no reply any more, and nothing is read: the window closes
	Slow                    // the body is read at Rate bytes in a second
	Close                   // the connection is closed
	Reset                   // the connection is reset
	Refuse                  // connect, dns: the port is closed
	BlackHole               // connect: no answer
	Unreachable             // connect: no route
	TLS                     // starttls: a handshake of the kind in How
	Keep                    // dot: the message is kept, whatever the reply
	Lose                    // dot: the message is not kept, whatever the reply
	Respond                 // dns: Answer
	verbs
)

var verbNames = [verbs]string{"ok", "send", "wait", "skip", "silence", "deaf", "slow", "close", "reset", "refuse",
	"blackhole", "unreachable", "tls", "keep", "lose", "answer"}

func (v Verb) String() string { return verbNames[v] }

// ends reports whether nothing follows an action.
func (v Verb) ends() bool {
	return v == Silence || v == Deaf || v == Close || v == Reset || v.ofConnect()
}

// answers reports whether an action says what becomes of the command.
func (v Verb) answers() bool { return v != Wait && v != Keep && v != Lose }

func (v Verb) ofConnect() bool { return v == Refuse || v == BlackHole || v == Unreachable }

// ofNames reports whether an action is one of a name server.
func (v Verb) ofNames() bool {
	switch v {
	case OK, Respond, Wait, Silence, Close, Reset, Refuse:
		return true
	}
	return false
}

// Action is one thing that a receiver does.
type Action struct {
	Verb   Verb
	Text   string     // Send: the bytes
	Pace   vt.Span    // Send: before each byte
	For    vt.Span    // Wait
	Rate   unit.Bytes // Slow: in a second
	How    string     // TLS: sound, self-signed, expired, wrong-name, garbage or abrupt (sound, without close_notify)
	Times  int        // Send: how often Text is sent
	Answer            // Respond
}

// Class is how the attempts for a recipient end.
type Class uint8

const (
	Delivered Class = iota + 1 // OK
	Transient                  // T: requeued
	Permanent                  // P
	Ambiguous                  // A: the message may have been taken
	classes
)

var classNames = [classes]string{"", "OK", "T", "P", "A"}

func (c Class) String() string { return classNames[c] }

// Blame is what a failure is charged to.
type Blame uint8

const (
	BlameNone      Blame = iota + 1
	BlameRecipient       // the address, or the message to it
	BlameSession         // the connection: nothing follows for the recipient or the route
	BlameRoute           // the way to the destination, or its servers
	BlameUs              // the client's configuration, its name server or its computer
	blames
)

var blameNames = [blames]string{"", "none", "recipient", "session", "route", "us"}

func (b Blame) String() string { return blameNames[b] }
