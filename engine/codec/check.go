package codec

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Bounds of the values of messages. A role computes with what it gets, so nothing may overflow there.
const (
	mostPlaces = 1 << 31          // of a list: see engine.Change
	mostCount  = math.MaxInt32    // of processes, recipients, a priority or a limit
	mostTime   = vt.Time(1) << 62 // 146 years
)

var checkpoints = []engine.Checkpoint{engine.P000, engine.P100, engine.P200, engine.P300, engine.P400, engine.P450,
	engine.P500, engine.P600, engine.P650, engine.P699}

// lists are the fields that are packed lists: the bytes of an entry, and what is wrong with a list of whole entries.
var lists = map[string]struct {
	size  int
	check func(string) error
}{
	"Transfer.Part":     {8, checkParts},
	"Start.Bars":        {4, checkNothing},
	"Progress.Outcomes": {5, checkOutcomes},
	"Changes.Entries":   {4, checkNothing},
	"Returns.Entries":   {13, checkReturns},
	"Reserve.Resends":   {14, checkResends},
}

// texts are the fields that are words.
var texts = []string{"Letter.Text"}

// check returns an error if a value of a body is out of its range.
func check(body reflect.Value) error {
	if t, ok := body.Interface().(engine.Transfer); ok && (t.Processes < 1 || t.Size < 1) {
		return fmt.Errorf("got %d processes that take %d recipients at a time, want at least 1", t.Processes, t.Size)
	}
	return checkFields(body)
}

func checkFields(v reflect.Value) error {
	for i := range v.NumField() {
		if err := checkField(v.Type(), v.Field(i), v.Type().Field(i).Name); err != nil {
			return fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
		}
	}
	return nil
}

func checkField(of reflect.Type, v reflect.Value, name string) error {
	switch x := v.Interface().(type) {
	case vt.Time:
		return within(int64(x), int64(mostTime))
	case vt.Span:
		return within(int64(x), math.MaxInt64)
	case mail.Recipient:
		return within(int64(x), mostPlaces)
	case engine.Checkpoint:
		if !slices.Contains(checkpoints, x) {
			return fmt.Errorf("got %d, want a checkpoint", uint16(x))
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		return checkFields(v)
	case reflect.Int:
		return within(v.Int(), mostCount)
	case reflect.Float64:
		if f := v.Float(); !(f >= 0 && f <= math.MaxFloat64) || math.Signbit(f) {
			return fmt.Errorf("got %v, want a number from 0 on", f)
		}
	case reflect.String:
		full := of.Name() + "." + name
		list, is := lists[full]
		switch {
		case is && v.Len()%list.size != 0:
			return errList
		case is:
			return list.check(v.String())
		case !slices.Contains(texts, full):
			panic(fmt.Sprintf("codec: got the field %s, want it among the lists or the texts", full))
		}
	}
	return nil
}

func within(n, most int64) error {
	if n < 0 || n > most {
		return fmt.Errorf("got %d, want 0 to %d", n, most)
	}
	return nil
}

func checkNothing(string) error { return nil }

func checkParts(s string) error {
	for _, p := range engine.UnpackParts(s) {
		if p.From >= p.To || p.To > mostPlaces {
			return fmt.Errorf("got the places from %d to below %d", p.From, p.To)
		}
	}
	return nil
}

func checkOutcomes(s string) error {
	for _, f := range engine.UnpackOutcomes(s) {
		if f.Status == mail.Pending || f.Status >= mail.Statuses || f.Rcpt >= mostPlaces {
			return fmt.Errorf("got outcome %d of recipient %d", f.Status, f.Rcpt)
		}
	}
	return nil
}

func checkReturns(s string) error {
	for i, r := range engine.UnpackReturns(s) {
		if r.Rcpt >= mostPlaces || s[13*i+12] > 1 {
			return fmt.Errorf("got a returned mail of recipient %d that is of kind %d", r.Rcpt, s[13*i+12])
		}
	}
	return nil
}

func checkResends(s string) error {
	for _, r := range engine.UnpackResends(s) {
		if r.Rcpt >= mostPlaces || r.Due < 0 {
			return errors.New("got a resend of no recipient, or before the beginning")
		}
	}
	return nil
}
