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
	colTarget // from here on they need not be there
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
)

var sampleColumns = [...]string{colHours: "hours", colDelivered: "delivered", colAllocated: "allocated_mean", colTarget: "set_target_per_h",
	colAttempts: "attempts", colRetries: "retries", colDeferrals: "deferrals", colBounces: "bounces", colRefusals: "refusals", colTimeouts: "timeouts",
	colAttemptTime: "attempt_s", colLookupTime: "lookup_s", colHops: "hops", colDemand: "demand_mean", colLoad: "load",
	colServer: "server", colPartial: "partial"}

// measured are the columns that tell what a Sample may leave at 0.
var measured = sampleColumns[colAttempts : colLoad+1]

// Unseen are the columns that a law looks at among those that samples lack.
func Unseen(law string, lacking []string) []string {
	l, _ := lawNamed(law)
	return slices.DeleteFunc(slices.Clone(l.Inputs), func(name string) bool { return !slices.Contains(lacking, name) })
}

// ReadSamples reads recorded intervals of one server: CSV whose header names the
// columns hours (0.0001 to 8760), delivered (a whole number) and allocated_mean,
// in any order. These may be there too:
//
//   - set_target_per_h, the target that was in force in each interval: a sample
//     tells that of the next row, the last one its own.
//   - attempts, retries, deferrals, bounces, refusals, timeouts, attempt_s,
//     lookup_s, hops, demand_mean and load: the fields of a Sample, times in
//     seconds. What is empty was not measured. Those that the header does not name
//     are lacking.
//   - server, which must be the same in all rows.
//   - partial: a row where it is true was cut short, so no governor was asked, and
//     it is no sample.
//
// So intervals.csv of a run that has one server is read whole, to the last
// digit. Other columns are ignored, its target_per_h too: the target to be
// replayed is the law's. Every bad row is reported, as name:line:col: message,
// all joined in one error; then there are no samples.
func ReadSamples(r io.Reader, name string) (samples []Sample, lacking []string, err error) {
	t := table{name: name, csv: csv.NewReader(skipBOM(r))}
	t.csv.FieldsPerRecord = -1 // counted here, so that one bad row does not hide the next
	t.csv.ReuseRecord = true
	if !t.readHeader() {
		return nil, nil, errors.Join(t.problems...)
	}
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
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		case len(row) != t.width:
			t.bad(0, "wrong number of fields (got %d, want %d as in the header)", len(row), t.width)
		default:
			s, whole := t.sample(row)
			if n := len(samples); targets && n > 0 {
				samples[n-1].TargetRate = s.TargetRate
			}
			if whole {
				samples = append(samples, s)
			}
		}
	}
	switch {
	case rows == 0:
		t.problems = append(t.problems, fmt.Errorf("%s:%d:1: no data row (got only a header, want at least one row)", name, t.headerLine))
	case len(samples) == 0 && len(t.problems) == 0:
		t.problems = append(t.problems, fmt.Errorf("%s:%d:1: no whole interval (got only rows that are partial, want at least one that is not)", name, t.headerLine))
	}
	if len(t.problems) > 0 {
		return nil, nil, errors.Join(t.problems...)
	}
	for i, name := range measured {
		if t.at[colAttempts+i] < 0 {
			lacking = append(lacking, name)
		}
	}
	return samples, lacking, nil
}

// table is a file of samples while it is read.
type table struct {
	name       string
	csv        *csv.Reader
	headerLine int
	width      int                     // fields per row
	at         [len(sampleColumns)]int // where each column stands, -1: nowhere
	server     string                  // of the first row
	serverLine int                     // where that stands, 0: nowhere yet; -1: a second one was reported
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
		if t.at[c] < 0 && c >= colTarget {
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

// sample reads a row of the right width, and whether it is a whole interval.
// What is bad is recorded.
func (t *table) sample(row []string) (s Sample, whole bool) {
	t.sameServer(row)
	whole = !t.partial(row)
	least := 0.0001
	if !whole { // the end of a run may cut it to any length
		least = 0
	}
	hours := t.number(row, colHours, least, 8760)
	s = Sample{
		Span:        vt.Span(math.Round(hours * float64(vt.Hour))),
		Delivered:   t.count(row, colDelivered, 1e12),
		Attempts:    t.counted(row, colAttempts),
		Allocated:   t.number(row, colAllocated, 0, 1e9),
		Retries:     t.counted(row, colRetries),
		Deferrals:   t.counted(row, colDeferrals),
		Bounces:     t.counted(row, colBounces),
		Refusals:    t.counted(row, colRefusals),
		Timeouts:    t.counted(row, colTimeouts),
		AttemptTime: t.time(row, colAttemptTime),
		LookupTime:  t.time(row, colLookupTime),
		Hops:        t.measure(row, colHops, 1e6),
		Demand:      t.measure(row, colDemand, 1e9),
		Load:        t.measure(row, colLoad, 1),
	}
	if t.at[colTarget] >= 0 {
		s.TargetRate = t.number(row, colTarget, 0.0001, 1e9)
	}
	return s, whole
}

// sameServer refuses rows of a second server, once: a governor has one.
func (t *table) sameServer(row []string) {
	at := t.at[colServer]
	if at < 0 || t.serverLine < 0 {
		return
	}
	name := strings.TrimSpace(row[at])
	switch line, _ := t.csv.FieldPos(at); {
	case t.serverLine == 0:
		t.server, t.serverLine = name, line
	case name != t.server:
		t.bad(at, "second server (got %q, but %q in line %d, want one server: keep the rows of one)", name, t.server, t.serverLine)
		t.serverLine = -1
	}
}

func (t *table) partial(row []string) bool {
	at := t.at[colPartial]
	if at < 0 {
		return false
	}
	switch text := strings.TrimSpace(row[at]); text {
	case "true":
		return true
	case "false", "":
	default:
		t.bad(at, "bad partial (got %q, want true or false)", text)
	}
	return false
}

// measure is a number that need not be known: 0 where it is not.
func (t *table) measure(row []string, column int, hi float64) float64 {
	if t.unknown(row, column) {
		return 0
	}
	return t.number(row, column, 0, hi)
}

// time is as measure, of seconds. Three years are more than any client waits.
func (t *table) time(row []string, column int) vt.Span {
	return vt.Span(math.Round(t.measure(row, column, 1e8) * float64(vt.Second)))
}

// counted is as measure, of attempts.
func (t *table) counted(row []string, column int) uint64 {
	if t.unknown(row, column) {
		return 0
	}
	return t.count(row, column, 1e12)
}

func (t *table) unknown(row []string, column int) bool {
	return t.at[column] < 0 || strings.TrimSpace(row[t.at[column]]) == ""
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
// left empty. ReadSamples reads deliveries and processes back; what else was
// measured is not in it.
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
