// Package kept is the folder in which a live run keeps its mailing, so that another run can go on with it.
package kept

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun/journal"
	"flyball/realrun/mailing"
	"flyball/realrun/message"
	"flyball/reports/folder"
)

// State is the folder in which a live run keeps its mailing, so that another run can go on with it:
//
//	mailing          which mailing it is, locked while a run uses the folder
//	facts-00000001   the journal, see package journal
//	masters/*.eml    the masters of the letter, each named by its SHA-256 ([0083], P200)
type State struct {
	Dir     string
	log     *durable.Log
	mailing Mailing
	masters []byte // of the letter, as the log has them; nil: not yet
	facts   uint64 // records that the journal has at least
	id      journal.ID
	Journal *journal.Journal
	Before  journal.Contents // of the journal

	Returned *Returned // to the record before; nil: the mailing has not
}

// Open opens the folder dir for the mailing with a digest, which mails receivers of a kind, in words. The mailing goes
// on if resume, and else begins with the suppression list in a file, if suppress names one.
func Open(dir string, resume bool, suppress string, digest journal.ID, kind string) (*State, error) {
	st := &State{Dir: dir}
	files := durable.Files(dir)
	if !resume {
		if err := files.Make(); err != nil {
			return nil, task.Fail(task.Environment, "--state: %w", err)
		}
	}
	if err := st.open(resume, files, suppress, digest, kind); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func (st *State) open(resume bool, files durable.Files, suppress string, digest journal.ID, kind string) (err error) {
	name := filepath.Join(st.Dir, "mailing")
	var lines durable.Lines
	st.log, lines, err = durable.OpenLog(name, fmt.Sprintf(header+"%x", digest), !resume)
	if other := new(durable.OtherLog); errors.As(err, &other) {
		return task.Fail(task.Usage, "--state: %s: got the folder of another mailing, want the one of this scenario, "+
			"seed, list, letter and key, with %s, or a new folder", st.Dir, kind)
	}
	switch {
	case errors.Is(err, durable.ErrLocked):
		return task.Fail(task.Usage, "--state: %s: got a folder that another run uses, want one at a time", st.Dir)
	case errors.Is(err, os.ErrNotExist) && resume:
		return task.Fail(task.Usage, "--resume: %s: got no such file, want the file of a mailing that was begun", name)
	case errors.Is(err, durable.ErrDamaged):
		damage := new(durable.Damage)
		errors.As(err, &damage)
		return task.Fail(task.Invalid, "--state: %s:%d: %s: want the file as a run left it, or a new folder", name,
			damage.Line, damage.Text)
	case err != nil:
		return task.Fail(task.Environment, "--state: %w", err)
	}
	if err := st.take(name, lines, files, suppress); err != nil {
		return err
	}
	st.id = st.mailing.id(digest)
	if st.Journal, st.Before, err = journal.Open(files, st.id); err == nil && !resume {
		if st.Resumed() {
			return task.Fail(task.Usage, "--state: %s: got a mailing that was begun, want --resume too to go on with "+
				"it, or a new folder", st.Dir)
		}
	}
	switch damage := new(journal.Damage); {
	case errors.Is(err, journal.ErrMissing) && st.facts > 0:
		return task.Fail(task.Invalid, "--state: %s/facts-00000001: got no file, want the facts of the mailing: "+
			"without them recipients would have a second message", st.Dir)
	case errors.Is(err, journal.ErrMissing):
		st.Journal, err = journal.Create(files, st.id)
	case errors.As(err, &damage):
		return task.Fail(task.Invalid, "--state: %s/%w", st.Dir, err)
	case errors.Is(err, journal.ErrOther):
		return task.Fail(task.Invalid, "--state: %s/%w, want the one that belongs to %s", st.Dir, err, name)
	}
	if err != nil {
		return task.Fail(task.Environment, "--state: %s: %w", st.Dir, err)
	}
	if n := st.Journal.Records(); n < st.facts {
		return task.Fail(task.Invalid, "--state: %s/facts-%08d: got records up to %d, want %d or more, which were "+
			"there when a run began or ended", st.Dir, max(1, st.Before.Epoch-1), n, st.facts)
	}
	if len(lines.Records) < 2 && st.Resumed() {
		// With another key, a message that is sent again would have other bytes.
		return task.Fail(task.Invalid, "--state: %s:%d: got the end of the file and a journal with facts, want date, "+
			"key and masters with which the mailing began", name, len(lines.Records)+2)
	}
	return nil
}

// take takes the records of the mailing, or begins one.
func (st *State) take(name string, lines durable.Lines, files durable.Files, suppress string) error {
	w, err := readMailing(lines)
	if err != nil {
		return task.Fail(task.Invalid, "--state: %s%w", name, err)
	}
	st.mailing, st.masters, st.facts, st.Returned = w.Mailing, w.masters, w.facts, w.returned
	if len(lines.Records) > 0 {
		return nil
	}
	names, err := files.Names()
	if err == nil && slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "facts-") }) {
		return task.Fail(task.Invalid, "--state: %s:2: got the end of the file and a journal with facts, want "+
			"date, key and masters with which the mailing began", name)
	}
	if err := errors.Join(err, st.begin(suppress)); err != nil {
		return task.Fail(task.Environment, "--state: %w", err)
	}
	return nil
}

// mark keeps how many records the facts have, so that a run that goes on misses any of them.
func (st *State) mark() error {
	return errors.Join(st.log.Append(strconv.AppendUint(nil, st.Journal.Records(), 10)), st.log.Sync())
}

// Own returns what stays the same in a mailing: of a run that keeps none, what it draws.
func (st *State) Own() (k Mailing) {
	if st != nil {
		return st.mailing
	}
	k.Date = time.Now().Round(0)
	rand.Read(k.Secret[:]) // never fails
	return k
}

// begin begins a mailing.
func (st *State) begin(suppress string) error {
	st.mailing = (*State)(nil).Own()
	if suppress != "" {
		list, err := task.ReadFile("--suppress", suppress, input.Suppression)
		if err != nil {
			return err
		}
		st.mailing.Suppression = fmt.Sprintf("%x", sha256.Sum256(list))
		if err := durable.Write(filepath.Join(st.Dir, SuppressionFile), list); err != nil {
			return err
		}
	}
	text, err := json.Marshal(st.mailing)
	if err != nil {
		return err
	}
	return errors.Join(st.log.Append(text), st.log.Sync())
}

// SuppressionFile has the suppression list as it was when the mailing began: by it the recipients are numbered.
const SuppressionFile = "suppression"

// Suppression returns the suppression list with which the mailing began; nil: there was none.
func (st *State) Suppression() ([]byte, error) {
	if st.mailing.Suppression == "" {
		return nil, nil
	}
	name := filepath.Join(st.Dir, SuppressionFile)
	list, err := input.Read(name, input.Suppression)
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(list)) != st.mailing.Suppression {
		err = errors.New("got another list than the one with which the mailing began")
	}
	if err != nil {
		return nil, task.Fail(task.Invalid, "--state: %s: %w", name, err)
	}
	return list, nil
}

// Barred returns an error if somebody who has asked for nothing since the mailing began is not suppressed any more.
func (st *State) Barred(m *mailing.Mailing, suppress string) error {
	late := map[mail.Recipient]bool{}
	for _, r := range m.Late {
		late[r] = true
	}
	for _, e := range st.Before.Entries {
		if f, ok := e.Fact.(engine.Barred); ok && !late[f.Rcpt] {
			return Shrunk(suppress, m.Address(f.Rcpt).String())
		}
	}
	return nil
}

// Shrunk returns the error of a suppression list without an entry that it had before.
func Shrunk(name, entry string) error {
	return task.Fail(task.Usage, "--suppress: %s: got a list without %s, which was in it before, want one that has "+
		"grown: a mailing that goes on takes no recipient in again", cmp.Or(name, "none"), entry)
}

// archive writes the masters of a letter, before the first message is sent, unless they are there.
func (st *State) archive(masters []message.Master) error {
	dir := filepath.Join(st.Dir, "masters")
	var files []durable.File
	there := 0
	for _, f := range Archived(masters) {
		name := filepath.Base(f.Path)
		files = append(files, durable.File{Path: name, Data: f.Data})
		if text, err := input.Read(filepath.Join(dir, name), input.RunFile); err == nil && bytes.Equal(text, f.Data) {
			there++
		}
	}
	if there == len(files) {
		return nil
	}
	return durable.Folder(dir, files, func() error {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		for _, e := range entries {
			if filepath.Ext(e.Name()) != ".eml" || e.IsDir() {
				return fmt.Errorf("%s: got what is not a master, want masters alone: one of them is missing or changed",
					filepath.Join(dir, e.Name()))
			}
		}
		return err
	})
}

// Letter keeps which recipients a mailing has and which masters its letter, whose attachments are in files of their
// own, or compares them.
func (st *State) Letter(m *mailing.Mailing) error {
	masters := m.Masters()
	digests := []string{"recipients " + m.Digest()}
	for _, m := range masters {
		digests = append(digests, m.Digest)
	}
	text, err := json.Marshal(digests)
	switch {
	case err != nil:
		return err
	case st.masters != nil && !bytes.Equal(st.masters, text):
		return task.Fail(task.Usage, "--state: %s: got other files of the letter, or other accepted rows of the list "+
			"as by another allowlist, want those with which the mailing began", st.Dir)
	}
	if err := st.archive(masters); err != nil {
		return task.Fail(task.Environment, "--state: %w", err)
	}
	if st.masters == nil {
		if err := errors.Join(st.log.Append(text), st.log.Sync()); err != nil {
			return task.Fail(task.Environment, "--state: %w", err)
		}
		st.masters = text
	}
	if err := st.mark(); err != nil {
		return task.Fail(task.Environment, "--state: %w", err)
	}
	return nil
}

// Close makes everything durable, and lets another run use the folder.
func (st *State) Close() (err error) {
	if st == nil {
		return nil
	}
	if st.Journal != nil {
		err = st.Journal.Close()
		if st.masters != nil { // the run has begun
			err = errors.Join(err, st.mark())
		}
		st.Journal = nil
	}
	if st.log != nil {
		err = errors.Join(err, st.log.Close())
		st.log = nil
	}
	return err
}

// Resumed reports whether a run goes on with a mailing.
func (st *State) Resumed() bool { return st != nil && len(st.Before.Entries) > 0 }

// Returns keeps that the mailing has returned to a record.
func (st *State) Returns(r Returned) error {
	if st == nil {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return errors.Join(st.log.Append(text), st.log.Sync())
}

// Archived returns the masters of a letter as files of a run folder, each by its digest.
func Archived(masters []message.Master) (files []folder.File) {
	for i, m := range masters {
		if !slices.ContainsFunc(masters[:i], func(of message.Master) bool { return of.Digest == m.Digest }) {
			files = append(files, folder.File{Path: "masters/" + m.Digest + ".eml", Data: m.Message})
		}
	}
	return files
}
