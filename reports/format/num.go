// Package format writes what reports hold for people and for programs: numbers
// that may be missing, words and tables for a terminal of 100 columns, CSV and
// JSON that are the same bytes for the same values. It reads only CSV and JSON
// of its own and refuses other columns and schemas, with the place. Every
// package of reports calls it.
package format

import (
	"encoding/json"
	"math"
	"strconv"
)

// Plainly writes the number with four significant digits.
func (n Num) Plainly() string {
	v := float64(n)
	for _, at := range []struct {
		from     float64
		decimals int
	}{{1000, 0}, {100, 1}, {10, 2}, {1, 3}} {
		if v >= at.from {
			return Grouped(v, at.decimals)
		}
	}
	return Grouped(v, 4)
}

// MarshalJSON writes the number, or null.
func (n Num) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads a number, or null as missing.
func (n *Num) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Missing
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// Plain writes a number so that the same bits are read back.
func Plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// String returns the number as it stands in CSV: empty if missing.
func (n Num) String() string {
	if !n.Known() {
		return ""
	}
	return Plain(float64(n))
}

// Num is a number that may be missing. A number that is not finite counts as missing: null
// in JSON, an empty field in CSV.
type Num float64

var Missing = Num(math.NaN())

// Known reports whether the number is not missing.
func (n Num) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// Ratio returns a / b, missing if b is 0.
func Ratio(a, b uint64) Num {
	if b == 0 {
		return Missing
	}
	return Num(float64(a) / float64(b))
}
