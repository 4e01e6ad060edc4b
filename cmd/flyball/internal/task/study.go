package task

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/run"
	studies "flyball/reports/study"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
)

// Study asks for the runs of a study: all its points, or a search in them.
type Study struct {
	From    Source // of the study; its settings are applied before the settings of the points
	Workers int    // runs at the same time; changes no result
	Program string // version of flyball that makes the runs; another version does not continue them
	Resume  string // folder of the same study, stopped: continue it
	Place          // by default runs/NAME-KEY, KEY from the content
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
	if q.Workers < 1 {
		return fail(Usage, "--jobs: got %d, want 1 or more", q.Workers)
	}
	return nil
}

// Sweep makes the runs of all points and writes their folder. If ctx ends, it returns
// Stopped; the runs that have ended are kept beside the folder, and the next Sweep of
// the same study continues from them.
func (q *Study) Sweep(ctx context.Context, watch Watch) (*Swept, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	s, text, given, err := q.From.LoadStudy()
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
		watch.note("continuing after %d of %d runs", n, total)
	}
	began := time.Now()
	if err := q.sweep(ctx, s, log, watch); err != nil {
		return nil, err
	}
	if n := len(log.runs); n < total {
		if err := log.stop(); err != nil {
			return nil, err
		}
		return nil, Stopped{n, total, log.name, q.From.studyLine("sweep") + " --resume " + Quote(dir)}
	}
	report := studies.Gather(described(s, q.From.studyLine("sweep")), log.observed(), host(began))
	if err := unwritten("folder of the study", report.Write(place, text, given)); err != nil {
		return nil, err
	}
	log.done()
	return &Swept{report, dir}, nil
}

// sweep makes the runs that are still missing, until ctx ends.
func (q *Study) sweep(ctx context.Context, s *study.Study, log *progressLog, watch Watch) error {
	each := uint64(s.Replications)
	from, total := uint64(len(log.runs)), uint64(len(s.Points))*each
	defer brokenRun(q.broken(s))
	defer manyRuns()()
	_, err := sim.Sweep(s.Loaded(), each, from, q.Workers,
		func(i uint64, world *sim.World, end vt.Time) study.Run {
			point := s.Points[i/each]
			folded := Header(point.Loaded, point.ID, "sim", end, false)
			world.Record().Fold(folded, uint64(point.Loaded.Recipients()), 0)
			return study.Run(studies.RunOf(run.Fold(folded, nil, ""), s.Metrics))
		},
		func(r study.Run) {
			log.add(r)
			watch.at(s.Name, uint64(len(log.runs)), total)
		},
		func() bool { return ctx.Err() == nil && !log.full.Load() })
	if err != nil {
		return fail(Invalid, "%w", err)
	}
	if log.err != nil {
		return fail(Environment, "--out: %w", log.err)
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
			q.From.runLine(s.Names[p.Scenario], s.Settings(p), replication)
	}
}

// LoadStudy reads and checks a study. Given holds the texts of its scenarios, as the
// folder of the study keeps them.
func (s *Source) LoadStudy() (loaded *study.Study, text []byte, given []folder.File, err error) {
	text, given, err = s.readStudy(func(text []byte, seed *uint64, read study.Read) (err error) {
		loaded, err = study.Load(s.Arg, text, s.Set, seed, read)
		return err
	})
	return loaded, text, given, err
}

// readStudy calls load with the text of a study and a function that reads the
// scenarios it names. It returns the text, and the scenarios as files for the folder
// of the study.
func (s *Source) readStudy(load func(text []byte, seed *uint64, read study.Read) error) ([]byte, []folder.File, error) {
	if s.Arg == "-" {
		return nil, nil, fail(Usage, "got -, want the file of a study: paths in a study are relative to its folder")
	}
	if err := wrongFolder(s.Arg, scenarios.AStudy); err != nil {
		return nil, nil, err
	}
	text, err := ReadFile("", s.Arg, input.Scenario)
	if _, builtin := scenarios.Builtin(s.Arg); builtin && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, refuseKind(Usage, s.Arg, scenarios.AScenario, scenarios.AStudy)
	}
	if err != nil {
		return nil, nil, err
	}
	var seed *uint64
	if s.Seed != "" {
		v, err := strconv.ParseUint(s.Seed, 0, 63)
		if err != nil {
			return nil, nil, fail(Usage, "--seed: got %q, want a whole number from 0", s.Seed)
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
				called = filepath.Join(filepath.Dir(s.Arg), name)
			}
			var err error
			if called, text, err = s.Read(called); err != nil {
				return called, nil, err
			}
		}
		given = append(given, folder.File{Path: fmt.Sprintf("scenarios/%d.toml", len(given)), Data: text})
		return called, text, nil
	})
	if err != nil {
		if wrong := WrongKind(s.Arg, text, scenarios.AStudy); wrong != nil {
			return nil, nil, wrong
		}
		return nil, nil, Error{Invalid, err}
	}
	return text, given, nil
}

// folder returns the folder of the study, and an error if it cannot be written. Mode
// is folder.StudyMode or folder.TuningMode.
func (q *Study) folder(s *study.Study, mode string) (folder.Place, error) {
	to := q.Place
	if q.Resume != "" {
		if to.Dir != "" && filepath.Clean(to.Dir) != filepath.Clean(q.Resume) {
			return folder.Place{}, fail(Usage, "--resume %s continues that folder: want no other --out", q.Resume)
		}
		to.Dir = q.Resume
	}
	place := to.at(filepath.Join("runs", s.Name+"-"+studies.Key(s.ID)), nil)
	place.Dir = filepath.Clean(place.Dir)
	return place, unwritten("--out", folder.Check(place, folder.Attributes{Name: s.Name, ScenarioID: s.ID, Seed: s.Seed,
		Mode: mode}))
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
