package simulate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/cmd/flyball/internal/trials"
	"flyball/internal/unit"
	"flyball/reports/ensemble"
	"flyball/reports/measure"
)

func (a app) runCommand() *cobra.Command {
	q := task.DefaultRun()
	var to console.Output
	var many repeats
	var crew trials.Bus
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Simulate a scenario and report",
		Long: `Simulate a scenario: a built-in name (see flyball scenario list), a path, or -
for standard input. Prints the answer and writes a run folder.

One run is one random draw. With --replications or --precision the scenario is
run many times with other draws, on all cores, and every number comes with its
95 % interval. A run is read as a mailing that ends, unless the table [analysis] of
the scenario has kind = "steady-state". With --listen or --bus workers in other
processes make replications too (docs/scale.md).

With --sensitivity every number in doubt is halved and doubled, one at a time,
with the same random draws. A number is in doubt if it is an assumption, or
describes the network and was not measured. The report lists the numbers that the
answer depends on. The answer is the metric that --of names; without --of it is
the time when the run settled, or the rate that the run reached if it did not
settle, or attempts per delivery if neither can be judged. Ten other replications
show how far chance alone moves the answer.

With --list the recipients come from a CSV file with a column email; the domains of
the addresses must belong to destinations of the scenario. No mail is sent. Rows
that a mailing would not reach go to rejects.csv in the run folder, with reasons.

With sender.partition = "proximity" a run learns how far receivers are, and its
folder has proximity.json. --proximity FILE begins with what an earlier run has
learned.

A run that a signal stops is kept in its folder, marked partial, without a verdict
on its expectations. --resume FOLDER continues it; the result is the same as
without the stop. The result replaces the partial run in FOLDER, unless --out names
another folder. If FOLDER has a default name, which differs between a partial and a
whole run, the whole run gets a new folder and the partial one stays.

Exit codes: 0 all expectations met, 2 usage, 3 invalid scenario or list, 4 an
expectation missed, 130 or 143 stopped by a signal.`,
		Example: "  flyball run quickstart\n  flyball run quickstart --seed 7 --set governor.d=3\n" +
			"  flyball run quickstart --replications 20\n  flyball run greylist --precision 1% --of end_h\n  flyball " +
			"run mine.toml --list people.csv",
		Args: console.ExactlyOne("a scenario"),
		RunE: func(c *cobra.Command, args []string) error {
			q.From.Arg, q.From.Stdin, q.Place = args[0], a.In, to.Place
			given := c.Flags().Changed
			repeated := given("replications") || given("precision")
			switch {
			case q.Sensitivity && repeated:
				return console.Fail(console.Usage, "--sensitivity compares single runs with the same draws: want no "+
					"--replications or --precision with it")
			case given("replication") && repeated:
				return console.Fail(console.Usage,
					"--replication runs one replication alone: want no --replications or "+
						"--precision with it")
			case given("resume") && repeated:
				return console.Fail(console.Usage,
					"--resume continues one run: want no --replications or --precision with it")
			case repeated && q.From.Proximity != "":
				return console.Fail(console.Usage, "--proximity begins one run with what another has learned: want no "+
					"--replications or --precision with it")
			case q.Attempts && repeated:
				return console.Fail(console.Usage,
					"--attempts writes the table of one run: want no --replications or --precision "+
						"with it")
			case (crew.Used() || crew.Validate() != nil) && !repeated:
				return console.Fail(console.Usage,
					"--bus, --listen: workers make replications alone: want --replications or "+
						"--precision with them")
			case repeated:
				return a.replicate(&q, &many, crew, given, &to)
			case given("of") && !q.Sensitivity:
				return console.Fail(console.Usage, "--of: got %q without --precision", q.Of)
			}
			return a.simulate(&q, &to)
		},
	}
	console.SourceFlags(c, &q.From)
	to.Flags(c)
	f := c.Flags()
	f.Uint64Var(&q.Replication, "replication", 0, "run only this replication of the seed")
	many.flags(c)
	to.ExplainFlag(c)
	f.StringVar(&q.Of, "of", "", "metric that --precision applies to (default the rate, or dfr if no rate is "+
		"judged), or --sensitivity (see above)")
	f.IntVar(&q.Workers, "jobs", q.Workers,
		"replications, or servers of a single run, that run at the same time; changes no result")
	f.BoolVar(&q.Sensitivity, "sensitivity", false,
		"also run with every number in doubt halved and doubled, one at a time, and list those that the answer "+
			"depends on")
	console.ListFlags(c, &q.Recipients)
	console.ProximityFlag(c, &q.From)
	console.KeepFlag(c, &q.Keep)
	console.AttemptsFlag(c, &q.Attempts)
	f.StringVar(&q.Resume, "resume", "", "folder of the same run, stopped by a signal: continue it")
	farmFlags(c, &crew)
	return c
}

func (a app) simulate(q *task.Run, to *console.Output) error {
	stop := terminal.WatchSignals()
	defer stop.End()
	out, err := console.Watched(a.App, stop, false, q.Do)
	switch {
	case errors.Is(err, task.ErrStopped):
		return console.StoppedBy(stop, " during the runs for the sensitivity; nothing is written")
	case err != nil:
		return err
	}
	return a.Publish(out, to, stop)
}

// repeats holds the flags for how often a scenario is run.
type repeats struct {
	replications int
	precision    string
}

func (r *repeats) flags(c *cobra.Command) {
	c.Flags().IntVar(&r.replications, "replications", 0, "run replications 0 to N-1 and report means with intervals")
	c.Flags().StringVar(&r.precision, "precision", "",
		"run replications until the half width of the 95 % interval is this share of the mean, such as 1%; at most "+
			"--replications, or 1000")
}

// share returns the precision as a share of the mean.
func (r *repeats) share() (float64, error) {
	v, err := unit.ParseShare(r.precision)
	if err != nil || !(v >= 0.00001 && v < 1) {
		return 0, console.Fail(console.Usage,
			"--precision: got %q, want a share of the mean such as 1%% or 0.01", r.precision)
	}
	return v, nil
}

// replicate runs independent replications of a scenario and prints their report.
func (a app) replicate(one *task.Run, many *repeats, crew trials.Bus, given func(string) bool,
	to *console.Output) error {
	q := trials.DefaultReplicate()
	q.From, q.Recipients, q.Of, q.Workers, q.Place = one.From, one.Recipients, one.Of, one.Workers, to.Place
	q.Replications, q.Precisely = many.replications, many.precision
	if given("precision") {
		var err error
		if q.Precision, err = many.share(); err != nil {
			return err
		}
	}
	if given("replications") && q.Replications == 0 {
		q.Replications = -1 // refused; 0 would leave the number to the precision
	}
	q.Bus = crew
	if err := onBus(&q.Bus); err != nil {
		return err
	}
	stop := terminal.WatchSignals()
	defer stop.End()
	out, err := console.Watched(a.App, stop, q.Precision > 0, q.Do)
	switch {
	case errors.Is(err, task.ErrStopped):
		return console.StoppedBy(stop, " before the first replication ended; nothing is written")
	case err != nil:
		return err
	}
	e := out.Report
	if err := a.Print(e, to.JSON); err != nil {
		return err
	}
	if !to.JSON {
		for _, line := range out.Words {
			fmt.Fprintln(a.Out, line)
		}
		fmt.Fprintf(a.Out, "Folder: %s\n", out.Dir)
	}
	if e.Partial {
		return console.StoppedBy(stop,
			" after %d replications; the folder %s is marked partial", e.Replications, out.Dir)
	}
	return missedBySome(e)
}

// missedBySome returns an error that lists the expectations which at least one
// replication missed, with the first such replication; nil if there are none.
func missedBySome(e *ensemble.Report) error {
	var all []string
	for _, x := range e.Expectations {
		if x.FirstMissed.Known() {
			text := fmt.Sprintf("%s %s %g missed by %d of %d replications, first by %.0f", x.Metric, x.Op, x.Limit,
				e.Replications-x.Met, e.Replications, float64(x.FirstMissed))
			if x.Never > 0 {
				text += fmt.Sprintf(", %s in %d", measure.NeverWord(x.Metric), x.Never)
			}
			all = append(all, text)
		}
	}
	if all == nil {
		return nil
	}
	return console.Fail(console.Missed,
		"%d of %d expectations missed: %s", len(all), len(e.Expectations), strings.Join(all, "; "))
}
