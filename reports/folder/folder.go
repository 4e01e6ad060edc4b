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

// Place is where a run folder goes.
type Place struct {
	Dir      string
	Settings []string // what decides its content beside scenario and seed, as on the command line
	Replace  bool     // a folder of ours that is there, whatever it is of
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

	Settings []string `json:"settings,omitempty"` // see Place
}

// ManifestFile is a file of a folder, with its digest.
type ManifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// OwnFiles are the names that every run folder uses; plots has the others.
func OwnFiles() []string {
	return []string{ManifestName, "summary.json", "intervals.csv", "report.html", "host.json", "scenario.toml",
		"scenario.resolved.toml", "log.ndjson",
		"limits.csv", "assumptions.csv", "sensitivity.csv"}
}

// undigested files differ from run to run of the same scenario.
func undigested(path string) bool { return path == "host.json" || path == "log.ndjson" }

// Key names a folder by a content: 12 letters and digits that are safe in a file name.
func Key(content []byte) string {
	sum := sha256.Sum256(content)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:12]
}

// seal adds what a run cost and the manifest to the files of its folder.
func seal(files []File, h Host, replay string, a Attributes) ([]File, error) {
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

// Check reports whether Publish could make a folder of what a describes at to now,
// so that a long run does not end in a report that goes nowhere. If a folder of
// another run is there, the error is Other.
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

// Publish puts files, what the run a cost, and the manifest with the command replay
// that makes the run again, into a folder at to: all of them or none. A folder that is there is
// replaced if it is empty, or if it is one
// of ours with nothing else in it and of the same run, or to.Replace is set.
// Anything else is an error, and stays.
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

// Other reports a folder of another run where one shall go.
type Other struct {
	Dir  string
	Have Attributes // of the run that is there
	Want Attributes
}

func (o *Other) Error() string {
	return fmt.Sprintf("%s holds %s of another run: %s; want another folder, or --force to replace it", o.Dir,
		o.Have.words(), strings.Join(o.Have.differ(o.Want), ", "))
}

// words name a folder.
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

// differ are the words that tell the run of a from that of b. How many
// replications there were in the end, and whether a signal stopped them, is not
// what was asked.
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

// replaceable returns an error unless dir is not there, is empty, or is a folder
// of ours that the one described by a may replace. What is not surely ours to
// delete is never replaced.
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
