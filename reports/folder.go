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
	"syscall"

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
	Name         string `json:"name"`
	ScenarioID   string `json:"scenario_id"`
	Seed         uint64 `json:"seed"`
	Replication  uint64 `json:"replication"`
	Replications int    `json:"replications"` // from that one on; more than one is an ensemble
	Mode         string `json:"mode"`
	Partial      bool   `json:"partial"`
}

type manifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// ownFiles are the names that every run folder uses; plots has the others.
func ownFiles() []string {
	return []string{manifestName, "summary.json", "intervals.csv", "report.html", "host.json", "scenario.toml", "scenario.resolved.toml", "log.ndjson",
		"limits.csv", "assumptions.csv", "sensitivity.csv"}
}

// undigested files differ from run to run of the same scenario.
func undigested(path string) bool { return path == "host.json" || path == "log.ndjson" }

// Key names a run by its content: two runs have the same key if and only if
// scenario, seed, list, replication, mode and being partial are the same. It is 12 letters and
// digits that are safe in a file name.
func Key(run *runlog.Run) string {
	content := fmt.Appendf(nil, "%s\n%d\n%s\n%t\n", run.ScenarioID, run.Seed, run.Mode, run.Partial)
	if run.Replication > 0 {
		content = fmt.Appendf(content, "replication %d\n", run.Replication)
	}
	if run.List != "" {
		content = fmt.Appendf(content, "list %s\n", run.List)
	}
	if run.Mode == "real" { // no two live runs are alike, and none replaces another
		content = fmt.Appendf(content, "digest %x\n", run.Digest)
	}
	return keyOf(content)
}

func keyOf(content []byte) string {
	sum := sha256.Sum256(content)
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
	files := []File{
		{"summary.json", summary}, {"intervals.csv", r.intervalsCSV()}, {"report.html", html},
		{"scenario.toml", x.ScenarioTOML}, {"scenario.resolved.toml", x.ResolvedTOML}, {"log.ndjson", x.Log},
	}
	if r.Limits != nil {
		files = append(files, File{"limits.csv", r.limitsCSV()})
	}
	if r.Assumptions != nil {
		files = append(files, File{"assumptions.csv", assumptionsCSV(r.Assumptions)})
	}
	if r.Sensitivity != nil {
		files = append(files, File{"sensitivity.csv", r.Sensitivity.csv()})
	}
	files = append(files, plotFiles(figures)...)
	return sealed(append(files, x.More...), r.Host, r.Replay,
		attributes{r.Name, r.ScenarioID, r.Seed, r.Replication, 1, r.Mode, r.Partial})
}

func plotFiles(figures []Figure) []File {
	var files []File
	for _, f := range figures {
		files = append(files, File{"plots/" + f.Name + ".svg", f.SVG}, File{"plots/" + f.Name + ".png", f.PNG}, File{"plots/" + f.Name + ".csv", f.CSV})
	}
	return files
}

// sealed adds what a run cost and the manifest to the files of its folder.
func sealed(files []File, h Host, replay string, a attributes) ([]File, error) {
	host, err := sortedJSON(struct {
		Schema        string `json:"schema"`
		SchemaVersion int    `json:"schema_version"`
		Host
	}{"flyball/host", schemaVersion, h})
	if err != nil {
		return nil, err
	}
	files = append(files, File{"host.json", host})
	m := manifest{Schema: manifestSchema, SchemaVersion: schemaVersion, Replay: replay, Attributes: a}
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
	r := &Report{}
	var x Extra
	m, err := readFolder(dir, func(name string, data []byte) (err error) {
		switch name {
		case "summary.json":
			err = readSchema(data, "flyball/summary", r)
		case "intervals.csv":
			r.Rows, err = readIntervals(data)
		case "limits.csv":
			r.Limits, err = readLimits(data)
		case "assumptions.csv":
			r.Assumptions, err = readAssumptions(data)
		case "sensitivity.csv":
			r.Sensitivity, err = readSensitivity(data)
		case "plots/latency.csv":
			r.Bars, err = readLatency(data)
		case "host.json":
			err = readSchema(data, "flyball/host", &r.Host)
		default:
			x.keep(name, data)
		}
		return err
	})
	if err != nil {
		return nil, Extra{}, err
	}
	r.Replay = m.Replay
	return r, x, nil
}

// ReadEnsemble loads the folder of an ensemble as Read does that of a run: what
// is printed of it, not its single runs.
func ReadEnsemble(dir string) (*Ensemble, Extra, error) {
	e := &Ensemble{}
	var x Extra
	m, err := readFolder(dir, func(name string, data []byte) (err error) {
		switch name {
		case "summary.json":
			err = readSchema(data, "flyball/ensemble", e)
		case "assumptions.csv":
			e.Assumptions, err = readAssumptions(data)
		case "host.json":
			err = readSchema(data, "flyball/host", &e.Host)
		default:
			x.keep(name, data)
		}
		return err
	})
	if err != nil {
		return nil, Extra{}, err
	}
	e.Replay = m.Replay
	return e, x, nil
}

// Replications is the number of runs that a folder holds; more than one is an
// ensemble. The folder of anything else than runs of one scenario is an error.
func Replications(dir string) (int, error) {
	m, err := readManifest(dir)
	if err != nil {
		return 0, err
	}
	what, read := "", ""
	switch m.Attributes.Mode {
	case studyMode:
		what, read = "a study", "report.html, or its points.csv"
	case tuningMode:
		what, read = "a search", "report.html, or its tune.json"
	case lawsMode:
		what, read = "laws", "report.html, or its cells.csv"
	case comparisonMode:
		what, read = "a comparison", "compare.md, or its cells.csv"
	}
	if what != "" {
		return 0, fmt.Errorf("%s is the folder of %s: want that of a run (read its %s)", dir, what, read)
	}
	return m.Attributes.Replications, nil
}

// Modes that tell other folders from that of a run.
const (
	studyMode      = "study"
	tuningMode     = "tuning"
	lawsMode       = "laws"
	comparisonMode = "comparison"
)

// keep takes a file that is not the report's own.
func (x *Extra) keep(name string, data []byte) {
	switch name {
	case "scenario.toml":
		x.ScenarioTOML = data
	case "scenario.resolved.toml":
		x.ResolvedTOML = data
	case "log.ndjson":
		x.Log = data
	default:
		if !slices.Contains(ownFiles(), name) && path.Dir(name) != "plots" {
			x.More = append(x.More, File{name, data})
		}
	}
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	raw, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, fmt.Errorf("%s is not a run folder: %w", dir, err)
	}
	if err := readSchema(raw, manifestSchema, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, manifestName), err)
	}
	return m, nil
}

// readFolder reads every file of a run folder and compares it with its digest.
func readFolder(dir string, each func(name string, data []byte) error) (manifest, error) {
	m, err := readManifest(dir)
	if err != nil {
		return m, err
	}
	files, summary := append(slices.Clip(m.Files), manifestFile{Path: "host.json"}), "tune.json"
	if m.Attributes.Mode != tuningMode { // which has no log
		files, summary = append(files, manifestFile{Path: "log.ndjson"}), "summary.json"
	}
	if !slices.ContainsFunc(m.Files, func(f manifestFile) bool { return f.Path == summary }) {
		return m, fmt.Errorf("%s: files: got no %s", filepath.Join(dir, manifestName), summary)
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		data, err := fs.ReadFile(os.DirFS(dir), f.Path)
		if err != nil {
			return m, fmt.Errorf("%s: %w", dir, err)
		}
		if !undigested(f.Path) && digest(data) != f.SHA256 {
			return m, fmt.Errorf("%s was changed after the run: its digest is not the one in %s", name, manifestName)
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

// publish puts files into a folder that is not there yet, or takes the place
// of an old one.
func publish(dir string, files []File) error {
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
		if err := writeFile(filepath.Join(building, filepath.FromSlash(f.Path)), f.Data); err != nil {
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
