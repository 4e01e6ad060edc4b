package bus

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A NATS server reads the rights that are printed for it as the same rights.
func TestAuthorization(t *testing.T) {
	dir := t.TempDir()
	users := []User{{NKey: newKey(t, dir, "a"), Name: "a", Rights: Rights{Publish: []string{"x.a.>", "y.*"},
		Subscribe: []string{"z"}}}, {NKey: newKey(t, dir, "b"), Name: "two\nlines"}}
	name := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(name, []byte(Authorization(users)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Nkeys) != 2 || o.MaxPayload != MostPayload {
		t.Fatalf("got %d keys and at most %d bytes, of\n%s", len(o.Nkeys), o.MaxPayload, Authorization(users))
	}
	for i, got := range o.Nkeys {
		p := got.Permissions
		if got.Nkey != users[i].NKey || !slices.Equal(p.Publish.Allow, allowed(users[i].Rights.Publish)) ||
			!slices.Equal(p.Subscribe.Allow, allowed(users[i].Rights.Subscribe)) {
			t.Errorf("got %s with %v and %v, want %+v", got.Nkey, p.Publish.Allow, p.Subscribe.Allow, users[i])
		}
	}
}

// A client with no rights may do nothing: an empty list is not a list of all.
func TestNoRights(t *testing.T) {
	dir := t.TempDir()
	s := start(t, ServerConfig{Listen: "127.0.0.1:0", Users: []User{{NKey: newKey(t, dir, "a")}}})
	c := Config{Name: "a", URL: s.URL(), NKey: filepath.Join(dir, "a.nk")}
	if err := dial(t, c, nil).Listen("x", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("a subscription: got %v", err)
	}
	conn := dial(t, c, nil)
	if err := conn.Tell("x", nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-conn.Context().Done():
	case <-time.After(time.Minute):
		t.Error("a message: got no error")
	}
}
