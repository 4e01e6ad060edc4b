package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"

	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/pause"
	"flyball/internal/rng"
	"flyball/realrun"
	"flyball/realrun/depot"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
	"flyball/realrun/names"
	"flyball/realrun/path"
)

// leads returns what leads attempts of a server, which introduces itself as hello, to the receivers of a site, by the
// domains of recipients.
func leads(of *sites.Site, hello string, domain func(mail.Recipient) string) (realrun.Resolver, error) {
	switch {
	case of.Resolver != "":
		return named{live.NameServer(names.Config{Server: of.Resolver, Dial: of.Allowlist.Dial,
			Luck: rng.New(of.Scenario.Seed, 0), Own: []string{of.Sender(), hello}, Port: uint16(of.Port)},
			of.Scenario, 1), domain}, nil
	case of.Leads != nil:
		return of.Leads, nil
	}
	at, err := netip.ParseAddrPort(of.Receiver)
	return fixed(at), err
}

// named is a resolver that asks a name server for the exchangers of each recipient's domain.
type named struct {
	*names.Resolver
	domain func(mail.Recipient) string
}

func (n named) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	return n.Route(ctx, n.domain(a.Rcpt), a.Rcpt, a.Try)
}

// capsFolder is the folder of a B server with its counts of attempts.
const capsFolder = "caps"

// bound returns t so that it goes where the allowlist says, no more often than the server's share of the caps, and
// until a breaker stops it.
func (s *delivering) bound(t *realrun.SMTP) (realrun.Transport, error) {
	of := s.in.site
	t.Allow = of.Allowlist
	if of.Allowlist == nil && of.Resolver == "" {
		return t, nil
	}
	t.Resolver = &realrun.Allowed{Resolver: t.Resolver, List: of.Allowlist, Domain: s.letters.domain}
	apart := &realrun.OneDomain{Transport: t, Domain: s.letters.domain}
	if of.Allowlist == nil {
		return apart, nil
	}
	t.Paths = path.NewMeter()
	all, err := s.in.allCaps()
	if err != nil {
		return nil, err
	}
	counts := filepath.Join(s.of.Folder, capsFolder) // a folder of its own: the station has the lock of the other one
	if err := durable.Files(counts).Make(); err != nil {
		return nil, task.Error{Kind: task.Environment, Err: err}
	}
	s.share, err = guard.Open(filepath.Join(counts, "used"), dial.Caps{}) // none until the A server admits this one
	if err != nil {
		return nil, live.RefusedOr(task.Environment, err)
	}
	s.closes(s.share.Close)
	count, err := live.CountComplaints("outside.complaints", of.Outside.Complaints)
	if err != nil {
		return nil, err
	}
	breaker := guard.NewBreaker(of.Allowlist.Breakers, task.TraceNames(of.Scenario).Destinations, count)
	s.brake = guard.NewBrake(sites.StopFile(s.of), []*guard.Caps{s.share, all}, breaker, rest(of), func(why error) {
		if why != nil {
			s.log.Error("makes no attempts", "why", why)
		} else {
			s.log.Info("makes attempts again")
		}
	})
	if err := s.brake.Keep(filepath.Join(counts, "seen")); err != nil {
		return nil, live.RefusedOr(task.Environment, err)
	}
	return &realrun.Guarded{Transport: apart, Take: s.brake.Take, Saw: s.brake.Saw, Failed: s.breaks,
		Stop: func(err error) {
			if !errors.Is(err, guard.ErrRests) {
				s.breaks(err)
			}
		}}, nil
}

// openRegister opens the register of the B servers that make attempts, on the A server of a site that mails people.
func (s *sending) openRegister() (err error) {
	of := s.in.site
	if of.Allowlist == nil {
		return nil
	}
	s.register, err = guard.OpenRegister(filepath.Join(s.of.Folder, "admitted"), of.Servers(), of.Same(), time.Now)
	if err != nil {
		return live.RefusedOr(task.Environment, err)
	}
	return nil
}

// admit answers the claim of a B server.
func (s *sending) admit(server string, text json.RawMessage) (any, error) {
	var c guard.Claim
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	g, err := s.register.Admit(server, c)
	if errors.Is(err, dial.ErrRefused) {
		s.log.Error("a server is not admitted", "server", server, "why", err)
		return nil, fmt.Errorf("%w: %w", depot.ErrRefused, err)
	}
	return g, err
}

// claims has the A server admit this B server before it makes attempts, and again and again while it makes them, until
// ctx ends. It returns an error if the A server does not.
func (s *delivering) claims(ctx context.Context) error {
	if s.brake == nil {
		return nil
	}
	of := s.in.site
	id, err := s.countsName()
	if err != nil {
		return task.Fail(task.Environment, "%s: %w", s.name, err)
	}
	first, same, a := true, of.Same(), s.depot
	return s.repeat(ctx, look, "the A server does not admit this one", func(ctx context.Context) error {
		var g guard.Grant
		if err := a.Claim(ctx, guard.Claim{Counts: id, Now: time.Now(), Same: same}, &g); err != nil {
			return err
		}
		s.share.Limit(g.Least(of.Allowlist.Caps, int(s.number)))
		if first {
			first = false
			close(s.granted)
		}
		pause.For(ctx, time.Duration(of.Sending.Lease))
		return nil
	})
}

// countsName returns the random text that lies beside the counts of attempts, so that the A server sees that they are
// others.
func (s *delivering) countsName() (string, error) {
	name := filepath.Join(s.of.Folder, capsFolder, "name")
	text, err := input.Read(name, input.Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(rand.Text())
		err = durable.Create(name, text)
	}
	return string(text), err
}

// rest returns how long an attempt may wait for a permit: with the attempt itself, less than the time after which the A
// server takes it for one that stands still.
func rest(of *sites.Site) time.Duration { return time.Duration(of.Scenario.Stall() / 3) }

// allCaps returns the caps of all attempts of this computer with the site's allowlist, which all B servers of this
// process share.
func (p *Process) allCaps() (*guard.Caps, error) {
	p.counting.Lock()
	defer p.counting.Unlock()
	if p.caps == nil {
		c, err := live.Caps("outside.allow", p.site.Outside.Allow, p.site.Allowlist)
		if err != nil {
			return nil, err
		}
		p.caps = c
	}
	return p.caps, nil
}

// alarms logs what receivers have against the sender itself, each text once in a row for each destination.
func (s *delivering) alarms() func(mail.Destination, mail.Reply, string) {
	said := make([]string, len(s.in.site.Scenario.Destinations))
	return func(to mail.Destination, r mail.Reply, text string) {
		s.lock.Lock()
		defer s.lock.Unlock()
		if line := fmt.Sprintf("%d %s", r.Code, text); said[to] != line {
			said[to] = line
			s.log.Warn("a receiver refuses this sender", "destination", s.in.site.Scenario.Destinations[to].Name,
				"stage", r.Stage.String(), "reply", line)
		}
	}
}
