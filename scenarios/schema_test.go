package scenarios

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"flyball/internal/conf"
)

func TestSchemaIsCommitted(t *testing.T) {
	golden(t, "schema/scenario.schema.json", Schema())
}

// An editor that obeys the schema accepts every built-in scenario and marks
// the commonest slips.
func TestSchemaAgainstFiles(t *testing.T) {
	for _, name := range Names() {
		src, _ := Builtin(name)
		if errs := validate(schemaTree(t), decode(t, src), ""); errs != nil {
			t.Errorf("%s: %v", name, errs)
		}
	}
	for _, c := range []struct{ add, want string }{
		{"horizn = '1d'", "horizn"},
		{"governor.target = 140000", "governor.target"},
		{"governor.target = '140000'", "governor.target"},
		{"governor.law = 'patent'", "governor.law"},
		{"governor.start = 0", "governor.start"},
		{"retry.limit = 1.5", "retry.limit"},
		{"retry.delays = ['1']", "retry.delays[0]"},
		{"network.dns.miss = 3", "network.dns.miss"},
		{"network.dns.miss = {mean = '1s'}", "network.dns.miss"},
		{"expect = [{metric = 'dffr', op = '<', value = 1}]", "expect[0].metric"},
		{"expect = [{metric = 'dfr', op = '<'}]", "expect[0].value"},
		{"server = [{share = -1}]", "server[0].share"},
	} {
		errs := validate(schemaTree(t), decode(t, []byte(c.add+"\n"+minimal)), "")
		if len(errs) != 1 || !strings.HasPrefix(errs[0], c.want+":") {
			t.Errorf("%s: got %q, want one problem with %s", c.add, errs, c.want)
		}
	}
}

func decode(t *testing.T, src []byte) any {
	t.Helper()
	var v map[string]any
	if _, err := toml.Decode(strings.TrimPrefix(string(src), "\ufeff"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func schemaTree(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(Schema(), &v); err != nil {
		t.Fatal(err)
	}
	return expand(v, v["$defs"].(map[string]any)).(map[string]any)
}

// expand replaces every {"$ref": "#/$defs/NAME"} by what it refers to.
func expand(v any, defs map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			return expand(defs[strings.TrimPrefix(ref, "#/$defs/")], defs)
		}
		for k := range v {
			v[k] = expand(v[k], defs)
		}
	case []any:
		for i := range v {
			v[i] = expand(v[i], defs)
		}
	}
	return v
}

// validate implements the part of JSON Schema that the scenario schema uses:
// type, properties, required, additionalProperties, items, minItems, enum,
// pattern, minimum, maximum, anyOf.
func validate(schema map[string]any, v any, path string) (errs []string) {
	bad := func(format string, args ...any) { errs = append(errs, path+": "+fmt.Sprintf(format, args...)) }
	if any, ok := schema["anyOf"].([]any); ok {
		if !slices.ContainsFunc(any, func(s interface{}) bool {
			return validate(s.(map[string]interface{}), v,
				path) == nil
		}) {
			bad("fits none of anyOf")
		}
		return errs
	}
	switch schema["type"] {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			bad("not an object")
			return errs
		}
		properties := schema["properties"].(map[string]any)
		for k, w := range m {
			if s, ok := properties[k]; ok {
				errs = append(errs, validate(s.(map[string]any), w, conf.Below(path, k))...)
			} else if schema["additionalProperties"] == false {
				errs = append(errs, conf.Below(path, k)+": additional")
			}
		}
		required, _ := schema["required"].([]any)
		for _, k := range required {
			if _, ok := m[k.(string)]; !ok {
				errs = append(errs, conf.Below(path, k.(string))+": required")
			}
		}
	case "array":
		list, ok := v.([]any)
		if tables, isTables := v.([]map[string]any); isTables {
			for _, m := range tables {
				list = append(list, m)
			}
		} else if !ok {
			bad("not an array")
			return errs
		}
		if n, ok := schema["minItems"].(float64); ok && float64(len(list)) < n {
			bad("fewer than %g items", n)
		}
		for i, w := range list {
			errs = append(errs, validate(schema["items"].(map[string]any), w, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case "string":
		s, ok := v.(string)
		if !ok {
			bad("not a string")
			return errs
		}
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(s) {
			bad("does not match %s", p)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			bad("not a boolean")
		}
	case "integer", "number":
		x, ok := v.(float64)
		if i, isInt := v.(int64); isInt {
			x, ok = float64(i), true
		} else if schema["type"] == "integer" && x != float64(int64(x)) {
			ok = false
		}
		if !ok {
			bad("not a number")
			return errs
		}
		if low, ok := schema["minimum"].(float64); ok && x < low {
			bad("less than %g", low)
		}
		if high, ok := schema["maximum"].(float64); ok && x > high {
			bad("more than %g", high)
		}
	default:
		panic(fmt.Sprintf("schema type %v", schema["type"]))
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		bad("not in %v", enum)
	}
	return errs
}
