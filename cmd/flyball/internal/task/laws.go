package task

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/internal/conf"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/laws"
	"flyball/scenarios"
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
	Place                 // by default runs/laws-KEY, KEY from the content
}

// DefaultLaws returns the question about all laws on the half for claims.
func DefaultLaws() Laws {
	return Laws{Half: scenarios.Reporting, Noise: []string{"0", "5%", "10%"}, Replications: 10,
		Workers: runtime.GOMAXPROCS(0)}
}

// LawsTried is the report on the trials, and its folder.
type LawsTried struct {
	Report *laws.Report
	Dir    string
}

// Validate returns an error if the question makes no sense.
func (q *Laws) Validate() error {
	_, _, _, err := q.chosen()
	return err
}

// Do makes all trials and writes their folder. If ctx ends before the last trial, it
// returns Stopped.
func (q *Laws) Do(ctx context.Context, watch Watch) (*LawsTried, error) {
	asked, disturbances, set, err := q.chosen()
	if err != nil {
		return nil, err
	}
	settings := []string{q.replay()}
	if err := q.check(folder.Attributes{Name: "laws", ScenarioID: scenarios.SuiteHash(), Mode: folder.LawsMode},
		settings); err != nil {
		return nil, err
	}
	if err := q.fits(asked.Laws, disturbances, set); err != nil {
		return nil, err
	}
	trials, err := scenarios.PlanLaws(disturbances, asked.Noise, asked.Laws, set)
	if err != nil {
		return nil, Error{Invalid, err}
	}
	var all []*scenarios.Scenario
	for _, t := range trials {
		all = append(all, t.Scenario)
	}
	defer manyRuns()()
	began := time.Now()
	each, total := uint64(q.Replications), uint64(len(trials)*q.Replications)
	own := new(Recipients) // synthetic lists
	defer brokenRun(q.broken(trials))

	runs := make([]ensemble.Observation, 0, q.Replications)
	done := uint64(0)
	gathering := laws.Gather(asked)
	_, err = sim.Sweep(all, each, 0, q.Workers,
		func(i uint64, w *sim.World, end vt.Time) ensemble.Observation {
			return ensemble.Observe(observe(all[i/each], own, i%each, w, end))
		},
		func(o ensemble.Observation) {
			if runs = append(runs, o); len(runs) == q.Replications {
				gathering.Add(trials[done/each], runs)
				runs = runs[:0]
			}
			done++
			watch.at("laws", done, total)
		}, going(ctx))
	if err != nil {
		return nil, Error{Invalid, err}
	}
	if done < total {
		return nil, Stopped{Done: int(done), Total: int(total)}
	}
	found := gathering.Judge(host(began), q.replay())
	place := q.at(filepath.Join("runs", "laws-"+found.Key()), settings)
	if err := unwritten("folder", found.Write(place)); err != nil {
		return nil, err
	}
	return &LawsTried{found, place.Dir}, nil
}

// broken returns a function that describes a broken invariant in one of the runs.
func (q *Laws) broken(trials []scenarios.Experiment) func(sim.Broken) (where, replay string) {
	each := uint64(q.Replications)
	return func(b sim.Broken) (where, replay string) {
		return b.Where, q.alone(trials[b.Replication/each], b.Replication%each)
	}
}

// chosen checks the question and returns its laws, its disturbances, and the settings
// that apply to all of them.
func (q *Laws) chosen() (laws.Asked, []scenarios.Disturbance, []string, error) {
	asked := laws.Asked{Half: q.Half, Seed: q.Seed, Replications: q.Replications}
	none := func(format string, args ...any) (laws.Asked, []scenarios.Disturbance, []string, error) {
		return asked, nil, nil, fail(Usage, format, args...)
	}
	switch {
	case q.Half != scenarios.Reporting && q.Half != scenarios.Training && q.Half != "all":
		return none("--half: got %q, want reporting, training or all", q.Half)
	case q.Replications < LeastReplications || q.Replications > 1000:
		return none("--replications: got %d, want %d to 1000", q.Replications, LeastReplications)
	case q.Workers < 1:
		return none("--jobs: got %d, want 1 or more", q.Workers)
	}
	var set []string
	if q.Seed != "" {
		if _, err := strconv.ParseUint(q.Seed, 0, 63); err != nil {
			return none("--seed: got %q, want a whole number from 0", q.Seed)
		}
		set = []string{"seed=" + q.Seed}
	}
	for _, text := range q.Noise {
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
	if q.Laws == nil {
		asked.Laws = known
	}
	for _, text := range q.Laws {
		entries := Entries(text)
		i := slices.IndexFunc(known, func(l scenarios.Law) bool { return len(entries) > 0 && l.Name == entries[0] })
		if i < 0 {
			var names []string
			for _, l := range known {
				names = append(names, l.Name)
			}
			return none("--law: got %q, want one of %s, with parameters after commas%s", text,
				strings.Join(names, ", "), conf.DidYouMean(text, names))
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
		if q.Half == "all" || d.Half == q.Half {
			all, names = append(all, d), append(names, d.Base())
		}
	}
	if q.Scenarios != nil {
		var some []scenarios.Disturbance
		for _, name := range q.Scenarios {
			i := slices.Index(names, strings.TrimPrefix(name, "disturbances/"))
			if i < 0 {
				return none("--scenario: got %q, want one of the half: %s%s", name, strings.Join(names, ", "),
					conf.DidYouMean(name, names))
			}
			if !slices.Contains(some, all[i]) {
				some = append(some, all[i])
			}
		}
		all = some
	}
	return asked, all, set, nil
}

// fits returns an error with every law whose parameters a scenario does not accept.
func (q *Laws) fits(laws []scenarios.Law, disturbances []scenarios.Disturbance, set []string) error {
	if q.Laws == nil {
		return nil
	}
	var all scenarios.Problems
	for _, law := range laws {
		for _, d := range disturbances {
			var wrong scenarios.Problems
			if _, err := d.Load(0, slices.Concat(set, law.Set)...); !errors.As(err, &wrong) {
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
	return Error{Invalid, all}
}

// alone returns the command line that repeats a trial up to one replication.
func (q *Laws) alone(t scenarios.Experiment, replication uint64) string {
	one := Laws{Half: "all", Noise: []string{fmt.Sprintf("%g%%", 100*t.Noise)}, Laws: []string{t.Law.Name},
		Scenarios: []string{t.Disturbance.Base()},
		Seed:      q.Seed, Replications: int(max(replication+1, LeastReplications))}
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
		words = append(words, "--scenario", Quote(name))
	}
	for _, name := range q.Laws {
		words = append(words, "--law", Quote(name))
	}
	if q.Seed != "" {
		words = append(words, "--seed", q.Seed)
	}
	return strings.Join(words, " ")
}
