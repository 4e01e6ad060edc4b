package realrun_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/names"
)

// routed is a Resolver that has the same candidates for every attempt.
type routed []names.Candidate

func (r routed) Resolve(context.Context, *mail.Attempt) names.Route {
	return names.Route{To: slices.Clone(r)}
}

// A look-up may lead anywhere; an attempt goes to the receivers that are allowed for its recipient's domain.
func TestRoutesLeadWhereTheDomainMayGo(t *testing.T) {
	list, err := dial.Load("allow.toml", []byte(`schema_version = 1
sender = "sender.com"
allow = [{ networks = ["192.0.2.1"], ports = [25], domains = ["one.org"] },
         { networks = ["192.0.2.2", "127.0.0.1"], ports = [25], domains = ["two.org"] }]
caps = { per_day = 9, per_second = 1 }
`))
	if err != nil {
		t.Fatal(err)
	}
	var all routed
	for _, at := range []string{"192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25", "127.0.0.1:25", "192.0.2.1:26"} {
		all = append(all, names.Candidate{At: netip.MustParseAddrPort(at)})
	}
	domains := []string{"one.org", "two.org", "three.org", "four.example"}
	r := &realrun.Allowed{Resolver: all, List: list, Domain: func(r mail.Recipient) string { return domains[r] }}
	for i, want := range [][]names.Candidate{{all[0]}, {all[1], all[3]}, nil, {all[3]}} {
		route := r.Resolve(t.Context(), &mail.Attempt{Rcpt: mail.Recipient(i)})
		if !slices.Equal(route.To, want) || route.Fault != map[bool]mail.Fault{true: mail.NotAllowed}[want == nil] {
			t.Errorf("%s: %v, %s, want %v", domains[i], route.To, route.Fault, want)
		}
	}
	if n, first := r.Refused(); n != 1 || first == nil {
		t.Errorf("%d recipients were refused, the first for %v, want the one for three.org", n, first)
	}
}

// noted is a Process that notes its attempts.
type noted struct{ does *[]string }

func (n noted) Process(mail.Server, mail.Slot) realrun.Process { return n }
func (n noted) HangUp()                                        { *n.does = append(*n.does, "hang up") }
func (n noted) Trace() *mail.Trace                             { return &mail.Trace{} }
func (n noted) Deliver(_ context.Context, a mail.Attempt) mail.Reply {
	*n.does = append(*n.does, a.Conn.String())
	return mail.Reply{Code: 250, Stage: mail.StageDot}
}

// A kept connection is not used for another domain of its destination.
func TestConnectionsCarryOneDomain(t *testing.T) {
	domains := []string{"a.org", "a.org", "b.org", "b.org", "a.org"}
	var does []string
	p := (&realrun.OneDomain{Transport: noted{&does}, Domain: func(r mail.Recipient) string {
		return domains[r]
	}}).Process(0, 0)
	for i := range domains {
		a := mail.Attempt{Rcpt: mail.Recipient(i)}
		if i > 0 {
			a.Conn = mail.Reused
		}
		p.Deliver(t.Context(), a)
	}
	want := []string{"fresh", "reused", "hang up", "fresh", "reused", "hang up", "fresh"}
	if !slices.Equal(does, want) {
		t.Errorf("got %q, want %q", does, want)
	}
}
