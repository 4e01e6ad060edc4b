package mailing

import (
	"errors"
	"fmt"
	"io"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/scenarios"
)

// Census is the list of a file for a run that sends nothing. It keeps only the
// destination of each recipient, in two bytes.
type Census struct {
	List       mail.List
	Count      list.Count // rows of the file
	Suppressed uint64     // accepted rows that are not mailed
}

// NewCensus reads the list of src as New does, with two differences.
// Nothing is sent, so the domains of destinations need not be reserved. The
// template is not read, so no row is rejected for its message. src.List is read
// twice if any row is rejected. Errors have the form name:line:col: message.
func NewCensus(s *scenarios.Scenario, src Source) (*Census, error) {
	file, ok := src.List.(io.ReadSeeker)
	if !ok {
		return nil, fmt.Errorf("%s: got a stream, want a file that can be read twice", src.ListName)
	}
	suppressed, domains, err := src.places(s)
	if err != nil {
		return nil, err
	}
	find := func(a mail.Address) (mail.Destination, error) {
		d, ok := domains.Find(a.Domain)
		switch {
		case !ok:
			return 0, stranger(s, a)
		case suppressed(a):
			return list.Unwanted, nil
		}
		return d, nil
	}
	rejects := newRejects(src.Rejects)
	scanned, err := list.Scan(file, src.ListName, list.Options{AllowDomain: func(string) bool { return true },
		FoldCase: src.FoldCase}, find, rejects.add)
	if err != nil {
		return nil, err
	}
	c := &Census{Count: scanned.Count, Suppressed: uint64(scanned.Unwanted)}
	if err := rejects.writer.Flush(); err != nil {
		return nil, err
	}
	if len(scanned.Destinations) == 0 {
		return nil, rejects.emptyList(src.ListName, c.Count, c.Suppressed)
	}
	c.List = mail.ReadList(scanned.Destinations)
	return c, nil
}

// Addresses calls each for every recipient of a Census in order, and for the
// suppressed addresses in between. It reads the list again, with the memory that
// list.Read needs to find duplicates. It returns the errors of list.Read and of
// each.
func Addresses(s *scenarios.Scenario, src Source, each func(address string, suppressed bool) error) error {
	suppressed, domains, err := src.places(s)
	if err != nil {
		return err
	}
	options := list.Options{
		AllowDomain: func(string) bool { return true },
		FoldCase:    src.FoldCase,
		Check: func(row list.Row) error {
			if _, ok := domains.Find(row.Address.Domain); !ok {
				return stranger(s, row.Address)
			}
			return nil
		},
	}
	accept := func(row list.Row) error { return each(row.Address.String(), suppressed(row.Address)) }
	_, err = list.Read(src.List, src.ListName, options, accept, func(list.Reject) error { return nil })
	return err
}

// Words describes the counts of a list's rows in lines of text.
func Words(c list.Count, suppressed uint64) []string {
	words := []string{fmt.Sprintf("List: %d rows = %d accepted + %d rejected + %d duplicate; %d suppressed", c.In,
		c.Accepted, c.Rejected, c.Duplicate, suppressed)}
	if c.CaseOnly > 0 {
		words = append(words, fmt.Sprintf("Case: %d accepted addresses differ from an earlier one only in upper and "+
			"lower case; --fold-case counts them as duplicates", c.CaseOnly))
	}
	return words
}

// places returns what decides where a row belongs: whether src suppresses an address,
// and the domains of the destinations of a scenario.
func (src Source) places(s *scenarios.Scenario) (suppressed func(mail.Address) bool, domains *scenarios.Domains,
	err error) {
	var set list.Set
	if src.Suppression != nil {
		if set, err = list.ReadSuppression(src.Suppression, src.SuppressionName); err != nil {
			return nil, nil, err
		}
	}
	domains, problems := s.Domains()
	if problems != nil {
		return nil, nil, fmt.Errorf("scenario %s: %w", s.Name, errors.Join(problems...))
	}
	if src.Suppressed == nil {
		return set.Has, domains, nil
	}
	return func(a mail.Address) bool { return set.Has(a) || src.Suppressed(a) }, domains, nil
}

// stranger returns the reason to reject an address that has no destination.
func stranger(s *scenarios.Scenario, a mail.Address) error {
	return fmt.Errorf("domain %q belongs to no destination of scenario %s", a.Domain, s.Name)
}

// rejects writes the reject file row by row.
type rejects struct {
	writer *list.RejectWriter
	first  string // why the first row was rejected
}

// newRejects returns a writer to w; if w is nil, it discards the rows.
func newRejects(w io.Writer) *rejects {
	if w == nil {
		w = io.Discard
	}
	return &rejects{writer: list.NewRejectWriter(w)}
}

func (r *rejects) add(j list.Reject) error {
	if r.first == "" {
		r.first = fmt.Sprintf("; line %d: %s", j.Line, j.Reason)
	}
	return r.writer.Write(j)
}

// emptyList returns the error for a list without a recipient to mail.
func (r *rejects) emptyList(name string, c list.Count, suppressed uint64) error {
	return fmt.Errorf("%s: no recipient is left of %d rows: %d rejected, %d duplicate, %d suppressed%s",
		name, c.In, c.Rejected, c.Duplicate, suppressed, r.first)
}
