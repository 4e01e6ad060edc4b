// Package folder reads and writes run folders, all of a folder or nothing, and
// names them by their content. It refuses to replace a folder that is not one
// of its own or holds anything else, and to read a file that was changed since.
// What stands in the files is for the packages that call it.
package folder

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"flyball/reports/format"
)

// File is a file of a run folder.
type File struct {
	Path string // relative, with slashes
	Data []byte
	From io.ReadSeeker // holds the content instead of Data if it is not nil: a large file is copied, not kept in memory
}

// copyTo writes the content of the file, and returns its length.
func (f File) copyTo(w io.Writer) (int64, error) {
	if f.From == nil {
		n, err := w.Write(f.Data)
		return int64(n), err
	}
	if _, err := f.From.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(w, f.From)
}

const (
	ManifestName   = "manifest.json"
	manifestSchema = "flyball/manifest"
)

// Manifest is manifest.json: what a folder holds, and the digest of each file.
type Manifest struct {
	Schema        string         `json:"schema"`
	SchemaVersion int            `json:"schema_version"`
	Attributes    Attributes     `json:"attributes"`
	Replay        string         `json:"replay"`
	Files         []ManifestFile `json:"files"`
}

// Attributes tell one folder from another.
type Attributes struct {
	Name         string `json:"name"`
	ScenarioID   string `json:"scenario_id"`
	Seed         uint64 `json:"seed"`
	Replication  uint64 `json:"replication"`
	Replications int    `json:"replications"` // from that one on; more than one is an ensemble
	Mode         string `json:"mode"`
	Partial      bool   `json:"partial"`
}

// ManifestFile is a file of a folder, with its digest.
type ManifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// OwnFiles are the names that every run folder uses; plots has the others.
func OwnFiles() []string {
	return []string{ManifestName, "summary.json", "intervals.csv", "report.html", "host.json", "scenario.toml", "scenario.resolved.toml", "log.ndjson",
		"limits.csv", "assumptions.csv", "sensitivity.csv"}
}

// undigested files differ from run to run of the same scenario.
func undigested(path string) bool { return path == "host.json" || path == "log.ndjson" }

// Key names a folder by a content: 12 letters and digits that are safe in a file name.
func Key(content []byte) string {
	sum := sha256.Sum256(content)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:12]
}

// Seal adds what a run cost and the manifest to the files of its folder.
func Seal(files []File, h Host, replay string, a Attributes) ([]File, error) {
	host, err := format.SortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		Host
	}{"flyball/host", format.SchemaVersion, h})
	if err != nil {
		return nil, err
	}
	files = append(files, File{Path: "host.json", Data: host})
	m := Manifest{Schema: manifestSchema, SchemaVersion: format.SchemaVersion, Replay: replay, Attributes: a}
	for _, f := range files {
		if !undigested(f.Path) {
			sum := sha256.New()
			n, err := f.copyTo(sum)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
			m.Files = append(m.Files, ManifestFile{f.Path, hex.EncodeToString(sum.Sum(nil)), int(n)})
		}
	}
	slices.SortFunc(m.Files, func(a, b ManifestFile) int { return strings.Compare(a.Path, b.Path) })
	raw, err := format.SortedJSON(m)
	return append(files, File{Path: ManifestName, Data: raw}), err
}

// Digest returns the SHA-256 of data in hexadecimal digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Replications is the number of runs that a folder holds; more than one is an
// ensemble. The folder of anything else than runs of one scenario is an error.
func Replications(dir string) (int, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return 0, err
	}
	what, read := "", ""
	switch m.Attributes.Mode {
	case StudyMode:
		what, read = "a study", "report.html, or its points.csv"
	case TuningMode:
		what, read = "a search", "report.html, or its tune.json"
	case LawsMode:
		what, read = "laws", "report.html, or its cells.csv"
	case ComparisonMode:
		what, read = "a comparison", "compare.md, or its cells.csv"
	}
	if what != "" {
		return 0, fmt.Errorf("%s is the folder of %s: want that of a run (read its %s)", dir, what, read)
	}
	return m.Attributes.Replications, nil
}

// Modes that tell other folders from that of a run.
const (
	StudyMode      = "study"
	TuningMode     = "tuning"
	LawsMode       = "laws"
	ComparisonMode = "comparison"
)

// ReadManifest reads the manifest of the folder dir. A folder without one is an error.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	raw, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		return m, fmt.Errorf("%s is not a run folder: %w", dir, err)
	}
	if err := format.ReadSchema(raw, manifestSchema, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestName), err)
	}
	return m, nil
}

// Read reads every file of a run folder and compares it with its digest.
func Read(dir string, each func(name string, data []byte) error) (Manifest, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return m, err
	}
	files, summary := append(slices.Clip(m.Files), ManifestFile{Path: "host.json"}), "tune.json"
	if m.Attributes.Mode != TuningMode { // which has no log
		files, summary = append(files, ManifestFile{Path: "log.ndjson"}), "summary.json"
	}
	if !slices.ContainsFunc(m.Files, func(f ManifestFile) bool { return f.Path == summary }) {
		return m, fmt.Errorf("%s: files: got no %s", filepath.Join(dir, ManifestName), summary)
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		data, err := fs.ReadFile(os.DirFS(dir), f.Path)
		if err != nil {
			return m, fmt.Errorf("%s: %w", dir, err)
		}
		if !undigested(f.Path) && Digest(data) != f.SHA256 {
			return m, fmt.Errorf("%s was changed after the run: its digest is not the one in %s", name, ManifestName)
		}
		if err := each(f.Path, data); err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// Check reports whether Write could make dir its run folder now, so that a long
// run does not end in a report that goes nowhere.
func Check(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := replaceable(dir); err != nil {
		return err
	}
	building, err := besides(dir)
	if err != nil {
		return err
	}
	return os.Remove(building)
}

// besides makes an empty folder where dir will stand.
func besides(dir string) (string, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, ".flyball-*")
}

// Publish puts files into a folder that is not there yet, or takes the place
// of an old one.
func Publish(dir string, files []File) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := replaceable(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	building, err := besides(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(building) // by then renamed, unless something failed
	if err := os.Chmod(building, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.write(filepath.Join(building, filepath.FromSlash(f.Path))); err != nil {
			return err
		}
	}
	syncDir(building)
	err = swap(building, dir)
	for range 3 { // somebody else may put the same run there at this moment
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
		err = swap(building, dir)
	}
	syncDir(parent)
	return err
}

// swap renames a new folder into place, an old one away.
func swap(building, dir string) error {
	there, err := replaceable(dir)
	if err != nil {
		return err
	}
	if !there {
		return os.Rename(building, dir)
	}
	old := building + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(building, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// write writes a new file through to the disk.
func (f File) write(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.copyTo(to)
	return errors.Join(err, to.Sync(), to.Close())
}

// syncDir writes the names in a folder through to the disk, where the file
// system can do that; the files themselves are safe already.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// replaceable reports whether there is a folder to be replaced. What is not
// surely ours to delete is an error.
func replaceable(dir string) (there bool, err error) {
	if here, err := os.Getwd(); err == nil && (here == dir || strings.HasPrefix(here, dir+string(filepath.Separator))) {
		return false, fmt.Errorf("%s holds the current folder: want another", dir)
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s is in the way: want a run folder or a new name", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return true, err
	}
	var m Manifest
	raw, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil || json.NewDecoder(bytes.NewReader(raw)).Decode(&m) != nil || m.Schema != manifestSchema {
		return false, fmt.Errorf("%s is not a run folder and is left alone: want a new name, an empty folder or one with a %s of schema %q",
			dir, ManifestName, manifestSchema)
	}
	ours := []string{ManifestName, "host.json", "log.ndjson"}
	for _, f := range m.Files {
		ours = append(ours, f.Path)
	}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains(ours, name) {
			err = fmt.Errorf("%s holds %s, which the run did not write, and is left alone: move that file, or name another folder", dir, name)
		}
		return err
	})
	return true, err
}
