// Package scope has what a run with servers that stop is made of: the sizes, chances and times of its world, by hand or
// from a scenario, how servers keep what they have done, and the case: everything that goes wrong.
package scope

import (
	"fmt"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Config configures a world.
type Config struct {
	Recipients int
	Mailings   int // that overlap, and divide the recipients among them
	Servers    int // delivering servers
	Processes  int // MTA processes of each
	Daily      int // most recipients that are planned in a day; 0: no limit
	Licence    int // most processes of all subsets that have not ended; 0: no limit
	Chunk      int // recipients that a delivering server fetches at a time; 0: the list is cut at once
	Window     int // most recipients of each who may have the message while the sending server has no outcome
	Ahead      int // messages of a process with durable intents and without durable outcomes; 0: see remote.Config
	Seed       uint64
	Due        vt.Span // when the mailing is to begin
	Deadline   vt.Span // when it is to end; 0: it has none

	Deferred, Refused float64 // share of first tries that get 451 or 550 at RCPT
	Returned          int     // recipients whose messages are returned, three times each
	Requests          int     // recipients who ask to be deleted while the mailing is delivered
	Asks              vt.Span // when the first one does, and the time from each to the next
	Joins             int     // of these, who ask to be added again
	Confirm           bool    // requests to be deleted have to be confirmed too
	Couples           bool    // two places of the list are one person
	Pull              vt.Span // time after which the sending server asks for changes; 0: they are pushed

	Message        vt.Span // least time of a message between servers; the longest is twice as long
	Open           vt.Span // least time of an attempt up to the gate; the longest is twice as long
	Accept, Answer vt.Span // from the final dot to the receiver's decision, and from there to the sender
	Commit         vt.Span // time of making facts durable

	Hang  float64 // share of attempts that never come to the gate, and of those whose reply never arrives, each
	Stall vt.Span // after which attempts that do not move stand still for the sending server

	Batch    int     // most outcomes, bars or changes in a message
	Check    vt.Span // between two looks of the sending server at every subset, and before a resend
	Lease    vt.Span // how long a delivering server may deliver without an answer of the sending server
	Patience vt.Span // after which the sending server takes a server that does not answer for lost

	Horizon vt.Span // by which the mailing must be reported
	Scheme  Scheme
}

// Small returns the small scope, as the scenario crash-small has it: 24 recipients, two delivering servers
// with two processes each, one server for returned mail and one for requests.
func Small() Config {
	return Config{Recipients: 24, Mailings: 1, Servers: 2, Processes: 2, Window: 4, Seed: 1, Deferred: 0.2,
		Refused: 0.08, Returned: 2, Requests: 2, Asks: 200 * vt.Millisecond, Joins: 1, Couples: true,
		Message: 10 * vt.Millisecond, Open: 60 * vt.Millisecond, Accept: 20 * vt.Millisecond,
		Answer: 20 * vt.Millisecond, Batch: 5, Check: vt.Second, Lease: 5 * vt.Second,
		Patience: 20 * vt.Second, Stall: 15 * vt.Second, Horizon: 10 * vt.Minute}
}

// Quiet returns the small scope without chances: no refusals, nothing that comes back, no requests.
func Quiet() Config {
	c := Small()
	c.Deferred, c.Refused, c.Returned, c.Requests, c.Joins, c.Couples = 0, 0, 0, 0, 0, false
	return c
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int
	}{{"recipients", c.Recipients, 1}, {"mailings", c.Mailings, 1}, {"servers", c.Servers, 1},
		{"processes", c.Processes, 1},
		{"chunk", c.Chunk, 0}, {"licence", c.Licence, 0}, {"daily", c.Daily, 0},
		{"ahead", c.Ahead, 0}, {"returned", c.Returned, 0}, {"requests", c.Requests, 0}, {"joins", c.Joins, 0},
		{"window", c.Window, 1}, {"batch", c.Batch, 1}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	for _, v := range []struct {
		name string
		p    float64
	}{{"deferred", c.Deferred}, {"refused", c.Refused}, {"hang", c.Hang}} {
		if !(v.p >= 0 && v.p < 1) {
			errs = append(errs, fmt.Errorf("%s: got %v, want from 0 to below 1", v.name, v.p))
		}
	}
	return errs
}

// Asker returns the recipient with the request of a number.
func (c *Config) Asker(i int) mail.Recipient {
	return mail.Recipient(c.Recipients - 1 - 5*i%c.Recipients)
}

// Rejoins reports whether a recipient asks to be added again.
func (c *Config) Rejoins(r mail.Recipient) bool {
	for i := range c.Joins {
		if c.Asker(i) == r {
			return true
		}
	}
	return false
}

// Places returns all places of the person at a place.
func (c *Config) Places(r mail.Recipient) []mail.Recipient {
	if !c.Couples {
		return []mail.Recipient{r}
	}
	first := r &^ 1
	return []mail.Recipient{first, first + 1}[:min(2, mail.Recipient(c.Recipients)-first)]
}

// Soon returns how long a server stops that goes on before its lease ends.
func (c *Config) Soon() vt.Span { return 3 * c.Lease / 5 }

// Late returns how long a server stops that goes on when the sending server has taken it for lost.
func (c *Config) Late() vt.Span { return 3 * c.Patience }

// Hosts returns the number of servers: the sending server is 0, then come the delivering ones, and those of BounceHost
// and AskHost.
func (c *Config) Hosts() int { return c.Servers + 3 }

// BounceHost returns the number of the server for returned mail.
func (c *Config) BounceHost() int { return c.Servers + 1 }

// AskHost returns the number of the server for requests.
func (c *Config) AskHost() int { return c.Servers + 2 }

// HostName returns the name of a host: A, B1, B2, ..., C, D.
func (c *Config) HostName(h int) string {
	switch {
	case h == 0:
		return "A"
	case h <= c.Servers:
		return fmt.Sprintf("B%d", h)
	case h == c.BounceHost():
		return "C"
	}
	return "D"
}
