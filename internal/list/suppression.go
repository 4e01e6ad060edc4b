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

// HasDomain reports whether no address of a domain must be mailed.
func (s Set) HasDomain(domain string) bool {
	_, ok := s.domains[domain]
	return ok
}

// Lacks reads a suppression list as ReadSuppression does, and returns its first entry that s does not have; empty if s
// has all.
func (s Set) Lacks(r io.Reader, name string) (first string, err error) {
	err = ReadEntries(r, name, func(e Entry) error {
		switch {
		case first != "":
		case e.Address != (mail.Address{}) && !s.Has(e.Address):
			first = e.Address.String()
		case e.Address == (mail.Address{}) && !s.HasDomain(e.Domain):
			first = "*@" + e.Domain
		}
		return nil
	})
	return first, err
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
	err := ReadEntries(r, name, func(e Entry) error {
		if e.Address == (mail.Address{}) {
			set.domains[e.Domain] = struct{}{}
		} else {
			set.addresses[boxOf(e.Address).folded] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return Set{}, err
	}
	return set, nil
}

// Entry is an entry of a suppression list: an address, or else a whole domain.
type Entry struct {
	Address mail.Address // the zero value: of a domain
	Domain  string       // in lower case and A-labels
}

// ReadEntries reads a suppression list as ReadSuppression does and gives each entry to add, in the order of the file.
// What was added before an error must not be used. Errors of add end the reading too.
func ReadEntries(r io.Reader, name string, add func(Entry) error) error {
	entries := entries{csvfile.NewReader(r, name), add}
	return entries.read()
}

// entries is a suppression list while it is read.
type entries struct {
	*csvfile.Reader
	add func(Entry) error
}

func (r entries) read() error {
	for first := true; ; first = false {
		ok, err := r.NextLine()
		if !ok || err != nil {
			return err
		}
		e, bad := ParseEntry(string(r.Raw()))
		switch {
		case bad == nil:
			if err := r.add(e); err != nil {
				return err
			}
		case !first:
			return r.FaultInLine("%v; want one address or domain per line", bad)
		default:
			return r.readRows(r.FaultInLine("%v; want one address or domain per line, or a header with a column %q",
				bad, Email))
		}
	}
}

// readRows adds the entries below the header, which begins with the current
// line. If that is none, the error is otherwise.
func (r entries) readRows(otherwise error) error {
	if r.Split() != nil {
		return otherwise
	}
	h := r.AsHeader()
	if email, err := h.Find(Email); err == nil && email < 0 {
		return otherwise
	}
	email, err := emailColumn(r.Reader, h)
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
		e, err := ParseEntry(string(r.Field(email)))
		if err != nil {
			return r.Fault(email, "%v", err)
		}
		if err := r.add(e); err != nil {
			return err
		}
	}
}

// ParseEntry reads an entry of a suppression list.
func ParseEntry(entry string) (e Entry, err error) {
	entry = strings.TrimSuffix(entry, ".")
	domain, whole := strings.CutPrefix(strings.TrimPrefix(entry, "*"), "@")
	if !whole && entry != "" && !strings.Contains(entry, "@") {
		if domain, whole = entry, true; !strings.Contains(entry, ".") {
			return e, errors.New(`entry has neither "@" nor a dot, want local@domain, or a domain`)
		}
	}
	switch {
	case whole && strings.Contains(domain, "*"):
		return e, errors.New(`entry has "*" in its domain, want each domain by its name`)
	case whole:
		a, err := mail.ParseAddress("postmaster@" + domain)
		return Entry{Domain: a.Domain}, err
	case !strings.HasPrefix(entry, `"`) && strings.Contains(entry, "*"):
		return e, errors.New(`entry has "*" within an address, want a whole address, or *@domain for all of a domain ` +
			`(an address that has "*" is written in quotes: "a*b"@x.test)`)
	}
	e.Address, err = mail.ParseAddress(entry)
	return e, err
}
