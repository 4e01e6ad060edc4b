package main

import (
	"errors"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/cmd/flyball/internal/trials"
)

func (a *app) planCommand() *cobra.Command {
	q := trials.DefaultPlan()
	q.From.Stdin = a.in
	var deadlines []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Find out whether the mailing is done by a deadline, with how many processes, and what binds",
		Long: `Find for each deadline the least number of MTA processes, of each server, with which
all recipients are final in time, and judge it with random draws that the search
has not used: the chance, when the mailing ends, which provider binds and by what,
and how many attempts are deferred. A mailing in which more than 0.1 % of a
provider's recipients are given up because of refusals is not done.

Where limits of receivers or of the sender alone make a deadline too early, the
plan says so with the numbers of a bound that no setting can beat.

--quota and --warm-up set a limit of messages a day for each server at a provider,
or change the daily limit that the scenario has there, and show what each day
carries. The sender then waits an hour after a reply that names the limit.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid scenario, 130 or 143
stopped by a signal.`,
		Example: "  flyball plan overnight --deadline 04:00,05:00,06:00\n" +
			"  flyball plan consumer-night --deadline 12h,1d\n" +
			"  flyball plan overnight --warm-up gmail=2000+15%..20000 --quota yahoo=50000/day",
		Args: exactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			for _, text := range deadlines {
				entries := task.Entries(text)
				if len(entries) == 0 {
					return fail(exitUsage, "--deadline: got %q, want times separated by commas, such as 04:00,8h", text)
				}
				q.Deadlines = append(q.Deadlines, entries...)
			}
			return a.plan(&q, asJSON)
		},
	}
	sourceFlags(c, &q.From)
	f := c.Flags()
	f.StringArrayVar(&deadlines, "deadline", nil,
		"times by which all campaigns are to be out, separated by commas, such as 06:00,8h; the campaigns' own "+
			"deadlines if not given")
	f.StringArrayVar(&q.Quotas, "quota", nil, "daily limit of a provider: PROVIDER=N/day (repeatable)")
	f.StringArrayVar(&q.WarmUps, "warm-up", nil,
		"daily limit of a provider that grows: PROVIDER=N+G%..MOST, or the limits of the days PROVIDER=N,N,N "+
			"(repeatable)")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs with new draws that judge each deadline")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	f.BoolVar(&asJSON, "json", false, "print the plan as JSON")
	return c
}

func (a *app) plan(q *trials.Plan, asJSON bool) error {
	stop := terminal.WatchSignals()
	defer stop.End()
	found, err := watched(a, stop, false, q.Do)
	var stopped task.Stopped
	switch {
	case errors.As(err, &stopped):
		return stoppedBy(stop, " after %d runs; nothing is written", stopped.Done)
	case err != nil:
		return err
	case asJSON:
		return a.printSummary(found)
	}
	return found.Text(a.out, a.colored())
}
