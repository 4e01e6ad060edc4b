package realrun

import (
	"errors"
	"fmt"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/realrun/dial"
	"flyball/scenarios"
)

// Check returns an error if a scenario needs anything that a live run cannot do,
// or names a domain that is neither reserved nor allowed (dial.ErrRefused).
func Check(s *scenarios.Scenario, allow *dial.Allowlist) error {
	var l conf.List
	l.Check(!s.Dialogue.StartTLS, "dialogue.starttls", "got true, want false in a live run: loopback is not encrypted")
	l.Check(s.Dialogue.Auth != "plain" && s.Dialogue.Auth != "login", "dialogue.auth", "got %s, want none in a live "+
		"run: receivers of the scenario take all on loopback, and --login is for others", s.Dialogue.Auth)
	l.Check(!s.Dispatch.Sends(), "sender.check", "got %s, want 0s in a live run: what the sender's own servers do, "+
		"and what happens to them, is simulated alone", s.Dispatch.Check)
	for i, d := range s.Destinations {
		key := conf.Index("destination", i) + ".domain"
		a, err := mail.ParseAddress("postmaster@" + d.Domain)
		if err != nil {
			l.Check(false, key, "got %q, want a mail domain: %v", d.Domain, err)
			continue
		}
		l.Check(a.Domain == d.Domain, key, "got %q, want it in lower case: %q", d.Domain, a.Domain)
		if err := allow.CheckDomain(a.Domain); err != nil {
			return fmt.Errorf("scenario %s: %s: %w", s.Name, key, err)
		}
	}
	if from, err := mail.ParseAddress(s.Message.From); err != nil {
		l.Check(false, "message.from", "got %q, want an address: %v", s.Message.From, err)
	} else if err := allow.CheckSender(from.Domain); err != nil {
		return fmt.Errorf("scenario %s: message.from: %w", s.Name, err)
	}
	if l != nil {
		return fmt.Errorf("scenario %s: %w", s.Name, errors.Join(l...))
	}
	return nil
}
