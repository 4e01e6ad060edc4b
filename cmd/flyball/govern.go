package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/internal/input"
	"flyball/reports/format"
	"flyball/scenarios"
)

func (a *app) governCommand() *cobra.Command {
	from := task.Source{Stdin: a.in}
	var samples string
	var asJSON bool
	c := &cobra.Command{
		Use:   "govern LAW-FILE --samples FILE.csv",
		Short: "Replay a governor over recorded intervals",
		Long: `Replay a governor over recorded intervals and print its decisions as CSV.

LAW-FILE is any TOML file with a [governor] table, a scenario too, or the name
of a built-in scenario. The samples have the columns hours, delivered and
allocated_mean, one row per interval, and may have set_target_per_h, the target
in force in each, which then counts instead of that of the law; - is standard
input. They are of one server: a law with scope = "cluster" is refused, and so is
a column server with a second name in it.

` + needy() + ` look at attempts too: columns attempts,
refusals, timeouts and attempt_s, the mean seconds of an attempt, as in
intervals.csv of a run folder. From that file, where it has one server, they decide
as in the run, to the last digit; its last row, cut short by the end of the run, is
passed over. Without attempts all are taken to have delivered, without refusals and
timeouts there were none, and attempt_s follows from allocated_mean: standard error
says which a law lacks, and that the limits of [governor.destination] are not
replayed.

An interval that cannot have been, with more deliveries than attempts for instance,
is refused with its line. With a column interval (its number) or t_end_s (its end in
seconds) so is one that is there twice, out of order or overlapping; where some are
missing, standard error says which, and the replay goes on with the next.

Exit codes: 0 replayed, 2 usage, 3 invalid law or samples.`,
		Example: "  flyball govern patent-table1 --samples intervals.csv\n" +
			"  flyball govern throttling-provider --set governor.law=aimd --samples runs/mine/intervals.csv\n" +
			"  awk -F, 'NR == 1 || $1 == \"b2\"' runs/mine/intervals.csv | flyball govern mine.toml --samples -",
		Args: exactlyOne("a law file"),
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

// needy returns the names of the laws that decide by more than deliveries and
// processes.
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

func (a *app) govern(from *task.Source, samples string, asJSON bool) error {
	if samples == "" {
		return fail(exitUsage, "govern: got no samples, want --samples FILE.csv (- is standard input)")
	}
	if from.Arg == "-" && samples == "-" {
		return fail(exitUsage, "govern: got - for the law and for the samples, want one of them in a file")
	}
	name, text, err := from.Read(from.Arg)
	if err != nil {
		return err
	}
	law, err := scenarios.LoadGovernor(name, text, from.Set)
	if err != nil {
		if wrong := task.WrongKind(name, text, scenarios.ALaw); wrong != nil && scenarios.KindOf(text) != scenarios.AScenario {
			err = wrong
		}
		return exit{exitInvalid, err}
	}
	in, name := input.Samples.Bound(a.in, "standard input"), "<stdin>"
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
		return exit{exitInvalid, task.Mistaken(err, samples, scenarios.Intervals, scenarios.ATable)}
	}
	decisions, err := recorded.Replay(law, log.Samples)
	if err != nil {
		return exit{exitInvalid, err}
	}
	a.unreplayed(law, name, log)
	if asJSON {
		return a.printJSON(decisionsOf(law, log.Samples, decisions))
	}
	return recorded.Write(a.out, log.Samples, decisions)
}

// decisionList is what govern --json prints.
type decisionList struct {
	head
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

func decisionsOf(law governor.Config, samples []governor.Sample, decisions []governor.Decision) decisionList {
	all := decisionList{head: headOf("decisions"), Law: law.Law, Decisions: []decision{}}
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

// maxGaps bounds the gaps that are listed one by one.
const maxGaps = 10

// unreplayed warns of what the samples cannot show of a law: what it looks at
// beyond them, and the intervals that are missing.
func (a *app) unreplayed(law governor.Config, samples string, log recorded.Log) {
	for i, name := range []string{law.Law, law.Ceiling} {
		if unseen := governor.Unseen(name, log.Lacking); len(unseen) > 0 {
			key := []string{"law", "ceiling"}[i]
			fmt.Fprintf(a.errout, "flyball: governor.%s: %s looks at columns that %s lacks: %s; replayed without\n", key, name, samples, strings.Join(unseen, ", "))
		}
	}
	for _, gap := range log.Gaps[:min(len(log.Gaps), maxGaps)] {
		fmt.Fprintf(a.errout, "flyball: %s; replayed as if it followed at once\n", gap)
	}
	if n := len(log.Gaps) - maxGaps; n > 0 {
		fmt.Fprintf(a.errout, "flyball: %s: %d more gaps\n", samples, n)
	}
	if law.Destination.Limits() {
		fmt.Fprintln(a.errout, "flyball: governor.destination: samples tell nothing of single destinations: its limits are not replayed")
	}
}
