package promotion

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/internal/conf"
	"flyball/scenarios"
)

// Bounds of a record.
const (
	MinReplications = 10 // least number of replications: one run proves nothing
	Shortest        = time.Minute
	Longest         = 366 * 24 * time.Hour
	MaxNote         = 1000 // greatest number of characters of a note
)

// Validate returns all problems of a record. It does not check the meaning of the
// parameters, which depends on the revision that wrote them (see Load).
func (rec Record) Validate() []error {
	var l conf.List
	noControls(&l, "", reflect.ValueOf(rec))
	l.Check(rec.By != "" && conf.Printable(rec.By), "by", "got %q, want 1 to 64 printable characters", rec.By)
	whole := func(t time.Time) bool {
		return t.Location() == time.UTC && t.Nanosecond() == 0 && t.Year() >= 2000 && t.Year() < 10000
	}
	l.Check(whole(rec.At), "at", "got %s, want whole seconds of UTC", rec.At.Format(time.RFC3339Nano))
	l.Check(whole(rec.Expires), "expires", "got %s, want whole seconds of UTC", rec.Expires.Format(time.RFC3339Nano))
	lasts := rec.Expires.Sub(rec.At)
	l.Check(lasts >= Shortest && lasts <= Longest, "expires", "got %s after at, want 1m to 366d", lasts)
	l.Check(utf8.RuneCountInString(rec.Note) <= MaxNote, "note", "got %d characters, want at most %d",
		utf8.RuneCountInString(rec.Note), MaxNote)
	l.Check(rec.Parameters != "", "parameters", "got none, want the tables [governor] and [retry]")
	s := rec.Shown
	l.Check(s.Scenario != "" && conf.Printable(s.Scenario), "shown.scenario",
		"got %q, want 1 to 64 printable characters", s.Scenario)
	l.Check(s.Replications >= MinReplications, "shown.replications", "got %d, want %d or more", s.Replications,
		MinReplications)
	for i, m := range s.Measures {
		l.Within(conf.Index("shown.measures", i), m.validate())
	}
	if t := s.Tuned; t != nil {
		l.Check(t.Runs >= 0 && t.Trials >= 0, "shown.tuned", "got %d runs of %d trials, want none below 0", t.Runs,
			t.Trials)
		l.Within("shown.tuned.ratio", t.Ratio.validate())
		if t.Beyond != nil {
			l.Within("shown.tuned.ratio_beyond", t.Beyond.validate())
		}
	}
	return l
}

func (m Measure) validate() []error {
	var l conf.List
	l.Check(m.Metric != "", "metric", "got none, want the name of a metric")
	l.Check(m.Low <= m.High, "low", "got %g, want at most high, %g", m.Low, m.High)
	l.Check(m.Level > 0 && m.Level < 1, "level", "got %g, want above 0 and below 1", m.Level)
	return l
}

// shortened returns the beginning of a text for a message.
func shortened(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

// noControls adds a problem for each text in v, the value of key, with control
// characters, which could affect a terminal. Only the parameters may have line
// breaks.
func noControls(l *conf.List, key string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		text := v.String()
		if key == "parameters" {
			text = strings.ReplaceAll(text, "\n", "")
		}
		l.Check(conf.Plain(text), key, "got %q, want no control characters", shortened(text))
	case reflect.Pointer:
		if !v.IsNil() {
			noControls(l, key, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			noControls(l, key+"["+strconv.Itoa(i)+"]", v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			noControls(l, strings.TrimPrefix(key+"."+name, "."), v.Field(i))
		}
	}
}

// Load returns the parameters of a record of the file name. The error is Invalid,
// or wraps ErrRefused as in CheckFaults.
func (rec Record) Load(name string) (scenarios.Parameters, error) {
	p, err := scenarios.LoadParameters(fmt.Sprintf("%s:%d: parameters", name, rec.Number), []byte(rec.Parameters))
	if err != nil {
		return p, &Invalid{err}
	}
	return p, CheckFaults(p)
}

// CheckFaults returns an error that wraps ErrRefused if the parameters p have
// faults of measurement, which are for rehearsals.
func CheckFaults(p scenarios.Parameters) error {
	if n := len(p.Governor.Faults); n > 0 {
		return fmt.Errorf("%w: governor.fault: got %d, want none: faults of measurement are for rehearsals and "+
			"cannot be promoted", ErrRefused, n)
	}
	return nil
}
