package task

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"flyball/internal/durable"
	studies "flyball/reports/study"
	"flyball/scenarios/study"
)

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
// something must be there. A line that was cut short is dropped, and noted.
func openProgress(s *study.Study, program, dir string, must bool, watch Watch) (*progressLog, error) {
	l := &progressLog{name: dir + ".progress", synced: time.Now()}
	log, lines, err := durable.OpenLog(l.name, s.Header(program), !must)
	var other *durable.OtherLog
	switch {
	case errors.Is(err, fs.ErrNotExist) && must:
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return nil, fail(Usage, "--resume %s: nothing to go on with: there is no %s, which a study that was stopped leaves; this folder is whole", dir, l.name)
		}
		return nil, fail(Usage, "--resume: nothing to go on with: %w", err)
	case errors.Is(err, durable.ErrLocked):
		return nil, fail(Environment, "--out: another flyball writes %s: wait for it, or name another folder", l.name)
	case errors.As(err, &other):
		return nil, fail(Invalid, "%s:1: %w\ndelete it, or name another folder, to begin anew", l.name, s.Foreign(other.Header, program))
	case errors.Is(err, durable.ErrDamaged):
		return nil, Error{Invalid, err}
	case err != nil:
		return nil, fail(Environment, "--out: %w", err)
	}
	if l.runs, err = s.Runs(lines.Records); err != nil {
		log.Close()
		return nil, fail(Invalid, "%s: %w\ndelete it, or name another folder, to begin anew", l.name, err)
	}
	if lines.Torn > 0 {
		watch.warn("%s: dropped the last line, which was cut short after %d bytes: that run is made again", l.name, lines.Torn)
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
		return fail(Environment, "--out: %w", l.err)
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
