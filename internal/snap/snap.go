// Package snap saves and restores the state of machines, field by field. A
// type describes its state once, in one method that serves both directions:
//
//	func (q *Queue) State(c *snap.Codec) { snap.Int(c, &q.seq); ... }
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

// Int saves or restores a number.
func Int[T ~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](c *Codec, v *T) {
	*v = T(c.word(uint64(*v)))
}

// Float saves or restores a number, bit for bit.
func Float[T ~float64](c *Codec, v *T) {
	*v = T(math.Float64frombits(c.word(math.Float64bits(float64(*v)))))
}

// Bool saves or restores a flag.
func Bool(c *Codec, v *bool) {
	var w uint64
	if *v {
		w = 1
	}
	*v = c.word(w) == 1
}

// Slice saves or restores a slice; each handles one element.
func Slice[T any](c *Codec, s *[]T, each func(*Codec, *T)) {
	n := len(*s)
	Int(c, &n)
	if c.reading {
		if n < 0 || n > len(c.data) { // an element takes at least a byte: a damaged length cannot exhaust the memory
			c.err = errors.New("a length that the data cannot have")
			c.data = nil
			n = 0
		}
		*s = make([]T, n)
	}
	for i := range *s {
		each(c, &(*s)[i])
	}
}
