package tomlfile

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/vt"
)

// Document is a file that is being read. After a syntax error its methods do
// nothing more, so that Err returns that error alone.
type Document struct {
	format *Format
	name   string
	src    []byte
	root   *node // nil: nothing more is read
	faults []fault

	refused map[string]bool // paths that have a problem already
	around  map[string]bool // tables and lists around them
	open    []opened        // tables being decoded, the outermost first
	moments []moment        // clock times that were read and not yet found
	hints   int             // number of hints given so far
}

// Read parses src, a file that problems call name, and then sets the entries of
// set, each "path.to.key=value". It ignores a byte order mark.
func (f *Format) Read(name string, src []byte, set []string) *Document {
	d := &Document{format: f, name: name, src: withoutMark(src), refused: map[string]bool{}, around: map[string]bool{}}
	if d.root, d.faults = parse(d.src, nil); d.faults != nil {
		d.root = nil
		return d
	}
	d.apply(set)
	return d
}

func withoutMark(src []byte) []byte { return bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")) }

// TopKeys returns the top-level keys of a file, in its order. Of a file with
// errors it returns those that were read before the first one.
func TopKeys(src []byte) []string {
	root, _ := parse(withoutMark(src), nil)
	if root == nil {
		return nil
	}
	return root.names
}

// Decode writes the file over into, a pointer to a struct of the format that
// holds the defaults. A refused value leaves its default in place, so that all
// problems are found at once. An element of a list starts from the defaults of
// its tags or, if it has a method SetDefault, from the values that SetDefault
// sets. A slice with an UnmarshalText method also accepts a list.
func (d *Document) Decode(into any) {
	if d.root != nil {
		d.table(d.root, reflect.ValueOf(into).Elem(), "")
	}
}

// DecodeTable writes one top-level table over into, as Decode does. It is a
// problem if the file has no such table.
func (d *Document) DecodeTable(key string, into any) {
	if d.root == nil {
		return
	}
	if n := d.root.fields[key]; n != nil && n.kind == aTable {
		d.table(n, reflect.ValueOf(into).Elem(), key)
		return
	}
	hint := ""
	for _, name := range d.root.names {
		if conf.Nearest(name, []string{key}) != "" {
			hint = "; " + Quote(name) + " is none"
		}
	}
	d.faults = append(d.faults, fault{key: key, text: fmt.Sprintf("missing, want a [%s] table%s", key, hint)})
	d.root = nil
}

// moment is a clock time of the file, with the value that is to be set.
type moment struct {
	node *node
	path string
	into encoding.TextUnmarshaler

	never bool // 0 means that there is no such time
}

// DecodeKeys writes some top-level keys over into, as Decode does, and reports no
// problem: Decode does.
func (d *Document) DecodeKeys(into any, names ...string) {
	if d.root == nil {
		return
	}
	aside := Document{format: d.format, refused: map[string]bool{}, around: map[string]bool{}}
	v := reflect.ValueOf(into).Elem()
	for _, k := range d.format.Keys.Of(v.Type()) {
		if n := d.root.fields[k.Name]; n != nil && slices.Contains(names, k.Name) {
			aside.value(n, v.Field(k.Index), k, k.Name)
		}
	}
}

// Moments sets the clock times among the decoded values: find returns the time after the
// start. The values of which find has an error keep their default.
func (d *Document) Moments(find func(text string) (vt.Span, error)) {
	for _, m := range d.moments {
		at, err := find(m.node.text)
		switch {
		case err != nil:
		case at == 0 && m.never:
			err = fmt.Errorf("got %s, which is the start, want a later time such as \"8h\" or \"+1d 06:00\"",
				Quote(m.node.text))
		default:
			err = m.into.UnmarshalText([]byte(at.String()))
		}
		if err != nil {
			d.refuse(m.node, m.node.at, m.path, m.path, "%s", err)
		}
	}
	d.moments = nil
}

// SkipMoments leaves the default in the place of every clock time. No problem is
// reported of these values: the reason is a problem of its own.
func (d *Document) SkipMoments() {
	for _, m := range d.moments {
		d.mention(m.path)
	}
	d.moments = nil
}

// Gives reports whether the file has a top-level key.
func (d *Document) Gives(key string) bool { return d.root != nil && d.root.fields[key] != nil }

// Integer returns the value of a top-level key, also as it is written; false if
// the file does not give the key or its value is not a whole number.
func (d *Document) Integer(key string) (value int64, text string, ok bool) {
	if !d.Gives(key) {
		return 0, "", false
	}
	n := d.root.fields[key]
	value, ok = n.integer()
	return value, shorten(n.text), ok
}

// Sound reports whether nothing at, in or around a path was refused. A refused
// value is missing from the struct, so no further check applies to it.
func (d *Document) Sound(path string) bool { return d.root != nil && !d.mentioned(path) }

// Refuse adds problems, each a conf.Problem with a key of the file. It skips
// problems with values that were refused already.
func (d *Document) Refuse(problems []error) {
	if d.root == nil {
		return
	}
	for _, err := range problems {
		if f := d.locate(err); d.Sound(f.key) {
			d.faults = append(d.faults, f)
		}
	}
}

// RefuseAll replaces all problems by the only one that matters: the others would
// mislead.
func (d *Document) RefuseAll(problem conf.Problem) {
	d.faults = []fault{d.locate(problem)}
	d.root, d.moments = nil, nil
}

// locate returns err as a fault at the place of its value in the file, or, if
// the value is a default, of the nearest table around it.
func (d *Document) locate(err error) fault {
	p, ok := err.(conf.Problem)
	if !ok {
		return fault{text: err.Error()}
	}
	path, bad := d.format.parsePath(p.Key)
	if bad != "" {
		panic("a problem with key " + p.Key)
	}
	n := d.root.find(path)
	return fault{set: n.set, at: n.at, key: p.Key, text: p.Text}
}

// Err returns all problems so far, of type Problems, or nil.
func (d *Document) Err() error {
	if len(d.moments) > 0 {
		panic("clock times that neither Moments nor SkipMoments took")
	}
	if d.faults == nil {
		return nil
	}
	return report(d.name, d.src, d.faults)
}
