package sender

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Servers   int     // number of delivering servers
	Processes int     // of a mailing that names none
	Size      int     // of a mailing that names none
	Chunk     int     // recipients that a server with free processes fetches at a time; 0: the list is cut at once
	Check     vt.Span // time between two checks of all subsets
	Lease     vt.Span // for which a delivering server may deliver after a Progress
	Drift     float64 // most by which the clocks of two servers differ in speed, as a share
	Patience  vt.Span // after which a server that does not answer is lost; longer than any lease lasts
	Batch     int     // most bars in a Start

	// Stall is the time after which attempts that do not move stand still: longer than a receiver may take for one step
	// of an attempt, the longest of which is the reply to the final dot (RFC 5321 4.5.3.2.6).
	Stall vt.Span
	Pull  vt.Span // time after which servers are asked for changes of the list; 0: these push them

	Efficiency unit.PerHour // messages that a process delivers, until finished subsets tell ([0066])
	Licence    int          // most processes of all mailings under way; 0: no limit
	Accounts   []Account    // by number, from 1 on

	// Plan returns the places of a mailing's list for each server, each place once, if Chunk is 0. granted has the
	// processes that each server keeps for the mailing. It is asked again when an account's next day begins, and what
	// is planned then stays so. nil: in proportion to the processes ([0062]).
	Plan func(m engine.Submitted, granted []int) [][]engine.Part
}

// Default returns the configuration for a number of delivering servers. A process delivers 700 messages an hour if 200
// deliver 140,000 ([0065], [0068]).
func Default(servers int) Config {
	return Config{Servers: servers, Processes: 4, Size: 3, Check: vt.Second, Lease: 5 * vt.Second, Drift: 0.01,
		Patience: 20 * vt.Second, Batch: 1000, Stall: 15 * vt.Minute,
		Efficiency: 700}
}

// dot is how long a receiver may take after the final dot.
const dot = 10 * vt.Minute

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name string
		n    int
	}{{"servers", c.Servers}, {"processes", c.Processes}, {"size", c.Size}, {"batch", c.Batch}} {
		if v.n < 1 {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least 1", v.name, v.n))
		}
	}
	if c.Chunk < 0 {
		errs = append(errs, fmt.Errorf("chunk: got %d, want at least 0", c.Chunk))
	}
	if c.Pull < 0 {
		errs = append(errs, fmt.Errorf("pull: got %v, want at least 0", c.Pull))
	}
	if c.Licence < 0 {
		errs = append(errs, fmt.Errorf("licence: got %d, want at least 0", c.Licence))
	}
	for i, a := range c.Accounts {
		if a.Processes < 0 || a.Messages < 0 {
			errs = append(errs, fmt.Errorf("account %d: got %+v, want at least 0", i+1, a))
		}
	}
	if !(c.Efficiency > 0) {
		errs = append(errs, fmt.Errorf("efficiency: got %v, want more than 0", c.Efficiency))
	}
	if c.Stall <= dot {
		errs = append(errs, fmt.Errorf("stall: got %v, want more than the %v that a receiver may take after the "+
			"final dot", c.Stall, dot))
	}
	if c.Check <= 0 {
		errs = append(errs, fmt.Errorf("check: got %v, want more than 0", c.Check))
	}
	if c.Lease <= c.Check {
		errs = append(errs, fmt.Errorf("lease: got %v, want more than the check of %v: it would end before it is "+
			"renewed", c.Lease, c.Check))
	}
	if c.Drift < 0 || c.Drift >= 1 {
		errs = append(errs, fmt.Errorf("drift: got %v, want from 0 to below 1", c.Drift))
	}
	if least := vt.Span(float64(c.Lease) * (1 + c.Drift)); c.Patience < least {
		errs = append(errs, fmt.Errorf("patience: got %v, want at least %v, the lease by the slowest clock: a server "+
			"may deliver until then", c.Patience, least))
	}
	return errs
}
