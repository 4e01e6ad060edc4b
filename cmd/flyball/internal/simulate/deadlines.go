package simulate

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/deadlines"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/unit"
)

func (a app) askCommand() *cobra.Command {
	q := deadlines.DefaultAsk()
	q.From.Stdin = a.In
	refused, free := "2%", []string(nil)
	var asJSON bool
	c := &cobra.Command{
		Use:   "ask SCENARIO",
		Short: "Find the setting with which the mailing is out soonest, and the chance that it holds",
		Long: `Search the free values of a scenario for the setting with which all recipients are
final (delivered, failed or given up) soonest, without more refusals than --refused
and without recipients that are late, and judge that setting with random draws that
the search has not used.
Then print what a step of each value, a server more and an hour more until the
deadlines would change, what keeps the setting from being better, and the command
that shows it.

The limit of refusals counts before the deadline, and the deadline before the end.
Of settings that do equally well, the one with the lowest values is taken: what is
not needed is not recommended. For several deadlines, and numbers of processes by
server, see flyball plan.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid scenario, 130 or 143
stopped by a signal.`,
		Example: "  flyball ask quickstart --deadline 8h\n  flyball ask providers --refused 5% " +
			"--free governor.max,governor.target=20000/h..200000/h",
		Args: console.ExactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			var err error
			if q.Refused, err = unit.ParseShare(refused); err != nil {
				return console.Fail(console.Usage, "--refused: got %q, want a share such as 2%% or 0.02", refused)
			}
			if q.Free, err = entries("--free", free, "KEY or KEY=FROM..TO, separated by commas"); err != nil {
				return err
			}
			return answered(a, q.Do, asJSON)
		},
	}
	console.SourceFlags(c, &q.From)
	f := c.Flags()
	f.StringVar(&q.Deadline, "deadline", "",
		"time by which all campaigns are to be out: after the start, such as 8h, or with start_at a clock time such "+
			"as 06:00; the campaigns' own deadlines if not given")
	f.StringVar(&refused, "refused", refused, "greatest share of attempts that receivers may refuse")
	f.StringArrayVar(&free, "free", nil,
		"values to choose: KEY or KEY=FROM..TO, separated by commas (repeatable); governor.target and governor.max, "+
			"or governor.start with the law hold, if not given")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs with new draws that judge the best setting")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema answer)")
	return c
}

func (a app) planCommand() *cobra.Command {
	q := deadlines.DefaultPlan()
	q.From.Stdin = a.In
	var times []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Find out whether the mailing is done by a deadline, with how many processes, and what binds",
		Long: `Find for each deadline the least number of MTA processes, of each server, with which
all recipients are final (delivered, failed or given up) in time, and judge it with
random draws that the search has not used: the chance, when the mailing ends, which
provider binds and by what, and how many attempts are deferred. A mailing in which
more than 0.1 % of a provider's recipients are given up because of refusals is not
done.

The number is governor.max, or governor.start with the law hold, and where servers
differ server.connections of those that need fewer. The plan tries no more than the
campaigns request (campaign.processes), and leaves all else, such as the target of
the governor, as it is: flyball ask searches that. Unless it assumes limits, it
prints the flyball run that shows what it found.

Where limits of receivers or of the sender alone make a deadline too early, no runs
are made: the plan has the numbers of a bound that no setting can beat.

--quota and --warm-up assume a limit of messages a day at a provider, for each
server. A daily limit that the scenario has there is changed instead, and still
counts the same senders together. The plan then shows what each day carries. The
sender waits an hour after a reply that names the limit.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid scenario, 130 or 143
stopped by a signal.`,
		Example: "  flyball plan overnight --deadline 04:00,05:00,06:00\n" +
			"  flyball plan consumer-night --deadline 12h,1d\n" +
			"  flyball plan overnight --deadline '+6d 06:00' --warm-up young=2000+15%..20000 " +
			"--quota rest=50000/day",
		Args: console.ExactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			q.From.Arg = args[0]
			q.Deadlines, err = entries("--deadline", times, "times separated by commas, such as 04:00,8h")
			if err != nil {
				return err
			}
			return answered(a, q.Do, asJSON)
		},
	}
	console.SourceFlags(c, &q.From)
	f := c.Flags()
	f.StringArrayVar(&times, "deadline", nil,
		"times by which all campaigns are to be out, separated by commas: after the start, such as 8h, or with "+
			"start_at clock times such as 06:00; the campaigns' own deadlines if not given")
	f.StringArrayVar(&q.Quotas, "quota", nil, "daily limit of a provider: PROVIDER=N/day (repeatable)")
	f.StringArrayVar(&q.WarmUps, "warm-up", nil,
		"daily limit of a provider that grows: PROVIDER=N+G%..MOST from N by G % a day up to MOST, or the limits of "+
			"the days PROVIDER=N,N,N, of which the last one stays (repeatable)")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs with new draws that judge each deadline")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema plan)")
	return c
}

// entries returns the entries of all texts of a flag; a text without one is refused.
func entries(flag string, texts []string, want string) (all []string, _ error) {
	for _, text := range texts {
		some := task.Entries(text)
		if len(some) == 0 {
			return nil, console.Fail(console.Usage, "%s: got %q, want %s", flag, text, want)
		}
		all = append(all, some...)
	}
	return all, nil
}

// answered does a task that writes nothing, and prints its report.
func answered[T console.Printable](a app, do func(context.Context, task.Watch) (T, error), asJSON bool) error {
	report, err := console.Found(a.App, do)
	if err != nil {
		return err
	}
	return a.Print(report, asJSON)
}
