package durable

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"syscall"
)

// faulty is a disk in memory that fails at a step, or loses its power there. It
// keeps apart what was written and what was written through, so that after the
// loss a test can look at every disk that may be found then.
type faulty struct {
	names   map[string]*inode // as programs see them
	kept    map[string]*inode // written through by syncFolder
	steps   int               // so far
	at      int               // the step that goes wrong, from 1; none if 0
	failure error             // of that step; if nil, the power is lost before it
	done    []string          // the steps, for messages
}

type inode struct {
	data, kept []byte
	mode       fs.FileMode
}

type powerLoss struct{}

func newDisk() *faulty {
	return &faulty{names: map[string]*inode{}, kept: map[string]*inode{}}
}

// put has a file on the disk from before.
func (d *faulty) put(name, text string) {
	i := &inode{data: []byte(text), kept: []byte(text), mode: 0o640}
	d.names[name], d.kept[name] = i, i
}

// step counts; half is what a step that goes wrong may have done.
func (d *faulty) step(what string, half func()) error {
	d.steps++
	d.done = append(d.done, what)
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

// afterLoss are the disks that may be found when the power comes back: of names
// and of data, what was written through is there, and what was not may be.
func (d *faulty) afterLoss() []*faulty {
	var all []*faulty
	for _, names := range []map[string]*inode{d.names, d.kept} {
		for _, of := range []func(i *inode) []byte{
			func(i *inode) []byte { return i.data },
			func(i *inode) []byte { return i.kept },
			func(i *inode) []byte { // the length, not the content
				return append(bytes.Clone(i.kept[:min(len(i.kept), len(i.data))]),
					make([]byte, max(0, len(i.data)-len(i.kept)))...)
			},
			func(i *inode) []byte { // some of it
				return i.data[:min(len(i.data), len(i.kept)+max(0, len(i.data)-len(i.kept))/2)]
			},
		} {
			found := newDisk()
			for name, i := range names {
				found.put(name, string(of(i)))
			}
			all = append(all, found)
		}
	}
	return all
}

func (d *faulty) text(name string) string {
	if i := d.names[name]; i != nil {
		return string(i.data)
	}
	return "(none)"
}

func (d *faulty) open(name string, flag int) (file, error) {
	i := d.names[name]
	if flag&syscall.O_CREAT != 0 {
		if err := d.step("create "+filepath.Ext(name), nil); err != nil {
			return nil, err
		}
		if i != nil && flag&syscall.O_EXCL != 0 {
			return nil, fs.ErrExist
		}
	}
	if i == nil {
		if flag&syscall.O_CREAT == 0 {
			return nil, fs.ErrNotExist
		}
		i = &inode{mode: 0o644}
		d.names[name] = i
	}
	return &opened{d: d, i: i}, nil
}

func (d *faulty) follow(name string) (string, error) { return name, nil }

func (d *faulty) mode(name string) (fs.FileMode, error) {
	if i := d.names[name]; i != nil {
		return i.mode, nil
	}
	return 0, fs.ErrNotExist
}

func (d *faulty) rename(from, to string) error {
	if err := d.step("rename", nil); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *faulty) link(from, to string) error {
	if err := d.step("link", nil); err != nil {
		return err
	}
	if d.names[to] != nil {
		return fs.ErrExist
	}
	d.names[to] = d.names[from]
	return nil
}

func (d *faulty) remove(name string) error {
	if err := d.step("remove", nil); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

func (d *faulty) syncFolder(string) error {
	if err := d.step("sync folder", nil); err != nil {
		return err
	}
	d.kept = maps.Clone(d.names)
	return nil
}

// Folders are tested on the disk of the machine (stopping).
func (d *faulty) mkdir(string) error            { panic("no folders here") }
func (d *faulty) mkdirs(string) error           { panic("no folders here") }
func (d *faulty) exchange(string, string) error { panic("no folders here") }
func (d *faulty) removeAll(string) error        { panic("no folders here") }

type opened struct {
	d  *faulty
	i  *inode
	at int
}

func (f *opened) Read(p []byte) (int, error) {
	n := copy(p, f.i.data[min(f.at, len(f.i.data)):])
	f.at += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *opened) Write(p []byte) (int, error) {
	put := func(p []byte) {
		f.i.data = append(bytes.Clone(f.i.data[:f.at]), p...)
		f.at += len(p)
	}
	if err := f.d.step("write", func() { put(p[:len(p)/2]) }); err != nil {
		return len(p) / 2, err
	}
	put(p)
	return len(p), nil
}

func (f *opened) Chmod(m fs.FileMode) error {
	if err := f.d.step("chmod", nil); err != nil {
		return err
	}
	f.i.mode = m
	return nil
}

func (f *opened) Truncate(size int64) error {
	if err := f.d.step("truncate", nil); err != nil {
		return err
	}
	f.i.data = f.i.data[:size]
	return nil
}

func (f *opened) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	f.at = int(offset)
	return offset, nil
}

func (f *opened) Sync() error {
	if err := f.d.step("sync", nil); err != nil {
		return err
	}
	f.i.kept = bytes.Clone(f.i.data)
	return nil
}

func (f *opened) Close() error { return f.d.step("close", nil) }
