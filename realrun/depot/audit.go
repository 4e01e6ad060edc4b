package depot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
)

// Access is an entry of a depot's audit.
type Access struct {
	At   time.Time `json:"at"`
	Who  string    `json:"who"`  // name of the client; of a stranger, the address
	Role Role      `json:"role"` // empty: of a stranger
	What string    `json:"what"` // method and path
	From int64     `json:"from"` // first byte of a part that was asked for
	Code int       `json:"code"` // of the answer, see net/http
	// Before is the number of accesses of strangers that have no entry of their own, since there were too many.
	Before int `json:"before,omitempty"`
}

// audit is the accesses to a depot. A file that exceeds most bytes is renamed; beyond mostOlder renamed files the
// oldest is removed.
type audit struct {
	files durable.Files
	most  int64 // bytes of a file

	lock  sync.Mutex
	log   *durable.Log // nil: it is to be opened
	size  int64
	older []int // numbers of older files

	day       string          // of seen
	seen      map[string]bool // accesses that have their entry of the day
	strangers time.Time       // when a stranger had the last entry
	unwritten int             // accesses of strangers since
}

// Names and bounds of the audit.
const (
	auditName   = "audit"
	auditHeader = "flyball depot audit 1"
	mostAudit   = 16 << 20    // bytes of a file: some 100,000 entries
	mostOlder   = 8           // older files
	mostSeen    = 100_000     // accesses of a day that are distinguished: a client may make up paths
	perStranger = time.Minute // between two entries of strangers: they must not push out the others
)

// open opens the audit.
func (a *audit) open() error {
	names, err := a.files.Names()
	if err != nil {
		return err
	}
	a.older = nil
	for _, name := range names {
		text, is := strings.CutPrefix(name, auditName+"-")
		if n, err := strconv.Atoi(text); is && err == nil && olderName(n) == name {
			a.older = append(a.older, n)
		}
	}
	slices.Sort(a.older)
	log, had, err := durable.OpenLog(a.path(auditName), auditHeader, true)
	if err != nil {
		return err
	}
	a.log, a.size = log, 0
	for _, text := range had.Records {
		var e Access
		if json.Unmarshal(text, &e) == nil { // what is wrong with it is said to who reads the audit
			a.isNew(e)
		}
		a.size += int64(len(text))
	}
	return nil
}

func olderName(n int) string { return fmt.Sprintf("%s-%06d", auditName, n) }

func (a *audit) path(name string) string { return filepath.Join(string(a.files), name) }

// isNew reports whether an access is the first of its day with its client, method, path and code.
func (a *audit) isNew(e Access) bool {
	if day := e.At.UTC().Format(time.DateOnly); day != a.day || len(a.seen) >= mostSeen {
		a.day, a.seen = day, map[string]bool{}
	}
	key := fmt.Sprint(e.Who, " ", e.What, " ", e.Code)
	if a.seen[key] {
		return false
	}
	a.seen[key] = true
	return true
}

// enter writes an entry, and makes it durable: each time, or once a day. Strangers get at most one entry in
// perStranger.
func (a *audit) enter(e Access, daily bool) error {
	a.lock.Lock()
	defer a.lock.Unlock()
	switch {
	case e.Role == "":
		if since := e.At.Sub(a.strangers); since >= 0 && since < perStranger {
			a.unwritten++
			return nil
		}
		e.Before, a.strangers, a.unwritten = a.unwritten, e.At, 0
	case daily && !a.isNew(e):
		return nil
	}
	text, err := json.Marshal(e)
	if err == nil && a.size > a.most {
		err = a.turn()
	}
	if err == nil && a.log == nil {
		err = a.open()
	}
	if err == nil {
		err = errors.Join(a.log.Append(text), a.log.Sync())
	}
	if err != nil {
		a.day = "" // so that it is entered the next time
		if a.log != nil {
			a.log.Close() // a log goes on with nothing after its first error
			a.log = nil
		}
		return err
	}
	a.size += int64(len(text))
	return nil
}

// turn makes the file an older one, and removes the first one of too many.
func (a *audit) turn() error {
	if a.log != nil {
		err := a.log.Close()
		if a.log = nil; err != nil {
			return err
		}
	}
	n := 1
	if len(a.older) > 0 {
		n = a.older[len(a.older)-1] + 1
	}
	err := a.files.Rename(auditName, olderName(n))
	if err == nil {
		a.older, a.size = append(a.older, n), 0
		err = a.files.Sync()
	}
	for err == nil && len(a.older) > mostOlder {
		if err = a.files.Remove(olderName(a.older[0])); err == nil {
			a.older = a.older[1:]
		}
	}
	return err
}

// read returns all entries that are kept, the oldest first.
func (a *audit) read() (all []Access, err error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	var names []string
	for _, n := range a.older {
		names = append(names, olderName(n))
	}
	for _, name := range append(names, auditName) {
		text, err := input.Read(a.path(name), input.Progress)
		if err != nil {
			return nil, err
		}
		lines, err := durable.ReadLog(text, name, auditHeader)
		if err != nil {
			return nil, err
		}
		for _, line := range lines.Records {
			var e Access
			if err := json.Unmarshal(line, &e); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, e)
		}
	}
	return all, nil
}

func (a *audit) close() error {
	if a.log == nil {
		return nil
	}
	return a.log.Close()
}

// Audit returns all entries of the audit that are kept.
func (d *Depot) Audit() ([]Access, error) { return d.audit.read() }

// audit answers who asks for the audit.
func (s *Server) audit(w http.ResponseWriter, _ *http.Request) {
	all, err := s.depot.Audit()
	if err != nil {
		http.Error(w, "the audit cannot be read", http.StatusInternalServerError)
		return
	}
	answer(w, all)
}
