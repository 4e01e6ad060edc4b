package carrier

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/bus"
	"flyball/engine"
	"flyball/engine/codec"
)

// operation is something that a party may not do.
type operation struct {
	who     *party
	publish bool
	subject string
}

func (o operation) String() string {
	if o.publish {
		return fmt.Sprintf("%s publishes on %s", o.who.name, o.subject)
	}
	return fmt.Sprintf("%s subscribes to %s", o.who.name, o.subject)
}

// forbidden returns what the table of flows does not have for each party: what another party says or hears, what the
// party says itself in another site, as another server or with another body, and messages of no site.
func forbidden(site string, all []*party) (ops []operation) {
	says := map[*party]map[string]bool{}
	hears := map[*party]map[string]bool{}
	for _, p := range all {
		says[p], hears[p] = map[string]bool{}, map[string]bool{}
		for _, m := range messages(all) {
			f, _ := codec.FlowOf(m)
			for _, own := range p.own {
				if own == m.From {
					says[p][subject(site, m.From, f, m.To)] = true
				}
				if own == m.To {
					hears[p][pattern(site, f, m.To)] = true
				}
			}
		}
	}
	for _, p := range all {
		for _, other := range all {
			for s := range says[other] {
				if !says[p][s] {
					ops = append(ops, operation{p, true, s})
				}
			}
			for s := range hears[other] {
				if !hears[p][s] {
					ops = append(ops, operation{p, false, s})
				}
			}
		}
		for s := range says[p] {
			parts := strings.Split(s, ".")
			for at, other := range map[int]string{2: "another", 6: "77", 7: "stop"} {
				changed := append([]string{}, parts...)
				changed[at] = other
				ops = append(ops, operation{p, true, strings.Join(changed, ".")})
			}
		}
		for _, s := range []string{">", "flyball.>", "flyball.site." + site + ".>", "flyball.site.*.*.*.*.*.*",
			fmt.Sprintf("flyball.site.%s.%v.%d.>", site, p.own[0].Role, p.own[0].Server), "flyball.farm.>", "$SYS.>",
			"$JS.API.>", "_INBOX.>", "_INBOX.another.x"} {
			ops = append(ops, operation{p, false, s})
		}
		for _, s := range []string{"$JS.API.STREAM.CREATE.x", "$JS.API.STREAM.DELETE.x", "$JS.API.INFO",
			"$SYS.REQ.SERVER.PING", "_INBOX.another.x", "flyball.farm.work.x", "x"} {
			ops = append(ops, operation{p, true, s})
		}
	}
	return ops
}

// Everything that the table does not have for a role is refused by the broker, named as the error with which the role
// ends within 2 s, and heard by no other process.
func TestForbidden(t *testing.T) {
	all := parties()
	dir := t.TempDir()
	var users []bus.User
	for _, p := range all {
		p.key = filepath.Join(dir, p.name+".nk")
		users = append(users, bus.User{Name: p.name, NKey: newKey(t, p.key), Rights: Rights("north", p.own...)})
	}
	witness := filepath.Join(dir, "witness.nk")
	users = append(users, bus.User{Name: "witness", NKey: newKey(t, witness),
		Rights: bus.Rights{Publish: []string{">"}, Subscribe: []string{">"}}})
	s, err := bus.Start(bus.ServerConfig{Listen: "127.0.0.1:0", Users: users})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var heard box[string]
	w := dial(t, bus.Config{Name: "witness", URL: s.URL(), NKey: witness}, nil)
	if err := w.Listen("flyball.>", func(subject string, _ []byte) { heard.put(subject) }); err != nil {
		t.Fatal(err)
	}
	ops := forbidden("north", all)
	if len(ops) < 30 {
		t.Fatalf("got %d operations, want at least 30", len(ops))
	}
	var mu sync.Mutex
	slowest := time.Duration(0)
	work := make(chan operation)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for o := range work {
				if t.Failed() {
					continue // each that is allowed would be waited for
				}
				took := refused(t, s.URL(), o)
				mu.Lock()
				slowest = max(slowest, took)
				mu.Unlock()
			}
		})
	}
	for _, o := range ops {
		work <- o
	}
	close(work)
	running.Wait()
	if err := w.Tell("flyball.last", nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the last message", func() bool { return heard.has("flyball.last") > 0 })
	if heard.len() != 1 {
		t.Errorf("got %v, want nothing of what is forbidden", &heard)
	}
	t.Logf("%d operations, the slowest was reported after %v", len(ops), slowest)
}

// refused does what is forbidden and returns how long its report took.
func refused(t *testing.T, url string, o operation) time.Duration {
	conn, err := bus.Dial(context.Background(), bus.Config{Name: o.who.name, URL: url, NKey: o.who.key, Steady: true},
		nil)
	if err != nil {
		t.Errorf("%v: %v", o, err)
		return 0
	}
	defer conn.Close()
	began := time.Now()
	what := "Subscription to"
	if o.publish {
		what = "Publish to"
		err = conn.Tell(o.subject, nil)
	} else if err = conn.Listen(o.subject, func(string, []byte) {}); err == nil {
		t.Errorf("%v: got no error", o)
	}
	if err == nil {
		err = ended(conn)
	}
	if want := fmt.Sprintf("got no right for %s %q", what, o.subject); !errors.Is(err, bus.ErrRefused) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("%v: got %v, want %s", o, err, want)
	}
	return time.Since(began)
}

// ended waits for the end of a connection and returns its cause.
func ended(conn *bus.Conn) error {
	select {
	case <-conn.Context().Done():
		return context.Cause(conn.Context())
	case <-time.After(30 * time.Second):
		return errors.New("the connection does not end")
	}
}

// A carrier whose key lacks a right says so when it listens, and its connection ends with the same words.
func TestCarrierWithoutARight(t *testing.T) {
	all := parties()
	s := broker(t, map[string][]*party{"north": all})
	a := all[0]
	c := New(dial(t, bus.Config{Name: a.name, URL: s.URL(), NKey: a.key, Steady: true}, nil), Config{Site: "north"})
	err := c.Listen(engine.Address{Role: engine.Remote}, func(engine.Message) {})
	if !errors.Is(err, bus.ErrRefused) || !strings.Contains(err.Error(),
		`no right for Subscription to "flyball.site.north.remote.0.sender.*.`) {
		t.Errorf("got %v", err)
	}
	ended(c.conn)
	conn := dial(t, bus.Config{Name: a.name, URL: s.URL(), NKey: a.key, Steady: true}, nil)
	New(conn, Config{Site: "north"}).Send(engine.Message{From: engine.Address{Role: engine.Remote},
		To: engine.Address{Role: engine.Sender}, Body: engine.Granted{}})
	if err := ended(conn); !errors.Is(err, bus.ErrRefused) || !strings.Contains(err.Error(),
		`no right for Publish to "flyball.site.north.sender.0.remote.0.granted"`) {
		t.Errorf("got %v", err)
	}
}
