package scenarios

import (
	"bytes"
	"reflect"
)

// Document is a TOML file of another kind, such as a study. It is read as
// strictly as a scenario, with the line and column of every problem.
type Document struct {
	name   string
	src    []byte
	root   *node
	binder *binder
	faults []fault
}

// ReadDocument decodes src over into, a pointer to a struct that holds the
// defaults and has the same kind of tags as Scenario. An element of a list with
// a method SetDefault starts from the values that SetDefault sets. A slice with
// an UnmarshalText method also accepts a list. Problems call the file name.
func ReadDocument(name string, src []byte, into any) *Document {
	d := &Document{name: name, src: bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))}
	if d.root, d.faults = parse(d.src, nil); d.faults != nil {
		d.root = nil
		return d
	}
	v := reflect.ValueOf(into).Elem()
	d.binder = newBinder()
	d.binder.file = v.Type()
	d.binder.table(d.root, v, "")
	d.faults = d.binder.faults
	return d
}

// Gives reports whether the file has a top-level key.
func (d *Document) Gives(key string) bool { return d.root != nil && d.root.fields[key] != nil }

// Sound reports whether nothing at, in or around a path was refused. A refused
// value is missing from the struct, so no further check applies to it.
func (d *Document) Sound(path string) bool { return d.root != nil && !d.binder.mentioned(path) }

// Refuse adds problems, each a conf.Problem with a key of the file. It skips
// problems with values that were refused already.
func (d *Document) Refuse(problems []error) {
	if d.root == nil {
		return
	}
	for _, err := range problems {
		if f := locate(d.root, err); d.Sound(f.key) {
			d.faults = append(d.faults, f)
		}
	}
}

// Err returns all problems so far, of type Problems, or nil.
func (d *Document) Err() error {
	if d.faults == nil {
		return nil
	}
	return report(d.name, d.src, d.faults)
}
