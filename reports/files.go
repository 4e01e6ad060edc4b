package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const schemaVersion = 1

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
		*n = missing
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// summaryFile is summary.json: the report and all metrics.
type summaryFile struct {
	Schema        string         `json:"schema"`
	SchemaVersion int            `json:"schema_version"`
	Metrics       map[string]Num `json:"metrics"`
	*Report
}

// Summary is summary.json.
func (r *Report) Summary() ([]byte, error) {
	metrics := map[string]Num{}
	for name, v := range r.Metrics() {
		metrics[name] = Num(v)
	}
	return sortedJSON(summaryFile{"flyball/summary", schemaVersion, metrics, r})
}

// sortedJSON encodes a value with all keys in the order of the alphabet and
// lists never null, two blanks deep.
func sortedJSON(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // every digit stays
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(tree)
	return b.Bytes(), err
}

// readSchema decodes a JSON file of ours, after a look at what it says it is.
func readSchema(raw []byte, schema string, into any) error {
	var head struct {
		Schema  string `json:"schema"`
		Version int    `json:"schema_version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	if head.Schema != schema || head.Version != schemaVersion {
		return fmt.Errorf("got schema %q version %d, want %q version %d", head.Schema, head.Version, schema, schemaVersion)
	}
	return json.Unmarshal(raw, into)
}

// intervalColumns are those of intervals.csv. Among them is all that recorded
// intervals need to be governed again, see governor.ReadSamples.
var intervalColumns = [...]string{"server", "interval", "t_end_s", "hours", "delivered", "attempts", "rate_per_h",
	"allocated_mean", "efficiency", "utilization", "available_prev", "target_available", "step", "available", "dfr",
	"retry_limit", "flags", "partial", "draining", "freed", "handed_back",
	"retries", "deferrals", "bounces", "refusals", "timeouts", "attempt_s", "lookup_s", "hops", "target_per_h",
	"demand_mean", "load"}

func (r *Report) intervalsCSV() []byte {
	rows := [][]string{intervalColumns[:]}
	for _, i := range r.Rows {
		rows = append(rows, []string{
			i.Server, strconv.Itoa(i.Number), plain(i.End), plain(i.Hours), strconv.FormatUint(i.Delivered, 10),
			strconv.FormatUint(i.Attempts, 10), i.Rate.String(), i.Allocated.String(), i.Efficiency.String(),
			i.Utilization.String(), i.Previous.String(), i.Wanted.String(), i.Step.String(), i.Available.String(),
			i.DFR.String(), strconv.Itoa(i.RetryLimit), i.Flags, strconv.FormatBool(i.Partial), strconv.FormatBool(i.Draining),
			strconv.FormatUint(i.Freed, 10), strconv.FormatUint(i.HandedBack, 10),
			strconv.FormatUint(i.Retries, 10), strconv.FormatUint(i.Deferrals, 10), strconv.FormatUint(i.Bounces, 10), strconv.FormatUint(i.Refusals, 10),
			strconv.FormatUint(i.Timeouts, 10), i.AttemptTime.String(), i.LookupTime.String(), i.Hops.String(), i.Target.String(),
			i.Demand.String(), i.Load.String(),
		})
	}
	return writeCSV(rows)
}

func readIntervals(raw []byte) ([]Row, error) {
	fields, err := readCSV(raw, intervalColumns[:])
	if err != nil {
		return nil, err
	}
	var rows []Row
	for f := range fields.each {
		rows = append(rows, Row{
			Server: f.text(), Number: int(f.whole()), End: float64(f.num()), Hours: float64(f.num()), Delivered: f.whole(),
			Attempts: f.whole(), Rate: f.num(), Allocated: f.num(), Efficiency: f.num(),
			Utilization: f.num(), Previous: f.num(), Wanted: f.num(), Step: f.num(), Available: f.num(),
			DFR: f.num(), RetryLimit: int(f.whole()), Flags: f.text(), Partial: f.yes(), Draining: f.yes(),
			Freed: f.whole(), HandedBack: f.whole(),
			Conditions: Conditions{f.whole(), f.whole(), f.whole(), f.whole(), f.whole(), f.num(), f.num(), f.num()},
			Target:     f.num(), Demand: f.num(), Load: f.num(),
		})
	}
	return rows, fields.err
}

var latencyColumns = [...]string{"from_s", "to_s", "attempts"}

func (r *Report) latencyCSV() []byte {
	rows := [][]string{latencyColumns[:]}
	for _, b := range r.Bars {
		rows = append(rows, []string{plain(b.From), plain(b.To), strconv.FormatInt(b.Count, 10)})
	}
	return writeCSV(rows)
}

func readLatency(raw []byte) ([]Bar, error) {
	fields, err := readCSV(raw, latencyColumns[:])
	if err != nil {
		return nil, err
	}
	var bars []Bar
	for f := range fields.each {
		b := Bar{From: float64(f.num()), To: float64(f.num()), Count: int64(f.whole())}
		if !(b.From > 0 && b.From <= b.To) {
			f.bad("a line with 0 < from_s <= to_s")
		}
		bars = append(bars, b)
	}
	return bars, fields.err
}

// plain writes a number so that the same bits are read back.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// String is the number as it stands in CSV: empty if missing.
func (n Num) String() string {
	if !n.Known() {
		return ""
	}
	return plain(float64(n))
}

func writeCSV(rows [][]string) []byte {
	var b bytes.Buffer
	csv.NewWriter(&b).WriteAll(rows) // a Buffer never fails
	return b.Bytes()
}

// fields reads the rows of a CSV file of ours field by field. The first
// problem stops it.
type fields struct {
	csv *csv.Reader
	row []string
	at  int
	err error
}

func readCSV(raw []byte, columns []string) (*fields, error) {
	f := &fields{csv: csv.NewReader(bytes.NewReader(raw))}
	head, err := f.csv.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(head, columns) {
		return nil, fmt.Errorf("got columns %s, want %s", strings.Join(head, ","), strings.Join(columns, ","))
	}
	return f, nil
}

func (f *fields) each(yield func(*fields) bool) {
	for f.err == nil {
		row, err := f.csv.Read()
		if err == io.EOF {
			return
		}
		f.row, f.at, f.err = row, 0, err
		if err != nil || !yield(f) {
			return
		}
	}
}

func (f *fields) text() string {
	f.at++
	return f.row[f.at-1]
}

func (f *fields) bad(want string) {
	if f.err == nil {
		line, col := f.csv.FieldPos(f.at - 1)
		f.err = fmt.Errorf("%d:%d: got %q, want %s", line, col, f.row[f.at-1], want)
	}
}

func (f *fields) num() Num {
	text := f.text()
	if text == "" {
		return missing
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !Num(v).Known() {
		f.bad("a number")
	}
	return Num(v)
}

func (f *fields) whole() uint64 {
	v, err := strconv.ParseUint(f.text(), 10, 63)
	if err != nil {
		f.bad("a whole number")
	}
	return v
}

func (f *fields) yes() bool {
	v, err := strconv.ParseBool(f.text())
	if err != nil {
		f.bad("true or false")
	}
	return v
}
