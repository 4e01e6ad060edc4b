package trials

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/task"
)

// Recorded is a folder that candidates can be compared with later: a folder of replications for each scenario.
type Recorded struct {
	Dir   string
	Names []string // of the scenarios
	Runs  int      // of each scenario
}

// RecordedRuns returns the number of runs of each scenario that a gate may look at.
func RecordedRuns(quick bool) int {
	n, looks := DefaultPairs, gateLooks
	if quick {
		looks = quickLooks
	}
	for range looks - 1 {
		n *= morePairs
	}
	return n
}

// Record makes Pairs runs of each scenario with the changes of Base, and writes them to the folder Dir. If ctx ends, it
// returns an ErrStopped; the scenarios before that are written.
func (q *Compare) Record(ctx context.Context, watch task.Watch) (*Recorded, error) {
	side, err := parseSide(q.Base)
	if err != nil {
		return nil, err
	}
	var folders error
	if side.folder {
		folders = task.Fail(task.Usage,
			"--record: got the folder %s, want law:NAME or set:key=value: a folder has its "+
				"runs", q.Base)
	}
	if err := errors.Join(folders, q.Validate()); err != nil {
		return nil, err
	}
	all, err := q.toTry(side, candidate{}, noCandidate)
	if err != nil {
		return nil, err
	}
	out := &Recorded{Dir: q.Dir, Runs: q.Pairs}
	for _, t := range all {
		out.Names = append(out.Names, t.scenario.Name)
	}
	if err := q.onlyThese(out.Names); err != nil {
		return nil, err
	}
	for i, t := range all {
		one := DefaultReplicate()
		one.From, one.Replications, one.Workers = t.from, q.Pairs, q.Workers
		one.Place = task.Place{Dir: filepath.Join(q.Dir, out.Names[i]), Force: q.Force}
		made, err := one.Do(ctx, watch)
		switch {
		case errors.Is(err, task.ErrStopped) || err == nil && made.Report.Partial:
			return nil, task.Stopped{Done: i * q.Pairs, Total: len(all) * q.Pairs, Kept: q.Dir}
		case err != nil:
			return nil, err
		}
	}
	return out, nil
}

// onlyThese returns an error if the folder Dir holds something that would be taken for a scenario but is not recorded
// now: a comparison would find old runs beside new ones.
func (q *Compare) onlyThese(names []string) error {
	entries, err := os.ReadDir(q.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return task.Fail(task.Environment, "--record: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			return task.Fail(task.Usage, "--record: %s holds %s, which is not recorded now (%s are): want a folder of "+
				"its own", q.Dir, e.Name(), strings.Join(names, ", "))
		}
	}
	return nil
}
