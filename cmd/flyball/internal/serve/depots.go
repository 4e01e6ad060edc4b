package serve

import (
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
			if p.tokens[v.Name()], err = p.site.Token(v); err != nil {
				return err
			}
		}
		_, sends := p.here(site.A)
		if _, stores := p.here(site.Storage); sends || stores {
			p.clients, err = p.site.DepotClients()
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

// remote returns the depot as a station sees it.
func (p *Process) remote(v site.Station) (depot.Remote, error) {
	at := p.depotAt
	if at == "" {
		at = p.site.DepotAddress()
	}
	return p.site.Remote(at, p.tokens[v.Name()])
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
	r, err := p.site.Remote(at, p.tokens[v.Name()])
	return &r, err
}
