package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/internal/vt"
)

// Listed joins names as in a sentence: "a, b and c".
func Listed(names []string) string {
	if n := len(names); n > 4 {
		names = append(names[:3:3], fmt.Sprintf("%d more", n-3))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

// Dash returns s, or - for an empty cell of a table.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TimeUnit returns the unit for the times of a run that lasts end seconds, and its length in
// seconds.
func TimeUnit(end float64) (name string, seconds float64) {
	switch {
	case end >= 10*86400:
		return "days", 86400
	case end >= 3*3600:
		return "h", 3600
	case end >= 180:
		return "min", 60
	}
	return "s", 1
}

// Moment writes a time after the start of a run, in hours: "05:12 (+7.2 h)" where the
// run has a clock, "7.2 h" where it has none; - if it is missing.
func Moment(clock vt.Clock, hours Num) string {
	switch {
	case !hours.Known():
		return "-"
	case !clock.Given():
		return Grouped(float64(hours), 1) + " h"
	}
	return fmt.Sprintf("%s (+%s h)", ClockTime(clock, hours), Grouped(float64(hours), 1))
}

// ClockTime writes what the clock of a run shows after a known number of hours, to the
// minute: "05:12" within the first 24 hours, "2 Dec 05:12" thereafter.
func ClockTime(clock vt.Clock, hours Num) string {
	return clock.Text(vt.Time(math.Round(float64(hours) * float64(vt.Hour))))
}

// PercentOf writes a share in whole per cent, - if it is missing.
func PercentOf(n Num) string {
	if !n.Known() {
		return "-"
	}
	return Grouped(100*float64(n), 0) + " %"
}

// Rate writes messages per hour in whole numbers, - if they are missing.
func Rate(n Num) string {
	if !n.Known() {
		return "-"
	}
	return Grouped(float64(n), 0) + "/h"
}

// Signed writes a share in per cent with its sign, - if it is missing.
func Signed(n Num) string {
	if !n.Known() {
		return "-"
	}
	s := Percent(float64(n))
	if n > 0 {
		s = "+" + s
	}
	return s
}

// PercentOfCount writes n / of in per cent, - if of is 0.
func PercentOfCount(n, of uint64) string {
	if of == 0 {
		return "-"
	}
	return Percent(float64(n) / float64(of))
}

// Figure writes a measured number for people: whole numbers as they are, others with four significant digits, but never
// less than their whole part. More digits of a mean have no meaning.
func Figure(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v):
		return Grouped(v, 0)
	case size < 0.001:
		return strconv.FormatFloat(v, 'g', 4, 64)
	default:
		return Grouped(v, max(0, 3-int(math.Floor(math.Log10(size)))))
	}
}

// Given writes a number that an author chose, such as a limit, with all its digits.
func Given(v float64) string {
	plain := strconv.FormatFloat(math.Abs(v), 'f', -1, 64)
	_, decimals, _ := strings.Cut(plain, ".")
	if len(decimals) > 12 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return Grouped(v, len(decimals))
}

// Beside writes a measured number that is shown next to its limit, with enough digits to distinguish the two.
func Beside(v, limit float64) string {
	text := Figure(v)
	if v == limit || text != Figure(limit) && text != Given(limit) {
		return text
	}
	for decimals := 1; decimals <= 17; decimals++ {
		if text = Grouped(v, decimals); text != Grouped(limit, decimals) {
			break
		}
	}
	return text
}

// FromTo writes a target in messages per hour, and the last target if it changes.
func FromTo(first, last float64) string {
	text := Grouped(first, 0) + "/h"
	if last != first {
		text += ", in the end " + Grouped(last, 0) + "/h"
	}
	return text
}

// Upper returns s with its first letter in upper case. S must not be empty.
func Upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Plural writes a count with its noun: "1 run", "2 runs".
func Plural(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return Grouped(float64(n), 0) + " " + what
}

// Percent writes a share in per cent, with one decimal; - if it is not finite.
func Percent(share float64) string {
	if !Num(share).Known() {
		return "-"
	}
	return Grouped(100*share, 1) + " %"
}

// Grouped writes a number with commas between thousands: 139,700.5. A number that is not
// finite is a dash.
func Grouped(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	var b strings.Builder
	if v < 0 && strings.Trim(s, "0.") != "" {
		b.WriteByte('-')
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// Duration writes a time in a unit that is easy to picture, to about three digits:
// 850 ms, 12.5 s, 42 min, 36 h, 4.1 days.
func Duration(seconds float64) string {
	if seconds == 0 {
		return "0 s"
	}
	for _, u := range []struct {
		below, unit float64
		name        string
	}{{0.001, 1e-6, "us"}, {1, 1e-3, "ms"}, {120, 1, "s"}, {7200, 60, "min"}, {72 * 3600, 3600, "h"}} {
		if seconds < u.below {
			return short(seconds/u.unit) + " " + u.name
		}
	}
	return short(seconds/86400) + " days"
}

// short writes a number with one decimal, unless that is 0.
func short(v float64) string {
	if s := Grouped(v, 1); v < 100 && !strings.HasSuffix(s, ".0") {
		return s
	}
	return Grouped(v, 0)
}

// Wrap breaks a sentence into lines of at most width columns. A per cent sign
// stays with its number.
func Wrap(s string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(strings.ReplaceAll(s, " %", "\x00%")) {
		word = strings.ReplaceAll(word, "\x00", " ")
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
