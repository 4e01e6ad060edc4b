// Package codec turns messages between roles into bytes and back, and says which role sends which body to which: what a
// carrier needs between processes. Bytes of a stranger never make it panic: they are refused in words.
package codec

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"flyball/engine"
	"flyball/internal/fields"
	"flyball/internal/mail"
)

// version is of the form of a message. A body with other fields or another meaning is another type, with a number of
// its own, and leaves the version as it is.
const version = 1

// Most is the most bytes of a message. The part of a list in a Transfer takes 8 bytes for each range of places, so that
// every second of two million recipients can go to one server.
const Most = 8<<20 - 1<<10

// bodies are the types of bodies, by their number in a message from 1 on. A number is never used for another type.
var bodies = [...]engine.Body{
	1: engine.Reserve{}, 2: engine.Report{}, 3: engine.Verdict{}, 4: engine.React{}, 5: engine.Stop{},
	6: engine.Withdraw{}, 7: engine.Hire{}, 8: engine.Granted{}, 9: engine.Transfer{}, 10: engine.Start{},
	11: engine.Drop{}, 12: engine.Restart{}, 13: engine.Progress{}, 14: engine.Tally{}, 15: engine.Summary{},
	16: engine.Changes{}, 17: engine.Got{}, 18: engine.Returned{}, 19: engine.Request{}, 20: engine.Join{},
	21: engine.Letter{}, 22: engine.Confirm{}, 23: engine.Confirmed{}, 24: engine.Pull{},
	25: engine.Returns{},
}

// numberOf returns the number of a type of bodies.
var numberOf = func() map[reflect.Type]byte {
	all := map[reflect.Type]byte{}
	for i, b := range bodies {
		if b != nil {
			all[reflect.TypeOf(b)] = byte(i)
		}
	}
	return all
}()

// Name returns the name of a body's type in small letters, such as "progress".
func Name(b engine.Body) string { return strings.ToLower(reflect.TypeOf(b).Name()) }

// Encode returns the bytes of a message: version, type, who sends it to whom, its number, and the fields of its body in
// their order. An error says which value is out of its range, or that the message is too long.
func Encode(m engine.Message) ([]byte, error) {
	number := numberOf[reflect.TypeOf(m.Body)]
	if number == 0 {
		panic(fmt.Sprintf("codec: got a body of type %T, want one with a number", m.Body))
	}
	body := reflect.ValueOf(m.Body)
	if err := check(body); err != nil {
		return nil, fmt.Errorf("%s: %w", Name(m.Body), err)
	}
	b := []byte{version, number}
	for _, a := range []engine.Address{m.From, m.To} {
		b = fields.Append(append(b, byte(a.Role)), reflect.ValueOf(a.Server))
	}
	b = fields.Append(b, reflect.ValueOf(m.Number))
	if b = fields.Append(b, body); len(b) > Most {
		return nil, fmt.Errorf("%s: got %d bytes, want at most %d", Name(m.Body), len(b), Most)
	}
	return b, nil
}

// Decode returns the message of some bytes, which may be a stranger's. Every message that it returns has exactly one
// form, which Encode returns.
func Decode(b []byte) (engine.Message, error) {
	if len(b) > Most {
		return engine.Message{}, fmt.Errorf("got a message of %d bytes, want at most %d", len(b), Most)
	}
	r := fields.Reader{Rest: b}
	if v := r.Byte(); r.Err == nil && v != version {
		return engine.Message{}, fmt.Errorf("got a message of version %d, want %d", v, version)
	}
	number := r.Byte()
	if r.Err != nil {
		return engine.Message{}, r.Err
	}
	if number == 0 || int(number) >= len(bodies) {
		return engine.Message{}, fmt.Errorf("got a message of type %d, want 1 to %d: its sender is of a later revision",
			number, len(bodies)-1)
	}
	m, err := read(&r, reflect.New(reflect.TypeOf(bodies[number])).Elem())
	if err != nil {
		return engine.Message{}, fmt.Errorf("%s: %w", Name(bodies[number]), err)
	}
	return m, nil
}

// read reads what follows the type of a message, with a body to be filled.
func read(r *fields.Reader, body reflect.Value) (m engine.Message, err error) {
	for _, a := range []*engine.Address{&m.From, &m.To} {
		role := r.Byte()
		if role > byte(engine.Recipients) {
			return m, fmt.Errorf("got role %d, want 0 to %d", role, engine.Recipients)
		}
		a.Role, a.Server = engine.Kind(role), mail.Server(r.Uvarint(math.MaxUint16))
	}
	m.Number = r.Uvarint(math.MaxUint64)
	if r.Value(body); r.Err != nil {
		return m, r.Err
	}
	if len(r.Rest) > 0 {
		return m, fmt.Errorf("got %d bytes more than the message has", len(r.Rest))
	}
	m.Body = body.Interface().(engine.Body)
	return m, check(body)
}

var errList = errors.New("got a packed list that ends within an entry")
