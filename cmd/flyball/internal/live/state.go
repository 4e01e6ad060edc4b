package live

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/journal"
	"flyball/realrun/message"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/scenarios"
)

// state is the folder in which a live run keeps its mailing, so that another run can go on with it:
//
//	mailing          which mailing it is, locked while a run uses the folder
//	facts-00000001   the journal, see package journal
//	masters/*.eml    the masters of the letter, each named by its SHA-256 ([0083], P200)
type state struct {
	dir     string
	log     *durable.Log
	mailing kept
	masters []byte // of the letter, as the log has them; nil: not yet
	journal *journal.Journal
	before  journal.Contents

	returned *returned // to the record before; nil: the mailing has not
}

// kept is what must stay the same when a mailing goes on.
type kept struct {
	Date   time.Time `json:"date"`   // of all messages
	Secret mail.Key  `json:"secret"` // of the addresses to which mail returns
}

// ReturnPaths returns the date of the mailing in a state folder and the key of its return paths. A run may be using the
// folder.
func ReturnPaths(dir string) (date time.Time, key mail.Key, err error) {
	name := filepath.Join(dir, "mailing")
	text, err := task.ReadFile("--mailing", name, input.Progress)
	if err != nil {
		return date, key, err
	}
	header, _, _ := strings.Cut(string(text), "\n")
	lines, err := durable.ReadLog(text, name, header)
	switch {
	case !strings.HasPrefix(header, mailingHeader):
		return date, key, task.Fail(task.Invalid, "--mailing: %s:1: got no mailing, want the folder that a live run "+
			"keeps with --state", name)
	case err != nil:
		return date, key, task.Fail(task.Invalid, "--mailing: %w", err)
	case len(lines.Records) == 0:
		return date, key, task.Fail(task.Invalid, "--mailing: %s: got a mailing that has not begun, want its key", name)
	}
	var k kept
	if err := json.Unmarshal(lines.Records[0], &k); err != nil {
		return date, key, task.Fail(task.Invalid, "--mailing: %s:2: got no date and key: %w", name, err)
	}
	return k.Date, k.Secret, nil
}

// mailingHeader begins the file of a mailing.
const mailingHeader = "flyball mailing 1 "

// openState opens the folder for the mailing of a question. It returns nil if there is no folder.
func (q *Run) openState(s *scenarios.Scenario) (st *state, err error) {
	if q.State == "" {
		return nil, nil
	}
	digest, err := q.digest(s)
	if err != nil {
		return nil, err
	}
	st = &state{dir: q.State}
	files := durable.Files(q.State)
	if !q.Resume {
		if err := files.Make(); err != nil {
			return nil, task.Fail(task.Environment, "--state: %w", err)
		}
	}
	if err := st.open(q, files, digest); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func (st *state) open(q *Run, files durable.Files, digest journal.ID) (err error) {
	name := filepath.Join(st.dir, "mailing")
	var lines durable.Lines
	st.log, lines, err = durable.OpenLog(name, fmt.Sprintf("%s%x", mailingHeader, digest), !q.Resume)
	if other := new(durable.OtherLog); errors.As(err, &other) {
		return task.Fail(task.Usage, "--state: %s: got the folder of another mailing, want the one of this scenario, "+
			"seed, list, suppression, letter and key, with %s, or a new folder", st.dir, q.kind())
	}
	switch {
	case errors.Is(err, durable.ErrLocked):
		return task.Fail(task.Usage, "--state: %s: got a folder that another run uses, want one at a time", st.dir)
	case errors.Is(err, os.ErrNotExist) && q.Resume:
		return task.Fail(task.Usage, "--resume: got no mailing in %s, want one that was begun", st.dir)
	case errors.Is(err, durable.ErrDamaged):
		damage := new(durable.Damage)
		errors.As(err, &damage)
		return task.Fail(task.Invalid, "--state: %s:%d: %s: want the file as a run left it, or a new folder", name,
			damage.Line, damage.Text)
	case err != nil:
		return task.Fail(task.Environment, "--state: %w", err)
	}
	if len(lines.Records) > 1 {
		st.masters = lines.Records[1]
	}
	if len(lines.Records) > 2 {
		st.returned = new(returned)
		if err := json.Unmarshal(lines.Records[2], st.returned); err != nil {
			return task.Fail(task.Invalid, "--state: %s:4: got no record that the mailing has returned to: %w", name,
				err)
		}
	}
	if st.journal, st.before, err = journal.Open(files, digest); err == nil && !q.Resume {
		if st.resumed() {
			return task.Fail(task.Usage, "--state: %s: got a mailing that was begun, want --resume too to go on with "+
				"it, or a new folder", st.dir)
		}
	}
	if errors.Is(err, journal.ErrMissing) {
		st.journal, err = journal.Create(files, digest)
	}
	if damage := new(journal.Damage); errors.As(err, &damage) {
		return task.Fail(task.Invalid, "--state: %s/%w", st.dir, err)
	}
	if err != nil {
		return task.Fail(task.Environment, "--state: %s: %w", st.dir, err)
	}
	if len(lines.Records) < 2 && st.resumed() {
		// With another key, a message that is sent again would have other bytes.
		return task.Fail(task.Invalid, "--state: %s:%d: got the end of the file and a journal with facts, want date, "+
			"key and masters with which the mailing began", name, len(lines.Records)+2)
	}
	if len(lines.Records) > 0 {
		if err := json.Unmarshal(lines.Records[0], &st.mailing); err != nil {
			return task.Fail(task.Invalid, "--state: %s:2: got no date and key: %w", name, err)
		}
		return nil
	}
	if err := st.begin(); err != nil {
		return task.Fail(task.Environment, "--state: %w", err)
	}
	return nil
}

// own returns what stays the same in a mailing: of a run that keeps none, what it draws.
func (st *state) own() (k kept) {
	if st != nil {
		return st.mailing
	}
	k.Date = time.Now().Round(0)
	rand.Read(k.Secret[:]) // never fails
	return k
}

// begin begins a mailing.
func (st *state) begin() error {
	st.mailing = (*state)(nil).own()
	text, err := json.Marshal(st.mailing)
	if err != nil {
		return err
	}
	return errors.Join(st.log.Append(text), st.log.Sync())
}

// archive writes the masters of a letter, before the first message is sent.
func (st *state) archive(masters []message.Master) error {
	if len(masters) == 0 {
		return nil
	}
	var files []durable.File
	for _, f := range archived(masters) {
		files = append(files, durable.File{Path: filepath.Base(f.Path), Data: f.Data})
	}
	// A run that stopped meanwhile may have left them.
	return durable.Folder(filepath.Join(st.dir, "masters"), files, func() error { return nil })
}

// letter keeps which masters a letter has, whose attachments are in files of their own, or compares them.
func (st *state) letter(masters []message.Master) error {
	var digests []string
	for _, m := range masters {
		digests = append(digests, m.Digest)
	}
	text, err := json.Marshal(digests)
	switch {
	case err != nil:
		return err
	case st.masters == nil:
		if err := st.archive(masters); err != nil {
			return task.Fail(task.Environment, "--state: %w", err)
		}
		if err := errors.Join(st.log.Append(text), st.log.Sync()); err != nil {
			return task.Fail(task.Environment, "--state: %w", err)
		}
	case !bytes.Equal(st.masters, text):
		return task.Fail(task.Usage, "--state: %s: got a letter with other files, want those with which the mailing "+
			"began", st.dir)
	}
	return nil
}

// Close makes everything durable, and lets another run use the folder.
func (st *state) Close() (err error) {
	if st == nil {
		return nil
	}
	if st.journal != nil {
		err = st.journal.Close()
		st.journal = nil
	}
	if st.log != nil {
		err = errors.Join(err, st.log.Close())
		st.log = nil
	}
	return err
}

// resumed reports whether a run goes on with a mailing.
func (st *state) resumed() bool { return st != nil && len(st.before.Entries) > 0 }

// kind returns words for the kind of receivers. What receivers of one kind took, those of another have not: a mailing
// that is rehearsed must not count as delivered.
func (q *Run) kind() string {
	switch {
	case q.Outside.Allow != "":
		return "receivers of an allowlist"
	case q.foreign():
		return "receivers on loopback by --receiver or --resolver"
	}
	return "Flyball's own receivers"
}

// digest returns a digest of all that decides who gets which message: scenario and seed, list and letter, and the kind
// of receivers.
func (q *Run) digest(s *scenarios.Scenario) (id journal.ID, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %v %s\n", scenarios.ID(s), s.Seed, q.FoldCase, q.kind())
	for _, f := range []struct {
		flag, name string
		kind       input.Kind
	}{{"--list", q.List, input.List}, {"--suppress", q.Suppress, input.Suppression},
		{"--template", q.Template, input.Template}} {
		one := sha256.New()
		if f.name != "" {
			file, err := task.Open(f.flag, f.name, f.kind)
			if err != nil {
				return id, err
			}
			_, err = io.Copy(one, file)
			file.Close()
			if err != nil {
				return id, task.Fail(task.Environment, "%s: %w", f.flag, err)
			}
		}
		fmt.Fprintf(h, "%s %x\n", f.flag, one.Sum(nil))
	}
	if _, file, signs := strings.Cut(q.DKIM, "="); signs {
		key, err := task.ReadFile("--dkim", file, input.Key)
		if err != nil {
			return id, err
		}
		fmt.Fprintf(h, "--dkim %q %x\n", q.DKIM, sha256.Sum256(key))
	}
	return journal.ID(h.Sum(nil)), nil
}

// boot names the time from the last start of the operating system to the next; another number each time if the system
// does not.
func boot() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	if text, err := input.Read("/proc/sys/kernel/random/boot_id", input.Proc); err == nil {
		sum := sha256.Sum256(bytes.TrimSpace(text))
		copy(b[:], sum[:])
	}
	return cmp.Or(binary.BigEndian.Uint64(b[:]), 1)
}

// doubtsFile lists ambiguous attempts.
const doubtsFile = "ambiguous.csv"

// doubts returns lines about the ambiguous attempts of a mailing, and the file with them.
func doubts(all []realrun.Doubt, m *realrun.Mailing) (words []string, file []folder.File) {
	if len(all) == 0 {
		return []string{"Ambiguous: no attempt ended between its final dot and the reply"}, nil
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	w.Write([]string{"recipient", "email", "try", "server", "then"})
	held := 0
	for _, d := range all {
		then := "resent"
		if d.Status == mail.Held {
			then = "held"
			held++
		} else if d.Status == mail.Failed {
			then = "failed"
		}
		w.Write([]string{strconv.Itoa(int(d.Rcpt)), m.Address(d.Rcpt).String(), strconv.Itoa(int(d.Try)),
			strconv.Itoa(int(d.Server)), then})
	}
	w.Flush() // to memory
	words = []string{fmt.Sprintf("Ambiguous: %s ended between the final dot and the reply, %d of them held; "+
		"recipients of the others may have a second message: %s", format.Plural(uint64(len(all)), "attempt"), held,
		doubtsFile)}
	return words, []folder.File{{Path: doubtsFile, Data: text.Bytes()}}
}
