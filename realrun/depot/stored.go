package depot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"flyball/engine"
	"flyball/internal/input"
)

// Store is what a storage server has, for those who may have it ([0050] to [0053]). Errors wrap ErrAbsent for what it
// does not have. who is the name of the client.
type Store interface {
	// List opens the text of a list.
	List(ctx context.Context, who, name string) (io.ReadSeekCloser, Digest, error)
	// Part opens the text with a digest.
	Part(ctx context.Context, who string, of Digest) (io.ReadSeekCloser, error)
	// Digests returns the digests of the texts of all lists, in any order.
	Digests(ctx context.Context) ([]Digest, error)
	// Suppressed returns what is suppressed after the entry of a number, as a value for JSON, and whether that is
	// anything.
	Suppressed(ctx context.Context, after int64) (entries any, some bool, err error)
}

// patience is how long a request waits for what it asks for; its client waits longer.
const patience = 20 * time.Second

// Pauses between two looks for what a request waits for: for what counts at once, and for what is asked of a database
// and may come later.
const (
	polling = 20 * time.Millisecond
	seldom  = time.Second
)

// until calls look, with pauses, until it reports that there is something to answer, or the request has waited for long
// enough; once only unless it waits.
func (s *Server) until(r *http.Request, waits bool, pause time.Duration, look func() bool) {
	for end := time.Now().Add(patience); !look() && waits && time.Until(end) >= pause; {
		select {
		case <-r.Context().Done():
			return
		case <-s.ends:
			return
		case <-time.After(pause):
		}
	}
}

// waits reports whether a request has the parameter wait.
func waits(r *http.Request) bool { return r.URL.Query().Has("wait") }

// failed answers with an error.
func failed(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrAbsent) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	http.Error(w, "it cannot be read", http.StatusServiceUnavailable)
}

// list answers who asks for a list by its name.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if s.Store == nil {
		http.Error(w, "this server has no lists", http.StatusNotFound)
		return
	}
	text, digest, err := s.Store.List(r.Context(), client(r).Name, r.PathValue("list"))
	if err != nil {
		failed(w, err)
		return
	}
	defer text.Close()
	w.Header().Set("Content-Type", "text/csv")
	w.Header().Set("ETag", digest.String())
	if _, err := io.Copy(w, text); err != nil {
		panic(http.ErrAbortHandler) // what the client has is not the whole
	}
}

// suppression answers who asks for the suppression after an entry, the parameter after, when there is some.
func (s *Server) suppression(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	switch {
	case s.Store == nil:
		http.Error(w, "this server has no suppression", http.StatusNotFound)
		return
	case err != nil || after < 0:
		http.Error(w, "want the parameter after, a number", http.StatusBadRequest)
		return
	}
	var entries any
	s.until(r, waits(r), polling, func() (some bool) {
		entries, some, err = s.Store.Suppressed(r.Context(), after)
		return some || err != nil
	})
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, entries)
}

// closedField is the header of the outcomes of a mailing that is closed.
const closedField = "Flyball-Closed"

// outcomes answers who asks for the outcomes of a mailing.
func (s *Server) outcomes(w http.ResponseWriter, r *http.Request) {
	m, ok := s.mailing(w, r)
	if !ok {
		return
	}
	if s.Outcomes == nil {
		http.Error(w, "this server has no outcomes", http.StatusNotFound)
		return
	}
	all, closed, err := s.Outcomes(r.Context(), m.Job)
	if err != nil {
		failed(w, err)
		return
	}
	w.Header().Set(closedField, strconv.FormatBool(closed))
	w.Write(all) // the client is gone if it fails
}

// fetch fetches an answer of at most a size. Of the last answer the header is left.
func (r *Remote) fetch(ctx context.Context, path string, k input.Kind) (text []byte, last *http.Response,
	err error) {
	err = r.again(ctx, func() (int64, error) {
		a, err := r.request(ctx, http.MethodGet, path, nil, 0)
		if err != nil {
			return 0, err
		}
		defer a.Body.Close()
		last = a
		if text, err = io.ReadAll(k.Bound(a.Body, path)); errors.Is(err, input.ErrRefused) {
			err = final{err}
		}
		return int64(len(text)), err
	})
	return text, last, err
}

// FetchList returns the text of a list of a storage server.
func (r *Remote) FetchList(ctx context.Context, name string) ([]byte, error) {
	text, last, err := r.fetch(ctx, "/lists/"+url.PathEscape(name), input.List)
	if err != nil {
		return nil, err
	}
	if want := last.Header.Get("ETag"); want != Digest(sha256.Sum256(text)).String() {
		return nil, fmt.Errorf("list %s is %w: want digest %.16s", name, ErrDamaged, want)
	}
	return text, nil
}

// FetchSuppression reads the suppression after an entry into a value for JSON. It waits for some unless at once is set,
// and returns without any after a while.
func (r *Remote) FetchSuppression(ctx context.Context, after int64, atOnce bool, to any) error {
	path := fmt.Sprintf("/suppression?after=%d", after)
	if !atOnce {
		path += "&wait"
	}
	text, _, err := r.fetch(ctx, path, input.Suppression)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// FetchOutcomes returns what became of each recipient of a mailing, a mail.Status each, and whether the mailing is
// closed.
func (r *Remote) FetchOutcomes(ctx context.Context, job engine.Job) (all []byte, closed bool, err error) {
	all, last, err := r.fetch(ctx, fmt.Sprintf("/mailings/%d/outcomes", job), input.List)
	if err != nil {
		return nil, false, err
	}
	return all, last.Header.Get(closedField) == "true", nil
}
