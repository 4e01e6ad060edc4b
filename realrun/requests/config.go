// Package requests is the server for requests ("D server", [0047], [0048]) on a network: recipients leave a list and
// return to it, or are added to one, by one click (RFC 8058), by the buttons of a page, by a form, and by mail (RFC
// 2369, [0044]). Who has a ticket of a mailing (mail.Ticket) asks for its recipient; who has none is mailed one. GET
// and
// HEAD change nothing. A request is durable in the journal of its desk before it is answered, and the role of package
// inbox makes it a change of the list. What is forged, or too old, has no effect, and the answer is the same for
// each recipient.
package requests

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"flyball/engine/inbox"
	"flyball/internal/mail"
)

// Config configures a server.
type Config struct {
	Name    string   // of the list, on pages and in mails
	Domain  string   // of the addresses that take requests by mail; empty: any
	Replies []string // addresses that take replies to mailings, in whose first lines words ask
	Delete  []string // the words that ask for deletion
	Add     []string // the words that ask for addition
	Jobs    []Job    // whose recipients may ask

	// Complete is as inbound.Config has it: while it is false, what may be of a mailing that is not here yet is not
	// refused for good. nil: all mailings are here.
	Complete func() bool

	Expire time.Duration // of a ticket to leave, after its day
	Undo   time.Duration // of one to return
	Agree  time.Duration // of one that confirms a request

	// Form has the requests of people who name an address; nil: there is no form.
	Form *Form
	URL  string // https address of the folder of the pages, in mails
	From string // address that writes mails
	// Send mails a message to an address, from the null sender (RFC 3834 3.3); nil: no mail is written, and there is no
	// form.
	Send    func(ctx context.Context, to mail.Address, message []byte) error
	Confirm bool // a request by mail is confirmed by mail, unless a program wrote it

	// Mails per day to one address, to addresses that one network names in the form, and in all.
	PerAddress, PerNetwork, PerDay int
	Fill                           time.Duration // in which a person fills in the form, at least

	MostBytes   int64         // of a mail
	Connections int           // at once, of each kind
	Timeout     time.Duration // of each read and write

	Now  func() time.Time // nil: the clock
	Tell func(Event)      // what has happened, when it is durable; may be nil, and is called by any goroutine
}

// Job is a mailing whose recipients may ask.
type Job struct {
	Name  string
	Key   mail.Key       // of its tickets
	First mail.Recipient // place of its first recipient among the recipients of the desk
	Desk  *Desk          // that takes its requests
}

const day = 24 * time.Hour

// Default returns the configuration of a server without jobs. A ticket to leave holds for two years, and people have
// three days to confirm.
func Default() Config {
	return Config{Name: "this list", Delete: []string{"delete", "unsubscribe"}, Add: []string{"subscribe"},

		Expire: 730 * day, Undo: 30 * day, Agree: 3 * day, PerAddress: 1, PerNetwork: 20, PerDay: 1000,
		Fill: 2 * time.Second, MostBytes: 10 << 20, Connections: 100, Timeout: 30 * time.Second}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int64
	}{{"expire", int64(c.Expire), int64(day)}, {"undo", int64(c.Undo), int64(day)}, {"agree", int64(c.Agree),
		int64(day)}, {"per_address", int64(c.PerAddress), 1}, {"per_network", int64(c.PerNetwork), 1},
		{"per_day", int64(c.PerDay), 1}, {"fill", int64(c.Fill), 0}, {"size", c.MostBytes, 1024},
		{"connections", int64(c.Connections), 1}, {"timeout", int64(c.Timeout), int64(time.Second)}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	for _, v := range []struct {
		name  string
		words []string
	}{{"delete", c.Delete}, {"add", c.Add}} {
		for i, w := range v.words {
			if !inbox.Word(w) {
				errs = append(errs, fmt.Errorf("%s[%d]: got %q, want letters or digits", v.name, i, w))
			}
		}
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r > '~' }) || c.Name == "" {
		errs = append(errs, fmt.Errorf("name: got %q, want printable ASCII", c.Name))
	}
	for i, r := range c.Replies {
		if _, err := mail.ParseAddress(r); err != nil {
			errs = append(errs, fmt.Errorf("replies[%d]: %w", i, err))
		}
	}
	marks := map[uint32]bool{}
	for _, j := range c.Jobs {
		if marks[j.Key.Mark()] {
			errs = append(errs, fmt.Errorf("job %q: got the key of another job", j.Name))
		}
		marks[j.Key.Mark()] = true
	}
	if c.Send == nil && (c.Form != nil || c.Confirm) {
		errs = append(errs, fmt.Errorf("form and confirm: got no way to send mail, want one"))
	}
	if c.Send != nil {
		if _, err := mail.ParseAddress(c.From); err != nil {
			errs = append(errs, fmt.Errorf("from: %w", err))
		}
		if !strings.HasPrefix(c.URL, "https://") || strings.ContainsAny(c.URL, "?# \r\n") {
			errs = append(errs, fmt.Errorf("url: got %q, want one such as https://sender.example/u", c.URL))
		}
	}
	return errs
}

// Kind is what an Event tells.
type Kind string

// The kinds of events.
const (
	Left     Kind = "left"     // a recipient gets nothing any more
	Returned Kind = "returned" // a recipient gets mail again
	Asked    Kind = "asked"    // a request waits for its confirmation, which is mailed
	Unsent   Kind = "unsent"   // a mail to a person could not be handed over
	Dropped  Kind = "dropped"  // a request of a program, or more of them than a budget has
)

// Event is what has happened.
type Event struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"event"`
	Job  string    `json:"mailing,omitempty"` // empty: of the form
	// place in the mailing's list, or number of the form's address; null: not known
	Rcpt    *mail.Recipient `json:"recipient,omitempty"`
	By      string          `json:"by"`                // "click", "page", "mail" or "form"
	Address string          `json:"address,omitempty"` // that the form or a mail names
	Network string          `json:"network,omitempty"` // that the form was sent from
	Why     string          `json:"why,omitempty"`
}

func (c *Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Config) tell(e Event) {
	if c.Tell != nil {
		e.At = c.now().UTC().Round(0)
		c.Tell(e)
	}
}

// network returns the network of an address, which a budget is for.
func network(at netip.Addr) string {
	at = at.Unmap().WithZone("")
	bits := 56
	if at.Is4() {
		bits = 24
	}
	if p, _ := at.Prefix(bits); p.IsValid() {
		return p.String()
	}
	return "unknown"
}
