package depot

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flyball/engine"
)

// Server is an http.Handler that serves a depot.
type Server struct {
	// Lists takes changes, of which the source is the name of the client; nil: none are taken.
	Lists Lists
	// Buffer returns the changes after a number; nil: there are none.
	Buffer Buffer
	// Store has lists and suppression; nil: there are none.
	Store Store
	// Outcomes returns what became of each recipient of a mailing so far, a mail.Status each, and whether the mailing
	// is closed; nil: it is not known.
	Outcomes func(context.Context, engine.Job) (all []byte, closed bool, err error)
	// Recorded takes that a storage server has all outcomes of a mailing; nil: there is none.
	Recorded func(context.Context, engine.Job) error
	// Admit decides whether a client may do what it claims that it may, and returns what it grants. The error wraps
	// ErrRefused if not; nil: no claims are taken.
	Admit func(client string, claim json.RawMessage) (grant any, err error)

	depot   *Depot
	clients []Client
	now     func() time.Time
	mux     *http.ServeMux
	ends    chan struct{} // closed when the server is to end: requests that wait are answered
	ended   sync.Once
}

// Serve returns a server of the depot for clients. The time of audit entries is now. Errors are those of
// validateClients.
func (d *Depot) Serve(clients []Client, now func() time.Time) (*Server, error) {
	if err := validateClients(clients); err != nil {
		return nil, err
	}
	s := &Server{depot: d, clients: clients, now: now, mux: http.NewServeMux(),
		ends: make(chan struct{})}
	answers := map[string]http.HandlerFunc{"GET /mailings/{job}": s.manifest, "GET /mailings/{job}/keys": s.keys,
		"GET /mailings/{job}/outcomes": s.outcomes, "GET /lists/{list}": s.list, "GET /suppression": s.suppression,
		"GET /parts/{digest}": s.part, "GET /changes": s.buffered, "GET /taken": s.taken, "POST /changes": s.take,
		"GET /audit": s.audit, "GET /running": s.running, "POST /mailings/{job}/recorded": s.recorded,
		"GET /digests": s.digests, "POST " + claims: s.admit}
	for _, r := range Rights {
		s.mux.Handle(r.Method+" "+r.Path, s.guarded(r, answers[r.Method+" "+r.Path]))
	}
	s.mux.Handle("/", s.guarded(Right{What: "do that"}, nil))
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s.mux.ServeHTTP(w, r)
}

// guarded lets those clients through to answer that have a right, after the audit has the access. A client that is
// refused may ask again and again.
func (s *Server) guarded(right Right, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		client, known := find(s.clients, token)
		known = known && bearer
		a := Access{At: s.now().UTC().Round(0), Who: client.Name, Role: client.Role, Code: http.StatusOK,
			What: fmt.Sprintf("%s %.200q", r.Method, r.URL.Path)}
		words := ""
		switch {
		case !known:
			a.Who, a.Role, a.Code, words = r.RemoteAddr, "", http.StatusUnauthorized, "got no token of a client"
			w.Header().Set("WWW-Authenticate", "Bearer")
		case !slices.Contains(right.May, client.Role):
			a.Code = http.StatusForbidden
			words = fmt.Sprintf("%s is of role %s, which may not %s", client.Name, client.Role, right.What)
		default:
			a.From = first(r.Header.Get("Range"))
		}
		if err := s.depot.audit.enter(a, right.Daily || a.Code != http.StatusOK); err != nil {
			http.Error(w, "the audit cannot be written", http.StatusInternalServerError)
			return
		}
		if a.Code != http.StatusOK {
			http.Error(w, words, a.Code)
			return
		}
		answer(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, client)))
	})
}

// clientKey is the key of the client in the context of a request.
type clientKey struct{}

// first returns the first byte of a range, as Kept asks for it.
func first(header string) int64 {
	text, _ := strings.CutPrefix(header, "bytes=")
	text, _, _ = strings.Cut(text, "-")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // the client is gone if it fails
}

func (s *Server) mailing(w http.ResponseWriter, r *http.Request) (Manifest, bool) {
	job, err := strconv.ParseUint(r.PathValue("job"), 10, 32)
	if err != nil {
		http.Error(w, "want the number of a mailing", http.StatusBadRequest)
		return Manifest{}, false
	}
	var m Manifest
	s.until(r, waits(r), polling, func() bool {
		m, err = s.depot.Mailing(engine.Job(job))
		return err == nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
	}
	return m, err == nil
}

func (s *Server) manifest(w http.ResponseWriter, r *http.Request) {
	if m, ok := s.mailing(w, r); ok && m.Ended {
		http.Error(w, "the mailing has ended", http.StatusNotFound)
	} else if ok {
		w.Header().Set("Content-Type", "application/json")
		w.Write(m.text()) // the client is gone if it fails
	}
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	if m, ok := s.mailing(w, r); ok {
		if client := r.Context().Value(clientKey{}).(Client); client.Role != Responses {
			m.Targets = nil
		}
		answer(w, m.Keys)
	}
}

func (s *Server) part(w http.ResponseWriter, r *http.Request) {
	digest, err := ParseDigest(r.PathValue("digest"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var f io.ReadSeekCloser
	if f, err = s.depot.part(digest); errors.Is(err, ErrAbsent) && s.Store != nil {
		f, err = s.Store.Part(r.Context(), client(r).Name, digest)
	}
	if err != nil {
		failed(w, err)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest.String()+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
}

// Listen serves until ctx ends; the requests that are answered then have a few seconds. Without settings of TLS the
// listener must be on loopback, else the error wraps ErrRefused.
func (s *Server) Listen(ctx context.Context, l net.Listener, settings *tls.Config) error {
	if at, is := l.Addr().(*net.TCPAddr); settings == nil && !(is && at.IP.IsLoopback()) {
		return fmt.Errorf("depot: %w: got the address %s without TLS, want one on loopback", ErrRefused, l.Addr())
	}
	server := &http.Server{Handler: s, TLSConfig: settings, ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() {
		s.ended.Do(func() { close(s.ends) })
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
	})
	defer stop()
	var err error
	if settings != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("depot: %w", err)
}
