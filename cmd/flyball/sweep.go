package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
)

// studyFlags adds the flags of every command that takes a study. File is the name of
// the file that --json prints.
func (a *app) studyFlags(c *cobra.Command, q *task.Study, dry, asJSON *bool, file string) {
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
	q := task.DefaultStudy()
	q.Program = version()
	var dry, asJSON bool
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
				s, _, _, err := q.From.LoadStudy()
				if err == nil {
					fmt.Fprintf(a.out, "%s: %d points, %d runs, study %.12s\n", s.Name, len(s.Points),
						len(s.Points)*s.Replications, s.ID)
				}
				return err
			}
			return a.sweep(&q, asJSON)
		},
	}
	a.studyFlags(c, &q, &dry, &asJSON, "study.json")
	return c
}

func (a *app) sweep(q *task.Study, asJSON bool) error {
	stop := a.watchSignals()
	defer stop.end()
	watch, end := a.watch(false)
	defer end()
	found, err := q.Sweep(stop.ctx, watch)
	end()
	var stopped task.Stopped
	switch {
	case errors.As(err, &stopped):
		return stop.stopped(" after %d of %d runs, which are kept in %s\ngo on with: %s", stopped.Done, stopped.Total,
			stopped.Kept, stopped.GoOn)
	case err != nil:
		return err
	}
	return a.tellFolder(found.Report, found.Dir, asJSON)
}
