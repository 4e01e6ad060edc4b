package study

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/internal/tomlfile"
	"flyball/scenarios"
)

const world = `schema_version = 1
name = "small"
[governor]
step = "explicit"
d = 8
[[destination]]
name = "a"
domain = "a.example"
[[campaign]]
name = "c"
recipients = 1000
`

func read(name string) (Text, error) {
	if name == "small.toml" || name == "other.toml" {
		return Text{Name: name, TOML: []byte(world)}, nil
	}
	return Text{}, fmt.Errorf("no scenario or file %q: %w", name, fs.ErrNotExist)
}

func load(t *testing.T, text string, set ...string) *Study {
	t.Helper()
	s, err := Load("s.toml", []byte("schema_version = 1\nname = \"s\"\n"+text), set, nil, read)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listed returns the points as "scenario value value".
func listed(s *Study) []string {
	var all []string
	for _, p := range s.Points {
		words := []string{strings.TrimSuffix(s.Names[p.Scenario], ".toml")}
		for i := range s.Axes {
			words = append(words, s.Value(p, i))
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// In a grid the last parameter changes first, and the scenario last.
func TestGrid(t *testing.T) {
	s := load(t, `
scenarios = ["small.toml", "other.toml"]
[[parameter]]
key = "governor.d"
values = [1, 2.5]
[[parameter]]
key = ["governor.interval", "campaign[0].start"]
values = ["1h", "2h", "3h"]
`)
	want := []string{"small 1 1h", "small 1 2h", "small 1 3h", "small 2.5 1h", "small 2.5 2h", "small 2.5 3h",
		"other 1 1h", "other 1 2h", "other 1 3h", "other 2.5 1h", "other 2.5 2h", "other 2.5 3h"}
	if got := listed(s); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	p := s.Points[4]
	if p.Loaded.Governor.D != 2.5 || p.Loaded.Governor.Interval.Hours() != 2 {
		t.Errorf("point 4 is loaded as %+v", p.Loaded.Governor)
	}
	if p.ID != scenarios.ID(p.Loaded) || p.ID == s.Points[5].ID {
		t.Error("points are not named by their scenarios")
	}
}

func TestZip(t *testing.T) {
	s := load(t, `
scenario = "small.toml"
design = "zip"
[[parameter]]
key = "governor.d"
values = [1, 2, 4]
[[parameter]]
key = "governor.target"
from = "10000/h"
to = "30000/h"
steps = 3
`)
	if got, want := listed(s), []string{"small 1 10000/h", "small 2 20000/h", "small 4 30000/h"}; !slices.Equal(got,
		want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The first terms of the sequences to bases 2 and 3, as fractions, as published
// by van der Corput (1935) and Halton (1960).
func TestRadicalInverse(t *testing.T) {
	for base, fractions := range map[uint64]string{
		2: "1/2 1/4 3/4 1/8 5/8 3/8 7/8 1/16 9/16 5/16",
		3: "1/3 2/3 1/9 4/9 7/9 2/9 5/9 8/9 1/27 10/27",
		5: "1/5 2/5 3/5 4/5 1/25 6/25 11/25 16/25 21/25 2/25",
	} {
		for n, f := range strings.Fields(fractions) {
			a, b, _ := strings.Cut(f, "/")
			x, _ := strconv.ParseFloat(a, 64)
			y, _ := strconv.ParseFloat(b, 64)
			if got := radicalInverse(uint64(n)+1, base); got != x/y {
				t.Errorf("base %d, term %d: %v, want %s", base, n+1, got, f)
			}
		}
	}
}

// A Halton design lays the sequence over the spans, and gives each value of a
// list an equal share of it.
func TestHalton(t *testing.T) {
	s := load(t, `
scenario = "small.toml"
design = "halton"
points = 5
[[parameter]]
key = "governor.d"
from = 0
to = 16.0
[[parameter]]
key = "governor.law"
values = ["hold", "patent-damped", "patent-dynamic"]
[[parameter]]
key = "governor.start"
from = 1.0
to = 100.0
scale = "log"
`, "governor.d=3")
	// Bases 2, 3 and 5; 100^(1/5) = 2.51189 and so on.
	want := []string{"small 8.0 patent-damped 2.51189", "small 4.0 patent-dynamic 6.30957", "small 12.0 hold 15.8489",
		"small 2.0 patent-damped 39.8107", "small 10.0 patent-dynamic 1.20226"}
	if got := listed(s); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got, want := s.Axes[0].Values, []string{"2.0", "4.0", "8.0", "10.0", "12.0"}; !slices.Equal(got, want) {
		t.Errorf("the first axis is %v, want %v", got, want)
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		from, to Value
		scale    string
		steps    int
		want     string
	}{
		{"1", "64", "log", 7, "1 2 4 8 16 32 64"},
		{"1", "4", "linear", 4, "1 2 3 4"},
		{"4", "1", "linear", 4, "4 3 2 1"},
		{"1", "2.0", "linear", 3, "1.0 1.5 2.0"},
		{"10m", "30m", "linear", 3, "10m 20m 30m"},
		{"1h", "1d", "log", 2, "1h 1d"},
		{"100000/h", "200000/h", "linear", 3, "100000/h 150000/h 200000/h"},
		{"0.1", "1000.0", "log", 5, "0.1 1.0 10.0 100.0 1000.0"},
	} {
		s, err := newSpan(c.from, c.to, c.scale)
		if err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
			continue
		}
		var got []string
		for _, v := range s.values(c.steps) {
			got = append(got, string(v))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s to %s, %s: got %v, want %s", c.from, c.to, c.scale, got, c.want)
		}
	}
}

// A case is a name for several settings and takes the place of a value. A case
// without settings is the scenario as it is.
func TestCases(t *testing.T) {
	const law = `
[[parameter]]
name = "law"
case = [
    { name = "as it is" },
    { name = "d = 24", set = ["governor.law = patent-damped", "governor.d = 24"] },
]
`
	s := load(t, "scenario = \"small.toml\""+law+"[[parameter]]\nkey = \"governor.target\"\nvalues = [\"10000/h\", "+
		"\"20000/h\"]\n")
	want := []string{"small as it is 10000/h", "small as it is 20000/h", "small d = 24 10000/h", "small d = 24 20000/h"}
	if got := listed(s); !slices.Equal(got, want) || s.Axes[0].Keys[0] != "law" {
		t.Errorf("got  %v of %v\nwant %v", got, s.Axes[0].Keys, want)
	}
	for i, want := range []struct {
		law string
		d   float64
	}{{"patent-dynamic", 8}, {"patent-dynamic", 8}, {"patent-damped", 24}, {"patent-damped", 24}} {
		if g := s.Points[i].Loaded.Governor; g.Law != want.law || g.D != want.d ||
			float64(g.Target) != float64(10_000*(1+i%2)) {
			t.Errorf("point %d is loaded as %+v", i, g)
		}
	}
	if set := s.Settings(s.Points[3]); !slices.Equal(set, []string{"governor.law = patent-damped", "governor.d = 24",
		"governor.target=20000/h", "seed=1"}) {
		t.Errorf("point 3 is made by %q", set)
	}
	s = load(t, "scenario = \"small.toml\"\ndesign = \"halton\"\npoints = 4"+law)
	if got, want := listed(s), []string{"small d = 24", "small as it is", "small d = 24",
		"small as it is"}; !slices.Equal(got, want) {
		t.Errorf("Halton: got %v, want %v", got, want)
	}
}

// All problems are reported at once, at their entries in the study.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`scenario = "small.toml"
replicatons = 3
metrics = ["rate_per_h", "dfrr"]
[[parameter]]
key = "governor.dd"
values = [1]
[[parameter]]
key = "governor.start"
values = [-1, 5]
`, `s.toml:4:1: unknown key "replicatons" (did you mean "replications"?)
s.toml:5:26: metrics[1]: got "dfrr", want one that flyball scenario metrics lists (did you mean "dfr"?)
s.toml:8:11: parameter[0].values[0]: governor.dd: unknown key "dd" (did you mean "d"?)
s.toml:11:11: parameter[1].values[0]: governor.start: got -1, want 1 to 1000000`},
		{`scenario = "small.toml"
designn = "grid"
replications = 0
metrics = ["rate_per_h", "dfrr"]
set = ["governor.d", "seed=3"]
[[parameter]]
key = "governor.d"
values = [1, 2, 1]
steps = 4
[[parameter]]
key = "governor.d"
from = 1
to = "3h"
[[parameter]]
key = "governor.start"
from = 1
to = 2
steps = 3
[[parameter]]
values = [true]
`, `s.toml:4:1: unknown key "designn" (did you mean "design"?)
s.toml:5:16: replications: got 0, want 1 to 10000
s.toml:6:26: metrics[1]: got "dfrr", want one that flyball scenario metrics lists (did you mean "dfr"?)
s.toml:7:8: set[0]: got "governor.d", want path.to.key=value
s.toml:7:22: set[1]: got a seed, want the key seed of the study: all its points have the same seed
s.toml:10:17: parameter[0].values[2]: got 1 a second time
s.toml:11:9: parameter[0].steps: got 4, want none with values
s.toml:13:7: parameter[1].key: got "governor.d" a second time
s.toml:14:8: parameter[1].from: got from "1" to "3h", want two of the same kind
s.toml:20:9: parameter[2].steps: got 3, want fewer: from 1 to 2 some of these values are equal: both ends are written without a point, so that all values are whole
s.toml:21:1: parameter[3].key: got none, want a path such as governor.d, or a name and cases`},
		{`scenario = "nowhere"
[[parameter]]
key = "governor.d"
values = [1]
`, `s.toml:3:12: scenario: no scenario or file "nowhere": file does not exist`},
		// A problem that only a scenario shows is reported at the value, once for all points.
		{`scenario = "small.toml"
set = ["governor.start = 0"]
[[parameter]]
key = "governor.dd"
values = [1]
[[parameter]]
key = "governor.interval"
values = ["1h", 3, "0s"]
[[parameter]]
key = "destination[1].cap"
from = 1
to = 3
steps = 3
`, `s.toml:4:8: set[0]: governor.start: got 0, want 1 to 1000000
s.toml:7:11: parameter[0].values[0]: governor.dd: unknown key "dd" (did you mean "d"?)
s.toml:10:17: parameter[1].values[1]: governor.interval: "3" has no unit, want a time such as "90s", "3h" or "30d"
s.toml:10:20: parameter[1].values[2]: governor.interval: got 0s, want 1s to 30d
s.toml:13:8: parameter[2].from: at 1: destination[1].cap: got index 1, want 0 to 0
s.toml:13:8: parameter[2].from: at 2: destination[1].cap: got index 1, want 0 to 0
s.toml:13:8: parameter[2].from: at 3: destination[1].cap: got index 1, want 0 to 0`},
		{`scenario = "small.toml"
[[parameter]]
name = "Law"
key = "governor.law"
values = ["hold"]
[[parameter]]
name = "none"
scale = "log"
[[parameter]]
case = [{ set = ["governor.start = 3"] }]
[[parameter]]
name = "law"
values = [1]
case = [{ name = "a", set = ["governor.start = 4", "governor.d"] }, { name = "a", set = ["seed = 3"] }]
`, `s.toml:5:8: parameter[0].name: got "Law", want lower-case letters, digits and hyphens (^[a-z][a-z0-9-]{0,31}$)
s.toml:8:1: parameter[1].case: got none, want at least one { name = ..., set = [...] }
s.toml:10:9: parameter[1].scale: got "log", want none with cases
s.toml:11:1: parameter[2].name: missing, want what the cases differ in, such as "law"
s.toml:12:9: parameter[2].case[0].name: missing, want a string
s.toml:15:10: parameter[3].values: got a list beside a name, want cases
s.toml:16:30: parameter[3].case[0].set[0]: got governor.start, want a key that no other parameter sets
s.toml:16:52: parameter[3].case[0].set[1]: got "governor.d", want path.to.key=value
s.toml:16:78: parameter[3].case[1].name: got "a" a second time
s.toml:16:90: parameter[3].case[1].set[0]: got a seed, want the key seed of the study: all its points have the same seed`},
		{`scenario = "small.toml"
[[parameter]]
name = "law"
case = [
    { name = "a", set = ["governor.law = patent-damped", "governor.dd = 3"] },
    { name = "b", set = ["governor.target = 0/h"] },
]
[[parameter]]
key = "governor.interval"
values = ["1h"]
`, `s.toml:7:58: parameter[0].case[0].set[1]: governor.dd: unknown key "dd" (did you mean "d"?)
s.toml:8:26: parameter[0].case[1].set[0]: governor.target: got 0/h, want more than 0/h, at most 1000000000/h`},
		{`scenario = "small.toml"
[choice]
of = "law"
rows = "governor.d"
columns = "governor.target"
default = "a"
aside = ["b", "a"]
noise = "governor.d"
[[parameter]]
name = "law"
case = [{ name = "a" }, { name = "c" }]
[[parameter]]
key = "governor.d"
values = [1, 2]
`, `s.toml:5:6: choice.of: got a choice without the metric end_h, want it among metrics
s.toml:5:6: choice.of: got a choice without the metric attempts, want it among metrics
s.toml:5:6: choice.of: got a choice without the metric delivered, want it among metrics
s.toml:5:6: choice.of: got a choice without the metric peak_available, want it among metrics
s.toml:7:11: choice.columns: got "governor.target", want the name or first key of a parameter: law, governor.d
s.toml:9:10: choice.aside[0]: got "b", want a value of law other than the default
s.toml:9:15: choice.aside[1]: got "a", want a value of law other than the default
s.toml:10:9: choice.noise: got "governor.d", want a parameter that is averaged over`},
		{`scenarios = ["small.toml"]
scenario = "small.toml"
design = "zip"
points = 3
[[parameter]]
key = "governor.d"
values = [1]
[[parameter]]
key = "governor.interval"
values = ["1h", "2h"]
`, `s.toml:3:13: scenarios: got a list beside scenario = "small.toml", want one of the two
s.toml:6:10: points: got 3, want a number with design = "halton" and none with any other`},
		{`scenario = "small.toml"
design = "zip"
[[parameter]]
key = "governor.d"
values = [1]
[[parameter]]
key = "governor.interval"
values = ["1h", "2h"]
`, `s.toml:8:1: parameter[1]: got 2 values with design = "zip", want 1 as in the first parameter`},
		{`scenario = "small.toml"
[[parameter]]
key = "governor.d"
from = 1
to = 1000
steps = 1000
[[parameter]]
key = "governor.start"
from = 1
to = 1000
steps = 1000
`, `s.toml:4:1: parameter: got 1000000 or more points, want at most 100000`},
	} {
		_, err := Load("s.toml", []byte("schema_version = 1\nname = \"s\"\n"+c.text), nil, nil, read)
		var p tomlfile.Problems
		if !errors.As(err, &p) || p.Error() != c.want {
			t.Errorf("got\n%v\nwant\n%s", err, c.want)
		}
	}
}

// The ID changes with everything that the results depend on, and with nothing else.
func TestID(t *testing.T) {
	base := "scenario = \"small.toml\"\n[[parameter]]\nkey = \"governor.d\"\nvalues = [1, 2]\n"
	id := load(t, base).ID
	if load(t, "about = \"words\"\n"+base).ID != id {
		t.Error("words change the ID")
	}
	for _, other := range []string{"replications = 2\n" + base, "seed = 2\n" + base, "metrics = [\"dfr\"]\n" + base,
		"set = [\"retry.limit=3\"]\n" + base, strings.Replace(base, "1, 2", "2, 1", 1)} {
		if load(t, other).ID == id {
			t.Errorf("the same ID for %s", other)
		}
	}
	if load(t, base, "retry.limit=3").ID == id {
		t.Error("the same ID for another setting of the command line")
	}
}

// Recorded runs are read back bit for bit, a truncated line is left out, and the
// progress of another study is refused.
func TestProgress(t *testing.T) {
	s := load(t, "scenario = \"small.toml\"\nreplications = 2\nmetrics = [\"dfr\", "+
		"\"overshoot\"]\n[[parameter]]\nkey = \"governor.d\"\nvalues = [1, 2]\n")
	runs := []Run{{"00ff", "wound up", 7, []float64{1.0 / 3, math.Inf(1)}},
		{"1", "stable", 0, []float64{math.SmallestNonzeroFloat64, 0}}}
	var records [][]byte
	for _, r := range runs {
		records = append(records, r.Record())
	}
	for n := range len(runs) + 1 {
		if got, err := s.Runs(records[:n]); err != nil || n > 0 && !reflect.DeepEqual(got, runs[:n]) || len(got) != n {
			t.Fatalf("%d records: %v, %v", n, got, err)
		}
	}
	nan := Run{"1", "not judged", 0, []float64{math.NaN(), 1}}
	if got, err := s.Runs([][]byte{nan.Record()}); err != nil || !math.IsNaN(got[0].Values[0]) {
		t.Errorf("%v, %v", got, err)
	}
	other := load(t, "scenario = \"small.toml\"\nreplications = 2\nmetrics = [\"dfr\", "+
		"\"overshoot\"]\n[[parameter]]\nkey = \"governor.d\"\nvalues = [1, 3]\n")
	header := s.Header("flyball v1")
	for want, try := range map[string]func() error{
		"got the progress of study": func() error { return other.Foreign(header, "flyball v1") },
		"got the progress made by":  func() error { return s.Foreign(header, "flyball v2") },
		"does not begin":            func() error { return s.Foreign("", "flyball v1") },
		"does not begin as the": func() error {
			return s.Foreign(strings.Replace(header, "progress 2", "progress 1",
				1), "flyball v1")
		},
		"record 2: got 2 fields, want 5": func() error {
			_, err := s.Runs([][]byte{records[0], []byte("a\tb")})
			return err
		},
		"record 5: got more than 4 runs": func() error { _, err := s.Runs(slices.Repeat(records, 3)); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// With the rate, a study also records the end, the pending recipients and the
// attempts per delivery, once each.
func TestTheEndStandsBesideTheRate(t *testing.T) {
	for metrics, want := range map[string]string{
		`["rate_per_h", "dfr"]`:       "rate_per_h dfr end_h pending",
		`["overshoot"]`:               "overshoot",
		`["end_h", "overshoot"]`:      "end_h overshoot pending",
		`["end_h", "rate_per_h"]`:     "end_h rate_per_h pending dfr",
		`["rate_per_h", "pending"]`:   "rate_per_h pending end_h dfr",
		`["dfr", "iae_target_hours"]`: "dfr iae_target_hours",
	} {
		s := load(t, "scenario = \"small.toml\"\nmetrics = "+metrics+"\n[[parameter]]\nkey = \"governor.d\"\nvalues "+
			"= [1, 2]\n")
		if got := strings.Join(s.Metrics, " "); got != want {
			t.Errorf("%s: got %s, want %s", metrics, got, want)
		}
	}
}
