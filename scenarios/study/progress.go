package study

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Run is what is kept of one replication of one point.
type Run struct {
	Digest  string    // of everything that happened in it
	Class   string    // what its governor did
	Watched int       // intervals in which every judged server was watched
	Values  []float64 // of the study's metrics; +Inf for a time that never came, NaN for what is undefined
}

// progressLine begins the file that a study under way is kept in: the version,
// the study's ID and the program that makes it.
const progressLine = "flyball study progress 1 %s %q\n"

// Header begins the progress file of a study.
func (s *Study) Header(program string) []byte { return fmt.Appendf(nil, progressLine, s.ID, program) }

// Line is a run as the progress file holds it, exactly.
func (r Run) Line() []byte {
	words := []string{r.Digest, strconv.Quote(r.Class), strconv.Itoa(r.Watched)}
	for _, v := range r.Values {
		words = append(words, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return []byte(strings.Join(words, "\t") + "\n")
}

// Progress reads a progress file: the runs that have ended, from the first on,
// and the length of what could be read. A last line that was cut short, as by
// a power failure, is left out. It refuses the file of another study or
// another program, and one that is damaged.
func (s *Study) Progress(file []byte, program string) (runs []Run, length int, err error) {
	head := s.Header(program)
	if !bytes.HasPrefix(file, head) {
		var id, by string
		switch n, _ := fmt.Sscanf(string(file), progressLine, &id, &by); {
		case n >= 1 && id != s.ID:
			return nil, 0, fmt.Errorf("it is of study %.12s, want %.12s: something in the study, its scenarios or the settings has changed", id, s.ID)
		case n == 2:
			return nil, 0, fmt.Errorf("it was made by %s, want %s", by, program)
		}
		return nil, 0, fmt.Errorf("it does not begin as the progress of a study does")
	}
	length = len(head)
	for n := 2; ; n++ {
		line, _, whole := bytes.Cut(file[length:], []byte("\n"))
		if !whole {
			return runs, length, nil
		}
		r, err := s.readRun(string(line))
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if runs = append(runs, r); len(runs) > s.runs {
			return nil, 0, fmt.Errorf("line %d: got more than %d runs", n, s.runs)
		}
		length += len(line) + 1
	}
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
