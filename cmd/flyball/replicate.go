package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/reports/ensemble"
)

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
	text, percent := strings.CutSuffix(strings.TrimSpace(r.precision), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0.00001 && v < 1) {
		return 0, fail(exitUsage, "--precision: got %q, want a share of the mean such as 1%% or 0.01", r.precision)
	}
	return v, nil
}

// replicate runs independent replications of a scenario and prints their report.
func (a *app) replicate(one *task.Run, many *repeats, given func(string) bool, to *output) error {
	q := task.DefaultReplicate()
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
	stop := a.watchSignals()
	defer stop.end()
	watch, end := a.watch(q.Precision > 0)
	defer end()
	out, err := q.Do(stop.ctx, watch)
	end()
	switch {
	case errors.Is(err, task.ErrStopped):
		return stop.stopped(" before the first replication ended; nothing is written")
	case err != nil:
		return err
	}
	e := out.Report
	if to.json {
		if err := a.printSummary(e); err != nil {
			return err
		}
	} else {
		if err := e.Text(a.out, a.colored()); err != nil {
			return err
		}
		for _, line := range out.Words {
			fmt.Fprintln(a.out, line)
		}
		fmt.Fprintf(a.out, "Folder: %s\n", out.Dir)
	}
	if e.Partial {
		return stop.stopped(" after %d replications; the folder %s is marked partial", e.Replications, out.Dir)
	}
	return missedBySome(e)
}

// missedBySome returns an error that lists the expectations which at least one
// replication missed, with the first such replication; nil if there are none.
func missedBySome(e *ensemble.Report) error {
	var all []string
	for _, x := range e.Expectations {
		if x.FirstMissed.Known() {
			all = append(all, fmt.Sprintf("%s %s %g missed by %d of %d replications, first by %.0f", x.Metric, x.Op,
				x.Limit,
				e.Replications-x.Met, e.Replications, float64(x.FirstMissed)))
		}
	}
	if all == nil {
		return nil
	}
	return fail(exitMissed, "%d of %d expectations missed: %s", len(all), len(e.Expectations), strings.Join(all, "; "))
}
