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

// Resolved returns the scenario as a file that spells out every value in use,
// including defaults. Equal scenarios give equal bytes, and Load reads them.
func Resolved(s *Scenario) []byte {
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	if err := enc.Encode(plain(reflect.ValueOf(*s))); err != nil {
		panic(fmt.Sprintf("a scenario that cannot be written: %v", err))
	}
	return out.Bytes()
}

// ID returns the SHA-256 of the resolved scenario in hexadecimal, so it
// identifies a scenario by its content.
func ID(s *Scenario) string {
	sum := sha256.Sum256(Resolved(s))
	return hex.EncodeToString(sum[:])
}

// plain returns v in the form that the encoder writes: values with a unit as
// text, and structs without the keys that are not given.
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

// plainStruct returns a struct of plain values, which unlike a map keeps the
// keys in order. It omits idle keys: they do not change what a scenario means,
// and without them the scenario keeps its ID when a later version adds keys.
func plainStruct(v reflect.Value) any {
	out := reflect.New(plainType(v.Type())).Elem()
	for i, f := range fieldsOf(v.Type()) {
		if field := v.Field(f.index); !f.absent(field) && !f.Idle(v) {
			out.Field(i).Set(reflect.ValueOf(plain(field)))
		}
	}
	return out.Interface()
}

// plainType returns the type that plainStruct fills for a struct type.
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

// plainDist returns a constant as a time, and any other distribution as an
// inline table of its parameters.
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

// inline is TOML text that the encoder writes as it is.
type inline string

func (i inline) MarshalTOML() ([]byte, error) { return []byte(i), nil }
