package main

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/scenarios"
)

// sourceFlags adds the flags that change a scenario or a study.
func sourceFlags(c *cobra.Command, s *task.Source) {
	c.Flags().StringArrayVar(&s.Set, "set", nil,
		"change one value: path.to.key=value; elements by index or name, such as destination[big].cap (repeatable)")
	c.Flags().StringVar(&s.Seed, "seed", "", "seed of all random draws; the scenario's own if not given")
}

// exactlyOne returns a check for exactly one argument, which errors call what.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fail(exitUsage, "%s: got %d arguments, want %s", c.Name(), len(args), what)
		}
		return nil
	}
}

// output is where the result of a run goes.
type output struct {
	task.Place
	json    bool
	explain bool
}

func (o *output) flags(c *cobra.Command) {
	placeFlags(c, &o.Place, "run folder (default runs/NAME-KEY, KEY from the content)")
	c.Flags().BoolVar(&o.json, "json", false, "print summary.json instead of tables")
}

func (o *output) explainFlag(c *cobra.Command) {
	c.Flags().BoolVar(&o.explain, "explain", false, "also show the governor's notes on each interval, with their "+
		"meaning and their paragraph of the patent")
}

// placeFlags adds the flags that choose where the folder of a command goes. Help is
// the help text of --out.
func placeFlags(c *cobra.Command, p *task.Place, help string) {
	c.Flags().StringVar(&p.Dir, "out", "", help)
	c.Flags().BoolVar(&p.Force, "force", false, "with --out: replace the folder of another run, too")
}

// load loads a scenario: a built-in name, a path, or - for standard input.
func (a *app) load(arg string, sets ...string) (*scenarios.Scenario, []byte, error) {
	from := task.Source{Arg: arg, Set: sets, Stdin: a.in}
	return from.Load()
}

// keepFlag adds the flag for recipients.csv.
func keepFlag(c *cobra.Command, k *task.KeepRecipients) {
	c.Flags().StringVar((*string)(k), "recipients", string(*k),
		"auto, yes or no: write recipients.csv, with the end of each recipient, to the run folder; "+
			"auto: for a list, and for a synthetic one of up to a million")
}

// proximityFlag adds the flag that names what earlier runs have learned.
func proximityFlag(c *cobra.Command, s *task.Source) {
	c.Flags().StringVar(&s.Proximity, "proximity", "",
		"proximity.json of an earlier run: begin with the distances that it has learned")
}

// listFlags adds the flags that name the recipient list of a simulation.
func listFlags(c *cobra.Command, r *task.Recipients) {
	c.Flags().StringVar(&r.File, "list", "", "CSV file of recipients; the scenario's synthetic list if not given")
	c.Flags().StringVar(&r.Suppress, "suppress", "",
		"file of addresses and whole domains (*@domain) that would not be mailed")
	c.Flags().BoolVar(&r.FoldCase, "fold-case", false, foldCase)
}

// foldCase is the help text of --fold-case.
const foldCase = "addresses that differ only in upper and lower case are duplicates"
