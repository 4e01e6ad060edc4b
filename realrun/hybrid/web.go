package hybrid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"flyball/internal/points"
)

// front is a path with what stands behind it.
type front struct {
	kind    Kind
	prefix  string
	methods []string
	proxy   *httputil.ReverseProxy
}

// fronts returns all that is served.
func (s *Server) fronts(quiet *log.Logger) (all []front) {
	looks := []string{http.MethodGet, http.MethodHead}
	for _, v := range []struct {
		kind    Kind
		prefix  string
		methods []string
		bank    []netip.AddrPort
	}{{Open, "/o/", looks, s.cfg.Response}, {Click, "/c/", looks, s.cfg.Response},
		{Request, "/u/", append(slices.Clone(looks), http.MethodPost), s.cfg.Requests}} {
		if len(v.bank) > 0 {
			all = append(all, front{v.kind, v.prefix, v.methods, s.proxy(v.kind, newBank(v.bank, &s.cfg), quiet)})
		}
	}
	return all
}

// proxy returns a proxy before a bank, for requests of a kind.
func (s *Server) proxy(k Kind, b *bank, quiet *log.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded() // in place of what the client said of itself
			r.Out.Host = r.In.Host
			r.Out.URL.Scheme = "http"
			for name := range r.Out.Header {
				if !slices.Contains(inward, name) {
					r.Out.Header.Del(name)
				}
			}
		},
		Transport: &behind{s, b, k},
		ErrorLog:  quiet,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "No server answers now", http.StatusBadGateway)
		},
	}
}

// inward are the headers that go to the servers of a bank, and outward those that come back: a header that is not known
// here could tell what stands behind.
var (
	inward = []string{"Accept", "Accept-Language", "Content-Length", "Content-Type", "Origin", "Purpose", "Referer",
		"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Purpose", "User-Agent", "X-Forwarded-For",
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Moz"}
	outward = []string{"Allow", "Cache-Control", "Content-Length", "Content-Security-Policy", "Content-Type", "Date",
		"Location", "Referrer-Policy", "Retry-After", "X-Content-Type-Options", "X-Robots-Tag"}
)

// behind asks the servers of a bank, one after the other, until one answers. What is asked for may be asked twice: a
// look changes nothing, and a request that comes again counts once.
type behind struct {
	of   *Server
	b    *bank
	kind Kind
}

// RoundTrip returns the answer of a server.
func (b *behind) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	err = errors.New("no server")
	for _, at := range b.b.order(time.Now()) {
		if r.Context().Err() != nil {
			break
		}
		var reached bool
		answer, reached, err = b.of.ask(r, at)
		if b.b.tried(at, time.Now(), reached); err == nil {
			points.Reached("asked")
			b.of.cfg.tell(b.kind, Forwarded)
			return answer, nil
		}
	}
	if r.Context().Err() == nil { // else it is the client that is gone
		b.of.cfg.tell(b.kind, Failed)
	}
	return nil, err
}

// ask returns the answer of one server as a whole, so that one that is cut short, too slow or too large does not come
// out in part. reached reports whether the server answers at all. The server learns nothing of who waits for the
// answer, and its hints before the answer (1yz) go no further.
func (s *Server) ask(r *http.Request, at netip.AddrPort) (answer *http.Response, reached bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)()
	again := r.Clone(ctx)
	again.URL.Host = at.String()
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, true, err
		}
	}
	if answer, err = s.client.RoundTrip(again); err != nil {
		return nil, false, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(s.cfg.MostAnswer)+1))
	switch {
	case err != nil:
		return nil, false, err
	case len(body) > s.cfg.MostAnswer:
		return nil, true, fmt.Errorf("got an answer of more than %d bytes", s.cfg.MostAnswer)
	case answer.StatusCode < 200 || answer.StatusCode == http.StatusServiceUnavailable:
		return nil, false, fmt.Errorf("got the status %d, want an answer", answer.StatusCode)
	}
	for name := range answer.Header {
		if !slices.Contains(outward, name) {
			answer.Header.Del(name)
		}
	}
	answer.Body, answer.Trailer = io.NopCloser(bytes.NewReader(body)), nil
	return answer, true, nil
}

// ServeHTTP hands a request on. Its body is read whole before a server is asked.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	i := slices.IndexFunc(s.web, func(f front) bool { return strings.HasPrefix(r.URL.Path, f.prefix) })
	clean := path.Clean(r.URL.Path)
	switch {
	case i < 0, r.URL.RawPath != "", clean != r.URL.Path && clean+"/" != r.URL.Path, r.URL.Host != "":
		s.cfg.tell(Other, Refused)
		http.Error(w, "No such page", http.StatusNotFound)
		return
	case !slices.Contains(s.web[i].methods, r.Method):
		s.cfg.tell(s.web[i].kind, Refused)
		w.Header().Set("Allow", strings.Join(s.web[i].methods, ", "))
		http.Error(w, "No such method", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.cfg.MostBody)))
	if err != nil {
		s.cfg.tell(s.web[i].kind, Refused)
		http.Error(w, "The request is too long", http.StatusRequestEntityTooLarge)
		return
	}
	in := r.Clone(r.Context())
	in.Body, in.ContentLength, in.TransferEncoding, in.Trailer = http.NoBody, int64(len(body)), nil, nil
	if len(body) > 0 {
		in.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		in.Body, _ = in.GetBody()
	}
	in.Header.Del("Upgrade")
	in.Header.Del("Connection")
	w.Header().Del("X-Content-Type-Options") // the answer has its own
	s.web[i].proxy.ServeHTTP(w, in)
}
