package response

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
)

// store keeps responses and verdicts, in files that follow each other:
//
//	responses-000001   a line for each response, and one for each verdict
//
// A file that is full and a minute old is followed by a new one, so a response and its verdict are in one file, or
// in two that follow each other.
type store struct {
	cfg  *Config
	log  *durable.Log
	file int       // number of the file
	size int64     // of it, in bytes
	born time.Time // of it
	last uint64    // number of the last response

	recent   []*recent   // responses that wait for their verdict, or that others' verdicts need
	held     map[who]int // number of them
	campaign func(name string) *Campaign
}

// who is a recipient of a campaign.
type who struct {
	job  string
	rcpt uint32
}

// recent is a response of a short time ago.
type recent struct {
	Response
	judged bool
}

const (
	header    = "flyball responses 1"
	fileBytes = 64 << 20
	fileAge   = 2 * time.Minute // more than twice the largest Around
)

// mostRecent is the number of responses of one recipient within twice Around that are kept: a program that follows the
// same links on and on is known by then, and must not fill the disk.
const mostRecent = 200

// line is a line of a file: one of both.
type line struct {
	Response *Response `json:"response,omitempty"`
	Verdict  *Verdict  `json:"verdict,omitempty"`
}

func fileName(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("responses-%06d", number))
}

// files returns the names of the files of a folder in order.
func files(dir string) (all []string, err error) {
	entries, err := os.ReadDir(dir) // in the order of their names
	for _, e := range entries {
		if ok, _ := filepath.Match("responses-[0-9][0-9][0-9][0-9][0-9][0-9]", e.Name()); ok {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all, err
}

// open opens the folder, makes it if it is not there, and takes up what has no verdict yet.
func open(cfg *Config, now time.Time) (*store, error) {
	if err := durable.Files(cfg.Dir).Make(); err != nil {
		return nil, err
	}
	names, err := files(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &store{cfg: cfg, held: map[who]int{}, born: now, file: 1}
	var lines []line
	if n := len(names); n > 0 {
		if _, err := fmt.Sscanf(filepath.Base(names[n-1]), "responses-%d", &s.file); err != nil {
			return nil, err
		}
		if n > 1 {
			if lines, err = readFile(names[n-2]); err != nil {
				return nil, err
			}
		}
	}
	log, text, err := durable.OpenLog(fileName(cfg.Dir, s.file), header, true)
	if err != nil {
		return nil, err
	}
	s.log = log
	more, err := decode(fileName(cfg.Dir, s.file), text.Records)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	for _, b := range text.Records {
		s.size += int64(len(b))
	}
	s.takeUp(append(lines, more...), now)
	return s, nil
}

// takeUp takes over the lines of a server before, of which the last responses may have no verdict.
func (s *store) takeUp(lines []line, now time.Time) {
	at := map[uint64]*recent{}
	for _, l := range lines {
		switch {
		case l.Response != nil:
			r := &recent{Response: *l.Response}
			s.recent, at[r.Number] = append(s.recent, r), r
			s.last = r.Number
		case at[l.Verdict.Number] != nil:
			at[l.Verdict.Number].judged = true
		}
	}
	for _, r := range s.recent {
		s.held[who{r.Job, r.Rcpt}]++
	}
	s.forget(now)
}

// add appends responses in the order in which they came.
func (s *store) add(all []Response) error {
	for _, r := range all {
		if s.held[who{r.Job, r.Rcpt}] >= mostRecent {
			continue
		}
		s.last++
		r.Number = s.last
		if err := s.append(line{Response: &r}); err != nil {
			return err
		}
		s.held[who{r.Job, r.Rcpt}]++
		s.recent = append(s.recent, &recent{Response: r})
	}
	return nil
}

// late is the longest time from a request to its response in the store that a verdict waits for.
const late = 2 * time.Second

// settle judges the responses for which all that came within Around of them are here, and returns them.
func (s *store) settle(now time.Time) (told []Judged, err error) {
	due := func(r *recent) bool { return !r.judged && now.Sub(r.At) > s.cfg.Rule.Around+late }
	of := map[who][]*recent{}
	for _, r := range s.recent {
		if due(r) {
			of[who{r.Job, r.Rcpt}] = nil
		}
	}
	if len(of) > 0 {
		for _, r := range s.recent {
			w := who{r.Job, r.Rcpt}
			if mine, is := of[w]; is {
				of[w] = append(mine, r)
			}
		}
	}
	for _, first := range s.recent {
		w := who{first.Job, first.Rcpt}
		mine := of[w]
		if mine == nil {
			continue
		}
		delete(of, w)
		slices.SortStableFunc(mine, func(a, b *recent) int { return a.At.Compare(b.At) })
		facts := make([]Response, len(mine))
		for i, r := range mine {
			facts[i] = r.Response
		}
		links, accepted := 0, time.Time{}
		if c := s.campaign(w.job); c != nil {
			links, accepted = len(c.Targets), c.accepted(mail.Recipient(w.rcpt))
		}
		for i, v := range s.cfg.Rule.Judge(facts, links, accepted) {
			if !due(mine[i]) {
				continue
			}
			mine[i].judged = true
			if err := s.append(line{Verdict: &v}); err != nil {
				return nil, err
			}
			told = append(told, Judged{facts[i], v})
		}
	}
	s.forget(now)
	return told, nil
}

// forget drops responses that no verdict needs any more.
func (s *store) forget(now time.Time) {
	s.recent = slices.DeleteFunc(s.recent, func(r *recent) bool {
		old := r.judged && now.Sub(r.At) > 2*(s.cfg.Rule.Around+late)
		if w := (who{r.Job, r.Rcpt}); old {
			if s.held[w]--; s.held[w] == 0 {
				delete(s.held, w)
			}
		}
		return old
	})
}

func (s *store) append(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	s.size += int64(len(text))
	return s.log.Append(text)
}

// sync makes what was appended durable, and begins the next file if this one is full.
func (s *store) sync(now time.Time) error {
	if err := s.log.Sync(); err != nil || s.size < fileBytes || now.Sub(s.born) < fileAge {
		return err
	}
	log, _, err := durable.OpenLog(fileName(s.cfg.Dir, s.file+1), header, true)
	if err != nil {
		return err
	}
	err = s.log.Close()
	s.log, s.file, s.size, s.born = log, s.file+1, 0, now
	return err
}

func decode(name string, records [][]byte) (all []line, err error) {
	for i, b := range records {
		var l line
		if err := json.Unmarshal(b, &l); err != nil || (l.Response == nil) == (l.Verdict == nil) {
			return nil, fmt.Errorf("%s:%d: %w: got %.80q, want a response or a verdict", name, i+2, durable.ErrDamaged,
				b)
		}
		all = append(all, l)
	}
	return all, nil
}

func readFile(name string) ([]line, error) {
	text, err := input.Read(name, input.Progress)
	if err != nil {
		return nil, err
	}
	lines, err := durable.ReadLog(text, name, header)
	if err != nil {
		return nil, err
	}
	return decode(name, lines.Records)
}

// Read calls each for every response that a folder keeps: first those that are judged, in the order of the verdicts,
// and then the others, whose verdict has the number 0. The server may be running.
func Read(dir string, each func(Judged)) error {
	names, err := files(dir)
	if err != nil {
		return err
	}
	open := map[uint64]Response{}
	for _, name := range names {
		lines, err := readFile(name)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.Response != nil {
				open[l.Response.Number] = *l.Response
			} else if r, is := open[l.Verdict.Number]; is {
				each(Judged{r, *l.Verdict})
				delete(open, r.Number)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(open)) {
		each(Judged{Response: open[n]})
	}
	return nil
}
