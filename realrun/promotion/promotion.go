// Package promotion keeps the records of parameters that are promoted to live
// servers: the parameters, the evidence for them, who promoted them, and when they
// expire. A record is a line of JSON. It holds the SHA-256 of the line before it,
// so that a record that is changed, removed or inserted breaks the chain, and
// ends with its own SHA-256, so that an edit of the last record shows too. A
// record is validated in the same way when it is read and when it is written.
//
// A chain cannot show that its last records were cut off, or that all sums were
// computed anew. So a file beside it, the head, names the last record: see Add. A
// person who may write in the folder can change both together. The protection
// against that is to note the last sum elsewhere and compare it (Head).
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
	Previous      string    `json:"previous"` // SHA-256 of the previous line, empty in the first record
	By            string    `json:"by"`
	At            time.Time `json:"at"`
	Expires       time.Time `json:"expires"`
	Note          string    `json:"note,omitempty"`
	Shown         Shown     `json:"shown"`
	Parameters    string    `json:"parameters"` // TOML tables [governor] and [retry]
	Sum           string    `json:"sum"`        // SHA-256 of the line up to here
}

// Shown is the evidence for the parameters, and how to reproduce it.
type Shown struct {
	Scenario     string    `json:"scenario"`
	ScenarioID   string    `json:"scenario_id"`
	Seed         uint64    `json:"seed"`
	Replications int       `json:"replications"`
	Digest       string    `json:"digest"`
	Revision     string    `json:"revision"` // program and its version
	Replay       string    `json:"replay"`   // command line that reproduces the evidence
	Measures     []Measure `json:"measures"`
	Tuned        *Tuned    `json:"tuned,omitempty"` // if a search found the parameters
}

// Tuned is the search that found the parameters. The Shown that holds it has the
// seed and the digest of all runs of the search, and the metrics of the held-out
// runs.
type Tuned struct {
	StudyID     string   `json:"study_id"`
	Set         []string `json:"set"` // settings that the search chose, path.to.key=value
	Objective   string   `json:"objective"`
	Goal        string   `json:"goal"`
	Constraints []string `json:"constraints"`
	Scenarios   []string `json:"scenarios"`
	HeldOut     []string `json:"held_out_scenarios"`
	First       uint64   `json:"first_held_out_replication"`
	Runs        int      `json:"runs"` // number of runs of the search
	Trials      int      `json:"trials"`
	// Training, Ratio and Beyond are the ratio objective / objective of the
	// baseline: in the search, in held-out replications, and in held-out scenarios.
	// Gap is Ratio / Training.
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

// Read parses the text of a chain of records and checks that the chain is whole
// and that Add would write each record. Errors are Invalid and have the form
// name:line: message. A chain may have no record.
func Read(text []byte, name string) ([]Record, error) {
	all, _, err := read(text, name)
	return all, err
}

// read is Read, and also returns the SHA-256 of the last line.
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
			return nil, "", problem("%s:%d: the record is not written as promote writes it: want each key once, "+
				"in order, and nothing else", name, at)
		}
		if errs := rec.Validate(); errs != nil {
			return nil, "", problem("%s:%d: %w", name, at, errors.Join(errs...))
		}
		if at > 1 && rec.At.Before(all[at-2].At) {
			return nil, "", problem("%s:%d: at: got %s, want a time not before the previous record's, %s", name, at,
				rec.At.Format(time.RFC3339), all[at-2].At.Format(time.RFC3339))
		}
		all = append(all, rec)
		sum := sha256.Sum256(line)
		last = hex.EncodeToString(sum[:])
	}
	return all, last, nil
}

// Invalid is the error of a chain or a head that Add would not write.
type Invalid struct{ err error }

func (i *Invalid) Error() string { return i.err.Error() }
func (i *Invalid) Unwrap() error { return i.err }

func problem(format string, args ...any) error { return &Invalid{fmt.Errorf(format, args...)} }

// checkNoted returns an error unless noted, a sum that was noted elsewhere, is the
// sum of the last record of the chain. The error is Invalid.
func checkNoted(all []Record, name, noted string) error {
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
			was = fmt.Sprintf(", the sum of promotion %d: %d came after it", r.Number, n-r.Number)
		}
	}
	return problem("%s:%d: the last record has SHA-256 %s, want %s%s", name, n, all[n-1].Sum, noted, was)
}

// named describes a previous line by its sum.
func named(sum string) string {
	if sum == "" {
		return "no line"
	}
	return fmt.Sprintf("the line of SHA-256 %.12s", sum)
}

// next returns rec completed as the next record of a chain whose last line has
// the SHA-256 previous: with its number, time, expiry and sum. The time is now in
// whole seconds, or the time of the last record if the clock is behind it by at
// most skew. If the clock is farther behind, the error wraps ErrRefused.
func (rec Record) next(all []Record, previous string, now time.Time, lasts time.Duration) (Record, error) {
	rec.Schema, rec.SchemaVersion, rec.Number, rec.Previous = schema, schemaVersion, len(all)+1, previous
	rec.At = now.UTC().Truncate(time.Second)
	if len(all) > 0 {
		before := all[len(all)-1]
		if rec.At.Before(before.At.Add(-skew)) {
			return rec, fmt.Errorf("%w: promotion %d by %s was made at %s, and now it is %s: one of the clocks is "+
				"wrong", ErrRefused, before.Number, before.By, before.At.Format(time.RFC3339),
				rec.At.Format(time.RFC3339))
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

// body returns the record's line up to its sum.
func (rec Record) body() []byte {
	line, err := json.Marshal(rec)
	if err != nil {
		panic(fmt.Sprintf("a record that cannot be written: %v", err))
	}
	body, _, _ := bytes.Cut(line, []byte(sumKey))
	return body
}

// sumKey cannot occur in a JSON string, because quotes are escaped there.
const sumKey = `,"sum":"`

// sealed returns the line of a record: body and its sum.
func sealed(body []byte) []byte {
	return fmt.Appendf(nil, "%s%s%x\"}\n", body, sumKey, sha256.Sum256(body))
}

// ErrRefused is the error of a chain that may not be used.
var ErrRefused = errors.New("refused")

// skew is the greatest accepted difference between two clocks.
const skew = 5 * time.Minute

// InForce returns the record of a chain that is in force at the time now: the
// last one. If that has expired, or was made after now, the error wraps
// ErrRefused. An older record never takes its place, because it was replaced for
// a reason.
func InForce(all []Record, now time.Time) (Record, error) {
	if len(all) == 0 {
		return Record{}, fmt.Errorf("%w: nothing was promoted", ErrRefused)
	}
	last := all[len(all)-1]
	if now.Before(last.At.Add(-skew)) {
		return Record{}, fmt.Errorf("%w: promotion %d by %s was made at %s, and now it is %s: one of the clocks is "+
			"wrong", ErrRefused, last.Number, last.By, last.At.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if !now.Before(last.Expires) {
		return Record{}, fmt.Errorf("%w: promotion %d by %s expired at %s", ErrRefused, last.Number, last.By,
			last.Expires.Format(time.RFC3339))
	}
	return last, nil
}
