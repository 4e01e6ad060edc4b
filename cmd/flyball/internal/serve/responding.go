package serve

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/depot"
	"flyball/realrun/response"
)

// responding is a response server: it counts who opens messages and which links are followed. It keeps responses in
// files of its own, and says nothing to other stations.
type responding struct {
	*member
	server *response.Server
	all    *mailings
	web    net.Listener
}

// loopback are the addresses of hybrids and of web servers of one's own, whose X-Forwarded-For is believed.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// openResponding opens a response server.
func (p *Process) openResponding(_ context.Context, m *member) (err error) {
	s := &responding{member: m}
	m.server = s
	cfg := response.Default(m.of.Folder)
	cfg.Trusted = loopback
	cfg.Complete = func() bool { return s.all.Complete() } // no response comes before all is there
	cfg.Tell = m.judged()
	if s.server, err = response.New(cfg); err != nil {
		return task.Unusable(m.name, err)
	}
	m.closes(s.server.Close)
	s.all, err = m.openMailings(func(k depot.Keys) error {
		return s.server.Add(response.Campaign{Name: fmt.Sprint(k.Job), Key: k.Secret, Recipients: k.Recipients,
			Targets: k.Targets})
	})
	if err != nil {
		return err
	}
	s.web, err = m.listen("listen", m.of.Listen)
	return err
}

// judged returns what counts responses that are judged.
func (m *member) judged() func(response.Judged) {
	n := m.counts("flyball_responses_total", "Responses that are judged, since the station began.", "kind", "by")
	by := map[bool]string{true: "human", false: "machine"}
	for _, kind := range []string{"open", "click"} {
		for _, v := range by {
			n.Count(0, kind, v)
		}
	}
	return func(j response.Judged) { n.Count(1, j.Response.Kind, by[j.Verdict.Human]) }
}

// run runs the server until ctx ends, or something fails for good.
func (s *responding) run(ctx context.Context) error {
	serve := func(ctx context.Context) error { return s.server.Serve(ctx, s.web) }
	return together(ctx, serve, s.all.run)
}
