// Package scenarios holds the questions that Flyball answers. It turns a TOML
// file into one valid, frozen Scenario or reports all problems with it, builds
// the parts of a run from the scenario, and lists the built-in scenarios and the
// numbers that a result depends on. Both shells and the command line call it. Package
// work deals the lists to servers; package stated tells reports what a scenario states.
package scenarios

import (
	"fmt"
	"slices"

	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/proximity"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/reports/measure"
)

// Scenario describes one experiment: the load, the network, the governor, and
// the expectations that the result must meet.
type Scenario struct {
	// version of this file format
	SchemaVersion int `toml:"schema_version" range:"1..1" required:"true" default:"1"`
	// short name, used for the run folder
	Name string `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	// what the scenario shows, in a sentence or two
	About string `toml:"about"`
	// seed of all random draws of the run
	Seed uint64 `toml:"seed" range:"0..9223372036854775807" default:"1"`
	// the run ends here even if mail is pending
	// Source: derived: RFC 5321 4.5.4.1: give up after 4 or 5 days
	Horizon vt.Span `toml:"horizon" default:"5d" range:">0s..3650d"`
	// events per attempt: one, or one per stage with the same result
	Stages string `toml:"stages" oneof:"collapsed full" default:"collapsed"`
	// date and time that the clock shows at the start of the run; moments may then be clock times, and daily cycles
	// follow the time of day; not given: a run begins at midnight and has no date
	StartAt vt.Civil `toml:"start_at,omitdefault" range:"2000-01-01 00:00..2199-12-31 23:59"`
	// IANA time zone of start_at and of all clock times
	TimeZone string `toml:"time_zone,omitdefault" default:"UTC"`
	// offsets of the clock from UTC, each with the time after the start from which it holds; not given: those of
	// time_zone, which a resolved scenario spells out
	UTCOffsets []vt.Offset `toml:"utc_offsets,omitdefault"`
	// how many times faster than the clock a live run goes
	TimeScale float64 `toml:"time_scale" range:"1..10000" default:"1"`
	// CSV file with the columns domain and provider: the destination of each domain of a list, beside the destinations'
	// own domain and domains; a path from the folder of the scenario
	DomainsFile string `toml:"domains_file,omitdefault"`

	// how repeated runs of the scenario are analysed
	Analysis Analysis `toml:"analysis"`
	// the performance governor of every server ([0063]-[0070])
	Governor governor.Config `toml:"governor"`
	// how lists come to servers ([0031], [0052]-[0062])
	Dispatch Dispatch `toml:"sender,omitdefault"`
	// how messages between the sender's own servers travel
	Bus Bus `toml:"bus,omitdefault"`
	// disks of the sender's own servers
	Disk Disk `toml:"disk,omitdefault"`
	// limits of accounts ([0083]); needs sender.check
	AccountLimits []Account `toml:"account,omitdefault"`
	// the server that takes returned mail (C server, [0042]-[0045])
	Returns Returns `toml:"returns,omitdefault"`
	// the server that takes requests (D server, [0047], [0048])
	Requests Requests `toml:"requests,omitdefault"`
	// what happens to the sender's own servers; needs sender.check
	Faults []Fault `toml:"fault,omitdefault"`
	// hours of each day in which no attempt begins: attempts under way end, and resends that fall due wait
	Quiet []Quiet `toml:"quiet,omitdefault"`
	// resends and their limit ([0071]-[0077])
	Retry retry.Config `toml:"retry"`
	// what happens to MTA processes beyond C ([0070])
	Freeing delivery.Freeing `toml:"freeing"`
	// what is sent
	Message Message `toml:"message"`
	// how SMTP is spoken
	Dialogue mail.Dialogue `toml:"dialogue"`
	// the paths between servers and destinations
	Network config.Paths `toml:"network"`
	// delivering servers (B servers)
	Servers []config.Server `toml:"server"`
	// mailbox providers
	Destinations []config.Destination `toml:"destination" required:"true"`
	// the sender's reading of replies of all destinations, after each destination's own; see there
	Replies []replies.Row `toml:"reply,omitdefault"`
	// messages with their lists
	Campaigns []Campaign `toml:"campaign" required:"true"`
	// what must hold at the end; a miss makes the run fail
	Expect []measure.Expectation `toml:"expect"`

	domains *domainsFile        // content of DomainsFile; nil: none, or not read
	known   *proximity.Database // what earlier runs learned; nil: nothing
	canary  *governor.Canary    // of each server; nil: none
}

// Analysis selects how repeated runs of the scenario are analysed. Replications of
// a scenario without a kind are terminating, because its lists end; that a run stands
// for the long run is for the author to state.
type Analysis struct {
	// terminating: a campaign from its start to its end; steady-state: the long run without its start-up; replications
	// are terminating unless it is given
	Kind string `toml:"kind" oneof:"terminating steady-state"`
	// start-up of a steady-state run that is left out: simulated time, or auto to find it (MSER-5)
	WarmUp WarmUp `toml:"warm_up" default:"auto"`
}

// Kinds of Analysis.
const (
	Terminating = "terminating"
	SteadyState = "steady-state"
)

// WarmUp is the length of a start-up: 0 or more, or AutoWarmUp.
type WarmUp vt.Span

// AutoWarmUp stands for a start-up whose length is estimated from the run.
const AutoWarmUp WarmUp = -1

// Want describes the text of a WarmUp.
func (WarmUp) Want() string { return vt.Span(0).Want() + `, or "auto"` }

// Pattern returns a regular expression that matches the text of every WarmUp.
func (WarmUp) Pattern() string { return "^auto$|" + vt.Span(0).Pattern() }

// UnmarshalText reads "auto" or a time.
func (w *WarmUp) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*w = AutoWarmUp
		return nil
	}
	span, err := vt.ParseSpan(string(text))
	if err != nil {
		return fmt.Errorf("%w, or \"auto\"", err)
	}
	*w = WarmUp(span)
	return nil
}

// MarshalText prints "auto" or the time.
func (w WarmUp) MarshalText() ([]byte, error) {
	if w == AutoWarmUp {
		return []byte("auto"), nil
	}
	return vt.Span(w).MarshalText()
}

// Message is one message of a run.
type Message struct {
	// size on the wire; with size_sigma the median
	// Source: assumed: median campaign
	Size unit.Bytes `toml:"size" default:"45kB" range:"1B..1GiB"`

	// standard deviation of the logarithm of the sizes of single messages (lognormal); 0: all are alike
	// Source: assumed: all messages of a campaign are alike
	SizeSigma float64 `toml:"size_sigma,omitdefault" range:"0..3"`

	// author address of a live run, under a reserved domain
	From string `toml:"from" default:"news@sender.example"`
}

// Idle reports whether a key has no meaning beside the other values of m.
func (m Message) Idle(key string) bool { return key == "size_sigma" && m.SizeSigma == 0 }

// Campaign is one message and its list.
type Campaign struct {
	// name in tables and files
	Name string `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	// length of the synthetic list
	// Source: scenario
	Recipients int `toml:"recipients" range:"1..1000000000" required:"true"`
	// size of its messages on the wire; not given: message.size
	// Source: assumed: as message.size
	Size unit.Bytes `toml:"size,omitdefault" range:"1B..1GiB"`
	// sending domain, which allowances with scope = "domain" count; campaigns that name none have one domain together
	Domain string `toml:"domain,omitdefault"`
	// account that the campaign is sent for, such as a customer's, which allowances with scope = "account" count;
	// campaigns that name none have one account together
	Account string `toml:"account,omitdefault"`
	// name of the pool of source addresses from which its connections come, on each server that has one of that name;
	// not given: the servers' own addresses
	Pool string `toml:"pool,omitdefault"`
	// when its delivery may begin
	// Source: assumed: at once
	Start vt.Span `toml:"start" unit:"moment"`
	// by when every recipient is to be final (delivered, failed or given up); not given: none. The report and
	// late_recipients judge by it, and a sending server asks for as few processes as it needs for it; it changes
	// nothing else in the run
	// Source: scenario
	Deadline vt.Span `toml:"deadline,omitdefault" unit:"moment" range:">0s..3650d"`
	// MTA processes that it requests from each server
	// Source: assumed: three times what Table 1 needs at 1000 messages per hour and process
	Processes int `toml:"processes" range:"1..1000000" default:"500"`
	// recipients that an MTA process takes at once ([0031])
	// Source: assumed: [0031] names no length
	Subset int `toml:"subset" range:"1..1000000000" default:"1000"`
	// a campaign of higher priority gets processes before others, and each other process gives way to it when its
	// attempt ends; with victim = "lowest-priority", processes of the lowest priority are freed first; not given: below
	// all
	// Source: assumed: none is more important
	Priority int `toml:"priority" range:"1..1000"`
	// recipients who ask to get nothing any more; needs sender.check
	Asks Asks `toml:"asks,omitdefault"`
	// messages of the campaign that each server offers in the long run, evenly spaced; not given: no limit
	// Source: assumed: no limit of its own
	Rate unit.PerHour `toml:"rate,omitdefault" range:"0.01/h..3600000000/h"`
}

// Sender returns what an allowance with a scope counts of the campaign: its account or its sending domain.
func (c Campaign) Sender(scope string) string {
	if scope == "account" {
		return c.Account
	}
	return c.Domain
}

// Due returns the deadline of the campaign, vt.Never without one.
func (c Campaign) Due() vt.Time {
	if c.Deadline == 0 {
		return vt.Never
	}
	return vt.Time(c.Deadline)
}

// Idle reports whether a key has no meaning beside the other values of c.
func (c Campaign) Idle(key string) bool { return key == "size" && c.Size == 0 }

// OutagesByChance reports whether some destination has random outages. A few
// runs with outages may then decide the mean over all runs.
func (s *Scenario) OutagesByChance() bool {
	return slices.ContainsFunc(s.Destinations, func(d config.Destination) bool { return d.Outage.Up > 0 })
}
