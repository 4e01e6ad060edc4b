package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/trials"
)

// studyFlags adds the flags of every command that takes a study. File is the name of
// the file that --json prints.
func (a *app) studyFlags(c *cobra.Command, q *trials.Study, dry, asJSON *bool, file string) {
	sourceFlags(c, &q.From)
	c.Flags().Lookup("set").Usage = "change one value in every point, before the changes of the study: " +
		"path.to.key=value (repeatable)"
	c.Flags().Lookup("seed").Usage = "seed of all random draws; the study's own if not given"
	placeFlags(c, &q.Place, "folder of the study (default runs/NAME-KEY, KEY from the content)")
	c.Flags().IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	c.Flags().StringVar(&q.Resume, "resume", "", "folder of the same study, stopped by a signal")
	c.Flags().BoolVar(dry, "dry-run", false, "check the study and print its number of runs, without running it")
	c.Flags().BoolVar(asJSON, "json", false, "print "+file+" instead of tables")
}

func (a *app) sweepCommand() *cobra.Command {
	q := trials.DefaultStudy()
	q.Program = version()
	var dry, asJSON, all bool
	c := &cobra.Command{
		Use:   "sweep STUDY.toml",
		Short: "Run a parameter study: many values, the same random draws",
		Long: `Run a parameter study: a TOML file that names scenarios, the values to try for
their keys, and the metrics to look at (docs/studies.md). Replication r of every
point uses the same random draws. Writes a folder with points.csv, study.json,
maps and a report.html.

Every point is checked before any is run. --resume, or the same --out, continues a
study that a signal stopped; it ends with the same files.

Exit codes: 0 done, 2 usage, 3 invalid study or scenario, 7 the folder cannot be
written, 130 or 143 stopped by a signal.`,
		Example: "  flyball sweep docs/studies/step.toml\n  flyball sweep step.toml --set governor.law=regulator " +
			"--out regulated\n  flyball sweep step.toml --resume runs/step-7bncj4skwzhm",
		Args: exactlyOne("a study"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			if err := q.Validate(); err != nil {
				return err
			}
			if dry {
				s, _, _, err := q.LoadStudy()
				if err == nil {
					fmt.Fprintf(a.out, "%s: %d points, %d runs, study %.12s\n", s.Name, len(s.Points),
						len(s.Points)*s.Replications, s.ID)
				}
				return err
			}
			return a.sweep(&q, asJSON, all)
		},
	}
	a.studyFlags(c, &q, &dry, &asJSON, "study.json")
	c.Flags().BoolVar(&all, "all", false, "print every point instead of 16")
	return c
}

func (a *app) sweep(q *trials.Study, asJSON, all bool) error {
	swept, err := found(a, q.Sweep)
	if err != nil {
		return err
	}
	swept.Report.All = all
	return a.tellFolder(swept.Report, swept.Dir, asJSON)
}

func (a *app) tuneCommand() *cobra.Command {
	q := trials.DefaultStudy()
	q.Program = version()
	var dry, asJSON bool
	c := &cobra.Command{
		Use:   "tune STUDY.toml",
		Short: "Search a study for the best values, and judge them with draws that the search has not seen",
		Long: `Search the parameters of a study with a table [tune] for the values that are best
in a metric, under constraints, with a budget of runs (docs/tuning.md). The search
tries points that fill the space, drops losers in a race that doubles the seeds and
uses a paired test, searches near the best point, and ends with another race. Then
the winner and the unchanged scenarios are run with held-out draws and in held-out
scenarios. The verdict rests on those runs alone. The report also states by how
much the search overestimated the winner (the winner's curse).

Writes a folder with tune.json, trials.csv, the Pareto front, report.html, and
best/: every scenario with the winner's values, for run, realrun and compare.
flyball promote takes the folder too.

The space is checked before any run is made. --resume, or the same --out, continues
a search that a signal stopped; it ends with the same files.

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid study or scenario, or
a baseline that cannot be compared, 7 the folder cannot be written, 130 or 143
stopped by a signal.`,
		Example: "  flyball tune docs/studies/tune-quickstart.toml\n  flyball tune mine.toml --set " +
			"governor.law=regulator --out tuned\n  flyball promote tuned --by ann",
		Args: exactlyOne("a study"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			if err := q.Validate(); err != nil {
				return err
			}
			if dry {
				t, _, _, err := q.LoadTuning()
				if err == nil {
					held := 2 * t.Tune.HeldOut.Replications * len(t.Names)
					fmt.Fprintf(a.out, "%s: %d parameters, at most %d runs to search and %d to judge, study %.12s\n",
						t.Name, len(t.Parameters), t.Tune.Budget, held, t.ID)
				}
				return err
			}
			return a.tune(&q, asJSON)
		},
	}
	a.studyFlags(c, &q, &dry, &asJSON, "tune.json")
	return c
}

func (a *app) tune(q *trials.Study, asJSON bool) error {
	tuned, err := found(a, q.Tune)
	if err != nil {
		return err
	}
	if err := a.print(tuned.Report, asJSON); err != nil || asJSON {
		return err
	}
	if tuned.Report.HeldOut != nil {
		fmt.Fprintf(a.out, "Try it: flyball run %s\n", task.Quote(tuned.Dir+"/best/00.toml"))
	}
	fmt.Fprintf(a.out, "Folder: %s\n", tuned.Dir)
	return nil
}
