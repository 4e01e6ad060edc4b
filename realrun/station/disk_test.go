package station_test

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"flyball/internal/durable"
)

// disk is a folder in memory that remembers what is durable. After a stop it takes nothing more.
type disk struct {
	lock  sync.Mutex
	files map[string]*file // by the names that programs see
	kept  map[string]*file // by the names that are durable
	full  bool             // there is no room for more
	fails error            // of each Sync
	gone  bool             // stopped
	hold  chan struct{}    // if not nil, each Sync of a file waits until it is closed
	syncs int              // of files, that have begun
}

type file struct {
	of   *disk
	data []byte
	kept int // bytes that are durable
	room int64
}

func newDisk() *disk { return &disk{files: map[string]*file{}, kept: map[string]*file{}} }

var (
	errFull    = errors.New("no space left")
	errStopped = errors.New("stopped")
)

// set changes the disk.
func (d *disk) set(f func(d *disk)) {
	d.lock.Lock()
	defer d.lock.Unlock()
	f(d)
}

// lose stops the disk, and returns what it has after a loss of power: what was durable alone if least, or else
// everything that was written, as after the end of the process.
func (d *disk) lose(least bool) *disk {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.gone = true
	after, names := newDisk(), d.files
	if least {
		names = d.kept
	}
	for name, f := range names {
		g := &file{of: after, data: slices.Clone(f.data)}
		if least {
			g.data = g.data[:f.kept]
		}
		g.kept = len(g.data)
		after.files[name], after.kept[name] = g, g
	}
	return after
}

func (d *disk) Names() ([]string, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.Collect(maps.Keys(d.files)), nil
}

func (d *disk) Read(name string) ([]byte, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.Clone(d.files[name].data), nil
}

func (d *disk) Create(name string) (durable.Growing, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	f := &file{of: d}
	d.files[name] = f
	return f, nil
}

func (d *disk) Rename(from, to string) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
	return nil
}

func (d *disk) Sync() error {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.gone {
		return errStopped
	}
	d.kept = maps.Clone(d.files)
	return nil
}

func (f *file) Write(b []byte) (int, error) {
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	switch {
	case f.of.gone:
		return 0, errStopped
	case f.of.full && int64(len(f.data)+len(b)) > f.room:
		return 0, errFull
	}
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *file) Reserve(size int64) error {
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	if f.of.full && size > f.room {
		return errFull
	}
	f.room = max(f.room, size)
	return nil
}

func (f *file) Sync() error {
	f.of.lock.Lock()
	n, hold := len(f.data), f.of.hold
	f.of.syncs++
	f.of.lock.Unlock()
	if hold != nil {
		<-hold
	}
	f.of.lock.Lock()
	defer f.of.lock.Unlock()
	switch {
	case f.of.gone:
		return errStopped
	case f.of.fails != nil:
		return f.of.fails
	}
	f.kept = max(f.kept, n)
	return nil
}

func (f *file) Close() error { return nil }
