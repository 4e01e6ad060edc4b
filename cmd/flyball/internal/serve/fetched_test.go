package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/sites"
	"flyball/internal/mail"
	"flyball/internal/testca"
	"flyball/realrun/depot"
)

// A storage server fetches the changes of C and D servers that may not connect to it ([0051], [0052]): each once, over
// restarts of both sides, and these servers push nothing.
func TestChangesAreFetched(t *testing.T) {
	_, receiver := takesMail(t)
	dir := t.TempDir()
	var at [5]any // of storage, c and d, and of their changes
	freeAddresses(t, at[:])
	text := strings.NewReplacer(
		"role = \"storage\"\nlisten = \"127.0.0.1:0\"", fmt.Sprintf("role = \"storage\"\nlisten = %q", at[0]),
		"role = \"c\"\nlisten = \"127.0.0.1:0\"", fmt.Sprintf("role = \"c\"\nlisten = %q\nchanges = %q", at[1], at[2]),
		"role = \"d\"\nlisten = \"127.0.0.1:0\"", fmt.Sprintf("role = \"d\"\nlisten = %q\nchanges = %q", at[3], at[4]),
	).Replace(storingSite)
	write(t, dir, "scenario.toml", storingScenario)
	file := write(t, dir, "site.toml", fmt.Sprintf(text, receiver))
	who := func(i int) string { return fmt.Sprintf("r%d@all.example", i) }
	rows := "email\n"
	for i := range 8 {
		rows += who(i) + "\n"
	}
	store := stored(t, dir, rows)
	s, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := play(t, s)
	key := mail.Key{1}
	if _, err := s.Submit(sites.Submission{List: "store:people", Secret: key}); err != nil {
		t.Fatal(err)
	}
	reported(t, dir, 1)
	leaves := func(r int) {
		t.Helper()
		asks(t, at[3], key, mail.ToLeave, r)
	}
	back := func(r int) {
		t.Helper()
		until(t, fmt.Sprintf("the message of recipient %d is taken", r), func() bool {
			return returns(at[1].(string), key, r, 0) == nil
		})
	}
	is := func(n int) { // the first ones are suppressed, and each change was taken once
		t.Helper()
		until(t, fmt.Sprintf("the store suppresses the first %d", n), func() bool {
			in, err := store.SuppressedIn(t.Context(), "people")
			for r := range 8 {
				a, wrong := mail.ParseAddress(who(r))
				if err != nil || wrong != nil || in.Has(a) != (r < n) {
					return false
				}
			}
			return true
		})
		for _, from := range []string{"c", "d"} {
			if got, err := store.Taken(t.Context(), from+" of site test"); err != nil || got != uint64(n/2) {
				t.Errorf("%s: the store has %d changes, %v, want %d", from, got, err, n/2)
			}
		}
	}
	wait := func(n float64) {
		t.Helper()
		until(t, fmt.Sprintf("%v changes wait", n), func() bool {
			return figures(t, p.Process)(`flyball_buffered_changes{station="[cd]"}`) == n
		})
	}
	leaves(0)
	back(1)
	is(2)
	wait(0)
	p.Kill("storage")
	leaves(2)
	back(3)
	wait(2)
	for _, name := range []string{"c", "d"} {
		p.Kill(name)
		if err := p.Replace(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Replace("storage"); err != nil {
		t.Fatal(err)
	}
	is(4)
	p.Kill("d")
	if err := p.Replace("d"); err != nil {
		t.Fatal(err)
	}
	leaves(4)
	back(5)
	is(6)
	wait(0)
	p.end()
	for name, want := range map[string]string{"storage": "", "c": "storage", "d": "storage"} {
		d, err := depot.Open(filepath.Join(dir, "state", name, "depot"))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := d.Audit()
		d.Close()
		if err != nil {
			t.Fatal(err)
		}
		had := ""
		for _, e := range entries {
			if strings.Contains(e.What, "/changes") || strings.Contains(e.What, "/taken") {
				had = e.Who
			}
		}
		if had != want {
			t.Errorf("%s: changes were asked for by %q, want %q", name, had, want)
		}
	}
}

// The changes of a D server on another computer come over TLS, by the token of the storage server.
func TestChangesAreFetchedFromAnotherComputer(t *testing.T) {
	_, receiver := takesMail(t)
	dir := t.TempDir()
	var at [5]any // of broker, depot, storage, d and its changes
	freeAddresses(t, at[:])
	text := strings.NewReplacer(
		"receiver = %q", fmt.Sprintf("receiver = %q\nkeys = \"keys\"\nbus = { url = \"tls://%s\", ca = \"ca.crt\", "+
			"cert = \"this.crt\", key = \"this.key\" }\ndepot = { listen = %q }", receiver, at[0], at[1]),
		"role = \"storage\"\nlisten = \"127.0.0.1:0\"", fmt.Sprintf("role = \"storage\"\nlisten = %q", at[2]),
		"role = \"d\"\nlisten = \"127.0.0.1:0\"", fmt.Sprintf("role = \"d\"\nlisten = %q\nchanges = %q", at[3], at[4]),
	).Replace(storingSite) + fmt.Sprintf("\n[[station]]\nrole = \"broker\"\nlisten = %q\n", at[0])
	write(t, dir, "scenario.toml", storingScenario)
	testca.New(t, dir, "ca").Issue(t, "this", time.Now().Add(time.Hour), "127.0.0.1")
	file := write(t, dir, "site.toml", text)
	all, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	store := stored(t, dir, "email\nann@all.example\nbob@all.example\n")
	for _, here := range [][]string{{"broker", "a", "b1", "b2", "storage", "c"}, {"d"}} {
		s, err := sites.Load(file, here)
		if err != nil {
			t.Fatal(err)
		}
		play(t, s)
	}
	key := mail.Key{1}
	if _, err := all.Submit(sites.Submission{List: "store:people", Secret: key}); err != nil {
		t.Fatal(err)
	}
	reported(t, dir, 1)
	asks(t, at[3], key, mail.ToLeave, 1)
	bob, err := mail.ParseAddress("bob@all.example")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the store has the change", func() bool {
		in, err := store.SuppressedIn(t.Context(), "people")
		return err == nil && in.Has(bob)
	})
}

// A computer with a server whose changes are fetched knows the storage server alone, by its hash alone.
func TestWhoMayFetchChanges(t *testing.T) {
	dir := t.TempDir()
	text := strings.NewReplacer("receiver = %q", "receiver = \"127.0.0.1:2525\"\nkeys = \"keys\"\n"+
		"bus = { url = \"nats://127.0.0.1:4222\" }\ndepot = { listen = \"127.0.0.1:8400\" }",
		"role = \"d\"\n", "role = \"d\"\nchanges = \"127.0.0.1:8600\"\n").Replace(storingSite)
	write(t, dir, "scenario.toml", storingScenario)
	file := write(t, dir, "site.toml", text)
	all, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	hashes, err := filepath.Glob(filepath.Join(dir, "keys", "*.hash"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range hashes {
		if filepath.Base(name) != "storage.hash" {
			os.Remove(name)
		}
	}
	for name, want := range map[string]string{"d": "[storage]", "c": "[]"} {
		s, err := sites.Load(file, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		p := &Process{site: s}
		if err := p.openTokens(); err != nil {
			t.Fatal(err)
		}
		var knows []string
		for _, c := range p.clients {
			knows = append(knows, c.Name)
		}
		if got := fmt.Sprint(knows); got != want {
			t.Errorf("%s knows %s, want %s", name, got, want)
		}
	}
}
