// Package bus carries messages between the processes of flyball, over NATS. It is the only package that knows NATS:
// it starts a broker within the process (Start), connects to that one or to a cluster (Dial), and says at once, in
// words, what is missing when a broker cannot be reached or refuses something. A broker is never the truth about
// anything: it may lose every message, and its store may be deleted at any time.
package bus

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"flyball/internal/conf"
	"flyball/internal/input"
)

// Kinds of errors, to be asked for with errors.Is.
var (
	// ErrUnreachable is a broker, a file or a port that is not there or not usable.
	ErrUnreachable = errors.New("bus unreachable")
	// ErrRefused is a right or a key that is missing, wrong or expired, or a connection that would not be safe.
	ErrRefused = errors.New("bus refused")
)

// failure is an error of one of the kinds, in its own words.
type failure struct {
	kind error
	text string
	err  error // may be nil
}

func (f *failure) Error() string {
	if f.err == nil {
		return f.text
	}
	return f.text + ": " + f.err.Error()
}

func (f *failure) Is(target error) bool { return target == f.kind }
func (f *failure) Unwrap() error        { return f.err }

func unreachable(err error, format string, args ...any) error {
	return &failure{ErrUnreachable, fmt.Sprintf(format, args...), err}
}

// unread returns the error of a file that cannot be read, or is not as it is safe.
func unread(err error, what string) error {
	if errors.Is(err, input.ErrRefused) {
		return refused(err, "%s", what)
	}
	return unreachable(err, "%s", what)
}

func refused(err error, format string, args ...any) error {
	return &failure{ErrRefused, fmt.Sprintf(format, args...), err}
}

// Config is where a bus is, and by what the connection shows who it is.
type Config struct {
	Name string // of this role or worker: its inbox begins with it, and the broker's records have it
	URL  string // nats://[TOKEN@]HOST:PORT on loopback; tls://HOST:PORT anywhere, several with commas between them
	CA   string // PEM file of the authorities that sign the broker's certificate
	Cert string // PEM file of the certificate of this end
	Key  string // PEM file of its private key
	NKey string // file of the seed of an nkey, whose public half the broker knows

	// Steady is a connection of a role: a lost broker is looked for as long as the process runs, and what is published
	// meanwhile is lost. Otherwise it is kept for the broker, and the connection ends after Patience.
	Steady bool
	// Note gets what happens to the connection: the broker is lost or found, messages are lost here. It may be called
	// on any goroutine; nil: none.
	Note func(text string)
}

// Validate returns an error with everything that makes no sense, or would not be safe. Outside of loopback it wants
// TLS in both directions and an nkey.
func (c Config) Validate() error {
	var l conf.List
	l.Check(plainName(c.Name), "name", "got %q, want 1 to 64 letters, digits, - or _", c.Name)
	l.Check((c.Cert == "") == (c.Key == ""), "cert", "got one of certificate and key, want both or neither")
	urls := strings.Split(c.URL, ",")
	outside := false
	for _, text := range urls {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" || u.Path != "" {
			l.Check(false, "url", "got %q, want nats://HOST:PORT or tls://HOST:PORT", hidden(text))
			continue
		}
		if !loopback(u.Hostname()) {
			outside = true
			l.Check(u.Scheme == "tls", "url", "got %s outside of loopback, want tls://%s", u.Redacted(), u.Host)
		}
	}
	if len(l) > 0 {
		return &failure{ErrRefused, "the bus", errors.Join(l...)}
	}
	if outside {
		for _, f := range []struct{ file, what string }{
			{c.CA, "authority"}, {c.Cert, "certificate"}, {c.NKey, "nkey"}} {
			l.Check(f.file != "", f.what, "got none, want a file of one: outside of loopback both ends must show who "+
				"they are")
		}
	}
	if len(l) > 0 {
		return &failure{ErrRefused, "the bus", errors.Join(l...)}
	}
	return nil
}

// plainName reports whether a name may be a part of a subject.
func plainName(name string) bool {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// PlainName returns the name with every character that a Config's Name may not have as a hyphen, cut to 40.
func PlainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if plainName(string(r)) {
			return r
		}
		return '-'
	}, name)
	if plain = plain[:min(len(plain), 40)]; plain == "" {
		return "unnamed"
	}
	return plain
}

// loopback reports whether a host is this computer. A name other than localhost may resolve to any.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// hidden returns a URL for messages, without its secrets.
func hidden(text string) string {
	if _, host, has := strings.Cut(text, "@"); has {
		return "...@" + host
	}
	return text
}
