package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"flyball/engine"
	"flyball/internal/fields"
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
	25: engine.Ahead{}, 26: engine.Opened{}, 27: engine.Worked{}, 28: engine.Over{},
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
	return fields.Append(append(b, kind), reflect.ValueOf(e.Fact))
}

var errEntry = errors.New("got content that is not entries")

// readEntry reads the entry at the beginning of b and returns the rest.
func readEntry(b []byte) (e Entry, rest []byte, err error) {
	r := fields.Reader{Rest: b}
	e.At = vt.Time(r.Varint())
	e.Role.Role = engine.Kind(r.Byte())
	e.Role.Server = mail.Server(r.Uvarint(math.MaxUint16))
	kind := r.Byte()
	if r.Err != nil || e.Role.Role > engine.Requests || kind == 0 || int(kind) >= len(kinds) {
		return e, nil, errEntry
	}
	v := reflect.New(reflect.TypeOf(kinds[kind])).Elem()
	r.Value(v)
	if r.Err != nil {
		return e, nil, errEntry
	}
	e.Fact = v.Interface().(engine.Fact)
	return e, r.Rest, nil
}
