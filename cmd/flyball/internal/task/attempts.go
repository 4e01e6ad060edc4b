package task

import (
	"github.com/klauspost/compress/gzip"

	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/reports/traces"
	"flyball/scenarios"
)

// Attempts is the table of the attempts of a run, with a row for each.
type Attempts struct {
	*traces.Book
	spool *Spool
}

// NewAttempts returns an empty table.
func NewAttempts(n traces.Names) (*Attempts, error) {
	spool, err := NewSpool()
	if err != nil {
		return nil, err
	}
	return &Attempts{traces.NewBook(spool, n), spool}, nil
}

// Files returns attempts.csv, or attempts.csv.gz if it is long; none of a nil table.
func (a *Attempts) Files() ([]folder.File, error) {
	if a == nil {
		return nil, nil
	}
	n, err := a.Rows()
	if err == nil && n <= run.PlainRows {
		return a.spool.As("attempts.csv"), nil
	}
	zipped, failed := (*Spool)(nil), err
	if failed == nil {
		zipped, failed = NewSpool()
	}
	if failed == nil {
		to, _ := gzip.NewWriterLevel(zipped, gzip.BestSpeed) // the level is one
		if _, failed = a.spool.As("")[0].CopyTo(to); failed == nil {
			failed = to.Close()
		}
	}
	if failed != nil {
		return nil, Fail(Environment, "attempts.csv: %w; the run folder has all other files", failed)
	}
	return zipped.As("attempts.csv.gz"), nil
}

// TraceNames returns the names in a scenario.
func TraceNames(s *scenarios.Scenario) (n traces.Names) {
	for _, v := range s.Servers {
		n.Servers = append(n.Servers, v.Name)
	}
	for _, d := range s.Destinations {
		n.Destinations = append(n.Destinations, d.Name)
	}
	return n
}

// AttemptsFlag returns the flag that asks for the table, or for none where there is one by default.
func AttemptsFlag(on, byDefault bool) []string {
	switch {
	case on == byDefault:
		return nil
	case on:
		return []string{"--attempts"}
	}
	return []string{"--attempts=false"}
}
