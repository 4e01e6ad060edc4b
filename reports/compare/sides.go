package compare

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"flyball/internal/csvfile"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/run"
)

// ReadCandidate reads one side of a comparison: the folder of a run or of an
// ensemble, or a folder of such folders. Runs of one scenario become one trial.
func ReadCandidate(dir string) (Candidate, error) {
	c := Candidate{Name: dir}
	if _, err := os.Stat(filepath.Join(dir, folder.ManifestName)); err == nil {
		return c, c.read(dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return c, err
	}
	for _, e := range entries { // by name
		in := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(in, folder.ManifestName)); err != nil {
			continue
		}
		if err := c.read(in); err != nil {
			return c, err
		}
	}
	if c.Trials == nil {
		_, err := folder.ReadManifest(dir)
		return c, fmt.Errorf("%w, and holds none", err)
	}
	return c, nil
}

// read adds the runs of one folder to the candidate.
func (c *Candidate) read(dir string) error {
	n, err := folder.Replications(dir)
	if err != nil {
		return err
	}
	var t Trial
	if n > 1 {
		t, err = readEnsembleTrial(dir)
	} else {
		t, err = readRunTrial(dir)
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.Trials, func(o Trial) bool { return o.Scenario == t.Scenario })
	if i < 0 {
		c.Trials = append(c.Trials, t)
		return nil
	}
	into := &c.Trials[i]
	if into.Seed != t.Seed || into.Mode != t.Mode || into.List != t.List || !bytes.Equal(into.Resolved, t.Resolved) {
		return fmt.Errorf("%s: another run of %s in the same folder differs in seed, mode, list or scenario: want "+
			"folders of one candidate", dir, t.Scenario)
	}
	for _, s := range t.Runs {
		if slices.ContainsFunc(into.Runs, func(o Replicate) bool { return o.Replication == s.Replication }) {
			return fmt.Errorf("%s: replication %d of %s is there twice", dir, s.Replication, t.Scenario)
		}
		into.Runs = append(into.Runs, s)
	}
	into.courses = nil // a mean of means would have wrong weights
	return nil
}

func readRunTrial(dir string) (Trial, error) {
	r, x, err := run.Read(dir)
	if err != nil {
		return Trial{}, err
	}
	if r.Partial {
		return Trial{}, fmt.Errorf("%s holds a run that was stopped before its end", dir)
	}
	t := Trial{Scenario: r.Name, Seed: r.Seed, Mode: r.Mode, List: r.List, Target: r.Target, IntervalSec: r.IntervalSec,
		Resolved: x.ResolvedTOML}
	var names []string
	for _, s := range r.Servers {
		names = append(names, s.Name)
	}
	t.take(names, []ensemble.Observation{ensemble.Observe(r)})
	return t, nil
}

func readEnsembleTrial(dir string) (Trial, error) {
	e, x, err := ensemble.Read(dir)
	if err != nil {
		return Trial{}, err
	}
	t := Trial{Scenario: e.Name, Seed: e.Seed, Mode: e.Mode, List: e.List, Target: e.Target, IntervalSec: e.IntervalSec,
		Resolved: x.ResolvedTOML}
	t.mean = e.Replications
	for _, f := range x.More {
		switch f.Path {
		case "replications.csv":
			err = t.readReplications(f.Data)
		case "trajectory.csv":
			t.courses, err = readCourses(f.Data, e.IntervalSec)
		}
		if err != nil {
			return Trial{}, fmt.Errorf("%s: %w", filepath.Join(dir, f.Path), err)
		}
	}
	if t.Runs == nil {
		return Trial{}, fmt.Errorf("%s has no replications.csv", dir)
	}
	return t, nil
}

// readReplications reads the runs of an ensemble. Metrics differ between revisions; a
// missing one is undefined.
func (t *Trial) readReplications(raw []byte) error {
	r := csvfile.NewReader(bytes.NewReader(raw), "")
	header, err := r.Header("a header, and a row for each replication")
	if err != nil {
		return err
	}
	names := measure.MetricNames()
	for _, name := range header.Names {
		if _, is := measure.MetricNamed(name); is && !slices.Contains(names, name) { // of a campaign or a destination
			names = append(names, name)
		}
	}
	column := func(name string) string {
		if i := slices.Index(header.Names, name); i >= 0 {
			return csvfile.Plain(string(r.Field(i)))
		}
		return ""
	}
	for {
		ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		bad := r.Width(len(header.Names))
		if bad != nil {
			return r.Fault(0, "%v", bad)
		}
		number := func(name string) float64 {
			text := column(name)
			if text == "" {
				return math.NaN()
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil && bad == nil {
				bad = fmt.Errorf("line %d: %s is %q, want a number", r.Row(), name, text)
			}
			return v
		}
		metrics := map[string]float64{}
		for _, name := range names {
			metrics[name] = number(name)
		}
		for _, name := range names { // in a file a time that never came is missing
			if !math.IsNaN(metrics[name]) || !measure.MayNeverCome(name) || !slices.Contains(header.Names, name) {
				continue
			}
			_, of := measure.Split(name)
			refused, counts := metrics["refused_share:"+of]
			tried := metrics["attempts"] > 0 && (!counts || !math.IsNaN(refused)) // undefined without attempts
			if measure.InIntervals(name) && column("settled") != "not judged" || !measure.InIntervals(name) && tried {
				metrics[name] = math.Inf(1)
			}
		}
		watched := 0
		if w := number("watched_intervals"); known(w) {
			watched = int(w)
		}
		replication := number("replication")
		if bad == nil && !(replication >= 0 && replication < 1<<53) {
			bad = fmt.Errorf("line %d: no replication", r.Row())
		}
		if bad != nil {
			return bad
		}
		t.Runs = append(t.Runs, t.sample(uint64(replication), column("digest"), watched, metrics))
	}
	if t.Runs == nil {
		return fmt.Errorf("no replication")
	}
	return nil
}

// readCourses reads trajectory.csv of an ensemble.
func readCourses(raw []byte, span float64) ([]ensemble.MeanPoint, error) {
	fields, err := format.ReadCSV(raw, ensemble.TrajectoryColumns())
	if err != nil {
		return nil, err
	}
	var all []ensemble.MeanPoint
	for f := range fields.Each {
		s := ensemble.MeanPoint{Server: f.Text(), Number: int(f.Whole()), End: float64(f.Num()), Span: span}
		s.Rate.N, s.Judged = int(f.Whole()), int(f.Whole())
		for _, of := range []*ensemble.Spread{&s.Rate, &s.C} {
			of.Value, of.Low, of.High, of.Least, of.Most = f.Num(), f.Num(), f.Num(), f.Num(), f.Num()
		}
		s.C.N = s.Rate.N
		s.Target = float64(f.Num())
		all = append(all, s)
	}
	return all, fields.Err
}

// differences returns the keys in which two resolved scenarios differ: laws has keys of
// the policy under comparison, targets, partitions and a destination's [send] among them; question has keys of the
// setting, which must not differ.
// Keys that only name or judge a run are left out.
func differences(a, b []byte) (laws, question []string) {
	x, y := valuesOf(a), valuesOf(b)
	every := maps.Clone(x)
	maps.Copy(every, y)
	for _, name := range slices.Sorted(maps.Keys(every)) {
		if x[name] == y[name] {
			continue
		}
		top, _, _ := strings.Cut(name, ".")
		top, _, _ = strings.Cut(top, "[")
		switch {
		case slices.Contains([]string{"name", "about", "seed", "stages", "time_scale", "schema_version", "expect",
			"analysis"}, top):
		case (top == "governor" || top == "retry" || top == "sender") && !strings.HasPrefix(name, "governor.fault["),
			top == "destination" && strings.Contains(name, "].send."):
			laws = append(laws, name)
		default:
			question = append(question, name)
		}
	}
	return laws, question
}

// valuesOf returns the values of a resolved scenario by their paths, such as "destination[0].cap". A text that is not
// TOML, which no program of ours writes, is one value.
func valuesOf(resolved []byte) map[string]string {
	values := map[string]string{}
	var root map[string]any
	if err := toml.Unmarshal(resolved, &root); err != nil {
		values["scenario"] = string(resolved)
		return values
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, below := range v { // in any order: the paths are sorted later
				walk(strings.TrimPrefix(path+"."+name, "."), below)
			}
		case []map[string]any:
			for i, element := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), element)
			}
		default:
			values[path] = fmt.Sprint(v)
			if text, ok := v.(string); ok {
				values[path] = strconv.Quote(text)
			}
		}
	}
	walk("", root)
	return values
}
