package scenarios

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"

	"flyball/netmodel"
)

// Resolved is the scenario as a file in which every value in use is spelled
// out, defaults too. Equal scenarios give equal bytes, and Load reads them back.
func Resolved(s *Scenario) []byte {
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	if err := enc.Encode(plain(reflect.ValueOf(*s))); err != nil {
		panic(fmt.Sprintf("a scenario that cannot be written: %v", err))
	}
	return out.Bytes()
}

// ID names a scenario by its content: the SHA-256 of its resolved form, in
// hexadecimal.
func ID(s *Scenario) string {
	sum := sha256.Sum256(Resolved(s))
	return hex.EncodeToString(sum[:])
}

// plain turns a value into what the encoder should write: values with a unit
// as text, keys that are not given left out.
func plain(v reflect.Value) any {
	if d, ok := v.Interface().(netmodel.Dist); ok {
		return plainDist(d)
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Struct:
		return plainStruct(v)
	case reflect.Slice:
		all := make([]any, v.Len())
		for i := range all {
			all[i] = plain(v.Index(i))
		}
		return all
	}
	return v.Interface()
}

// plainStruct is a struct of plain values: unlike a map it keeps the keys in
// their order. Idle keys are no part of what a scenario means: without them it
// keeps its ID when a later version can do more.
func plainStruct(v reflect.Value) any {
	out := reflect.New(plainType(v.Type())).Elem()
	for i, f := range fieldsOf(v.Type()) {
		if field := v.Field(f.index); !f.absent(field) && !f.Idle(v) {
			out.Field(i).Set(reflect.ValueOf(plain(field)))
		}
	}
	return out.Interface()
}

// plainType is the struct of plain values of a struct.
var plainType = remembered(func(t reflect.Type) reflect.Type {
	var all []reflect.StructField
	for _, f := range fieldsOf(t) {
		all = append(all, reflect.StructField{
			Name: t.Field(f.index).Name,
			Type: reflect.TypeFor[any](),
			Tag:  reflect.StructTag(fmt.Sprintf("toml:%q", f.name)),
		})
	}
	return reflect.StructOf(all)
})

// plainDist writes a constant as a time and any other distribution as an
// inline table of its own parameters.
func plainDist(d netmodel.Dist) any {
	if d.Dist == "constant" {
		return plain(reflect.ValueOf(d.Mean))
	}
	v := reflect.ValueOf(d)
	var parts []string
	for _, f := range fieldsOf(v.Type()) {
		if field := v.Field(f.index); !field.IsZero() {
			one, err := toml.Marshal(map[string]any{f.name: plain(field)})
			if err != nil {
				panic(err)
			}
			parts = append(parts, strings.TrimSpace(string(one)))
		}
	}
	return inline("{" + strings.Join(parts, ", ") + "}")
}

// inline is TOML text, ready made.
type inline string

func (i inline) MarshalTOML() ([]byte, error) { return []byte(i), nil }
