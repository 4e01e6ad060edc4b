package governor

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/vt"
)

// columns of recorded samples.
const (
	colHours = iota
	colDelivered
	colAllocated
	colTarget // need not be there
)

var sampleColumns = [...]string{colHours: "hours", colDelivered: "delivered", colAllocated: "allocated_mean", colTarget: "set_target_per_h"}

// ReadSamples reads recorded intervals: CSV whose header names the columns
// hours (0.0001 to 8760), delivered (a whole number) and allocated_mean, in
// any order. A column set_target_per_h, if there is one, has the target that was
// in force in each interval: a sample tells that of the next row, the last one
// its own. Other columns are ignored. Every bad row is reported, as
// name:line:col: message, all joined in one error; then there are no samples.
func ReadSamples(r io.Reader, name string) ([]Sample, error) {
	t := table{name: name, csv: csv.NewReader(skipBOM(r))}
	t.csv.FieldsPerRecord = -1 // counted here, so that one bad row does not hide the next
	t.csv.ReuseRecord = true
	if !t.readHeader() {
		return nil, errors.Join(t.problems...)
	}
	var samples []Sample
	rows := 0
	targets := t.at[colTarget] >= 0
	for {
		row, err := t.csv.Read()
		if err == io.EOF {
			break
		}
		rows++
		var malformed *csv.ParseError
		switch {
		case errors.As(err, &malformed):
			t.malformed(malformed)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case len(row) != t.width:
			t.bad(0, "wrong number of fields (got %d, want %d as in the header)", len(row), t.width)
		default:
			s := t.sample(row)
			if n := len(samples); targets && n > 0 {
				samples[n-1].TargetRate = s.TargetRate
			}
			samples = append(samples, s)
		}
	}
	if rows == 0 {
		t.problems = append(t.problems, fmt.Errorf("%s:%d:1: no data row (got only a header, want at least one row)", name, t.headerLine))
	}
	if len(t.problems) > 0 {
		return nil, errors.Join(t.problems...)
	}
	return samples, nil
}

// table is a file of samples while it is read.
type table struct {
	name       string
	csv        *csv.Reader
	headerLine int
	width      int                     // fields per row
	at         [len(sampleColumns)]int // where each column stands
	problems   []error
}

// skipBOM drops a byte order mark, which spreadsheets like to write.
func skipBOM(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		b.Discard(3)
	}
	return b
}

// readHeader finds the columns; false if the rows cannot be understood.
func (t *table) readHeader() bool {
	header, err := t.csv.Read()
	var malformed *csv.ParseError
	switch {
	case err == io.EOF:
		t.problems = append(t.problems, fmt.Errorf("%s:1:1: empty file (got nothing, want a header with %s)", t.name, wantedColumns()))
		return false
	case errors.As(err, &malformed):
		t.malformed(malformed)
		return false
	case err != nil:
		t.problems = append(t.problems, fmt.Errorf("%s: %w", t.name, err))
		return false
	}
	t.headerLine, _ = t.csv.FieldPos(0)
	t.width = len(header)
	names := make([]string, len(header))
	for i, field := range header {
		names[i] = strings.TrimSpace(field)
	}
	for c, want := range sampleColumns {
		t.at[c] = slices.Index(names, want)
		if t.at[c] < 0 && c == colTarget {
			continue
		}
		if t.at[c] < 0 {
			t.bad(0, "missing column %s (got %q, want %s)", want, strings.Join(names, ","), wantedColumns())
			continue
		}
		for i := t.at[c] + 1; i < len(names); i++ {
			if names[i] == want {
				t.bad(i, "duplicate column %s (got it in columns %d and %d, want it once)", want, t.at[c]+1, i+1)
			}
		}
	}
	return len(t.problems) == 0
}

func wantedColumns() string { return strings.Join(sampleColumns[:colTarget], ", ") }

// sample reads a row of the right width. What is bad is recorded.
func (t *table) sample(row []string) Sample {
	hours := t.number(row, colHours, 0.0001, 8760)
	s := Sample{
		Span:      vt.Span(math.Round(hours * float64(vt.Hour))),
		Delivered: t.count(row, colDelivered, 1e12),
		Allocated: t.number(row, colAllocated, 0, 1e9),
	}
	if t.at[colTarget] >= 0 {
		s.TargetRate = t.number(row, colTarget, 0.0001, 1e9)
	}
	return s
}

func (t *table) number(row []string, column int, lo, hi float64) float64 {
	text := strings.TrimSpace(row[t.at[column]])
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= lo && v <= hi) {
		t.bad(t.at[column], "bad %s (got %q, want a number, %s to %s)", sampleColumns[column], text,
			strconv.FormatFloat(lo, 'f', -1, 64), strconv.FormatFloat(hi, 'f', -1, 64))
		return 0
	}
	return v
}

func (t *table) count(row []string, column int, hi uint64) uint64 {
	text := strings.TrimSpace(row[t.at[column]])
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil || v > hi {
		t.bad(t.at[column], "bad %s (got %q, want a whole number, 0 to %d)", sampleColumns[column], text, hi)
		return 0
	}
	return v
}

// bad records a problem with a field of the row that was read last.
func (t *table) bad(field int, format string, args ...any) {
	line, col := t.csv.FieldPos(field)
	t.problems = append(t.problems, fmt.Errorf("%s:%d:%d: %s", t.name, line, col, fmt.Sprintf(format, args...)))
}

// malformed records what is not CSV at all. An open quote swallows all that
// follows, so what helps is where its row begins.
func (t *table) malformed(e *csv.ParseError) {
	line, col := e.Line, e.Column
	if e.StartLine != e.Line {
		line, col = e.StartLine, 1
	}
	t.problems = append(t.problems, fmt.Errorf("%s:%d:%d: malformed row (got %w, want quotes only around whole fields)", t.name, line, col, e.Err))
}

// Replay asks a new governor for its decision on each sample in turn. Where
// samples tell no target it is that of c at the end of the interval, the first
// of which begins at time 0.
func Replay(c Config, samples []Sample) ([]Decision, error) {
	g, err := New(c)
	if err != nil {
		return nil, err
	}
	decisions := make([]Decision, len(samples))
	var now vt.Time
	for i, s := range samples {
		now = now.Add(s.Span)
		if s.TargetRate == 0 {
			s.TargetRate = c.TargetAt(now)
		}
		decisions[i] = g.Decide(s)
	}
	return decisions, nil
}

// WriteCSV writes one row per decision, beside the sample it answers; the two
// slices have the same length. Interval 0 is the first. Reservable takes
// allocated_mean, rounded down, for the processes allocated at that moment;
// next_target_per_h is what a decision is to attain.
// Numbers have up to ten significant digits; infinite and undefined ones are
// left empty. ReadSamples reads the output back.
func WriteCSV(w io.Writer, samples []Sample, decisions []Decision) error {
	if len(samples) != len(decisions) {
		panic(fmt.Sprintf("governor: %d samples but %d decisions", len(samples), len(decisions)))
	}
	out := csv.NewWriter(w)
	out.Write([]string{"interval", "hours", "delivered", "allocated_mean", "rate_per_h", "efficiency", "utilization",
		"available_prev", "target_available", "step", "available", "reservable", "flags", "next_target_per_h"})
	for i, d := range decisions {
		s := samples[i]
		out.Write([]string{
			strconv.Itoa(i), number(s.Span.Hours()), strconv.FormatUint(s.Delivered, 10), number(s.Allocated),
			number(d.Rate), number(d.Efficiency), number(d.Utilization), number(d.Previous), number(d.Target), number(d.Step),
			number(d.Available), strconv.Itoa(Reservable(d.Available, int(s.Allocated))), d.Flags.String(), number(d.TargetRate),
		})
	}
	out.Flush()
	return out.Error()
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 10, 64)
}
