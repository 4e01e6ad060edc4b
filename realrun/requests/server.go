package requests

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"

	"flyball/internal/mail"
)

// Server takes requests.
type Server struct {
	cfg    Config
	web    *http.Server
	post   *smtp.Server
	budget budget
	queue  chan func(context.Context) // what is done behind an answer

	lock sync.RWMutex
	jobs map[uint32]Job // by the mark of the key
}

// waiting is the number of requests that wait for their mails.
const waiting = 100

// New returns a server.
func New(cfg Config) (*Server, error) {
	if errs := cfg.Validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	s := &Server{cfg: cfg, jobs: map[uint32]Job{}, queue: make(chan func(context.Context), waiting)}
	for _, j := range cfg.Jobs {
		s.Add(j)
	}
	if f := cfg.Form; f != nil {
		s.Add(Job{Key: f.Key, Desk: f.Desk})
		for _, a := range f.asked {
			s.budget.spend(&cfg, a.At, a.Address, a.Network)
		}
	}
	quiet := log.New(io.Discard, "", 0) // clients that vanish
	s.web = &http.Server{Handler: s.handler(), ReadHeaderTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout,
		WriteTimeout: 2 * cfg.Timeout, IdleTimeout: cfg.Timeout, MaxHeaderBytes: 16 << 10, ErrorLog: quiet}
	s.post = s.newPost(quiet)
	return s, nil
}

// Add lets the recipients of a mailing ask, from now on. Any goroutine may call it.
func (s *Server) Add(j Job) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.jobs[j.Key.Mark()] = j
}

// each calls f for each mailing until f returns false.
func (s *Server) each(f func(Job) bool) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, j := range s.jobs {
		if !f(j) {
			return
		}
	}
}

// Serve takes requests at two listeners, of which either may be nil, until ctx ends.
func (s *Server) Serve(ctx context.Context, web, post net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make(chan error, 2)
	limited := func(l net.Listener, serve func(net.Listener) error) {
		if l != nil {
			all.Go(func() { errs <- serve(netutil.LimitListener(l, s.cfg.Connections)) })
		}
	}
	limited(web, s.web.Serve)
	limited(post, s.post.Serve)
	all.Go(func() { s.work(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	cancel()
	end, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if s.web.Shutdown(end) != nil {
		s.web.Close()
	}
	s.post.Close()
	if post != nil {
		post.Close() // which the server may not know yet
	}
	all.Wait()
	return err
}

// work does what waits behind answers, one thing after the other.
func (s *Server) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.queue:
			f(ctx)
		}
	}
}

// later has work do f, unless too much waits already.
func (s *Server) later(f func(context.Context)) bool {
	select {
	case s.queue <- f:
		return true
	default:
		return false
	}
}

// today returns the number of a day, from 1 January 1970 on.
func today(now time.Time) uint32 { return uint32(now.Unix() / int64(day/time.Second)) }

// Errors of a ticket: the first one is for good, the other one while the mailing may not be here yet.
var (
	errUnknown = errors.New("no mailing wrote it, or it is too old")
	errLater   = errors.New("its mailing may be yet to come")
)

// ticket returns what a ticket is for, and its mailing.
func (s *Server) ticket(text string) (j Job, t mail.Ticket, err error) {
	known := true // the mailing, if it is a ticket
	key := func(mark uint32) (mail.Key, bool) {
		s.lock.RLock()
		defer s.lock.RUnlock()
		j, known = s.jobs[mark]
		return j.Key, known
	}
	text = strings.ToLower(text)
	t, ok := mail.ParseTicket(text, key)
	if !known && s.cfg.Complete != nil {
		if !s.cfg.Complete() {
			return j, t, errLater
		}
		t, ok = mail.ParseTicket(text, key) // the mailing may have come meanwhile
	}
	if !ok {
		return j, t, errUnknown
	}
	holds, known := map[byte]time.Duration{mail.ToLeave: s.cfg.Expire, mail.ToReturn: s.cfg.Undo,
		mail.ToJoin: s.cfg.Agree, mail.ToQuit: s.cfg.Agree}[t.Purpose]
	age := int64(today(s.cfg.now())) - int64(t.Number)
	if !known || age < -1 || age > int64(holds/day) { // a clock may be ahead of another one
		return j, t, errUnknown
	}
	return j, t, nil
}

// write returns the text of a ticket of a mailing, as of today.
func (s *Server) write(j Job, purpose byte, r mail.Recipient) string {
	return string(j.Key.AppendTicket(nil, mail.Ticket{Purpose: purpose, Job: j.Key.Mark(), Rcpt: r,
		Number: today(s.cfg.now())}))
}

// leave deletes a recipient of a mailing.
func (s *Server) leave(ctx context.Context, j Job, r mail.Recipient, by string) error {
	changed, err := j.Desk.Leave(ctx, j.First+r)
	if changed {
		s.cfg.tell(Event{Kind: Left, Job: j.Name, Rcpt: &r, By: by})
	}
	return err
}
