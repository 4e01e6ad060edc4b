package trials

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/laws"
	"flyball/scenarios"
	"flyball/scenarios/suite"
	"flyball/sim"
)

// Laws asks for trials of governor laws on the disturbance suite.
type Laws struct {
	Half         string   // of the suite: reporting, training or all
	Noise        []string // levels: 0, 5% or 10%
	Laws         []string // NAME[,key=value...]; nil: all
	Scenarios    []string // of the half; nil: all
	Seed         string   // of all draws; empty: the scenarios' own
	Replications int      // runs of each law in each trial
	Workers      int      // runs at the same time; changes no result
	Bus          Bus      // of workers that make runs too
	task.Place            // by default runs/laws-KEY, KEY from the content
}

// DefaultLaws returns the question about all laws on the half for claims.
func DefaultLaws() Laws {
	return Laws{Half: suite.Reporting, Noise: []string{"0", "5%", "10%"}, Replications: 10,
		Workers: runtime.GOMAXPROCS(0)}
}

// LawsTried is the report on the trials, and its folder.
type LawsTried struct {
	Report *laws.Report
	Dir    string
}

// Validate returns an error with everything in the question that makes no sense.
func (q *Laws) Validate() error {
	_, err := q.chosen()
	return err
}

// Do makes all trials and writes their folder. If ctx ends before the last trial, it
// returns Stopped.
func (q *Laws) Do(ctx context.Context, watch task.Watch) (*LawsTried, error) {
	all, err := q.chosen()
	if err != nil {
		return nil, err
	}
	settings := []string{q.replay()}
	if err := q.Check(folder.Attributes{Name: "laws", ScenarioID: laws.Suite(), Mode: folder.LawsMode},
		settings); err != nil {
		return nil, err
	}
	if err := q.fits(&all); err != nil {
		return nil, err
	}
	trials, err := suite.Plan(all.disturbances, all.asked.Noise, all.asked.Laws, all.set)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	var tried []*scenarios.Scenario
	for _, t := range trials {
		tried = append(tried, t.Scenario)
	}
	defer task.ManyRuns()()
	began := time.Now()
	total := uint64(len(trials) * q.Replications)
	defer task.BrokenRun(q.broken(trials))

	runs := make([]ensemble.Observation, 0, q.Replications)
	done := uint64(0)
	gathering := laws.Gather(all.asked)
	take := func(o ensemble.Observation) {
		if runs = append(runs, o); len(runs) == q.Replications {
			gathering.Add(trials[done/uint64(q.Replications)], runs)
			runs = runs[:0]
		}
		done++
	}
	if q.Bus.Used() {
		err = q.farmed(ctx, tried, watch, take)
	} else {
		err = q.here(ctx, tried, watch, take)
	}
	if err != nil {
		return nil, err
	}
	if done < total {
		return nil, task.Stopped{Done: int(done), Total: int(total)}
	}
	found := gathering.Judge(task.Host(began), q.replay())
	place := q.At(filepath.Join("runs", "laws-"+found.Key()), settings)
	if err := task.Unwritten("folder", found.Write(place)); err != nil {
		return nil, err
	}
	return &LawsTried{found, place.Dir}, nil
}

// here makes the runs of all scenarios on this machine, as many as there are when ctx ends, and hands them to take.
func (q *Laws) here(ctx context.Context, tried []*scenarios.Scenario, watch task.Watch,
	take func(ensemble.Observation)) error {
	each, done := uint64(q.Replications), uint64(0)
	total := each * uint64(len(tried))
	own := new(task.Recipients) // synthetic lists
	_, err := sim.Sweep(tried, each, 0, q.Workers,
		func(i uint64, w *sim.World, end vt.Time) ensemble.Observation {
			return ensemble.Observe(task.Observe(tried[i/each], own, i%each, w, end))
		},
		func(o ensemble.Observation) {
			take(o)
			done++
			watch.At("laws", done, total)
		}, task.Going(ctx))
	if err != nil {
		return task.Error{Kind: task.Invalid, Err: err}
	}
	return nil
}

// farmed makes the runs of all scenarios by workers. It hands them on when all are there and hold.
func (q *Laws) farmed(ctx context.Context, tried []*scenarios.Scenario, watch task.Watch,
	take func(ensemble.Observation)) error {
	each, total := q.Replications, q.Replications*len(tried)
	ids := make([]string, len(tried))
	for i, s := range tried {
		ids[i] = scenarios.ID(s)
	}
	o, end, err := q.Bus.observe(ctx, "trials of laws", q.Workers, watch, func(run int) point {
		return point{loaded: tried[run/each], id: ids[run/each], replication: uint64(run % each)}
	})
	if err != nil {
		return err
	}
	defer end()
	if err := o.until(ctx, total, func(done int) { watch.At("laws", uint64(done), uint64(total)) }); err != nil {
		return err
	}
	tellStats(o.co, watch)
	for _, run := range o.from(0) {
		take(run)
	}
	return nil
}

// broken returns a function that describes a broken invariant in one of the runs.
func (q *Laws) broken(trials []suite.Experiment) func(sim.Broken) (where, replay string) {
	each := uint64(q.Replications)
	return func(b sim.Broken) (where, replay string) {
		return b.Where, q.alone(trials[b.Replication/each], b.Replication%each)
	}
}

// question is a question about laws in the words of the suite.
type question struct {
	asked        laws.Asked
	disturbances []suite.Disturbance
	set          []string // settings that apply to all of them
}

// chosen checks the question and returns it in the words of the suite. The error has
// everything that makes no sense.
func (q *Laws) chosen() (question, error) {
	var half error
	if q.Half != suite.Reporting && q.Half != suite.Training && q.Half != "all" {
		half = task.Fail(task.Usage, "--half: got %q, want reporting, training or all", q.Half)
	}
	var number error
	if q.Replications < task.LeastReplications || q.Replications > 1000 {
		number = task.Fail(task.Usage, "--replications: got %d, want %d to 1000", q.Replications,
			task.LeastReplications)
	}
	all := question{asked: laws.Asked{Half: q.Half, Seed: q.Seed, Replications: q.Replications}}
	_, seed := task.ParseSeed(q.Seed)
	if q.Seed != "" {
		all.set = []string{"seed=" + q.Seed}
	}
	var noise, law, scenario error
	all.asked.Noise, noise = q.chosenNoise()
	all.asked.Laws, law = q.chosenLaws()
	if half == nil { // without a half there is nothing to choose from
		all.disturbances, scenario = q.chosenDisturbances()
	}
	return all, errors.Join(half, number, q.Bus.check(q.Workers), seed, noise, law, scenario)
}

func (q *Laws) chosenNoise() (levels []float64, _ error) {
	var wrong []error
	for _, text := range q.Noise {
		v, err := unit.ParseShare(text)
		if err != nil || !slices.Contains(suite.NoiseLevels(), v) {
			wrong = append(wrong, task.Fail(task.Usage, "--noise: got %q, want 0, 5%% or 10%%", text))
		} else if !slices.Contains(levels, v) {
			levels = append(levels, v)
		}
	}
	slices.Sort(levels)
	if len(q.Noise) == 0 {
		wrong = append(wrong, task.Fail(task.Usage, "--noise: got none, want 0, 5%% or 10%%"))
	}
	return levels, errors.Join(wrong...)
}

func (q *Laws) chosenLaws() (all []suite.Law, _ error) {
	known := suite.Laws()
	if q.Laws == nil {
		return known, nil
	}
	var names []string
	for _, l := range known {
		names = append(names, l.Name)
	}
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, task.Fail(task.Usage, format, args...)) }
	for _, text := range q.Laws {
		entries := task.Entries(text)
		i := -1
		if len(entries) > 0 {
			i = slices.Index(names, entries[0])
		}
		if i < 0 {
			bad("--law: got %q, want one of %s, with parameters after commas%s", text, strings.Join(names, ", "),
				conf.DidYouMean(text, names))
			continue
		}
		law := suite.Law{Name: text, Set: slices.Clone(known[i].Set)}
		for _, e := range entries[1:] {
			if !strings.Contains(e, "=") {
				bad("--law: got %q in %s, want key=value after the name", e, text)
			}
			law.Set = append(law.Set, "governor."+e)
		}
		if slices.ContainsFunc(all, func(l suite.Law) bool { return l.Name == text }) {
			bad("--law: %s is there twice", text)
		}
		all = append(all, law)
	}
	return all, errors.Join(wrong...)
}

func (q *Laws) chosenDisturbances() (some []suite.Disturbance, _ error) {
	var all []suite.Disturbance
	var names []string
	for _, d := range suite.All() {
		if q.Half == "all" || d.Half == q.Half {
			all, names = append(all, d), append(names, d.Base())
		}
	}
	if q.Scenarios == nil {
		return all, nil
	}
	var wrong []error
	for _, name := range q.Scenarios {
		i := slices.Index(names, strings.TrimPrefix(name, "disturbances/"))
		switch {
		case i < 0:
			wrong = append(wrong, task.Fail(task.Usage, "--scenario: got %q, want one of the half: %s%s", name,
				strings.Join(names, ", "), conf.DidYouMean(name, names)))
		case !slices.Contains(some, all[i]):
			some = append(some, all[i])
		}
	}
	return some, errors.Join(wrong...)
}

// fits returns an error with every law whose parameters a scenario does not accept.
func (q *Laws) fits(of *question) error {
	if q.Laws == nil {
		return nil
	}
	var all tomlfile.Problems
	for _, law := range of.asked.Laws {
		for _, d := range of.disturbances {
			var wrong tomlfile.Problems
			if _, err := d.Load(0, slices.Concat(of.set, law.Set)...); !errors.As(err, &wrong) {
				continue
			}
			for _, p := range wrong { // name the flag that the user gave
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
	return task.Error{Kind: task.Invalid, Err: all}
}

// alone returns the command line that repeats a trial up to one replication.
func (q *Laws) alone(t suite.Experiment, replication uint64) string {
	one := Laws{Half: "all", Noise: []string{fmt.Sprintf("%g%%", 100*t.Noise)}, Laws: []string{t.Law.Name},
		Scenarios: []string{t.Disturbance.Base()},
		Seed:      q.Seed, Replications: int(max(replication+1, task.LeastReplications))}
	if t.Probe { // any law has the probes beside it
		one.Laws = []string{"hold"}
	}
	return one.replay()
}

// replay returns the command line that repeats the trials.
func (q *Laws) replay() string {
	words := []string{"flyball laws --half", q.Half, "--noise", strings.Join(q.Noise, ","), "--replications",
		fmt.Sprint(q.Replications)}
	for _, name := range q.Scenarios {
		words = append(words, "--scenario", task.Quote(name))
	}
	for _, name := range q.Laws {
		words = append(words, "--law", task.Quote(name))
	}
	if q.Seed != "" {
		words = append(words, "--seed", q.Seed)
	}
	return strings.Join(words, " ")
}
