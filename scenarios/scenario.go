// Package scenarios turns a TOML file into one valid, frozen Scenario:
// defaults, strict decode, validation of everything at once. It refuses
// unknown keys, bare numbers where a unit is needed and values out of range,
// each with file, line and column. Both shells and the command line call it.
package scenarios

import (
	"fmt"

	"flyball/engine/delivery"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// Scenario is a question asked of the system: a load, a world, a governor, and
// what is expected of them.
type Scenario struct {
	SchemaVersion int     `toml:"schema_version" doc:"version of this file format" range:"1..1" required:"true"`
	Name          string  `toml:"name" doc:"short name, used for the run folder" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	About         string  `toml:"about" doc:"what the scenario shows, in a sentence or two"`
	Seed          uint64  `toml:"seed" doc:"names all luck of the run" range:"0..9223372036854775807"`
	Horizon       vt.Span `toml:"horizon" doc:"the run ends here even if mail is pending"`
	Stages        string  `toml:"stages" doc:"events per attempt: one, or one per stage with the same result" oneof:"collapsed full"`
	TimeScale     float64 `toml:"time_scale" doc:"how many times faster than the clock a live run goes" range:"1..10000"`

	Analysis     Analysis               `toml:"analysis" doc:"how repeated runs of the scenario are to be read"`
	Governor     governor.Config        `toml:"governor" doc:"the performance governor of every server ([0063]-[0070])"`
	Retry        delivery.Retry         `toml:"retry" doc:"resends and their limit ([0071]-[0077])"`
	Freeing      delivery.Freeing       `toml:"freeing" doc:"what becomes of MTA processes beyond C ([0070])"`
	Message      Message                `toml:"message" doc:"what is sent"`
	Dialogue     mail.Dialogue          `toml:"dialogue" doc:"how SMTP is spoken"`
	Network      netmodel.Network       `toml:"network" doc:"what lies between servers and destinations"`
	Servers      []netmodel.Server      `toml:"server" doc:"delivering servers (B servers)"`
	Destinations []netmodel.Destination `toml:"destination" doc:"mailbox providers" required:"true"`
	Campaigns    []Campaign             `toml:"campaign" doc:"messages with their lists" required:"true"`
	Expect       []Expectation          `toml:"expect" doc:"what must hold at the end; a miss makes the run fail"`
}

// Analysis says what kind of question the scenario asks. Only its author can
// know, so there is no default: repeated runs of a scenario that does not say
// are refused.
type Analysis struct {
	Kind   string `toml:"kind" doc:"terminating: of a campaign from its start to its end; steady-state: of the long run, without its start-up" oneof:"terminating steady-state"`
	WarmUp WarmUp `toml:"warm_up" doc:"start-up of a steady-state run, left out: simulated time, or auto to find it (MSER-5)"`
}

// Kinds of Analysis.
const (
	Terminating = "terminating"
	SteadyState = "steady-state"
)

// WarmUp is a time of 0 or more, or AutoWarmUp.
type WarmUp vt.Span

// AutoWarmUp stands for a start-up whose length is to be found.
const AutoWarmUp WarmUp = -1

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
	Size unit.Bytes `toml:"size" doc:"size on the wire"`
	From string     `toml:"from" doc:"author address of a live run, under a reserved domain"`
}

// Campaign is one message and its list.
type Campaign struct {
	Name       string  `toml:"name" doc:"name in tables and files" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" required:"true"`
	Recipients int     `toml:"recipients" doc:"length of the synthetic list" range:"1..1000000000" required:"true"`
	Start      vt.Span `toml:"start" doc:"when its delivery may begin"`
	Processes  int     `toml:"processes" doc:"MTA processes that it asks of each server" range:"1..1000000"`
	Subset     int     `toml:"subset" doc:"recipients that an MTA process takes at a time ([0031])" range:"1..1000000000"`
	Priority   int     `toml:"priority" doc:"with victim = \"lowest-priority\", processes of the lowest one are freed first; not given: below all" range:"1..1000"`
}

// Idle reports whether a table has nothing to say.
func (s Scenario) Idle(key string) bool { return key == "freeing" && s.Freeing.Idle("victim") }

// Expectation is a condition on the summary.
type Expectation struct {
	Metric string  `toml:"metric" doc:"name of a metric, see flyball scenario metrics" required:"true"`
	Op     string  `toml:"op" doc:"comparison" oneof:"< <= > >= == !=" required:"true"`
	Value  float64 `toml:"value" doc:"limit" required:"true"`
	In     string  `toml:"in" doc:"runs that it is held against; how fast a live run settles depends on the machine" oneof:"any sim real"`
}
