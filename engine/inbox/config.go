package inbox

import (
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Config configures the server.
type Config struct {
	Address engine.Address // of the role: Bounces or Requests
	Sender  engine.Address // the sending server
	// Counter is the server that counts returned mail, of several that take it: the others hand theirs over. The zero
	// value is this one.
	Counter engine.Address

	// Returned mails after which a person is deleted; each deletion begins the counts anew.
	Hard int // whose mailbox does not exist
	Soft int // others; 0: these never delete

	Forget vt.Span // after a person's last returned mail, the next one begins the counts anew; 0: never

	Delete []string // words that ask for deletion, in the first lines of a letter
	Add    []string // words that ask for addition

	ConfirmDelete, ConfirmAdd bool // a request counts when the recipient has confirmed it

	// Same returns all places of the person at a place of the list of all mailings, in the same order for
	// each of them; nil: each place is a person of its own. What one place asks or returns changes all.
	Same func(mail.Recipient) []mail.Recipient

	Push  vt.Span // time after which changes that are not acknowledged are sent again; 0: they are sent when asked for
	Batch int     // most changes in a message
}

// Default returns the configuration of the role with an address. A person is deleted at the second hard
// returned mail ([0079]), an addition is confirmed, and a deletion counts at once.
func Default(a engine.Address) Config {
	return Config{Address: a, Sender: engine.Address{Role: engine.Sender}, Hard: 2,
		Delete: []string{"delete", "unsubscribe"}, Add: []string{"subscribe"}, ConfirmAdd: true, Push: vt.Second,
		Batch: 1000}
}

// Validate returns all problems of the configuration.
func (c *Config) Validate() (errs []error) {
	for _, v := range []struct {
		name     string
		n, least int
	}{{"hard", c.Hard, 1}, {"soft", c.Soft, 0}, {"batch", c.Batch, 1}} {
		if v.n < v.least {
			errs = append(errs, fmt.Errorf("%s: got %d, want at least %d", v.name, v.n, v.least))
		}
	}
	if c.Forget < 0 {
		errs = append(errs, fmt.Errorf("forget: got %v, want at least 0", c.Forget))
	}
	if c.Push < 0 {
		errs = append(errs, fmt.Errorf("push: got %v, want at least 0", c.Push))
	}
	if c.Counter != (engine.Address{}) && c.Push == 0 {
		errs = append(errs, fmt.Errorf("push: got 0, want more: returned mail is handed over to %v", c.Counter))
	}
	for _, v := range []struct {
		name  string
		words []string
	}{{"delete", c.Delete}, {"add", c.Add}} {
		for i, w := range v.words {
			if !Word(w) {
				errs = append(errs, fmt.Errorf("%s[%d]: got %q, want letters or digits", v.name, i, w))
			}
		}
	}
	return errs
}

// Word reports whether a word can be found in a letter: it has letters or digits.
func Word(w string) bool { return plain(w) != "" }
