package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// KeepRecipients is whether a run folder has recipients.csv, the end of each
// recipient.
type KeepRecipients string

const (
	KeepAuto KeepRecipients = "auto" // of a list that was read, and of a synthetic one up to run.KeptBySize
	KeepYes  KeepRecipients = "yes"
	KeepNo   KeepRecipients = "no"
)

// mostKept bounds the recipients that are kept, in 32 bytes each.
const mostKept = 100_000_000

// Validate reports a value that is none of the three.
func (k KeepRecipients) Validate() error {
	known := []string{string(KeepAuto), string(KeepYes), string(KeepNo)}
	if !slices.Contains(known, string(k)) {
		return Fail(Usage, "--recipients: got %q, want one of %s", string(k), strings.Join(known, ", "))
	}
	return nil
}

// Keeps reports whether the ends of n recipients are kept, of a list that was
// read from a file or of a synthetic one. To ask for too many is an error.
func (k KeepRecipients) Keeps(fromFile bool, n int) (bool, error) {
	switch {
	case k == KeepYes && n > mostKept:
		return false, Fail(Usage, "--recipients yes: got %d recipients, want at most %d", n, mostKept)
	case k == KeepYes:
		return true, nil
	case k == KeepNo:
		return false, nil
	}
	return n <= run.KeptBySize || fromFile && n <= mostKept, nil
}

// Flags returns the flags that ask for the same.
func (k KeepRecipients) Flags() []string {
	if k == KeepAuto {
		return nil
	}
	return []string{"--recipients", string(k)}
}

// recipientsOf returns what recipients.csv is written from; nil where outcomes
// were not kept.
func recipientsOf(ended *runlog.Run) *run.RecipientsFile {
	if ended.Outcomes == nil {
		return nil
	}
	return &run.RecipientsFile{Outcomes: ended.Outcomes, Servers: ended.Servers, Destinations: ended.Destinations}
}

// recipientsFile writes the ends of all recipients into a spool.
func recipientsFile(r *run.RecipientsFile) ([]folder.File, error) {
	if r == nil {
		return nil, nil
	}
	to, err := NewSpool()
	if err != nil {
		return nil, err
	}
	if err := r.Write(to); err != nil {
		return nil, Fail(Environment, "%s: %w", r.FileName(), err)
	}
	return to.As(r.FileName()), nil
}

// Write writes the run folder. If recipients or attempts cannot be written, as of a list
// that has changed, the folder has everything else and the error says so.
func (o *Outcome) Write() error {
	files, missing := recipientsFile(o.Recipients)
	if missing != nil {
		missing = fmt.Errorf("%w; the run folder has all other files", missing)
	}
	attempts, untold := o.Attempts.Files()
	extra := o.extra
	extra.More = slices.Concat(extra.More, files, attempts)
	return errors.Join(Unwritten("run folder", run.Write(o.place, o.Report, extra)), missing, untold)
}
