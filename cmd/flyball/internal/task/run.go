package task

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"flyball/internal/input"
	"flyball/internal/vt"
	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
)

// Numbers of replications that can be asked for.
const (
	LeastReplications = 2
	MostReplications  = 10_000
)

// checkpointFile is where a stopped simulation is kept in its folder.
const checkpointFile = "checkpoint"

// Run asks for one simulation of a scenario.
type Run struct {
	From        Source
	Replication uint64 // of the seed's draws
	Recipients  Recipients
	Sensitivity bool   // also find out what the answer hangs on
	Of          string // metric that Sensitivity looks at; empty: the headline of the run
	Workers     int    // servers, or runs of the sensitivity, at the same time; changes no result
	Resume      string // folder of the same run, stopped: go on from there
	Keep        KeepRecipients
	Attempts    bool // the folder has a table of all attempts
	Place            // by default runs/NAME-KEY, KEY from the content
}

// DefaultRun returns a question about the scenario as it is.
func DefaultRun() Run { return Run{Workers: runtime.GOMAXPROCS(0), Keep: KeepAuto} }

// Outcome is a run that has ended, or was stopped, and what its folder holds.
type Outcome struct {
	Report   *run.Report
	Words    []string // what else there is to say
	Unjudged int      // expectations that do not speak of this kind of run
	Dir      string   // run folder
	place    folder.Place
	extra    run.Extra

	Recipients *run.RecipientsFile // nil where their ends were not kept
	Attempts   *Attempts           // nil without a table of them
}

// NewOutcome folds a run that has ended into its report. Settings are those of its
// folder.
func NewOutcome(s *scenarios.Scenario, text []byte, ended *runlog.Run, replay string, to Place, settings []string,
	more []folder.File) *Outcome {
	r := run.Fold(ended, s.Expect, replay)
	if ended.Receiver == "" { // somebody else's receiver does not follow the model
		r.Assumptions = s.Assumptions()
	}
	place := to.At(filepath.Join("runs", Name(ended)), settings)
	return &Outcome{Recipients: recipientsOf(ended), Report: r, Unjudged: len(s.Expect) - len(r.Expectations),
		Dir: place.Dir, place: place,
		extra: run.Extra{ScenarioTOML: text, ResolvedTOML: scenarios.Resolved(s), More: more}}
}

// Validate returns an error with everything in the question that makes no sense for s.
func (q *Run) Validate(s *scenarios.Scenario) error {
	var of error
	if q.Sensitivity {
		of = checkMetric(s, q.Of)
	}
	var whole error
	if q.Attempts && q.Resume != "" {
		whole = Fail(Usage, "--attempts: got --resume too, want one of them: the attempts before the stop are not kept")
	}
	return errors.Join(CheckWorkers(q.Workers), q.Keep.Validate(), of, whole, q.From.Learns(s))
}

// Do makes the run. A context that ends stops it: the outcome is then marked
// partial and can be resumed, but while the sensitivity is found it is
// ErrStopped. The folder is not written yet, so that a full disk does not cost
// the answer.
func (q *Run) Do(ctx context.Context, watch Watch) (*Outcome, error) {
	s, text, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	if err := q.Validate(s); err != nil {
		return nil, err
	}
	if err := q.Recipients.Read(s); err != nil {
		return nil, err
	}
	if err := WrongFile(q.Resume); err != nil {
		return nil, err
	}
	to := q.Place
	if q.Resume != "" && to.Dir == "" && filepath.Base(q.Resume) != q.partialName(s) {
		to.Dir = filepath.Clean(q.Resume)
	}
	replay, settings := q.replay(s), slices.Concat(q.flagged(), q.Recipients.Content(), SettingsOf(s))
	began := time.Now()
	w, err := q.network(s)
	if err != nil {
		return nil, err
	}
	if err := to.Check(Attributes(s, "sim", q.Replication), settings); err != nil {
		return nil, err
	}
	w.Workers = q.Workers
	var attempts *Attempts
	if q.Attempts {
		if attempts, err = NewAttempts(TraceNames(s)); err != nil {
			return nil, err
		}
		w.Trace(attempts.Add)
	}
	end, stopped := Alone(w, replay, func(p sim.Progress) bool {
		watch.Out(s, p.Final, p.Total, w.Forecast, nil)
		return ctx.Err() == nil
	})

	ended := Header(s, scenarios.ID(s), "sim", end, stopped)
	ended.Replication = q.Replication
	q.Recipients.Fold(w, s, ended)
	ended.Host = Host(began)
	more := q.Recipients.Files()
	var lessons []string
	if !stopped {
		var file []folder.File
		file, lessons = Learned(s, w.Learned())
		more = append(more, file...)
	}
	if saved := w.Checkpoint(); saved != nil {
		more = append(more, folder.File{Path: checkpointFile, Data: saved})
	}
	out := NewOutcome(s, text, ended, replay, to, settings, more)
	q.Recipients.name(out.Recipients, s, w.List())
	if out.Attempts = attempts; attempts != nil {
		out.Report.Stages = attempts.Stages(nil)
	}
	if q.Sensitivity && !stopped {
		if out.Report.Sensitivity = q.hangsOn(ctx, s, out.Report, watch); out.Report.Sensitivity == nil {
			return nil, ErrStopped
		}
		if to.Dir == "" { // a plain run shall not replace it
			out.Dir += "-sensitivity"
			out.place.Dir = out.Dir
		}
	}
	out.Words = append(lessons, q.Recipients.Words()...)
	if q.Resume != "" && !stopped && to.Dir != filepath.Clean(q.Resume) {
		out.Words = append(out.Words, fmt.Sprintf("The part that it goes on from stays in %s", q.Resume))
	}
	return out, nil
}

// replay returns the command that makes the run again.
func (q *Run) replay(s *scenarios.Scenario) string {
	return q.From.CommandLine("run", s.Seed, q.flagged()...)
}

// ReplayAlone returns the command that repeats this replication alone, 0 included.
// Seed is the scenario's.
func (q *Run) ReplayAlone(seed uint64) string {
	return q.From.CommandLine("run", seed, append([]string{"--replication", fmt.Sprint(q.Replication)},
		q.Recipients.Flags()...)...)
}

// flagged are the flags that make the run again.
func (q *Run) flagged() []string {
	var words []string
	if q.Replication > 0 {
		words = append(words, "--replication", fmt.Sprint(q.Replication))
	}
	if q.Of != "" {
		words = append(words, "--of", q.Of)
	}
	words = append(words, q.Recipients.Flags()...)
	if q.Sensitivity {
		words = append(words, "--sensitivity")
	}
	return slices.Concat(words, q.Keep.Flags(), AttemptsFlag(q.Attempts, false))
}

// network builds the network of the run, or takes up a stopped run.
func (q *Run) network(s *scenarios.Scenario) (*sim.World, error) {
	list := q.Recipients.List()
	if q.Resume == "" {
		n := s.Recipients()
		if list != nil {
			n = list.Len()
		}
		keep, err := q.Keep.Keeps(list != nil, n)
		if err != nil {
			return nil, err
		}
		w, err := sim.New(s, q.Replication, list, nil)
		if err != nil {
			return nil, Error{Invalid, err}
		}
		if keep {
			w.KeepOutcomes()
		}
		return w, nil
	}
	saved, err := ReadFile("--resume", filepath.Join(q.Resume, checkpointFile), input.Checkpoint)
	if err != nil {
		return nil, notStopped(q.Resume, err)
	}
	w, err := sim.Resume(s, q.Replication, list, nil, saved)
	if err != nil {
		return nil, Fail(Invalid, "--resume %s: %w", q.Resume, err)
	}
	return w, nil
}

// notStopped returns the refusal to go on with a folder whose checkpoint cannot be
// read, for the reason that can be seen.
func notStopped(dir string, err error) error {
	const want = "want the folder of a run that a signal stopped"
	if _, gone := os.Stat(dir); gone != nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if n, err := folder.Replications(dir); err == nil && n <= 1 {
		return Fail(Usage, "--resume %s: that run has ended, so there is nothing to go on with; %s (flyball report "+
			"%s prints its report)",
			dir, want, Quote(dir))
	}
	return Fail(Usage, "--resume %s: got a folder without a checkpoint, %s", dir, want)
}

// partialName returns what the folder of the same run is called if it is stopped.
func (q *Run) partialName(s *scenarios.Scenario) string {
	stopped := Header(s, scenarios.ID(s), "sim", 0, true)
	stopped.Replication, stopped.List = q.Replication, q.Recipients.digest
	return Name(stopped)
}

// Alone runs a network to its end, and panics with Broken if an invariant
// breaks.
func Alone(w *sim.World, replay string, goOn func(sim.Progress) bool) (end vt.Time, stopped bool) {
	defer func() {
		if v := recover(); v != nil {
			panic(Broken{v, w.Where(), replay, debug.Stack()})
		}
	}()
	return w.Run(goOn)
}
