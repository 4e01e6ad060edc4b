package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/ensemble"
	"flyball/reports/run"
	"flyball/scenarios"
	"flyball/sim"
)

// Numbers of replications that can be asked for.
const (
	leastReplications = 2
	mostReplications  = 10_000
	defaultMost       = 1000 // with --precision alone
)

// repeats is how often a scenario is run.
type repeats struct {
	replication  uint64
	replications int
	precision    string
	of           string
	jobs         int

	relative float64 // precision as a share; 0 if not asked for
}

func (r *repeats) flags(c *cobra.Command) {
	c.Flags().Uint64Var(&r.replication, "replication", 0, "run this replication of the seed's luck alone")
	c.Flags().IntVar(&r.replications, "replications", 0, "run replications 0 to N-1 and report means with intervals")
	c.Flags().StringVar(&r.precision, "precision", "", "run replications until the 95 % interval is +- this share of the mean, such as 1%; at most --replications, or 1000")
	c.Flags().StringVar(&r.of, "of", "", "the metric that --precision is of (default the rate, or dfr where no rate is judged), or --sensitivity (see above)")
	c.Flags().IntVar(&r.jobs, "jobs", runtime.GOMAXPROCS(0), "replications, or servers of a single run, that run at the same time; changes no result")
}

// many reports whether more than one run is asked for.
func (r *repeats) many() bool { return r.replications != 0 || r.precision != "" }

// check refuses what is no such question, before anything runs.
func (r *repeats) check(s *scenarios.Scenario, c *cobra.Command) error {
	given := c.Flags().Changed
	if given("replications") && (r.replications < leastReplications || r.replications > mostReplications) {
		return fail(exitUsage, "--replications: got %d, want %d to %d", r.replications, leastReplications, mostReplications)
	}
	if given("precision") {
		text, percent := strings.CutSuffix(strings.TrimSpace(r.precision), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if percent {
			v /= 100
		}
		if err != nil || !(v >= 0.00001 && v < 1) {
			return fail(exitUsage, "--precision: got %q, want a share of the mean such as 1%% or 0.01", r.precision)
		}
		r.relative = v
		if r.replications != 0 && r.replications < stats.Few {
			return fail(exitUsage, "--replications: got %d, want at least %d with --precision", r.replications, stats.Few)
		}
	}
	switch {
	case r.jobs < 1:
		return fail(exitUsage, "--jobs: got %d, want 1 or more", r.jobs)
	case given("of") && !given("precision"):
		return fail(exitUsage, "--of: got %q without --precision", r.of)
	case given("replication") && r.many():
		return fail(exitUsage, "--replication runs one replication alone: want no --replications or --precision with it")
	case given("resume") && r.many():
		return fail(exitUsage, "--resume goes on with one run: want no --replications or --precision with it")
	case r.many() && s.Analysis.Kind == "":
		return fail(exitInvalid, `%s does not say how repeated runs are to be read: want an [analysis] table with kind = "terminating" `+
			`(a campaign, from its start to its end) or kind = "steady-state" (the long run, without its start-up); --set analysis.kind=... will do`, s.Name)
	}
	if !given("of") {
		return nil
	}
	var known []string
	for _, m := range ensemble.Measures(s) {
		if m.Name == r.of {
			return nil
		}
		known = append(known, m.Name)
	}
	return fail(exitUsage, "--of: got %q, want one of %s%s", r.of, strings.Join(known, ", "), conf.DidYouMean(r.of, known))
}

// flagged are the flags that make the same runs again.
func (r *repeats) flagged() []string {
	var words []string
	if r.replication > 0 {
		words = append(words, "--replication", fmt.Sprint(r.replication))
	}
	if r.replications > 0 {
		words = append(words, "--replications", fmt.Sprint(r.replications))
	}
	if r.precision != "" {
		words = append(words, "--precision", quote(strings.ReplaceAll(r.precision, " ", "")))
	}
	if r.of != "" {
		words = append(words, "--of", r.of)
	}
	return words
}

// replicate runs independent replications of a scenario and reports what they
// show together.
func (a *app) replicate(s *scenarios.Scenario, text []byte, from *source, many *repeats, own *rehearsed, to *output) error {
	words := append(many.flagged(), own.flagged()...)
	a.replay = from.commandLine("run", s.Seed, words...)
	to.settings = append(words, own.content()...)
	if err := to.check(asks(s, "sim", 0)); err != nil {
		return err
	}
	stop := a.watchSignals()
	defer stop.end()
	defer a.broken(from, own, s.Seed)

	// Worlds come and go by the thousand and little is kept of them: sweeping
	// less often leaves the cores to the runs.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	began := time.Now()
	runs, err := a.observations(s, many, own, stop)
	if err != nil {
		return err
	}
	sig := stop.signal()
	if len(runs) == 0 {
		return fail(signalCode(sig), "stopped by %s before the first replication ended; nothing is written", sig)
	}
	asked := ensemble.Asked{Replications: many.replications, Precision: many.relative, Of: many.of, Partial: sig != nil, List: own.digest}
	if asked.Of == "" {
		asked.Of = ensemble.Headline(s, runs)
	}
	e := ensemble.Gather(s, runs, asked, host(time.Since(began)), a.replay)
	place := to.at(filepath.Join("runs", s.Name+"-"+e.Key()))
	dir := place.Dir
	if err := unwritten("run folder", e.Write(place, run.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s), More: own.files()})); err != nil {
		return err
	}
	if to.json {
		if err := a.printSummary(e); err != nil {
			return err
		}
	} else {
		if err := e.Text(a.out, a.colored()); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "One of them:  %s\n", from.commandLine("run", s.Seed, append([]string{"--replication", fmt.Sprint(e.Odd())}, own.flagged()...)...))
		for _, line := range own.words() {
			fmt.Fprintln(a.out, line)
		}
		fmt.Fprintf(a.out, "Folder: %s\n", dir)
	}
	if sig != nil {
		return fail(signalCode(sig), "stopped by %s after %d replications; the folder %s is marked partial", sig, len(runs), dir)
	}
	return missedBySome(e)
}

// observations runs as many replications as were asked for, or as it takes to
// be precise; fewer after a signal.
func (a *app) observations(s *scenarios.Scenario, many *repeats, own *rehearsed, stop *signals) ([]ensemble.Observation, error) {
	var runs []ensemble.Observation
	bar := a.progress(s.Name)
	defer bar.end()
	until := func(total int) error {
		_, err := sim.Replicate(s, own.list(), uint64(len(runs)), uint64(total-len(runs)), many.jobs,
			func(replication uint64, w *sim.World, end vt.Time) ensemble.Observation {
				return ensemble.Observe(observe(s, own, replication, w, end))
			},
			func(o ensemble.Observation) {
				runs = append(runs, o)
				if many.relative == 0 || bar.bar != nil {
					bar.at(uint64(len(runs)), uint64(total))
				}
			},
			func() bool { return stop.signal() == nil })
		if err != nil {
			return fail(exitInvalid, "%w", err)
		}
		return nil
	}
	if many.relative == 0 {
		err := until(many.replications)
		return runs, err
	}

	var notes io.Writer = a.errout
	switch {
	case a.quiet:
		notes = io.Discard
	case bar.bars != nil:
		notes = bar.bars // above the bar
	}
	rule := stats.Rule{Relative: many.relative, Most: many.replications}
	if rule.Most == 0 {
		rule.Most = defaultMost
	}
	for look := rule.Next(0); look > 0; look = rule.Next(look) {
		if err := until(look); err != nil || len(runs) < look {
			return runs, err
		}
		of := many.of
		if of == "" {
			of = ensemble.Headline(s, runs)
		}
		i := ensemble.Measured(s, runs, of)
		if i.N == 0 {
			return nil, fail(exitInvalid, "--of: %s is undefined in all of %d replications: want another metric", of, len(runs))
		}
		fmt.Fprintf(notes, "%d replications: %s is known to +- %.2g %%, want %.2g %%\n", look, of, 100*i.Relative(), 100*rule.Relative)
		if rule.Enough(i) {
			break
		}
	}
	return runs, nil
}

// observe is the report of a replication that has ended.
func observe(s *scenarios.Scenario, own *rehearsed, replication uint64, w *sim.World, end vt.Time) *run.Report {
	done := describe(s, "sim", end, false)
	done.Replication = replication
	own.fold(w.Record(), s, done)
	return run.Fold(done, s.Expect, "")
}

// broken reports a broken invariant in one replication so that this one can be
// seen again alone.
func (a *app) broken(from *source, own *rehearsed, seed uint64) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		a.where = func() string { return fmt.Sprintf("replication %d, %s", b.Replication, b.Where) }
		a.replay = from.commandLine("run", seed, append([]string{"--replication", fmt.Sprint(b.Replication)}, own.flagged()...)...)
		if os.Getenv("FLYBALL_TRACE") != "" {
			a.errout.Write(b.Stack)
		}
		v = b.Value
	}
	if v != nil {
		panic(v)
	}
}

// missedBySome says which expectations some replication missed, and which one
// did first.
func missedBySome(e *ensemble.Report) error {
	var all []string
	for _, x := range e.Expectations {
		if x.FirstMissed.Known() {
			all = append(all, fmt.Sprintf("%s %s %g missed by %d of %d replications, first by %.0f", x.Metric, x.Op, x.Limit,
				e.Replications-x.Met, e.Replications, float64(x.FirstMissed)))
		}
	}
	if all == nil {
		return nil
	}
	return fail(exitMissed, "%d of %d expectations missed: %s", len(all), len(e.Expectations), strings.Join(all, "; "))
}
