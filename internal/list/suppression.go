package list

import (
	"errors"
	"io"
	"strings"

	"flyball/internal/csvfile"
	"flyball/internal/mail"
)

// Set is a set of addresses and whole domains that must not be mailed. The zero
// value is empty. Safe for concurrent use.
type Set struct {
	addresses map[key]struct{}
	domains   map[string]struct{}
}

// Has reports whether a must not be mailed. The case of the local part never
// counts here: mailing a person who opted out is the worse mistake.
func (s Set) Has(a mail.Address) bool {
	if _, ok := s.domains[a.Domain]; ok {
		return true
	}
	if len(s.addresses) == 0 {
		return false
	}
	_, ok := s.addresses[boxOf(a).folded]
	return ok
}

// Len returns the number of different addresses and domains.
func (s Set) Len() int { return len(s.addresses) + len(s.domains) }

// ReadSuppression reads a suppression list: one entry a line, or CSV with a
// column "email" of entries, of which nothing else is used. An entry is an
// address, or a whole domain as *@domain, @domain or domain, which leaves its
// subdomains out. A dot at the end of a domain is ignored. Empty lines are
// skipped; an empty file is an empty list.
//
// A list with any error is refused as a whole, with name:line:col: message,
// since a line that is not understood may be a wish not to be mailed.
func ReadSuppression(r io.Reader, name string) (Set, error) {
	set := Set{map[key]struct{}{}, map[string]struct{}{}}
	if err := set.read(csvfile.NewReader(r, name)); err != nil {
		return Set{}, err
	}
	return set, nil
}

func (s Set) read(r *csvfile.Reader) error {
	for first := true; ; first = false {
		ok, err := r.NextLine()
		if !ok || err != nil {
			return err
		}
		bad := s.add(string(r.Raw()))
		switch {
		case bad == nil:
		case !first:
			return r.FaultInLine("%v; want one address or domain per line", bad)
		default:
			return s.readRows(r, r.FaultInLine("%v; want one address or domain per line, or a header with a column %q",
				bad, Email))
		}
	}
}

// readRows adds the entries below the header, which begins with the current
// line. If that is none, the error is otherwise.
func (s Set) readRows(r *csvfile.Reader, otherwise error) error {
	if r.Split() != nil {
		return otherwise
	}
	h := r.AsHeader()
	if email, err := h.Find(Email); err == nil && email < 0 {
		return otherwise
	}
	email, err := emailColumn(r, h)
	if err != nil {
		return err
	}
	for {
		ok, err := r.Next()
		if !ok || err != nil {
			return err
		}
		if err := r.Width(len(h.Names)); err != nil {
			return r.Fault(0, "%v", err)
		}
		if err := s.add(string(r.Field(email))); err != nil {
			return r.Fault(email, "%v", err)
		}
	}
}

// add adds an entry.
func (s Set) add(entry string) error {
	entry = strings.TrimSuffix(entry, ".")
	domain, whole := strings.CutPrefix(strings.TrimPrefix(entry, "*"), "@")
	if !whole && entry != "" && !strings.Contains(entry, "@") {
		if domain, whole = entry, true; !strings.Contains(entry, ".") {
			return errors.New(`entry has neither "@" nor a dot, want local@domain, or a domain`)
		}
	}
	switch {
	case whole && strings.Contains(domain, "*"):
		return errors.New(`entry has "*" in its domain, want each domain by its name`)
	case whole:
		a, err := mail.ParseAddress("postmaster@" + domain)
		if err == nil {
			s.domains[a.Domain] = struct{}{}
		}
		return err
	case !strings.HasPrefix(entry, `"`) && strings.Contains(entry, "*"):
		return errors.New(`entry has "*" within an address, want a whole address, or *@domain for all of a domain ` +
			`(an address that has "*" is written in quotes: "a*b"@x.test)`)
	}
	a, err := mail.ParseAddress(entry)
	if err == nil {
		s.addresses[boxOf(a).folded] = struct{}{}
	}
	return err
}
