package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// signals remembers the first interrupt, so that a run can end cleanly; a
// second one ends the program at once.
type signals struct {
	got  atomic.Pointer[os.Signal]
	ctx  context.Context // ends with the first one
	stop context.CancelFunc
	in   chan os.Signal
}

func (a *app) watchSignals() *signals {
	s := &signals{in: make(chan os.Signal, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	signal.Notify(s.in, os.Interrupt, syscall.SIGTERM)
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

// signal returns the first signal, nil if there was none.
func (s *signals) signal() os.Signal {
	if p := s.got.Load(); p != nil {
		return *p
	}
	return nil
}

// end stops watching.
func (s *signals) end() {
	signal.Stop(s.in)
	s.stop()
}

// stopped returns the error of a command that a signal stopped: "stopped by
// interrupt", then format, which begins with a blank or a semicolon.
func (s *signals) stopped(format string, args ...any) error {
	sig := s.signal()
	return fail(signalCode(sig), "stopped by %s"+format, append([]any{sig}, args...)...)
}

func signalCode(s os.Signal) int {
	if s == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupt
}
