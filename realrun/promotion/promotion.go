// Package promotion keeps the record of parameters that may go to live
// servers: which, shown by what, by whom, and until when. A record is a line
// of JSON that names the SHA-256 of the line before it, so that none can be
// changed, removed or put in without all later ones showing it, and ends with
// its own, so that an edit of the last one shows too. A record is checked when it
// is read as it was when it was written.
//
// That last records were cut off, or all sums computed anew, no chain can show by
// itself. So a file beside it, the head, names the last record: see Add. Both can
// be changed together by whoever may write in their folder; against that helps
// the last sum alone, noted elsewhere and compared (Head).
//
// The package reads no clock and no environment: the time is an argument.
package promotion

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	schema        = "flyball/promotion"
	schemaVersion = 2
)

// Record is one promotion.
type Record struct {
	Schema        string    `json:"schema"`
	SchemaVersion int       `json:"schema_version"`
	Number        int       `json:"number"`   // 1 is the first
	Previous      string    `json:"previous"` // SHA-256 of the line before, empty in the first
	By            string    `json:"by"`
	At            time.Time `json:"at"`
	Expires       time.Time `json:"expires"`
	Note          string    `json:"note,omitempty"`
	Shown         Shown     `json:"shown"`
	Parameters    string    `json:"parameters"` // TOML tables [governor] and [retry]
	Sum           string    `json:"sum"`        // SHA-256 of the line up to here
}

// Shown is what the parameters were shown to do, and how to see it again.
type Shown struct {
	Scenario     string    `json:"scenario"`
	ScenarioID   string    `json:"scenario_id"`
	Seed         uint64    `json:"seed"`
	Replications int       `json:"replications"`
	Digest       string    `json:"digest"`
	Revision     string    `json:"revision"` // program and its version
	Replay       string    `json:"replay"`   // command line
	Measures     []Measure `json:"measures"`
	Tuned        *Tuned    `json:"tuned,omitempty"` // if a search found the parameters
}

// Tuned is the search that parameters come from. Its Shown has the luck and the
// digest of all its runs, and the metrics under held-out luck.
type Tuned struct {
	StudyID     string   `json:"study_id"`
	Set         []string `json:"set"` // what the search chose, path.to.key=value
	Objective   string   `json:"objective"`
	Goal        string   `json:"goal"`
	Constraints []string `json:"constraints"`
	Scenarios   []string `json:"scenarios"`
	HeldOut     []string `json:"held_out_scenarios"`
	First       uint64   `json:"first_held_out_replication"`
	Runs        int      `json:"runs"` // of the search
	Trials      int      `json:"trials"`
	// Of the objective to that of the scenario as it was: in the search, under
	// held-out luck, in held-out scenarios, and the second by the first.
	Training float64  `json:"training_ratio"`
	Ratio    Measure  `json:"ratio"`
	Beyond   *Measure `json:"ratio_beyond,omitempty"`
	Gap      float64  `json:"winners_curse"`
}

// Measure is the mean of a metric with its interval.
type Measure struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Level  float64 `json:"level"`
}

// Read reads a chain of records, which the file name holds, and checks that it is
// whole and that each record is one that Add would write. Errors are Problems of
// the form name:line: message. No record is no error.
func Read(text []byte, name string) ([]Record, error) {
	all, _, err := read(text, name)
	return all, err
}

// read also returns the SHA-256 of the last line.
func read(text []byte, name string) (all []Record, last string, err error) {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, "", problem("%s: the last line is cut short", name)
	}
	for line := range bytes.Lines(text) {
		at := len(all) + 1
		var rec Record
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		body, _, _ := bytes.Cut(line, []byte(sumKey))
		switch err := dec.Decode(&rec); {
		case err != nil:
			return nil, "", problem("%s:%d: %w", name, at, err)
		case rec.Schema != schema || rec.SchemaVersion != schemaVersion:
			return nil, "", problem("%s:%d: got schema %q version %d, want %q version %d", name, at, rec.Schema,
				rec.SchemaVersion, schema, schemaVersion)
		case rec.Number != at || rec.Previous != last:
			return nil, "", problem("%s:%d: the chain is broken: got number %d after %s, want number %d after %s", name,
				at, rec.Number, named(rec.Previous), at, named(last))
		case !bytes.Equal(line, sealed(body)):
			return nil, "", problem("%s:%d: the record was changed: it does not have the SHA-256 that it names", name,
				at)
		case !bytes.Equal(body, rec.body()):
			return nil, "", problem("%s:%d: the record is not spelled as one is written: want each key once, in "+
				"order, and nothing else", name, at)
		}
		if errs := rec.Validate(); errs != nil {
			return nil, "", problem("%s:%d: %w", name, at, errors.Join(errs...))
		}
		if at > 1 && rec.At.Before(all[at-2].At) {
			return nil, "", problem("%s:%d: at: got %s, want no time before that of the record before, %s", name, at,
				rec.At.Format(time.RFC3339), all[at-2].At.Format(time.RFC3339))
		}
		all = append(all, rec)
		sum := sha256.Sum256(line)
		last = hex.EncodeToString(sum[:])
	}
	return all, last, nil
}

// Invalid is an error of a chain or a head that is not what Add writes.
type Invalid struct{ err error }

func (i *Invalid) Error() string { return i.err.Error() }
func (i *Invalid) Unwrap() error { return i.err }

func problem(format string, args ...any) error { return &Invalid{fmt.Errorf(format, args...)} }

// CheckHead compares the sum of the last record of a chain, which no other one
// seals, with the one that was noted down elsewhere. The error is Invalid.
func CheckHead(all []Record, name, noted string) error {
	noted = strings.ToLower(noted)
	n := len(all)
	if n == 0 {
		return problem("%s: got no record, want a last one of SHA-256 %s", name, noted)
	}
	if all[n-1].Sum == noted {
		return nil
	}
	was := ""
	for _, r := range all[:n-1] {
		if r.Sum == noted {
			was = fmt.Sprintf(", which is that of promotion %d: %d came after it", r.Number, n-r.Number)
		}
	}
	return problem("%s:%d: the last record has SHA-256 %s, want %s%s", name, n, all[n-1].Sum, noted, was)
}

// named is the line that a record says it comes after.
func named(sum string) string {
	if sum == "" {
		return "no line"
	}
	return fmt.Sprintf("the line of SHA-256 %.12s", sum)
}

// next returns rec as the record that follows a chain: its number, its
// predecessor, whose line has the SHA-256 previous, its time, its end and its sum.
// Its time is now, in whole seconds, or that of the record before if the clock is
// behind it by less than clocks differ.
func (rec Record) next(all []Record, previous string, now time.Time, lasts time.Duration) (Record, error) {
	rec.Schema, rec.SchemaVersion, rec.Number, rec.Previous = schema, schemaVersion, len(all)+1, previous
	rec.At = now.UTC().Truncate(time.Second)
	if len(all) > 0 {
		before := all[len(all)-1]
		if rec.At.Before(before.At.Add(-skew)) {
			return rec, fmt.Errorf("%w: promotion %d by %s was made at %s, and now it is %s: one of the clocks is wrong", ErrRefused, before.Number, before.By,
				before.At.Format(time.RFC3339), rec.At.Format(time.RFC3339))
		}
		if rec.At.Before(before.At) {
			rec.At = before.At
		}
	}
	rec.Expires = rec.At.Add(lasts)
	rec.Sum = fmt.Sprintf("%x", sha256.Sum256(rec.body()))
	if errs := rec.Validate(); errs != nil {
		return rec, &Invalid{errors.Join(errs...)}
	}
	return rec, nil
}

// body is a record as a file holds it, up to its sum.
func (rec Record) body() []byte {
	line, err := json.Marshal(rec)
	if err != nil {
		panic(fmt.Sprintf("a record that cannot be written: %v", err))
	}
	body, _, _ := bytes.Cut(line, []byte(sumKey))
	return body
}

// sumKey stands in no string of JSON, where quotes are escaped.
const sumKey = `,"sum":"`

// sealed is a line: a record up to its sum, and that.
func sealed(body []byte) []byte {
	return fmt.Appendf(nil, "%s%s%x\"}\n", body, sumKey, sha256.Sum256(body))
}

// ErrRefused is why nothing of a chain may be used.
var ErrRefused = errors.New("refused")

// skew is how much two clocks may differ.
const skew = 5 * time.Minute

// InForce is the record of a chain that holds at a time: the last one, unless
// it has expired, or was made later than that. An older one is never taken instead: it was replaced for a
// reason.
func InForce(all []Record, now time.Time) (Record, error) {
	if len(all) == 0 {
		return Record{}, fmt.Errorf("%w: nothing was promoted", ErrRefused)
	}
	last := all[len(all)-1]
	if now.Before(last.At.Add(-skew)) {
		return Record{}, fmt.Errorf("%w: promotion %d by %s was made at %s, and now it is %s: one of the clocks is wrong", ErrRefused, last.Number, last.By,
			last.At.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if !now.Before(last.Expires) {
		return Record{}, fmt.Errorf("%w: promotion %d by %s expired at %s", ErrRefused, last.Number, last.By,
			last.Expires.Format(time.RFC3339))
	}
	return last, nil
}
