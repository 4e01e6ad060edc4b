// Package tomlfile reads a TOML file into a struct, strictly. The tags of the
// struct declare the keys (conf.Key). The package lays the file and the entries
// of --set over the defaults, and reports all problems at once, each with file,
// line and column: unknown keys with the table that they belong to, bare numbers
// where a unit is needed, values out of range. From the same tags it writes a
// struct as a file and makes the schema for editors.
package tomlfile

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Format is a kind of file. It does not change after New, so any number of
// goroutines may read files with it at once.
type Format struct {
	Keys *conf.Keys

	root    reflect.Type
	example string                        // of a key, for messages
	plain   map[reflect.Type]reflect.Type // of every struct: see plainStruct
}

// New returns the format of files that are read into a T. The example is a key,
// or some keys, for messages about paths that cannot be read.
func New[T any](example string) *Format {
	f := &Format{conf.Declare[T](), reflect.TypeFor[T](), example, map[reflect.Type]reflect.Type{}}
	f.layOut(f.root)
	return f
}

// textual is a type whose values a file gives as text, with a unit or in a
// notation of their own. Its methods describe the text.
type textual interface {
	Want() string    // with an example, as in `a time such as "90s"`
	Pattern() string // a regular expression that the text matches
}

// shorthand is a struct that a file gives as a table whose first key selects the
// rest, or, in the commonest case, as text.
type shorthand interface {
	textual
	Short() (text string, ok bool) // the value as text; false if only a table can express it
	Noun() string                  // what the schema calls its values
}

func isShorthand(t reflect.Type) bool { return t.Implements(reflect.TypeFor[shorthand]()) }

// IsText reports whether a file gives values of t as text that the type's own
// UnmarshalText reads.
func IsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isTable reports whether a file gives values of t as a table only.
func isTable(t reflect.Type) bool { return t.Kind() == reflect.Struct && !IsText(t) }

// isTables reports whether a file gives values of t as a list of tables.
func isTables(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// Element returns the defaults of a table in a list.
func (f *Format) Element(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	v.Elem().Set(f.Keys.Default(t))
	if d, ok := v.Interface().(interface{ SetDefault() }); ok {
		d.SetDefault()
	}
	return v.Elem()
}

// Path is a key of a format with its place, such as destination[].cap.
type Path struct {
	Path string
	conf.Key
}

// Paths returns every key that has a value, in the order of the format. Tables and lists of tables are not among them,
// what stands in them is.
func (f *Format) Paths() []Path { return f.pathsBelow("", f.root) }

func (f *Format) pathsBelow(table string, t reflect.Type) (all []Path) {
	for _, k := range f.Keys.Of(t) {
		at := conf.Below(table, k.Name)
		switch {
		case isTable(k.Type):
			all = append(all, f.pathsBelow(at, k.Type)...)
		case isTables(k.Type) && !IsText(k.Type.Elem()):
			all = append(all, f.pathsBelow(at+"[]", k.Type.Elem())...)
		default:
			all = append(all, Path{at, k})
		}
	}
	return all
}

// keyAt returns the key at a path of names, such as retry.table.
func (f *Format) keyAt(path string) (key conf.Key, ok bool) {
	t := f.root
	for name := range strings.SplitSeq(path, ".") {
		if t.Kind() != reflect.Struct {
			return key, false
		}
		if key, ok = keyNamed(f.Keys.Of(t), name); !ok {
			return key, false
		}
		t = key.Type
	}
	return key, true
}

func keyNamed(keys []conf.Key, name string) (conf.Key, bool) {
	for _, k := range keys {
		if k.Name == name {
			return k, true
		}
	}
	return conf.Key{}, false
}

func names(keys []conf.Key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Name)
	}
	return all
}

// want describes the values that the key k at a path accepts, for "want ...".
func want(k conf.Key, path string) string {
	between := ""
	switch {
	case k.Low == "":
	case k.Low == k.High:
		return k.Low
	default:
		between = " " + k.Within()
	}
	if text, ok := reflect.Zero(k.Type).Interface().(textual); ok {
		if k.Moment() {
			return text.Want() + ", or " + vt.WantClockTime
		}
		return text.Want()
	}
	switch k.Type.Kind() {
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
		if isTables(k.Type) {
			return "[[" + index.ReplaceAllString(path, "") + "]] tables"
		}
		return "a list"
	case reflect.Struct:
		return "a table"
	}
	switch {
	case k.OneOf != nil:
		return "one of " + list(k.OneOf)
	case strings.HasPrefix(k.Pattern, "^[ -~]"):
		return "printable ASCII characters (" + k.Pattern + ")"
	case k.Pattern != "":
		return "lower-case letters, digits and hyphens (" + k.Pattern + ")"
	}
	return "a string"
}

// index matches the index of an element of a list in a path.
var index = regexp.MustCompile(`\[\d+\]`)
