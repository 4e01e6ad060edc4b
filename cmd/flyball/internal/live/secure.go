package live

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/realrun/wire"
)

// Security asks for the protection of sessions with receivers that are not Flyball's.
type Security struct {
	TLS   string // one of wire.Encryptions; empty: opportunistic
	Login string // file with a user and a password, a line each; empty: none is asked for
}

// validate returns an error unless q leads to receivers that can be asked for protection.
func (v *Security) validate(q *Run) error {
	switch {
	case v.TLS != "" && !slices.Contains(wire.Encryptions, v.TLS):
		return task.Fail(task.Usage, "--tls: got %q, want one of %s", v.TLS, strings.Join(wire.Encryptions, ", "))
	case v.TLS != "" && !q.foreign():
		return task.Fail(task.Usage, "--tls: got %s, want --receiver or --resolver too: Flyball's own receivers do "+
			"not encrypt", v.TLS)
	case v.Login != "" && !q.foreign():
		return task.Fail(task.Usage, "--login: got %q, want --receiver or --resolver too: Flyball's own receivers "+
			"ask for none", v.Login)
	}
	return nil
}

// read returns how sessions are protected.
func (v *Security) read(q *Run) (s wire.Security, err error) {
	if !q.foreign() {
		return s, nil
	}
	return v.Read("--login")
}

// Read returns how sessions with receivers that are not Flyball's are protected. Named is the flag or key of the login.
func (v *Security) Read(named string) (s wire.Security, err error) {
	s.Encryption = wire.Opportunistic
	if v.TLS != "" {
		s.Encryption = wire.Encryption(slices.Index(wire.Encryptions, v.TLS))
	}
	s.Sessions = tls.NewLRUClientSessionCache(0)
	if v.Login == "" {
		return s, nil
	}
	text, err := input.Read(v.Login, input.Password)
	if err != nil {
		return s, task.Unreadable(named, err)
	}
	s.Login, err = readLogin(string(text))
	if err != nil {
		return s, task.Fail(task.Invalid, "%s: %s: %w", named, v.Login, err)
	}
	return s, nil
}

// readLogin reads a user and a password, a line each.
func readLogin(text string) (*wire.Login, error) {
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	if len(lines) != 2 || lines[0] == "" || lines[1] == "" || strings.Contains(text, "\x00") {
		return nil, fmt.Errorf("got %d lines, want two: the user, and the password", len(lines))
	}
	return &wire.Login{User: lines[0], Password: lines[1]}, nil
}
