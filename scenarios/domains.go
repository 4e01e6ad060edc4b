package scenarios

import (
	"bytes"
	"fmt"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/csvfile"
	"flyball/internal/mail"
	"flyball/internal/tomlfile"
)

// Domains finds the destination of each mail domain. A domain that is written out comes
// before a pattern, and of the patterns the longest: "a.b.example" is found by itself,
// then by "*.b.example", by "*.example" and by "*".
type Domains struct {
	exact map[string]claim
	below map[string]claim // by the suffix of the pattern: "example" of "*.example", "" of "*"
}

// claim is a destination that has a domain or pattern, and where this is written.
type claim struct {
	to   mail.Destination
	line int // in the file of domains; 0: in the scenario
}

// Find returns the destination of a domain in lower case; false if it has none.
func (d *Domains) Find(domain string) (mail.Destination, bool) {
	if c, ok := d.exact[domain]; ok {
		return c.to, true
	}
	for len(d.below) > 0 {
		_, above, more := strings.Cut(domain, ".")
		domain = above
		if c, ok := d.below[domain]; ok {
			return c.to, true
		}
		if !more {
			break
		}
	}
	return 0, false
}

// add claims a domain or pattern for a destination. The error is what is wrong with it.
func (d *Domains) add(text string, by claim, names func(mail.Destination) string) error {
	name, pattern := strings.CutPrefix(text, "*")
	claims := d.exact
	if pattern {
		claims = d.below
		if name != "" && name[0] != '.' {
			return fmt.Errorf("got %s, want a domain, a pattern such as \"*.example\", or \"*\" for all others",
				tomlfile.Quote(text))
		}
		name = strings.TrimPrefix(name, ".")
	}
	if name != "" || !pattern {
		whole := name
		if pattern {
			whole = "x." + name // a top-level domain has subdomains, and no mailboxes
		}
		a, err := mail.ParseAddress("postmaster@" + whole)
		if err != nil {
			return fmt.Errorf("got %s, want a mail domain: %v", tomlfile.Quote(text), err)
		}
		name = a.Domain[len(whole)-len(name):]
	}
	first, taken := claims[name]
	switch {
	case !taken:
		claims[name] = by
		return nil
	case first.line > 0:
		return fmt.Errorf("got %s a second time, want it once: line %d has it for %s", tomlfile.Quote(text), first.line,
			tomlfile.Quote(names(first.to)))
	}
	return fmt.Errorf("got %s a second time, want it once: destination %s has it", tomlfile.Quote(text),
		tomlfile.Quote(names(first.to)))
}

// mostClaims is the number of problems with domains that are reported.
const mostClaims = 20

// Domains returns the domains of all destinations, with those that DomainsFile has. The
// errors are of type conf.Problem.
func (s *Scenario) Domains() (*Domains, []error) {
	rowsOfFile := 0
	if s.domains != nil {
		rowsOfFile = bytes.Count(s.domains.text, []byte("\n"))
	}
	all := &Domains{make(map[string]claim, rowsOfFile), map[string]claim{}}
	var l conf.List
	name := func(d mail.Destination) string { return s.Destinations[d].Name }
	byName := map[string]mail.Destination{}
	for i, d := range s.Destinations {
		byName[d.Name] = mail.Destination(i)
		domain := strings.ToLower(d.Domain)
		if _, taken := all.exact[domain]; !taken { // netmodel reports it otherwise
			all.exact[domain] = claim{to: mail.Destination(i)}
		}
	}
	for i, d := range s.Destinations {
		for k, text := range d.Domains {
			if strings.EqualFold(text, d.Domain) {
				continue
			}
			if err := all.add(text, claim{to: mail.Destination(i)}, name); err != nil && len(l) < mostClaims {
				l.Check(false, conf.Index(conf.Index("destination", i)+".domains", k), "%v", err)
			}
		}
	}
	switch {
	case s.DomainsFile == "":
		return all, l
	case s.domains == nil:
		l.Check(false, "domains_file", "got %s, want the file itself: it is not read here",
			tomlfile.Quote(s.DomainsFile))
		return all, l
	}
	rows := csvfile.NewReader(bytes.NewReader(s.domains.text), s.DomainsFile)
	refuse := func(err error) { l.Check(false, "domains_file", "%v", err) }
	rows.Comment = '#'
	columns, err := rows.Header("the columns domain, provider and a row at least")
	if err != nil {
		refuse(err)
		return all, l
	}
	domain, err1 := columns.Find("domain")
	provider, err2 := columns.Find("provider")
	if err1 != nil || err2 != nil || domain < 0 || provider < 0 {
		refuse(rows.Fault(0, "got the columns %s, want domain and provider", columns.List()))
		return all, l
	}
	for len(l) < mostClaims {
		ok, err := rows.Next()
		if err != nil {
			refuse(err)
		}
		if !ok || err != nil {
			return all, l
		}
		if err := rows.Width(len(columns.Names)); err != nil {
			refuse(rows.Fault(0, "%v", err))
			continue
		}
		to, known := byName[string(rows.Field(provider))]
		if !known {
			var names []string
			for _, d := range s.Destinations {
				names = append(names, d.Name)
			}
			given := string(rows.Field(provider))
			refuse(rows.Fault(provider, "got provider %s, want the name of a destination%s", tomlfile.Quote(given),
				conf.DidYouMean(given, names)))
			continue
		}
		if err := all.add(string(rows.Field(domain)), claim{to, rows.Row()}, name); err != nil {
			refuse(rows.Fault(domain, "%v", err))
		}
	}
	return all, l
}

// domainsFile is the content of the file of domains.
type domainsFile struct{ text []byte }

// readDomains reads the file of domains that the scenario names, and gives destinations
// with no domain of their own the first that is written out in their list.
func (s *Scenario) readDomains(files tomlfile.Files) error {
	for i := range s.Destinations {
		d := &s.Destinations[i]
		for _, name := range d.Domains {
			if d.Domain == "" && !strings.HasPrefix(name, "*") {
				d.Domain = name
			}
		}
	}
	if s.DomainsFile == "" || files == nil {
		return nil
	}
	text, err := files(s.DomainsFile)
	if err != nil {
		return conf.Problem{Key: "domains_file", Text: err.Error()}
	}
	s.domains = &domainsFile{text}
	return nil
}
