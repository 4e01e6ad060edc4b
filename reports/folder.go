package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"flyball/reports/runlog"
)

// Extra is what a run folder holds besides the report.
type Extra struct {
	ScenarioTOML []byte // as it was given
	ResolvedTOML []byte // with every default
	Log          []byte // NDJSON
	More         []File // anything else, such as the reject file of a list
}

// File is a file of a run folder.
type File struct {
	Path string // relative, with slashes
	Data []byte
}

const (
	manifestName   = "manifest.json"
	manifestSchema = "flyball/manifest"
)

type manifest struct {
	Schema        string         `json:"schema"`
	SchemaVersion int            `json:"schema_version"`
	Attributes    attributes     `json:"attributes"`
	Replay        string         `json:"replay"`
	Files         []manifestFile `json:"files"`
}

type attributes struct {
	Name       string `json:"name"`
	ScenarioID string `json:"scenario_id"`
	Seed       uint64 `json:"seed"`
	Mode       string `json:"mode"`
	Partial    bool   `json:"partial"`
}

type manifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// ownFiles are the names that every run folder uses; plots has the others.
func ownFiles() []string {
	return []string{manifestName, "summary.json", "intervals.csv", "report.html", "host.json", "scenario.toml", "scenario.resolved.toml", "log.ndjson"}
}

// undigested files differ from run to run of the same scenario.
func undigested(path string) bool { return path == "host.json" || path == "log.ndjson" }

// Key names a run by its content: two runs have the same key if and only if
// scenario, seed, mode and being partial are the same. It is 12 letters and
// digits that are safe in a file name.
func Key(run *runlog.Run) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%t\n", run.ScenarioID, run.Seed, run.Mode, run.Partial))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:12]
}

// Write makes dir the run folder of a report, all of it or none: it is built
// beside dir and renamed into place. A folder that is there already is
// replaced if it is empty or a run folder that holds nothing else; anything
// else is an error, and stays.
func Write(dir string, r *Report, x Extra) error {
	files, err := r.files(x)
	if err != nil {
		return err
	}
	return publish(dir, files)
}

// files renders the whole folder, the manifest last.
func (r *Report) files(x Extra) ([]File, error) {
	for _, f := range x.More {
		if !fs.ValidPath(f.Path) || f.Path == "." || slices.Contains(ownFiles(), f.Path) || path.Dir(f.Path) == "plots" {
			return nil, fmt.Errorf("run folder: got extra file %q, want a relative path that is not in use", f.Path)
		}
	}
	figures, err := r.Figures()
	if err != nil {
		return nil, err
	}
	summary, err := r.Summary()
	if err != nil {
		return nil, err
	}
	html, err := r.HTML(figures)
	if err != nil {
		return nil, err
	}
	host, err := sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		Host
	}{"flyball/host", schemaVersion, r.Host})
	if err != nil {
		return nil, err
	}
	files := []File{
		{"summary.json", summary}, {"intervals.csv", r.intervalsCSV()}, {"report.html", html}, {"host.json", host},
		{"scenario.toml", x.ScenarioTOML}, {"scenario.resolved.toml", x.ResolvedTOML}, {"log.ndjson", x.Log},
	}
	for _, f := range figures {
		files = append(files, File{"plots/" + f.Name + ".svg", f.SVG}, File{"plots/" + f.Name + ".png", f.PNG}, File{"plots/" + f.Name + ".csv", f.CSV})
	}
	files = append(files, x.More...)
	m := manifest{Schema: manifestSchema, SchemaVersion: schemaVersion, Replay: r.Replay,
		Attributes: attributes{r.Name, r.ScenarioID, r.Seed, r.Mode, r.Partial}}
	for _, f := range files {
		if !undigested(f.Path) {
			m.Files = append(m.Files, manifestFile{f.Path, digest(f.Data), len(f.Data)})
		}
	}
	slices.SortFunc(m.Files, func(a, b manifestFile) int { return strings.Compare(a.Path, b.Path) })
	raw, err := sortedJSON(m)
	return append(files, File{manifestName, raw}), err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Read loads a run folder, after a look at the digests in its manifest. To
// Write what was read gives the same folder again.
func Read(dir string) (*Report, Extra, error) {
	root := os.DirFS(dir)
	raw, err := fs.ReadFile(root, manifestName)
	if err != nil {
		return nil, Extra{}, fmt.Errorf("%s is not a run folder: %w", dir, err)
	}
	var m manifest
	if err := readSchema(raw, manifestSchema, &m); err != nil {
		return nil, Extra{}, fmt.Errorf("%s: %w", filepath.Join(dir, manifestName), err)
	}
	r := &Report{Replay: m.Replay}
	var x Extra
	for _, f := range append(m.Files, manifestFile{Path: "host.json"}, manifestFile{Path: "log.ndjson"}) {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		data, err := fs.ReadFile(root, f.Path)
		if err != nil {
			return nil, Extra{}, err
		}
		if !undigested(f.Path) && digest(data) != f.SHA256 {
			return nil, Extra{}, fmt.Errorf("%s was changed after the run: its digest is not the one in %s", name, manifestName)
		}
		switch f.Path {
		case "summary.json":
			err = readSchema(data, "flyball/summary", r)
		case "intervals.csv":
			r.Rows, err = readIntervals(data)
		case "plots/latency.csv":
			r.Bars, err = readLatency(data)
		case "host.json":
			err = readSchema(data, "flyball/host", &r.Host)
		case "scenario.toml":
			x.ScenarioTOML = data
		case "scenario.resolved.toml":
			x.ResolvedTOML = data
		case "log.ndjson":
			x.Log = data
		default:
			if !slices.Contains(ownFiles(), f.Path) && path.Dir(f.Path) != "plots" {
				x.More = append(x.More, File{f.Path, data})
			}
		}
		if err != nil {
			return nil, Extra{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return r, x, nil
}

// publish puts files into a folder that is not there yet, or takes the place
// of an old one.
func publish(dir string, files []File) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	there, err := replaceable(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	building, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(building) // by then renamed, unless something failed
	if err := os.Chmod(building, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(building, filepath.FromSlash(f.Path)), f.Data); err != nil {
			return err
		}
	}
	syncDir(building)
	if there {
		old := building + ".old"
		if err := os.Rename(dir, old); err != nil {
			return err
		}
		if err := os.Rename(building, dir); err != nil {
			return errors.Join(err, os.Rename(old, dir))
		}
		syncDir(parent)
		return os.RemoveAll(old)
	}
	if err := os.Rename(building, dir); err != nil {
		return err
	}
	syncDir(parent)
	return nil
}

// writeFile writes a new file through to the disk.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
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
	var m manifest
	raw, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil || json.NewDecoder(bytes.NewReader(raw)).Decode(&m) != nil || m.Schema != manifestSchema {
		return false, fmt.Errorf("%s is not a run folder and is left alone: want a new name, an empty folder or one with a %s of schema %q",
			dir, manifestName, manifestSchema)
	}
	ours := []string{manifestName, "host.json", "log.ndjson"}
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
