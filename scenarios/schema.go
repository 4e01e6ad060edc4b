package scenarios

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"flyball/governor"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/measure"
)

// Schema returns the JSON Schema (draft 2020-12) of a scenario file, for
// editors. It is made from the same tags as Load uses. It accepts everything
// that Load accepts; Load refuses more.
func Schema() []byte {
	root := schemaOf(field{typ: reflect.TypeFor[Scenario]()}, reflect.ValueOf(Default()))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Flyball scenario"
	dist := reflect.TypeFor[netmodel.Dist]()
	table := tableSchema(dist, reflect.Zero(dist))
	table["required"] = []string{"dist"}
	root["$defs"] = object{"time": object{"anyOf": []object{{"type": "string", "pattern": spanPattern}, table}}}
	metric := root["properties"].(object)["expect"].(object)["items"].(object)["properties"].(object)["metric"].(object)
	metric["enum"] = measure.MetricNames()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(err)
	}
	return out.Bytes()
}

type object = map[string]any

// Patterns of values with a unit.
const (
	spanPattern   = `[0-9.](ns|us|µs|μs|ms|s|m|h|d)\s*$`
	ratePattern   = `[0-9.]\s*/\s*(s|m|min|h|hour|d|day)\s*$`
	amountPattern = `^\s*[0-9.]`
	bytesPattern  = `[0-9.]\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$`
)

// schemaOf returns the schema of a field whose default is v.
func schemaOf(f field, v reflect.Value) object {
	o := object{}
	if f.Doc != "" {
		o["description"] = f.Doc
		if f.Low != "" && isText(f.typ) { // JSON Schema has no range of strings
			o["description"] = f.Doc + "; " + f.Within()
		}
	}
	switch f.typ {
	case reflect.TypeFor[vt.Span]():
		o["type"], o["pattern"] = "string", spanPattern
	case reflect.TypeFor[WarmUp]():
		o["type"], o["pattern"] = "string", `^auto$|`+spanPattern
	case reflect.TypeFor[unit.PerHour]():
		o["type"], o["pattern"] = "string", ratePattern
	case reflect.TypeFor[unit.Bytes]():
		o["type"], o["pattern"] = "string", bytesPattern
	case reflect.TypeFor[governor.Amount]():
		o["type"], o["pattern"] = "string", amountPattern
	case reflect.TypeFor[netmodel.Dist]():
		o["$ref"] = "#/$defs/time"
	default:
		kindSchema(o, f, v)
	}
	isTable := f.typ.Kind() == reflect.Struct && !isText(f.typ)
	isList := f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct
	if !isTable && !isList && !f.absent(v) && !f.required {
		if d, ok := v.Interface().(netmodel.Dist); !ok || d.Dist == "constant" {
			o["default"] = plain(v)
		}
	}
	return o
}

func kindSchema(o object, f field, v reflect.Value) {
	switch f.typ.Kind() {
	case reflect.Bool:
		o["type"] = "boolean"
	case reflect.Int, reflect.Uint64, reflect.Float64:
		o["type"] = "integer"
		if f.typ.Kind() == reflect.Float64 {
			o["type"] = "number"
		}
		if f.Low != "" {
			least := "minimum"
			if f.Open {
				least = "exclusiveMinimum"
			}
			o[least], o["maximum"] = json.Number(f.Low), json.Number(f.High)
		}
	case reflect.String:
		o["type"] = "string"
		if f.oneOf != nil {
			o["enum"] = f.oneOf
		}
		if f.Pattern != "" {
			o["pattern"] = f.Pattern
		}
	case reflect.Slice:
		o["type"] = "array"
		element := field{typ: f.typ.Elem()}
		items := schemaOf(element, newElement(element.typ))
		delete(items, "default")
		o["items"] = items
		if f.required {
			o["minItems"] = 1
		}
	case reflect.Struct:
		maps.Copy(o, tableSchema(f.typ, v))
	}
}

func tableSchema(t reflect.Type, v reflect.Value) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		properties[f.name] = schemaOf(f, v.Field(f.index))
		if f.required {
			required = append(required, f.name)
		}
	}
	o := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	return o
}
