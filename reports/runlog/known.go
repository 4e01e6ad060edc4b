package runlog

import "flyball/internal/vt"

// Receiver is what a scenario states about a destination. Diagnoses name limits by it; without it they go by the
// replies alone.
type Receiver struct {
	Cap      int // connections of each server; 0: none
	Shared   bool
	Recent   vt.Span // half-life of the rate that Soft is held against
	Bucket   Refusal // Limit in messages an hour
	Windows  []Window
	Soft     Refusal // Limit is the rate from which messages are throttled, messages an hour
	Distrust bool    // refusals or dead addresses make the receiver stricter
	Grey     Refusal // Limit is the share of recipients; Delay its wait
	Delay    vt.Span // longest usual wait of the greylist
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

// Sender is what a scenario orders of each server.
type Sender struct {
	Max       float64 // processes that the governor may make available
	Requested int     // processes that the campaigns request
	FirstWait vt.Span // before the first resend
}
