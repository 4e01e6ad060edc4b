// Package memdisk is a folder in memory that remembers what is durable, for journals that lose their power. Tests alone
// import it.
package memdisk

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"flyball/internal/durable"
)

// Disk is a folder, with the methods of journal.Disk. What a test changes, it changes in a function of Set.
type Disk struct {
	Full  bool          // there is no room for more
	Fails error         // the error of each Sync of a file
	Hold  chan struct{} // if not nil, each Sync of a file waits until it is closed
	Syncs int           // number of syncs of files that have begun

	lock  sync.Mutex
	files map[string]*file // by the names that programs see
	kept  map[string]*file // by the names that are durable
	gone  bool             // stopped
}

type file struct {
	of   *Disk
	data []byte
	kept int // bytes that are durable
	room int64
}

// New returns an empty folder.
func New() *Disk { return &Disk{files: map[string]*file{}, kept: map[string]*file{}} }

// Errors of a disk that is full, or has stopped.
var (
	ErrFull    = errors.New("no space left")
	ErrStopped = errors.New("stopped")
)

// Set changes the disk.
func (d *Disk) Set(f func(d *Disk)) {
	d.lock.Lock()
	defer d.lock.Unlock()
	f(d)
}

// Lose stops the disk, which takes nothing more, and returns what it has when its server begins again: after a loss of
// power what was durable, or else everything that was written, as after the end of a process.
func (d *Disk) Lose(power bool) *Disk {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.gone = true
	after, names := New(), d.files
	if power {
		names = d.kept
	}
	for name, f := range names {
		g := &file{of: after, data: slices.Clone(f.data)}
		if power {
			g.data = g.data[:f.kept]
		}
		g.kept = len(g.data)
		after.files[name], after.kept[name] = g, g
	}
	return after
}

// Names returns the names of all files.
func (d *Disk) Names() ([]string, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.Collect(maps.Keys(d.files)), nil
}

// Read returns the content of a file.
func (d *Disk) Read(name string) ([]byte, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.Clone(d.files[name].data), nil
}

// Create creates a file, or makes one empty.
func (d *Disk) Create(name string) (durable.Growing, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	f := &file{of: d}
	d.files[name] = f
	return f, nil
}

// Rename gives a file the name of another one, which it replaces.
func (d *Disk) Rename(from, to string) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
	return nil
}

// Remove removes a file.
func (d *Disk) Remove(name string) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	delete(d.files, name)
	return nil
}

// Sync makes the names of files durable.
func (d *Disk) Sync() error {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.gone {
		return ErrStopped
	}
	d.kept = maps.Clone(d.files)
	return nil
}

func (f *file) Write(b []byte) (int, error) {
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	switch {
	case f.of.gone:
		return 0, ErrStopped
	case f.of.Full && int64(len(f.data)+len(b)) > f.room:
		return 0, ErrFull
	}
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *file) Reserve(size int64) error {
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	if f.of.Full && size > f.room {
		return ErrFull
	}
	f.room = max(f.room, size)
	return nil
}

func (f *file) Sync() error {
	f.of.lock.Lock()
	n, hold := len(f.data), f.of.Hold
	f.of.Syncs++
	f.of.lock.Unlock()
	if hold != nil {
		<-hold
	}
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	switch {
	case f.of.gone:
		return ErrStopped
	case f.of.Fails != nil:
		return f.of.Fails
	}
	f.kept = max(f.kept, n)
	return nil
}

func (f *file) Close() error { return nil }
