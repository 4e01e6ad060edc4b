package trials

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	studies "flyball/reports/study"
	"flyball/scenarios/study"
)

// progressLog is the file of the runs of a study that have ended. It stands beside
// the future folder of the study, so that a crash loses no more than the last runs.
type progressLog struct {
	name   string
	log    *durable.Log
	runs   []study.Run
	synced time.Time
	err    error       // of the first write that failed
	full   atomic.Bool // err is set; may be read while runs are added
}

// syncEvery is how much work a loss of power may cost. Many runs are shorter than a
// sync to the disk, so each run is not synced by itself.
const syncEvery = time.Second

// openProgress opens dir.progress and reads the runs in it. If the file is missing,
// it is created, or with must an error is returned. A line that was cut short is
// dropped, with a warning.
func openProgress(s *study.Study, program, dir string, must bool, watch task.Watch) (*progressLog, error) {
	l := &progressLog{name: dir + ".progress", synced: time.Now()}
	log, lines, err := durable.OpenLog(l.name, s.Header(program), !must)
	var other *durable.OtherLog
	switch {
	case errors.Is(err, fs.ErrNotExist) && must:
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return nil, task.Fail(task.Usage, "--resume %s: nothing to continue: this folder is whole; a stopped "+
				"study leaves %s, which is missing", dir, l.name)
		}
		return nil, task.Fail(task.Usage, "--resume: nothing to continue: %w", err)
	case errors.Is(err, durable.ErrLocked):
		return nil, task.Fail(task.Environment, "--out: another flyball is writing %s: wait for it, or name another "+
			"folder", l.name)
	case errors.As(err, &other):
		return nil, task.Fail(task.Invalid, "%s:1: %w\nto start again, delete the file or name another folder", l.name,
			s.Foreign(other.Header, program))
	case errors.Is(err, durable.ErrDamaged):
		return nil, task.Error{Kind: task.Invalid, Err: err}
	case err != nil:
		return nil, task.Fail(task.Environment, "--out: %w", err)
	}
	if l.runs, err = s.Runs(lines.Records); err != nil {
		log.Close()
		return nil, task.Fail(task.Invalid, "%s: %w\nto start again, delete the file or name another folder", l.name,
			err)
	}
	if lines.Torn > 0 {
		watch.Warn("%s: dropped the last line, which was cut short after %d bytes: that run is made again", l.name,
			lines.Torn)
	}
	l.log = log
	return l, nil
}

// add appends a run to the file. After a write that failed it does nothing.
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

// read appends the run that a record has.
func (l *progressLog) read(s *study.Study, record []byte) {
	if runs, err := s.Runs([][]byte{record}); err != nil {
		l.err = err
	} else {
		l.add(runs[0])
	}
}

// records returns the runs as records of the file.
func (l *progressLog) records() [][]byte {
	all := make([][]byte, len(l.runs))
	for i, r := range l.runs {
		all[i] = r.Record()
	}
	return all
}

// keep drops all runs but the first n.
func (l *progressLog) keep(n int) error {
	if l.err == nil {
		l.err = l.log.Keep(n)
	}
	if l.err == nil {
		l.runs = l.runs[:n]
	}
	return l.err
}

// stop syncs the file to the disk.
func (l *progressLog) stop() error {
	if l.err == nil {
		l.err = l.log.Sync()
	}
	if l.err != nil {
		return task.Fail(task.Environment, "--out: %w", l.err)
	}
	return nil
}

// done removes the file when the folder of the study is written.
func (l *progressLog) done() { l.log.Remove() }

func (l *progressLog) close() { l.log.Close() }

func (l *progressLog) observed() []studies.Run {
	all := make([]studies.Run, len(l.runs))
	for i, r := range l.runs {
		all[i] = studies.Run(r)
	}
	return all
}
