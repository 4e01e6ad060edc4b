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
	cfg := hybrid.Default(m.name + "." + p.site.returns())
	for _, b := range p.site.behind() {
		at, err := netip.ParseAddrPort(cmp.Or(p.listening(b.station, b.key), b.at))
		if err != nil {
			return task.Fail(task.Invalid, "%s: %s: %w", m.name, b.station, err)
		}
		switch {
		case b.route.Prefix != "":
			b.route.Bank = []netip.AddrPort{at}
			cfg.Mail = append(cfg.Mail, b.route)
		case b.role == site.Response:
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

// run runs the server until ctx ends, or something fails for good.
func (s *fronting) run(ctx context.Context) error { return s.server.Serve(ctx, s.web, s.post) }

// back is a listener of a station that is behind the hybrids of the site.
type back struct {
	station, role string
	key, at       string       // where it listens
	route         hybrid.Route // of the mail that goes there; zero: requests of the web do
}

// behind returns all of these.
func (s *Site) behind() (all []back) {
	for _, v := range s.Stations {
		web := back{station: v.Name(), role: v.Role, key: "listen", at: v.Listen}
		post := web
		switch v.Role {
		case site.C:
			post.route = hybrid.Route{Domain: s.returns(), Prefix: "bounce+"}
			all = append(all, post)
		case site.D:
			all = append(all, web)
			for _, prefix := range []string{"unsubscribe+", "unsubscribe"} {
				if v.Mail != "" {
					post.key, post.at, post.route = "mail", v.Mail, hybrid.Route{Domain: v.Domain, Prefix: prefix}
					all = append(all, post)
				}
			}
		case site.Response:
			all = append(all, web)
		}
	}
	return all
}

// anyPort reports whether a station behind the hybrids listens at a port that is not known here.
func (s *Site) anyPort() bool {
	return slices.ContainsFunc(s.behind(), func(b back) bool {
		at, err := netip.ParseAddrPort(b.at)
		return err == nil && at.Port() == 0 && !slices.ContainsFunc(s.Here, func(h site.Station) bool {
			return h.Name() == b.station
		})
	})
}
