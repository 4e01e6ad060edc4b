package terminal

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// Signals remembers the first interrupt, so that a run can end cleanly; a
// second one ends the program at once.
type Signals struct {
	got  atomic.Pointer[os.Signal]
	ctx  context.Context
	stop context.CancelFunc
	in   chan os.Signal
}

// WatchSignals returns a Signals that watches until End.
func WatchSignals() *Signals {
	s := &Signals{in: make(chan os.Signal, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	signal.Notify(s.in, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		sig, ok := <-s.in
		if !ok {
			return
		}
		signal.Stop(s.in)
		s.got.Store(&sig)
		s.stop()
	}()
	return s
}

// Context returns a context that ends with the first signal.
func (s *Signals) Context() context.Context { return s.ctx }

// First returns the first signal, nil if there was none.
func (s *Signals) First() os.Signal {
	if p := s.got.Load(); p != nil {
		return *p
	}
	return nil
}

// End stops watching.
func (s *Signals) End() {
	signal.Stop(s.in)
	s.stop()
}
