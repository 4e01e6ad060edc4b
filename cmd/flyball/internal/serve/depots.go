package serve

import (
	"crypto/tls"
	"crypto/x509"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/realrun/depot"
	"flyball/site"
)

// openTokens returns the token of each station for the depot, and the clients that the depot knows by these. Stations
// of one process draw theirs.
func (p *Process) openTokens() (err error) {
	p.tokens = map[string]string{}
	if p.site.Keys != "" {
		for _, v := range p.site.Clients() {
			if _, is := p.here(v.Name()); !is {
				continue
			}
			if p.tokens[v.Name()], err = p.site.token(v); err != nil {
				return err
			}
		}
		_, sends := p.here(site.A)
		if _, stores := p.here(site.Storage); sends || stores {
			p.clients, err = p.site.clients()
		}
		return err
	}
	for _, v := range p.site.Clients() {
		t := depot.NewToken()
		p.tokens[v.Name()] = t
		p.clients = append(p.clients, depot.Client{Name: v.Name(), Role: depot.Role(v.Role), Hash: depot.HashToken(t)})
	}
	return nil
}

// here returns a station of this process.
func (p *Process) here(name string) (site.Station, bool) {
	for _, v := range p.site.Here {
		if v.Name() == name {
			return v, true
		}
	}
	return site.Station{}, false
}

// depotAddress returns where the depot listens.
func (s *Site) depotAddress() string {
	if s.Depot.Listen == "" {
		return "127.0.0.1:0"
	}
	return s.Depot.Listen
}

// tls returns the settings by which a depot outside of loopback shows who it is; nil on loopback.
func (s *Site) tls() (*tls.Config, error) {
	if s.Bus.Cert == "" {
		return nil, nil
	}
	cert, err := task.ReadFile("bus.cert", s.Bus.Cert, input.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := task.ReadFile("bus.key", s.Bus.Key, input.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, task.Fail(task.Invalid, "bus.cert: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}, nil
}

// remote returns the depot as a station sees it.
func (p *Process) remote(v site.Station) (depot.Remote, error) {
	at := p.depotAt
	if at == "" {
		at = p.site.depotAddress()
	}
	return p.site.remote(at, p.tokens[v.Name()])
}

// lists returns the storage server as a station sees it; nil: the site has none.
func (p *Process) lists(v site.Station) (*depot.Remote, error) {
	of, is := p.site.Named(site.Storage)
	if !is {
		return nil, nil
	}
	at := p.listsAt
	if at == "" {
		at = of.Listen
	}
	r, err := p.site.remote(at, p.tokens[v.Name()])
	return &r, err
}

// remote returns the server at an address as one with a token sees it.
func (s *Site) remote(at, token string) (r depot.Remote, err error) {
	r.Token = token
	if r.URL = "http://" + at; s.Bus.Cert == "" {
		return r, nil
	}
	r.URL = "https://" + at
	text, err := task.ReadFile("bus.ca", s.Bus.CA, input.Certificate)
	if err != nil {
		return r, err
	}
	r.TLS = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	if !r.TLS.RootCAs.AppendCertsFromPEM(text) {
		return r, task.Fail(task.Invalid, "bus.ca: %s: got none, want certificates of authorities", s.Bus.CA)
	}
	return r, nil
}
