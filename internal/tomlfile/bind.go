package tomlfile

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// opened is a table that is being decoded.
type opened struct {
	path   string
	keys   []conf.Key
	header bool // it has a [header] of its own
}

func (d *Document) refuse(n *node, at int, key, path, format string, args ...any) {
	d.faults = append(d.faults, fault{set: n.set, at: at, key: key, text: fmt.Sprintf(format, args...)})
	d.mention(path)
}

func (d *Document) mention(path string) {
	d.refused[path] = true
	for path = parent(path); path != ""; path = parent(path) {
		d.around[path] = true
	}
}

// mentioned reports whether something at, in or around path was refused.
func (d *Document) mentioned(path string) bool {
	if d.around[path] {
		return true
	}
	for ; path != ""; path = parent(path) {
		if d.refused[path] {
			return true
		}
	}
	return false
}

// parent returns the path without its last name or index.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// value decodes n into v, the value of key k at path.
func (d *Document) value(n *node, v reflect.Value, k conf.Key, path string) {
	wrong := func() { d.refuse(n, n.at, path, path, "got %s, want %s", n.describe(), want(k, path)) }
	outside := func() { d.refuse(n, n.at, path, path, "got %s, want %s", n.describe(), k.Within()) }
	if IsText(k.Type) {
		switch {
		case len(n.text) > 100:
			wrong()
		case k.Moment() && (n.kind == aString || n.kind == aDate) && vt.IsClockTime(n.text):
			d.moments = append(d.moments, moment{n, path, v.Addr().Interface().(encoding.TextUnmarshaler),
				!k.Required && !k.InRange(0)})
		case n.kind == aDate && k.Type == reflect.TypeFor[vt.Civil](),
			n.kind == aString || n.kind == anInteger || n.kind == aFloat || n.kind == aBool &&
				v.Kind() == reflect.String:
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
				d.refuse(n, n.at, path, path, "%s", err)
			}
		case n.kind == aTable && isShorthand(k.Type):
			v.SetZero()
			d.table(n, v, path)
		case n.kind == aList && v.Kind() == reflect.Slice:
			d.list(n, v, k, path)
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
		d.table(n, v, path)
	case reflect.Slice:
		if n.kind != aList {
			wrong()
			return
		}
		d.list(n, v, k, path)
	case reflect.String:
		switch {
		case n.kind != aString:
			wrong()
		case !k.Allows(n.text):
			d.refuse(n, n.at, path, path, "got %s, want %s%s", Quote(n.text), want(k, path),
				conf.DidYouMean(n.text, k.OneOf))
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
		case !k.InRange(float64(i)):
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
			d.refuse(n, n.at, path, path, "got %s, want a finite number", n.describe())
		case !k.InRange(x):
			outside()
		default:
			v.SetFloat(x)
		}
	default:
		panic("no way to read a " + v.Type().String())
	}
}

// table decodes the keys of a table into the fields of a struct.
func (d *Document) table(n *node, v reflect.Value, path string) {
	keys := d.format.Keys.Of(v.Type())
	d.open = append(d.open, opened{path, keys, n.header})
	defer func() { d.open = d.open[:len(d.open)-1] }()
	for _, name := range n.names {
		if k, ok := keyNamed(keys, name); ok {
			d.value(n.fields[name], v.Field(k.Index), k, conf.Below(path, name))
			continue
		}
		child := n.fields[name]
		d.refuse(child, child.keyAt, path, conf.Below(path, name), "unknown key %s%s", Quote(name),
			d.hint(name, child.set == nil))
	}
	for _, k := range keys {
		if at := conf.Below(path, k.Name); k.Required && n.fields[k.Name] == nil && !d.mentioned(at) {
			d.refuse(n, n.at, at, at, "missing, want %s", want(k, at))
		}
	}
}

// mostTables is the greatest number of tables in one list. In memory each is a struct with its defaults, some hundred
// times the size of the two bytes of an empty table in the file.
const mostTables = 10_000

// list decodes a list. Each table in it starts from the defaults of its type.
func (d *Document) list(n *node, v reflect.Value, k conf.Key, path string) {
	v.SetZero()
	if len(n.items) == 0 {
		return
	}
	if isTables(k.Type) && len(n.items) > mostTables {
		d.refuse(n, n.at, path, path, "got %d tables, want at most %d", len(n.items), mostTables)
		return
	}
	v.Set(reflect.MakeSlice(k.Type, len(n.items), len(n.items)))
	element := k
	element.Type = k.Type.Elem()
	for i, item := range n.items {
		v.Index(i).Set(d.format.Element(element.Type))
		d.value(item, v.Index(i), element, conf.Index(path, i))
	}
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
