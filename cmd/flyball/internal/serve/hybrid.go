package serve

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"

	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/hybrid"
	"flyball/site"
)

// fronting is a hybrid: what comes back to a customer's site it hands on to the stations that process it ([0090],
// [0099]). It keeps nothing, and says nothing to other stations.
type fronting struct {
	*member
	server *hybrid.Server
	web    net.Listener
	post   net.Listener // nil: no mail
}

// openHybrid opens a hybrid, after the stations of this process that are behind it.
func (p *Process) openHybrid(_ context.Context, m *member) (err error) {
	s := &fronting{member: m}
	m.server = s
	cfg := hybrid.Default(m.name + "." + p.site.ReturnDomain())
	cfg.Tell = m.told()
	failures := m.counts("flyball_backend_failures_total",
		"Tries in which a server behind the hybrid could not be reached, since the station began.", "backend")
	behind := map[netip.AddrPort]string{}
	cfg.Failed = func(at netip.AddrPort) { failures.Count(1, behind[at]) }
	for _, b := range p.site.Backends() {
		at, err := netip.ParseAddrPort(cmp.Or(p.listening(b.Station, b.Key), b.At))
		if err != nil {
			return task.Fail(task.Invalid, "%s: %s: %w", m.name, b.Station, err)
		}
		behind[at] = b.Station
		failures.Count(0, b.Station)
		switch {
		case b.Route.Prefix != "":
			i := slices.IndexFunc(cfg.Mail, func(r hybrid.Route) bool {
				return r.Domain == b.Route.Domain && r.Prefix == b.Route.Prefix
			})
			if i < 0 {
				i, cfg.Mail = len(cfg.Mail), append(cfg.Mail, b.Route)
			}
			cfg.Mail[i].Bank = append(cfg.Mail[i].Bank, at)
		case b.Role == site.Response:
			cfg.Response = append(cfg.Response, at)
		default:
			cfg.Requests = append(cfg.Requests, at)
		}
	}
	if s.server, err = hybrid.New(cfg); err != nil {
		return task.Fail(task.Invalid, "%s: %w", m.name, err)
	}
	if s.web, err = m.listen("listen", m.of.Listen); err == nil && m.of.Mail != "" {
		s.post, err = m.listen("mail", m.of.Mail)
	}
	return err
}

// told returns what counts all that comes to a hybrid.
func (m *member) told() func(hybrid.Kind, hybrid.Result) {
	came := m.counts("flyball_forwarded_total", "What came by kind and result, since the station began.", "kind",
		"result")
	for _, k := range hybrid.Kinds {
		for _, r := range hybrid.Results {
			came.Count(0, string(k), string(r))
		}
	}
	return func(k hybrid.Kind, r hybrid.Result) { came.Count(1, string(k), string(r)) }
}

// run runs the server until ctx ends, or something fails for good.
func (s *fronting) run(ctx context.Context) error { return s.server.Serve(ctx, s.web, s.post) }
