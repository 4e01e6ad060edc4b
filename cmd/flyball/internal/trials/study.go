package trials

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/folder"
	studies "flyball/reports/study"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
)

// Study asks for the runs of a study: all its points, or a search in them.
type Study struct {
	From       task.Source // of the study; its settings are applied before the settings of the points
	Workers    int         // runs at the same time; changes no result
	Program    string      // version of flyball that makes the runs; another version does not continue them
	Bus        Bus         // of workers in other processes; then Workers may be 0
	Resume     string      // folder of the same study, stopped: continue it
	task.Place             // by default runs/NAME-KEY, KEY from the content

	texts [][]byte     // of the scenarios, once the study is loaded
	files *atomic.Bool // a scenario takes something from a file
}

// DefaultStudy returns a question without a study.
func DefaultStudy() Study { return Study{Workers: runtime.GOMAXPROCS(0)} }

// Swept is the report on all points of a study, and its folder.
type Swept struct {
	Report *studies.Report
	Dir    string
}

// Validate returns an error if the question makes no sense.
func (q *Study) Validate() error {
	return q.Bus.check(q.Workers)
}

// Sweep makes the runs of all points and writes their folder. If ctx ends, it returns
// Stopped; the runs that have ended are kept beside the folder, and the next Sweep of
// the same study continues from them.
func (q *Study) Sweep(ctx context.Context, watch task.Watch) (*Swept, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	s, text, given, err := q.LoadStudy()
	if err != nil {
		return nil, err
	}
	total := len(s.Points) * s.Replications
	place, err := q.folder(s, folder.StudyMode)
	if err != nil {
		return nil, err
	}
	dir := place.Dir
	log, err := openProgress(s, q.Program, dir, q.Resume != "", watch)
	if err != nil {
		return nil, err
	}
	defer log.close()
	if n := len(log.runs); n > 0 {
		watch.Note("continuing after %d of %d runs", n, total)
	}
	began := time.Now()
	make := q.sweep
	if q.Bus.Used() {
		make = q.farmed
	}
	if err := make(ctx, s, log, watch); err != nil {
		return nil, err
	}
	if n := len(log.runs); n < total {
		if err := log.stop(); err != nil {
			return nil, err
		}
		return nil, task.Stopped{Done: n, Total: total, Kept: log.name,
			GoOn: q.replay("sweep") + " --resume " + task.Quote(dir)}
	}
	report := studies.Gather(described(s, q.replay("sweep")), log.observed(), task.Host(began))
	if err := task.Unwritten("folder of the study", report.Write(place, text, given)); err != nil {
		return nil, err
	}
	log.done()
	return &Swept{report, dir}, nil
}

// sweep makes the runs that are still missing, until ctx ends.
func (q *Study) sweep(ctx context.Context, s *study.Study, log *progressLog, watch task.Watch) error {
	each := uint64(s.Replications)
	from, total := uint64(len(log.runs)), uint64(len(s.Points))*each
	defer task.BrokenRun(q.broken(s))
	defer task.ManyRuns()()
	own := new(task.Recipients) // synthetic lists
	_, err := sim.Sweep(s.Loaded(), each, from, q.Workers,
		func(i uint64, world *sim.World, end vt.Time) study.Run {
			r := task.Observe(s.Points[i/each].Loaded, own, i%each, world, end)
			return study.Run(studies.RunOf(r, s.Metrics))
		},
		func(r study.Run) {
			log.add(r)
			watch.At(s.Name, uint64(len(log.runs)), total)
		},
		func() bool { return ctx.Err() == nil && !log.full.Load() })
	if err != nil {
		return task.Fail(task.Invalid, "%w", err)
	}
	if log.err != nil {
		return task.Fail(task.Environment, "--out: %w", log.err)
	}
	return nil
}

// broken returns a function that describes a broken invariant in one of the runs.
func (q *Study) broken(s *study.Study) func(sim.Broken) (where, replay string) {
	each := uint64(s.Replications)
	return func(b sim.Broken) (where, replay string) {
		point, replication := b.Replication/each, b.Replication%each
		p := s.Points[point]
		return fmt.Sprintf("point %d, replication %d, %s", point, replication, b.Where),
			q.replayRun(s.Names[p.Scenario], s.Settings(p), replication)
	}
}

// LoadStudy reads and checks a study. Given holds the texts of its scenarios, as the
// folder of the study keeps them.
func (q *Study) LoadStudy() (loaded *study.Study, text []byte, given []folder.File, err error) {
	text, given, err = q.read(func(text []byte, seed *uint64, read study.Read) (err error) {
		loaded, err = study.Load(q.From.Arg, text, q.From.Set, seed, read)
		return err
	})
	return loaded, text, given, err
}

// read calls load with the text of a study and a function that reads the
// scenarios it names. It returns the text, and the scenarios as files for the folder
// of the study.
func (q *Study) read(load func(text []byte, seed *uint64, read study.Read) error) ([]byte, []folder.File, error) {
	from := &q.From
	if from.Arg == "-" {
		return nil, nil, task.Fail(task.Usage, "got -, want the file of a study: paths in a study are relative to its "+
			"folder")
	}
	if err := task.WrongFolder(from.Arg, kinds.Study); err != nil {
		return nil, nil, err
	}
	text, err := task.ReadFile("", from.Arg, input.Scenario)
	if _, builtin := scenarios.Builtin(from.Arg); builtin && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, task.RefuseKind(task.Usage, from.Arg, kinds.Scenario, kinds.Study)
	}
	if err != nil {
		return nil, nil, err
	}
	seed, err := task.ParseSeed(from.Seed)
	if err != nil {
		return nil, nil, err
	}
	var given []folder.File
	q.texts, q.files = nil, new(atomic.Bool) // points are loaded on all cores
	err = load(text, seed, func(name string) (study.Text, error) {
		called, text := name, []byte(nil)
		if builtin, ok := scenarios.Builtin(name); ok {
			text = builtin
		} else {
			if !filepath.IsAbs(name) {
				called = filepath.Join(filepath.Dir(from.Arg), name)
			}
			var err error
			if called, text, err = from.Read(called); err != nil {
				return study.Text{}, err
			}
		}
		given = append(given, folder.File{Path: fmt.Sprintf("scenarios/%d.toml", len(given)), Data: text})
		q.texts = append(q.texts, text)
		from := task.OutsideOf(called)
		files := from.Files
		from.Files = func(name string) ([]byte, error) {
			q.files.Store(true)
			return files(name)
		}
		return study.Text{Name: called, TOML: text, From: from}, nil
	})
	if err != nil {
		if wrong := task.WrongKind(from.Arg, text, kinds.Study); wrong != nil {
			return nil, nil, wrong
		}
		return nil, nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return text, given, nil
}

// folder returns the folder of the study, and an error if it cannot be written. Mode
// is folder.StudyMode or folder.TuningMode.
func (q *Study) folder(s *study.Study, mode string) (folder.Place, error) {
	to := q.Place
	if q.Resume != "" {
		if to.Dir != "" && filepath.Clean(to.Dir) != filepath.Clean(q.Resume) {
			return folder.Place{}, task.Fail(task.Usage, "--resume %s continues that folder: want no other --out",
				q.Resume)
		}
		to.Dir = q.Resume
	}
	place := to.At(filepath.Join("runs", s.Name+"-"+studies.Key(s.ID)), nil)
	place.Dir = filepath.Clean(place.Dir)
	return place, task.Unwritten("--out", folder.Check(place, folder.Attributes{Name: s.Name, ScenarioID: s.ID,
		Seed: s.Seed, Mode: mode}))
}

// described returns the report of a study without its results. Replay is the command
// that repeats the study.
func described(s *study.Study, replay string) studies.Report {
	r := studies.Report{Name: s.Name, About: s.About, ID: s.ID, Design: s.Design, Seed: s.Seed,
		Replications: s.Replications,
		Scenarios:    s.Names, Metrics: s.Metrics, Replay: replay}
	for _, axis := range s.Axes {
		r.Axes = append(r.Axes, studies.Axis{Keys: axis.Keys, Values: axis.Values})
	}
	if c := s.Choice; c.Of != "" {
		of := s.Axis(c.Of)
		r.Choice = &studies.Choice{Of: of, Rows: s.Axis(c.Rows), Columns: s.Axis(c.Columns), Noise: s.Axis(c.Noise),
			Default: slices.Index(s.Axes[of].Values, c.Default)}
		for _, v := range c.Aside {
			r.Choice.Aside = append(r.Choice.Aside, slices.Index(s.Axes[of].Values, string(v)))
		}
	}
	for _, p := range s.Points {
		r.Points = append(r.Points, studies.Point{Scenario: p.Scenario, ID: p.ID, At: p.At})
	}
	return r
}

// replay returns the command line that repeats the study. Command is sweep or tune.
func (q *Study) replay(command string) string {
	words := []string{"flyball", command, task.Quote(q.From.Arg)}
	for _, v := range q.From.Set {
		words = append(words, "--set", task.Quote(v))
	}
	if q.From.Seed != "" {
		words = append(words, "--seed", q.From.Seed)
	}
	return strings.Join(words, " ")
}

// replayRun returns the command line that repeats one run of the study: a replication
// of a scenario that the study names, with the settings set.
func (q *Study) replayRun(scenario string, set []string, replication uint64) string {
	if _, builtin := scenarios.Builtin(scenario); !builtin && !filepath.IsAbs(scenario) {
		scenario = filepath.Join(filepath.Dir(q.From.Arg), scenario)
	}
	words := []string{"flyball run", task.Quote(scenario)}
	for _, v := range set {
		words = append(words, "--set", task.Quote(v))
	}
	return strings.Join(append(words, "--replication", fmt.Sprint(replication)), " ")
}
