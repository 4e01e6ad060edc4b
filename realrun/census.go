package realrun

import (
	"bytes"
	"fmt"
	"io"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/scenarios"
)

// Census is the list of a file for a run that sends nothing: of each recipient
// only the destination is kept, in two bytes.
type Census struct {
	List       mail.List
	Count      list.Count // rows of the file
	Suppressed uint64     // accepted rows that are not mailed
	Rejects    []byte     // the reject file
}

// NewCensus counts the list of a file as NewMailing would, but for domains that
// are not reserved: nobody is mailed, so that any domain of a destination will
// do. Nothing is rendered, so that no row is rejected for its message. Errors
// are of the form name:line:col: message. suppression may be nil.
func NewCensus(s *scenarios.Scenario, file io.ReadSeeker, name string, suppression io.Reader, suppressionName string) (*Census, error) {
	var suppressed list.Set
	if suppression != nil {
		var err error
		if suppressed, err = list.ReadSuppression(suppression, suppressionName); err != nil {
			return nil, err
		}
	}
	destination := destinations(s)
	find := func(a mail.Address) (mail.Destination, error) {
		d, ok := destination[a.Domain]
		switch {
		case !ok:
			return 0, stranger(s, a)
		case suppressed.Len() > 0 && suppressed.Has(a):
			return list.Unwanted, nil
		}
		return d, nil
	}
	rejects := newRejects()
	scanned, err := list.Scan(file, name, list.Options{AllowDomain: func(string) bool { return true }}, find, rejects.add)
	if err != nil {
		return nil, err
	}
	c := &Census{Count: scanned.Count, Suppressed: uint64(scanned.Unwanted)}
	if c.Rejects, err = rejects.file(); err != nil {
		return nil, err
	}
	if len(scanned.Destinations) == 0 {
		return nil, rejects.nobody(name, c.Count, c.Suppressed)
	}
	c.List = mail.ReadList(scanned.Destinations)
	return c, nil
}

// destinations finds the destination of a domain.
func destinations(s *scenarios.Scenario) map[string]mail.Destination {
	all := map[string]mail.Destination{}
	for i, d := range s.Destinations {
		all[d.Domain] = mail.Destination(i)
	}
	return all
}

// stranger says why an address is not mailed that has no destination.
func stranger(s *scenarios.Scenario, a mail.Address) error {
	return fmt.Errorf("domain %q belongs to no destination of scenario %s", a.Domain, s.Name)
}

// rejects is the reject file as it grows.
type rejects struct {
	text   bytes.Buffer
	writer *list.RejectWriter
	first  string // reason for which a row was rejected
}

func newRejects() *rejects {
	r := new(rejects)
	r.writer = list.NewRejectWriter(&r.text)
	return r
}

func (r *rejects) add(j list.Reject) error {
	if r.first == "" {
		r.first = fmt.Sprintf("; line %d: %s", j.Line, j.Reason)
	}
	return r.writer.Write(j)
}

func (r *rejects) file() ([]byte, error) {
	err := r.writer.Flush()
	return r.text.Bytes(), err
}

// nobody says that the list comes to nothing.
func (r *rejects) nobody(name string, c list.Count, suppressed uint64) error {
	return fmt.Errorf("%s: no recipient is left of %d rows: %d rejected, %d duplicate, %d suppressed%s",
		name, c.In, c.Rejected, c.Duplicate, suppressed, r.first)
}
