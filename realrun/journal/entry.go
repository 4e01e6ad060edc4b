package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// kinds are the types of facts, by their number in an entry from 1 on. A number is never used for another type, and a
// type never changes: a fact with other fields is another type.
var kinds = [...]engine.Fact{
	1: engine.Submitted{}, 2: engine.Reached{}, 3: engine.Planned{}, 4: engine.Imported{}, 5: engine.Finished{},
	6: engine.Tallied{}, 7: engine.Closed{}, 8: engine.Reported{}, 9: engine.Barred{}, 10: engine.Unbarred{},
	11: engine.Took{}, 12: engine.Began{}, 13: engine.Intent{}, 14: engine.Dotted{}, 15: engine.Outcome{},
	16: engine.Ended{}, 17: engine.Counted{}, 18: engine.Wanted{}, 19: engine.Agreed{},
	20: engine.Run{}, 21: engine.Attempted{}, 22: engine.Measured{}, 23: engine.Learned{}, 24: engine.Forgot{},
	25: engine.Ahead{}, 26: engine.Opened{},
}

// kindOf returns the number of a type of facts.
var kindOf = func() map[reflect.Type]byte {
	all := map[reflect.Type]byte{}
	for i, f := range kinds {
		if f != nil {
			all[reflect.TypeOf(f)] = byte(i)
		}
	}
	return all
}()

// appendEntry appends an entry: time, role, server and type, and the fields of the fact in their order.
func appendEntry(b []byte, e Entry) []byte {
	b = binary.AppendVarint(b, int64(e.At))
	b = append(b, byte(e.Role.Role))
	b = binary.AppendUvarint(b, uint64(e.Role.Server))
	kind := kindOf[reflect.TypeOf(e.Fact)]
	if kind == 0 {
		panic(fmt.Sprintf("journal: got fact %T, want one of package engine", e.Fact))
	}
	return appendValue(append(b, kind), reflect.ValueOf(e.Fact))
}

func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			b = appendValue(b, v.Field(i))
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
		return order.AppendUint64(b, math.Float64bits(v.Float()))
	case reflect.String:
		return append(binary.AppendUvarint(b, uint64(v.Len())), v.String()...)
	default:
		panic(fmt.Sprintf("journal: got a field of type %v, want a number, a string or a struct of these", v.Type()))
	}
	return b
}

var errEntry = errors.New("got content that is not entries")

// readEntry reads the entry at the beginning of b and returns the rest.
func readEntry(b []byte) (e Entry, rest []byte, err error) {
	r := reader{b, false}
	e.At = vt.Time(r.varint())
	e.Role.Role = engine.Kind(r.byte())
	e.Role.Server = mail.Server(r.uvarint(math.MaxUint16))
	kind := r.byte()
	if r.wrong || e.Role.Role > engine.Requests || kind == 0 || int(kind) >= len(kinds) {
		return e, nil, errEntry
	}
	v := reflect.New(reflect.TypeOf(kinds[kind])).Elem()
	r.value(v)
	if r.wrong {
		return e, nil, errEntry
	}
	e.Fact = v.Interface().(engine.Fact)
	return e, r.rest, nil
}

// reader reads values from rest. wrong is set, and stays set, if one is not there.
type reader struct {
	rest  []byte
	wrong bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.wrong || n > uint64(len(r.rest)) {
		r.wrong = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.bytes(uint64(max(n, 0)))
	r.wrong = r.wrong || n <= 0
	return v
}

func (r *reader) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	r.bytes(uint64(max(n, 0)))
	r.wrong = r.wrong || n <= 0 || v > most
	return v
}

func (r *reader) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			r.value(v.Field(i))
		}
	case reflect.Bool:
		b := r.byte()
		r.wrong = r.wrong || b > 1
		v.SetBool(b == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := r.varint()
		r.wrong = r.wrong || v.OverflowInt(n)
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n := r.uvarint(math.MaxUint64)
		r.wrong = r.wrong || v.OverflowUint(n)
		v.SetUint(n)
	case reflect.Float64:
		if b := r.bytes(8); b != nil {
			v.SetFloat(math.Float64frombits(order.Uint64(b)))
		}
	case reflect.String:
		v.SetString(string(r.bytes(r.uvarint(most))))
	}
}
