package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// signals remembers the first interrupt, so that a run can end cleanly; a
// second one ends the program at once.
type signals struct {
	got  atomic.Pointer[os.Signal]
	seen chan struct{} // closed with the first one
	in   chan os.Signal
}

func (a *app) watchSignals() *signals {
	s := &signals{seen: make(chan struct{}), in: make(chan os.Signal, 1)}
	signal.Notify(s.in, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig, ok := <-s.in
		if !ok {
			return
		}
		signal.Stop(s.in)
		s.got.Store(&sig)
		close(s.seen)
	}()
	return s
}

// signal is the first one, nil if there was none.
func (s *signals) signal() os.Signal {
	if p := s.got.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *signals) end() { signal.Stop(s.in) }

func signalCode(s os.Signal) int {
	if s == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupt
}
