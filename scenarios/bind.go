package scenarios

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/netmodel"
)

// binder decodes a tree over a Scenario that holds the defaults. A refused
// value leaves the default in place, so that all problems are found at once.
type binder struct {
	faults  []fault
	refused map[string]bool // paths that have a problem already
	around  map[string]bool // tables and lists around them
	file    reflect.Type    // of the file as a whole
	open    []opened        // tables being bound, the outermost first
	hints   int             // number of hints given so far
}

// opened is a table that is being bound.
type opened struct {
	path   string
	fields []field
	header bool // it has a [header] of its own
}

func newBinder() *binder {
	return &binder{refused: map[string]bool{}, around: map[string]bool{}, file: reflect.TypeFor[Scenario]()}
}

func (b *binder) refuse(n *node, at int, key, path, format string, args ...any) {
	b.faults = append(b.faults, fault{set: n.set, at: at, key: key, text: fmt.Sprintf(format, args...)})
	b.mention(path)
}

func (b *binder) mention(path string) {
	b.refused[path] = true
	for path = parent(path); path != ""; path = parent(path) {
		b.around[path] = true
	}
}

// mentioned reports whether something at, in or around path was refused.
func (b *binder) mentioned(path string) bool {
	if b.around[path] {
		return true
	}
	for ; path != ""; path = parent(path) {
		if b.refused[path] {
			return true
		}
	}
	return false
}

// parent returns the path without its last name or index.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// value decodes n into v, the value of field f at path.
func (b *binder) value(n *node, v reflect.Value, f field, path string) {
	wrong := func() { b.refuse(n, n.at, path, path, "got %s, want %s", n.describe(), f.want(path)) }
	outside := func() { b.refuse(n, n.at, path, path, "got %s, want %s", n.describe(), f.Within()) }
	if isText(f.typ) {
		switch {
		case len(n.text) > 100:
			wrong()
		case n.kind == aString || n.kind == anInteger || n.kind == aFloat || n.kind == aBool &&
			v.Kind() == reflect.String:
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
				b.refuse(n, n.at, path, path, "%s", err)
			}
		case n.kind == aTable && f.typ == reflect.TypeFor[netmodel.Dist]():
			v.SetZero()
			b.table(n, v, path)
		case n.kind == aList && v.Kind() == reflect.Slice:
			b.list(n, v, f, path)
		default:
			wrong()
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if n.kind != aTable {
			wrong()
			return
		}
		b.table(n, v, path)
	case reflect.Slice:
		if n.kind != aList {
			wrong()
			return
		}
		b.list(n, v, f, path)
	case reflect.String:
		switch {
		case n.kind != aString:
			wrong()
		case !f.Allows(n.text):
			b.refuse(n, n.at, path, path, "got %s, want %s%s", quote(n.text), f.want(path),
				conf.DidYouMean(n.text, f.oneOf))
		default:
			v.SetString(n.text)
		}
	case reflect.Bool:
		if n.kind != aBool {
			wrong()
			return
		}
		v.SetBool(n.text == "true")
	case reflect.Int, reflect.Uint64:
		i, ok := n.integer()
		switch {
		case !ok:
			wrong()
		case !f.InRange(float64(i)):
			outside()
		case v.Kind() == reflect.Int:
			v.SetInt(i)
		case i < 0:
			wrong()
		default:
			v.SetUint(uint64(i))
		}
	case reflect.Float64:
		x, ok := n.float()
		switch {
		case !ok:
			wrong()
		case math.IsNaN(x) || math.IsInf(x, 0):
			b.refuse(n, n.at, path, path, "got %s, want a finite number", n.describe())
		case !f.InRange(x):
			outside()
		default:
			v.SetFloat(x)
		}
	default:
		panic("no way to read a " + v.Type().String())
	}
}

// table binds the keys of a table to the fields of a struct.
func (b *binder) table(n *node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	b.open = append(b.open, opened{path, fields, n.header})
	defer func() { b.open = b.open[:len(b.open)-1] }()
	for _, name := range n.names {
		if f, ok := fieldNamed(fields, name); ok {
			b.value(n.fields[name], v.Field(f.index), f, below(path, name))
			continue
		}
		child := n.fields[name]
		b.refuse(child, child.keyAt, path, below(path, name), "unknown key %s%s", quote(name),
			b.hint(name, child.set == nil))
	}
	for _, f := range fields {
		if key := below(path, f.name); f.required && n.fields[f.name] == nil && !b.mentioned(key) {
			b.refuse(n, n.at, key, key, "missing, want %s", f.want(key))
		}
	}
}

// mostTables is the greatest number of tables in one list. In memory each is a struct with its defaults, some hundred
// times the size of the two bytes of an empty table in the file.
const mostTables = 10_000

// list decodes a list. Each table in it starts from the defaults of its type.
func (b *binder) list(n *node, v reflect.Value, f field, path string) {
	v.SetZero()
	if len(n.items) == 0 {
		return
	}
	if f.typ.Elem().Kind() == reflect.Struct && len(n.items) > mostTables {
		b.refuse(n, n.at, path, path, "got %d tables, want at most %d", len(n.items), mostTables)
		return
	}
	v.Set(reflect.MakeSlice(f.typ, len(n.items), len(n.items)))
	element := f
	element.typ = f.typ.Elem()
	for i, item := range n.items {
		v.Index(i).Set(newElement(element.typ))
		b.value(item, v.Index(i), element, conf.Index(path, i))
	}
}

// newElement returns the defaults of a table in a list.
func newElement(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	v.Elem().Set(keys.Default(t))
	if d, ok := v.Interface().(interface{ SetDefault() }); ok {
		d.SetDefault()
	}
	return v.Elem()
}

func fieldNamed(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// integer returns n as a whole number; false if it is not one or exceeds 64 bits.
func (n *node) integer() (int64, bool) {
	if n.kind != anInteger {
		return 0, false
	}
	i, err := strconv.ParseInt(n.text, 0, 64)
	return i, err == nil
}

// float returns n as a number, infinite beyond the greatest float; false if n is
// not a number.
func (n *node) float() (float64, bool) {
	if n.kind == anInteger {
		if i, ok := n.integer(); ok {
			return float64(i), true
		}
	} else if n.kind != aFloat {
		return 0, false
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
	return x, err == nil || errors.Is(err, strconv.ErrRange)
}
