package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// output is where a run goes.
type output struct {
	dir   string
	force bool
	json  bool

	settings []string // what decides the content beside scenario and seed
}

// checkpointFile is where a stopped simulation is kept in its folder.
const checkpointFile = "checkpoint"

func (o *output) flags(c *cobra.Command) {
	o.place(c, "run folder (default runs/NAME-KEY, KEY from the content)")
	c.Flags().BoolVar(&o.json, "json", false, "print summary.json instead of tables")
}

// place has the flags of where a folder goes.
func (o *output) place(c *cobra.Command, help string) {
	c.Flags().StringVar(&o.dir, "out", "", help)
	c.Flags().BoolVar(&o.force, "force", false, "with --out: replace the folder of another run, too")
}

// at is the folder that --out names, where the same run alone may be replaced, or
// else the one that has its name from its content.
func (o *output) at(byContent string) folder.Place {
	if o.dir == "" {
		return folder.Place{Dir: byContent, Settings: o.settings, Replace: true}
	}
	return folder.Place{Dir: o.dir, Settings: o.settings, Replace: o.force}
}

// check looks before a run whether its folder, of what a describes, can be
// written.
func (o *output) check(a folder.Attributes) error {
	return unwritten("--out", folder.Check(o.at(filepath.Join("runs", ".any")), a))
}

// unwritten gives the error of a folder that could not be written its exit code.
func unwritten(what string, err error) error {
	var other *folder.Other
	switch {
	case err == nil:
		return nil
	case errors.As(err, &other):
		return fail(exitUsage, "%s: %w", what, err)
	}
	return fail(exitEnvironment, "%s: %w", what, err)
}

// asks is what tells a run of a scenario from others.
func asks(s *scenarios.Scenario, mode string, replication uint64) folder.Attributes {
	return folder.Attributes{Name: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Replication: replication, Mode: mode}
}

func (a *app) runCommand() *cobra.Command {
	var from source
	var to output
	var many repeats
	var hangs sensitivity
	var own rehearsed
	var resume string
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Simulate a scenario and report",
		Long: `Simulate a scenario: a built-in name (see flyball scenario list), a path, or -
for standard input. Prints the answer and writes a run folder.

One run is one draw of luck. With --replications or --precision the scenario is
run again under other luck, on all cores, and every number comes with its 95 %
interval; the scenario must say in [analysis] how its runs are to be read.

With --sensitivity every number in doubt, assumed or of the world and not
measured, is halved and doubled, one at a time, under the same luck. The report
then says which of them the answer hangs on: the metric that --of names, or when
the run settled, the rate that it reached instead, or attempts per success where
neither can be judged. Ten other replications show what luck alone does to it.

With --list the recipients are those of a CSV file with a column email, of any
domain that is one of the scenario's destinations: nobody is mailed. Rows that a
mailing would not reach go to rejects.csv in the run folder, with reasons.

A run that a signal stops is kept in its folder, marked partial, without a verdict
on its expectations. --resume FOLDER goes on from there and ends as if nothing had
happened, in FOLDER too, unless --out names another. Where the folder has its name
by default, which tells a whole run from a part, the whole run has a name of its
own and the part stays.

Exit codes: 0 all expectations met, 2 usage, 3 invalid scenario or list, 4 an
expectation missed, 130 or 143 stopped by a signal.`,
		Example: "  flyball run quickstart\n  flyball run quickstart --seed 7 --set governor.d=3\n" +
			"  flyball run quickstart --replications 20\n  flyball run greylist --precision 1% --of end_h\n  flyball run mine.toml --list people.csv",
		Args: exactlyOne("a scenario"),
		RunE: func(c *cobra.Command, args []string) error {
			from.arg = args[0]
			s, text, err := a.load(&from)
			switch {
			case err != nil:
			case hangs.asked:
				err = hangs.check(&many)
			default:
				err = many.check(s, c)
			}
			if err == nil {
				err = own.read(s)
			}
			switch {
			case err != nil:
				return err
			case many.many():
				return a.replicate(s, text, &from, &many, &own, &to)
			}
			return a.simulate(s, text, &from, &many, &hangs, &own, &to, resume)
		},
	}
	from.flags(c)
	to.flags(c)
	many.flags(c)
	hangs.flags(c)
	own.flags(c)
	c.Flags().StringVar(&resume, "resume", "", "folder of the same run, stopped by a signal: go on from there")
	return c
}

// world builds the world of a run, or takes up a stopped one.
func world(s *scenarios.Scenario, replication uint64, list *mail.List, resume string) (*sim.World, error) {
	if resume == "" {
		w, err := sim.New(s, replication, list, nil)
		if err != nil {
			return nil, fail(exitInvalid, "%w", err)
		}
		return w, nil
	}
	saved, err := readFile("--resume", filepath.Join(resume, checkpointFile), input.Checkpoint)
	if err != nil {
		return nil, notStopped(resume, err)
	}
	w, err := sim.Resume(s, replication, list, nil, saved)
	if err != nil {
		return nil, fail(exitInvalid, "--resume %s: %w", resume, err)
	}
	return w, nil
}

// notStopped returns the refusal to go on with a folder whose checkpoint cannot be read, for the reason that can be seen.
func notStopped(dir string, err error) error {
	const want = "want the folder of a run that a signal stopped"
	if _, gone := os.Stat(dir); gone != nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if n, err := folder.Replications(dir); err == nil && n <= 1 {
		return fail(exitUsage, "--resume %s: that run has ended, so there is nothing to go on with; %s (flyball report %s prints its report)",
			dir, want, quote(dir))
	}
	return fail(exitUsage, "--resume %s: got a folder without a checkpoint, %s", dir, want)
}

func (a *app) simulate(s *scenarios.Scenario, text []byte, from *source, many *repeats, hangs *sensitivity, own *rehearsed, to *output, resume string) error {
	if err := wrongFile(resume); err != nil {
		return err
	}
	if resume != "" && to.dir == "" && filepath.Base(resume) != partialName(s, many, own) {
		to.dir = filepath.Clean(resume)
	}
	words := append(many.flagged(), own.flagged()...)
	if hangs.asked {
		words = append(words, "--sensitivity")
	}
	a.replay = from.commandLine("run", s.Seed, words...)
	to.settings = append(words, own.content()...)
	if err := to.check(asks(s, "sim", many.replication)); err != nil {
		return err
	}
	stop := a.watchSignals()
	defer stop.end()

	began := time.Now()
	world, err := world(s, many.replication, own.list(), resume)
	if err != nil {
		return err
	}
	world.Workers = many.jobs
	a.where = world.Where
	bar := a.progress(s.Name)
	end, stopped := world.Run(func(p sim.Progress) bool {
		bar.at(p.Final, p.Total)
		return stop.signal() == nil
	})
	bar.end()

	run := describe(s, "sim", end, stopped)
	run.Replication = many.replication
	own.fold(world.Record(), s, run)
	run.Host = host(time.Since(began))
	more := own.files()
	if saved := world.Checkpoint(); saved != nil {
		more = append(more, folder.File{Path: checkpointFile, Data: saved})
	}
	report := a.report(s, run)
	if hangs.asked && !stopped {
		report.Sensitivity = a.hangsOn(s, hangs, many, own, report, stop)
		if sig := stop.signal(); sig != nil {
			return fail(signalCode(sig), "stopped by %s while the sensitivity was found; nothing is written", sig)
		}
	}
	says := own.words()
	if resume != "" && !stopped && to.dir != filepath.Clean(resume) {
		says = append(says, fmt.Sprintf("The part that it goes on from stays in %s", resume))
	}
	return a.publish(s, text, run, report, to, says, more, stop)
}

// partialName is what the folder of the same run is called if it is stopped.
func partialName(s *scenarios.Scenario, many *repeats, own *rehearsed) string {
	run := describe(s, "sim", 0, true)
	run.Replication, run.List = many.replication, own.digest
	return folderName(run)
}

func folderName(done *runlog.Run) string { return done.Name + "-" + run.Key(done) }

// describe fills in what a run is called and was asked.
func describe(s *scenarios.Scenario, mode string, end vt.Time, partial bool) *runlog.Run {
	return describeAs(s, scenarios.ID(s), mode, end, partial)
}

// describeAs is describe for a scenario whose ID is known: to find it takes
// longer than a small run.
func describeAs(s *scenarios.Scenario, id, mode string, end vt.Time, partial bool) *runlog.Run {
	run := &runlog.Run{
		Name: s.Name, About: s.About, ScenarioID: id, Seed: s.Seed, Mode: mode, Partial: partial,
		Horizon: s.Horizon, End: end, TargetRate: s.TargetRate(), Law: s.Governor.Law,
		Servers: s.Accounts(), OneGovernor: s.OneGovernor(),
	}
	for _, v := range s.Destinations {
		run.Destinations = append(run.Destinations, v.Name)
	}
	return run
}

// finish writes the run folder, prints the report and what else there is to
// say, and decides the exit code.
func (a *app) finish(s *scenarios.Scenario, text []byte, run *runlog.Run, to *output, words []string, more []folder.File, stop *signals) error {
	return a.publish(s, text, run, a.report(s, run), to, words, more, stop)
}

// report is a run with the numbers that it rests on.
func (a *app) report(s *scenarios.Scenario, done *runlog.Run) *run.Report {
	r := run.Fold(done, s.Expect, a.replay)
	if done.Receiver == "" { // somebody else's receiver does not follow the model
		r.Assumptions = s.Assumptions()
	}
	return r
}

func (a *app) publish(s *scenarios.Scenario, text []byte, done *runlog.Run, report *run.Report, to *output, words []string, more []folder.File, stop *signals) error {
	byContent := filepath.Join("runs", folderName(done))
	if report.Sensitivity != nil { // a plain run shall not replace it
		byContent += "-sensitivity"
	}
	place := to.at(byContent)
	dir := place.Dir
	if err := a.show(s, report, to, words); err != nil {
		return err
	}
	if err := unwritten("run folder", run.Write(place, report, run.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s), More: more})); err != nil {
		return err
	}
	if !to.json {
		fmt.Fprintf(a.out, "Folder: %s\n", dir)
	}
	if sig := stop.signal(); sig != nil && done.Partial {
		goOn := ""
		if done.Mode == "sim" {
			goOn = fmt.Sprintf("\ngo on with: %s --resume %s", a.replay, quote(dir))
		}
		return fail(signalCode(sig), "stopped by %s; the folder %s is marked partial%s", sig, dir, goOn)
	}
	return missed(report)
}

// show prints the report, before its folder is written: a full disk shall not
// cost the answer.
func (a *app) show(s *scenarios.Scenario, report *run.Report, to *output, words []string) error {
	if to.json {
		return a.printSummary(report)
	}
	if err := report.Text(a.out, a.colored()); err != nil {
		return err
	}
	for _, line := range words {
		fmt.Fprintln(a.out, line)
	}
	if n := len(s.Expect) - len(report.Expectations); n > 0 {
		fmt.Fprintf(a.out, "%d more expectations do not speak of this kind of run\n", n)
	}
	return nil
}

// missed says which expectations were.
func missed(r *run.Report) error {
	var all []string
	for _, e := range r.Expectations {
		if !e.Met() {
			is, want := r.Words(e)
			all = append(all, fmt.Sprintf("%s is %s, want %s", e.Metric, is, want))
		}
	}
	if all == nil {
		return nil
	}
	return fail(exitMissed, "%d of %d expectations missed: %s", len(all), len(r.Expectations), strings.Join(all, "; "))
}
