package lists

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/depot"
	"flyball/storage"
)

// What recipients ask a server for requests, and mail that returns to another server, keep them from the next mailing:
// one server pushes its changes to the storage server, which fetches the changes of the other one.
func TestBufferedChanges(t *testing.T) {
	dir := t.TempDir()
	s, _, err := task.OpenStore(t.Context(), "sqlite:"+filepath.Join(dir, "lists.db"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, err := s.BeginJob(t.Context(), storage.Job{Mailing: "mailing 1", List: "news"})
	if err != nil {
		t.Fatal(err)
	}
	person := func(r int) mail.Address { return mail.Address{Local: fmt.Sprintf("p%d", r), Domain: "x.example"} }
	var all []storage.Outcome
	for r := range 5 {
		all = append(all, storage.Outcome{Place: uint32(r), To: person(r), Outcome: "delivered"})
	}
	if err := s.Record(t.Context(), id, all); err != nil {
		t.Fatal(err)
	}
	const first = 1000
	to := Changes{Store: s, Of: func(r mail.Recipient) (string, uint32, bool) {
		return "mailing 1", uint32(r) - first, r >= first
	}}
	var facts engine.Outbox
	requests := inbox.New(inbox.Default(engine.Address{Role: engine.Requests}))
	returns := inbox.New(inbox.Default(engine.Address{Role: engine.Bounces}))
	for _, b := range []engine.Body{engine.Request{Rcpt: first + 1, Token: 1},
		engine.Request{Rcpt: first + 2, Token: 1}, engine.Join{Rcpt: first + 2, Token: 2},
		engine.Confirmed{Rcpt: first + 2, Token: 2}} {
		requests.Receive(vt.Time(1), engine.Message{Body: b}, &facts)
	}
	asked := depot.ChangesOf(facts.Write)
	facts = engine.Outbox{}
	for token := range uint64(2) { // the second one counts ([0079])
		b := engine.Returned{Token: token, Rcpt: first + 3, Hard: true}
		returns.Receive(vt.Time(1), engine.Message{Body: b}, &facts)
	}
	returned := depot.ChangesOf(facts.Write)

	token := map[string]string{"d1": depot.NewToken(), "storage1": depot.NewToken()}
	serve := func(role depot.Role, name string, set func(*depot.Server)) *depot.Remote {
		d, err := depot.Open(filepath.Join(dir, "of "+name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		server, err := d.Serve([]depot.Client{{Name: name, Role: role, Hash: depot.HashToken(token[name])}}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		set(server)
		h := httptest.NewServer(server)
		t.Cleanup(h.Close)
		return &depot.Remote{URL: h.URL, Token: token[name]}
	}
	buffer := func(all []depot.Change) depot.Buffer {
		return func(_ context.Context, after uint64) ([]depot.Change, error) { return all[after:], nil }
	}
	lists := serve(depot.Requests, "d1", func(s *depot.Server) { s.Lists = to })
	bank := serve(depot.Storing, "storage1", func(s *depot.Server) { s.Buffer = buffer(returned) })
	for range 2 {
		if _, err := lists.Push(t.Context(), buffer(asked)); err != nil {
			t.Fatal(err)
		}
		if _, err := bank.Pull(t.Context(), "c1", to); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, name := range []string{"news", "shop"} {
		set, err := s.SuppressedIn(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for r := range 5 {
			if set.Has(person(r)) {
				got += fmt.Sprintf("%s %d, ", name, r)
			}
		}
	}
	if got != "news 1, news 3, shop 3, " {
		t.Errorf("suppressed: %s", got)
	}
	if _, err := to.Take(t.Context(), "d1", 100, []depot.Change{{Rcpt: first}}); !errors.Is(err, depot.ErrGap) {
		t.Errorf("got %v, want ErrGap", err)
	}
	if _, err := to.Take(t.Context(), "d1", 4, []depot.Change{{Rcpt: 5}}); err == nil ||
		!strings.Contains(err.Error(), "is of no mailing") {
		t.Errorf("got %v", err)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || !strings.Contains(fmt.Sprint(audit), "changes of d1") {
		t.Errorf("%v, %v", audit, err)
	}
}
