package depot

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/realrun/mailing"
)

// Depot is a folder with the manifests and parts of mailings:
//
//	mailing-7    the manifest of mailing 7, which stays when the mailing has ended
//	DIGEST       a part, named by its SHA-256, of a mailing that has not ended
//	audit        who had what, when; older entries are in audit-NUMBER
//
// One process has it open at a time; in it any goroutine may use the Depot.
type Depot struct {
	files    durable.Files
	lock     *durable.Lock
	audit    audit
	mu       sync.Mutex
	mailings map[engine.Job]Manifest
	puts     int
}

// Names in the folder.
const (
	manifestName = "mailing-"
	partial      = ".part" // behind the name of what is not there as a whole
)

// nameOf returns the name of the manifest of a mailing.
func nameOf(job engine.Job) string { return manifestName + strconv.FormatUint(uint64(job), 10) }

// Open opens the depot in a folder, which is made if it is not there. What a Put that was stopped has left is removed.
func Open(dir string) (*Depot, error) {
	d := &Depot{files: durable.Files(dir), mailings: map[engine.Job]Manifest{},
		audit: audit{files: durable.Files(dir), most: mostAudit}}
	if err := d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("depot %s: %w", dir, err), d.Close())
	}
	return d, nil
}

func (d *Depot) open() (err error) {
	if err := d.files.Make(); err != nil {
		return err
	}
	if d.lock, err = durable.TryLockFolder(string(d.files)); err != nil {
		return err
	}
	if err := d.audit.open(); err != nil {
		return err
	}
	names, err := d.files.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, manifestName) || strings.HasSuffix(name, partial) {
			continue
		}
		text, err := d.files.Read(name)
		if err != nil {
			return err
		}
		m, err := parse(text)
		if err == nil && nameOf(m.Job) != name {
			err = fmt.Errorf("got the manifest of mailing %d", m.Job)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		d.mailings[m.Job] = m
	}
	return d.sweep(names)
}

// sweep removes what no manifest of a mailing names that has not ended.
func (d *Depot) sweep(names []string) error {
	needed := map[string]bool{}
	for _, m := range d.mailings {
		for _, p := range m.Parts() {
			if m.Ended {
				break
			}
			needed[p.Digest.String()] = true
		}
	}
	for _, name := range names {
		_, other := ParseDigest(name)
		if strings.HasSuffix(name, partial) || other == nil && !needed[name] {
			if err := d.files.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Depot) path(name string) string { return filepath.Join(string(d.files), name) }

// Close closes the depot.
func (d *Depot) Close() (err error) {
	err = d.audit.close()
	if d.lock != nil {
		d.lock.Release()
	}
	return err
}

// Content is what becomes a part.
type Content struct {
	Name   string
	From   io.Reader
	Stored string // see Part
}

// Letter reads a letter, and the files that it names in its folder.
func Letter(template string) (all []Content, err error) {
	text, err := input.Read(template, input.Template)
	if err != nil {
		return nil, err
	}
	dir, err := input.FolderOf(template)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := filepath.Base(template)
	all = []Content{{Name: name, From: bytes.NewReader(text)}}
	read := func(name string, most int64) ([]byte, error) {
		data, err := dir.Read(name, most)
		if err == nil && !slices.ContainsFunc(all, func(c Content) bool { return c.Name == name }) {
			all = append(all, Content{Name: name, From: bytes.NewReader(data)})
		}
		return data, err
	}
	_, err = mailing.Letter(nil, mailing.Source{Template: bytes.NewReader(text), TemplateName: template, Files: read})
	return all, err
}

// Put keeps a mailing: its parts, and then its manifest, which gets the version and the parts of list, suppression and
// letter, each of which may be nil. After it has returned the mailing is durable. It has no effect on a mailing that is
// there with the same content; the error wraps ErrExists if its content is another.
func (d *Depot) Put(m Manifest, list, suppression *Content, letter []Content) (Manifest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.Version, m.List, m.Suppression, m.Letter, m.Ended = version, nil, nil, nil, d.mailings[m.Job].Ended
	m.Date = m.Date.Round(0) // what a manifest keeps of it
	err := d.put(&m, list, suppression, letter)
	if err == nil {
		err = m.Validate()
	}
	if before, is := d.mailings[m.Job]; err == nil && is {
		if before.Digest() != m.Digest() {
			err = fmt.Errorf("mailing %d %w with another content", m.Job, ErrExists)
		}
	} else if err == nil {
		if _, err = d.write(nameOf(m.Job), bytes.NewReader(m.text())); err == nil {
			d.mailings[m.Job] = m
		}
	}
	if err != nil || m.Ended {
		names, wrong := d.files.Names()
		return m, errors.Join(err, wrong, d.sweep(names))
	}
	return m, nil
}

func (d *Depot) put(m *Manifest, list, suppression *Content, letter []Content) error {
	for _, v := range []struct {
		from *Content
		to   **Part
	}{{list, &m.List}, {suppression, &m.Suppression}} {
		if v.from == nil {
			continue
		}
		p, err := d.write("", v.from.From)
		if err != nil {
			return fmt.Errorf("%s: %w", v.from.Name, err)
		}
		p.Name, p.Stored = v.from.Name, v.from.Stored
		*v.to = &p
	}
	for _, c := range letter {
		p, err := d.write("", c.From)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		p.Name = c.Name
		m.Letter = append(m.Letter, p)
	}
	return nil
}

// write writes a file as a whole under a name; without one, under its digest.
func (d *Depot) write(name string, from io.Reader) (p Part, err error) {
	d.puts++
	building := fmt.Sprintf("put-%d%s", d.puts, partial)
	f, err := d.files.Create(building)
	if err != nil {
		return p, err
	}
	sum := sha256.New()
	p.Size, err = io.Copy(io.MultiWriter(f, sum), from)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return p, err
	}
	p.Digest = Digest(sum.Sum(nil))
	if name == "" {
		name = p.Digest.String()
	}
	return p, errors.Join(d.files.Rename(building, name), d.files.Sync())
}

// Mailing returns the manifest of a mailing. The error wraps ErrAbsent if there is none.
func (d *Depot) Mailing(job engine.Job) (Manifest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.mailings[job]
	if !ok {
		return m, fmt.Errorf("mailing %d is %w", job, ErrAbsent)
	}
	return m, nil
}

// Remove removes a mailing, and the parts that no other one has.
func (d *Depot) Remove(job engine.Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.files.Remove(nameOf(job)), d.files.Sync()); err != nil {
		return err
	}
	delete(d.mailings, job)
	names, err := d.files.Names()
	return errors.Join(err, d.sweep(names))
}

// part opens a part.
func (d *Depot) part(of Digest) (*input.File, error) {
	f, err := input.Open(d.path(of.String()), input.List)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("part %.16s is %w", of, ErrAbsent)
	}
	return f, err
}
