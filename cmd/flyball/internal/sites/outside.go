package sites

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	signing "flyball/cmd/flyball/internal/letters"
	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/promote"
	"flyball/cmd/flyball/internal/reporting"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
	"flyball/realrun/message"
	"flyball/realrun/promotion"
	"flyball/realrun/wire"
	"flyball/scenarios"
	"flyball/site"
)

// people is what a site needs that mails people, as a live run does: an allowlist and promoted parameters.
type people struct {
	Allowlist *dial.Allowlist // nil: reserved domains on loopback alone

	digest   string // of the allowlist's file
	promoted *promote.InForce
	words    string // about the parameters
}

// Secrets are what senders of mail show to receivers.
type Secrets struct {
	Security wire.Security
	Signer   *message.Signer // nil: messages are not signed
}

// readOutside reads what lets the site mail people, and gives the scenario the promoted parameters.
func (s *Site) readOutside() (err error) {
	of := s.Outside
	if s.Allowlist, s.digest, err = live.ReadAllowlist("outside.allow", of.Allow); err != nil || s.Allowlist == nil {
		return err
	}
	if of.Promotion == "" {
		return task.Fail(task.Refused, "%s: outside.promotion: got none, want the records that the parameters of a "+
			"site come from that mails people", s.File)
	}
	for i, set := range s.Set {
		if strings.HasPrefix(set, "governor") || strings.HasPrefix(set, "retry") {
			return task.Fail(task.Invalid, "%s: set[%d]: got %q and outside.promotion, which has the law and the "+
				"resend policy, want one of them", s.File, i, set)
		}
	}
	records := promote.Records{File: of.Promotion}
	if of.Head != "" {
		if records.Head, err = promotion.ParseHead(of.Head); err != nil {
			return task.Fail(task.Invalid, "%s: outside.head: %w", s.File, err)
		}
	}
	if s.promoted, err = records.InForce(time.Now()); err != nil {
		return err
	}
	s.Scenario, s.words, err = s.promoted.Apply(s.Scenario)
	return err
}

// Lapsed returns an error if the promoted parameters may not be used any more: no mailing begins by them.
func (s *Site) Lapsed(now time.Time) error {
	if s.promoted == nil || now.Before(s.promoted.Last().Expires) {
		return nil
	}
	return task.Fail(task.Refused, "outside.promotion: got promotion %d, which ended at %s, want one in force",
		s.promoted.Last().Number, s.promoted.Last().Expires.Format(time.RFC3339))
}

// Same returns what all computers of a site that mails people must have the same of, by its name.
func (s *Site) Same() map[string]string {
	return map[string]string{"outside.allow": s.digest, "scenario, with what is promoted": scenarios.ID(s.Scenario),
		"receiver": s.receivers(), "stations of role b": fmt.Sprint(s.Servers())}
}

// checkOutside adds what would not be safe, or cannot be, about receivers and names.
func (s *Site) checkOutside(l, unsafe *conf.List) {
	safe := func(key string, err error) {
		if errors.Is(err, dial.ErrRefused) {
			unsafe.Check(false, key, "%v", err)
		} else {
			l.Check(err == nil, key, "%v", err)
		}
	}
	for _, p := range []struct{ key, at string }{{"receiver", s.Receiver}, {"resolver", s.Resolver}} {
		if p.at != "" {
			safe(p.key, s.Allowlist.CheckAddress(p.at))
		}
	}
	if to := s.Sending.Notify; to != "" {
		safe("sending.notify", reporting.Check(to, s.Allowlist, s.Receiver))
	}
	for i, v := range s.Stations {
		for _, p := range []struct{ key, name string }{{".domain", v.Domain}, {".hello", v.Hello}} {
			if p.name != "" {
				safe(conf.Index("station", i)+p.key, s.Allowlist.CheckSender(p.name))
			}
		}
	}
	if s.Allowlist != nil {
		n := s.Servers()
		least := guard.Share(s.Allowlist.Caps, n-1, n)
		unsafe.Check(least.PerDay > 0 && least.PerSecond > 0, "outside.allow", "got %d attempts a day and %d a "+
			"second, want one or more for each of %d B servers", s.Allowlist.Caps.PerDay, s.Allowlist.Caps.PerSecond, n)
	}
}

// checkNotify returns an error unless the report of a mailing may go to addresses, by mail with secrets that are here.
func (s *Site) checkNotify(all []string) error {
	var wrong []error
	for _, to := range all {
		if err := reporting.Check(to, s.Allowlist, s.Receiver); err != nil {
			wrong = append(wrong, live.RefusedOr(task.Usage, fmt.Errorf("--notify: %w", err)))
		}
	}
	if wrong == nil && slices.ContainsFunc(all, reporting.ByMail) {
		_, err := s.ReadSecrets()
		return err
	}
	return errors.Join(wrong...)
}

// Secrets reads what senders of mail show to receivers, on a computer that has a B server, or the A server of a site
// whose reports go by mail.
func (s *Site) Secrets() (v Secrets, err error) {
	if !slices.ContainsFunc(s.Here, func(v site.Station) bool {
		return v.Role == site.B || v.Role == site.A && reporting.ByMail(s.Sending.Notify)
	}) {
		return v, nil
	}
	return s.ReadSecrets()
}

// ReadSecrets reads what senders of mail show to receivers.
func (s *Site) ReadSecrets() (v Secrets, err error) {
	protection := live.Security{TLS: s.SMTP.TLS, Login: s.SMTP.Login}
	if v.Security, err = protection.Read("smtp.login"); err != nil || s.SMTP.DKIM == "" {
		return v, err
	}
	v.Signer, err = signing.ReadSigner("smtp.dkim", s.SMTP.Selector, s.SMTP.DKIM)
	return v, err
}

// Sender returns the sender's domain.
func (s *Site) Sender() string {
	if s.Allowlist == nil {
		return "sender.example"
	}
	return s.Allowlist.Sender
}

// Hello returns the name by which a server introduces itself that sends mail.
func (s *Site) Hello(v site.Station) string {
	if v.Hello != "" {
		return v.Hello
	}
	return s.Sender()
}

// leave returns where recipients leave by one click if a letter says nothing else: at the D server; empty: nowhere.
func (s *Site) leave() string {
	for _, d := range s.Of(site.D) {
		if d.URL != "" {
			return d.URL
		}
	}
	return ""
}

// StopFile returns the file that stops the attempts of a B server while it is there.
func StopFile(v site.Station) string { return filepath.Join(v.Folder, "stopped") }

// receivers returns in words where mail goes.
func (s *Site) receivers() string {
	if s.Resolver != "" {
		return fmt.Sprintf("the exchangers that %s names, port %d", s.Resolver, s.Port)
	}
	return s.Receiver
}

// plan returns lines about what the site would send, and what large receivers want and it does not have.
func (s *Site) plan() ([]string, error) {
	lines := []string{fmt.Sprintf("Sends to %s, encryption %s; return paths at %s", s.receivers(), s.SMTP.TLS,
		s.ReturnDomain())}
	if to := s.Sending.Notify; to != "" {
		lines = append(lines, "Reports of all mailings go to "+to)
	}
	if s.Allowlist == nil {
		return append(lines, "Mails reserved domains on loopback: there is no outside.allow"), nil
	}
	lines = append(lines, s.words)
	all, err := live.Caps("outside.allow", s.Outside.Allow, s.Allowlist)
	if err != nil {
		return nil, err
	}
	left, err := all.Left()
	if err != nil {
		return nil, live.RefusedOr(task.Environment, err)
	}
	lines = append(lines, fmt.Sprintf("Allowed by %s: %d attempts a day and %d a second; %d are left on this computer",
		s.Outside.Allow, s.Allowlist.Caps.PerDay, s.Allowlist.Caps.PerSecond, left))
	for _, v := range s.Stations {
		if v.Role != site.B {
			continue
		}
		share := guard.Share(s.Allowlist.Caps, v.Number-1, s.Servers())
		lines = append(lines, fmt.Sprintf("  %s: EHLO %s; %d attempts a day, %d a second", v.Name(), s.Hello(v),
			share.PerDay, share.PerSecond))
		if why := guard.Held(StopFile(v)); why != nil {
			lines = append(lines, fmt.Sprintf("  %s makes no attempts: %v", v.Name(), why))
		}
	}
	shown := s.promoted.Last().Shown.Scenario
	b := s.Allowlist.Breakers
	lines = append(lines, fmt.Sprintf("Each B server stops at shares above %g bounces, %g refusals, %g deferrals and "+
		"%g complaints", b.Bounces, b.Refusals, b.Deferrals, b.Complaints))
	for _, v := range []struct {
		lacks bool
		words string
	}{
		{shown != s.Scenario.Name, fmt.Sprintf("a promotion for scenario %s: the one in force was shown on %s",
			s.Scenario.Name, shown)},
		{s.SMTP.DKIM == "", "smtp.dkim: messages are not signed, and large receivers want that of bulk mail"},
		{len(s.Of(site.C)) == 0, "no station c: returned mail goes to a server of yours at " + s.ReturnDomain()},
		{s.leave() == "", "no station d with a url: letters need a List-Unsubscribe of their own"},
		{s.Outside.Complaints == "", "outside.complaints: breakers know of no complaints"},
	} {
		if v.lacks {
			lines = append(lines, "Missing: "+v.words)
		}
	}
	return lines, nil
}
