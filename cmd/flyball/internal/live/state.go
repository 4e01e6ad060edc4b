package live

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/journal"
	"flyball/realrun/mailing"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/scenarios"
)

// openState opens the folder for the mailing of a question. It returns nil if there is no folder.
func (q *Run) openState(s *scenarios.Scenario) (*kept.State, error) {
	if q.State == "" {
		return nil, nil
	}
	digest, err := q.digest(s)
	if err != nil {
		return nil, err
	}
	return kept.Open(q.State, q.Resume, q.Suppress, digest, q.kind())
}

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
	for _, known := range task.SettingsOf(s) {
		fmt.Fprintln(h, known)
	}
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

// doubtsFile lists ambiguous attempts.
const doubtsFile = "ambiguous.csv"

// doubts returns lines about the ambiguous attempts of a mailing, and the file with them.
func doubts(all []realrun.Doubt, m *mailing.Mailing, servers []string) (words []string, file []folder.File) {
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
