package response

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"flyball/internal/mail"
	"flyball/internal/points"
)

// Server answers responses and records them. It is an http.Handler; Serve serves it with limits, and alone records.
type Server struct {
	cfg   Config
	http  *http.Server
	came  chan Response
	broke chan struct{} // closed when nothing is recorded any more

	lock      sync.RWMutex
	campaigns map[uint32]*Campaign // by the mark of the key
	named     map[string]*Campaign
	store     *store
}

// New opens the folder of a server. The caller must Close it.
func New(cfg Config) (*Server, error) {
	if errs := cfg.Validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	s := &Server{cfg: cfg, came: make(chan Response, cfg.Batch), broke: make(chan struct{}),
		campaigns: map[uint32]*Campaign{}, named: map[string]*Campaign{}}
	st, err := open(&s.cfg, s.now())
	if err != nil {
		return nil, err
	}
	s.store = st
	st.campaign = func(name string) *Campaign {
		s.lock.RLock()
		defer s.lock.RUnlock()
		return s.named[name]
	}
	s.http = &http.Server{Handler: s, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout, IdleTimeout: cfg.Timeout,
		MaxHeaderBytes: cfg.MostHeader, ErrorLog: log.New(io.Discard, "", 0)} // clients that vanish
	return s, nil
}

// Add makes the server count the responses of a campaign, in place of one with the same name.
func (s *Server) Add(c Campaign) error {
	if errs := c.Validate(); errs != nil {
		return errors.Join(errs...)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	mark := c.Key.Mark()
	if other := s.campaigns[mark]; other != nil && other.Name != c.Name {
		return fmt.Errorf("campaign %q: got a key with the mark of %q, want one of its own", c.Name, other.Name)
	}
	if old := s.named[c.Name]; old != nil {
		delete(s.campaigns, old.Key.Mark())
	}
	s.campaigns[mark], s.named[c.Name] = &c, &c
	return nil
}

func (s *Server) campaign(mark uint32) *Campaign {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.campaigns[mark]
}

func (s *Server) key(mark uint32) (mail.Key, bool) {
	if c := s.campaign(mark); c != nil {
		return c.Key, true
	}
	return mail.Key{}, false
}

func (s *Server) now() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}

// pixel is a transparent GIF of one pixel.
const pixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00" +
	"\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// ServeHTTP answers /o/TOKEN and /c/TOKEN by GET and HEAD; all else does not exist. The answer is with the client
// before the response is recorded.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET", http.StatusMethodNotAllowed)
		return
	}
	response, c, ok := s.read(r)
	if complete := s.cfg.Complete; !ok && complete != nil && s.mayCome(r) {
		if !complete() {
			h.Set("Retry-After", "60")
			http.Error(w, "Try again in a minute", http.StatusServiceUnavailable)
			return
		}
		response, c, ok = s.read(r) // the campaign may have come meanwhile
	}
	if !ok {
		http.Error(w, "No such page", http.StatusNotFound)
		return
	}
	code, body := http.StatusFound, ""
	switch {
	case response.Kind == "open":
		code, body = http.StatusOK, pixel
		h.Set("Content-Type", "image/gif")
	case response.Link == 0:
		code = http.StatusNoContent
	default:
		h.Set("Location", c.Targets[response.Link-1])
	}
	if code != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(code)
	if r.Method == http.MethodGet {
		io.WriteString(w, body)
	}
	http.NewResponseController(w).Flush() // a client that vanished has responded all the same
	points.Reached("answered")
	if c.Until.IsZero() || response.At.Before(c.Until) {
		select {
		case s.came <- response:
		case <-s.broke:
		}
	}
}

// read returns the facts of a request and its campaign, or false if no message has its address.
func (s *Server) read(r *http.Request) (Response, *Campaign, bool) {
	path := r.URL.Path
	if len(path) != len("/c/")+mail.TicketSize || path[0] != '/' || path[2] != '/' || path[1] != path[3] {
		return Response{}, nil, false
	}
	t, ok := mail.ParseTicket(path[len("/c/"):], s.key)
	if !ok {
		return Response{}, nil, false
	}
	c := s.campaign(t.Job)
	kind, most := "open", 0
	switch t.Purpose {
	case mail.ToSee:
	case mail.ToFollow:
		kind, most = "click", len(c.Targets)
	default:
		return Response{}, nil, false
	}
	if uint32(t.Rcpt) >= c.Recipients || int64(t.Number) > int64(most) {
		return Response{}, nil, false
	}
	purpose := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose") + r.Header.Get("X-Moz")
	return Response{At: s.now().UTC().Round(0), Job: c.Name, Rcpt: uint32(t.Rcpt), Kind: kind, Link: t.Number,
		Method: r.Method, Agent: shown(r.UserAgent()), Prefetch: strings.Contains(purpose, "prefetch"),
		Network: network(s.client(r))}, c, true
}

// mayCome reports whether the address of a request may be of a campaign that is not here yet.
func (s *Server) mayCome(r *http.Request) bool {
	known := true
	if path := r.URL.Path; len(path) == len("/c/")+mail.TicketSize {
		mail.ParseTicket(path[len("/c/"):], func(mark uint32) (k mail.Key, is bool) {
			k, known = s.key(mark)
			return k, known
		})
	}
	return !known
}

// client returns the address of the client: the other end of the connection or, if that is a trusted proxy, the last
// address in X-Forwarded-For that is not one of a trusted proxy.
func (s *Server) client(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr.WithZone("")
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, p := range s.cfg.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// network returns what is kept of an address: enough to know a scanner's network, too little to know a person.
func network(addr netip.Addr) netip.Prefix {
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	p, _ := addr.Prefix(bits) // the zero prefix of the zero address
	return p
}

// shown returns a text in UTF-8 without control characters, cut.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.ToValidUTF8(text[:min(len(text), 256)], "")
}

// Serve answers at a listener until ctx ends, or the disk fails. What was answered before ctx ended is recorded when it
// returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	served, recorded := make(chan error, 1), make(chan error, 1)
	answered := make(chan struct{})
	go func() { served <- s.http.Serve(netutil.LimitListener(l, s.cfg.Connections)) }()
	go func() { recorded <- s.record(answered) }()
	var err error
	select {
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
		defer cancel()
		s.http.Shutdown(end) // waits for the handlers, so what they answered is recorded
		<-served
	case err = <-served:
	case err = <-recorded:
		s.http.Close()
		<-served
		return err
	}
	close(answered)
	return errors.Join(err, <-recorded)
}

// record writes responses and verdicts in batches, until all that was answered is recorded.
func (s *Server) record(answered <-chan struct{}) error {
	defer close(s.broke)
	tick := time.NewTicker(s.cfg.Flush)
	defer tick.Stop()
	var batch []Response
	for {
		ended := false
		select {
		case r := <-s.came:
			if batch = append(batch, r); len(batch) < s.cfg.Batch {
				continue
			}
		case <-tick.C:
		case <-answered:
			for ended = true; len(s.came) > 0; {
				batch = append(batch, <-s.came)
			}
		}
		if err := s.flush(batch, s.now()); err != nil || ended {
			return err
		}
		batch = batch[:0]
	}
}

// flush records what has come, and tells of what is judged.
func (s *Server) flush(batch []Response, now time.Time) error {
	if err := s.store.add(batch); err != nil {
		return err
	}
	reached := func(point string) {
		if len(batch) > 0 {
			points.Reached(point)
		}
	}
	reached("written")
	told, err := s.store.settle(now)
	if err == nil {
		err = s.store.sync(now)
	}
	reached("durable")
	if err == nil && s.cfg.Tell != nil {
		for _, j := range told {
			s.cfg.Tell(j)
		}
	}
	return err
}

// Close closes the folder. Serve must have returned.
func (s *Server) Close() error { return s.store.log.Close() }
