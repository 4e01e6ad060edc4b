// Package hybrid is the server at a customer's site ([0089] to [0099], figures 9 and 11) that stands before banks of
// servers elsewhere. Mail that comes back to it, or asks for something, goes on to a server of a bank, and is answered
// with 250 only after that server has answered so: nothing is kept here that a stop could lose. Requests of the web go
// on to response servers and servers for requests, and the answer of one of them comes back whole or not at all. It is
// not a relay: it takes mail for the routes of its configuration and for no other address, and requests below three
// paths.
//
// It does not hide who sends. Inside it says who the client was; outside its answers do not name the servers behind it.
package hybrid

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"flyball/internal/mail"
	"flyball/realrun/dial"
)

// Config configures a server.
type Config struct {
	Name string // of this computer, in greetings and traces

	Mail     []Route          // that take mail
	Response []netip.AddrPort // servers of a bank that answer /o/ and /c/; none: these paths do not exist
	Requests []netip.AddrPort // the same for /u/

	Allow *dial.Allowlist // where the servers may be; nil: on loopback alone

	MostBytes                        int64         // of a mail
	MostHeader, MostBody, MostAnswer int           // bytes of a request's header and body, and of an answer's body
	Connections                      int           // at once, of each kind
	Timeout                          time.Duration // of each read and write, and of each step with a server of a bank

	// Rest is how long a server that could not be reached is asked after all others of its bank.
	Rest time.Duration

	Tell   func(Kind, Result)   // is called with the kind and result of each thing that came; may be nil
	Failed func(netip.AddrPort) // a server of a bank, each time that it could not be reached; may be nil
}

// Kind is what has come to the server.
type Kind string

// All kinds. Those of the web are known by their paths: Open by /o/, Click by /c/, Request by /u/.
const (
	Mail    Kind = "mail"
	Open    Kind = "open"
	Click   Kind = "click"
	Request Kind = "request"
	Other   Kind = "other" // a request of the web for another path
)

// Kinds lists each Kind.
var Kinds = []Kind{Mail, Open, Click, Request, Other}

// Result is what has become of something that came.
type Result string

// All results.
const (
	Forwarded Result = "forwarded" // a server has taken the mail, or answered the request
	Refused   Result = "refused"   // for good, here or by a server
	Failed    Result = "failed"    // no server takes it now
)

// Results lists each Result.
var Results = []Result{Forwarded, Refused, Failed}

// tell calls Tell, if there is one.
func (c *Config) tell(k Kind, r Result) {
	if c.Tell != nil {
		c.Tell(k, r)
	}
}

// Route takes the mail whose address has a domain and begins with a prefix.
type Route struct {
	Domain string
	Prefix string // of the local part, such as "bounce+"; without a plus at its end it is the whole local part
	Bank   []netip.AddrPort
}

// Default returns the configuration of a server with a name and without routes.
func Default(name string) Config {
	return Config{Name: name, MostBytes: 10 << 20, MostHeader: 16 << 10, MostBody: 4 << 10, MostAnswer: 1 << 20,
		Connections: 200, Timeout: 30 * time.Second, Rest: 10 * time.Second}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int64
	}{{"size", c.MostBytes, 1024}, {"header", int64(c.MostHeader), 1024}, {"body", int64(c.MostBody), 64},
		{"answer", int64(c.MostAnswer), 1024}, {"connections", int64(c.Connections), 1},
		{"timeout", int64(c.Timeout), int64(time.Second)}, {"rest", int64(c.Rest), 0}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	if !isDomain(c.Name) {
		errs = append(errs, fmt.Errorf("name: got %q, want the name of this computer", c.Name))
	}
	may := func(name string, bank []netip.AddrPort) {
		for i, at := range bank {
			if err := c.Allow.CheckAddress(at.String()); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", name, i, err))
			}
		}
	}
	for i, r := range c.Mail {
		name := fmt.Sprintf("mail[%d]", i)
		if !isDomain(r.Domain) {
			errs = append(errs, fmt.Errorf("%s: got domain %q, want one, since mail to any domain would be relayed",
				name, r.Domain))
		}
		if r.Prefix == "" || !isToken(r.Prefix) {
			errs = append(errs, fmt.Errorf("%s: got prefix %q, want one such as bounce+", name, r.Prefix))
		}
		if len(r.Bank) == 0 {
			errs = append(errs, fmt.Errorf("%s: got no server, want at least one", name))
		}
		may(name, r.Bank)
	}
	may("response", c.Response)
	may("requests", c.Requests)
	return errs
}

func isDomain(s string) bool {
	a, err := mail.ParseAddress("a@" + s)
	return err == nil && strings.EqualFold(a.Domain, s)
}

// takes reports whether mail to an address goes by the route.
func (r *Route) takes(to string) bool {
	local, domain, _ := strings.Cut(to, "@")
	n := len(r.Prefix)
	if !strings.EqualFold(domain, r.Domain) || !isToken(local) || len(local) < n ||
		!strings.EqualFold(local[:n], r.Prefix) {
		return false
	}
	return strings.HasSuffix(r.Prefix, "+") == (len(local) > n)
}

// isToken reports whether a text has only what the local parts of return paths and of tickets have, so that nothing in
// it can end a command.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+.-", r))
	})
}
