package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/realrun/dial"
	"flyball/realrun/mailing"
	"flyball/realrun/names"
	"flyball/realrun/path"
	"flyball/reports/format"
	"flyball/scenarios"
)

// foreign reports whether the receivers of the run are not Flyball's.
func (q *Run) foreign() bool { return q.Receiver != "" || q.Resolver != "" }

// receivers returns the words for receivers that are not Flyball's; empty if they are.
func (q *Run) receivers() string {
	if q.Resolver != "" {
		return fmt.Sprintf("exchangers that %s names, port %d", q.Resolver, q.Port)
	}
	return q.Receiver
}

// reachable returns an error unless the receiver or the resolver that the question names
// may be dialled.
func (q *Run) reachable(allow *dial.Allowlist) error {
	for _, f := range []struct{ flag, addr string }{{"--receiver", q.Receiver}, {"--resolver", q.Resolver}} {
		if f.addr == "" {
			continue
		}
		err := allow.CheckAddress(f.addr)
		if errors.Is(err, dial.ErrRefused) {
			return task.Fail(task.Refused, "%s: %w", f.flag, err)
		}
		if err == nil {
			_, err = netip.ParseAddrPort(f.addr)
		}
		if err != nil {
			return task.Fail(task.Usage, "%s: %w", f.flag, err)
		}
	}
	return nil
}

// fixed is a resolver that resolves every destination to the receiver at one address.
type fixed netip.AddrPort

func (f fixed) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: []names.Candidate{{At: netip.AddrPort(f)}}}
}

// lookups is a resolver that asks a name server for the exchangers of each
// recipient's domain.
type lookups struct {
	*names.Resolver
	mailing *mailing.Mailing

	lock       sync.Mutex
	never, yet astray // attempts of domains that take no mail for good, or as far as could be found out
}

// astray counts attempts whose look-up led nowhere.
type astray struct {
	attempts uint64
	first    string // why the first one did
}

func (c *astray) add(why string) {
	if c.attempts++; c.attempts == 1 {
		c.first = why
	}
}

// lookups returns the resolver of a question that names a name server.
func (q *Run) lookups(s *scenarios.Scenario, key rng.Key, scale float64, r *prepared) *lookups {
	return &lookups{mailing: r.mailing, Resolver: NameServer(names.Config{Server: q.Resolver, Dial: r.allow.Dial,
		Luck: key, Own: []string{r.sender()}, Port: uint16(q.Port)}, s, scale)}
}

// NameServer returns a resolver as cfg says, with the times of a scenario, which pass scale times as fast as the clock.
func NameServer(cfg names.Config, s *scenarios.Scenario, scale float64) *names.Resolver {
	began := time.Now()
	cfg.Now = func() vt.Time { return vt.Time(float64(time.Since(began)) * scale) }
	cfg.ID = func(context.Context) uint16 { return uint16(rand.Uint32()) }
	cfg.Patience = max(time.Duration(float64(s.Dialogue.Timeouts.DNS)/scale), time.Millisecond)
	cfg.Repeat = cfg.Patience / 2
	return names.New(cfg)
}

func (l *lookups) Resolve(ctx context.Context, a *mail.Attempt) names.Route {
	route := l.find(ctx, a)
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case ctx.Err() != nil, route.Fault == mail.NoFault:
	case route.Fault == mail.NoName:
		l.never.add(route.Why)
	default:
		l.yet.add(route.Why)
	}
	return route
}

func (l *lookups) find(ctx context.Context, a *mail.Attempt) names.Route {
	return l.Route(ctx, l.mailing.Address(a.Rcpt).Domain, a.Rcpt, a.Try)
}

// carries reports whether the exchanger at the other end has the mail of the attempt's
// domain too; see realrun.SMTP. All receivers of Flyball have.
func (l *lookups) carries(ctx context.Context, a *mail.Attempt, to names.Candidate, first mail.Recipient) bool {
	if l == nil || l.mailing.Address(a.Rcpt).Domain == l.mailing.Address(first).Domain {
		return true
	}
	at := func(c names.Candidate) bool { return c.At == to.At }
	return slices.ContainsFunc(l.find(ctx, a).To, at)
}

// words returns lines about the look-ups; none if there were none by name.
func (l *lookups) words() []string {
	if l == nil {
		return nil
	}
	c := l.Count()
	words := []string{fmt.Sprintf("Look-ups: %d questions asked, %d more answered together with them, %d from the "+
		"cache", c.Asked, c.Shared, c.Kept)}
	if l.never.attempts > 0 {
		words = append(words, fmt.Sprintf("%s of domains that take no mail, the first: %s",
			format.Plural(l.never.attempts, "attempt"), l.never.first))
	}
	if l.yet.attempts > 0 {
		words = append(words, fmt.Sprintf("%s without a useful answer of the name server, the first: %s",
			format.Plural(l.yet.attempts, "attempt"), l.yet.first))
	}
	return words
}

// meter returns what measures the ways to receivers; nil if these are Flyball's, whose
// ways are the model's.
func (q *Run) meter() *path.Meter {
	if !q.foreign() {
		return nil
	}
	return path.NewMeter()
}

// pathWords returns a line about round trips; none if none was measured.
func pathWords(m *path.Meter) []string {
	trips := m.Trips()
	if trips.Count() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Round trips: %d connections began with one; half of them took %s at most, 99 %% "+
		"%s",
		trips.Count(), format.Duration(trips.Quantile(0.5).Seconds()),
		format.Duration(trips.Quantile(0.99).Seconds()))}
}
