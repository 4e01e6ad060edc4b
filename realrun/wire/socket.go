package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"flyball/internal/mail"
)

// socket is a connection of which one can also read only what has arrived already.
type socket struct {
	net.Conn
	raw     syscall.RawConn // nil: not known what has arrived
	arrived bool            // Read returns what has arrived, else os.ErrDeadlineExceeded, without waiting
	buffer  []byte          // of the read of attempt
	n       int             // its results
	err     error
	attempt func(descriptor uintptr) (done bool)
}

func newSocket(conn net.Conn) *socket {
	s := &socket{Conn: conn}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.attempt = func(descriptor uintptr) bool {
		s.n, s.err = syscall.Read(int(descriptor), s.buffer)
		return true
	}
	return s
}

// Read reads as arrived asks for.
func (s *socket) Read(p []byte) (int, error) {
	switch {
	case !s.arrived:
		return s.Conn.Read(p)
	case s.raw == nil || len(p) == 0:
		return 0, os.ErrDeadlineExceeded
	}
	s.buffer = p
	err := s.raw.Read(s.attempt)
	s.buffer = nil
	switch {
	case err != nil:
		return 0, err
	case s.err == syscall.EAGAIN || s.err == syscall.EINTR:
		return 0, os.ErrDeadlineExceeded
	case s.err != nil:
		return 0, s.err
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// Fault returns how a connection failed: Garbled, Timeout or Drop.
func Fault(err error) mail.Fault {
	var n net.Error
	switch {
	case err == os.ErrDeadlineExceeded: // by far the most frequent: nothing has arrived
		return mail.Timeout
	case errors.Is(err, errGarbled):
		return mail.Garbled
	case errors.As(err, &n) && n.Timeout():
		return mail.Timeout
	}
	return mail.Drop
}
