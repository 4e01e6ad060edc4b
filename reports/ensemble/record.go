package ensemble

import (
	"errors"
	"fmt"
	"reflect"

	"flyball/internal/fields"
)

// Record returns the observation as bytes, from which ReadObservation makes the same one, bit for bit.
func (o Observation) Record() (record []byte) {
	o.parts(func(parts ...any) bool {
		for _, p := range parts {
			record = fields.Append(record, reflect.ValueOf(p).Elem())
		}
		return true
	})
	return record
}

// ReadObservation returns the observation of a record, which may be a stranger's.
func ReadObservation(record []byte) (o Observation, err error) {
	r := fields.Reader{Rest: record}
	o.parts(func(parts ...any) bool {
		for _, p := range parts {
			r.Value(reflect.ValueOf(p).Elem())
		}
		return r.Err == nil
	})
	switch {
	case r.Err != nil:
		return o, fmt.Errorf("got a run that cannot be read: %w", r.Err)
	case len(r.Rest) > 0:
		return o, errors.New("got more than one run")
	}
	return o, nil
}

// parts calls each with pointers to all parts of the observation in their order, until it returns false.
func (o *Observation) parts(each func(parts ...any) bool) {
	if !each(&o.Replication, &o.Digest, &o.Metrics, &o.expected, &o.findings, &o.attempts, &o.campaigns, &o.course) {
		return
	}
	for i := 0; more(&o.tracks, i, each); i++ {
		t := &o.tracks[i]
		if !each(&t.settled, &t.watched, &t.runaway, &t.held, &t.waits) {
			return
		}
		for k := 0; more(&t.points, k, each); k++ {
			p := &t.points[k]
			each(&p.end, &p.rate, &p.target, &p.previous, &p.available, &p.delivered, &p.attempts, &p.processes,
				&p.judged)
		}
	}
}

// more calls each with whether a slice has an element i, and makes room for it if it is being read.
func more[T any](all *[]T, i int, each func(parts ...any) bool) bool {
	is := i < len(*all)
	if !each(&is) {
		return false
	}
	if is && i == len(*all) {
		var zero T
		*all = append(*all, zero)
	}
	return is
}
