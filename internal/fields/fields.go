// Package fields writes values as bytes, field by field in their order, and reads them back: facts in journals,
// messages between servers, and what a run leaves for others. A value has one form, and only that form is read.
package fields

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Append appends a value: a whole number as a varint, a float as its 8 bytes with the highest first, a bool as 0 or 1,
// a string with its length before it, a struct as its fields, a slice or a map from strings as the number of its
// entries and one, or 0 if it is nil, before these, a pointer as 0 or as 1 and what it points to. It panics for other
// types.
func Append(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			b = Append(b, v.Field(i))
		}
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.Float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case reflect.String:
		return append(binary.AppendUvarint(b, uint64(v.Len())), v.String()...)
	case reflect.Slice:
		b = appendLength(b, v)
		for i := range v.Len() {
			b = Append(b, v.Index(i))
		}
	case reflect.Map:
		b = appendLength(b, v)
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), byText) {
			b = Append(Append(b, key), v.MapIndex(key))
		}
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return Append(append(b, 1), v.Elem())
	default:
		panic(fmt.Sprintf("fields: got a field of type %v, want one of numbers, strings and structs", v.Type()))
	}
	return b
}

func appendLength(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(v.Len())+1)
}

func byText(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }

// Reader reads values from Rest. Err is set, and stays set, once a value is not there; what is read then is zero.
type Reader struct {
	Rest []byte
	Err  error
}

var errCut = errors.New("the bytes are cut short")

// bytes returns the next n bytes; nil if they are not there.
func (r *Reader) bytes(n uint64) []byte {
	if r.Err != nil || n > uint64(len(r.Rest)) {
		r.fail(errCut)
		return nil
	}
	b := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return b
}

func (r *Reader) fail(err error) {
	if r.Err == nil {
		r.Err = err
	}
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// Varint reads a signed number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if !r.took(n) {
		return 0
	}
	return v
}

// Uvarint reads a number of at most most.
func (r *Reader) Uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.Rest)
	if !r.took(n) {
		return 0
	}
	if v > most {
		r.fail(fmt.Errorf("got %d, want at most %d", v, most))
		return 0
	}
	return v
}

// took reports whether a varint of n bytes was there, in its shortest form, and takes it.
func (r *Reader) took(n int) bool {
	switch {
	case r.Err != nil:
	case n == 0:
		r.fail(errCut)
	case n < 0 || n > 1 && r.Rest[n-1] == 0:
		r.fail(errors.New("got a number that is not in its shortest form of at most 64 bits"))
	default:
		r.Rest = r.Rest[n:]
		return true
	}
	return false
}

// Value reads v, which can be set. Err begins with the name of the field that is not there.
func (r *Reader) Value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			before := r.Err
			if r.Value(v.Field(i)); before == nil && r.Err != nil {
				r.Err = fmt.Errorf("%s: %w", v.Type().Field(i).Name, r.Err)
			}
		}
	case reflect.Bool:
		b := r.Byte()
		if b > 1 {
			r.fail(fmt.Errorf("got %d, want 0 or 1", b))
		}
		v.SetBool(b == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := r.Varint()
		if v.OverflowInt(n) {
			r.fail(fmt.Errorf("got %d, want %d bits", n, v.Type().Bits()))
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uvarint(math.MaxUint64 >> (64 - v.Type().Bits())))
	case reflect.Float64:
		if b := r.bytes(8); b != nil {
			v.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case reflect.String:
		v.SetString(string(r.bytes(r.Uvarint(math.MaxInt64))))
	case reflect.Slice:
		if n, some := r.length(); some {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			for range n {
				entry := reflect.New(v.Type().Elem()).Elem()
				if r.Value(entry); r.Err != nil {
					return
				}
				v.Set(reflect.Append(v, entry))
			}
		}
	case reflect.Map:
		r.entries(v)
	case reflect.Pointer:
		switch b := r.Byte(); {
		case b == 1:
			v.Set(reflect.New(v.Type().Elem()))
			r.Value(v.Elem())
		case b > 1:
			r.fail(fmt.Errorf("got %d, want 0 or 1", b))
		}
	}
}

// length reads a number of entries; false if there is no slice or map. Each entry has a byte at least.
func (r *Reader) length() (n uint64, some bool) {
	n = r.Uvarint(math.MaxUint64)
	if r.Err != nil || n == 0 {
		return 0, false
	}
	if n-1 > uint64(len(r.Rest)) {
		r.fail(errCut)
		return 0, false
	}
	return n - 1, true
}

// entries reads a map, whose keys come in order.
func (r *Reader) entries(v reflect.Value) {
	n, some := r.length()
	if !some {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	last := ""
	for i := range n {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		r.Value(key)
		if r.Value(value); r.Err == nil && i > 0 && key.String() <= last {
			r.fail(fmt.Errorf("got the key %q after %q", key.String(), last))
		}
		if r.Err != nil {
			return
		}
		last = key.String()
		v.SetMapIndex(key, value)
	}
}
