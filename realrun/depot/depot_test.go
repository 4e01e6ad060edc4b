package depot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/mailing"
	"flyball/scenarios"
)

// at is the time of all tests.
var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func tokenOf(name string) string { return "token-of-" + name + strings.Repeat("x", 20) }

func clients() (all []Client) {
	for _, r := range Roles {
		name := string(r) + "1"
		all = append(all, Client{name, r, HashToken(tokenOf(name))})
	}
	return all
}

// content returns bytes that no compression shortens, and their digest.
func content(seed uint64, size int) ([]byte, Digest) {
	text := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(text)
	return text, sha256.Sum256(text)
}

func open(t *testing.T) *Depot {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "depot"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// put puts a mailing with one list.
func put(t *testing.T, d *Depot, job engine.Job, list []byte) Manifest {
	t.Helper()
	m, err := d.Put(Manifest{Keys: Keys{Job: job, Recipients: 1, Date: at, Secret: mail.Key{1}}},
		&Content{Name: "people.csv", From: bytes.NewReader(list)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serve serves a depot, with a handler around its own, and returns how to reach it.
func serve(t *testing.T, d *Depot, around func(http.Handler) http.Handler) *Remote {
	t.Helper()
	return serveWith(t, d, around, func(*Server) {})
}

// serveWith is serve for a server with more settings.
func serveWith(t *testing.T, d *Depot, around func(http.Handler) http.Handler, more func(*Server)) *Remote {
	t.Helper()
	s, err := d.Serve(clients(), func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	more(s)
	var h http.Handler = s
	if around != nil {
		h = around(s)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &Remote{URL: server.URL, Token: tokenOf("b1"), Pause: time.Nanosecond}
}

func keep(t *testing.T, dir string, r *Remote, most int64, warn func(error)) *Kept {
	t.Helper()
	k, err := Keep(Config{Dir: dir, Remote: r, Most: most, Warn: warn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A mailing reaches a delivering server as it was put, and gives the same recipients and messages there.
func TestMailing(t *testing.T) {
	text, ok := scenarios.Builtin("quickstart")
	s, err := scenarios.Load("quickstart", text, nil)
	if !ok || err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	template := filepath.Join(dir, "letter.txt")
	for name, text := range map[string]string{"letter.txt": "From: news@sender.example\nSubject: Hello {{Name}}\n" +
		"Attach: terms.txt\n\nDear {{Name}},\n", "terms.txt": "terms and conditions\n",
		"other.txt": "not the letter's\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := "email,Name\n"
	for i := range 100 {
		list += fmt.Sprintf("p%d@%s,Person %d\n", i, s.Destinations[i%len(s.Destinations)].Domain, i)
	}
	letter, err := Letter(template)
	if err != nil || len(letter) != 2 {
		t.Fatalf("got %d files, %v; want letter and attachment", len(letter), err)
	}
	key := mail.Key{7}
	text = []byte("p3@" + s.Destinations[3%len(s.Destinations)].Domain + "\n")
	files := func(name string, most int64) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	want, err := mailing.New(s, rng.New(s.Seed, 0), mailing.Source{List: strings.NewReader(list), ListName: "l",
		Template: bytes.NewReader(read(t, template)), TemplateName: "t", Files: files,
		Suppression: bytes.NewReader(text), SuppressionName: "s", Key: key, Date: at, Rejects: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	d := open(t)
	keys := Keys{Job: 7, First: 1000, Recipients: uint32(want.List.Len()), Date: at, Secret: key}
	terms := engine.Terms{Processes: 3, Size: 10, Rate: 4.5}
	sent, err := d.Put(Manifest{Keys: keys, Rows: want.Digest(), Terms: terms},
		&Content{Name: "people.csv", From: strings.NewReader(list)},
		&Content{Name: "suppress.txt", From: bytes.NewReader(text)}, letter)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "kept")
	k := keep(t, at, serve(t, d, nil), 1<<20, nil)
	same := func(k *Kept) {
		t.Helper()
		h, err := k.Mailing(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
		if h.Manifest.Digest() != sent.Digest() {
			t.Errorf("got %+v, want %+v", h.Manifest, sent)
		}
		src, end, err := h.Source()
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		src.Rejects = io.Discard
		got, err := mailing.New(s, rng.New(s.Seed, 0), src)
		if err == nil {
			err = h.Check(got)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.List.Len() != 99 {
			t.Errorf("got %d recipients, want 99", got.List.Len())
		}
		for r := range got.List.Len() {
			to, body := got.Letter(mail.Recipient(r), nil)
			wantTo, wantBody := want.Letter(mail.Recipient(r), nil)
			if to != wantTo || !bytes.Equal(body, wantBody) {
				t.Fatalf("recipient %d: got %s\n%s\nwant %s\n%s", r, to, body, wantTo, wantBody)
			}
		}
	}
	same(k)
	k.Close()
	same(keep(t, at, &Remote{URL: "http://127.0.0.1:1", Token: tokenOf("b1")}, 1<<20, nil)) // without the depot

	other := sent
	other.Rows = "another"
	if err := other.Check(want); err == nil || !strings.Contains(err.Error(), "another scenario or allowlist") {
		t.Error(err)
	}
	for _, f := range []string{"", "audit", manifestName + "7", sent.List.Digest.String()} {
		info, err := os.Stat(d.path(f))
		if err != nil || info.Mode().Perm()&0o077 != 0 && f != "audit" {
			t.Errorf("%s: %v, %v, want a file for its owner alone", f, info.Mode(), err)
		}
	}
}

// A mailing that is there stays as it is, and what a Put that failed or was stopped has left is removed.
func TestPutAgain(t *testing.T) {
	d := open(t)
	one, _ := content(1, 1000)
	two, digest := content(2, 1000)
	m := put(t, d, 1, one)
	again := put(t, d, 1, one)
	if again.Digest() != m.Digest() {
		t.Error("the same mailing has another manifest")
	}
	_, err := d.Put(m, &Content{Name: "people.csv", From: bytes.NewReader(two)}, nil, nil)
	if !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	broken := errors.New("broken")
	_, err = d.Put(Manifest{Keys: Keys{Job: 2, Recipients: 1, Date: at, Secret: mail.Key{1}}},
		&Content{Name: "people.csv", From: io.MultiReader(bytes.NewReader(two), failing{broken})}, nil, nil)
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	for _, bad := range []Manifest{{},
		{Keys: Keys{Job: 1, Recipients: 1, First: 1<<32 - 1, Date: at, Secret: mail.Key{1}}},
		{Keys: Keys{Job: 3, Recipients: 1, Date: at}}} {
		if _, err := d.Put(bad, &Content{Name: "people.csv", From: bytes.NewReader(two)}, nil, nil); err == nil {
			t.Errorf("%+v was put", bad)
		}
	}
	_, err = d.Put(Manifest{Keys: Keys{Job: 4, Recipients: 1, Date: at, Secret: mail.Key{1}}}, nil, nil,
		[]Content{{Name: "../up", From: bytes.NewReader(two)}})
	if err == nil || !strings.Contains(err.Error(), "letter[0]") {
		t.Error(err)
	}
	want := []string{"audit", m.List.Digest.String(), "mailing-1"}
	for _, name := range []string{digest.String(), "put-9.part", "mailing-9.part"} { // of a Put that was stopped
		if err := os.WriteFile(d.path(name), two, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(string(d.files)); err == nil {
		t.Error("two processes have one depot")
	}
	d.Close()
	d, err = Open(string(d.files))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, _ := d.files.Names()
	if len(names) != 3 {
		t.Errorf("got %v, want %v", names, want)
	}
	put(t, d, 5, one)
	if err := d.Remove(1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Mailing(1); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if f, err := d.part(m.List.Digest); err != nil { // mailing 5 has it too
		t.Error(err)
	} else {
		f.Close()
	}
	if err := d.Remove(5); err != nil {
		t.Fatal(err)
	}
	if names, _ := d.files.Names(); len(names) != 1 {
		t.Errorf("got %v, want the audit alone", names)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// cutting ends connections after some bytes of a part, and counts what was sent.
type cutting struct {
	http.ResponseWriter
	left *int
	sent *atomic.Int64
}

func (c *cutting) Write(p []byte) (int, error) {
	n := min(len(p), *c.left)
	n, err := c.ResponseWriter.Write(p[:n])
	*c.left -= n
	c.sent.Add(int64(n))
	if err == nil && *c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// A fetch goes on where the connection was lost, in the same process and in the next one: no byte comes twice.
func TestFetchGoesOn(t *testing.T) {
	d := open(t)
	text, digest := content(3, 1_000_000)
	put(t, d, 1, text)
	var sent atomic.Int64
	var asked atomic.Int64
	r := serve(t, d, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left := 70_001
			asked.Add(1)
			h.ServeHTTP(&cutting{w, &left, &sent}, r)
		})
	})
	dir := t.TempDir()
	k := keep(t, dir, r, 1<<20, nil)
	if err := k.fetchManifest(t.Context(), 1, nameOf(1)); err != nil { // it names the part, which stays so
		t.Fatal(err)
	}
	sent.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for sent.Load() < 300_000 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := k.Fetch(ctx, digest); !errors.Is(err, context.Canceled) && err != nil {
		t.Fatal(err)
	}
	k.Close()
	k = keep(t, dir, r, 1<<20, nil)
	name, err := k.Fetch(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, name), text) {
		t.Error("the part is another one")
	}
	// What was under way when the first process was stopped may have been sent and not written.
	if n := sent.Load(); n < 1_000_000 || n > 1_000_000+70_001 || asked.Load() < 15 {
		t.Errorf("got %d bytes by %d requests, want each byte once", n, asked.Load())
	}
}

// A fetch ends with an error if the server cuts each connection and begins each part anew: bytes that come again do not
// count as progress.
func TestFetchGoesNowhere(t *testing.T) {
	d := open(t)
	text, digest := content(3, 100_000)
	put(t, d, 1, text)
	var sent, asked atomic.Int64
	r := serve(t, d, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left := 70_001
			asked.Add(1)
			r.Header.Del("Range")
			h.ServeHTTP(&cutting{w, &left, &sent}, r)
		})
	})
	k := keep(t, t.TempDir(), r, 1<<20, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := k.Fetch(ctx, digest); err == nil || ctx.Err() != nil || asked.Load() > 2*mostFailures {
		t.Errorf("got %v after %d requests, want an error after at most %d", err, asked.Load(), 2*mostFailures)
	}
}

// A part with another content is never used: it is refused in words and fetched again.
func TestDamaged(t *testing.T) {
	d := open(t)
	text, digest := content(4, 100_000)
	put(t, d, 1, text)
	var flips atomic.Int64
	r := serve(t, d, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			if flips.Add(-1) >= 0 {
				body[len(body)/2] ^= 1
			}
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			w.Write(body)
		})
	})
	var warnings []string
	k := keep(t, t.TempDir(), r, 1<<20, func(err error) { warnings = append(warnings, err.Error()) })
	flips.Store(1)
	name, err := k.Fetch(t.Context(), digest)
	if err != nil || !bytes.Equal(read(t, name), text) {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "is damaged: what came has digest") {
		t.Errorf("got %q", warnings)
	}
	// On the disk of the server.
	if err := os.WriteFile(name, text[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if name, err = k.Fetch(t.Context(), digest); err != nil || !bytes.Equal(read(t, name), text) {
		t.Fatal(err)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[1], "that was kept is damaged") {
		t.Errorf("got %q", warnings)
	}
	// What a fetch that was stopped has left is of another part, as long, shorter or longer.
	for _, n := range []int{1, 50_000, 100_000, 100_001} {
		foreign, _ := content(5, n)
		if err := errors.Join(os.Remove(name), os.WriteFile(name+partial, foreign, 0o600)); err != nil {
			t.Fatal(err)
		}
		if name, err = k.Fetch(t.Context(), digest); err != nil || !bytes.Equal(read(t, name), text) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	// For good.
	os.Remove(name)
	flips.Store(100)
	if name, err = k.Fetch(t.Context(), digest); !errors.Is(err, ErrDamaged) || name != "" {
		t.Errorf("got %s, %v, want ErrDamaged", name, err)
	}
	if left, _ := filepath.Glob(filepath.Join(k.cfg.Dir, "*")); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// What is kept has a bound; what was used longest ago goes first, and never what a mailing under way needs.
func TestRoom(t *testing.T) {
	d := open(t)
	var digests []Digest
	for i := range 6 {
		text, digest := content(uint64(10+i), 1000)
		put(t, d, engine.Job(i+1), text)
		digests = append(digests, digest)
	}
	dir := t.TempDir()
	k := keep(t, dir, serve(t, d, nil), 3000, nil)
	there := func(want ...int) {
		t.Helper()
		var size int64
		for i, digest := range digests {
			info, err := os.Stat(k.path(digest.String()))
			in := false
			for _, w := range want {
				in = in || w == i
			}
			if (err == nil) != in {
				t.Errorf("part %d is there: %v, want %v", i, err == nil, in)
			}
			if err == nil {
				size += info.Size()
			}
		}
		if size > 3000 {
			t.Errorf("%d bytes are kept", size)
		}
	}
	fetch := func(i int) error { _, err := k.Fetch(t.Context(), digests[i]); return err }
	for _, i := range []int{0, 1, 2, 0, 3} {
		if err := fetch(i); err != nil {
			t.Fatal(err)
		}
	}
	there(0, 2, 3)
	h, err := k.Mailing(t.Context(), 3) // part 2
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{4, 5, 1} {
		if err := fetch(i); err != nil {
			t.Fatal(err)
		}
	}
	there(1, 2, 5)
	two, err := k.Mailing(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	three, err := k.Mailing(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	there(0, 1, 2)
	if err := fetch(4); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := k.Mailing(t.Context(), 5); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	there(0, 1, 2)
	two.Release()
	two.Release() // has no effect
	if err := fetch(4); err != nil {
		t.Fatal(err)
	}
	there(1, 2, 4)
	h.Release()
	three.Release()
	k.Close()
	k = keep(t, dir, k.cfg.Remote, 3000, nil)
	for _, i := range []int{0, 3, 5} {
		if err := fetch(i); err != nil {
			t.Fatal(err)
		}
	}
	there(0, 3, 5)
}

// Callers at the same time share one fetch; one that goes away leaves it to the others.
func TestShared(t *testing.T) {
	d := open(t)
	text, digest := content(6, 100_000)
	put(t, d, 1, text)
	var asked atomic.Int64
	begun, goOn := make(chan struct{}), make(chan struct{})
	k := keep(t, t.TempDir(), serve(t, d, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				close(begun)
			}
			<-goOn
			h.ServeHTTP(w, r)
		})
	}), 1<<20, nil)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := k.Fetch(ctx, digest)
		gone <- err
	}()
	<-begun
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			name, err := k.Fetch(t.Context(), digest)
			if err != nil || !bytes.Equal(read(t, name), text) {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < 21; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		waiting = k.flights[digest.String()].waiting
		k.mu.Unlock()
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("got %d requests, want 1", asked.Load())
	}
	if len(k.flights) != 0 {
		t.Errorf("%d fetches are left", len(k.flights))
	}
}

func FuzzManifest(f *testing.F) {
	m := Manifest{Version: 1, Keys: Keys{Job: 1, Recipients: 1, Date: at, Secret: mail.Key{1}},
		List:   &Part{Name: "people.csv", Digest: Digest{1}, Size: 5},
		Letter: []Part{{Name: "letter.txt", Digest: Digest{2}}}}
	f.Add(m.text())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(m.text())
		if err != nil || again.Digest() != m.Digest() {
			t.Errorf("%s: got %+v, %v", strconv.Quote(string(text)), again, err)
		}
	})
}
