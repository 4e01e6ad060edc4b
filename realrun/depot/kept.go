package depot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flyball/engine"
	"flyball/internal/conf"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/realrun/mailing"
)

// Config is where a delivering server has mailings from, and where it keeps them.
type Config struct {
	Dir    string
	Remote *Remote
	Lists  *Remote // has stored lists, which are in the depot too; nil: the depot alone
	Most   int64   // bytes of all parts that are kept
	// Warn is called with the reason when a part is refused and fetched again; it may be nil
	Warn func(error)
}

// Validate returns an error with everything that makes no sense.
func (c Config) Validate() error {
	var l conf.List
	l.Check(c.Dir != "", "dir", "got none, want a folder")
	l.Check(c.Most > 0, "most", "got %d bytes, want more than 0", c.Most)
	if l.Check(c.Remote != nil, "remote", "got none, want a server"); c.Remote != nil {
		l.Within("remote", c.Remote.validate())
	}
	if c.Lists != nil {
		l.Within("lists", c.Lists.validate())
	}
	return errors.Join(l...)
}

// Kept are the parts that a delivering server has fetched, in a folder: by their digests, up to a number of bytes.
// Where a new part needs the room, the part goes that was not used for the longest time, and never one of a mailing
// under way. With a mailing that has ended its parts go (Drop), but for a stored list that may be had again (Prune).
// One process uses the folder at a time; in it any goroutine may use Kept.
type Kept struct {
	cfg   Config
	files durable.Files
	lock  *durable.Lock

	mu      sync.Mutex
	parts   map[Digest]*entry
	flights map[string]*flight // under way, by the name of what they fetch
	uses    uint64             // number of uses so far
}

// entry is a part in the folder, or one for which there is room.
type entry struct {
	size int64
	used uint64 // number of the last use
	held int    // fetches and mailings that need it
	idle bool   // a stored list that no mailing has whose manifest is kept
}

// flight is a fetch that several callers wait for.
type flight struct {
	waiting int // callers
	cancel  context.CancelFunc
	done    chan struct{} // closed at the end
	err     error
}

// Keep opens the folder of what a server keeps. It is made if it is not there.
func Keep(cfg Config) (*Kept, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	k := &Kept{cfg: cfg, files: durable.Files(cfg.Dir), parts: map[Digest]*entry{}, flights: map[string]*flight{}}
	if err := k.open(); err != nil {
		k.Close()
		return nil, fmt.Errorf("what is kept in %s: %w", cfg.Dir, err)
	}
	return k, nil
}

func (k *Kept) open() (err error) {
	if err := k.files.Make(); err != nil {
		return err
	}
	if k.lock, err = durable.TryLockFolder(k.cfg.Dir); err != nil {
		return err
	}
	names, err := k.files.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		d, err := ParseDigest(strings.TrimSuffix(name, partial))
		if err != nil {
			continue
		}
		f, size, err := k.files.Append(name)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return err
		}
		e := cmp.Or(k.parts[d], &entry{})
		e.size += size // of a part and what was left of fetching it again
		k.parts[d] = e
	}
	return k.sweep(nil)
}

// Close ends all fetches, and lets another process use the folder.
func (k *Kept) Close() error {
	k.mu.Lock()
	var ended []chan struct{}
	for _, f := range k.flights {
		f.cancel()
		ended = append(ended, f.done)
	}
	k.mu.Unlock()
	for _, c := range ended {
		<-c
	}
	k.cfg.Remote.connect().CloseIdleConnections()
	if k.cfg.Lists != nil {
		k.cfg.Lists.connect().CloseIdleConnections()
	}
	if k.lock != nil {
		k.lock.Release()
	}
	return nil
}

// Fetch returns the file with a part. It is fetched unless it is kept, from where an earlier fetch was stopped, and its
// content has the digest now. It stays until another part needs the room. Callers at the same time share one fetch.
// Errors wrap ErrAbsent, ErrRefused, ErrDamaged or ErrFull, or come from network and disk.
func (k *Kept) Fetch(ctx context.Context, d Digest) (string, error) { return k.fetch(ctx, d, false) }

// fetch is Fetch for a part that may be a stored list.
func (k *Kept) fetch(ctx context.Context, d Digest, stored bool) (string, error) {
	k.hold(d)
	defer k.release(d)
	err := k.shared(ctx, d.String(), func(ctx context.Context) error { return k.have(ctx, d, stored) })
	if err != nil {
		return "", fmt.Errorf("part %.16s: %w", d, err)
	}
	return k.path(d.String()), nil
}

func (k *Kept) path(name string) string { return filepath.Join(k.cfg.Dir, name) }

// hold keeps a part from going.
func (k *Kept) hold(d Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.parts[d]
	if e == nil {
		e = &entry{}
		k.parts[d] = e
	}
	k.uses++
	e.held, e.used, e.idle = e.held+1, k.uses, false
}

func (k *Kept) release(d Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.parts[d]; e != nil {
		if e.held--; e.held == 0 && e.size == 0 {
			delete(k.parts, d) // it was not fetched; an empty part needs no room
		}
	}
}

// shared does what a name stands for once for all callers at the same time. It ends when all of them have gone.
func (k *Kept) shared(ctx context.Context, name string, do func(context.Context) error) error {
	k.mu.Lock()
	f := k.flights[name]
	if f == nil {
		under, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{cancel: cancel, done: make(chan struct{})}
		k.flights[name] = f
		go func() {
			err := do(under)
			cancel()
			k.mu.Lock()
			defer k.mu.Unlock()
			f.err = err
			if k.flights[name] == f {
				delete(k.flights, name)
			}
			close(f.done)
		}()
	}
	f.waiting++
	k.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
	}
	k.mu.Lock()
	f.waiting--
	last := f.waiting == 0
	if last {
		f.cancel()
	}
	k.mu.Unlock()
	if last {
		<-f.done // the folder is left as the next fetch finds it
	}
	return ctx.Err()
}

// download fetches what is missing of a part. A stored list comes from where lists are, unless it is not there any
// more, or nothing answers there.
func (k *Kept) download(ctx context.Context, d Digest, stored bool) error {
	if stored && k.cfg.Lists != nil {
		err := k.cfg.Lists.download(ctx, k, d)
		if err == nil || ctx.Err() != nil {
			return err
		}
		k.warn(fmt.Errorf("part %.16s is not had from where lists are, but from the depot: %w", d, err))
	}
	return k.cfg.Remote.download(ctx, k, d)
}

// have makes a part be there.
func (k *Kept) have(ctx context.Context, d Digest, stored bool) error {
	name := d.String()
	switch got, err := k.digest(name); {
	case err == nil && got == d:
		return nil
	case err == nil:
		k.warn(fmt.Errorf("part %.16s that was kept is %w: its content has digest %.16s; it is fetched again", d,
			ErrDamaged, got))
		if err := k.files.Remove(name); err != nil {
			return err
		}
	}
	if got, err := k.digest(name + partial); err == nil && got == d { // a fetch was stopped at its end
		return errors.Join(k.files.Rename(name+partial, name), k.files.Sync())
	}
	for try := 1; ; try++ {
		if err := k.download(ctx, d, stored); err != nil {
			return err
		}
		got, err := k.digest(name + partial)
		if err != nil {
			return err
		}
		if got == d {
			return errors.Join(k.files.Rename(name+partial, name), k.files.Sync())
		}
		err = fmt.Errorf("part %.16s is %w: what came has digest %.16s", d, ErrDamaged, got)
		if wrong := k.files.Remove(name + partial); wrong != nil || try == mostDamaged {
			return errors.Join(err, wrong)
		}
		k.warn(fmt.Errorf("%w; it is fetched again", err))
	}
}

// mostDamaged is how often a part is fetched from its beginning before its damage is the depot's.
const mostDamaged = 3

func (k *Kept) warn(err error) {
	if k.cfg.Warn != nil {
		k.cfg.Warn(err)
	}
}

// digest returns the digest of a file.
func (k *Kept) digest(name string) (d Digest, err error) {
	f, err := input.Open(k.path(name), input.List)
	if err != nil {
		return d, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return Digest(sum.Sum(nil)), err
}

// room makes room for a part of a size in bytes: parts go that nothing holds.
func (k *Kept) room(d Digest, size int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.parts[d]
	total := size
	type free struct {
		Digest
		*entry
	}
	var all []free
	for other, o := range k.parts {
		if other == d {
			continue
		}
		total += o.size
		if o.held == 0 {
			all = append(all, free{other, o})
		}
	}
	slices.SortFunc(all, func(a, b free) int {
		return cmp.Or(cmp.Compare(a.used, b.used), bytes.Compare(a.Digest[:], b.Digest[:]))
	})
	for _, f := range all {
		if total <= k.cfg.Most {
			break
		}
		name := f.Digest.String()
		if err := errors.Join(k.files.Remove(name), k.files.Remove(name+partial)); err != nil {
			return err
		}
		delete(k.parts, f.Digest)
		total -= f.size
	}
	if total > k.cfg.Most {
		return fmt.Errorf("%w: got a part of %d bytes beside %d that are needed, want at most %d in all", ErrFull, size,
			total-size, k.cfg.Most)
	}
	e.size = size
	return nil
}

// Held is a mailing all of whose parts a server keeps, until Release.
type Held struct {
	Manifest
	kept *Kept
	once sync.Once
}

// Mailing returns a mailing by its number: its manifest and all its parts are there. The manifest is kept too, so that
// a server that was restarted has the mailing without the depot. Errors are those of Fetch.
func (k *Kept) Mailing(ctx context.Context, job engine.Job) (*Held, error) {
	h, err := k.mailing(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("mailing %d: %w", job, err)
	}
	return h, nil
}

func (k *Kept) mailing(ctx context.Context, job engine.Job) (*Held, error) {
	name := nameOf(job)
	fetch := func(ctx context.Context) error { return k.fetchManifest(ctx, job, name) }
	if err := k.shared(ctx, name, fetch); err != nil {
		return nil, err
	}
	m, err := k.manifest(job, name)
	if err != nil {
		return nil, err
	}
	h := &Held{Manifest: m, kept: k}
	for _, p := range m.Parts() {
		k.hold(p.Digest)
	}
	for _, p := range m.Parts() {
		if _, err := k.fetch(ctx, p.Digest, p.Stored != ""); err != nil {
			h.Release()
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return h, nil
}

// Release lets the parts of a mailing go when others need the room.
func (h *Held) Release() {
	h.once.Do(func() {
		for _, p := range h.Parts() {
			h.kept.release(p.Digest)
		}
	})
}

// manifest reads a manifest that is kept: its digest, and behind a space its text.
func (k *Kept) manifest(job engine.Job, name string) (m Manifest, err error) {
	text, err := k.files.Read(name)
	if err != nil {
		return m, err
	}
	head, body, _ := bytes.Cut(text, []byte(" "))
	want, err := ParseDigest(string(head))
	if err == nil && sha256.Sum256(body) != want {
		err = fmt.Errorf("%s is %w", name, ErrDamaged)
	}
	if err != nil {
		return m, err
	}
	return ofJob(job, body)
}

func ofJob(job engine.Job, text []byte) (Manifest, error) {
	m, err := parse(text)
	if err == nil && m.Job != job {
		err = fmt.Errorf("%w: got the manifest of mailing %d, want %d", ErrDamaged, m.Job, job)
	}
	return m, err
}

// fetchManifest makes a manifest be there.
func (k *Kept) fetchManifest(ctx context.Context, job engine.Job, name string) error {
	_, err := k.manifest(job, name)
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrDamaged) {
		k.warn(fmt.Errorf("%w; it is fetched again", err))
	}
	text, err := k.cfg.Remote.get(ctx, "/mailings/"+strconv.FormatUint(uint64(job), 10))
	if err != nil {
		return err
	}
	if _, err := ofJob(job, text); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	f, err := k.files.Create(name + partial)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%x %s", sum, text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return errors.Join(k.files.Rename(name+partial, name), k.files.Sync())
}

// Source opens the files of the mailing for mailing.New. They are open until the function that it returns is called.
func (h *Held) Source() (src mailing.Source, end func(), err error) {
	var open []*input.File
	end = func() {
		for _, f := range open {
			f.Close()
		}
	}
	file := func(p *Part, name *string, to *io.Reader, k input.Kind) {
		if p == nil || err != nil {
			return
		}
		var f *input.File
		if f, err = input.Open(h.kept.path(p.Digest.String()), k); err == nil {
			open, *name, *to = append(open, f), p.Name, f
		}
	}
	file(h.List, &src.ListName, &src.List, input.List)
	file(h.Suppression, &src.SuppressionName, &src.Suppression, input.Suppression)
	if len(h.Letter) > 0 {
		file(&h.Letter[0], &src.TemplateName, &src.Template, input.Template)
		src.Files = h.attachment
	}
	src.FoldCase, src.Key, src.Date = h.FoldCase, h.Secret, h.Date
	return src, end, err
}

// attachment is the message.Files of the mailing.
func (h *Held) attachment(name string, most int64) ([]byte, error) {
	for _, p := range h.Letter[1:] {
		if p.Name == name {
			return input.Read(h.kept.path(p.Digest.String()), input.Kind{Name: "a file of a letter", Most: most})
		}
	}
	return nil, fmt.Errorf("is %w in the manifest", ErrAbsent)
}

// Jobs returns the numbers of the mailings whose manifests are kept.
func (k *Kept) Jobs() (all []engine.Job, err error) {
	names, err := k.files.Names()
	for _, name := range names {
		if text, is := strings.CutPrefix(name, manifestName); is {
			if n, err := strconv.ParseUint(text, 10, 32); err == nil {
				all = append(all, engine.Job(n))
			}
		}
	}
	slices.Sort(all)
	return all, err
}
