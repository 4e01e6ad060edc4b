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
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
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
	facts   uint64 // records that the journal has at least
	id      journal.ID
	journal *journal.Journal
	before  journal.Contents

	returned *returned // to the record before; nil: the mailing has not
}

// header begins the file of a mailing. The digest of what it is about follows.
const header = "flyball mailing 2 "

// kept is what must stay the same when a mailing goes on.
type kept struct {
	Date   time.Time `json:"date"`   // of all messages
	Secret mail.Key  `json:"secret"` // of the addresses to which mail returns

	// Suppression is the SHA-256 of the suppression list; empty: the mailing began without one.
	Suppression string `json:"suppression,omitempty"`
}

// ReturnPaths returns the date of the mailing in a state folder and the key of its return paths. A run may be using the
// folder.
func ReturnPaths(dir string) (date time.Time, key mail.Key, err error) {
	name := filepath.Join(dir, "mailing")
	text, err := task.ReadFile("--mailing", name, input.Progress)
	if err != nil {
		return date, key, err
	}
	head, _, _ := strings.Cut(string(text), "\n")
	lines, err := durable.ReadLog(text, name, head)
	switch {
	case !strings.HasPrefix(head, header):
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

// name names a mailing among others: no two have the same key.
func (k kept) name() string { return fmt.Sprintf("mailing %.6x", sha256.Sum256(k.Secret[:])) }

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
	st.log, lines, err = durable.OpenLog(name, fmt.Sprintf(header+"%x", digest), !q.Resume)
	if other := new(durable.OtherLog); errors.As(err, &other) {
		return task.Fail(task.Usage, "--state: %s: got the folder of another mailing, want the one of this scenario, "+
			"seed, list, letter and key, with %s, or a new folder", st.dir, q.kind())
	}
	switch {
	case errors.Is(err, durable.ErrLocked):
		return task.Fail(task.Usage, "--state: %s: got a folder that another run uses, want one at a time", st.dir)
	case errors.Is(err, os.ErrNotExist) && q.Resume:
		return task.Fail(task.Usage, "--resume: %s: got no such file, want the file of a mailing that was begun", name)
	case errors.Is(err, durable.ErrDamaged):
		damage := new(durable.Damage)
		errors.As(err, &damage)
		return task.Fail(task.Invalid, "--state: %s:%d: %s: want the file as a run left it, or a new folder", name,
			damage.Line, damage.Text)
	case err != nil:
		return task.Fail(task.Environment, "--state: %w", err)
	}
	if err := st.take(name, lines, files, q.Suppress); err != nil {
		return err
	}
	st.id = st.mailing.id(digest)
	if st.journal, st.before, err = journal.Open(files, st.id); err == nil && !q.Resume {
		if st.resumed() {
			return task.Fail(task.Usage, "--state: %s: got a mailing that was begun, want --resume too to go on with "+
				"it, or a new folder", st.dir)
		}
	}
	switch damage := new(journal.Damage); {
	case errors.Is(err, journal.ErrMissing) && st.facts > 0:
		return task.Fail(task.Invalid, "--state: %s/facts-00000001: got no file, want the facts of the mailing: "+
			"without them recipients would have a second message", st.dir)
	case errors.Is(err, journal.ErrMissing):
		st.journal, err = journal.Create(files, st.id)
	case errors.As(err, &damage):
		return task.Fail(task.Invalid, "--state: %s/%w", st.dir, err)
	case errors.Is(err, journal.ErrOther):
		return task.Fail(task.Invalid, "--state: %s/%w, want the one that belongs to %s", st.dir, err, name)
	}
	if err != nil {
		return task.Fail(task.Environment, "--state: %s: %w", st.dir, err)
	}
	if n := st.journal.Records(); n < st.facts {
		return task.Fail(task.Invalid, "--state: %s/facts-%08d: got records up to %d, want %d or more, which were "+
			"there when a run began or ended", st.dir, max(1, st.before.Epoch-1), n, st.facts)
	}
	if len(lines.Records) < 2 && st.resumed() {
		// With another key, a message that is sent again would have other bytes.
		return task.Fail(task.Invalid, "--state: %s:%d: got the end of the file and a journal with facts, want date, "+
			"key and masters with which the mailing began", name, len(lines.Records)+2)
	}
	return nil
}

// take takes the records of the mailing, or begins one.
func (st *state) take(name string, lines durable.Lines, files durable.Files, suppress string) error {
	w, err := readMailing(lines)
	if err != nil {
		return task.Fail(task.Invalid, "--state: %s%w", name, err)
	}
	if st.mailing, st.masters, st.facts, st.returned = w.kept, w.masters, w.facts, w.returned; len(lines.Records) > 0 {
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

// written is what the file of a mailing has.
type written struct {
	kept
	masters  []byte    // nil: not yet
	facts    uint64    // number of records that the facts have at least
	returned *returned // see state
}

// readMailing returns what the file of a mailing has. Its error begins with the line.
func readMailing(lines durable.Lines) (w written, err error) {
	for i, line := range lines.Records {
		switch {
		case i == 0:
			if err := json.Unmarshal(line, &w.kept); err != nil {
				return w, fmt.Errorf(":2: got no date and key: %w", err)
			}
		case i == 1:
			w.masters = line
		case bytes.HasPrefix(line, []byte("{")):
			w.returned = new(returned)
			if err := json.Unmarshal(line, w.returned); err != nil {
				return w, fmt.Errorf(":%d: got no record that the mailing has returned to: %w", i+2, err)
			}
		default:
			if w.facts, err = strconv.ParseUint(string(line), 10, 64); err != nil {
				return w, fmt.Errorf(":%d: got %q, want a number of records", i+2, line)
			}
		}
	}
	return w, nil
}

// id names the journal of a mailing, which no other one has, of the same scenario and list either.
func (k kept) id(digest journal.ID) journal.ID {
	return journal.ID(sha256.Sum256(append(digest[:], k.Secret[:]...)))
}

// mark keeps how many records the facts have, so that a run that goes on misses any of them.
func (st *state) mark() error {
	return errors.Join(st.log.Append(strconv.AppendUint(nil, st.journal.Records(), 10)), st.log.Sync())
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
func (st *state) begin(suppress string) error {
	st.mailing = (*state)(nil).own()
	if suppress != "" {
		list, err := task.ReadFile("--suppress", suppress, input.Suppression)
		if err != nil {
			return err
		}
		st.mailing.Suppression = fmt.Sprintf("%x", sha256.Sum256(list))
		if err := durable.Write(filepath.Join(st.dir, suppressionFile), list); err != nil {
			return err
		}
	}
	text, err := json.Marshal(st.mailing)
	if err != nil {
		return err
	}
	return errors.Join(st.log.Append(text), st.log.Sync())
}

// suppressionFile has the suppression list as it was when the mailing began: by it the recipients are numbered.
const suppressionFile = "suppression"

// suppression returns that list.
func (st *state) suppression() ([]byte, error) {
	if st.mailing.Suppression == "" {
		return nil, nil
	}
	name := filepath.Join(st.dir, suppressionFile)
	list, err := input.Read(name, input.Suppression)
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(list)) != st.mailing.Suppression {
		err = errors.New("got another list than the one with which the mailing began")
	}
	if err != nil {
		return nil, task.Fail(task.Invalid, "--state: %s: %w", name, err)
	}
	return list, nil
}

// barred returns an error if somebody who has asked for nothing since the mailing began is not suppressed any more.
func (st *state) barred(m *realrun.Mailing, suppress string) error {
	late := map[mail.Recipient]bool{}
	for _, r := range m.Late {
		late[r] = true
	}
	for _, e := range st.before.Entries {
		if f, ok := e.Fact.(engine.Barred); ok && !late[f.Rcpt] {
			return shrunk(suppress, m.Address(f.Rcpt).String())
		}
	}
	return nil
}

// shrunk returns the error of a suppression list without an entry that it had before.
func shrunk(name, entry string) error {
	return task.Fail(task.Usage, "--suppress: %s: got a list without %s, which was in it before, want one that has "+
		"grown: a mailing that goes on takes no recipient in again", cmp.Or(name, "none"), entry)
}

// archive writes the masters of a letter, before the first message is sent, unless they are there.
func (st *state) archive(masters []message.Master) error {
	dir := filepath.Join(st.dir, "masters")
	var files []durable.File
	there := 0
	for _, f := range archived(masters) {
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

// letter keeps which recipients a mailing has and which masters its letter, whose attachments are in files of their
// own, or compares them.
func (st *state) letter(m *realrun.Mailing) error {
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
			"as by another allowlist, want those with which the mailing began", st.dir)
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
func (st *state) Close() (err error) {
	if st == nil {
		return nil
	}
	if st.journal != nil {
		err = st.journal.Close()
		if st.masters != nil { // the run has begun
			err = errors.Join(err, st.mark())
		}
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
	}{{"--list", q.List, input.List},
		{"--template", q.Template, input.Template}} {
		one := sha256.New()
		if f.name != "" {
			file, err := task.OpenInput(f.flag, f.name, f.kind)
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
func doubts(all []realrun.Doubt, m *realrun.Mailing, servers []string) (words []string, file []folder.File) {
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
		w.Write([]string{strconv.Itoa(int(d.Rcpt)), m.Address(d.Rcpt).String(), strconv.Itoa(int(d.Try) + 1),
			servers[d.Server], then})
	}
	w.Flush() // to memory
	words = []string{fmt.Sprintf("Ambiguous: %s ended between the final dot and the reply, %d of them held; "+
		"recipients of the others may have a second message: %s", format.Plural(uint64(len(all)), "attempt"), held,
		doubtsFile)}
	return words, []folder.File{{Path: doubtsFile, Data: text.Bytes()}}
}
