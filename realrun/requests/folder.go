package requests

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/realrun/journal"
	"flyball/realrun/station"
)

// Folder is a desk whose journal is in a folder, for a list whose sending server is elsewhere and reads the folder
// (Follow).
type Folder struct {
	*Desk
	lock *durable.Lock
	log  *journal.Journal
	end  context.CancelFunc
	over chan struct{} // closed when the desk has ended
	err  error         // why, then
}

// identity names the journal of a list by a key that only the list has.
func identity(key mail.Key) journal.ID { return sha256.Sum256(append([]byte("requests "), key[:]...)) }

// nowhere is where a desk without a sending server sends to.
type nowhere struct{}

func (nowhere) Send(engine.Message) {}

// OpenFolder opens the desk of the list with a key in a folder, and makes the folder if it is not there. Requests to be
// deleted are to be confirmed if quit is set, those to be added always. The caller must Close it.
func OpenFolder(dir string, key mail.Key, quit bool) (*Folder, error) {
	files := durable.Files(dir)
	if err := files.Make(); err != nil {
		return nil, err
	}
	lock, err := durable.TryLockFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{lock: lock, over: make(chan struct{})}
	var before journal.Contents
	if f.log, before, err = journal.Open(files, identity(key)); errors.Is(err, journal.ErrMissing) {
		f.log, err = journal.Create(files, identity(key))
	}
	if err != nil {
		lock.Release()
		return nil, err
	}
	cfg := inbox.Default(engine.Address{Role: engine.Requests})
	cfg.ConfirmDelete, cfg.ConfirmAdd, cfg.Push = quit, true, 0
	role := NewRole(cfg)
	s, err := station.New(station.Config{Address: cfg.Address, Role: role, Journal: f.log, Before: before.Entries,
		Carrier: nowhere{}})
	if err != nil {
		return nil, errors.Join(err, f.log.Close(), f.free())
	}
	f.Desk = NewDesk(role, s)
	ctx, cancel := context.WithCancel(context.Background())
	f.end = cancel
	go func() {
		defer close(f.over)
		f.err = s.Run(ctx)
	}()
	return f, nil
}

// Failed waits until the desk ends, by Close or since its disk fails, and returns the disk's error.
func (f *Folder) Failed() error {
	<-f.over
	return f.err
}

func (f *Folder) free() error { f.lock.Release(); return nil }

// Close closes the folder.
func (f *Folder) Close() error {
	f.end()
	return errors.Join(f.Failed(), f.log.Close(), f.free())
}

// Gone is the set of recipients that the desk in a folder has deleted. Any goroutine may ask it.
type Gone struct {
	dir  string
	key  mail.Key
	lock sync.RWMutex
	all  map[mail.Recipient]standing
	seen map[string]time.Time // when each file was last changed
	read time.Time            // when the files were last read
}

// Has reports whether a recipient has left and not returned.
func (g *Gone) Has(r mail.Recipient) bool {
	g.lock.RLock()
	defer g.lock.RUnlock()
	return g.all[r].out
}

// All returns the recipients, in the order of their numbers.
func (g *Gone) All() (all []mail.Recipient) {
	g.lock.RLock()
	defer g.lock.RUnlock()
	for r, s := range g.all {
		if s.out {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

// ReadFolder returns the recipients that the desk of the list with a key has deleted in a folder, which may be in use
// or not be there.
func ReadFolder(dir string, key mail.Key) (*Gone, error) {
	g := &Gone{dir: dir, key: key}
	return g, g.update()
}

// every is the time between two looks into a folder.
const every = 50 * time.Millisecond

// patience is how many looks in a row may fail: a server may be writing.
const patience = 5

// Follow keeps the set up to date until ctx ends. An error says that the folder cannot be read.
func (g *Gone) Follow(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failed := 0; failed < patience; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if g.update() == nil {
				failed = 0
			} else {
				failed++
			}
		}
	}
	return g.update()
}

// coarse is longer than the steps in which the times of files pass.
const coarse = time.Second

// update reads the folder if it may have changed.
func (g *Gone) update() error {
	now, changed := time.Now(), false
	names, err := filepath.Glob(filepath.Join(g.dir, "facts-*"))
	if err != nil {
		return err
	}
	seen := map[string]time.Time{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil // another process replaces it: next time
		}
		seen[name] = info.ModTime()
		changed = changed || !g.seen[name].Equal(info.ModTime()) || g.read.Sub(info.ModTime()) < coarse
	}
	if !changed {
		return nil
	}
	all, err := standings(g.dir, g.key)
	if err != nil {
		return err
	}
	g.lock.Lock()
	defer g.lock.Unlock()
	g.all, g.seen, g.read = all, seen, now
	return nil
}

// standings returns where the recipients of the desk in a folder stand; nil if there is none.
func standings(dir string, key mail.Key) (map[mail.Recipient]standing, error) {
	facts, err := Facts(dir, key)
	if facts == nil {
		return nil, err
	}
	r := Role{of: map[mail.Recipient]standing{}}
	for _, f := range facts {
		r.see(f)
	}
	return r.of, err
}

// Facts returns the facts of the desk of the list with a key in a folder, which may be in use or not be there.
func Facts(dir string, key mail.Key) (all []engine.Fact, err error) {
	c, err := journal.Read(durable.Files(dir), identity(key))
	if errors.Is(err, journal.ErrMissing) || errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range c.Entries {
		all = append(all, e.Fact)
	}
	return all, err
}
