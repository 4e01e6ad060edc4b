package depot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/input"
	"flyball/internal/mail"
)

// Change is a change of a list, as a server for returned mail or requests has buffered it ([0044], [0047]).
type Change struct {
	Rcpt mail.Recipient `json:"rcpt"` // place in the list of all mailings, see engine.Submitted
	Add  bool           `json:"add,omitempty"`
	Dead bool           `json:"dead,omitempty"` // mail returned; false: the recipient asked
	// Counts is set for a returned mail that alone does not make the address dead; the message with its token counts
	// once.
	Counts bool   `json:"counts,omitempty"`
	Token  uint64 `json:"token,omitempty"`
}

// ChangeOf returns a change that a role of package inbox has made.
func ChangeOf(m inbox.Made) Change {
	return Change{Rcpt: m.Rcpt, Add: m.Add, Dead: m.Returned && !m.Add && !m.Counts, Counts: m.Counts, Token: m.Token}
}

// Changes are numbered from First on.
type Changes struct {
	First   uint64   `json:"first"`
	Changes []Change `json:"changes"`
}

// ChangesOf returns all changes that the facts of a role of package inbox have made, the first of which has number 1:
// its journal is the buffer.
func ChangesOf(facts []engine.Fact) (all []Change) {
	for _, f := range facts {
		for _, m := range inbox.MadeBy(f) {
			all = append(all, ChangeOf(m))
		}
	}
	return all
}

// Buffer returns changes of a server after a number, some or all of them, and none if there are no more.
type Buffer func(ctx context.Context, after uint64) ([]Change, error)

// Lists is what changes of lists go to, such as a storage.Store. Both methods return the number up to which it has the
// changes of a source.
type Lists interface {
	// Taken asks for that number.
	Taken(ctx context.Context, source string) (upTo uint64, err error)
	// Take takes changes from a number on, durably, and none that it has taken before. The error wraps ErrGap if some
	// before the first are missing.
	Take(ctx context.Context, source string, first uint64, all []Change) (upTo uint64, err error)
}

// ErrGap is returned for changes that do not follow the ones taken before.
var ErrGap = errors.New("changes are missing")

// most is the most changes of one request.
const most = 1000

// perChanges bounds the bytes of one request with changes: more than most of them have.
var perChanges = input.Kind{Name: "changes", Most: 256 << 10}

// upTo is the answer to changes.
type upTo struct {
	UpTo uint64 `json:"up_to"`
}

func client(r *http.Request) Client { return r.Context().Value(clientKey{}).(Client) }

// take answers changes that are pushed.
func (s *Server) take(w http.ResponseWriter, r *http.Request) {
	if s.Lists == nil {
		http.Error(w, "this server has no lists", http.StatusNotFound)
		return
	}
	var c Changes
	d := json.NewDecoder(perChanges.Bound(r.Body, "changes"))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || c.First == 0 || len(c.Changes) > most {
		http.Error(w, fmt.Sprintf("want changes, at most %d, numbered from 1 on", most), http.StatusBadRequest)
		return
	}
	n, err := s.Lists.Take(r.Context(), client(r).Name, c.First, c.Changes)
	switch {
	case errors.Is(err, ErrGap):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, "the changes are not taken", http.StatusServiceUnavailable)
	default:
		answer(w, upTo{n})
	}
}

func (s *Server) taken(w http.ResponseWriter, r *http.Request) {
	if s.Lists == nil {
		http.Error(w, "this server has no lists", http.StatusNotFound)
		return
	}
	n, err := s.Lists.Taken(r.Context(), client(r).Name)
	if err != nil {
		http.Error(w, "the lists do not answer", http.StatusServiceUnavailable)
		return
	}
	answer(w, upTo{n})
}

// buffered answers who asks for changes after a number, the parameter after.
func (s *Server) buffered(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	switch {
	case s.Buffer == nil:
		http.Error(w, "this server buffers no changes", http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, "want the parameter after, a number", http.StatusBadRequest)
		return
	}
	all, err := s.Buffer(r.Context(), after)
	if err != nil {
		http.Error(w, "the changes cannot be read", http.StatusServiceUnavailable)
		return
	}
	answer(w, Changes{after + 1, all[:min(len(all), most)]})
}

// Push pushes the changes of a buffer to the server at r, those that it lacks, and returns how many these were
// ([0051]). Errors wrap ErrRefused, or come from the network or the buffer.
func (r *Remote) Push(ctx context.Context, from Buffer) (n int, err error) {
	var have upTo
	if err := r.ask(ctx, http.MethodGet, "/taken", nil, &have); err != nil {
		return 0, err
	}
	for {
		all, err := from(ctx, have.UpTo)
		if err != nil || len(all) == 0 {
			return n, err
		}
		c := Changes{have.UpTo + 1, all[:min(len(all), most)]}
		if err := r.ask(ctx, http.MethodPost, "/changes", c, &have); err != nil {
			return n, err
		}
		if have.UpTo < c.First {
			return n, fmt.Errorf("the server at %s takes no changes: it has them up to %d", r.URL, have.UpTo)
		}
		n += int(have.UpTo - c.First + 1)
	}
}

// Pull fetches the changes that the server at r, which is the source of a name, has buffered, and returns how many
// were new ([0051], [0052]). Errors wrap ErrRefused, or come from the network or the lists.
func (r *Remote) Pull(ctx context.Context, source string, to Lists) (n int, err error) {
	have, err := to.Taken(ctx, source)
	for err == nil {
		var c Changes
		if err = r.ask(ctx, http.MethodGet, fmt.Sprintf("/changes?after=%d", have), nil, &c); err != nil {
			break
		}
		if c.First != have+1 {
			return n, fmt.Errorf("the server at %s gives changes from %d on, want %d", r.URL, c.First, have+1)
		}
		if len(c.Changes) == 0 {
			return n, nil
		}
		n += len(c.Changes)
		have, err = to.Take(ctx, source, c.First, c.Changes)
	}
	return n, err
}

// ask makes a request with a body in JSON, which may be nil, and reads the answer into one.
func (r *Remote) ask(ctx context.Context, method, path string, body, to any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return r.again(ctx, func() (int64, error) {
		a, err := r.request(ctx, method, path, bytes.NewReader(text), 0)
		if err != nil {
			return 0, err
		}
		defer a.Body.Close()
		d := json.NewDecoder(perChanges.Bound(a.Body, path))
		if err := d.Decode(to); err != nil {
			return 0, fmt.Errorf("got another answer than wanted from %s: %w", path, err)
		}
		return 0, nil
	})
}
