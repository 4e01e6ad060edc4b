package main

import (
	"errors"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/cmd/flyball/internal/trials"
	"flyball/internal/unit"
)

func (a *app) askCommand() *cobra.Command {
	q := trials.DefaultAsk()
	q.From.Stdin = a.in
	refused, free := "2%", []string(nil)
	var asJSON bool
	c := &cobra.Command{
		Use:   "ask SCENARIO",
		Short: "Find the setting with which the mailing is out soonest, and the chance that it holds",
		Long: `Search the free values of a scenario for the setting with which all recipients are
final soonest, without more refusals than --refused and without recipients that
are late, and judge that setting with random draws that the search has not used.
Then print what a step of each value, a server more and an hour more until the
deadlines would change, what keeps the setting from being better, and the command
that shows it.

The limit of refusals counts before the deadline, and the deadline before the end.
Of settings that do equally well, the one with the lowest values is taken: what is
not needed is not recommended.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid scenario, 130 or 143
stopped by a signal.`,
		Example: "  flyball ask quickstart --deadline 8h\n  flyball ask providers --refused 5% " +
			"--free governor.max,governor.target=20000/h..200000/h",
		Args: exactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			var err error
			if q.Refused, err = unit.ParseShare(refused); err != nil {
				return fail(exitUsage, "--refused: got %q, want a share such as 2%% or 0.02", refused)
			}
			for _, text := range free {
				entries := task.Entries(text)
				if len(entries) == 0 {
					return fail(exitUsage, "--free: got %q, want KEY or KEY=FROM..TO, separated by commas", text)
				}
				q.Free = append(q.Free, entries...)
			}
			return a.ask(&q, asJSON)
		},
	}
	sourceFlags(c, &q.From)
	f := c.Flags()
	f.StringVar(&q.Deadline, "deadline", "",
		"time by which all campaigns are to be out, such as 8h; the campaigns' own deadlines "+
			"if not given")
	f.StringVar(&refused, "refused", refused, "greatest share of attempts that receivers may refuse")
	f.StringArrayVar(&free, "free", nil,
		"values to choose: KEY or KEY=FROM..TO, separated by commas (repeatable); the "+
			"governor's target and max if not given")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs with new draws that judge the best setting")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	f.BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return c
}

func (a *app) ask(q *trials.Ask, asJSON bool) error {
	stop := terminal.WatchSignals()
	defer stop.End()
	found, err := watched(a, stop, false, q.Do)
	var stopped task.Stopped
	switch {
	case errors.As(err, &stopped):
		return stoppedBy(stop, " after %d of some %d runs; nothing is written", stopped.Done, stopped.Total)
	case err != nil:
		return err
	case asJSON:
		return a.printSummary(found)
	}
	return found.Text(a.out, a.colored())
}
