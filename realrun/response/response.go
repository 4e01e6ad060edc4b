// Package response is the server for responses ([0089], [0090]): it counts who opens a message and which links are
// followed. A link of a message leads to the server, which knows by a signed token the mailing, the recipient and the
// number of the link, answers with a redirect to the target that it has for this number, and records the response
// after the answer. Where a request may go stands in no request, so the server redirects to no address of a stranger.
//
// Programs that scan mail follow links too. What is recorded of each response are the facts of its request; whether a
// human or a machine made it is judged with those that came shortly before and after it, and the verdict is kept
// beside the facts with its reason, so that a better rule can judge them again. Requests that are no GET never count.
package response

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"flyball/internal/mail"
)

// Config configures a server.
type Config struct {
	Dir  string // folder that keeps the responses
	Rule Rule   // by which responses are judged

	// Complete is as inbound.Config has it: while it is false, a link that may be of a campaign that is not here yet is
	// answered with 503. nil: all campaigns are here.
	Complete func() bool

	Trusted []netip.Prefix // of the proxies whose X-Forwarded-For is believed

	// A crash loses at most the responses of the last Flush, and of at most two batches and the open connections.
	Flush time.Duration // after which responses are durable
	Batch int           // of responses that wait; requests beyond it wait behind their answer

	MostHeader  int           // bytes of a request's header
	Connections int           // at once
	Timeout     time.Duration // of each request and answer

	Now  func() time.Time // nil: the clock
	Tell func(Judged)     // of each response that is judged, when the verdict is durable; may be nil
}

// Default returns the configuration of a server that keeps its responses in a folder.
func Default(dir string) Config {
	return Config{Dir: dir, Rule: defaultRule(), Flush: 200 * time.Millisecond, Batch: 1000, MostHeader: 16 << 10,
		Connections: 1000, Timeout: 10 * time.Second}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int64
	}{{"flush", int64(c.Flush), int64(time.Millisecond)}, {"batch", int64(c.Batch), 1},
		{"header", int64(c.MostHeader), 1024}, {"connections", int64(c.Connections), 1},
		{"timeout", int64(c.Timeout), int64(time.Second)}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	return append(errs, c.Rule.Validate()...)
}

// Campaign is a mailing whose responses are counted.
type Campaign struct {
	Name       string   // in records
	Key        mail.Key // that signs its tickets, whose job is the key's mark
	Recipients uint32   // number of them
	Targets    []string // where links lead: the first is of link 1

	// Until is when its responses count no longer; zero: never. Its links lead to their targets all the same.
	Until time.Time

	// Accepted returns when a receiver has accepted the message to a recipient, and false if it is not known (yet).
	// It must be safe for concurrent use; nil: it is not known of any.
	Accepted func(mail.Recipient) (time.Time, bool)
}

// Validate returns all problems of the campaign.
func (c *Campaign) Validate() (errs []error) {
	if c.Name == "" {
		errs = append(errs, errors.New("name: got none"))
	}
	for i, target := range c.Targets {
		if err := CheckTarget(target); err != nil {
			errs = append(errs, fmt.Errorf("targets[%d]: %w", i, err))
		}
	}
	return errs
}

// accepted returns when the message to a recipient was accepted; zero if that is not known.
func (c *Campaign) accepted(r mail.Recipient) (at time.Time) {
	if c.Accepted != nil {
		if t, known := c.Accepted(r); known {
			return t
		}
	}
	return at
}

// CheckTarget returns an error unless a link may lead to an address: it is one of the web, with a host and nothing that
// a header cannot hold.
func CheckTarget(target string) error {
	u, err := url.Parse(target)
	for i := 0; err == nil && i < len(target); i++ {
		if target[i] <= ' ' || target[i] > '~' {
			err = errors.New("it has characters that are not percent-encoded")
		}
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("got %.80q, want an address that begins with https:// or http:// and a host", target)
	}
	return nil
}

// Response is what is known of one request: facts alone.
type Response struct {
	Number   uint64       `json:"number"`             // among all responses of the folder, from 1 on
	At       time.Time    `json:"at"`                 // when the request came
	Job      string       `json:"job"`                // name of the campaign
	Rcpt     uint32       `json:"recipient"`          // place in the list of the job
	Kind     string       `json:"kind"`               // open or click
	Link     uint32       `json:"link"`               // number of the link that was followed; 0: the trap
	Method   string       `json:"method"`             // GET or HEAD
	Agent    string       `json:"agent"`              // User-Agent, cut to 256 bytes
	Prefetch bool         `json:"prefetch,omitempty"` // the request says that a program fetches in advance
	Network  netip.Prefix `json:"network"`            // of the client: 24 bits of an IPv4 address, 48 of an IPv6 one
}

// Verdict is what a rule makes of a response.
type Verdict struct {
	Number   uint64    `json:"number"` // of the response
	Human    bool      `json:"human"`
	Reason   Reason    `json:"reason"`
	Rule     int       `json:"rule"`              // version of the rule
	Accepted time.Time `json:"accepted,omitzero"` // when a receiver accepted the message; zero: not known
}

// Judged is a response with its verdict.
type Judged struct {
	Response Response `json:"response"`
	Verdict  Verdict  `json:"verdict"`
}
