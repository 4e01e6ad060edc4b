package main

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/trials"
)

func (a *app) lawsCommand() *cobra.Command {
	q := trials.DefaultLaws()
	var asJSON bool
	c := &cobra.Command{
		Use:   "laws",
		Short: "Try all governor laws on the disturbance suite",
		Long: `Try governor laws on the disturbance suite (docs/laws.md): a server of Table 1 at
a hundredth of its rate, and a disturbance, with and without noise. Every law gets
the same random draws. The mean over all replications, interval by interval, is
judged. Every law is compared with hindsight: the patent's law with the step d that
was best in that trial, among the steps that --law includes. The report lists the
goals of the regulator, with what was measured, as met or missed.

Laws are tuned on --half training; claims are made on the other half.

Exit codes: 0 done, even if goals are missed, 2 usage, 3 invalid law, 7 the folder
cannot be written, 130 or 143 stopped by a signal.`,
		Example: "  flyball laws\n  flyball laws --half training --law regulator --law patent-8 --noise 5%\n  " +
			"flyball laws --half all --scenario outage-8 --scenario outage-64 --law patent-3 --law pi,pi.integral=0.3",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.laws(&q, asJSON) },
	}
	f := c.Flags()
	f.StringVar(&q.Half, "half", q.Half, "reporting, training or all")
	f.StringSliceVar(&q.Noise, "noise", q.Noise, "levels of noise: any of 0, 5% and 10%")
	f.StringArrayVar(&q.Laws, "law", nil,
		"try this law: NAME[,key=value...] with [governor] keys (repeatable; all if not given)")
	f.StringArrayVar(&q.Scenarios, "scenario", nil, "try only this scenario of the half (repeatable)")
	f.StringVar(&q.Seed, "seed", "", "seed of all random draws; the scenarios' own if not given")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs of each law in each trial")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	placeFlags(c, &q.Place, "folder (default runs/laws-KEY, KEY from the content)")
	f.BoolVar(&asJSON, "json", false, "print summary.json instead of tables")
	return c
}

func (a *app) laws(q *trials.Laws, asJSON bool) error {
	tried, err := found(a, q.Do)
	if err != nil {
		return err
	}
	return a.tellFolder(tried.Report, tried.Dir, asJSON)
}
