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
)

// Server takes returned mail.
type Server struct {
	cfg   Config
	store *store
	smtp  *smtp.Server
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
	s := &Server{cfg: cfg, store: st}
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

// Serve takes mail at a listener until ctx ends, or the disk fails.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.smtp.Serve(netutil.LimitListener(l, s.cfg.Connections)) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.smtp.Close()
			<-ended
			return nil
		case err := <-ended:
			return err
		case <-tick.C:
			if err := s.failed(); err != nil {
				s.smtp.Close()
				<-ended
				return err
			}
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

// Rcpt refuses what is not a return path of a job.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	p, ok := s.of.cfg.path(to, s.of.store.clock())
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
