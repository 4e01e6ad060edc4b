// Package recorded replays a governor over recorded intervals: it reads the
// intervals from CSV, asks the governor for a decision on each in turn, and writes
// the decisions. It refuses impossible intervals and reports missing ones. The
// command line calls it.
package recorded

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"flyball/governor"
	"flyball/internal/csvfile"
	"flyball/internal/vt"
)

// columns of recorded intervals.
const (
	colHours = iota
	colDelivered
	colAllocated
	colTarget // this column and the following are optional
	colAttempts
	colRetries
	colDeferrals
	colBounces
	colRefusals
	colTimeouts
	colAttemptTime
	colLookupTime
	colHops
	colDemand
	colLoad
	colServer
	colPartial
	colNumber
	colEnd
)

var columnNames = [...]string{colHours: "hours", colDelivered: "delivered", colAllocated: "allocated_mean",
	colTarget:   "set_target_per_h",
	colAttempts: "attempts", colRetries: "retries", colDeferrals: "deferrals", colBounces: "bounces",
	colRefusals: "refusals", colTimeouts: "timeouts",
	colAttemptTime: "attempt_s", colLookupTime: "lookup_s", colHops: "hops", colDemand: "demand_mean", colLoad: "load",
	colServer: "server", colPartial: "partial", colNumber: "interval", colEnd: "t_end_s"}

// measured are the columns of the fields that a Sample may leave at 0.
var measured = columnNames[colAttempts : colLoad+1]

// Log is a file of recorded intervals.
type Log struct {
	Samples []governor.Sample
	Lacking []string // optional columns of measurements that the file does not have
	Gaps    []string // where intervals are missing, each as name:line:col: message
}

// maxProblems is the greatest number of problems listed for a file.
const maxProblems = 50

// Read reads recorded intervals of one server from CSV (see csvfile); name is the
// name of the file in messages. The header names the columns hours (0.0001 to
// 8760), delivered (a whole number) and allocated_mean, in any order and case.
// Optional columns are:
//
//   - set_target_per_h, the target in force in each interval. A sample gets the
//     target of the next row; the last sample gets its own.
//   - attempts, retries, deferrals, bounces, refusals, timeouts, attempt_s,
//     lookup_s, hops, demand_mean and load: the fields of a Sample, times in
//     seconds. An empty field was not measured. Columns that the header does not
//     name are listed in Lacking.
//   - server, which must be the same in all rows.
//   - partial: a row where it is true was cut short. No governor decided on it, and
//     it is not a sample.
//   - interval, the number of an interval, and t_end_s, its end in seconds. Each
//     row must follow the row before. A row that repeats, is out of order or
//     overlaps the row before is a problem; missing rows are listed in Gaps.
//
// So Read reads intervals.csv of a run with one server completely, to the last
// digit. Other columns are ignored, including target_per_h: a replay uses the
// target of the law. Lines that begin with # are skipped.
//
// An impossible interval is a problem: more deliveries, deferrals, bounces and
// timeouts than attempts, more retries than attempts, or more refusals than
// deferrals. The error joins all problems up to the first malformed row, at most
// 50, as name:line:col: message; then Read returns no samples.
func Read(r io.Reader, name string) (Log, error) {
	t := &table{Reader: csvfile.NewReader(r, name)}
	t.Comment = '#'
	if err := t.readHeader(); err != nil {
		return Log{}, err
	}
	rows := 0
	targets := t.at[colTarget] >= 0
	for len(t.problems) < maxProblems {
		ok, err := t.Next()
		if err != nil {
			t.problems = append(t.problems, err)
		}
		if !ok || err != nil {
			break
		}
		rows++
		if err := t.Width(t.width); err != nil {
			t.bad(0, "%v", err)
			continue
		}
		s, whole := t.sample()
		if n := len(t.log.Samples); targets && n > 0 {
			t.log.Samples[n-1].TargetRate = s.TargetRate
		}
		if whole {
			t.log.Samples = append(t.log.Samples, s)
		}
	}
	switch {
	case len(t.problems) >= maxProblems:
		t.bad(0, "too many problems, the rest of the file is not read")
	case len(t.problems) > 0:
	case rows == 0:
		t.bad(0, "no data row (got only a header, want at least one row)")
	case len(t.log.Samples) == 0:
		t.bad(0, "no whole interval (got only rows that are partial, want at least one that is not)")
	}
	if len(t.problems) > 0 {
		return Log{}, errors.Join(t.problems...)
	}
	for i, name := range measured {
		if t.at[colAttempts+i] < 0 {
			t.log.Lacking = append(t.log.Lacking, name)
		}
	}
	return t.log, nil
}

// table is a file of recorded intervals while it is read.
type table struct {
	*csvfile.Reader
	log        Log
	width      int                   // fields per row
	at         [len(columnNames)]int // index of each column; -1: absent
	server     string                // server of the first row
	serverLine int                   // line of server; 0: none yet; -1: a second server was reported
	last       struct {              // the row before
		line        int
		number, end float64 // NaN: unknown
	}
	problems []error
}

// readHeader reads the header and finds the columns.
func (t *table) readHeader() error {
	h, err := t.Header("a header with " + list(columnNames[:colTarget]))
	if err != nil {
		return err
	}
	t.width = len(h.Names)
	t.last.number, t.last.end = math.NaN(), math.NaN()
	var missing []string
	for c, name := range columnNames {
		if t.at[c], err = h.Find(name); err != nil {
			t.problems = append(t.problems, err)
		} else if t.at[c] < 0 && c < colTarget {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		t.bad(0, "header lacks %s, it begins with %s", list(missing), h.List())
	}
	return errors.Join(t.problems...)
}

func list(names []string) string { return strings.Join(names, ", ") }

// sample returns the sample of a row of the right width, and whether the row is
// a whole interval. It records every problem.
func (t *table) sample() (s governor.Sample, whole bool) {
	before := len(t.problems)
	t.sameServer()
	whole = !t.partial()
	least := 0.0001
	if !whole { // the end of a run may cut an interval to any length
		least = 0
	}
	hours := t.number(colHours, least, 8760)
	s = governor.Sample{
		Span:        vt.Span(math.Round(hours * float64(vt.Hour))),
		Delivered:   t.count(colDelivered, 1e12),
		Attempts:    t.counted(colAttempts),
		Allocated:   t.number(colAllocated, 0, 1e9),
		Retries:     t.counted(colRetries),
		Deferrals:   t.counted(colDeferrals),
		Bounces:     t.counted(colBounces),
		Refusals:    t.counted(colRefusals),
		Timeouts:    t.counted(colTimeouts),
		AttemptTime: t.time(colAttemptTime),
		LookupTime:  t.time(colLookupTime),
		Hops:        t.measure(colHops, 1e6),
		Demand:      t.measure(colDemand, 1e9),
		Load:        t.measure(colLoad, 1),
	}
	if t.at[colTarget] >= 0 {
		s.TargetRate = t.number(colTarget, 0.0001, 1e9)
	}
	if len(t.problems) == before {
		t.possible(s)
	}
	t.successor(hours)
	return s, whole
}

// possible records impossible counts as problems.
func (t *table) possible(s governor.Sample) {
	if !t.unknown(colAttempts) {
		if ended := s.Delivered + s.Deferrals + s.Bounces + s.Timeouts; s.Delivered > s.Attempts {
			t.bad(t.at[colDelivered], "impossible interval (got %d delivered in %d attempts, want at most as many)",
				s.Delivered, s.Attempts)
		} else if ended > s.Attempts {
			t.bad(t.at[colAttempts], "impossible interval (got %d attempts, want at least the %d that were "+
				"delivered, deferred, bounced or timed out)", s.Attempts, ended)
		}
		if s.Retries > s.Attempts {
			t.bad(t.at[colRetries], "impossible interval (got %d retries in %d attempts, want at most as many)",
				s.Retries, s.Attempts)
		}
	}
	if !t.unknown(colRefusals) && !t.unknown(colDeferrals) && s.Refusals > s.Deferrals {
		t.bad(t.at[colRefusals], "impossible interval (got %d refusals among %d deferrals, want at most as many)",
			s.Refusals, s.Deferrals)
	}
}

// successor compares the number and the end of an interval with the row before
// and records problems and gaps. Ends may be rounded to seconds or to 1 % of the
// interval.
func (t *table) successor(hours float64) {
	last := t.last
	t.last.line, t.last.number, t.last.end = t.Row(), math.NaN(), math.NaN()
	if !t.unknown(colNumber) {
		t.last.number = float64(t.count(colNumber, 1e12))
	}
	if !t.unknown(colEnd) {
		t.last.end = t.number(colEnd, 0, 1e12)
	}
	gap := false
	switch got, want := t.last.number, last.number+1; { // comparisons with NaN are false
	case got > want:
		gap = true
		t.gap(colNumber, "interval %.0f follows %.0f in line %d: %.0f missing", got, last.number, last.line, got-want)
	case got == last.number:
		t.bad(t.at[colNumber], "interval %.0f again (got it in line %d too, want %.0f)", got, last.line, want)
	case got < want:
		t.bad(t.at[colNumber], "interval %.0f out of order (got it after %.0f in line %d, want %.0f)", got, last.number,
			last.line, want)
	}
	span := hours * 3600
	rounding := max(1, span/100)
	switch late := t.last.end - span - last.end; {
	case late > rounding && !gap:
		t.gap(colEnd, "interval begins %s s after the one of line %d ended, at t_end_s = %s", digits(late), last.line,
			digits(last.end))
	case late >= -rounding:
	case t.last.end == last.end:
		t.bad(t.at[colEnd], "interval again (got t_end_s = %s in line %d too, want %s)", digits(last.end), last.line,
			digits(last.end+span))
	case t.last.end < last.end:
		t.bad(t.at[colEnd], "interval out of order (got t_end_s = %s after %s in line %d, want %s)", digits(t.last.end),
			digits(last.end), last.line, digits(last.end+span))
	case late < -rounding:
		t.bad(t.at[colEnd], "interval overlaps the one of line %d (got t_end_s = %s, want %s: %s plus the hours of "+
			"this one)", last.line, digits(t.last.end), digits(last.end+span), digits(last.end))
	}
}

func digits(v float64) string { return strconv.FormatFloat(math.Round(v*1e3)/1e3, 'f', -1, 64) }

// gap records that intervals are missing before the current row.
func (t *table) gap(column int, format string, args ...any) {
	t.log.Gaps = append(t.log.Gaps, t.Fault(t.at[column], format, args...).Error())
}

// sameServer records a second server as a problem, once: a governor has one
// server.
func (t *table) sameServer() {
	at := t.at[colServer]
	if at < 0 || t.serverLine < 0 {
		return
	}
	name := csvfile.Plain(t.text(colServer))
	switch {
	case t.serverLine == 0:
		t.server, t.serverLine = name, t.Row()
	case name != t.server:
		t.bad(at, "second server (got %q, but %q in line %d, want one server: keep the rows of one)", name, t.server,
			t.serverLine)
		t.serverLine = -1
	}
}

func (t *table) partial() bool {
	if t.unknown(colPartial) {
		return false
	}
	switch text := t.text(colPartial); strings.ToLower(text) { // spreadsheets write TRUE
	case "true":
		return true
	case "false":
	default:
		t.bad(t.at[colPartial], "bad partial (got %q, want true or false)", text)
	}
	return false
}

// measure returns an optional number; 0 if it was not measured.
func (t *table) measure(column int, hi float64) float64 {
	if t.unknown(column) {
		return 0
	}
	return t.number(column, 0, hi)
}

// time returns an optional time in seconds, at most three years: no client waits
// longer.
func (t *table) time(column int) vt.Span {
	return vt.Span(math.Round(t.measure(column, 1e8) * float64(vt.Second)))
}

// counted returns an optional count of attempts.
func (t *table) counted(column int) uint64 {
	if t.unknown(column) {
		return 0
	}
	return t.count(column, 1e12)
}

func (t *table) unknown(column int) bool {
	return t.at[column] < 0 || t.text(column) == ""
}

// text returns a field without the space around it.
func (t *table) text(column int) string { return strings.TrimSpace(string(t.Field(t.at[column]))) }

func (t *table) number(column int, lo, hi float64) float64 {
	text := t.text(column)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= lo && v <= hi) {
		t.bad(t.at[column], "bad %s (got %q, want a number, %s to %s%s)", columnNames[column], text,
			strconv.FormatFloat(lo, 'f', -1, 64), strconv.FormatFloat(hi, 'f', -1, 64), notation(text))
		return 0
	}
	return v
}

// count returns a whole number. Programs that have only floats write it as
// 120000.0.
func (t *table) count(column int, hi uint64) uint64 {
	text := t.text(column)
	whole, zeros, _ := strings.Cut(text, ".")
	v, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || v > hi || zeros != "" && zeros != "0" && zeros != "00" { // 120.000 may be meant as 120000
		t.bad(t.at[column], "bad %s (got %q, want a whole number, 0 to %d%s)", columnNames[column], text, hi,
			notation(text))
		return 0
	}
	return v
}

// notation returns a hint for a number with separators between thousands or a
// decimal comma.
func notation(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 ||
		!strings.ContainsAny(text, ",' \u00a0\u2009\u202f") && strings.Count(text, ".") < 2 &&
			!strings.HasSuffix(text, ".000") {
		return ""
	}
	return ": with a decimal point, and nothing between thousands"
}

// bad records a problem with a field of the last row.
func (t *table) bad(field int, format string, args ...any) {
	t.problems = append(t.problems, t.Fault(field, format, args...))
}
