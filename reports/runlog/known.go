package runlog

import (
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Receiver is what a scenario states about a destination. Diagnoses name limits by it; without it they go by the
// replies alone.
type Receiver struct {
	Cap      int // connections of each server; 0: none
	Shared   bool
	Recent   vt.Span // half-life of the rate that Soft is held against
	Bucket   Refusal // Limit in messages an hour
	Windows  []Window
	Soft     Refusal // Limit is the rate from which messages are throttled, messages an hour
	Hard     float64 // rate from which all are
	Penalty  Refusal // Limit is the rate above which the receiver punishes, messages an hour
	Pause    vt.Span // in which it then takes nothing
	Events   []Event
	HangsUp  int // messages after which it closes a connection; 0: never
	Messages int // that the sender offers over one connection
	// Fresh and Kept are the mean times of an attempt over a new and over a kept connection, without failures.
	Fresh, Kept vt.Span
	Distrust    bool // refusals, dead addresses or complaints make the receiver stricter, by Distrusted
	Distrusted
	Grey  Refusal // Limit is the share of recipients; Delay its wait
	Delay vt.Span // longest usual wait of the greylist
}

// Refusal is a limit with the reply code that refuses what is beyond it; without a limit it is 0.
type Refusal struct {
	Limit float64
	Code  int
}

// Window is an allowance of messages.
type Window struct {
	Refusal // Limit in messages of one Length
	Length  vt.Span
	Fleet   bool // all servers together
}

// Event is a time in which the receiver refuses.
type Event struct {
	From, To vt.Time // Never: to the end
	Stage    mail.Stage
	Code     int
	Share    float64 // of connections or messages
}

// Distrusted are the points of bad reputation for each refused message, each message to a dead
// address and, in the mean, each delivery: some recipients complain.
type Distrusted struct{ PerRefusal, PerDead, PerDelivery float64 }

// Sender is what a scenario orders of each server.
type Sender struct {
	Max       float64 // processes that the governor may make available
	Requested int     // processes that the campaigns request
	FirstWait vt.Span // before the first resend
	Servers   []Own
	Rates     []float64 // messages of each campaign that a server offers in an hour; 0: as many as it can
	Size      float64   // mean size of a message, bytes

	Closes  bool        // own limits or reactions to replies may close a destination, and no law moves such limits
	Replies [][]Reading // reply table, by destination and row; nil without one
}

// Reading is a row of a reply table: which replies it matches, what they mean, and what the sender does then.
type Reading struct {
	Match           string // token, status and code
	Class, Reaction string
	Alarm           bool
}

// Own is what one server can do itself; a limit of 0 is none.
type Own struct {
	Name        string
	Connections int
	Rate        float64 // attempts an hour
	Bandwidth   float64 // bytes a second
	Share       float64 // of every list, relative to the other servers
}
