package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/laws"
	"flyball/scenarios"
	"flyball/sim"
)

// lawsTried is what was asked for.
type lawsTried struct {
	half         string
	noise        []string
	laws         []string
	scenarios    []string
	seed         string
	replications int
	jobs         int
	to           output
}

func (a *app) lawsCommand() *cobra.Command {
	q := &lawsTried{}
	c := &cobra.Command{
		Use:   "laws",
		Short: "Try all governor laws on the disturbance suite",
		Long: `Try governor laws on the disturbance suite (docs/laws.md): a server of Table 1 at
a hundredth of its rate, and something that happens to it; with and without
noise, the same luck for every law. What is judged is the mean course of all
replications. Every law stands beside hindsight: the step d of the patent's law
that was best in that very trial, of those that --law leaves. The goals of the
regulator are told with what was measured, met or missed.

What is tuned is tuned on --half training; claims are made on the other half.

Exit codes: 0 done, whatever the goals say, 2 usage, 3 invalid law, 7 the folder
cannot be written, 130 or 143 stopped.`,
		Example: "  flyball laws\n  flyball laws --half training --law regulator --law patent-8 --noise 5%\n  flyball laws --half all --scenario outage-8 --scenario outage-64 --law patent-3 --law pi,pi.integral=0.3",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.laws(q) },
	}
	f := c.Flags()
	f.StringVar(&q.half, "half", scenarios.Reporting, "reporting, training or all")
	f.StringSliceVar(&q.noise, "noise", []string{"0", "5%", "10%"}, "levels of noise, of 0, 5% and 10%")
	f.StringArrayVar(&q.laws, "law", nil, "try this one: NAME[,key=value...] with [governor] keys (repeatable; all if not given)")
	f.StringArrayVar(&q.scenarios, "scenario", nil, "only this one of the half (repeatable)")
	f.StringVar(&q.seed, "seed", "", "seed of all luck; the scenarios' own if not given")
	f.IntVar(&q.replications, "replications", 10, "runs of each law in each trial")
	f.IntVar(&q.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at the same time; changes no result")
	q.to.place(c, "folder (default runs/laws-KEY, KEY from the content)")
	f.BoolVar(&q.to.json, "json", false, "print summary.json instead of tables")
	return c
}

// chosen is what is asked for, checked.
func (q *lawsTried) chosen() (laws.Asked, []scenarios.Disturbance, []string, error) {
	asked := laws.Asked{Half: q.half, Seed: q.seed, Replications: q.replications}
	none := func(format string, args ...any) (laws.Asked, []scenarios.Disturbance, []string, error) {
		return asked, nil, nil, fail(exitUsage, format, args...)
	}
	switch {
	case q.half != scenarios.Reporting && q.half != scenarios.Training && q.half != "all":
		return none("--half: got %q, want reporting, training or all", q.half)
	case q.replications < leastReplications || q.replications > 1000:
		return none("--replications: got %d, want %d to 1000", q.replications, leastReplications)
	case q.jobs < 1:
		return none("--jobs: got %d, want 1 or more", q.jobs)
	}
	var set []string
	if q.seed != "" {
		if _, err := strconv.ParseUint(q.seed, 0, 63); err != nil {
			return none("--seed: got %q, want a whole number from 0", q.seed)
		}
		set = []string{"seed=" + q.seed}
	}
	for _, text := range q.noise {
		digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if percent {
			v /= 100
		}
		if err != nil || !slices.Contains(scenarios.NoiseLevels(), v) {
			return none("--noise: got %q, want 0, 5%% or 10%%", text)
		}
		if !slices.Contains(asked.Noise, v) {
			asked.Noise = append(asked.Noise, v)
		}
	}
	slices.Sort(asked.Noise)
	if len(asked.Noise) == 0 {
		return none("--noise: got none, want 0, 5%% or 10%%")
	}
	known := scenarios.Laws()
	if q.laws == nil {
		asked.Laws = known
	}
	for _, text := range q.laws {
		entries := entriesOf(text)
		i := slices.IndexFunc(known, func(l scenarios.Law) bool { return len(entries) > 0 && l.Name == entries[0] })
		if i < 0 {
			var names []string
			for _, l := range known {
				names = append(names, l.Name)
			}
			return none("--law: got %q, want one of %s, with parameters after commas%s", text, strings.Join(names, ", "), conf.DidYouMean(text, names))
		}
		law := scenarios.Law{Name: text, Set: slices.Clone(known[i].Set)}
		for _, e := range entries[1:] {
			if !strings.Contains(e, "=") {
				return none("--law: got %q in %s, want key=value after the name", e, text)
			}
			law.Set = append(law.Set, "governor."+e)
		}
		if slices.ContainsFunc(asked.Laws, func(l scenarios.Law) bool { return l.Name == text }) {
			return none("--law: %s is there twice", text)
		}
		asked.Laws = append(asked.Laws, law)
	}
	var all []scenarios.Disturbance
	var names []string
	for _, d := range scenarios.Disturbances() {
		if q.half == "all" || d.Half == q.half {
			all, names = append(all, d), append(names, d.Base())
		}
	}
	if q.scenarios != nil {
		var some []scenarios.Disturbance
		for _, name := range q.scenarios {
			i := slices.Index(names, strings.TrimPrefix(name, "disturbances/"))
			if i < 0 {
				return none("--scenario: got %q, want one of the half: %s%s", name, strings.Join(names, ", "), conf.DidYouMean(name, names))
			}
			if !slices.Contains(some, all[i]) {
				some = append(some, all[i])
			}
		}
		all = some
	}
	return asked, all, set, nil
}

// fits refuses laws whose parameters are no part of a scenario, all at once.
func (q *lawsTried) fits(laws []scenarios.Law, disturbances []scenarios.Disturbance, set []string) error {
	if q.laws == nil {
		return nil
	}
	var all scenarios.Problems
	for _, law := range laws {
		for _, d := range disturbances {
			var wrong scenarios.Problems
			if _, err := d.Load(0, slices.Concat(set, law.Set)...); !errors.As(err, &wrong) {
				continue
			}
			for _, p := range wrong { // the flag is what the user knows
				if key, ok := strings.CutPrefix(p.Key, "governor."); ok && p.File == "--set" {
					p.File, p.Key = "--law "+law.Name+":", key
				}
				all = append(all, p)
			}
			break
		}
	}
	if all == nil {
		return nil
	}
	return exit{exitInvalid, all}
}

func (a *app) laws(q *lawsTried) error {
	asked, disturbances, set, err := q.chosen()
	if err != nil {
		return err
	}
	a.replay = q.commandLine()
	q.to.settings = []string{a.replay}
	if err := q.to.check(folder.Attributes{Name: "laws", ScenarioID: scenarios.SuiteHash(), Mode: folder.LawsMode}); err != nil {
		return err
	}
	if err := q.fits(asked.Laws, disturbances, set); err != nil {
		return err
	}
	trials, err := laws.Plan(disturbances, asked.Noise, asked.Laws, set)
	if err != nil {
		return exit{exitInvalid, err}
	}
	var worlds []*scenarios.Scenario
	for _, t := range trials {
		worlds = append(worlds, t.Scenario)
	}
	stop := a.watchSignals()
	defer stop.end()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // as for replications
	began := time.Now()
	each, total := uint64(q.replications), uint64(len(trials)*q.replications)
	bar := a.progress("laws")
	defer bar.end()
	own := new(rehearsed) // lists that are made up
	defer a.brokenTrial(q, trials, each)

	runs := make([]ensemble.Observation, 0, q.replications)
	done := uint64(0)
	gathering := laws.Gather(asked)
	_, err = sim.Sweep(worlds, each, 0, q.jobs,
		func(run uint64, w *sim.World, end vt.Time) ensemble.Observation {
			return ensemble.Observe(observe(worlds[run/each], own, run%each, w, end))
		},
		func(o ensemble.Observation) {
			if runs = append(runs, o); len(runs) == q.replications {
				gathering.Add(trials[done/each], runs)
				runs = runs[:0]
			}
			done++
			bar.at(done, total)
		},
		func() bool { return stop.signal() == nil })
	if err != nil {
		return fail(exitInvalid, "%w", err)
	}
	if sig := stop.signal(); sig != nil && done < total {
		return fail(signalCode(sig), "stopped by %s after %d of %d runs; nothing is written", sig, done, total)
	}
	found := gathering.Judge(host(time.Since(began)), a.replay)
	place := q.to.at(filepath.Join("runs", "laws-"+found.Key()))
	if err := unwritten("folder", found.Write(place)); err != nil {
		return err
	}
	if q.to.json {
		return a.printSummary(found)
	}
	if err := found.Text(a.out, a.colored()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Folder: %s\n", place.Dir)
	return nil
}

// brokenTrial reports a broken invariant in one run so that this one can be seen
// again alone.
func (a *app) brokenTrial(q *lawsTried, trials []laws.Experiment, each uint64) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		t := trials[b.Replication/each]
		a.where = func() string { return b.Where }
		a.replay = q.alone(t, b.Replication%each)
		v = b.Value
	}
	if v != nil {
		panic(v)
	}
}

// alone is the command that makes a trial again, up to that replication.
func (q *lawsTried) alone(t laws.Experiment, replication uint64) string {
	one := lawsTried{half: "all", noise: []string{fmt.Sprintf("%g%%", 100*t.Noise)}, laws: []string{t.Law.Name}, scenarios: []string{t.Disturbance.Base()},
		seed: q.seed, replications: int(max(replication+1, leastReplications))}
	if t.Probe { // which stands beside every law
		one.laws = []string{"hold"}
	}
	return one.commandLine()
}

func (q *lawsTried) commandLine() string {
	words := []string{"flyball laws --half", q.half, "--noise", strings.Join(q.noise, ","), "--replications", fmt.Sprint(q.replications)}
	for _, name := range q.scenarios {
		words = append(words, "--scenario", quote(name))
	}
	for _, name := range q.laws {
		words = append(words, "--law", quote(name))
	}
	if q.seed != "" {
		words = append(words, "--seed", q.seed)
	}
	return strings.Join(words, " ")
}
