package depot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/mail"
)

// storeOf is a Store with one list, and suppression up to a number.
type storeOf struct {
	text []byte
	upTo atomic.Int64
	gone atomic.Bool
}

type seeker struct{ *bytes.Reader }

func (seeker) Close() error { return nil }

func (s *storeOf) List(_ context.Context, who, name string) (io.ReadSeekCloser, Digest, error) {
	if name != "people" || who != "a1" {
		return nil, Digest{}, fmt.Errorf("%s for %s is %w", name, who, ErrAbsent)
	}
	_, d := content(1, len(s.text))
	return seeker{bytes.NewReader(s.text)}, d, nil
}

func (s *storeOf) Part(_ context.Context, who string, of Digest) (io.ReadSeekCloser, error) {
	if _, d := content(1, len(s.text)); s.gone.Load() || of != d || who != "b1" {
		return nil, ErrAbsent
	}
	return seeker{bytes.NewReader(s.text)}, nil
}

func (s *storeOf) Digests(context.Context) ([]Digest, error) {
	if s.gone.Load() {
		return nil, nil
	}
	_, d := content(1, len(s.text))
	return []Digest{d}, nil
}

func (s *storeOf) Suppressed(_ context.Context, after int64) (any, bool, error) {
	return s.upTo.Load(), s.upTo.Load() > after, nil
}

// A stored list is had by its digest from where lists are, and from the depot once it is not there any more.
func TestStoredListIsHadFromItsStore(t *testing.T) {
	text, digest := content(1, 100_000)
	store := &storeOf{text: text}
	var parts atomic.Int64 // asked of the depot
	counts := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/parts/") {
				parts.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}
	d := open(t)
	if _, err := d.Put(Manifest{Keys: Keys{Job: 1, Recipients: 1, Date: at, Secret: mail.Key{1}}},
		&Content{Name: "store:people", From: bytes.NewReader(text), Stored: "people"}, nil, nil); err != nil {
		t.Fatal(err)
	}
	cuts := func(h http.Handler) http.Handler { // a fetch goes on where it was stopped
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left := 40_000
			h.ServeHTTP(&cutting{w, &left, new(atomic.Int64)}, r)
		})
	}
	lists := serveWith(t, open(t), cuts, func(s *Server) { s.Store = store })
	for _, gone := range []bool{false, true} {
		store.gone.Store(gone)
		k, err := Keep(Config{Dir: t.TempDir(), Remote: serve(t, d, counts), Lists: lists, Most: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		h, err := k.Mailing(t.Context(), 1)
		if err != nil || h.List.Digest != digest || !bytes.Equal(read(t, k.path(digest.String())), text) {
			t.Fatalf("gone %v: got %v, %v", gone, h, err)
		}
		if n := parts.Load(); n > 0 != gone {
			t.Errorf("gone %v: the depot was asked for %d parts", gone, n)
		}
		k.Close()
	}
}

// A list that is had by its name is whole, or not had.
func TestFetchList(t *testing.T) {
	text, _ := content(1, 10_000)
	store := &storeOf{text: text}
	r := serveWith(t, open(t), nil, func(s *Server) { s.Store = store })
	r.Token = tokenOf("a1")
	if got, err := r.FetchList(t.Context(), "people"); err != nil || !bytes.Equal(got, text) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(text))
	}
	if _, err := r.FetchList(t.Context(), "nobody"); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v, want ErrAbsent", err)
	}
	store.text = append([]byte("x"), text[1:]...)
	if _, err := r.FetchList(t.Context(), "people"); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

// Who waits for suppression has it soon after it is there, and who does not wait has an answer at once.
func TestFetchSuppression(t *testing.T) {
	store := &storeOf{}
	r := serveWith(t, open(t), nil, func(s *Server) { s.Store = store })
	n := int64(-1)
	if err := r.FetchSuppression(t.Context(), 0, true, &n); err != nil || n != 0 {
		t.Errorf("got %d, %v, want 0", n, err)
	}
	time.AfterFunc(50*time.Millisecond, func() { store.upTo.Store(7) })
	if err := r.FetchSuppression(t.Context(), 0, false, &n); err != nil || n != 7 {
		t.Errorf("got %d, %v, want 7", n, err)
	}
}

// Who waits for a mailing has its keys once it is there.
func TestKeysAreWaitedFor(t *testing.T) {
	d := open(t)
	r := serve(t, d, nil)
	time.AfterFunc(50*time.Millisecond, func() { put(t, d, 1, []byte("email\n")) })
	if k, err := r.FetchKeys(t.Context(), 1, true); err != nil || k.Job != 1 {
		t.Errorf("got %v, %v", k, err)
	}
}

// Outcomes come with whether the mailing is closed.
func TestFetchOutcomes(t *testing.T) {
	d := open(t)
	put(t, d, 3, []byte("email\n"))
	closed := false
	r := serveWith(t, d, nil, func(s *Server) {
		s.Outcomes = func(_ context.Context, job engine.Job) ([]byte, bool, error) {
			return []byte{byte(job), 2}, closed, nil
		}
	})
	r.Token = tokenOf("storage1")
	for _, closed = range []bool{false, true} {
		if all, is, err := r.FetchOutcomes(t.Context(), 3); string(all) != "\x03\x02" || is != closed || err != nil {
			t.Errorf("got %v, %v, %v, want closed %v", all, is, err, closed)
		}
	}
}
