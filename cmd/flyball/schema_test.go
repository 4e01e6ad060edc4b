package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"flyball/cmd/flyball/internal/bounces"
	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/requested"
	"flyball/cmd/flyball/internal/send"
	"flyball/cmd/flyball/internal/simulate"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/speed"
	"flyball/cmd/flyball/internal/status"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/tools"
	"flyball/internal/vt"
	"flyball/reports/answer"
	"flyball/reports/compare"
	"flyball/reports/distances"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/format"
	"flyball/reports/laws"
	"flyball/reports/measure"
	"flyball/reports/planning"
	"flyball/reports/run"
	studies "flyball/reports/study"
	"flyball/reports/tuning"
	"flyball/sim/crash/search"
	"flyball/sim/verify"
)

// published are the types that the schemas describe, by name.
var published = map[string]struct {
	title string
	of    reflect.Type
}{
	"summary":     {"summary.json of a run", reflect.TypeFor[run.Report]()},
	"ensemble":    {"summary.json of replications", reflect.TypeFor[ensemble.Report]()},
	"study":       {"study.json of a sweep", reflect.TypeFor[studies.Report]()},
	"answer":      {"flyball ask --json", reflect.TypeFor[answer.Report]()},
	"plan":        {"flyball plan --json", reflect.TypeFor[planning.Report]()},
	"tuning":      {"tune.json of a search", reflect.TypeFor[tuning.Report]()},
	"laws":        {"summary.json of laws on the suite", reflect.TypeFor[laws.Report]()},
	"comparison":  {"summary.json of a comparison", reflect.TypeFor[compare.Report]()},
	"manifest":    {"manifest.json of a run folder", reflect.TypeFor[folder.Manifest]()},
	"host":        {"host.json of a run folder", reflect.TypeFor[folder.Host]()},
	"scenarios":   {"flyball scenario list --json", reflect.TypeFor[simulate.ScenarioList]()},
	"metrics":     {"flyball scenario metrics --json", reflect.TypeFor[simulate.MetricList]()},
	"validation":  {"flyball validate --json", reflect.TypeFor[simulate.Validation]()},
	"partition":   {"flyball partition --json", reflect.TypeFor[task.Partitions]()},
	"proximity":   {"proximity.json of a run that learns distances", reflect.TypeFor[distances.File]()},
	"promotions":  {"flyball promote --check --json", reflect.TypeFor[send.Promotions]()},
	"decisions":   {"flyball govern --json", reflect.TypeFor[tools.DecisionList]()},
	"send-plan":   {"flyball realrun plan --json", reflect.TypeFor[live.SendPlan]()},
	"version":     {"flyball version --json", reflect.TypeFor[console.Build]()},
	"crash":       {"flyball crash --json", reflect.TypeFor[search.Results]()},
	"verify":      {"flyball verify --json", reflect.TypeFor[verify.Results]()},
	"returned":    {"flyball bounce show --json", reflect.TypeFor[bounces.Kept]()},
	"requests":    {"flyball request show --json", reflect.TypeFor[requested.Shown]()},
	"site-status": {"flyball serve status --json", reflect.TypeFor[sites.Status]()},
	"bounces":     {"flyball bounce read --json", reflect.TypeFor[bounces.Findings]()},
	"bench":       {"a line of flyball bench --json", reflect.TypeFor[speed.Spell]()},

	"live-status":   {"flyball realrun status --json", reflect.TypeFor[status.Status]()},
	"verify-models": {"flyball verify --list --json", reflect.TypeFor[tools.ModelList]()},
}

// schemaOf infers the schema of an output from its type; what fields mean comes from their comments.
func schemaOf(t *testing.T, name string) []byte {
	t.Helper()
	p := published[name]
	number := &jsonschema.Schema{Types: []string{"null", "number"}}
	s, err := jsonschema.ForType(p.of, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[format.Num]():    number, // null where it is missing
		reflect.TypeFor[verify.Number](): number,
		reflect.TypeFor[vt.Civil]():      {Type: "string", Pattern: vt.Civil(0).Pattern()},
		reflect.TypeFor[vt.Offset]():     {Type: "string", Pattern: vt.Offset{}.Pattern()},
	}})
	if err != nil {
		t.Fatal(err)
	}
	describe(t, p.of, s)
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", p.title
	s.Properties["schema"] = &jsonschema.Schema{Const: jsonschema.Ptr[any]("flyball/" + name)}
	s.Properties["schema_version"] = &jsonschema.Schema{Const: jsonschema.Ptr[any](format.SchemaVersion)}
	if name == "summary" {
		s.Properties["metrics"] = metricsSchema()
		s.Required = append(s.Required, "metrics")
	}
	s.Required = slices.Compact(slices.Sorted(slices.Values(append(s.Required, "schema", "schema_version"))))
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	sorted, err := format.SortedJSON(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return sorted
}

// metricsSchema describes the metrics of a run. Those that a run does not have are left out.
func metricsSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	for _, m := range measure.Metrics() {
		s.Properties[m.Name] = &jsonschema.Schema{Types: []string{"null", "number"},
			Description: m.Doc + " [" + m.Unit + "]"}
	}
	return s
}

// describe copies the comments of fields into the schema of their struct.
func describe(t *testing.T, of reflect.Type, s *jsonschema.Schema) {
	t.Helper()
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		switch of.Kind() {
		case reflect.Slice:
			s = s.Items
		case reflect.Map:
			s = s.AdditionalProperties
		}
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasPrefix(of.PkgPath(), "flyball/") && of.PkgPath() != "main" {
		return
	}
	for _, f := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		below := s.Properties[name]
		if below == nil {
			continue
		}
		owner := of
		if n := len(f.Index); n > 1 {
			owner = of.FieldByIndex(f.Index[:n-1]).Type
			if owner.Kind() == reflect.Pointer {
				owner = owner.Elem()
			}
		}
		below.Description = commentsOf(t, owner.PkgPath())[owner.Name()+"."+f.Name]
		describe(t, f.Type, below)
	}
}

var comments = map[string]map[string]string{}

// commentsOf returns what stands beside, or above, each field of the structs of a package.
func commentsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	if all, ok := comments[path]; ok {
		return all
	}
	dir := "."
	if below, ok := strings.CutPrefix(path, "flyball/"); ok {
		dir = filepath.Join("../..", below)
	}
	names, _ := filepath.Glob(dir + "/*.go")
	all := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						all[spec.Name.Name+"."+name.Name] =
							strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
					}
				}
			}
			return true
		})
	}
	comments[path] = all
	return all
}

// The published schemas match the types that are encoded. Rewrite them with -args -update.
func TestPublishedSchemas(t *testing.T) {
	names := []string{"scenario"}
	for name := range published {
		names = append(names, name)
		file, want := "schema/"+name+schemaSuffix, schemaOf(t, name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is printed: go test ./cmd/flyball -run Schemas -args -update, and review it",
				file)
		}
		if code, out, errout := invoke(t, "schema", name); code != 0 || out != string(want) {
			t.Errorf("schema %s: exit code %d: %s", name, code, errout)
		}
	}
	if slices.Sort(names); !*update && !slices.Equal(schemaNames(), names) {
		t.Errorf("flyball schema knows %v, want %v", schemaNames(), names)
	}
}

// What commands print obeys the schema that it names. Outputs of whole runs and studies are held against theirs in the
// scripts: "obeys FILE...".
func TestOutputsObeyTheirSchemas(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"bad.toml": "schema_version = 1\nname = \"B\\u0009d\"\n[governor]\nlwa = 1\n",
		"law.toml": "[governor]\nlaw = \"patent-dynamic\"\ntarget = \"1000/h\"\ninterval = \"1h\"\nstart = 5\n",
		"rows.csv": "hours,delivered,allocated_mean\n1,0,0\n1,400,5\n1,900,7.5\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		code int
		args string
	}{
		{0, "version --json"}, {0, "scenario metrics --json"},
		{0, "scenario list --json"}, {0, "scenario list --suite --json"},
		{0, "validate quickstart --json"}, {exitInvalid, "validate quickstart nosuch bad.toml --json"},
		{exitInvalid, "validate a\x1b[31m a\u009b31m\x7f --json"},
		{0, "govern law.toml --samples rows.csv --json"},
		{0, "partition unequal --json"}, {0, "verify --list --json"}, {0, "verify -q --only law,little --json"},
		{0, "bench hold -q --population 50 --events 1000 --runs 1 --json"},
	} {
		code, out, errout := invoke(t, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, errout)
		}
		for _, wrong := range disobeys([]byte(out)) {
			t.Errorf("%s: %s", c.args, wrong)
		}
		if i := strings.IndexFunc(out, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
			t.Errorf("%s: got the control character %q", c.args, out[i:i+2])
		}
	}
}

// disobeys holds an output against the schema that it names, and returns what is wrong with either.
func disobeys(raw []byte) (wrong []string) {
	var h console.Head
	var value map[string]any
	if json.Unmarshal(raw, &h) != nil || json.Unmarshal(raw, &value) != nil {
		return []string{"want JSON, got " + string(raw)}
	}
	name := strings.TrimPrefix(h.Schema, "flyball/")
	if _, ok := published[name]; !ok {
		return []string{"got the schema " + h.Schema + ", which is not published"}
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(schemaNamed(name), &s); err != nil {
		return []string{err.Error()}
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		return []string{err.Error()}
	}
	if err := resolved.Validate(value); err != nil {
		wrong = append(wrong, err.Error())
	}
	for key, was := range value { // a schema that accepts anything would show here
		value[key] = []any{map[string]any{"another": "type"}}
		if resolved.Validate(value) == nil {
			wrong = append(wrong, "the schema accepts anything as "+key)
		}
		value[key] = was
	}
	value["surplus"] = 1
	if resolved.Validate(value) == nil {
		wrong = append(wrong, "the schema accepts a key that it does not have")
	}
	return wrong
}

// Lists fit the width of a terminal, whatever sentences they cut.
func TestListingsAreNarrow(t *testing.T) {
	for _, args := range []string{"scenario list", "scenario list --suite", "scenario metrics"} {
		_, out, _ := invoke(t, strings.Fields(args)...)
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
				t.Errorf("%s: got %d columns, want 100 at most: %s", args, n, line)
			}
		}
	}
}

// A validation says of each scenario, and of all, whether it is valid.
func TestValidationAsJSON(t *testing.T) {
	for _, c := range []struct {
		args  string
		valid []bool
	}{{"quickstart runaway", []bool{true, true}}, {"quickstart nosuch", []bool{true, false}}} {
		_, out, _ := invoke(t, strings.Fields("validate --json "+c.args)...)
		var v simulate.Validation
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatal(err)
		}
		all := true
		for i, want := range c.valid {
			all = all && want
			one := v.Scenarios[i]
			if one.Valid != want || (len(one.Problems) == 0) != want || (len(one.ScenarioID) == 64) != want {
				t.Errorf("%s: got %+v, want valid %t", c.args, one, want)
			}
		}
		if v.Valid != all {
			t.Errorf("%s: got valid %t, want %t", c.args, v.Valid, all)
		}
	}
}
