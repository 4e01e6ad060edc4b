package depot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/vt"
)

// taking is a list that keeps what it takes, by source.
type taking struct {
	lock sync.Mutex // handlers whose connections are lost may go on
	from map[string][]Change
}

// of returns what has come from a source.
func (t *taking) of(source string) []Change {
	t.lock.Lock()
	defer t.lock.Unlock()
	return slices.Clone(t.from[source])
}

func (t *taking) Taken(_ context.Context, source string) (uint64, error) {
	return uint64(len(t.of(source))), nil
}

func (t *taking) Take(_ context.Context, source string, first uint64, all []Change) (uint64, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	n := uint64(len(t.from[source]))
	if first > n+1 {
		return n, fmt.Errorf("%w after %d", ErrGap, n)
	}
	if first+uint64(len(all)) > n+1 {
		t.from[source] = append(t.from[source], all[n+1-first:]...)
	}
	return uint64(len(t.from[source])), nil
}

// buffered returns the facts of a role of package inbox after requests of many recipients and returned mail of one, and
// the changes that must follow from them.
func buffered() (facts []engine.Fact, want []Change) {
	role := inbox.New(inbox.Default(engine.Address{Role: engine.Requests}))
	var out engine.Outbox
	take := func(body engine.Body) {
		role.Receive(vt.Time(len(out.Write)), engine.Message{Body: body}, &out)
	}
	for r := range 2500 {
		take(engine.Request{Rcpt: 100, Token: uint64(2 * r)})
		want = append(want, Change{Rcpt: 100})
		take(engine.Join{Rcpt: 100, Token: uint64(2*r + 1)}) // waits for its confirmation
		if r%2 == 0 {
			take(engine.Confirmed{Rcpt: 100, Token: uint64(2*r + 1)})
			want = append(want, Change{Rcpt: 100, Add: true})
		}
	}
	take(engine.Returned{Token: 1, Rcpt: 7, Hard: true})
	take(engine.Returned{Token: 1, Rcpt: 7, Hard: true}) // the same one
	take(engine.Returned{Token: 2, Rcpt: 7, Hard: true})
	return out.Write, append(want, Change{Rcpt: 7, Counts: true, Token: 1}, Change{Rcpt: 7, Dead: true})
}

// discarding is an answer that is lost.
type discarding struct{ http.ResponseWriter }

func (d discarding) Write(p []byte) (int, error) { return len(p), nil }
func (d discarding) WriteHeader(int)             {}

// posted posts changes, and returns the code of the answer.
func posted(s *Server, body string) int {
	r := httptest.NewRequest("POST", "/changes", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+tokenOf("d1"))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

// Changes reach the lists whole and in order, pushed or fetched, over connections that fail before and after the lists
// have them.
func TestChanges(t *testing.T) {
	facts, want := buffered()
	if got := ChangesOf(facts); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %d changes, want %d", len(got), len(want))
	}
	have := 0 // that the server has by now
	buffer := func(_ context.Context, after uint64) ([]Change, error) {
		if after > uint64(have) {
			return nil, fmt.Errorf("got changes after %d, want at most %d", after, have)
		}
		return want[after:have], nil
	}
	var asked atomic.Int64
	failing := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch asked.Add(1) % 4 {
			case 1: // the request is lost
				panic(http.ErrAbortHandler)
			case 3: // the answer is lost
				h.ServeHTTP(discarding{w}, r)
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(w, r)
		})
	}
	lists := &taking{from: map[string][]Change{}}
	r := serveWith(t, open(t), failing, func(s *Server) { s.Lists, s.Buffer = lists, buffer })
	push := &Remote{URL: r.URL, Token: tokenOf("d1"), Pause: r.Pause}
	pull := &Remote{URL: r.URL, Token: tokenOf("storage1"), Pause: r.Pause}
	if k, err := push.FetchKeys(t.Context(), 1, false); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v, %v, want ErrAbsent", k, err)
	}
	for _, upTo := range []int{0, 1, 2, 1500, len(want), len(want)} {
		more := upTo - have
		have = upTo
		if n, err := push.Push(t.Context(), buffer); err != nil || n > more || !reflect.DeepEqual(lists.of("d1"),
			want[:have:have]) && have > 0 {
			t.Fatalf("pushed %d of %d: %v", n, more, err)
		}
		if n, err := pull.Pull(t.Context(), "d2", lists); err != nil || n != more || !reflect.DeepEqual(lists.of("d2"),
			want[:have:have]) && have > 0 {
			t.Fatalf("fetched %d of %d: %v", n, more, err)
		}
	}
	// Each end is refused what the other one may do.
	if _, err := pull.Push(t.Context(), buffer); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err := push.Pull(t.Context(), "d3", lists); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	for _, body := range []string{"", "{}", `{"first":0,"changes":[]}`, `{"first":1,"x":1}`, `{"first":-1}`, "[]",
		`{"first":1,"changes":[` + strings.Repeat(`{"rcpt":1},`, most) + `{"rcpt":1}]}`,
		`{"first":1,"changes":[` + strings.Repeat(" ", 300_000) + `]}`} {
		s, err := open(t).Serve(clients(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		s.Lists = lists
		if code := posted(s, body); code != http.StatusBadRequest {
			t.Errorf("%.40s: got %d", body, code)
		}
	}
	s, err := open(t).Serve(clients(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.Lists = lists
	if code := posted(s, `{"first":1000000,"changes":[]}`); code != http.StatusConflict {
		t.Errorf("a gap: got %d", code)
	}
}
