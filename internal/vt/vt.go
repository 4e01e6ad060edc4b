// Package vt is virtual time: integer nanoseconds since the start of a run.
//
// The package never reads a clock. Time is always an argument; only the two shells
// (sim, realrun) determine the current time. Any package may import it.
package vt

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Time is an instant, in nanoseconds since the start of the run.
type Time int64

// Window is the time from From until just before To.
type Window struct{ From, To Time }

// Span is a length of time in nanoseconds. It is written with its unit
// ("90s", "3h", "30d"); a bare number is refused.
type Span int64

// Never is later than every event of a run.
const Never Time = math.MaxInt64

// Units of a Span. Day is 24 hours: virtual time has no calendar.
const (
	Nanosecond  Span = 1
	Microsecond      = 1000 * Nanosecond
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
	Day              = 24 * Hour
)

// Add returns t moved by d. Never stays Never.
func (t Time) Add(d Span) Time {
	if t == Never {
		return Never
	}
	return t + Time(d)
}

// Sub returns the span from u to t.
func (t Time) Sub(u Time) Span { return Span(t - u) }

// Seconds returns the instant in seconds since the start of the run.
func (t Time) Seconds() float64 { return float64(t) / float64(Second) }

func (t Time) String() string {
	if t == Never {
		return "never"
	}
	return Span(t).String()
}

// Hours returns the span in hours.
func (d Span) Hours() float64 { return float64(d) / float64(Hour) }

// Seconds returns the span in seconds.
func (d Span) Seconds() float64 { return float64(d) / float64(Second) }

// String prints the span so that ParseSpan reads it back: "1h30m", "250ms", "30d".
func (d Span) String() string {
	if d != 0 && d%Day == 0 {
		return strconv.FormatInt(int64(d/Day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ParseSpan reads a span with its unit: ns, us, ms, s, m, h or d, also in
// sums such as "1h30m". Negative spans are refused.
func ParseSpan(s string) (Span, error) {
	text := strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit, want a time such as \"90s\", \"3h\" or \"30d\"", s)
	}
	var days Span
	if i := strings.IndexByte(text, 'd'); i > 0 {
		n, err := strconv.ParseFloat(text[:i], 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is not a time such as \"90s\", \"3h\" or \"30d\"", s)
		}
		days = Span(n * float64(Day))
		text = text[i+1:]
		if text == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time such as \"90s\", \"3h\" or \"30d\"", s)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative, want a time of 0 or more", s)
	}
	sum := days + Span(d)
	if sum < 0 || sum > 36500*Day {
		return 0, fmt.Errorf("%q is too long, want at most 36500d", s)
	}
	return sum, nil
}

// Want describes the text of a span.
func (Span) Want() string { return `a time such as "90s", "3h" or "30d"` }

// Pattern returns a regular expression that matches the text of every span.
func (Span) Pattern() string { return `[0-9.](ns|us|µs|μs|ms|s|m|h|d)\s*$` }

// UnmarshalText reads a span; see ParseSpan.
func (d *Span) UnmarshalText(text []byte) error {
	v, err := ParseSpan(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MarshalText prints the span; see String.
func (d Span) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
