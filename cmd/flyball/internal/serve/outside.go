package serve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun"
	"flyball/realrun/guard"
	"flyball/realrun/names"
	"flyball/realrun/path"
)

// leads returns what leads attempts to receivers.
func (s *delivering) leads() (realrun.Resolver, error) {
	of := s.in.site
	switch {
	case of.Resolver != "":
		return named{live.NameServer(names.Config{Server: of.Resolver, Dial: of.Allowlist.Dial,
			Luck: rng.New(of.Scenario.Seed, 0), Own: []string{of.Sender(), of.Hello(s.of)}, Port: uint16(of.Port)},
			of.Scenario, 1), s.letters.domain}, nil
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
	counts := filepath.Join(s.of.Folder, "caps") // a folder of its own: the station has the lock of the other one
	if err := durable.Files(counts).Make(); err != nil {
		return nil, task.Error{Kind: task.Environment, Err: err}
	}
	share, err := guard.Open(filepath.Join(counts, "used"), guard.Share(of.Allowlist.Caps, int(s.number), of.Servers()))
	if err != nil {
		return nil, live.RefusedOr(task.Environment, err)
	}
	s.closes(share.Close)
	count, err := live.CountComplaints("outside.complaints", of.Outside.Complaints)
	if err != nil {
		return nil, err
	}
	breaker := guard.NewBreaker(of.Allowlist.Breakers, task.TraceNames(of.Scenario).Destinations, count)
	s.brake = guard.NewBrake(sites.StopFile(s.of), []*guard.Caps{share, all}, breaker, rest(of), func(why error) {
		if why != nil {
			s.log.Error("makes no attempts", "why", why)
		} else {
			s.log.Info("makes attempts again")
		}
	})
	return &realrun.Guarded{Transport: apart, Take: s.brake.Take, Saw: s.brake.Saw, Failed: s.breaks,
		Stop: func(err error) {
			if !errors.Is(err, guard.ErrRests) {
				s.breaks(err)
			}
		}}, nil
}

// rest returns how long an attempt may wait for a permit: with the attempt itself, less than the time after which the A
// server takes it for one that stands still.
func rest(of *sites.Site) time.Duration { return time.Duration(of.Scenario.Stall() / 3) }

// allCaps returns the caps of all attempts of this computer with the site's allowlist, which all B servers of this
// process share.
func (p *Process) allCaps() (*guard.Caps, error) {
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
