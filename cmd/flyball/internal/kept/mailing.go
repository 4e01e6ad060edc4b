package kept

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun/journal"
)

// header begins the file of a mailing. The digest of what it is about follows.
const header = "flyball mailing 2 "

// Mailing is what must stay the same when a mailing goes on.
type Mailing struct {
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
	var k Mailing
	if err := json.Unmarshal(lines.Records[0], &k); err != nil {
		return date, key, task.Fail(task.Invalid, "--mailing: %s:2: got no date and key: %w", name, err)
	}
	return k.Date, k.Secret, nil
}

// Requests returns the folder, in the folder of a mailing, with what its recipients have asked for.
func Requests(dir string) string { return filepath.Join(dir, "requests") }

// Name names a mailing among others: no two have the same key.
func (k Mailing) Name() string { return fmt.Sprintf("mailing %.6x", sha256.Sum256(k.Secret[:])) }

// Returned is what the folder of a mailing keeps of a return to the record of parameters before.
type Returned struct {
	Record int    `json:"record"` // that is in force from then on
	Why    string `json:"why"`
}

// written is what the file of a mailing has.
type written struct {
	Mailing
	masters  []byte    // nil: not yet
	facts    uint64    // number of records that the facts have at least
	returned *Returned // see State
}

// readMailing returns what the file of a mailing has. Its error begins with the line.
func readMailing(lines durable.Lines) (w written, err error) {
	for i, line := range lines.Records {
		switch {
		case i == 0:
			if err := json.Unmarshal(line, &w.Mailing); err != nil {
				return w, fmt.Errorf(":2: got no date and key: %w", err)
			}
		case i == 1:
			w.masters = line
		case bytes.HasPrefix(line, []byte("{")):
			w.returned = new(Returned)
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
func (k Mailing) id(digest journal.ID) journal.ID {
	return journal.ID(sha256.Sum256(append(digest[:], k.Secret[:]...)))
}

// Read returns the facts of the mailing in a folder. A run may be using the folder.
func Read(dir string) ([]journal.Entry, error) {
	name := filepath.Join(dir, "mailing")
	text, err := input.Read(name, input.Progress)
	if err != nil {
		return nil, task.Fail(task.Usage, "%w: want the folder of realrun --state", err)
	}
	head, _, _ := strings.Cut(string(text), "\n")
	sum, _ := strings.CutPrefix(head, header)
	var digest journal.ID
	if raw, err := hex.DecodeString(sum); err != nil || copy(digest[:], raw) != len(digest) || len(raw) != len(digest) {
		return nil, task.Fail(task.Invalid, "%s:1: got %q, want the header of a mailing", name, head)
	}
	lines, err := durable.ReadLog(text, name, head)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	mailing, err := readMailing(lines)
	if err != nil {
		return nil, task.Fail(task.Invalid, "%s%w", name, err)
	}
	c, err := journal.Read(durable.Files(dir), mailing.id(digest))
	if err != nil && !errors.Is(err, journal.ErrMissing) {
		return nil, task.Fail(task.Invalid, "%s: %w", dir, err)
	}
	return c.Entries, nil
}

// Boot names the time from the last start of the operating system to the next; another number each time if the system
// does not.
func Boot() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	if text, err := input.Read("/proc/sys/kernel/random/boot_id", input.Proc); err == nil {
		sum := sha256.Sum256(bytes.TrimSpace(text))
		copy(b[:], sum[:])
	}
	return cmp.Or(binary.BigEndian.Uint64(b[:]), 1)
}
