package scenarios

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"

	"flyball/governor"
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
)

// field is one key of the file format. The binder checks values against it, the
// resolved file omits values that it forbids, and the schema publishes it.
type field struct {
	conf.Key
	index    int
	name     string
	typ      reflect.Type
	oneOf    []string
	required bool
}

// keys are the declared keys of the file format.
var keys = conf.Declare[Scenario]()

var fieldsOf = remembered(func(t reflect.Type) []field {
	var all []field
	for _, k := range keys.Of(t) {
		all = append(all, field{k, k.Index, k.Name, k.Type, k.OneOf, k.Required})
	}
	return all
})

// remembered computes of for every type in a scenario once and returns a lookup.
// A study loads thousands of scenarios.
func remembered[T any](of func(reflect.Type) T) func(reflect.Type) T {
	known := map[reflect.Type]T{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		if _, ok := known[t]; ok {
			return
		}
		switch t.Kind() {
		case reflect.Slice:
			visit(t.Elem())
		case reflect.Struct:
			known[t] = of(t)
			for i := range t.NumField() {
				visit(t.Field(i).Type)
			}
		}
	}
	visit(reflect.TypeFor[Scenario]())
	return func(t reflect.Type) T {
		if v, ok := known[t]; ok {
			return v
		}
		return of(t)
	}
}

// Path is a key of the file format with its place, such as destination[].cap.
type Path struct {
	Path string
	conf.Key
}

// Paths returns every key that has a value, in the order of the file format. Tables and lists of tables are not among
// them, what stands in them is.
func Paths() []Path { return pathsBelow("", reflect.TypeFor[Scenario]()) }

func pathsBelow(table string, t reflect.Type) (all []Path) {
	for _, k := range keys.Of(t) {
		at := below(table, k.Name)
		switch {
		case k.Type.Kind() == reflect.Struct && !isText(k.Type):
			all = append(all, pathsBelow(at, k.Type)...)
		case k.Type.Kind() == reflect.Slice && k.Type.Elem().Kind() == reflect.Struct && !isText(k.Type.Elem()):
			all = append(all, pathsBelow(at+"[]", k.Type.Elem())...)
		default:
			all = append(all, Path{at, k})
		}
	}
	return all
}

func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return all
}

// absent reports whether v can only mean that the key is not given: it is zero
// and its own tags forbid that.
func (f field) absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return v.String() == "" && !f.Allows("")
	case reflect.Int:
		return v.Int() == 0 && !f.InRange(0)
	case reflect.Float64:
		return v.Float() == 0 && !f.InRange(0)
	}
	return false
}

// want describes the values that the field at path accepts, for "want ...".
func (f field) want(path string) string {
	between := ""
	switch {
	case f.Low == "":
	case f.Low == f.High:
		return f.Low
	default:
		between = " " + f.Within()
	}
	switch f.typ {
	case reflect.TypeFor[vt.Span]():
		return `a time such as "90s", "3h" or "30d"`
	case reflect.TypeFor[WarmUp]():
		return `a time such as "90s", "3h" or "30d", or "auto"`
	case reflect.TypeFor[unit.PerHour]():
		return `a rate such as "140000/h" or "24/day"`
	case reflect.TypeFor[unit.Bytes]():
		return `a size such as "32KiB" or "900B"`
	case reflect.TypeFor[governor.Amount]():
		return `an amount such as "1", "1/N" or "1/sqrt N"`
	case reflect.TypeFor[netmodel.Dist]():
		return `a time such as "80ms", or a table such as {dist = "lognormal", median = "40ms", sigma = 1.0}`
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Uint64:
		if between == "" {
			between = fmt.Sprintf(" 0 to %d", int64(math.MaxInt64))
		}
		return "a whole number" + between
	case reflect.Float64:
		return "a number" + between
	case reflect.Slice:
		if f.typ.Elem().Kind() == reflect.Struct {
			return "[[" + regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "") + "]] tables"
		}
		return "a list"
	case reflect.Struct:
		return "a table"
	}
	switch {
	case f.oneOf != nil:
		return "one of " + list(f.oneOf)
	case f.Pattern != "":
		return "lower-case letters, digits and hyphens (" + f.Pattern + ")"
	}
	return "a string"
}

// isText reports whether values of t are written as a string that t's own
// UnmarshalText reads.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
