package engine

import (
	"fmt"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Message is what one role sends another: a reservation, a batch or a summary of
// an interval, never a single recipient. It is a comparable value that %v prints.
// From and Number identify a message, so that a receiver recognizes a repeated
// one. A message about an interval has the number of the interval; other messages
// from a sender to a receiver are numbered 1, 2, 3 and so on (Seen).
type Message struct {
	From, To Address
	Number   uint64
	Body     Body
}

// Body is the content of a Message: one of the types of this file. The types are
// comparable, so a list within a type is a string of packed values. The meaning of
// a type never changes, since servers of two revisions may exchange messages: a
// new meaning needs a new type.
type Body interface{ body() }

func (Reserve) body()  {}
func (Report) body()   {}
func (Verdict) body()  {}
func (React) body()    {}
func (Stop) body()     {}
func (Withdraw) body() {}

// Address names a role of a run.
type Address struct {
	Role   Kind
	Server mail.Server // the server, if each has its own such role
}

// Kind is a kind of role.
type Kind uint8

const (
	Operator   Kind = iota // the operator who starts and stops the roles; not a role
	Delivery               // package delivery
	Governing              // package governing
	Sender                 // package sender
	Remote                 // package remote
	Bounces                // package inbox, for returned mail
	Requests               // package inbox, for requests
	Recipients             // those who get mail; not a role
)

func (k Kind) String() string {
	return [...]string{"operator", "delivery", "governing", "sender", "remote", "bounces", "requests",
		"recipients"}[k]
}

func (a Address) String() string { return fmt.Sprintf("%s %d", a.Role, a.Server) }

// Reserve asks a delivering server for MTA processes and hands over a part of a
// list ([0033], [0040]). The server grants as many as are reservable now and the
// rest as they become reservable. A repeated Reserve is dropped.
type Reserve struct {
	From, To  mail.Recipient // the part is the places [From, To), see mail.List.At
	Processes int            // MTA processes wanted
	Subset    int            // number of recipients that a process takes at a time ([0031])
	Priority  int            // the highest gets processes first, and the lowest is freed first ([0070])
	Rate      unit.PerHour   // attempts that the server begins in the long run; 0: no limit
	Mailing   uint32         // reservations of one share its rate, and are suspended together; 0: there is no other one
	// further recipients of the part, with the tries that they had and the earliest time of the next: see PackResends
	Resends string
}

// Withdraw takes back all recipients that are in no attempt. An attempt under way
// ends as any other, but its recipient is not resent. Later reservations count again.
type Withdraw struct{}

// Report is what a delivering server measured in an interval, for the role that
// governs it. The message has the number of the interval. A repeated Report gets
// the same Verdict again; a Report on an interval before the last decided one is
// dropped.
type Report struct {
	Sample     governor.Sample
	Conditions Conditions // sums from which the means of Sample are computed
	Ended      vt.Time    // when the interval ended
	Target     float64    // messages per hour to attain in the interval; 0: the server has no target
	RetryLimit int        // retry limit at the end; of several limits, the lowest
	Wanted     int        // MTA processes that would be allocated at the end if C were unlimited
	Freed      uint64     // see Interval
	HandedBack uint64
	Partial    bool
	Draining   bool
}

// Verdict answers a Report with the decision for the server. The message has the
// number of the interval. The server drops every Verdict that it does not wait
// for.
type Verdict struct {
	Attempts, Delivered uint64 // sums over all servers in the interval
	Available           int    // the server's part of C; 0 if the server has its own governor
}

// React tells a delivering server that a reply to another one asks all servers for a
// reaction. A late one counts from when it comes. A repeated one changes nothing, since its
// attempt began before the first one came: so it has no number, and a server that begins anew
// after a stop is heard as before. Servers that react together have the same time zero.
type React struct {
	Dest  mail.Destination // the destination that sent the reply
	Row   uint16           // of the reply table of the destination
	Began vt.Time          // when the attempt that got the reply began
}

// Stop ends the run of a role. The role then wants to be woken at once, closes
// the current interval as partial, and accepts no further input.
type Stop struct{}

// Row returns the row of the interval for an Observer, with the decision d.
func (r *Report) Row(number int, d governor.Decision) Interval {
	return Interval{Number: number, TargetRate: r.Target, Sample: r.Sample, Decision: d, RetryLimit: r.RetryLimit,
		Freed: r.Freed, HandedBack: r.HandedBack, Partial: r.Partial, Draining: r.Draining}
}

// Add merges o, a report of another server for the same interval, into r.
func (r *Report) Add(o *Report) {
	s, t := &r.Sample, &o.Sample
	s.Span = t.Span
	s.Delivered += t.Delivered
	s.Attempts += t.Attempts
	s.Allocated += t.Allocated
	s.Demand += t.Demand
	s.Load = max(s.Load, t.Load)
	r.Conditions.add(&o.Conditions)
	r.Conditions.Into(s)
	r.Ended = o.Ended
	r.RetryLimit = min(r.RetryLimit, o.RetryLimit)
	r.Freed += o.Freed
	r.HandedBack += o.HandedBack
	r.Partial = r.Partial || o.Partial
	r.Draining = r.Draining || o.Draining
}

// State saves or restores the report.
func (r *Report) State(c *snap.Codec) {
	r.Sample.State(c)
	r.Conditions.State(c)
	c.Fields(&r.Ended, &r.Target, &r.RetryLimit, &r.Wanted, &r.Freed, &r.HandedBack, &r.Partial, &r.Draining)
}
