package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/run"
	studies "flyball/reports/study"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
)

// sweep is a study that was asked for, with all its points or to be searched.
type sweep struct {
	from   source
	to     output
	resume string
	jobs   int
	dry    bool
}

func (a *app) sweepCommand() *cobra.Command {
	var w sweep
	c := &cobra.Command{
		Use:   "sweep STUDY.toml",
		Short: "Run a parameter study: many values, the same luck",
		Long: `Run a parameter study: a TOML file that names scenarios, the values that their
keys shall take, and the metrics to look at (docs/studies.md). Replication r of
every point has the same luck. Writes a folder with points.csv, study.json,
maps and a report.html.

Every point is checked before any is run. A study that a signal stops goes on
where it was, with --resume or the same --out, and ends with the same files.

Exit codes: 0 done, 2 usage, 3 invalid study or scenario, 7 the folder cannot be
written, 130 or 143 stopped by a signal.`,
		Example: "  flyball sweep docs/studies/step.toml\n  flyball sweep step.toml --set governor.law=regulator --out regulated\n  flyball sweep step.toml --resume runs/step-7bncj4skwzhm",
		Args:    exactlyOne("a study"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := w.take(args[0]); err != nil {
				return err
			}
			return a.sweep(&w)
		},
	}
	w.flags(c)
	c.Flags().BoolVar(&w.to.json, "json", false, "print study.json instead of tables")
	return c
}

// take is given the argument.
func (w *sweep) take(arg string) error {
	w.from.arg = arg
	if w.jobs < 1 {
		return fail(exitUsage, "--jobs: got %d, want 1 or more", w.jobs)
	}
	return nil
}

// flags are those of every command that takes a study.
func (w *sweep) flags(c *cobra.Command) {
	w.from.flags(c)
	c.Flags().Lookup("set").Usage = "change one value in every point, before those of the study: path.to.key=value (repeatable)"
	c.Flags().Lookup("seed").Usage = "seed of all luck; the study's own if not given"
	w.to.place(c, "folder of the study (default runs/NAME-KEY, KEY from the content)")
	c.Flags().IntVar(&w.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at the same time; changes no result")
	c.Flags().StringVar(&w.resume, "resume", "", "folder of the same study, stopped by a signal")
	c.Flags().BoolVar(&w.dry, "dry-run", false, "check the study, say how many runs it is, and run nothing")
}

func (a *app) sweep(w *sweep) error {
	s, text, given, err := a.loadStudy(&w.from)
	if err != nil {
		return err
	}
	runs := len(s.Points) * s.Replications
	if w.dry {
		fmt.Fprintf(a.out, "%s: %d points, %d runs, study %.12s\n", s.Name, len(s.Points), runs, s.ID)
		return nil
	}
	place, err := w.folder(s, folder.StudyMode)
	if err != nil {
		return err
	}
	dir := place.Dir
	log, err := openProgress(s, dir, w.resume != "", a.errout)
	if err != nil {
		return err
	}
	defer log.close()
	if n := len(log.runs); n > 0 && !a.quiet {
		fmt.Fprintf(a.errout, "going on after %d of %d runs\n", n, runs)
	}

	stop := a.watchSignals()
	defer stop.end()
	began := time.Now()
	if err := a.sweepRuns(s, w, log, stop); err != nil {
		return err
	}
	if n := len(log.runs); n < runs {
		if err := log.stop(); err != nil {
			return err
		}
		sig := stop.signal()
		return fail(signalCode(sig), "stopped by %s after %d of %d runs, which are kept in %s\ngo on with: %s --resume %s", sig, n, runs, log.name,
			w.from.studyLine("sweep"), quote(dir))
	}
	report := studies.Gather(described(s, w.from.studyLine("sweep")), log.observed(), host(time.Since(began)))
	if err := unwritten("folder of the study", report.Write(place, text, given)); err != nil {
		return err
	}
	log.done()
	if w.to.json {
		return a.printSummary(report)
	}
	if err := report.Text(a.out, a.colored()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Folder: %s\n", dir)
	return nil
}

func (a *app) loadStudy(from *source) (s *study.Study, text []byte, given []folder.File, err error) {
	text, given, err = a.readStudy(from, func(text []byte, seed *uint64, read study.Read) (err error) {
		s, err = study.Load(from.arg, text, from.sets, seed, read)
		return err
	})
	return s, text, given, err
}

// readStudy lets load read a study and everything that it names: the texts of
// its scenarios are what its folder keeps of them.
func (a *app) readStudy(from *source, load func(text []byte, seed *uint64, read study.Read) error) ([]byte, []folder.File, error) {
	if from.arg == "-" {
		return nil, nil, fail(exitUsage, "got -, want the file of a study: the paths in it are from its folder")
	}
	if err := wrongFolder(from.arg, scenarios.AStudy); err != nil {
		return nil, nil, err
	}
	text, err := readFile("", from.arg, input.Scenario)
	if _, builtin := scenarios.Builtin(from.arg); builtin && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, refuseKind(exitUsage, from.arg, scenarios.AScenario, scenarios.AStudy)
	}
	if err != nil {
		return nil, nil, err
	}
	var seed *uint64
	if from.seed != "" {
		v, err := strconv.ParseUint(from.seed, 0, 63)
		if err != nil {
			return nil, nil, fail(exitUsage, "--seed: got %q, want a whole number from 0", from.seed)
		}
		seed = &v
	}
	var given []folder.File
	err = load(text, seed, func(name string) (string, []byte, error) {
		called, text := name, []byte(nil)
		if builtin, ok := scenarios.Builtin(name); ok {
			text = builtin
		} else {
			if !filepath.IsAbs(name) {
				called = filepath.Join(filepath.Dir(from.arg), name)
			}
			var err error
			if called, text, err = a.read(called); err != nil {
				return called, nil, err
			}
		}
		given = append(given, folder.File{Path: fmt.Sprintf("scenarios/%d.toml", len(given)), Data: text})
		return called, text, nil
	})
	if err != nil {
		if wrong := wrongKind(from.arg, text, scenarios.AStudy); wrong != nil {
			err = wrong
		}
		return nil, nil, exit{exitInvalid, err}
	}
	return text, given, nil
}

// folder is where the study goes, which is of a mode, after a look whether it can.
func (w *sweep) folder(s *study.Study, mode string) (folder.Place, error) {
	if w.resume != "" {
		if w.to.dir != "" && filepath.Clean(w.to.dir) != filepath.Clean(w.resume) {
			return folder.Place{}, fail(exitUsage, "--resume %s goes on with that folder: want no other --out", w.resume)
		}
		w.to.dir = w.resume
	}
	place := w.to.at(filepath.Join("runs", s.Name+"-"+studies.Key(s.ID)))
	place.Dir = filepath.Clean(place.Dir)
	return place, unwritten("--out", folder.Check(place, folder.Attributes{Name: s.Name, ScenarioID: s.ID, Seed: s.Seed, Mode: mode}))
}

// progressLog keeps the runs that have ended, beside the folder that the study
// will have, so that they outlive the program whatever ends it.
type progressLog struct {
	name   string
	log    *durable.Log
	runs   []study.Run
	synced time.Time
	err    error       // of the write that failed
	full   atomic.Bool // there is one; safe to ask while runs are added
}

// syncEvery is how much a loss of power may cost. To write each run through
// would cost more than many a run.
const syncEvery = time.Second

// openProgress takes up what was kept in dir.progress, or begins anew unless
// something must be there. A line that was cut short is dropped, which notes is
// told.
func openProgress(s *study.Study, dir string, must bool, notes io.Writer) (*progressLog, error) {
	l := &progressLog{name: dir + ".progress", synced: time.Now()}
	log, lines, err := durable.OpenLog(l.name, s.Header(version()), !must)
	var other *durable.OtherLog
	switch {
	case errors.Is(err, fs.ErrNotExist) && must:
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return nil, fail(exitUsage, "--resume %s: nothing to go on with: there is no %s, which a study that was stopped leaves; this folder is whole", dir, l.name)
		}
		return nil, fail(exitUsage, "--resume: nothing to go on with: %w", err)
	case errors.Is(err, durable.ErrLocked):
		return nil, fail(exitEnvironment, "--out: another flyball writes %s: wait for it, or name another folder", l.name)
	case errors.As(err, &other):
		return nil, fail(exitInvalid, "%s:1: %w\ndelete it, or name another folder, to begin anew", l.name, s.Foreign(other.Header, version()))
	case errors.Is(err, durable.ErrDamaged):
		return nil, exit{exitInvalid, err}
	case err != nil:
		return nil, fail(exitEnvironment, "--out: %w", err)
	}
	if l.runs, err = s.Runs(lines.Records); err != nil {
		log.Close()
		return nil, fail(exitInvalid, "%s: %w\ndelete it, or name another folder, to begin anew", l.name, err)
	}
	if lines.Torn > 0 {
		fmt.Fprintf(notes, "%s: dropped the last line, which was cut short after %d bytes: that run is made again\n", l.name, lines.Torn)
	}
	l.log = log
	return l, nil
}

// add keeps a run. After a write that failed it keeps no more.
func (l *progressLog) add(r study.Run) {
	if l.err != nil {
		return
	}
	l.err = l.log.Append(r.Record())
	if now := time.Now(); l.err == nil && now.Sub(l.synced) >= syncEvery {
		l.err, l.synced = l.log.Sync(), now
	}
	if l.err != nil {
		l.full.Store(true)
		return
	}
	l.runs = append(l.runs, r)
}

// stop writes through what a signal has left.
func (l *progressLog) stop() error {
	if l.err == nil {
		l.err = l.log.Sync()
	}
	if l.err != nil {
		return fail(exitEnvironment, "--out: %w", l.err)
	}
	return nil
}

// done takes the file away: the folder has it all.
func (l *progressLog) done() { l.log.Remove() }

func (l *progressLog) close() { l.log.Close() }

func (l *progressLog) observed() []studies.Run {
	all := make([]studies.Run, len(l.runs))
	for i, r := range l.runs {
		all[i] = studies.Run(r)
	}
	return all
}

// sweepRuns makes the runs that are not there yet, until a signal.
func (a *app) sweepRuns(s *study.Study, w *sweep, log *progressLog, stop *signals) error {
	each := uint64(s.Replications)
	from, total := uint64(len(log.runs)), uint64(len(s.Points))*each
	bar := a.progress(s.Name)
	defer bar.end()
	defer a.brokenPoint(s, &w.from)
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // as for replications
	_, err := sim.Sweep(s.Loaded(), each, from, w.jobs,
		func(i uint64, world *sim.World, end vt.Time) study.Run {
			point := s.Points[i/each]
			folded := describeAs(point.Loaded, point.ID, "sim", end, false)
			world.Record().Fold(folded, uint64(point.Loaded.Recipients()), 0)
			return study.Run(studies.RunOf(run.Fold(folded, nil, ""), s.Metrics))
		},
		func(r study.Run) {
			log.add(r)
			bar.at(uint64(len(log.runs)), total)
		},
		func() bool { return stop.signal() == nil && !log.full.Load() })
	if err != nil {
		return fail(exitInvalid, "%w", err)
	}
	if log.err != nil {
		return fail(exitEnvironment, "--out: %w", log.err)
	}
	return nil
}

// brokenPoint reports a broken invariant in one run so that this one can be
// seen again alone.
func (a *app) brokenPoint(s *study.Study, from *source) {
	v := recover()
	if b, ok := v.(sim.Broken); ok {
		point, replication := s.Points[b.Replication/uint64(s.Replications)], b.Replication%uint64(s.Replications)
		a.where = func() string {
			return fmt.Sprintf("point %d, replication %d, %s", b.Replication/uint64(s.Replications), replication, b.Where)
		}
		a.replay = from.runLine(s.Names[point.Scenario], s.Settings(point), replication)
		if os.Getenv("FLYBALL_TRACE") != "" {
			a.errout.Write(b.Stack)
		}
		v = b.Value
	}
	if v != nil {
		panic(v)
	}
}

// runLine is the command that makes one run of a study again.
func (s *source) runLine(scenario string, set []string, replication uint64) string {
	words := []string{"flyball run", quote(relative(s.arg, scenario))}
	for _, v := range set {
		words = append(words, "--set", quote(v))
	}
	return strings.Join(append(words, "--replication", fmt.Sprint(replication)), " ")
}

// relative is a scenario's name as it is known from the current folder.
func relative(study, name string) string {
	if _, ok := scenarios.Builtin(name); ok || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(study), name)
}

// studyLine is the command that makes a study again.
func (s *source) studyLine(command string) string {
	words := []string{"flyball", command, quote(s.arg)}
	for _, v := range s.sets {
		words = append(words, "--set", quote(v))
	}
	if s.seed != "" {
		words = append(words, "--seed", s.seed)
	}
	return strings.Join(words, " ")
}

// described is the study as its report needs it, without what was measured.
func described(s *study.Study, replay string) studies.Report {
	r := studies.Report{Name: s.Name, About: s.About, ID: s.ID, Design: s.Design, Seed: s.Seed, Replications: s.Replications,
		Scenarios: s.Names, Metrics: s.Metrics, Replay: replay}
	for _, axis := range s.Axes {
		r.Axes = append(r.Axes, studies.Axis{Keys: axis.Keys, Values: axis.Values})
	}
	if c := s.Choice; c.Of != "" {
		of := s.Axis(c.Of)
		r.Choice = &studies.Choice{Of: of, Rows: s.Axis(c.Rows), Columns: s.Axis(c.Columns), Noise: s.Axis(c.Noise), Default: slices.Index(s.Axes[of].Values, c.Default)}
		for _, v := range c.Aside {
			r.Choice.Aside = append(r.Choice.Aside, slices.Index(s.Axes[of].Values, string(v)))
		}
	}
	for _, p := range s.Points {
		r.Points = append(r.Points, studies.Point{Scenario: p.Scenario, ID: p.ID, At: p.At})
	}
	return r
}
