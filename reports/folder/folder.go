// Package folder reads and writes run folders, a whole folder or nothing, and names them
// by their content. It does not replace a folder that is not a run folder or that holds
// other files, and does not read a file that was changed after the run. The packages that
// call it define the content of the files.
package folder

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
	"path/filepath"
	"slices"
	"strings"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/reports/format"
)

// File is a file of a run folder.
type File = durable.File

// Place is the path of a run folder to be written, and what may be replaced there.
type Place struct {
	Dir      string
	Settings []string // what decides the content besides scenario and seed, as on the command line
	Replace  bool     // replace a run folder in Dir even if it is the folder of another run
}

const (
	ManifestName   = "manifest.json"
	manifestSchema = "flyball/manifest"
)

// Manifest is the content of manifest.json: a description of the folder, and the digest of
// each file.
type Manifest struct {
	Schema        string         `json:"schema"`
	SchemaVersion int            `json:"schema_version"`
	Attributes    Attributes     `json:"attributes"`
	Replay        string         `json:"replay"`
	Files         []ManifestFile `json:"files"`
}

// Attributes distinguish run folders.
type Attributes struct {
	Name         string `json:"name"`
	ScenarioID   string `json:"scenario_id"`
	Seed         uint64 `json:"seed"`
	Replication  uint64 `json:"replication"`
	Replications int    `json:"replications"` // from that one on; more than one is an ensemble
	Mode         string `json:"mode"`
	Partial      bool   `json:"partial"`

	Settings []string `json:"settings,omitempty"` // see Place
}

// ManifestFile is a file of a folder, with its digest.
type ManifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// OwnFiles returns the names of the files of a run folder, without those in plots.
func OwnFiles() []string {
	return []string{ManifestName, "summary.json", "intervals.csv", "report.html", "host.json", "scenario.toml",
		"scenario.resolved.toml", "log.ndjson",
		"simulated.csv", "stages.csv", "limits.csv", "assumptions.csv", "sensitivity.csv"}
}

// undigested reports whether a file differs between equal runs and so has no digest.
func undigested(path string) bool { return path == "host.json" || path == "log.ndjson" }

// Key returns a name for content: 12 letters and digits that are safe in a file name.
func Key(content []byte) string {
	sum := sha256.Sum256(content)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:12]
}

// seal adds host.json and the manifest to the files of a folder.
func seal(files []File, h Host, replay string, a Attributes) ([]File, error) {
	host, err := format.WithSchema("flyball/host", h)
	if err != nil {
		return nil, err
	}
	files = append(files, File{Path: "host.json", Data: host})
	m := Manifest{Schema: manifestSchema, SchemaVersion: format.SchemaVersion, Replay: replay, Attributes: a}
	for _, f := range files {
		if !undigested(f.Path) {
			sum := sha256.New()
			n, err := f.CopyTo(sum)
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

// Replications returns the number of runs in the folder dir; more than one is an
// ensemble. A folder without runs of one scenario, such as a study, is an error.
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
		what, read = "a comparison", "report.html, or its cells.csv"
	}
	if what != "" {
		return 0, fmt.Errorf("%s is the folder of %s: want the folder of a run (read its %s)", dir, what, read)
	}
	return m.Attributes.Replications, nil
}

// Modes of folders that are not run folders.
const (
	StudyMode      = "study"
	TuningMode     = "tuning"
	LawsMode       = "laws"
	ComparisonMode = "comparison"
)

// ReadManifest reads the manifest of the folder dir. A folder without one is an error.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	raw, err := input.Read(filepath.Join(dir, ManifestName), input.Manifest)
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
		if !fs.ValidPath(f.Path) {
			return m, fmt.Errorf("%s: files: got path %q, want one below the folder", filepath.Join(dir, ManifestName),
				f.Path)
		}
		data, err := input.Read(name, input.RunFile)
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

// Check returns an error if Publish could not write the folder that a describes at to. It
// is called before a long run, so that the result will not be lost. If the folder of
// another run is there, the error is an Other.
func Check(to Place, a Attributes) error {
	a.Settings = to.Settings
	dir, err := filepath.Abs(to.Dir)
	if err != nil {
		return err
	}
	if err := replaceable(dir, to, a); err != nil {
		return err
	}
	return durable.Place(dir)
}

// Publish writes a folder at to: files, host.json from h, and the manifest with a and the
// command line replay that repeats the run; all of them or nothing. It replaces an
// existing folder if that is empty, or if it is a run folder without other files and
// either of the same run or to.Replace is set. Anything else stays and is an error.
func Publish(to Place, files []File, h Host, replay string, a Attributes) error {
	a.Settings = to.Settings
	dir, err := filepath.Abs(to.Dir)
	if err != nil {
		return err
	}
	if files, err = seal(files, h, replay, a); err != nil {
		return err
	}
	if err := replaceable(dir, to, a); err != nil {
		return err
	}
	return durable.Folder(dir, files, func() error { return replaceable(dir, to, a) })
}

// Other is the error of a place that holds the folder of another run.
type Other struct {
	Dir  string
	Have Attributes // of the run that is there
	Want Attributes
}

func (o *Other) Error() string {
	return fmt.Sprintf("%s holds %s of another run: %s; want another folder, or --force to replace it", o.Dir,
		o.Have.words(), strings.Join(o.Have.differ(o.Want), ", "))
}

// words returns a name for the folder in errors.
func (a Attributes) words() string {
	what := map[string]string{StudyMode: "the study", TuningMode: "the search", LawsMode: "the trial",
		ComparisonMode: "the", "real": "the live run of"}[a.Mode]
	if what == "" {
		what = "the simulation of"
	}
	text := fmt.Sprintf("%s %s", what, a.Name)
	if a.ScenarioID != "" {
		text += fmt.Sprintf(" (%.12s), seed %d", a.ScenarioID, a.Seed)
	}
	return text
}

// differ returns in words how the settings of a differ from those of b. The final number
// of replications, and whether a signal stopped them, are results and not settings.
func (a Attributes) differ(b Attributes) []string {
	var all []string
	note := func(differs bool, what string, got, want any) {
		if differs {
			all = append(all, fmt.Sprintf("its %s is %v and this one's %v", what, got, want))
		}
	}
	note(a.Mode != b.Mode, "kind", a.Mode, b.Mode)
	note(a.Name != b.Name, "name", a.Name, b.Name)
	note(a.ScenarioID != b.ScenarioID, "scenario with its values", fmt.Sprintf("%.12s", a.ScenarioID),
		fmt.Sprintf("%.12s", b.ScenarioID))
	note(a.Seed != b.Seed, "seed", a.Seed, b.Seed)
	note(a.Replication != b.Replication, "replication", a.Replication, b.Replication)
	settings := func(s []string) string {
		if len(s) == 0 {
			return "none"
		}
		return strings.Join(s, " ")
	}
	note(!slices.Equal(a.Settings, b.Settings), "further setting", settings(a.Settings), settings(b.Settings))
	return all
}

// replaceable returns an error unless dir does not exist, is empty, or is a run folder that
// the folder of a may replace. It never allows files to be deleted that a run did not
// write.
func replaceable(dir string, to Place, a Attributes) error {
	if here, err := os.Getwd(); err == nil && (here == dir || strings.HasPrefix(here, dir+string(filepath.Separator))) {
		return fmt.Errorf("%s holds the current folder: want another", dir)
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: want a run folder or a new name", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	var m Manifest
	raw, err := input.Read(filepath.Join(dir, ManifestName), input.Manifest)
	if err != nil || json.NewDecoder(bytes.NewReader(raw)).Decode(&m) != nil || m.Schema != manifestSchema {
		return fmt.Errorf("%s is not a run folder and is left alone: want a new name, an empty folder or one with a "+
			"%s of schema %q",
			dir, ManifestName, manifestSchema)
	}
	ours := []string{ManifestName, "host.json", "log.ndjson"}
	for _, f := range m.Files {
		ours = append(ours, f.Path)
	}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains(ours, name) {
			err = fmt.Errorf("%s holds %s, which the run did not write, and is left alone: move that file, or name "+
				"another folder", dir, name)
		}
		return err
	})
	if err == nil && !to.Replace && m.Attributes.differ(a) != nil {
		err = &Other{to.Dir, m.Attributes, a}
	}
	return err
}
