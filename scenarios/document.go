package scenarios

import (
	"bytes"
	"reflect"
)

// Document is a TOML file of another kind, such as a study, that is read as
// scenarios are: strictly, with the line and column of every problem.
type Document struct {
	name   string
	src    []byte
	root   *node
	binder *binder
	faults []fault
}

// ReadDocument lays a file over into, a pointer to a struct with the same tags
// as a Scenario that holds the defaults. An element of a list that has a method
// SetDefault starts from what that sets. A slice that reads itself from text
// takes a list as well. Name is what problems call the file.
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

// Gives reports whether the file gives a key at its top.
func (d *Document) Gives(key string) bool { return d.root != nil && d.root.fields[key] != nil }

// Sound reports whether nothing at, in or around a path was refused: a value
// that was is not there to be judged further.
func (d *Document) Sound(path string) bool { return d.root != nil && !d.binder.mentioned(path) }

// Refuse adds problems, each a conf.Problem with a key of the file, and leaves
// out those of values that were refused already.
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

// Err is every problem so far, of type Problems, or nil.
func (d *Document) Err() error {
	if d.faults == nil {
		return nil
	}
	return report(d.name, d.src, d.faults)
}
