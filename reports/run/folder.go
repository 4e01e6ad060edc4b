package run

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"flyball/reports/attempts"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/page"
	"flyball/reports/runlog"
	"flyball/reports/sensitivity"
	"flyball/reports/traces"
)

// Extra is what a run folder holds besides the report.
type Extra struct {
	ScenarioTOML []byte        // as it was given
	ResolvedTOML []byte        // with every default
	Log          []byte        // NDJSON
	More         []folder.File // anything else, such as the reject file of a list
}

// Key returns a name for a run that depends on its content: two runs have the same key
// if and only if scenario, seed, list, replication, mode and being partial are the same.
// It has 12 letters and digits that are safe in a file name.
func Key(run *runlog.Run) string {
	content := fmt.Appendf(nil, "%s\n%d\n%s\n%t\n", run.ScenarioID, run.Seed, run.Mode, run.Partial)
	if run.Replication > 0 {
		content = fmt.Appendf(content, "replication %d\n", run.Replication)
	}
	if run.List != "" {
		content = fmt.Appendf(content, "list %s\n", run.List)
	}
	if run.Known != "" {
		content = fmt.Appendf(content, "proximity %s\n", run.Known)
	}
	if run.Mode == "real" { // live runs differ from one another, and none replaces another
		content = fmt.Appendf(content, "digest %x\n", run.Digest)
	}
	return folder.Key(content)
}

// Write writes the run folder of a report at to, all of it or nothing, see
// folder.Publish.
func Write(to folder.Place, r *Report, x Extra) error {
	files, err := r.files(x)
	if err != nil {
		return err
	}
	return folder.Publish(to, files, r.Host, r.Replay,
		folder.Attributes{Name: r.Name, ScenarioID: r.ScenarioID, Seed: r.Seed, Replication: r.Replication,
			Replications: 1, Mode: r.Mode, Partial: r.Partial})
}

// files returns all files of the folder, except the manifest.
func (r *Report) files(x Extra) ([]folder.File, error) {
	for _, f := range x.More {
		if !fs.ValidPath(f.Path) || f.Path == "." || slices.Contains(folder.OwnFiles(), f.Path) ||
			path.Dir(f.Path) == "plots" {
			return nil, fmt.Errorf("run folder: got extra file %q, want a relative path that is not in use", f.Path)
		}
	}
	files, err := page.Files(r, "summary.json")
	if err != nil {
		return nil, err
	}
	files = append(files, folder.File{Path: "intervals.csv", Data: intervalsCSV(r.Rows)},
		folder.File{Path: "scenario.toml", Data: x.ScenarioTOML},
		folder.File{Path: "scenario.resolved.toml", Data: x.ResolvedTOML},
		folder.File{Path: "log.ndjson", Data: x.Log})
	if r.Beside != nil {
		files = append(files, folder.File{Path: "simulated.csv", Data: intervalsCSV(r.Beside)})
	}
	if r.Stages != nil {
		files = append(files, folder.File{Path: "stages.csv", Data: traces.CSV(r.Stages)})
	}
	if r.Limits != nil {
		files = append(files, folder.File{Path: "limits.csv", Data: r.limitsCSV()})
	}
	if r.Assumptions != nil {
		files = append(files, folder.File{Path: "assumptions.csv", Data: AssumptionsCSV(r.Assumptions)})
	}
	if r.Sensitivity != nil {
		files = append(files, folder.File{Path: "sensitivity.csv", Data: r.Sensitivity.CSV()})
	}
	return append(files, x.More...), nil
}

// Read reads a run folder and checks the digests in its manifest. Writing the result
// again gives the same folder.
func Read(dir string) (*Report, Extra, error) {
	r := &Report{}
	var x Extra
	var curves map[string][]Point
	m, err := folder.Read(dir, func(name string, data []byte) (err error) {
		switch name {
		case "summary.json":
			err = format.ReadSchema(data, "flyball/summary", r)
		case "intervals.csv":
			r.Rows, err = readIntervals(data)
		case "simulated.csv":
			r.Beside, err = readIntervals(data)
		case "stages.csv":
			r.Stages, err = traces.Read(data)
		case "limits.csv":
			r.Limits, err = readLimits(data)
		case "assumptions.csv":
			r.Assumptions, err = ReadAssumptions(data)
		case "sensitivity.csv":
			r.Sensitivity, err = sensitivity.Read(data)
		case "plots/latency.csv":
			r.Bars, err = readLatency(data)
		case "plots/final.csv":
			curves, err = readFinal(data)
		case "plots/replies.csv":
			r.Course, err = attempts.Read(data)
		case "host.json":
			err = format.ReadSchema(data, "flyball/host", &r.Host)
		default:
			x.Keep(name, data)
		}
		return err
	})
	if err != nil {
		return nil, Extra{}, err
	}
	r.Replay = m.Replay
	for i, c := range r.Campaigns {
		r.Campaigns[i].Curve = curves[c.Name]
	}
	return r, x, nil
}

// Keep stores a file that does not belong to the report.
func (x *Extra) Keep(name string, data []byte) {
	switch name {
	case "scenario.toml":
		x.ScenarioTOML = data
	case "scenario.resolved.toml":
		x.ResolvedTOML = data
	case "log.ndjson":
		x.Log = data
	default:
		if !slices.Contains(folder.OwnFiles(), name) && path.Dir(name) != "plots" {
			x.More = append(x.More, folder.File{Path: name, Data: data})
		}
	}
}
