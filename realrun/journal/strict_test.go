package journal

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"

	"flyball/internal/durable"
)

// strict is a disk in memory that keeps apart what was written and what was made durable. It loses its power or fails
// at a step.
type strict struct {
	names, kept map[string]*inode // as programs see them, and those that are durable
	steps, at   int               // so far, and the one that goes wrong, from 1 on; 0: none
	failure     error             // of that step; nil: the power is lost before it
	syncs       int               // of files
	reserve     error             // of Reserve
}

type inode struct{ data, kept []byte }

type powerLoss struct{}

func newStrict() *strict { return &strict{names: map[string]*inode{}, kept: map[string]*inode{}} }

// with returns a disk that has files.
func with(files map[string][]byte) *strict {
	d := newStrict()
	for name, data := range files {
		i := &inode{data, data}
		d.names[name], d.kept[name] = i, i
	}
	return d
}

func (d *strict) step(half func()) error {
	d.steps++
	if d.steps != d.at {
		return nil
	}
	if half != nil {
		half()
	}
	if d.failure == nil {
		panic(powerLoss{})
	}
	return d.failure
}

// survives runs do and reports whether the power stayed.
func (d *strict) survives(do func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil && v != any(powerLoss{}) {
			panic(v)
		}
	}()
	do()
	return true
}

// afterKill is the disk after the process was killed, and afterLoss are those that may be found after a loss of power:
// of names and of data, what was made durable is there, and of the rest none, some, all, the length alone, or all but a
// sector.
func (d *strict) afterKill() *strict {
	files := map[string][]byte{}
	for name, i := range d.names {
		files[name] = bytes.Clone(i.data)
	}
	return with(files)
}

func (d *strict) afterLoss() (all []*strict) {
	for _, names := range []map[string]*inode{d.kept, d.names} {
		for _, of := range []func(i *inode) []byte{
			func(i *inode) []byte { return i.kept },
			func(i *inode) []byte { return i.data },
			func(i *inode) []byte { return i.data[:(len(i.kept)+len(i.data)+1)/2] },
			func(i *inode) []byte { return append(bytes.Clone(i.kept), make([]byte, len(i.data)-len(i.kept))...) },
			func(i *inode) []byte { // all but the first sector of it
				from, to := len(i.kept), min(len(i.data), (len(i.kept)/sector+1)*sector)
				if to-from < 8 {
					return i.kept
				}
				return slices.Concat(i.kept, make([]byte, to-from), i.data[to:])
			},
		} {
			files := map[string][]byte{}
			for name, i := range names {
				files[name] = bytes.Clone(of(i))
			}
			all = append(all, with(files))
		}
	}
	return all
}

func (d *strict) Names() ([]string, error) { return slices.Collect(maps.Keys(d.names)), nil }

func (d *strict) Read(name string) ([]byte, error) {
	if i := d.names[name]; i != nil {
		return bytes.Clone(i.data), nil
	}
	return nil, fs.ErrNotExist
}

func (d *strict) Create(name string) (durable.Growing, error) {
	if err := d.step(nil); err != nil {
		return nil, err
	}
	i := &inode{}
	d.names[name] = i
	return &open{d, i}, nil
}

func (d *strict) Rename(from, to string) error {
	if err := d.step(nil); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *strict) Remove(name string) error {
	if err := d.step(nil); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

func (d *strict) Sync() error {
	if err := d.step(nil); err != nil {
		return err
	}
	d.kept = maps.Clone(d.names)
	return nil
}

type open struct {
	d *strict
	i *inode
}

func (f *open) Write(p []byte) (int, error) {
	half := len(p) / 2
	if err := f.d.step(func() { f.i.data = append(f.i.data, p[:half]...) }); err != nil {
		return half, err
	}
	f.i.data = append(f.i.data, p...)
	return len(p), nil
}

func (f *open) Sync() error {
	f.d.syncs++
	if err := f.d.step(nil); err != nil {
		return err
	}
	f.i.kept = bytes.Clone(f.i.data)
	return nil
}

func (f *open) Reserve(int64) error { return f.d.reserve }
func (f *open) Close() error        { return nil }
