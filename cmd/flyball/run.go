package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/vt"
	"flyball/reports"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// output is where a run goes.
type output struct {
	dir  string
	json bool
}

// checkpointFile is where a stopped simulation is kept in its folder.
const checkpointFile = "checkpoint"

func (o *output) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.dir, "out", "", "run folder (default runs/NAME-KEY, KEY from the content)")
	c.Flags().BoolVar(&o.json, "json", false, "print summary.json instead of tables")
}

func (a *app) runCommand() *cobra.Command {
	var from source
	var to output
	var resume string
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Simulate a scenario and report",
		Long: `Simulate a scenario: a built-in name (see flyball scenario list), a path, or -
for standard input. Prints the answer and writes a run folder.

Exit codes: 0 all expectations met, 2 usage, 3 invalid scenario, 4 an
expectation missed, 130 or 143 stopped by a signal (the folder is kept, marked
partial; --resume goes on from there and ends as if nothing had happened).`,
		Example: "  flyball run quickstart\n  flyball run quickstart --seed 7 --set governor.d=3",
		Args:    exactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			from.arg = args[0]
			return a.simulate(&from, &to, resume)
		},
	}
	from.flags(c)
	to.flags(c)
	c.Flags().StringVar(&resume, "resume", "", "folder of the same run, stopped by a signal")
	return c
}

// world builds the world of a run, or takes up a stopped one.
func world(s *scenarios.Scenario, resume string) (*sim.World, error) {
	if resume == "" {
		w, err := sim.New(s, 0, nil, nil)
		if err != nil {
			return nil, fail(exitInvalid, "%w", err)
		}
		return w, nil
	}
	saved, err := os.ReadFile(filepath.Join(resume, checkpointFile))
	if err != nil {
		return nil, fail(exitUsage, "--resume: %w", err)
	}
	w, err := sim.Resume(s, 0, nil, nil, saved)
	if err != nil {
		return nil, fail(exitInvalid, "--resume %s: %w", resume, err)
	}
	return w, nil
}

func (a *app) simulate(from *source, to *output, resume string) error {
	s, text, err := a.load(from)
	if err != nil {
		return err
	}
	a.replay = from.commandLine("run", s.Seed)
	stop := a.watchSignals()
	defer stop.end()

	began := time.Now()
	world, err := world(s, resume)
	if err != nil {
		return err
	}
	a.where = world.Where
	bar := a.progress(s.Name)
	end, stopped := world.Run(func(p sim.Progress) bool {
		bar.at(p.Final, p.Total)
		return stop.signal() == nil
	})
	bar.end()

	run := describe(s, "sim", end, stopped)
	world.Rec.Fold(run, uint64(s.Recipients()), 0)
	run.Host = host(time.Since(began))
	var more []reports.File
	if saved := world.Checkpoint(); saved != nil {
		more = append(more, reports.File{Path: checkpointFile, Data: saved})
	}
	return a.finish(s, text, run, to, nil, more, stop)
}

// describe fills in what a run is called and was asked.
func describe(s *scenarios.Scenario, mode string, end vt.Time, partial bool) *runlog.Run {
	run := &runlog.Run{
		Name: s.Name, About: s.About, ScenarioID: scenarios.ID(s), Seed: s.Seed, Mode: mode, Partial: partial,
		Horizon: s.Horizon, End: end, TargetRate: float64(s.Governor.Target), Law: s.Governor.Law,
	}
	for _, v := range s.Servers {
		run.Servers = append(run.Servers, v.Name)
	}
	for _, v := range s.Destinations {
		run.Destinations = append(run.Destinations, v.Name)
	}
	return run
}

// finish writes the run folder, prints the report and what else there is to
// say, and decides the exit code.
func (a *app) finish(s *scenarios.Scenario, text []byte, run *runlog.Run, to *output, words []string, more []reports.File, stop *signals) error {
	report := reports.Fold(run, s.Expect, a.replay)
	dir := to.dir
	if dir == "" {
		dir = filepath.Join("runs", run.Name+"-"+reports.Key(run))
	}
	if err := reports.Write(dir, report, reports.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s), More: more}); err != nil {
		return fail(exitEnvironment, "run folder: %w", err)
	}
	if to.json {
		summary, err := report.Summary()
		if err != nil {
			return err
		}
		a.out.Write(summary)
	} else {
		if err := report.Text(a.out, a.colored()); err != nil {
			return err
		}
		for _, line := range words {
			fmt.Fprintln(a.out, line)
		}
		if n := len(s.Expect) - len(report.Expectations); n > 0 {
			fmt.Fprintf(a.out, "%d more expectations do not speak of this kind of run\n", n)
		}
		fmt.Fprintf(a.out, "Folder: %s\n", dir)
	}
	if sig := stop.signal(); sig != nil {
		goOn := ""
		if run.Mode == "sim" {
			goOn = fmt.Sprintf("\ngo on with: %s --resume %s", a.replay, quote(dir))
		}
		return fail(signalCode(sig), "stopped by %s; the folder %s is marked partial%s", sig, dir, goOn)
	}
	return missed(report)
}

// missed says which expectations were.
func missed(r *reports.Report) error {
	var all []string
	for _, e := range r.Expectations {
		if !e.OK {
			value := "never"
			if e.Value.Known() {
				value = strconv.FormatFloat(float64(e.Value), 'g', 5, 64)
			}
			all = append(all, fmt.Sprintf("%s is %s, want %s %g", e.Metric, value, e.Op, e.Limit))
		}
	}
	if all == nil {
		return nil
	}
	return fail(exitMissed, "%d of %d expectations missed: %s", len(all), len(r.Expectations), strings.Join(all, "; "))
}
