package simulate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/trials"
	"flyball/internal/durable"
	"flyball/reports/compare"
)

// compareOutput is where the result of a comparison goes.
type compareOutput struct {
	console.Output
	junit, markdown string
	annotate        bool
	record          string // folder
}

func (a app) compareCommand() *cobra.Command {
	q := trials.DefaultCompare()
	var to compareOutput
	c := &cobra.Command{
		Use:   "compare BASE NEW | compare --record DIR [NEW]",
		Short: "Compare two laws, parameter sets or revisions, and gate a change",
		Long: `Compare two candidates with the same random draws. BASE and NEW are each

  law:NAME[,key=value...]    a governor law with its parameters ([governor] keys)
  set:key=value[,...]        any keys; set: alone is the scenario as it is
  FOLDER                     of a run or of --replications, or a folder of such
                             folders, for example made by another revision

Laws and sets are tried on every --scenario, or on a suite of six built-in ones. If
the other side is a folder, they are tried on its scenarios. Runs are paired by
scenario and replication. Runs without a partner, with another seed, or with another
simulated network are left out, and the report lists them.

--record DIR makes the runs of one side, the scenarios as they are unless a law or a
set is given, and keeps them in DIR. Another revision is compared with them by

  flyball compare DIR set: --gate

For each metric and scenario the report has the geometric mean of NEW / BASE with
its 95 % interval, or ~ if no difference is shown; for each metric also the mean
over all scenarios and the worst scenario. Plots in the folder show both candidates
over time.

--of NAME compares another metric of flyball scenario metrics too, or a time or the
refusals of one campaign or destination, such as t90_h:google, and --margin NAME=5%
puts it into the gate. Less is better in most; the tables and flyball scenario metrics
state where more is.

With --gate the command fails (exit code 5) if NEW is shown to be worse than its
margins allow. In the mean over the scenarios the margins are 3 % more lost
target-hours (iae), 5 % more total variation (tv), and no more attempts per delivery,
undelivered recipients or deferrals; in a single scenario they are three times as
large. A candidate that is not worse fails at most once in 1000 comparisons. If 20
pairs of runs do not decide, 60 and then 180 are made; with --quick, 60 at most. If
those do not decide either, the gate is inconclusive: exit code 6, or 0 with --allow-inconclusive.
With --strict the gate is inconclusive also if a gated metric is undefined or a run
has no partner. A scenario of BASE that cannot be compared,
because NEW has no runs of it, another seed or another network, fails the gate; if
NEW has no runs of it, --allow-missing NAME lets the gate pass without it.

Exit codes: 0 compared, and the gate passed if there is one, 2 usage, 3 not a run
folder, an invalid scenario or nothing to compare, 5 a regression, or a scenario of
BASE that cannot be compared, 6 an inconclusive gate, 130 or 143 stopped by a signal.`,
		Example: "  flyball compare law:hold law:patent-dynamic --scenario quickstart\n  flyball compare set: " +
			"set:governor.d=12 --gate\n" +
			"  flyball compare runs/before runs/after --gate --junit gate.xml\n" +
			"  flyball compare --record runs/base --quick\n  flyball compare runs/base set: --gate --quick",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 && (to.record == "" || len(args) > 1) {
				return console.Fail(console.Usage, "compare: got %d arguments, want BASE and NEW", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if to.record != "" {
				return a.record(&q, &to, args, c.Flags().Changed)
			}
			q.Base, q.New, q.Place = args[0], args[1], to.Place
			return a.compare(&q, &to, c.Flags().Changed)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&q.Scenarios, "scenario", nil, "compare on this one (repeatable; a suite of six if not given)")
	f.StringArrayVar(&q.Set, "set", nil, "change one value on both sides: path.to.key=value (repeatable)")
	f.StringVar(&q.Seed, "seed", "", "seed of all random draws; the scenario's own if not given")
	f.IntVar(&q.Pairs, "replications", q.Pairs,
		"pairs of runs of each scenario; --gate may go on to 3 and 9 times as many; with --record the number of "+
			"runs, 180 if not given")
	f.BoolVar(&q.Gate, "gate", false, "fail with exit code 5 if NEW is worse than its margins allow")
	f.BoolVar(&q.Quick, "quick", false, "at most 60 pairs in a gate, instead of 180; with --record 60 runs")
	f.StringVar(&to.record, "record", "", "make the runs of one side and keep them in this folder")
	f.StringArrayVar(&q.Of, "of", nil, "compare this metric too (repeatable)")
	f.BoolVar(&q.Allow, "allow-inconclusive", false, "let an inconclusive gate pass: exit code 0 instead of 6")
	f.BoolVar(&q.Strict, "strict", false,
		"inconclusive (exit code 6) also if a gated metric is undefined or a run has no partner")
	f.StringArrayVar(&q.Missing, "allow-missing", nil, "let the gate pass without this scenario of BASE (repeatable)")
	f.StringArrayVar(&q.Margins, "margin", nil,
		"how much worse NEW may be: metric=5%, metric=5%+FLOOR in the metric's unit, or metric=none (repeatable)")
	f.BoolVar(&q.Unlike, "unlike", false, "compare scenarios that differ in more than their policy")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	f.StringVar(&to.junit, "junit", "", "write the gate's verdict to this file as JUnit XML")
	f.StringVar(&to.markdown, "markdown", "", "write the comparison to this file as Markdown")
	f.BoolVar(&to.annotate, "annotations", false,
		"print GitHub annotations of the gate (default if GITHUB_ACTIONS=true)")
	console.PlaceFlags(c, &to.Place, "folder (default runs/compare-KEY, KEY from the content)")
	f.BoolVar(&to.JSON, "json", false, "print summary.json instead of tables")
	return c
}

func (a app) compare(q *trials.Compare, to *compareOutput, given func(string) bool) error {
	if !q.Gate && (given("junit") || given("annotations")) {
		return trials.ErrNoGate
	}
	for _, file := range [][2]string{{"--junit", to.junit}, {"--markdown", to.markdown}} {
		if err := hasPlace(file[1]); err != nil {
			return console.Fail(console.Environment, "%s: %w", file[0], err)
		}
	}
	compared, err := console.Found(a.App, q.Do)
	switch {
	case err != nil:
		return err
	case compared.Nothing != nil: // an old verdict file must not claim that the gate passed
		if err := writeVerdict(compared.Report, to); err != nil {
			return err
		}
		return console.Fail(console.Regression, "%s\n%w", compared.Report.Verdict.Answer(), compared.Nothing)
	}
	if err := a.tell(compared, to); err != nil || !q.Gate {
		return err
	}
	return a.judge(compared, to)
}

// record makes the runs of one side and keeps them.
func (a app) record(q *trials.Compare, to *compareOutput, args []string, given func(string) bool) error {
	for _, name := range []string{"gate", "strict", "allow-inconclusive", "allow-missing", "margin", "of", "unlike",
		"junit", "markdown", "annotations", "out", "json"} {
		if given(name) {
			return console.Fail(console.Usage, "--%s: got --record too, which compares nothing: want one of them", name)
		}
	}
	q.Base, q.Place = "set:", to.Place
	if len(args) > 0 {
		q.Base = args[0]
	}
	q.Dir = to.record
	if !given("replications") {
		q.Pairs = trials.RecordedRuns(q.Quick)
	}
	done, err := console.Found(a.App, q.Record)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "Recorded %d runs of each of %d scenarios: %s\n", done.Runs, len(done.Names),
		strings.Join(done.Names, ", "))
	fmt.Fprintf(a.Out, "Hold another revision against them: flyball compare %s set: --gate\nFolder: %s\n",
		task.Quote(done.Dir), done.Dir)
	return nil
}

// tell prints the comparison and writes its folder and its Markdown.
func (a app) tell(found *trials.Compared, to *compareOutput) error {
	if err := a.Print(found.Report, to.JSON); err != nil {
		return err
	}
	if err := found.Write(); err != nil {
		return err
	}
	if !to.JSON {
		fmt.Fprintf(a.Out, "Run it again: %s\nFolder: %s\n", found.Replay, found.Dir)
	}
	if to.markdown != "" {
		if err := durable.Write(to.markdown, found.Report.Markdown()); err != nil {
			return console.Fail(console.Environment, "--markdown: %w", err)
		}
	}
	return nil
}

// judge writes the verdict of a gate and decides the exit code.
func (a app) judge(made *trials.Compared, to *compareOutput) error {
	found := made.Report
	if err := writeVerdict(found, to); err != nil {
		return err
	}
	if to.annotate || os.Getenv("GITHUB_ACTIONS") == "true" {
		notes := a.Out
		if to.JSON {
			notes = a.ErrOut
		}
		fmt.Fprint(notes, found.Annotations())
	}
	v := found.Verdict
	var why []string
	for _, worse := range v.Worse() {
		why = append(why, "regression: "+worse)
	}
	for _, e := range v.Explained {
		why = append(why, e.Lines(made.Dir)...)
	}
	for _, u := range found.Unexcused() {
		why = append(why, fmt.Sprintf("not compared: %s of BASE: %s", u.Scenario, u.Why))
	}
	switch {
	case v.Failed:
		return console.Fail(console.Regression, "%s", strings.Join(why, "\n"))
	case !v.Passed:
		return console.Fail(console.Inconclusive, "%s (--allow-inconclusive lets it pass)", v.Answer())
	}
	return nil
}

// writeVerdict writes the file of --junit if there is to be one.
func writeVerdict(found *compare.Report, to *compareOutput) error {
	if to.junit == "" {
		return nil
	}
	raw, err := found.JUnit()
	if err == nil {
		err = durable.Write(to.junit, raw)
	}
	if err != nil {
		return console.Fail(console.Environment, "--junit: %w", err)
	}
	return nil
}

// hasPlace returns an error if the file name, unless it is empty, cannot be written
// because its folder is missing. It is asked before the runs, which may take hours.
func hasPlace(name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("got %s, which is a folder or a device, want a file", name)
	}
	info, err := os.Stat(filepath.Dir(name))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("got %s, want a file in a folder", name)
	}
	return err
}
