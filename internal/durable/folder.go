package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// File is a file to write in a folder.
type File struct {
	Path string // below the folder, with slashes
	Data []byte
	From io.ReadSeeker // if not nil, the content instead of Data: a large file is not kept in memory
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

// Folder makes dir a folder with the given files, all or none: the folder is built
// beside dir, flushed to the disk, and then renamed. If dir exists, mayReplace is
// called before dir is replaced; if it fails, Folder returns its error and dir is
// unchanged. If the file system can exchange two folders, as on Linux, dir exists at
// every moment.
func Folder(dir string, files []File, mayReplace func() error) error {
	return folder(osDisk{}, dir, files, mayReplace)
}

// Place returns an error if Folder could not build a folder beside dir now. It
// creates the parent folder of dir.
func Place(dir string) error {
	building, err := besides(osDisk{}, dir)
	if err != nil {
		return err
	}
	return osDisk{}.remove(building)
}

// besides creates an empty folder beside dir.
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
	// Beside dir is now the old folder, or a new one that failed.
	return errors.Join(err, d.removeAll(building))
}

// build fills a new folder and flushes it to the disk.
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

// putInPlace renames the folder building to dir, and an old folder dir to building.
// It tries again if another process creates dir at the same moment.
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

// Scratch makes a new folder for temporary files. end removes it with all that it has.
func Scratch() (dir string, end func() error, err error) {
	dir, err = os.MkdirTemp("", "flyball-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}
