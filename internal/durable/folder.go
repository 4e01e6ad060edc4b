package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// File is a file of a folder.
type File struct {
	Path string // below the folder, with slashes
	Data []byte
	From io.ReadSeeker // holds the content instead of Data if it is not nil: a large file is copied, not kept in memory
}

// CopyTo writes the content of the file to w, and returns its length.
func (f File) CopyTo(w io.Writer) (int64, error) {
	if f.From == nil {
		n, err := w.Write(f.Data)
		return int64(n), err
	}
	if _, err := f.From.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(w, f.From)
}

// Folder makes dir a folder of files, all of it or none: it is built beside dir,
// through to the disk, and then renamed into place. Of a folder that is there,
// mayReplace is asked before it is taken away; its error stays that of Folder, and
// what is there stays too. Where the file system can exchange two folders, which
// those of Linux can, one of the two is there at every moment.
func Folder(dir string, files []File, mayReplace func() error) error {
	return folder(osDisk{}, dir, files, mayReplace)
}

// Place reports whether Folder could build a folder beside dir now, and makes the
// folder that dir will stand in.
func Place(dir string) error {
	building, err := besides(osDisk{}, dir)
	if err != nil {
		return err
	}
	return osDisk{}.remove(building)
}

// besides makes an empty folder where dir will stand.
func besides(d disk, dir string) (string, error) {
	parent := filepath.Dir(dir)
	if err := d.mkdirs(parent); err != nil {
		return "", err
	}
	building := filepath.Join(parent, ".flyball-"+strings.ToLower(rand.Text()[:10]))
	return building, d.mkdir(building)
}

func folder(d disk, dir string, files []File, mayReplace func() error) error {
	building, err := besides(d, dir)
	if err != nil {
		return err
	}
	err = build(d, building, files)
	if err == nil {
		err = putInPlace(d, building, dir, mayReplace)
	}
	if err == nil {
		err = d.syncFolder(filepath.Dir(dir))
	}
	// What is left beside dir is the old folder, or a new one that failed.
	return errors.Join(err, d.removeAll(building))
}

// build fills a new folder, through to the disk.
func build(d disk, dir string, files []File) error {
	folders := []string{dir}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if in := filepath.Dir(name); !slices.Contains(folders, in) {
			if err := d.mkdirs(in); err != nil {
				return err
			}
			for ; !slices.Contains(folders, in); in = filepath.Dir(in) {
				folders = append(folders, in)
			}
		}
		if err := fillNew(d, name, f); err != nil {
			return err
		}
	}
	for _, in := range folders {
		if err := d.syncFolder(in); err != nil {
			return err
		}
	}
	return nil
}

func fillNew(d disk, name string, from File) error {
	f, err := d.open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL)
	if err != nil {
		return err
	}
	_, err = from.CopyTo(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// putInPlace gives the folder building the name dir, and an old folder the name
// building. It tries again where somebody else puts one there at the same moment.
func putInPlace(d disk, building, dir string, mayReplace func() error) error {
	var err error
	for range 4 {
		_, missing := d.mode(dir)
		switch {
		case errors.Is(missing, fs.ErrNotExist):
			err = d.rename(building, dir)
		case missing != nil:
			return missing
		default:
			if err := mayReplace(); err != nil {
				return err
			}
			err = d.exchange(building, dir)
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}
