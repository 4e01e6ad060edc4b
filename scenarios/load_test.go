package scenarios

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"flyball/governor/feedback"
	"flyball/internal/conf"
	"flyball/internal/tomlfile"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/internal/zone"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
	"flyball/reports/measure"
)

var update = flag.Bool("update", false, "rewrite golden files")

// minimal is the shortest valid scenario.
const minimal = `schema_version = 1
name = "small"
[[destination]]
name = "a"
domain = "a.example"
[[campaign]]
name = "c"
recipients = 100
`

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestBadScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 30 {
		t.Fatalf("got %d bad scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := LoadWith(filepath.Base(file), src, nil, Outside{Zones: zone.Load})
			if s != nil || err == nil {
				t.Fatalf("it loads: %v", err)
			}
			if problems, ok := err.(tomlfile.Problems); !ok || len(problems) == 0 {
				t.Fatalf("got a %T: %v", err, err)
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".err", []byte(err.Error()+"\n"))
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	got, err := Load("small.toml", []byte(minimal), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name = "small"
	a := config.DefaultDestination()
	a.Name, a.Domain = "a", "a.example"
	want.Destinations = []config.Destination{a}
	c := format.Element(reflect.TypeFor[Campaign]()).Interface().(Campaign)
	c.Name, c.Recipients = "c", 100
	want.Campaigns = []Campaign{c}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
	if want.Governor.Target != 140000 || want.Governor.Interval != 3*vt.Hour || want.Governor.Law != "patent-dynamic" {
		t.Errorf("the default governor is not that of Table 1: %+v", want.Governor)
	}
}

// Every kind of value, read from a file and checked one by one.
func TestValuesAreRead(t *testing.T) {
	s, err := Load("all.toml", []byte(`
schema_version = 1
name = "all"
seed = 0x7fff_ffff_ffff_ffff
horizon = "1d12h"
time_scale = 40
governor = { target = "24/day", start = 40.5, cap_utilization = true }
retry.delays = ["90s", "1h30m"]
message.size = "1.5KiB"
[[server]]
[[server]]
name = 'far'
extra_rtt = "1500us"
[[destination]]
name = "a"
domain = "a.example"
rtt = "80ms"
dot = { dist = "pareto", min = "100ms", alpha = 3 }
greylist = { share = 1 }
[[destination.dead]]
share = 0.25
[[destination.fail]]
at = "rcpt"
reply = 451
p = 1e-2
[[destination.fail]]
at = "dot"
fault = "drop"
p = 0.5
[[campaign]]
name = "c"
recipients = 1_000
start = "0s"
[[expect]]
metric = "dfr"
op = "<="
value = 2
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := s.Destinations[0]
	for _, c := range []struct {
		key       string
		got, want any
	}{
		{"seed", s.Seed, uint64(1<<63 - 1)},
		{"horizon", s.Horizon, 36 * vt.Hour},
		{"time_scale", s.TimeScale, 40.0},
		{"governor.target", s.Governor.Target, unit.PerHour(1)},
		{"governor.start", s.Governor.Start, 40.5},
		{"governor.interval, not given", s.Governor.Interval, 3 * vt.Hour},
		{"governor.cap_utilization", s.Governor.CapUtilization, true},
		{"retry.delays", s.Retry.Delays, []vt.Span{90 * vt.Second, 90 * vt.Minute}},
		{"retry.limit, not given", s.Retry.Limit, 10},
		{"message.size", s.Message.Size, unit.Bytes(1536)},
		{"server[0].name, not given", s.Servers[0].Name, "b1"},
		{"server[1]", s.Servers[1], config.Server{Name: "far", ExtraRTT: 1500 * vt.Microsecond, Share: 1}},
		{"rtt, a plain time", d.RTT, delay.Constant(80 * vt.Millisecond)},
		{"dot, a table", d.Dot, delay.Dist{Dist: "pareto", Min: 100 * vt.Millisecond, Alpha: 3}},
		{"banner, not given", d.Banner, config.DefaultDestination().Banner},
		{"greylist, the rest by default", d.Greylist, config.Greylist{Share: 1,
			Delay: delay.Constant(5 * vt.Minute), At: "rcpt", Reply: 451, WhitelistFor: 35 * vt.Day}},
		{"dead, the rest by default", d.Dead, []config.Dead{{Share: 0.25, At: "rcpt", Reply: 550}}},
		{"fail", d.Fail, []config.Fail{{At: "rcpt", Reply: 451, P: 0.01}, {At: "dot", Fault: "drop", P: 0.5}}},
		{"campaign", s.Campaigns, []Campaign{{Name: "c", Recipients: 1000, Processes: 500, Subset: 1000,
			Asks: Asks{After: 10 * vt.Minute, Letter: "unsubscribe"}}}},
		{"expect", s.Expect, []measure.Expectation{{Metric: "dfr", Op: "<=", Value: 2, In: "any"}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.key, c.got, c.want)
		}
	}
}

func TestByteOrderMarkAndLineEnds(t *testing.T) {
	plain, err := Load("x", []byte(minimal), nil)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := Load("x", []byte("\ufeff"+strings.ReplaceAll(minimal, "\n", "\r\n")), nil)
	if err != nil || !reflect.DeepEqual(plain, windows) {
		t.Errorf("got %+v, %v", windows, err)
	}
}

// Problems of the file come first, in its order, then problems of the command
// line. A line break in a value must not forge a message.
func TestOrderOfProblems(t *testing.T) {
	src := strings.Replace(minimal, "100", "0", 1) + "[governor]\nstart = 0\n"
	_, err := Load("f.toml", []byte(src), []string{"horizon=0s", "stages=a\nb"})
	want := strings.Join([]string{
		`f.toml:8:14: campaign[0].recipients: got 0, want 1 to 1000000000`,
		`f.toml:10:9: governor.start: got 0, want 1 to 1000000`,
		`--set stages: got "a\nb", want one of collapsed, full`,
		`--set horizon: got 0s, want more than 0s, at most 3650d`,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = Load("f.toml", []byte("schema_version = 2\nx = 1\n"), []string{"y"})
	if want := "f.toml:1:18: schema_version: scenario version 2, this program reads 1"; err == nil ||
		err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// The limits are checked before any work that grows faster than the file: with
// quadratic work the larger of these files would time out.
func TestHugeFiles(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name, src, want string
	}{
		{"too large", strings.Repeat("#", mib+1), "got 1048577 bytes, want at most 1048576 (1 MiB)"},
		{"brackets", "a = " + strings.Repeat("[", mib-4), "nested more than"},
		{"braces", "a = " + strings.Repeat("{a=", mib/3-4), "nested more than"},
		{"dots", strings.Repeat("a.", mib/2-4) + "a = 1", "nested more than 20 deep"},
		{"a long list", minimal + "[retry]\ndelays = [" + strings.Repeat("1,", mib/16) + "]",
			`retry.delays[0]: "1" has no unit`},
		{"many keys", minimal + "[retry]\n" + manyKeys(20_000), "\nhuge.toml: more problems, not shown: 19975"},
		{"many twice", strings.Repeat("a=1\n", mib/4), `huge.toml:25:1: too many problems: the rest is not read`},
		{"many destinations", minimal + manyDestinations(4000), "want at most 1000"},
		{"many servers", minimal + strings.Repeat("[[server]]\n", 9000), "got 9000, want at most 1000"},
		{"many tables", minimal + strings.Repeat("[[server]]\n", mib/12),
			"server: got 87381 tables, want at most 10000"},
		{"many empty tables", minimal + "[governor]\nchange = [" + strings.Repeat("{},", mib/3-50) + "]",
			"tables, want at most 10000"},
		{"many expectations", minimal + strings.Repeat("[[expect]]\nmetric='x'\nop='<'\nvalue=1\n", 9000),
			"expect: got 9000 expectations, want at most 1000"},
		{"many values of a wrong type", minimal + "[retry]\ndelays = [" + strings.Repeat("{},", mib/24) + "]",
			"more problems, not shown"},
		{"many keys like others", minimal + "[destination.bucket]\n" +
			strings.ReplaceAll(manyKeys(20_000), "key", "rat"), "more problems, not shown"},
		{"long keys", minimal + strings.Repeat("k", mib/3) + "=1\n" + strings.Repeat("q", mib/3) + "=1\n",
			"unknown key \"kkk"},
	} {
		_, err := Load("huge.toml", []byte(c.src), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.200s, want %s", c.name, fmt.Sprint(err), c.want)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%d = 1\n", i)
	}
	return b.String()
}

func manyDestinations(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[destination]]\nname = 'd%d'\ndomain = 'd%d.example'\n", i, i)
	}
	return b.String()
}

func TestBuiltins(t *testing.T) {
	names := Names()
	for _, want := range []string{"quickstart", "patent-table1", "patent-200k", "patent-as-printed", "runaway",
		"slow-dns",
		"lossy-hops", "greylist", "throttling-provider", "dead-addresses", "two-distances", "providers", "opt-in",
		"mixed-mail", "unequal"} {
		if _, ok := Builtin(want); !ok {
			t.Errorf("there is no %s", want)
		}
	}
	if _, ok := Builtin("no-such"); ok {
		t.Error("there is a no-such")
	}
	for i, name := range names {
		if i > 0 && names[i-1] >= name {
			t.Errorf("%s is not in order", name)
		}
		src, _ := Builtin(name)
		s, err := Load(name+".toml", src, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.HasPrefix(src, []byte("#:schema ../schema/scenario.schema.json\n")) {
			t.Errorf("%s does not name its schema", name)
		}
		if s.Name != name || s.About == "" || len(s.Expect) == 0 {
			t.Errorf("%s: got name %q, about %q and %d expectations", name, s.Name, s.About, len(s.Expect))
		}
		roundTrip(t, s, schemaTree(t))
	}
}

// roundTrip checks that the resolved form of a scenario means the scenario.
func roundTrip(t *testing.T, s *Scenario, schema map[string]any) {
	t.Helper()
	text := Resolved(s)
	again, err := Load("resolved.toml", text, nil)
	if err != nil {
		t.Fatalf("the resolved form is refused: %v\n%s", err, text)
	}
	if !reflect.DeepEqual(s, again) {
		t.Fatalf("got  %+v\nwant %+v\nfrom\n%s", again, s, text)
	}
	if ID(s) != ID(again) {
		t.Fatalf("the ID changed from %s to %s", ID(s), ID(again))
	}
	if errs := validate(schema, decode(t, text), ""); errs != nil {
		t.Fatalf("the schema refuses the resolved form: %v\n%s", errs, text)
	}
}

func TestResolvedSpellsEverythingOut(t *testing.T) {
	s, err := Load("small.toml", []byte(minimal), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/small.resolved.toml", Resolved(s))
	other := *s
	other.Governor.Start++
	if ID(s) == ID(&other) || len(ID(s)) != 64 {
		t.Errorf("got IDs %s and %s", ID(s), ID(&other))
	}
}

// A law is read from any file, and only its own table is checked.
func TestLoadGovernor(t *testing.T) {
	law, err := LoadGovernor("law.toml", []byte("x = 1\n[governor]\nstart = 50\n"), []string{"governor.interval=1h"},
		nil)
	if err != nil || law.Start != 50 || law.Interval != vt.Hour || law.Target != 140000 {
		t.Errorf("got %+v, %v", law, err)
	}
	for _, c := range []struct{ src, want string }{
		{"[governer]", "law.toml:1:1: governor: missing, want a [governor] table; \"governer\" is none"},
		{"[governor]\nstrt = 3\nstep = 'explicit'",
			"law.toml:1:1: governor.d: got 0, want more than 0, at most 1000000, with step = \"explicit\"\n" +
				"law.toml:2:1: governor: unknown key \"strt\" (did you mean \"start\"?)"},
	} {
		if _, err := LoadGovernor("law.toml", []byte(c.src), nil, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.src, err, c.want)
		}
	}
}

// Every default obeys its own tags, and every tag can be read.
func TestTags(t *testing.T) {
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		seen := map[string]bool{}
		for _, f := range keys.Of(v.Type()) {
			key, field := conf.Below(path, f.Name), v.Field(f.Index)
			if f.Name == "" || seen[f.Name] {
				t.Errorf("%s: no name, or one used twice", key)
			}
			seen[f.Name] = true
			if low, high := f.Bounds(); f.Low != "" && low >= high && key != "schema_version" {
				t.Errorf("%s: range %s to %s", key, f.Low, f.High)
			}
			switch {
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				walk(format.Element(f.Type.Elem()), conf.Index(key, 0))
			case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[feedback.Amount]():
				walk(field, key)
			case f.Absent(field):
			case f.Type.Kind() == reflect.Float64 && !f.InRange(field.Float()),
				f.Type.Kind() == reflect.Int && !f.InRange(float64(field.Int())),
				f.Type.Kind() == reflect.String && !f.Allows(field.String()):
				t.Errorf("%s: the default %v breaks its own tags", key, field)
			}
		}
	}
	walk(reflect.ValueOf(Default()), "")
}
