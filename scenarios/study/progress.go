package study

import (
	"fmt"
	"strconv"
	"strings"
)

// Run is the recorded result of one replication of one point.
type Run struct {
	Digest  string    // of everything that happened in it
	Class   string    // stability of its governor
	Watched int       // number of intervals in which every judged server was watched
	Values  []float64 // values of the study's metrics; +Inf for a time that never came, NaN where undefined
}

// progressHeader formats the first line of the log of an unfinished study: the
// study's ID and the program that runs it.
const progressHeader = "flyball study progress 2 %s %q"

// Header returns the header of a study's progress log.
func (s *Study) Header(program string) string { return fmt.Sprintf(progressHeader, s.ID, program) }

// Record returns the run as a record of the progress log, exact to the bit.
func (r Run) Record() []byte {
	words := []string{r.Digest, strconv.Quote(r.Class), strconv.Itoa(r.Watched)}
	for _, v := range r.Values {
		words = append(words, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return []byte(strings.Join(words, "\t"))
}

// Runs decodes the records of a progress log, which begins with the study's
// first run. Errors begin with the number of the record.
func (s *Study) Runs(records [][]byte) ([]Run, error) {
	if len(records) > s.runs {
		return nil, fmt.Errorf("record %d: got more than %d runs", s.runs+1, s.runs)
	}
	var runs []Run
	for i, record := range records {
		r, err := s.readRun(string(record))
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// Foreign returns an error that explains why a log with this header is not a log
// of study s made by program.
func (s *Study) Foreign(header, program string) error {
	var id, by string
	switch n, _ := fmt.Sscanf(header, progressHeader, &id, &by); {
	case n >= 1 && id != s.ID:
		return fmt.Errorf("got the progress of study %.12s, want %.12s: something in the study, its scenarios or the "+
			"settings has changed", id, s.ID)
	case n == 2 && by != program:
		return fmt.Errorf("got the progress made by %s, want %s", by, program)
	}
	return fmt.Errorf("got a file that does not begin as the progress of a study does")
}

func (s *Study) readRun(line string) (r Run, err error) {
	words := strings.Split(line, "\t")
	if want := 3 + len(s.Metrics); len(words) != want {
		return r, fmt.Errorf("got %d fields, want %d", len(words), want)
	}
	r.Digest = words[0]
	if r.Class, err = strconv.Unquote(words[1]); err != nil {
		return r, fmt.Errorf("got class %s, want a quoted name", words[1])
	}
	if r.Watched, err = strconv.Atoi(words[2]); err != nil {
		return r, err
	}
	for _, w := range words[3:] {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return r, err
		}
		r.Values = append(r.Values, v)
	}
	return r, nil
}
