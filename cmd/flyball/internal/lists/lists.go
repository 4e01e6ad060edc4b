// Package lists does what the commands of flyball list ask of a store: lists are imported, exported and shown, people
// suppressed and forgotten. Its questions are tasks, under the contract of package task. Every answer that says that
// something was done is given after it is durable.
package lists

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/storage"
)

// open opens a store. With listed the place must name a list, else it must name none.
func open(ctx context.Context, place string, create, listed bool) (*storage.Store, storage.Place, error) {
	p, err := storage.ParsePlace(place)
	switch {
	case err != nil:
		return nil, p, task.Stored("", err)
	case listed && p.List == "":
		return nil, p, task.Fail(task.Usage, "%s: got a store, want a list of it: %s#LIST", place, place)
	case !listed && p.List != "":
		return nil, p, task.Fail(task.Usage, "%s: got a list, want the store of all its lists: %s", place, p.Store())
	}
	s, p, err := task.OpenStore(ctx, place, create)
	return s, p, task.Stored("", err)
}

// Import asks for the import of a CSV file as a list.
type Import struct {
	Place    string // of the list
	File     string
	Rejects  string // file for the rows that are not taken; empty: the first of them stand in the answer
	FoldCase bool   // addresses that differ in upper and lower case only are duplicates
	Replace  bool   // the list is replaced if it is there
	Restart  bool   // what an import that was stopped has done is dropped
}

// answered is how many rejected rows the answer has without a file for them.
const answered = 5

// Do imports the file, and returns lines about what became of its rows.
func (q *Import) Do(ctx context.Context, watch task.Watch) (words []string, err error) {
	file, err := task.Open("", q.File, input.List)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, task.Unreadable("", err)
	}
	s, p, err := open(ctx, q.Place, true, true)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // duplicates are found by a map that stays
	rows := &counted{Reader: file}
	var text bytes.Buffer
	rejects := list.NewRejectWriter(&text)
	var first []string
	in := storage.Import{Name: p.List, File: rows, FileName: q.File, FoldCase: q.FoldCase, Replace: q.Replace,
		Restart: q.Restart, At: func(int) { watch.At(p.List, uint64(rows.n), uint64(size)) }}
	in.Reject = func(j list.Reject) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if q.Rejects != "" {
			return rejects.Write(j)
		}
		if len(first) < answered {
			first = append(first, fmt.Sprintf("%s:%d: %s", q.File, j.Line, j.Reason))
		}
		return nil
	}
	l, count, err := s.Import(ctx, in)
	switch {
	case ctx.Err() != nil:
		return nil, task.ErrStopped
	case err != nil:
		return nil, failed(err, q.File)
	}
	if q.Rejects != "" {
		if err := errors.Join(rejects.Flush(), durable.Write(q.Rejects, text.Bytes())); err != nil {
			return nil, task.Fail(task.Environment, "--rejects: %w; the list is imported", err)
		}
	}
	words = []string{
		fmt.Sprintf("%s: %d rows = %d accepted + %d rejected + %d duplicate", q.File, count.In, count.Accepted,
			count.Rejected, count.Duplicate),
		fmt.Sprintf("%s: %s, SHA-256 %s", p, format.Plural(uint64(l.People), "recipient"), l.Digest)}
	if count.CaseOnly > 0 {
		words = append(words, fmt.Sprintf("%d addresses differ from an earlier one only in upper and lower case; "+
			"--fold-case takes them for duplicates", count.CaseOnly))
	}
	if left := count.Rejected + count.Duplicate - len(first); len(first) > 0 && left > 0 {
		first = append(first, fmt.Sprintf("and %s more: --rejects FILE has all", format.Plural(uint64(left), "row")))
	}
	return append(words, first...), nil
}

// failed gives an error of an import its kind: an error about the file refuses the file.
func failed(err error, file string) error {
	coded := task.Stored("", err).(task.Error)
	if coded.Kind == task.Environment && strings.HasPrefix(err.Error(), file+":") {
		return task.Error{Kind: task.Invalid, Err: task.Mistaken(err, file, kinds.List, kinds.Table)}
	}
	return coded
}

// counted counts the bytes that were read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// Export writes the text of a list to w.
func Export(ctx context.Context, place string, w io.Writer) error {
	s, p, err := open(ctx, place, false, true)
	if err != nil {
		return err
	}
	defer s.Close()
	text, err := s.Open(ctx, "export", p.List)
	if err != nil {
		return task.Stored("", err)
	}
	defer text.Close()
	if _, err = io.Copy(w, text); errors.Is(err, storage.ErrDamaged) {
		err = fmt.Errorf("%w: do not use what was written", err)
	}
	return task.Stored("", err)
}

// Show returns tables about a store, or one of its lists.
func Show(ctx context.Context, place string, audit int) ([]*format.Table, error) {
	p, err := storage.ParsePlace(place)
	if err != nil {
		return nil, task.Stored("", err)
	}
	s, p, err := task.OpenStore(ctx, place, false)
	if err != nil {
		return nil, task.Stored("", err)
	}
	defer s.Close()
	all, err := s.Lists(ctx)
	if err != nil {
		return nil, task.Stored("", err)
	}
	t := &format.Table{Head: []string{"list", "recipients", "read", "rejected", "duplicate", "imported", "SHA-256"},
		Left: 1, Words: true}
	for _, l := range all {
		if p.List != "" && l.Name != p.List {
			continue
		}
		imported := l.Ended.UTC().Format("2006-01-02 15:04")
		if !l.Complete {
			imported = "not to its end"
		}
		t.Rows = append(t.Rows, []string{l.Name, fmt.Sprint(l.People), fmt.Sprint(l.Read), fmt.Sprint(l.Rejected),
			fmt.Sprint(l.Duplicate), imported, l.Digest})
	}
	if p.List != "" && t.Rows == nil {
		return nil, task.Fail(task.Usage, "%s: got no such list", p)
	}
	set, err := s.SuppressedIn(ctx, p.List)
	if err != nil {
		return nil, task.Stored("", err)
	}
	t.Caption = fmt.Sprintf("%s: %s suppressed", p.Store(), format.Plural(uint64(set.Len()), "entry"))
	if set.Len() != 1 {
		t.Caption = fmt.Sprintf("%s: %s entries suppressed", p.Store(), format.Grouped(float64(set.Len()), 0))
	}
	tables := []*format.Table{t}
	if audit > 0 {
		entries, err := s.Audit(ctx, audit)
		if err != nil {
			return nil, task.Stored("", err)
		}
		a := &format.Table{Caption: "Audit, the last entry first",
			Head: []string{"at, UTC", "who", "what", "list", "rows"}, Left: 4, Words: true}
		for _, e := range entries {
			a.Rows = append(a.Rows, []string{e.At.UTC().Format("2006-01-02 15:04:05"), e.Who, e.What, e.List,
				fmt.Sprint(e.N)})
		}
		tables = append(tables, a)
	}
	return tables, nil
}

// Suppress asks that addresses and domains get no mail.
type Suppress struct {
	Place   string
	Entries []string
	File    string // of more entries; empty: none
}

// Do suppresses all entries, or none if one cannot be read, and returns a line about them.
func (q *Suppress) Do(ctx context.Context) (string, error) {
	var all []list.Entry
	for _, text := range q.Entries {
		e, err := list.ParseEntry(text)
		if err != nil {
			return "", task.Fail(task.Invalid, "%q: %w", text, err)
		}
		all = append(all, e)
	}
	if q.File != "" {
		file, err := task.Open("--file", q.File, input.Suppression)
		if err != nil {
			return "", err
		}
		defer file.Close()
		if err := list.ReadEntries(file, q.File, func(e list.Entry) error {
			all = append(all, e)
			return nil
		}); err != nil {
			return "", task.Error{Kind: task.Invalid, Err: err}
		}
	}
	if len(all) == 0 {
		return "", task.Fail(task.Usage, "got no entry, want an address, a domain as *@domain, or --file")
	}
	s, p, err := open(ctx, q.Place, true, false)
	if err != nil {
		return "", err
	}
	defer s.Close()
	added, err := s.Suppress(ctx, all)
	if err != nil {
		return "", task.Stored("", err)
	}
	return fmt.Sprintf("Suppressed in %s: %d of %d entries are new", p, added, len(all)), nil
}

// History returns a table of what became of a person in each mailing, or without a person of all mailings.
func History(ctx context.Context, place, person string) (*format.Table, error) {
	var a mail.Address
	var err error
	if person != "" {
		if a, err = mail.ParseAddress(person); err != nil {
			return nil, task.Fail(task.Invalid, "%q: %w", person, err)
		}
	}
	s, p, err := open(ctx, place, false, false)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	const minute, second = "2006-01-02 15:04", "2006-01-02 15:04:05"
	if person != "" {
		all, err := s.History(ctx, a)
		t := &format.Table{Head: []string{"mailing", "scenario", "list", "began, UTC", "is", "outcome",
			"recorded, UTC"}, Left: 7, Words: true, Caption: fmt.Sprintf("%s: the person is in the history of %s", p,
			format.Plural(uint64(len(all)), "mailing"))}
		for _, m := range all {
			t.Rows = append(t.Rows, []string{fmt.Sprint(m.Job.ID), m.Job.Name, m.Job.List,
				m.Job.Began.UTC().Format(minute), m.Job.State, m.Outcome, m.At.UTC().Format(second)})
		}
		return t, task.Stored("", err)
	}
	all, err := s.Jobs(ctx)
	t := &format.Table{Head: []string{"mailing", "scenario", "list", "began, UTC", "ended, UTC", "is", "recipients",
		"delivered", "failed", "suppressed", "ambiguous"}, Left: 6, Words: true,
		Caption: fmt.Sprintf("%s: %s", p, format.Plural(uint64(len(all)), "mailing"))}
	for _, j := range all {
		ended := "-"
		if j.State != storage.Running {
			ended = j.Ended.UTC().Format(minute)
		}
		row := []string{fmt.Sprint(j.ID), j.Name, j.List, j.Began.UTC().Format(minute), ended, j.State,
			fmt.Sprint(j.Recipients)}
		for _, of := range t.Head[len(row):] {
			row = append(row, fmt.Sprint(j.Outcomes[of]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, task.Stored("", err)
}

// Forget erases a person, and returns a line about what was found.
func Forget(ctx context.Context, place, person string) (string, error) {
	a, err := mail.ParseAddress(person)
	if err != nil {
		return "", task.Fail(task.Invalid, "%q: %w", person, err)
	}
	s, p, err := open(ctx, place, false, false)
	if err != nil {
		return "", err
	}
	defer s.Close()
	found, err := s.Forget(ctx, a)
	if err != nil {
		return "", task.Stored("", err)
	}
	in := ""
	if found.Lists != nil {
		in = " of " + strings.Join(found.Lists, ", ")
	}
	return fmt.Sprintf("Forgotten in %s: %s%s, %s of history; the address stays suppressed, as a keyed hash", p,
		format.Plural(uint64(found.Rows), "row"), in, format.Plural(uint64(found.History), "record")), nil
}
