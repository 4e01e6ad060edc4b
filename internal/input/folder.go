package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is the folder of a file that the user has named. Neither ".." nor a link leads out of it.
type Folder struct{ root *os.Root }

// FolderOf opens the folder of the file name. The caller must close it.
func FolderOf(name string) (*Folder, error) {
	root, err := os.OpenRoot(filepath.Dir(name))
	return &Folder{root}, err
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Read returns the content of a regular file of at most most bytes, in the folder or below it. Errors do not have
// its name.
func (f *Folder) Read(name string, most int64) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, errors.New("want a name in the same folder, or below it")
	}
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("has more than %d bytes", most)
	}
	return data, err
}

// bare returns the reason in an error about a path.
func bare(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
