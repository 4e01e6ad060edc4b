package vt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Civil is a date and a time of day as a wall clock shows them, in seconds since
// 1970-01-01 00:00:00 on that clock. Zero means that none is given.
type Civil int64

const (
	secondsOfDay = 24 * 60 * 60
	toMinute     = "2006-01-02 15:04"
	toSecond     = "2006-01-02 15:04:05"
)

// ParseCivil reads a date with a time of day, "2026-11-30 22:00" or "2026-11-30
// 22:00:30", with a blank or a T between the two.
func ParseCivil(s string) (Civil, error) {
	text := strings.TrimSpace(s)
	if len(text) > 10 && text[10] == 'T' {
		text = text[:10] + " " + text[11:]
	}
	for _, layout := range []string{toMinute, toSecond} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return Civil(t.Unix()), nil
		}
	}
	return 0, fmt.Errorf("%q is not a date with a time such as \"2026-11-30 22:00\"", s)
}

// Given reports whether there is a date.
func (c Civil) Given() bool { return c != 0 }

// String prints the date and the time of day so that ParseCivil reads them back.
func (c Civil) String() string {
	switch {
	case !c.Given():
		return ""
	case c%60 == 0:
		return c.utc().Format(toMinute)
	}
	return c.utc().Format(toSecond)
}

func (c Civil) utc() time.Time { return time.Unix(int64(c), 0).UTC() }

// OfDay returns the time of day: 0 to 24 hours.
func (c Civil) OfDay() Span {
	return Span((c%secondsOfDay+secondsOfDay)%secondsOfDay) * Second
}

// day returns the date, at 00:00.
func (c Civil) day() Civil { return c - Civil(c.OfDay()/Second) }

func (c Civil) date() string { return c.utc().Format(time.DateOnly) }
func (c Civil) time() string { return c.String()[len("2006-01-02 "):] }

// Want describes the text of a date with a time of day.
func (Civil) Want() string { return `a date with a time such as "2026-11-30 22:00"` }

// Pattern returns a regular expression that matches the text of every Civil.
func (Civil) Pattern() string { return `^\s*\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?\s*$` }

// UnmarshalText reads a date with a time of day; see ParseCivil. It refuses the moment that
// stands for none.
func (c *Civil) UnmarshalText(text []byte) error {
	v, err := ParseCivil(string(text))
	if err != nil {
		return err
	}
	if !v.Given() {
		return fmt.Errorf("%q is where the count of seconds begins, want a later date", text)
	}
	*c = v
	return nil
}

// MarshalText prints the date and the time of day; see String.
func (c Civil) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// TimeOfDay is the time since midnight that a wall clock shows, in whole seconds.
type TimeOfDay Span

// String prints the time of day so that UnmarshalText reads it back: "21:00".
func (t TimeOfDay) String() string { return Civil(secondsOfDay + Civil(Span(t)/Second)).time() }

// Want describes the text of a time of day.
func (TimeOfDay) Want() string { return `a time of day such as "21:00"` }

// Pattern returns a regular expression that matches the text of every time of day.
func (TimeOfDay) Pattern() string { return `^\s*\d\d:\d\d(:\d\d)?\s*$` }

// UnmarshalText reads a time of day, "21:00" or "21:00:30".
func (t *TimeOfDay) UnmarshalText(text []byte) error {
	at, err := ParseCivil("1970-01-02 " + strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%q is not %s", text, t.Want())
	}
	*t = TimeOfDay(at.OfDay())
	return nil
}

// MarshalText prints the time of day; see String.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Offset is how far a wall clock is ahead of UTC from the time From on.
type Offset struct {
	From  Span
	Ahead Span // whole minutes
}

// String prints the time and the offset: "0s +01:00".
func (o Offset) String() string { return o.From.String() + " " + o.ahead() }

// ahead prints the offset alone: "+01:00".
func (o Offset) ahead() string {
	sign, minutes := '+', int(o.Ahead/Minute)
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
}

// Want describes the text of an Offset.
func (Offset) Want() string {
	return `a time after the start with an offset from UTC such as "0s +01:00"`
}

// Pattern returns a regular expression that matches the text of every Offset.
func (Offset) Pattern() string { return `^[0-9.a-zµμ]+ [+-]\d\d:\d\d$` }

// UnmarshalText reads a time and an offset, as String prints them.
func (o *Offset) UnmarshalText(text []byte) error {
	wrong := fmt.Errorf("%q is not %s", text, Offset{}.Want())
	from, ahead, ok := strings.Cut(string(text), " ")
	if !ok || len(ahead) != len("+01:00") || ahead[3] != ':' || ahead[0] != '+' && ahead[0] != '-' {
		return wrong
	}
	span, err := ParseSpan(from)
	if err != nil {
		return err
	}
	hours, err1 := strconv.ParseUint(ahead[1:3], 10, 8)
	minutes, err2 := strconv.ParseUint(ahead[4:], 10, 8)
	if err1 != nil || err2 != nil || hours > 18 || minutes > 59 {
		return wrong
	}
	*o = Offset{span, Span(hours)*Hour + Span(minutes)*Minute}
	if ahead[0] == '-' {
		o.Ahead = -o.Ahead
	}
	return nil
}

// MarshalText prints the time and the offset; see String.
func (o Offset) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Clock is a wall clock beside virtual time. Virtual time is physical time: where
// clocks change, the wall clock jumps and virtual time does not. The zero value
// means that there is none.
type Clock struct {
	Start   Civil    `json:"start_at"`    // what it shows at the start of the run
	Zone    string   `json:"time_zone"`   // name of the zone, for readers
	Offsets []Offset `json:"utc_offsets"` // the first from 0 on, then one for each change, in order
}

// Given reports whether there is a clock.
func (c Clock) Given() bool { return c.Start.Given() }

// Zones returns the civil time of a zone by its IANA name, such as "Europe/Berlin".
type Zones func(name string) (*time.Location, error)

// NewClock returns the clock of a place that shows start at the beginning of the run,
// with the changes of the following span. A start that the clock of the place does not
// show, or shows twice, is an error.
func NewClock(start Civil, place *time.Location, span Span) (Clock, error) {
	utc := start.utc()
	near := time.Date(utc.Year(), utc.Month(), utc.Day(), utc.Hour(), utc.Minute(), utc.Second(), 0, place)
	from, to := near.ZoneBounds()
	var begins []time.Time
	for _, t := range []time.Time{near, from.Add(-1), to} {
		_, ahead := t.In(place).Zone()
		begin := time.Unix(int64(start)-int64(ahead), 0).In(place)
		_, really := begin.Zone()
		if !t.IsZero() && really == ahead && !slices.ContainsFunc(begins, begin.Equal) {
			begins = append(begins, begin)
		}
	}
	switch len(begins) {
	case 0:
		return Clock{}, fmt.Errorf("%q does not exist in %s: the clock jumps over it", start, place)
	case 2:
		return Clock{}, fmt.Errorf("%q is twice in %s, as the clock goes back, want a time before or after", start,
			place)
	}
	c := Clock{Start: start, Zone: place.String()}
	for t := begins[0]; !t.IsZero() && t.Sub(begins[0]) <= time.Duration(span); t = nextChange(t) {
		_, seconds := t.Zone()
		o := Offset{Span(t.Sub(begins[0])), Span(seconds) * Second}
		if n := len(c.Offsets); n == 0 || c.Offsets[n-1].Ahead != o.Ahead { // some changes are of the name only
			c.Offsets = append(c.Offsets, o)
		}
	}
	return c, nil
}

// nextChange returns when the zone of t changes after t; zero if it does not.
func nextChange(t time.Time) time.Time {
	_, next := t.ZoneBounds()
	if !next.IsZero() && !next.After(t) { // on 31 December of a leap year the result is that day
		return t.Add(24 * time.Hour)
	}
	return next
}

// Ahead returns by how much the clock is further than virtual time since the start: 0
// until it changes, 1h after it has gone forward by an hour.
func (c Clock) Ahead(t Time) Span {
	var ahead Span
	for _, o := range c.Offsets {
		if t < Time(o.From) {
			break
		}
		ahead = o.Ahead - c.Offsets[0].Ahead
	}
	return ahead
}

// At returns what the clock shows at the time t, in whole seconds.
func (c Clock) At(t Time) Civil { return c.Start + Civil((Span(t)+c.Ahead(t))/Second) }

// Text returns what the clock shows at the time t, to the nearest minute: the time of
// day within the first 24 hours, with the date thereafter: "05:12", "2 Dec 05:12".
func (c Clock) Text(t Time) string {
	t = t.Add(Minute / 2)
	at := c.At(t).utc()
	if t < Time(Day) {
		return at.Format("15:04")
	}
	return at.Format("2 Jan 15:04")
}

// Find returns the time of which a text tells the clock time: "06:00" is the first time
// that the clock shows 06:00 at or after the start, "2026-12-01 06:00" the one of that
// date, and "+1d 06:00" the one of the first day after the start's date. A clock time
// before the start, one that the clock jumps over and one that it shows twice are errors,
// the last two with the times after the start that may be meant.
func (c Clock) Find(text string) (Span, error) {
	at, err := c.parse(text)
	if err != nil {
		return 0, err
	}
	found := c.times(at)
	if len(found) == 0 && at < c.Start && isTimeOfDay(text) {
		at += secondsOfDay
		found = c.times(at)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, fmt.Errorf("%q is twice on %s, as the clock goes back: want %q or %q", text, at.date(), found[0],
			found[1])
	case at < c.Start:
		return 0, fmt.Errorf("%q is before the start, %s", text, c.Start)
	}
	for i, o := range c.Offsets[1:] {
		if before := c.Start + Civil((o.From+c.Offsets[i].Ahead-c.Offsets[0].Ahead)/Second); at >= before {
			if after := c.At(Time(o.From)); at < after {
				return 0, fmt.Errorf("%q does not exist on %s: the clock goes from %s to %s; want another time, or %q "+
					"for that moment", text, at.date(), before.time(), after.time(), o.From)
			}
		}
	}
	return 0, fmt.Errorf("%q is too long after the start, %s", text, c.Start)
}

// times returns when the clock shows at, at the start or later.
func (c Clock) times(at Civil) (all []Span) {
	for i, o := range c.Offsets {
		t := Span(at-c.Start)*Second - (o.Ahead - c.Offsets[0].Ahead)
		if t >= o.From && (i+1 == len(c.Offsets) || t < c.Offsets[i+1].From) {
			all = append(all, t)
		}
	}
	return all
}

// parse returns the clock time that a text tells; without a date, on the date of the
// start.
func (c Clock) parse(text string) (Civil, error) {
	wrong := fmt.Errorf("%q is not %s", text, WantClockTime)
	trimmed, later := strings.TrimSpace(text), Civil(0)
	if days, rest, ok := strings.Cut(trimmed, "d "); ok && strings.HasPrefix(days, "+") {
		n, err := strconv.ParseUint(days[1:], 10, 16)
		if err != nil || n > 3650 {
			return 0, wrong
		}
		trimmed, later = strings.TrimSpace(rest), Civil(n)*secondsOfDay
	} else if !isTimeOfDay(trimmed) {
		at, err := ParseCivil(trimmed)
		if err != nil {
			return 0, wrong
		}
		return at, nil
	}
	at, err := ParseCivil("1970-01-01 " + trimmed)
	if err != nil {
		return 0, wrong
	}
	return c.Start.day() + later + at, nil
}

func isTimeOfDay(text string) bool { return strings.Index(strings.TrimSpace(text), ":") == 2 }

// WantClockTime describes the text of a clock time.
const WantClockTime = `a clock time such as "06:00", "2026-12-01 06:00" or "+1d 06:00"`

// ClockTimePattern is a regular expression that matches the text of every clock time.
const ClockTimePattern = `^\s*(\+\d+d\s+|\d{4}-\d\d-\d\d[ T])?\d\d:\d\d(:\d\d)?\s*$`

// IsClockTime reports whether a text was meant as a clock time, not as a span.
func IsClockTime(text string) bool { return strings.Contains(text, ":") }

// Validate returns what is wrong with the offsets of a clock; nil if nothing is.
func (c Clock) Validate() error {
	for i, o := range c.Offsets {
		switch {
		case i == 0 && o.From != 0:
			return fmt.Errorf("got %q first, want the offset at the start, %q", o, Offset{Ahead: o.Ahead})
		case i > 0 && o.From <= c.Offsets[i-1].From:
			return fmt.Errorf("got %q after %q, want a later time", o, c.Offsets[i-1])
		}
	}
	return nil
}
