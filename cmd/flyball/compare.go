package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/internal/durable"
	"flyball/internal/vt"
	"flyball/reports/compare"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/scenarios"
	"flyball/sim"
)

const (
	defaultPairs = 20
	moreLuck     = 3 // times as many pairs at the next look of a gate
	gateLooks    = 3
)

// comparison is what was asked for.
type comparison struct {
	scenarios []string
	sets      []string
	seed      string
	pairs     int
	gate      bool
	allow     bool // that the gate is inconclusive
	margins   []string
	unlike    bool
	jobs      int
	junit     string
	markdown  string
	annotate  bool
	to        output
}

// sideOf is BASE or NEW: a folder, or what is changed in every scenario.
type sideOf struct {
	arg    string
	folder bool
	sets   []string
}

func (a *app) compareCommand() *cobra.Command {
	q := &comparison{}
	c := &cobra.Command{
		Use:   "compare BASE NEW",
		Short: "Compare two laws, parameter sets or revisions, and gate a change",
		Long: `Compare two candidates under the same luck. BASE and NEW are each

  law:NAME[,key=value...]    a governor law with its parameters ([governor] keys)
  set:key=value[,...]        any keys; set: alone is the scenario as it is
  FOLDER                     of a run, of --replications, or a folder of such
                             folders: as another revision left them

Laws and sets are tried on every --scenario, or on a suite of six built-in ones;
beside a folder, on the scenarios of that folder. Runs are paired by scenario and
replication. What has no partner, other luck, or a world of its own is left out,
and said.

Each metric of each scenario gets the geometric mean of NEW / BASE with its 95 %
interval, or ~ where nothing is shown; each metric the mean over all scenarios
and the worst one. The folder has the courses of both, one over the other.

With --gate the command fails (exit code 5) if NEW is shown to be worse than its
margins allow: 3 % more lost target-hours (iae), 5 % more total variation (tv), and
no more attempts per success, undelivered recipients and deferrals, in the mean
over the scenarios; thrice as much in any one of them. It is wrong about a
candidate that is no worse at most once in 1000 comparisons. Where 20 pairs decide
nothing, 60 and then 180 are made; then it is inconclusive, which is exit code 5 too
unless --allow-inconclusive is given. A scenario of BASE that cannot be compared,
since NEW has no runs of it, another seed or another world, fails the gate.

Exit codes: 0 compared, and passed with --gate, 2 usage, 3 not a run folder, an
invalid scenario or nothing to compare, 5 a regression, an inconclusive gate or a
scenario of BASE that is not compared, 130 or 143 stopped.`,
		Example: "  flyball compare law:hold law:patent-dynamic --scenario quickstart\n  flyball compare set: set:governor.d=12 --gate\n" +
			"  flyball compare runs/before runs/after --gate --junit gate.xml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fail(exitUsage, "compare: got %d arguments, want BASE and NEW", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.compare(q, args, c.Flags().Changed) },
	}
	f := c.Flags()
	f.StringArrayVar(&q.scenarios, "scenario", nil, "compare on this one (repeatable; a suite of six if not given)")
	f.StringArrayVar(&q.sets, "set", nil, "change one value on both sides: path.to.key=value (repeatable)")
	f.StringVar(&q.seed, "seed", "", "seed of all luck; the scenario's own if not given")
	f.IntVar(&q.pairs, "replications", defaultPairs, "pairs of runs of each scenario; with --gate at first, then thrice and nine times as many")
	f.BoolVar(&q.gate, "gate", false, "fail with exit code 5 if NEW is worse than its margins allow")
	f.BoolVar(&q.allow, "allow-inconclusive", false, "let a gate pass that shows neither a regression nor its absence")
	f.StringArrayVar(&q.margins, "margin", nil, "what NEW may have more: metric=5%, metric=5%+FLOOR in the metric's unit, or metric=none (repeatable)")
	f.BoolVar(&q.unlike, "unlike", false, "compare scenarios that differ in more than their policy")
	f.IntVar(&q.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at the same time; changes no result")
	f.StringVar(&q.junit, "junit", "", "write the gate's verdict to this file as JUnit XML")
	f.StringVar(&q.markdown, "markdown", "", "write the comparison to this file as Markdown")
	f.BoolVar(&q.annotate, "annotations", false, "print GitHub annotations of the gate (default where GITHUB_ACTIONS=true)")
	q.to.place(c, "folder (default runs/compare-KEY, KEY from the content)")
	f.BoolVar(&q.to.json, "json", false, "print summary.json instead of tables")
	return c
}

// check refuses what is no such question, before anything runs.
func (q *comparison) check(base, next sideOf, given func(string) bool) ([]compare.Metric, error) {
	switch {
	case q.pairs < leastReplications || q.pairs > mostReplications:
		return nil, fail(exitUsage, "--replications: got %d, want %d to %d", q.pairs, leastReplications, mostReplications)
	case q.jobs < 1:
		return nil, fail(exitUsage, "--jobs: got %d, want 1 or more", q.jobs)
	case !q.gate && (given("margin") || given("junit") || given("annotations") || given("allow-inconclusive")):
		return nil, fail(exitUsage, "--margin, --junit, --annotations and --allow-inconclusive are of a gate: want --gate with them")
	case base.folder && next.folder && (given("scenario") || given("set") || given("seed") || given("replications")):
		return nil, fail(exitUsage, "--scenario, --set, --seed and --replications are of runs to be made: two folders have theirs")
	case (base.folder || next.folder) && (given("scenario") || given("seed") || given("replications")):
		return nil, fail(exitUsage, "--scenario, --seed and --replications: the folder decides these")
	}
	return margins(q.margins)
}

// margins are those of a gate with the ones asked for.
func margins(asked []string) ([]compare.Metric, error) {
	all := compare.Metrics()
	for _, entry := range asked {
		name, text, ok := strings.Cut(entry, "=")
		i := slices.IndexFunc(all, func(m compare.Metric) bool { return m.Name == name })
		if i < 0 {
			var known []string
			for _, m := range all {
				known = append(known, m.Name)
			}
			return nil, fail(exitUsage, "--margin: got metric %q, want one of %s%s", name, strings.Join(known, ", "), conf.DidYouMean(name, known))
		}
		m := &all[i]
		if text == "none" {
			m.Gated = false
			continue
		}
		share, floor, floored := strings.Cut(text, "+")
		digits, percent := strings.CutSuffix(strings.TrimSpace(share), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if percent {
			v /= 100
		}
		f := 0.0
		if floored && err == nil {
			f, err = strconv.ParseFloat(strings.TrimSpace(floor), 64)
		}
		if !ok || err != nil || !(v >= 0 && v <= 100) || !(f >= 0 && f <= 1e12) {
			return nil, fail(exitUsage, "--margin: got %q, want metric=5%%, metric=5%%+FLOOR or metric=none", entry)
		}
		m.Gated, m.Margin = true, v
		if floored {
			m.Floor, m.FloorShare = f, 0
		}
	}
	return all, nil
}

// parseSide reads BASE or NEW.
func parseSide(arg string) (sideOf, error) {
	s := sideOf{arg: arg}
	kind, text, _ := strings.Cut(arg, ":")
	entries := entriesOf(text)
	switch kind {
	case "law":
		if len(entries) == 0 {
			return s, fail(exitUsage, "got %q, want a law such as law:patent-dynamic", arg)
		}
		s.sets = []string{"governor.law=" + entries[0]}
		for _, e := range entries[1:] {
			s.sets = append(s.sets, "governor."+e)
		}
	case "set":
		s.sets = entries
	default:
		s.folder = true
		if _, builtin := scenarios.Builtin(arg); builtin {
			return s, fail(exitUsage, "got the scenario %q, want a folder, or law:NAME, or set:key=value, with --scenario %s", arg, arg)
		}
		if err := wrongFile(arg); err != nil {
			return s, err
		}
		if info, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return s, fail(exitUsage, "no folder %q; want one, or law:NAME, or set:key=value", arg)
		}
	}
	return s, nil
}

// entriesOf cuts at the commas that stand in no list, table or text.
func entriesOf(text string) []string {
	var all []string
	depth, from := 0, 0
	var quoted rune
	for i, r := range text + "," {
		switch {
		case quoted != 0:
			if r == quoted {
				quoted = 0
			}
		case r == '"' || r == '\'':
			quoted = r
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth--
		case r == ',' && (depth <= 0 || i == len(text)):
			if e := strings.TrimSpace(text[from:i]); e != "" {
				all = append(all, e)
			}
			from = i + 1
		}
	}
	if rest := strings.TrimSpace(text[min(from, len(text)):]); rest != "" { // a bracket or a quote left open: the loader says so
		all = append(all, rest)
	}
	return all
}

// trying is a scenario that is being tried on one side.
type trying struct {
	scenario *scenarios.Scenario
	from     source
	only     []uint64 // replications that a folder has; nil: as many as the look wants
	runs     []ensemble.Observation
	sameAs   *trying // of the other side, if nothing differs
}

func (a *app) compare(q *comparison, args []string, given func(string) bool) error {
	var sides [2]sideOf
	for i, arg := range args {
		var err error
		if sides[i], err = parseSide(arg); err != nil {
			return err
		}
	}
	metrics, err := q.check(sides[0], sides[1], given)
	if err != nil {
		return err
	}
	a.replay = q.commandLine(args)
	for _, file := range [][2]string{{"--junit", q.junit}, {"--markdown", q.markdown}} {
		if err := hasPlace(file[1]); err != nil {
			return fail(exitEnvironment, "%s: %w", file[0], err)
		}
	}
	var candidates [2]compare.Candidate
	for i, s := range sides {
		if s.folder {
			if candidates[i], err = compare.ReadCandidate(s.arg); err != nil {
				return exit{exitInvalid, err}
			}
		}
	}
	var tried [2][]*trying
	for i, s := range sides {
		if !s.folder {
			if tried[i], err = a.toTry(q, s, sides[1-i], candidates[1-i]); err != nil {
				return err
			}
		}
	}
	for i := range min(len(tried[0]), len(tried[1])) {
		if scenarios.ID(tried[0][i].scenario) == scenarios.ID(tried[1][i].scenario) {
			tried[1][i].sameAs = tried[0][i]
		}
	}
	q.to.settings = []string{a.replay}
	for _, t := range slices.Concat(tried[0], tried[1]) {
		q.to.settings = append(q.to.settings, fmt.Sprintf("scenario %.12s", scenarios.ID(t.scenario)))
	}
	if err := q.to.check(folder.Attributes{Name: "comparison", Mode: folder.ComparisonMode}); err != nil {
		return err
	}
	looks := []int{q.pairs}
	if sides[0].folder || sides[1].folder {
		looks[0] = 0 // as many as there are
	} else if q.gate {
		for len(looks) < gateLooks {
			looks = append(looks, min(looks[len(looks)-1]*moreLuck, mostReplications))
		}
	}

	stop := a.watchSignals()
	defer stop.end()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // as for any replications
	began := time.Now()
	var found *compare.Report
	for k, n := range looks {
		if err := a.try(slices.Concat(tried[0], tried[1]), n, q.jobs, stop); err != nil {
			return err
		}
		for i, s := range sides {
			if s.folder {
				continue
			}
			candidates[i] = compare.Candidate{Name: s.arg}
			for _, t := range tried[i] {
				runs := t.runs
				if t.sameAs != nil {
					runs = t.sameAs.runs
				}
				candidates[i].Trials = append(candidates[i].Trials, compare.Tried(t.scenario, runs))
			}
		}
		found, err = compare.Sides(candidates[0], candidates[1], q.unlike)
		switch {
		case q.gate && errors.Is(err, compare.ErrNothing) && len(found.Uncompared) > 0: // no file may say that it passed
			found.Verdict = found.Lacking()
			if wrote := a.writeVerdict(q, found); wrote != nil {
				return wrote
			}
			return fail(exitRegression, "%s\n%w", found.Verdict.Answer(), err)
		case err != nil:
			return exit{exitInvalid, err}
		}
		if !q.gate {
			break
		}
		if n == 0 {
			for _, s := range found.Scenarios {
				looks[0] = max(looks[0], s.Pairs)
			}
		}
		found.Verdict = found.Judge(looks, k, metrics)
		found.Verdict.Settle(q.allow)
		if found.Verdict.Failed || !found.Verdict.Open {
			break
		}
		if k+1 < len(looks) && !a.quiet {
			fmt.Fprintf(a.errout, "%d pairs of each scenario decide nothing: on to %d\n", n, looks[k+1])
		}
	}
	return a.tell(q, found, time.Since(began))
}

// toTry loads the scenarios of a side that is not a folder: those asked for, or
// those that the other side's folder has.
func (a *app) toTry(q *comparison, s, other sideOf, folder compare.Candidate) ([]*trying, error) {
	var all []*trying
	if other.folder {
		for _, t := range folder.Trials {
			from := source{arg: filepath.Join(other.arg, "scenario.resolved.toml"), sets: slices.Concat(q.sets, s.sets)}
			loaded, err := scenarios.Load(from.arg, t.Resolved, from.sets)
			if err != nil {
				return nil, exit{exitInvalid, err}
			}
			some := &trying{scenario: loaded, from: from}
			for _, r := range t.Runs {
				some.only = append(some.only, r.Replication)
			}
			all = append(all, some)
		}
		return all, nil
	}
	var from []source
	for _, name := range q.scenarios {
		from = append(from, source{arg: name})
	}
	if from == nil {
		for _, t := range scenarios.Suite() {
			from = append(from, source{arg: t.Name, sets: t.Set})
		}
	}
	for _, f := range from {
		f.sets = slices.Concat(f.sets, q.sets, s.sets)
		f.seed = q.seed
		loaded, _, err := a.load(&f)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(t *trying) bool { return t.scenario.Name == loaded.Name }) {
			return nil, fail(exitUsage, "--scenario: %s is there twice", loaded.Name)
		}
		all = append(all, &trying{scenario: loaded, from: f})
	}
	return all, nil
}

// try makes the runs that are missing for a look at n pairs.
func (a *app) try(all []*trying, n, jobs int, stop *signals) error {
	type batch struct {
		t       *trying
		from, n uint64
	}
	var todo []batch
	total, done := uint64(0), uint64(0)
	for _, t := range all {
		switch {
		case t.sameAs != nil:
		case t.only == nil:
			todo = append(todo, batch{t, uint64(len(t.runs)), uint64(n - len(t.runs))})
		default:
			for _, r := range t.only {
				todo = append(todo, batch{t, r, 1})
			}
		}
	}
	for _, b := range todo {
		total += b.n
	}
	own := new(rehearsed) // candidates are compared on lists that are made up
	bar := a.progress("compare")
	defer bar.end()
	for _, b := range todo {
		err := func() error {
			defer a.broken(&b.t.from, own, b.t.scenario.Seed)
			_, err := sim.Replicate(b.t.scenario, own.list(), b.from, b.n, jobs,
				func(replication uint64, w *sim.World, end vt.Time) ensemble.Observation {
					return ensemble.Observe(observe(b.t.scenario, own, replication, w, end))
				},
				func(o ensemble.Observation) {
					b.t.runs = append(b.t.runs, o)
					done++
					bar.at(done, total)
				},
				func() bool { return stop.signal() == nil })
			return err
		}()
		if err != nil {
			return fail(exitInvalid, "%s: %w", b.t.scenario.Name, err)
		}
		if sig := stop.signal(); sig != nil {
			return fail(signalCode(sig), "stopped by %s while runs were made; nothing is written", sig)
		}
	}
	return nil
}

// tell prints the comparison, writes its folder and files, and decides the exit
// code.
func (a *app) tell(q *comparison, found *compare.Report, took time.Duration) error {
	notes := a.out
	if q.to.json {
		notes = a.errout
		if err := a.printSummary(found); err != nil {
			return err
		}
	} else if err := found.Text(a.out, a.colored()); err != nil {
		return err
	}
	place := q.to.at(filepath.Join("runs", "compare-"+found.Key()))
	if err := unwritten("folder", found.Write(place, a.replay, host(took))); err != nil {
		return err
	}
	if !q.to.json {
		fmt.Fprintf(a.out, "Run it again: %s\nFolder: %s\n", a.replay, place.Dir)
	}
	if q.markdown != "" {
		if err := durable.Write(q.markdown, found.Markdown()); err != nil {
			return fail(exitEnvironment, "--markdown: %w", err)
		}
	}
	if !q.gate {
		return nil
	}
	if err := a.writeVerdict(q, found); err != nil {
		return err
	}
	if q.annotate || os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprint(notes, found.Annotations())
	}
	v := found.Verdict
	var why []string
	for _, worse := range v.Worse() {
		why = append(why, "regression: "+worse)
	}
	for _, u := range v.Uncompared {
		why = append(why, fmt.Sprintf("not compared: %s of BASE: %s", u.Scenario, u.Why))
	}
	switch {
	case v.Failed:
		return fail(exitRegression, "%s", strings.Join(why, "\n"))
	case !v.Passed:
		return fail(exitRegression, "%s (--allow-inconclusive lets it pass)", v.Answer())
	}
	return nil
}

// writeVerdict writes the file of --junit if there is to be one.
func (a *app) writeVerdict(q *comparison, found *compare.Report) error {
	if q.junit == "" {
		return nil
	}
	raw, err := found.JUnit()
	if err == nil {
		err = durable.Write(q.junit, raw)
	}
	if err != nil {
		return fail(exitEnvironment, "--junit: %w", err)
	}
	return nil
}

// hasPlace reports whether a file, if one is named, has a folder to be in, so
// that hours of runs do not end in a verdict that goes nowhere.
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

// commandLine makes the same comparison again.
func (q *comparison) commandLine(args []string) string {
	words := []string{"flyball", "compare", quote(args[0]), quote(args[1])}
	for _, s := range q.scenarios {
		words = append(words, "--scenario", quote(s))
	}
	for _, s := range q.sets {
		words = append(words, "--set", quote(s))
	}
	if q.seed != "" {
		words = append(words, "--seed", quote(q.seed))
	}
	if q.pairs != defaultPairs {
		words = append(words, "--replications", fmt.Sprint(q.pairs))
	}
	if q.unlike {
		words = append(words, "--unlike")
	}
	if q.gate {
		words = append(words, "--gate")
	}
	if q.allow {
		words = append(words, "--allow-inconclusive")
	}
	for _, m := range q.margins {
		words = append(words, "--margin", quote(m))
	}
	return strings.Join(words, " ")
}
