package sites

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/points"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun/depot"
	"flyball/realrun/dial"
	"flyball/realrun/mailing"
	"flyball/site"
)

// Submission asks a site for a mailing.
type Submission struct {
	List     string // CSV file of recipients, or store:NAME of the site's store
	Suppress string // file of addresses that are not mailed; empty: none
	FoldCase bool
	Letter   string // empty: a plain one of the scenario's size
	Due      vt.Span
	Deadline vt.Span // after Due; 0: none
	Terms    engine.Terms
	Notify   []string // addresses that get the delivery report, beside the site's

	Count int                 // recipients that the operator expects of a site that mails people; 0: not given
	Ask   func() (int, error) // asks the operator for their number; nil: no operator is there

	Synthetic bool     // the list is the scenario's own instead of List
	Secret    mail.Key // of the mailing; zero: it is drawn
}

// Submitted is a mailing in the queue of pending messages.
type Submitted struct {
	Name       string // of its folder in the queue
	Recipients int
	Words      []string // about the rows of the list
}

// Pending is the description of a mailing in the queue of pending messages ([0029]): a folder below the A server's that
// has it and the files that it names. The A server gives the mailing its number and its places.
type Pending struct {
	depot.Manifest
	Due      time.Time `json:"due"`
	Deadline time.Time `json:"deadline,omitzero"`
	Notify   []string  `json:"notify,omitempty"` // see Submission; no other server needs them
}

// Names in the queue.
const (
	queueFolder  = "pending"
	describes    = "mailing.json"
	listFile     = "list"
	suppressFile = "suppression"
	letterFile   = "letter-" // and the number of the file of the letter, from 0 on
)

func (s *Site) queue() string {
	a, _ := s.Named(site.A)
	return filepath.Join(a.Folder, queueFolder)
}

// Submit puts a mailing into the queue of the site's A server. When it returns the mailing is durable. It is refused as
// a whole: its error has everything that is wrong, and nothing is changed then.
func (s *Site) Submit(q Submission) (*Submitted, error) {
	p := Pending{Due: time.Now().Add(time.Duration(q.Due)).Round(0)}
	p.Date, p.FoldCase, p.Terms = time.Now().Round(0), q.FoldCase, q.Terms
	if p.Secret = q.Secret; p.Secret == (mail.Key{}) {
		rand.Read(p.Secret[:]) // never fails
	}
	if q.Deadline > 0 {
		p.Deadline = p.Due.Add(time.Duration(q.Deadline))
	}
	if err := errors.Join(q.validate(), s.checkNotify(q.Notify)); err != nil {
		return nil, err
	}
	p.Notify = q.Notify
	var files []durable.File
	for _, f := range []struct {
		flag, name, as string
		kind           input.Kind
		part           **depot.Part
	}{
		{"--list", q.List, listFile, input.List, &p.List},
		{"--suppress", q.Suppress, suppressFile, input.Suppression, &p.Suppression},
	} {
		if f.name == "" {
			continue
		}
		if name, is := strings.CutPrefix(f.name, inStore); is && f.kind == input.List {
			text, err := s.storedList(name)
			if err != nil {
				return nil, err
			}
			files = append(files, durable.File{Path: f.as, Data: text})
			*f.part = &depot.Part{Name: f.name, Stored: name}
			continue
		}
		file, err := task.Open(f.flag, f.name, f.kind)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		files = append(files, durable.File{Path: f.as, From: file})
		*f.part = &depot.Part{Name: f.name}
	}
	if q.Letter != "" {
		all, err := depot.Letter(q.Letter)
		if err != nil {
			return nil, task.Error{Kind: task.Invalid, Err: err}
		}
		for i, c := range all {
			data, err := io.ReadAll(c.From)
			if err != nil {
				return nil, task.Unreadable("--letter", err)
			}
			files = append(files, durable.File{Path: letterName(i), Data: data})
			p.Letter = append(p.Letter, depot.Part{Name: c.Name})
		}
	}
	m, err := s.mailing(p.Manifest, func(name string) (io.ReadCloser, error) {
		for _, f := range files {
			if f.Path != name {
				continue
			}
			if f.From == nil {
				return io.NopCloser(bytes.NewReader(f.Data)), nil
			}
			_, err := f.From.Seek(0, io.SeekStart)
			return io.NopCloser(f.From), err
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		return nil, err
	}
	if err := s.confirm(q, m.List.Len()); err != nil {
		return nil, err
	}
	if at := m.CountedAt(); at != "" && len(s.Of(site.Response)) == 0 {
		return nil, task.Fail(task.Invalid, "%s: header Responses: got links to a response server, want a station "+
			"response in %s, or a letter without this header", at, s.File)
	}
	p.Recipients, p.Rows, p.Targets = uint32(m.List.Len()), m.Digest(), m.Targets()
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	files = append(files, durable.File{Path: describes, Data: text})
	name := p.Date.UTC().Format("20060102T150405.000Z-") + strings.ToLower(rand.Text()[:8])
	if err := durable.Folder(filepath.Join(s.queue(), name), files, nil); err != nil {
		return nil, task.Fail(task.Environment, "the queue of pending messages: %w", err)
	}
	return &Submitted{name, m.List.Len(), m.Words()}, nil
}

func (q *Submission) validate() error {
	var wrong []error
	if q.List == "" && !q.Synthetic {
		wrong = append(wrong, task.Fail(task.Usage, "--list: got none, want the file of recipients"))
	}
	if q.Due < 0 || q.Deadline < 0 {
		wrong = append(wrong, task.Fail(task.Usage, "--due, --deadline: got a time below 0s, want one from now on"))
	}
	if q.Terms.Processes < 0 || q.Terms.Size < 0 {
		wrong = append(wrong, task.Fail(task.Usage, "--processes, --subset: got a number below 0"))
	}
	return errors.Join(wrong...)
}

// mailing returns a mailing from its files, which open opens by the names that they have in the queue.
func (s *Site) mailing(p depot.Manifest, open func(name string) (io.ReadCloser, error)) (*mailing.Mailing, error) {
	src := mailing.Source{FoldCase: p.FoldCase, Key: p.Secret, Date: p.Date}
	var template *depot.Part
	if p.Letter != nil {
		template = &p.Letter[0]
	}
	for _, f := range []struct {
		part *depot.Part
		as   string
		name *string
		to   *io.Reader
	}{
		{p.List, listFile, &src.ListName, &src.List},
		{p.Suppression, suppressFile, &src.SuppressionName, &src.Suppression},
		{template, letterName(0), &src.TemplateName, &src.Template},
	} {
		if f.part == nil {
			continue
		}
		file, err := open(f.as)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		*f.name, *f.to = f.part.Name, file
	}
	if template != nil {
		src.Files = func(name string, most int64) ([]byte, error) {
			i := slices.IndexFunc(p.Letter, func(part depot.Part) bool { return part.Name == name })
			if i < 0 {
				return nil, fs.ErrNotExist
			}
			file, err := open(letterName(i))
			if err != nil {
				return nil, err
			}
			defer file.Close()
			text, err := io.ReadAll(io.LimitReader(file, most+1))
			if err == nil && int64(len(text)) > most {
				err = fmt.Errorf("has more than %d bytes", most)
			}
			return text, err
		}
	}
	m, err := s.Mailing(src)
	if errors.Is(err, dial.ErrRefused) {
		return nil, task.Error{Kind: task.Refused, Err: err}
	} else if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return m, nil
}

// Mailing returns the mailing of a source by the scenario of the site, and by who may be mailed.
func (s *Site) Mailing(src mailing.Source) (*mailing.Mailing, error) {
	src.Allow, src.Leave = s.Allowlist, s.leave()
	return mailing.New(s.Scenario, rng.New(s.Scenario.Seed, 0), src)
}

// confirm returns an error unless a mailing to people has as many recipients as the operator has given, or types now.
func (s *Site) confirm(q Submission, n int) error {
	if s.Allowlist == nil && q.Count != 0 {
		return task.Fail(task.Usage, "--count: got %d, want a site with outside.allow", q.Count)
	}
	given := live.Outside{Allow: s.Outside.Allow, Count: q.Count, Ask: q.Ask}
	return given.Confirm(n)
}

func letterName(i int) string { return fmt.Sprint(letterFile, i) }

// Waiting returns the names of the mailings in the queue, the first that came first.
func (s *Site) Waiting() (names []string, err error) {
	entries, err := os.ReadDir(s.queue())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Move moves a mailing from the queue into the depot, which numbers it (P100, figure 8A). submit has the A server take
// it; both have no effect on a mailing that was moved before, by a process that was stopped then.
func (s *Site) Move(ctx context.Context, name string, d *depot.Depot,
	submit func(context.Context, depot.Manifest, Pending) error) (err error) {
	dir := filepath.Join(s.queue(), name)
	text, err := input.Read(filepath.Join(dir, describes), input.Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return remove(dir) // it was being removed
	}
	if err != nil {
		return err
	}
	var p Pending
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, describes), err)
	}
	var open []*input.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	content := func(as string, part *depot.Part) *depot.Content {
		if part == nil || err != nil {
			return nil
		}
		f, wrong := input.Open(filepath.Join(dir, as), input.List)
		if err = wrong; err != nil {
			return nil
		}
		open = append(open, f)
		return &depot.Content{Name: part.Name, From: f, Stored: part.Stored}
	}
	list, suppression := content(listFile, p.List), content(suppressFile, p.Suppression)
	var letter []depot.Content
	for i := range p.Letter {
		if c := content(letterName(i), &p.Letter[i]); c != nil {
			letter = append(letter, *c)
		}
	}
	if err != nil {
		return err
	}
	p.Job, p.First = place(d, p.Secret)
	m, err := d.Put(p.Manifest, list, suppression, letter)
	if err != nil {
		return err
	}
	points.Reached("numbered")
	if err := submit(ctx, m, p); err != nil {
		return err
	}
	points.Reached("submitted")
	return remove(dir)
}

// place returns the number of the mailing with a key, and the place of its first recipient: of one that the depot has,
// as it has them; of another one, the next.
func place(d *depot.Depot, secret mail.Key) (engine.Job, mail.Recipient) {
	end := mail.Recipient(0)
	for job := engine.Job(1); ; job++ {
		m, err := d.Mailing(job)
		if err != nil {
			return job, end
		}
		if m.Secret == secret {
			return job, m.First
		}
		end = m.First + mail.Recipient(m.Recipients)
	}
}

// remove removes the folder of a mailing that has left the queue, its description first.
func remove(dir string) error {
	err := os.Remove(filepath.Join(dir, describes))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	entries, wrong := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
	}
	return errors.Join(err, wrong, os.Remove(dir))
}
