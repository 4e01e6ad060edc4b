// Package unit holds the quantities of a scenario that carry their unit in
// the value: rates ("140000/h", "24/day") and sizes ("32KiB"), of which a bare
// number is refused, and shares ("5%"). Any package may import it.
package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseShare reads a share such as "5%" or "0.05"; it may be negative or above 1.
func ParseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a share such as \"5%%\" or \"0.05\"", s)
	}
	if percent {
		v /= 100
	}
	return v, nil
}

// PerHour is a rate, in events per hour.
type PerHour float64

var perHour = []struct {
	unit   string
	factor float64
}{{"h", 1}, {"hour", 1}, {"day", 1.0 / 24}, {"d", 1.0 / 24}, {"min", 60}, {"m", 60}, {"s", 3600}}

// ParsePerHour reads a rate such as "140000/h", "24/day" or "40/s".
func ParsePerHour(s string) (PerHour, error) {
	number, unit, found := strings.Cut(strings.TrimSpace(s), "/")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err == nil && !found {
		return 0, fmt.Errorf("%q has no unit, want a rate such as \"140000/h\" or \"24/day\"", s)
	}
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a rate such as \"140000/h\" or \"24/day\"", s)
	}
	if n < 0 {
		return 0, fmt.Errorf("%q is negative, want a rate of 0 or more", s)
	}
	for _, u := range perHour {
		if strings.TrimSpace(unit) == u.unit {
			return PerHour(n * u.factor), nil
		}
	}
	return 0, fmt.Errorf("%q has an unknown unit, want one of /s, /min, /h, /day", s)
}

func (r PerHour) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) + "/h" }

// Want describes the text of a rate.
func (PerHour) Want() string { return `a rate such as "140000/h" or "24/day"` }

// Pattern returns a regular expression that matches the text of every rate.
func (PerHour) Pattern() string { return `[0-9.]\s*/\s*(s|m|min|h|hour|d|day)\s*$` }

// UnmarshalText reads a rate; see ParsePerHour.
func (r *PerHour) UnmarshalText(text []byte) error {
	v, err := ParsePerHour(string(text))
	if err != nil {
		return err
	}
	*r = v
	return nil
}

// MarshalText prints the rate per hour.
func (r PerHour) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Bytes is a size in bytes.
type Bytes int64

var byteUnits = []struct {
	unit string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// ParseBytes reads a size such as "32KiB", "1MB" or "900B".
func ParseBytes(s string) (Bytes, error) {
	text := strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit, want a size such as \"32KiB\" or \"900B\"", s)
	}
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(text, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || n*float64(u.size) > 1<<50 {
			break
		}
		return Bytes(n * float64(u.size)), nil
	}
	return 0, fmt.Errorf("%q is not a size such as \"32KiB\" or \"900B\"", s)
}

func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.unit
		}
	}
	return "0B"
}

// Want describes the text of a size.
func (Bytes) Want() string { return `a size such as "32KiB" or "900B"` }

// Pattern returns a regular expression that matches the text of every size.
func (Bytes) Pattern() string { return `[0-9.]\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$` }

// UnmarshalText reads a size; see ParseBytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}

// MarshalText prints the size.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
