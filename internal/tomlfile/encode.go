package tomlfile

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// Encode returns v, a struct of the format, as a file that spells out every
// value in use, including defaults. Equal structs give equal bytes.
func (f *Format) Encode(v any) []byte {
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	if err := enc.Encode(f.plainOf(reflect.ValueOf(v))); err != nil {
		panic(fmt.Sprintf("a %T that cannot be written: %v", v, err))
	}
	return out.Bytes()
}

// Inline returns v, a struct that a file may give as text, as an entry of --set
// has it after "=": as text or as an inline table.
func (f *Format) Inline(v any) string {
	if text, ok := v.(shorthand).Short(); ok {
		return text
	}
	return string(f.inline(reflect.ValueOf(v)))
}

// plainOf returns v in the form that the encoder writes: values with a unit as
// text, and structs without the keys that are not given.
func (f *Format) plainOf(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case shorthand:
		if text, ok := value.Short(); ok {
			return text
		}
		return f.inline(v)
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Struct:
		return f.plainStruct(v)
	case reflect.Slice:
		all := make([]any, v.Len())
		for i := range all {
			all[i] = f.plainOf(v.Index(i))
		}
		return all
	}
	return v.Interface()
}

// plainStruct returns a struct of plain values, which unlike a map keeps the
// keys in order. It omits idle keys: they do not change what a file means, and
// without them its content stays the same when a later version adds keys.
func (f *Format) plainStruct(v reflect.Value) any {
	out := reflect.New(f.plain[v.Type()]).Elem()
	for i, k := range f.Keys.Of(v.Type()) {
		if field := v.Field(k.Index); !k.Absent(field) && !k.Idle(v) {
			out.Field(i).Set(reflect.ValueOf(f.plainOf(field)))
		}
	}
	return out.Interface()
}

// layOut makes the types that plainStruct fills, for t and all structs in it.
// They are made once: a study writes thousands of scenarios.
func (f *Format) layOut(t reflect.Type) {
	switch {
	case t.Kind() == reflect.Slice:
		f.layOut(t.Elem())
	case t.Kind() == reflect.Struct && f.plain[t] == nil:
		var all []reflect.StructField
		for _, k := range f.Keys.Of(t) {
			f.layOut(k.Type)
			all = append(all, reflect.StructField{Name: t.Field(k.Index).Name, Type: reflect.TypeFor[any](),
				Tag: reflect.StructTag(fmt.Sprintf("toml:%q", k.Name))})
		}
		f.plain[t] = reflect.StructOf(all)
	}
}

// inline returns a struct as an inline table of the keys that are not zero.
func (f *Format) inline(v reflect.Value) inline {
	var parts []string
	for _, k := range f.Keys.Of(v.Type()) {
		if field := v.Field(k.Index); !field.IsZero() {
			one, err := toml.Marshal(map[string]any{k.Name: f.plainOf(field)})
			if err != nil {
				panic(err)
			}
			parts = append(parts, strings.TrimSpace(string(one)))
		}
	}
	return inline("{" + strings.Join(parts, ", ") + "}")
}

// inline is TOML text that the encoder writes as it is.
type inline string

func (i inline) MarshalTOML() ([]byte, error) { return []byte(i), nil }
