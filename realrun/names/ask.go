package names

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"flyball/realrun/dial"
)

// errOther is an answer over TCP that belongs to another question, or is cut.
var errOther = errors.New("answer over TCP is none to the question")

// errOwn is the end of a question that this computer could not ask, or that nothing listens to.
var errOwn = errors.New("the name server cannot be asked")

// control is the question that any name server which recurses can answer (RFC 8109): it tells one that
// fails for a domain from one that fails.
var control = question{".", dns.TypeNS}

// server is a name server that recurses.
type server struct {
	addr     string
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	id       func(context.Context) uint16
	patience time.Duration // for one question in all
	repeat   time.Duration // after which a question over UDP is sent again
	busy     chan struct{} // a place for each question that is being asked
	slow     func()        // called when a question is repeated
}

// ask asks the server q and returns its answer, within the patience or soon after ctx
// ends: over UDP, and over TCP if the answer over UDP is cut. A question that remains
// without answer is repeated with the same id.
func (s *server) ask(ctx context.Context, q question) answer {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return answer{status: unasked}
	}
	id := s.id(ctx)
	asked := new(dns.Msg)
	asked.SetQuestion(q.name, q.kind)
	asked.Id = id
	packed, err := asked.Pack()
	if err != nil {
		return answer{status: failed}
	}
	a, m, err := s.overUDP(ctx, packed, q, id)
	if err == nil && m == truncated {
		a, err = s.overTCP(ctx, packed, q, id)
	}
	switch {
	case err == errOwn:
		return answer{status: unasked}
	case ctx.Err() != nil, timedOut(err):
		return answer{status: silent}
	case err != nil:
		return answer{status: failed}
	}
	return a
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// pause is how long a question waits for descriptors or ports of this computer.
const pause = 20 * time.Millisecond

// connect connects to the server, as soon as this computer has what it takes.
func (s *server) connect(ctx context.Context, network string) (net.Conn, error) {
	for {
		conn, err := s.dial(ctx, network, s.addr)
		if err == nil || !dial.Lacks(err) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, errOwn
		case <-time.After(pause):
		}
	}
}

// overUDP sends the packed question and waits for its answer. What arrives meanwhile
// and belongs to another question or id is ignored.
func (s *server) overUDP(ctx context.Context, packed []byte, q question, id uint16) (answer, match, error) {
	conn, err := s.connect(ctx, "udp")
	if err != nil {
		return answer{}, other, errOwn
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buf := make([]byte, maxDatagram)
	for ; ctx.Err() == nil; s.slow() {
		conn.SetDeadline(time.Now().Add(s.repeat))
		if _, err = conn.Write(packed); err != nil {
			break
		}
		for {
			var n int
			if n, err = conn.Read(buf); err != nil {
				break
			}
			if a, m := read(buf[:n], q, id); m != other {
				return a, m, nil
			}
		}
		if !timedOut(err) {
			break
		}
	}
	if ctx.Err() == nil && !timedOut(err) { // nothing listens
		err = errOwn
	}
	return answer{}, other, err
}

// overTCP asks over TCP (RFC 7766).
func (s *server) overTCP(ctx context.Context, packed []byte, q question, id uint16) (answer, error) {
	conn, err := s.connect(ctx, "tcp")
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
		return answer{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return answer{}, err
	}
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return answer{}, err
	}
	a, m := read(message, q, id)
	if m != whole {
		return answer{}, errOther
	}
	return a, nil
}
