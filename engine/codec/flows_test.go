package codec

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/delivery"
	"flyball/engine/delivery/retry"
	"flyball/engine/governing"
	"flyball/engine/inbox"
	"flyball/engine/remote"
	"flyball/engine/sender"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

type silent struct{}

func (silent) Ended(vt.Time, *mail.Attempt, *mail.Reply, mail.Status) {}
func (silent) Interval(vt.Time, mail.Server, engine.Interval)         {}

// Each role takes exactly the bodies that the table has for it: at any other it panics. A server that delivers is two
// roles at once: its machine has an address of its own.
func TestRolesTakeWhatTheTableSays(t *testing.T) {
	list := mail.ReadList(make([]mail.Destination, 5))
	cfg := delivery.Config{Retry: retry.Default(), Interval: vt.Minute, Destinations: 1,
		Destination: governor.DefaultDestination(), Messages: 1, Freeing: delivery.DefaultFreeing()}
	machine := func() engine.Role { return delivery.New(cfg, &list, delivery.NewShare(1), silent{}) }
	roles := map[engine.Kind]func() engine.Role{
		engine.Delivery: machine,
		engine.Governing: func() engine.Role {
			return governing.New(governing.Config{Servers: 1, Interval: vt.Minute, Observer: silent{}})
		},
		engine.Sender: func() engine.Role { return sender.New(sender.Default(1)) },
		engine.Remote: func() engine.Role {
			return remote.New(remote.Default(cfg), &list, delivery.NewShare(1), silent{})
		},
		engine.Bounces: func() engine.Role {
			return inbox.New(inbox.Default(engine.Address{Role: engine.Bounces}))
		},
		engine.Requests: func() engine.Role {
			return inbox.New(inbox.Default(engine.Address{Role: engine.Requests}))
		},
	}
	for kind, build := range roles {
		for _, b := range bodies[1:] {
			want := takes(kind, b)
			if got := accepts(build(), b); got != want {
				t.Errorf("%v takes %s: got %v, want %v", kind, Name(b), got, want)
			}
		}
	}
}

// takes reports whether a role takes a body by the table. Servers for returned mail and for requests are one role, and
// the machine of a server that delivers passes what it gets.
func takes(kind engine.Kind, b engine.Body) bool {
	for _, f := range Flows {
		if Name(f.Body) != Name(b) {
			continue
		}
		switch {
		case f.To == kind, inboxes(f.To) && inboxes(kind):
			return true
		case kind == engine.Remote && f.To == engine.Delivery && f.Carried():
			return true
		}
	}
	return false
}

func inboxes(k engine.Kind) bool { return k == engine.Bounces || k == engine.Requests }

// accepts reports whether a role does not panic at a body because of its type.
func accepts(r engine.Role, b engine.Body) (ok bool) {
	defer func() {
		if why := recover(); why != nil {
			ok = !strings.Contains(fmt.Sprint(why), "want ") // the other panics are about values
		}
	}()
	from := engine.Address{Role: engine.Bounces} // the sending server takes changes from inboxes alone
	r.Receive(0, engine.Message{From: from, Number: 1, Body: b}, &engine.Outbox{})
	return true
}

// A message has a flow only with the roles at both ends that the table names.
func TestFlowOf(t *testing.T) {
	at := func(k engine.Kind) engine.Address { return engine.Address{Role: k, Server: 3} }
	for _, f := range Flows {
		m := engine.Message{From: at(f.From), To: at(f.To), Body: f.Body}
		if got, ok := FlowOf(m); !ok || got != f {
			t.Errorf("%v: got %v, %v", m, got, ok)
		}
		outside := f.From == engine.Operator || f.To == engine.Operator || f.From == engine.Recipients ||
			f.To == engine.Recipients
		if f.Carried() == outside {
			t.Errorf("%v is carried: %v", f, f.Carried())
		}
	}
	if f, ok := FlowOf(engine.Message{From: at(engine.Bounces), To: at(engine.Remote),
		Body: engine.Start{}}); ok {
		t.Errorf("got %v", f)
	}
}
