package inbound

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/realrun/station"
)

// Server takes returned mail.
type Server struct {
	cfg   Config
	store *store
	smtp  *smtp.Server
	inbox *station.Inbox
}

// New opens the folder of a server. The caller must Close it.
func New(cfg Config) (*Server, error) {
	if errs := cfg.Validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	st, err := open(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, store: st, inbox: station.NewInbox()}
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{of: s}, nil }))
	s.smtp.Domain = cfg.Domain
	if s.smtp.Domain == "" {
		s.smtp.Domain = "localhost"
	}
	s.smtp.MaxMessageBytes = cfg.MostBytes
	s.smtp.MaxRecipients = 100 // RFC 5321 4.5.3.1.8
	s.smtp.MaxLineLength = 4096
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = cfg.Timeout, cfg.Timeout
	s.smtp.ErrorLog = log.New(io.Discard, "", 0) // clients that vanish
	return s, nil
}

// Add takes the returned mail of another job from now on, or of one with the same name in its place.
func (s *Server) Add(j Job) error { return s.store.add(j) }

// Standing returns what the returned mail of a job has come to. An event that was under way when a server stopped may
// be missing, so the runner of a campaign that goes on asks here.
func (s *Server) Standing(job string) Standing { return s.store.standing(job) }

// Changes returns all that a store of lists gets, and that is durable, after a number.
func (s *Server) Changes(after uint64) []inbox.Made {
	s.store.lock.Lock()
	defer s.store.lock.Unlock()
	if s.store.broken != nil {
		return nil
	}
	return s.store.role.Changes(after)
}

// Receive gives the role a message of the sending server, which Serve processes. Any goroutine may call it, and it does
// not block.
func (s *Server) Receive(m engine.Message) { s.inbox.Put(m) }

// Serve takes mail at a listener until ctx ends, or the disk fails.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.smtp.Serve(netutil.LimitListener(l, s.cfg.Connections)) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	s.store.hear(nil) // sends what the sending server may not have
	stop := func() {
		s.smtp.Close()
		l.Close() // which the server may not know yet
		<-ended
	}
	for {
		select {
		case <-ctx.Done():
			stop()
			return nil
		case err := <-ended:
			return err
		case <-s.inbox.Came():
		case <-tick.C:
		}
		s.store.hear(s.inbox.Take())
		if err := s.failed(); err != nil {
			stop()
			return err
		}
	}
}

func (s *Server) failed() error {
	s.store.lock.Lock()
	defer s.store.lock.Unlock()
	return s.store.broken
}

// Close closes the folder.
func (s *Server) Close() error { return s.store.close() }

// session is a session of a client.
type session struct {
	of    *Server
	paths []path
}

func (s *session) Reset()                               { s.paths = nil }
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt refuses what is not a return path of a job: for good, unless the job may not be here yet.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	jobs, now := s.of.store.jobs, s.of.store.clock()
	p, ok := jobs.path(to, now)
	if complete := s.of.cfg.Complete; !ok && p.job == nil && complete != nil && jobs.mayCome(to) {
		if !complete() {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0},
				Message: "The mailing may not be known here yet, try again"}
		}
		p, ok = jobs.path(to, now) // it may have come meanwhile
	}
	if !ok {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such return path"}
	}
	s.paths = append(s.paths, p)
	return nil
}

// Data takes the message. The answer is 250 when it is on the disk.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.of.store.take(s.paths, raw); err != nil {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0},
			Message: "Cannot keep it, try again"}
	}
	return nil
}
