package sites

import (
	"crypto/sha256"
	"net/netip"
	"path/filepath"
	"slices"

	"flyball/realrun/depot"
	"flyball/realrun/hybrid"
	"flyball/realrun/journal"
	"flyball/site"
)

// JournalID names the journal of a station of the site.
func (s *Site) JournalID(v site.Station) journal.ID {
	return sha256.Sum256([]byte("flyball station 1 " + s.Name + " " + v.Name()))
}

// Outbox returns the folder of the A server with the reports that are to be sent.
func (s *Site) Outbox() string {
	a, _ := s.Named(site.A)
	return filepath.Join(a.Folder, "outbox")
}

// DepotAddress returns where the depot listens.
func (s *Site) DepotAddress() string {
	if s.Depot.Listen == "" {
		return "127.0.0.1:0"
	}
	return s.Depot.Listen
}

// ReturnDomain returns the domain of return paths.
func (s *Site) ReturnDomain() string {
	if c, is := s.Counting(); is && c.Domain != "" {
		return c.Domain
	}
	return s.Sender()
}

// Remote returns the server at an address as one with a token sees it.
func (s *Site) Remote(at, token string) (r *depot.Remote, err error) {
	r = &depot.Remote{Token: token}
	if r.URL = "http://" + at; s.Bus.Cert == "" {
		return r, nil
	}
	r.URL = "https://" + at
	r.TLS, err = s.TLS()
	return r, err
}

// Backend is a listener of a station that is behind the hybrids of the site.
type Backend struct {
	Station, Role string
	Key, At       string       // where it listens: the key of the site file, and its value
	Route         hybrid.Route // of the mail that goes there; zero: requests of the web do
}

// Backends returns all listeners behind the hybrids.
func (s *Site) Backends() (all []Backend) {
	for _, v := range s.Stations {
		web := Backend{Station: v.Name(), Role: v.Role, Key: "listen", At: v.Listen}
		post := web
		switch v.Role {
		case site.C:
			post.Route = hybrid.Route{Domain: s.ReturnDomain(), Prefix: "bounce+"}
			all = append(all, post)
		case site.D:
			all = append(all, web)
			for _, prefix := range []string{"unsubscribe+", "unsubscribe"} {
				if v.Mail != "" {
					post.Key, post.At, post.Route = "mail", v.Mail, hybrid.Route{Domain: v.Domain, Prefix: prefix}
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
	return slices.ContainsFunc(s.Backends(), func(b Backend) bool {
		at, err := netip.ParseAddrPort(b.At)
		return err == nil && at.Port() == 0 && !s.IsHere(b.Station)
	})
}
