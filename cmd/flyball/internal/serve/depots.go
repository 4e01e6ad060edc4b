package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/pause"
	"flyball/realrun/depot"
	"flyball/realrun/keyring"
	"flyball/realrun/mailing"
	"flyball/site"
)

// openTokens returns the token of each station for the depot, and the clients that the depot knows by these. Stations
// of one process draw theirs.
func (p *Process) openTokens() (err error) {
	p.tokens = map[string]string{}
	if p.site.Keys != "" {
		for _, v := range p.site.Clients() {
			if !p.site.IsHere(v.Name()) {
				continue
			}
			if p.tokens[v.Name()], err = p.site.Token(v); err != nil {
				return err
			}
		}
		switch {
		case p.site.IsHere(site.A) || p.site.IsHere(site.Storage):
			p.clients, err = p.site.DepotClients()
		case slices.ContainsFunc(p.site.Here, func(v site.Station) bool { return v.Changes != "" }):
			p.clients, err = p.site.DepotClients(site.Storage)
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
	m.store, err = p.site.Remote(cmp.Or(p.listening(site.Storage, "listen"), of.Listen), token)
	return err
}

// keep opens the folder of the lists and letters that the station fetches.
func (m *member) keep() (*depot.Kept, error) {
	k, err := depot.Keep(depot.Config{Dir: filepath.Join(m.of.Folder, "kept"), Remote: m.depot, Lists: m.store,
		Most: int64(m.in.site.Depot.Keep), Warn: func(err error) { m.log.Warn("what is kept", "why", err) }})
	if err != nil {
		return nil, task.Fail(task.Environment, "%s: %w", m.name, err)
	}
	m.closes(k.Close)
	return k, nil
}

// mailing returns a mailing whose files are kept, or fetches them. They stay until they are released.
func (m *member) mailing(ctx context.Context, from *depot.Kept, job engine.Job) (*depot.Held, *mailing.Mailing, error) {
	h, err := from.Mailing(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	src, end, err := h.Source()
	defer end()
	var of *mailing.Mailing
	if err == nil {
		src.Signer = m.in.secrets.Signer
		of, err = m.in.site.Mailing(src)
	}
	if err == nil {
		err = h.Check(of)
	}
	if err != nil {
		h.Release()
		return nil, nil, fmt.Errorf("mailing %d: %w", job, err)
	}
	return h, of, nil
}

// mailings are the keys of all mailings, by which a station reads what comes back of them.
type mailings struct {
	*keyring.Ring
	of *member
}

// openMailings takes up the keys that the station has in its folder, and calls add with those of each mailing, now and
// later.
func (m *member) openMailings(add func(depot.Keys) error) (*mailings, error) {
	r := &keyring.Ring{File: filepath.Join(m.of.Folder, "mailings"), From: m.depot, Add: add,
		Warn: func(job engine.Job, why error) {
			m.log.Warn("a mailing is not kept: a restart fetches it again", "mailing", job, "why", why)
		}}
	if err := r.Open(); err != nil {
		return nil, task.Unusable(m.name, err)
	}
	m.closes(r.Close)
	return &mailings{r, m}, nil
}

// run keeps up with the mailings of the depot, and with those who ask whether it has, until ctx ends.
func (a *mailings) run(ctx context.Context) error {
	fetch := func(ctx context.Context) error {
		return a.of.repeat(ctx, look, "the depot does not answer", func(ctx context.Context) error {
			err := a.Fetch(ctx)
			switch {
			case errors.Is(err, depot.ErrAbsent): // it is yet to come
				return errIdle
			case errors.Is(err, keyring.ErrUntaken):
				return task.Error{Kind: task.Invalid, Err: err}
			}
			return err
		})
	}
	return together(ctx, fetch, func(ctx context.Context) error { a.Answer(ctx); return nil })
}

// hearsEnds calls over with which mailings have ended, when that changes, until ctx ends. It may do so again with the
// same ones.
func (m *member) hearsEnds(ctx context.Context, over func(depot.Running) error) error {
	known := -1
	return m.repeat(ctx, look, "the depot does not say which mailings have ended", func(ctx context.Context) error {
		all, err := m.depot.FetchRunning(ctx, known)
		if err == nil {
			known, err = all.Ended, over(all)
		}
		return err
	})
}

// drop removes what is kept of mailings that have ended; before that, ended is called for each.
func drop(from *depot.Kept, all depot.Running, ended func(engine.Job)) error {
	jobs, err := from.Jobs()
	for _, job := range jobs {
		if all.Over(job) {
			ended(job)
			err = errors.Join(err, from.Drop(job))
		}
	}
	return err
}

// serveDepot serves a depot to the clients of the site until ctx ends. Before that has gives the server what else it
// has.
func (m *member) serveDepot(ctx context.Context, d *depot.Depot, at net.Listener, has func(*depot.Server)) error {
	server, err := d.Serve(m.in.clients, time.Now)
	if err != nil {
		return err
	}
	has(server)
	settings, err := m.in.site.TLS()
	if err != nil {
		return err
	}
	return server.Listen(ctx, at, settings)
}

// look is the time between two looks for what another station may have.
const look = 250 * time.Millisecond

// errIdle is the error of a call that has found nothing to do.
var errIdle = errors.New("nothing to do")

// repeat calls do until ctx ends: again at once after a success, and after a pause else. An error with a kind, or of a
// server that refuses the station, ends it. What else fails is logged as what, each reason once in a row.
func (m *member) repeat(ctx context.Context, rest time.Duration, what string, do func(context.Context) error) error {
	said := ""
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil {
			said = ""
			continue
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, new(task.Error)):
			return err
		case errors.Is(err, depot.ErrRefused):
			return m.in.site.Refused(m.of, err)
		case errors.Is(err, errIdle):
			said = ""
		case said != err.Error():
			said = err.Error()
			m.log.Warn(what, "why", err)
		}
		pause.For(ctx, rest)
	}
	return nil
}
