package tools

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/internal/input"
	"flyball/internal/zone"
	"flyball/reports/format"
	"flyball/scenarios"
)

func (a app) governCommand() *cobra.Command {
	from := task.Source{Stdin: a.In}
	var samples string
	var asJSON bool
	c := &cobra.Command{
		Use:   "govern LAW-FILE --samples FILE.csv",
		Short: "Replay a governor over recorded intervals",
		Long: `Replay a governor over recorded intervals and print its decisions as CSV.

LAW-FILE is a TOML file with a [governor] table, such as a scenario, or the name of
a built-in scenario. --samples names a CSV file with the columns hours, delivered
and allocated_mean and one row per interval; - is standard input. A column
set_target_per_h holds the target in force in each interval and overrides the target
of the law. The samples must come from one server: a law with scope = "cluster" is
refused, and so is a second name in a column server.

` + needy() + ` look at attempts too: the columns
attempts, refusals, timeouts and attempt_s (mean seconds of an attempt), as in
intervals.csv of a run folder. Replayed from that file of a run with one server,
they decide exactly as in the run; the last row, which the end of the run cut short,
is ignored. Without the column attempts every attempt counts as delivered; without
refusals and timeouts both count as 0; without attempt_s it is computed from
allocated_mean. Standard error lists the columns that a law lacks. The limits of
[governor.destination] are not replayed; standard error warns of this too.

An impossible interval, for example with more deliveries than attempts, is refused
with its line number. If there is a column interval (number) or t_end_s (end in
seconds), so are intervals that are repeated, out of order or overlapping. If
intervals are missing, standard error lists them and the replay continues.

Exit codes: 0 replayed, 2 usage, 3 invalid law or samples.`,
		Example: "  flyball govern patent-table1 --samples intervals.csv\n" +
			"  flyball govern throttling-provider --set governor.law=aimd --samples runs/mine/intervals.csv\n" +
			"  awk -F, 'NR == 1 || $1 == \"b2\"' runs/mine/intervals.csv | flyball govern mine.toml --samples -",
		Args: console.ExactlyOne("a law file"),
		RunE: func(_ *cobra.Command, args []string) error {
			from.Arg = args[0]
			return a.govern(&from, samples, asJSON)
		},
	}
	c.Flags().StringArrayVar(&from.Set, "set", nil, "change one value: governor.key=value (repeatable)")
	c.Flags().StringVar(&samples, "samples", "", "CSV file with hours, delivered, allocated_mean; - is standard input")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema decisions)")
	return c
}

// needy returns, as a phrase, the names of the laws that need more inputs than
// deliveries and processes.
func needy() string {
	var names []string
	for _, l := range governor.Laws() {
		if l.Inputs != nil {
			names = append(names, l.Name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func (a app) govern(from *task.Source, samples string, asJSON bool) error {
	if samples == "" {
		return console.Fail(console.Usage, "govern: got no samples, want --samples FILE.csv (- is standard input)")
	}
	if from.Arg == "-" && samples == "-" {
		return console.Fail(console.Usage, "govern: got - for the law and for the samples, want one of them in a file")
	}
	name, text, err := from.Read(from.Arg)
	if err != nil {
		return err
	}
	law, err := scenarios.LoadGovernor(name, text, from.Set, zone.Load)
	if err != nil {
		if wrong := task.WrongKind(name, text, kinds.Law); wrong != nil &&
			kinds.Of(text) != kinds.Scenario {
			err = wrong
		}
		return console.Fail(console.Invalid, "%w", err)
	}
	in, name := input.Samples.Bound(a.In, "standard input"), "<stdin>"
	if samples != "-" {
		f, err := task.Open("--samples", samples, input.Samples)
		if err != nil {
			return err
		}
		defer f.Close()
		in, name = f, samples
	}
	log, err := recorded.Read(in, name)
	if err != nil {
		return console.Fail(console.Invalid, "%w", task.Mistaken(err, samples, kinds.Intervals, kinds.Table))
	}
	decisions, err := recorded.Replay(law, log.Samples)
	if err != nil {
		return console.Fail(console.Invalid, "%w", err)
	}
	a.unreplayed(law, name, log)
	if asJSON {
		return a.PrintJSON(decisionsOf(law, log.Samples, decisions))
	}
	return recorded.Write(a.Out, log.Samples, decisions)
}

// DecisionList is what govern --json prints.
type DecisionList struct {
	console.Head
	Law       string     `json:"law"`
	Decisions []decision `json:"decisions"` // one per interval
}

// decision has the columns of recorded.Write; what is infinite or undefined is null.
type decision struct {
	Interval   int        `json:"interval"` // from 0
	Hours      float64    `json:"hours"`
	Delivered  uint64     `json:"delivered"`
	Allocated  format.Num `json:"allocated_mean"`    // P_a, processes
	Rate       format.Num `json:"rate_per_h"`        // M_s
	Efficiency format.Num `json:"efficiency"`        // E_a, messages per hour and process
	Used       format.Num `json:"utilization"`       // U_s, P_a / available_prev
	Previous   format.Num `json:"available_prev"`    // C in force during the interval
	Wanted     format.Num `json:"target_available"`  // processes that would give the target rate
	Step       format.Num `json:"step"`              // change that was allowed in the interval
	Available  format.Num `json:"available"`         // C from now on
	Reservable int        `json:"reservable"`        // processes that may be reserved at that moment
	Flags      string     `json:"flags"`             // readings of the patent that the interval met
	NextTarget format.Num `json:"next_target_per_h"` // rate that the decision is to attain
}

func decisionsOf(law governor.Config, samples []governor.Sample, decisions []governor.Decision) DecisionList {
	all := DecisionList{Head: console.HeadOf("decisions"), Law: law.Law, Decisions: []decision{}}
	for i, d := range decisions {
		s := samples[i]
		all.Decisions = append(all.Decisions, decision{
			Interval: i, Hours: s.Span.Hours(), Delivered: s.Delivered, Allocated: format.Num(s.Allocated),
			Rate: format.Num(d.Rate), Efficiency: format.Num(d.Efficiency), Used: format.Num(d.Utilization),
			Previous: format.Num(d.Previous), Wanted: format.Num(d.Target), Step: format.Num(d.Step),
			Available: format.Num(d.Available), Reservable: governor.Reservable(d.Available, int(s.Allocated)),
			Flags: d.Flags.String(), NextTarget: format.Num(d.TargetRate),
		})
	}
	return all
}

// maxGaps is the number of gaps that are listed one by one.
const maxGaps = 10

// unreplayed warns on standard error of what a replay leaves out: columns that the
// law needs and the samples lack, missing intervals, and limits of destinations.
func (a app) unreplayed(law governor.Config, samples string, log recorded.Log) {
	for i, name := range []string{law.Law, law.Ceiling} {
		if unseen := governor.Unseen(name, log.Lacking); len(unseen) > 0 {
			key := []string{"law", "ceiling"}[i]
			fmt.Fprintf(a.ErrOut, "flyball: governor.%s: %s looks at columns that %s lacks: %s; replayed without\n",
				key, name, samples, strings.Join(unseen, ", "))
		}
	}
	for _, gap := range log.Gaps[:min(len(log.Gaps), maxGaps)] {
		fmt.Fprintf(a.ErrOut, "flyball: %s; replayed as if it followed at once\n", gap)
	}
	if n := len(log.Gaps) - maxGaps; n > 0 {
		fmt.Fprintf(a.ErrOut, "flyball: %s: %d more gaps\n", samples, n)
	}
	if law.Destination.Limits() {
		fmt.Fprintln(a.ErrOut, "flyball: governor.destination: its limits are not replayed: samples have no counts "+
			"of single destinations")
	}
}
