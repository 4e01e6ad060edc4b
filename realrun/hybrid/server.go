package hybrid

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// Server stands before banks of servers. It is an http.Handler.
type Server struct {
	cfg    Config
	http   *http.Server
	post   *smtp.Server
	web    []front
	banks  []*bank // of the routes of mail
	client http.RoundTripper
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	if errs := cfg.Validate(); errs != nil {
		return nil, errors.Join(errs...)
	}
	s := &Server{cfg: cfg, client: cfg.Allow.HTTP(nil).Transport}
	quiet := log.New(io.Discard, "", 0) // clients that vanish
	for _, r := range cfg.Mail {
		s.banks = append(s.banks, newBank(r.Bank, &cfg))
	}
	s.web = s.fronts(quiet)
	s.post = s.newPost(quiet)
	s.http = &http.Server{Handler: s, ReadTimeout: cfg.Timeout, WriteTimeout: 3 * cfg.Timeout, IdleTimeout: cfg.Timeout,
		MaxHeaderBytes: cfg.MostHeader, ErrorLog: quiet, DisableGeneralOptionsHandler: true}
	return s, nil
}

// Serve serves the web and takes mail at two listeners, of which either may be nil, until ctx ends.
func (s *Server) Serve(ctx context.Context, web, post net.Listener) error {
	var all sync.WaitGroup
	errs := make(chan error, 2)
	limited := func(l net.Listener, serve func(net.Listener) error) {
		if l != nil {
			all.Go(func() { errs <- serve(netutil.LimitListener(l, s.cfg.Connections)) })
		}
	}
	limited(web, s.http.Serve)
	limited(post, s.post.Serve)
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	end, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if s.http.Shutdown(end) != nil {
		s.http.Close()
	}
	s.post.Close()
	for _, l := range []net.Listener{web, post} {
		if l != nil {
			l.Close() // which a server may not know yet
		}
	}
	all.Wait()
	return err
}
