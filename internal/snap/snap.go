// Package snap saves and restores the state of machines, field by field. A
// type describes its state once, in one method that serves both directions:
//
//	func (q *Queue) State(c *snap.Codec) { c.Fields(&q.seq, &q.count) }
//
// The format is private to a revision of the program: every number in eight
// bytes, without names. A checkpoint has the scenario's ID and a checksum, so that
// a checkpoint of another scenario or a damaged one is refused. Any package may
// import it.
package snap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Codec writes a state or reads it back. The first error is kept; call Err at the
// end.
type Codec struct {
	data    []byte
	reading bool
	err     error
}

// Writer returns a Codec that saves.
func Writer() *Codec { return &Codec{} }

// Reader returns a Codec that restores from data.
func Reader(data []byte) *Codec { return &Codec{data: data, reading: true} }

// Data returns the saved state.
func (c *Codec) Data() []byte { return c.data }

// Err returns an error unless the state was read completely, without bytes left.
func (c *Codec) Err() error {
	if c.err == nil && c.reading && len(c.data) > 0 {
		return fmt.Errorf("%d bytes too many", len(c.data))
	}
	return c.err
}

// Fail makes err the error of the Codec, unless it has one: what was restored does not make sense.
func (c *Codec) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Reading reports whether the Codec restores.
func (c *Codec) Reading() bool { return c.reading }

func (c *Codec) word(v uint64) uint64 {
	switch {
	case !c.reading:
		c.data = binary.LittleEndian.AppendUint64(c.data, v)
	case len(c.data) < 8:
		c.err = errors.New("cut short")
		c.data = nil
		return 0
	default:
		v = binary.LittleEndian.Uint64(c.data)
		c.data = c.data[8:]
	}
	return v
}

// Fields saves or restores variables in their order, each given by a pointer: a
// number (bit for bit), a flag, or a slice or array of them.
func (c *Codec) Fields(pointers ...any) {
	for _, p := range pointers {
		c.field(reflect.ValueOf(p).Elem())
	}
}

func (c *Codec) field(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		var w uint64
		if v.Bool() {
			w = 1
		}
		v.SetBool(c.word(w) == 1)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(c.word(uint64(v.Int()))))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(c.word(v.Uint()))
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(c.word(math.Float64bits(v.Float()))))
	case reflect.Slice:
		if n := c.length(v.Len()); c.reading {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			c.field(v.Index(i))
		}
	default:
		panic("snap: got a field of type " + v.Type().String() + ", want a number, a flag, or a slice or array of them")
	}
}

// length saves or restores the length of a slice. An element takes at least a byte,
// so a damaged length cannot exhaust the memory.
func (c *Codec) length(n int) int {
	n = int(c.word(uint64(n)))
	if c.reading && (n < 0 || n > len(c.data)) {
		c.err = errors.New("a length that the data cannot have")
		c.data = nil
		return 0
	}
	return n
}

// Slice saves or restores a slice; each handles one element.
func Slice[T any](c *Codec, s *[]T, each func(*Codec, *T)) {
	if n := c.length(len(*s)); c.reading {
		*s = make([]T, n)
	}
	for i := range *s {
		each(c, &(*s)[i])
	}
}
