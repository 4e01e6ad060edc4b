// Package durable keeps files that must not be half there, whatever ends the
// program or the machine: a file is replaced or made as a whole (Write, Create),
// a log of numbered and summed lines grows by whole lines (Log), and one writer
// at a time is let in (Lock). Its promises are those of fsync and rename: after a
// call has returned nil, what it wrote outlives a loss of power, where the disk
// does what it says; after an error, or a stop at any step, a file is as it was.
package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// Write makes data the content of the file name. A file that is there keeps its
// permissions, and a link to it stays a link.
func Write(name string, data []byte) error { return write(osDisk{}, name, data) }

// Create makes the file name with data as its content. If name is there already,
// the error is fs.ErrExist and nothing is changed: of several that create the same
// file one succeeds.
func Create(name string, data []byte) error { return create(osDisk{}, name, data) }

func write(d disk, name string, data []byte) error {
	name, err := d.follow(name)
	if err != nil {
		return err
	}
	var mode fs.FileMode
	switch mode, err = d.mode(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !mode.IsRegular():
		return &fs.PathError{Op: "replace", Path: name, Err: errors.New("not a regular file")}
	}
	temporary, err := fill(d, name, data, mode.Perm())
	if err != nil {
		return err
	}
	if err := d.rename(temporary, name); err != nil {
		return errors.Join(err, d.remove(temporary))
	}
	return d.syncFolder(filepath.Dir(name))
}

func create(d disk, name string, data []byte) error {
	temporary, err := fill(d, name, data, 0)
	if err != nil {
		return err
	}
	err = d.link(temporary, name)
	if gone := d.remove(temporary); err == nil && gone == nil {
		return d.syncFolder(filepath.Dir(name))
	} else if err == nil {
		return gone
	}
	return err
}

// fill writes data to a new file in the folder of name, through to the disk, and
// returns the name of the new file. It has the permissions mode, or those of any
// new file if mode is 0.
func fill(d disk, name string, data []byte, mode fs.FileMode) (temporary string, err error) {
	temporary = filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+strings.ToLower(rand.Text()[:8])+".tmp")
	f, err := d.open(temporary, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil && mode != 0 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync() // before the rename: a name must not lead to what is not there yet
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, d.remove(temporary))
	}
	return temporary, nil
}
