package tomlfile

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Schema is a JSON Schema, or a part of one.
type Schema = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of files of the format, for
// editors. Defaults is the struct of the format that a file is laid over. The
// schema accepts every file that can be read; reading refuses more.
func (f *Format) Schema(title string, defaults any) Schema {
	s := schemaMaker{f, Schema{}}
	root := s.key(conf.Key{Type: f.root}, reflect.ValueOf(defaults))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = title
	root["$defs"] = s.defs
	return root
}

type schemaMaker struct {
	format *Format
	defs   Schema // of values that are text or a table
}

// key returns the schema of a key whose default is v.
func (s schemaMaker) key(k conf.Key, v reflect.Value) Schema {
	o := Schema{}
	if k.Doc != "" {
		o["description"] = k.Doc
		if k.Low != "" && IsText(k.Type) { // JSON Schema has no range of strings
			o["description"] = k.Doc + "; " + k.Within()
		}
	}
	byDefault := !isTable(k.Type) && !isTables(k.Type) && !k.Absent(v) && !k.Required
	switch text := v.Interface().(type) {
	case shorthand:
		o["$ref"] = "#/$defs/" + text.Noun()
		s.define(text, k.Type)
		_, short := text.Short()
		byDefault = byDefault && short
	case textual:
		o["type"], o["pattern"] = "string", text.Pattern()
		if k.Moment() {
			o["pattern"] = text.Pattern() + "|" + vt.ClockTimePattern
		}
	default:
		s.kind(o, k, v)
	}
	if byDefault {
		o["default"] = s.format.plainOf(v)
	}
	return o
}

// define adds the schema of values that are text or a table.
func (s schemaMaker) define(text shorthand, t reflect.Type) {
	if s.defs[text.Noun()] != nil {
		return
	}
	table := s.table(t, reflect.Zero(t))
	table["required"] = []string{s.format.Keys.Of(t)[0].Name}
	s.defs[text.Noun()] = Schema{"anyOf": []Schema{{"type": "string", "pattern": text.Pattern()}, table}}
}

func (s schemaMaker) kind(o Schema, k conf.Key, v reflect.Value) {
	switch k.Type.Kind() {
	case reflect.Bool:
		o["type"] = "boolean"
	case reflect.Int, reflect.Uint64, reflect.Float64:
		o["type"] = "integer"
		if k.Type.Kind() == reflect.Float64 {
			o["type"] = "number"
		}
		if k.Low != "" {
			least := "minimum"
			if k.Open {
				least = "exclusiveMinimum"
			}
			o[least], o["maximum"] = json.Number(k.Low), json.Number(k.High)
		}
	case reflect.String:
		o["type"] = "string"
		if k.OneOf != nil {
			o["enum"] = k.OneOf
		}
		if k.Pattern != "" {
			o["pattern"] = k.Pattern
		}
	case reflect.Slice:
		o["type"] = "array"
		element := conf.Key{Type: k.Type.Elem()}
		items := s.key(element, s.format.Element(element.Type))
		delete(items, "default")
		o["items"] = items
		if k.Required {
			o["minItems"] = 1
		}
	case reflect.Struct:
		maps.Copy(o, s.table(k.Type, v))
	}
}

func (s schemaMaker) table(t reflect.Type, v reflect.Value) Schema {
	properties, required := Schema{}, []string{}
	for _, k := range s.format.Keys.Of(t) {
		properties[k.Name] = s.key(k, v.Field(k.Index))
		if k.Required {
			required = append(required, k.Name)
		}
	}
	o := Schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	return o
}
