// Package durable writes files that are never half written, however the program or
// the machine ends: a file is replaced or created as a whole (Write, Create), a log
// of numbered lines with checksums grows by whole lines (Log), and a lock admits one
// writer at a time (Lock). It relies on fsync and rename. After a call has returned
// nil, its data survives a loss of power if the disk honours fsync. After an error,
// or a stop at any step, a file is as it was before.
package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// Write replaces the content of the file name with data. An existing file keeps its
// permissions, and a link to it stays a link.
func Write(name string, data []byte) error { return write(osDisk{}, name, data) }

// Create creates the file name with the content data. If name exists, the error is
// fs.ErrExist and the file is unchanged: of several concurrent calls, one succeeds.
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

// fill writes data to a new file in the folder of name, flushes it to the disk, and
// returns the name of the new file. The file has the permissions mode, or the
// default for new files if mode is 0.
func fill(d disk, name string, data []byte, mode fs.FileMode) (temporary string, err error) {
	temporary = filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+strings.ToLower(rand.Text()[:8])+".tmp")
	f, err := d.open(temporary, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL)
	if err != nil {
		if failed := new(fs.PathError); errors.As(err, &failed) { // the caller does not know the temporary one
			err = &fs.PathError{Op: failed.Op, Path: name, Err: failed.Err}
		}
		return "", err
	}
	_, err = f.Write(data)
	if err == nil && mode != 0 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync() // before the rename: a name must not lead to content that is not on the disk
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, d.remove(temporary))
	}
	return temporary, nil
}
