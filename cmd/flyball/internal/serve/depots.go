package serve

import (
	"cmp"

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

// seesDepots lets a station that may use the depot or the storage server know where these are. They are open by now, if
// they are in this process. The caller has the lock, or no other goroutine uses the process yet.
func (m *member) seesDepots() (err error) {
	p := m.in
	token := p.tokens[m.name]
	if token == "" {
		return nil
	}
	at := cmp.Or(p.listening(site.A, "depot.listen"), p.site.DepotAddress())
	if m.depot, err = p.site.Remote(at, token); err != nil {
		return err
	}
	of, is := p.site.Named(site.Storage)
	if !is || of.Role == m.of.Role {
		return nil
	}
	r, err := p.site.Remote(cmp.Or(p.listening(site.Storage, "listen"), of.Listen), token)
	m.store = &r
	return err
}
