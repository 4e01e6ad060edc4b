// Package faulty plays scripts of misbehaving receivers (package fault) on TCP: real connections on loopback, on ports
// that the system chooses, with the script's time divided by a scale.
//
// A receiver handles the commands of a session one by one: it reads a line, does what the script has for it, and reads
// the next. It connects to itself alone. It ends when closed. Safe for concurrent use.
package faulty

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"flyball/internal/fault"
	"flyball/internal/vt"
)

// Receiver is a script's receiver, with a listener for each of its hosts.
type Receiver struct {
	*fault.Receiver
	scale float64
	hosts []*host
	names *nameServer   // nil unless the script has one
	certs *certificates // nil unless the script offers STARTTLS
	ctx   context.Context
	end   context.CancelFunc
	serve sync.WaitGroup
	log   func(string) // of the dialogue; nil: none

	lock sync.Mutex
	ends *sync.Cond // of sessions
	over int        // sessions that have ended
}

// host is one mail exchanger.
type host struct {
	net.Listener        // nil if no connection is ever accepted
	addr         string // what a client connects to
	fd           int    // of a socket that refuses; -1: none
	queued       int    // of the connection that fills the queue of a black hole; -1: none
}

// Ports are where a receiver listens; 0: the system chooses.
type Ports struct{ Hosts, Names int }

// Listen starts the receiver of a script, whose time passes scale times as fast as the clock's. The first host has the
// given port and the others have the next ones; with port 0 the system chooses. Where the script has a name server, all
// hosts have the same port, at 127.0.0.1, 127.0.0.2 and so on; the first one is at ::1 too if the script names that.
// The function log, if not nil, is called with each line of each dialogue, by several goroutines.
func Listen(s *fault.Script, at Ports, scale float64, log func(line string)) (r *Receiver, err error) {
	if at.Hosts > 0 || !s.Resolves() {
		return listen(s, at, scale, log)
	}
	for range 20 { // until a port is free at all addresses
		if r, err = listen(s, at, scale, log); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return r, err
}

func listen(s *fault.Script, ports Ports, scale float64, log func(line string)) (*Receiver, error) {
	r := &Receiver{Receiver: fault.NewReceiver(s), scale: scale, log: log}
	r.ends = sync.NewCond(&r.lock)
	r.ctx, r.end = context.WithCancel(context.Background())
	var err error
	if r.certs, err = newCertificates(s); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	port, at := ports.Hosts, netip.AddrFrom4([4]byte{127, 0, 0, 1})
	begin := func(number int, at netip.Addr) error {
		h, err := open(s.AtConnect(number), at, port, s.Hinders())
		if err != nil {
			r.Close()
			return fmt.Errorf("host %d: %w", number, err)
		}
		r.hosts = append(r.hosts, h)
		if h.Listener != nil {
			r.serve.Go(func() { r.accept(h, number) })
		}
		return nil
	}
	for number := 1; number <= s.Hosts; number++ {
		if err := begin(number, at); err != nil {
			return nil, err
		}
		switch {
		case s.Resolves():
			port, at = int(netip.MustParseAddrPort(r.hosts[0].addr).Port()), at.Next()
		case port > 0:
			port++
		}
	}
	if s.OverIPv6() {
		if s.AtConnect(1) != fault.OK {
			r.Close()
			return nil, errors.New("host 1: got no connections and the address ::1, want one of the two")
		}
		if err := begin(1, netip.IPv6Loopback()); err != nil {
			return nil, err
		}
	}
	if s.Resolves() {
		if r.names, err = r.openNames(ports.Names); err != nil {
			r.Close()
			return nil, fmt.Errorf("name server: %w", err)
		}
	}
	return r, nil
}

// Addr returns the address of a host, numbered from 1 on.
func (r *Receiver) Addr(host int) string { return r.hosts[host-1].addr }

// Wait waits until n sessions have ended, or until ctx ends; with n 0 until ctx ends.
func (r *Receiver) Wait(ctx context.Context, n int) {
	stop := context.AfterFunc(ctx, r.ends.Broadcast)
	defer stop()
	r.lock.Lock()
	defer r.lock.Unlock()
	for ctx.Err() == nil && (n == 0 || r.over < n) {
		r.ends.Wait()
	}
}

// Close ends all sessions and waits for them. It may be called again.
func (r *Receiver) Close() {
	r.end()
	if r.names != nil {
		r.names.close()
	}
	for _, h := range r.hosts {
		if h.Listener != nil {
			h.Close()
		}
		for _, fd := range []*int{&h.fd, &h.queued} {
			if *fd >= 0 {
				syscall.Close(*fd)
				*fd = -1 // closed again, it might be another one's
			}
		}
	}
	r.serve.Wait()
}

// open returns a host that listens at an address and a port, or refuses every connection in the way of how.
func open(how fault.Verb, at netip.Addr, port int, small bool) (*host, error) {
	h := &host{fd: -1, queued: -1}
	switch how {
	case fault.Unreachable:
		h.addr = "127.255.255.255:25" // a broadcast address, to which TCP has no route
		return h, nil
	case fault.Refuse, fault.BlackHole:
		return h, h.deny(at.As4(), port, how == fault.BlackHole)
	}
	config := net.ListenConfig{}
	if small {
		config.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			})
		}
	}
	l, err := config.Listen(context.Background(), "tcp", netip.AddrPortFrom(at, uint16(port)).String())
	if err != nil {
		return nil, err
	}
	h.Listener, h.addr = l, l.Addr().String()
	return h, nil
}

// deny binds a port that refuses connections, since nothing listens; or answers no SYN, since its queue of connections
// is full and nothing takes them.
func (h *host) deny(at [4]byte, port int, silently bool) (err error) {
	here := &syscall.SockaddrInet4{Port: port, Addr: at}
	if h.fd, err = newSocket(); err != nil {
		return err
	}
	if err = syscall.Bind(h.fd, here); err != nil {
		return err
	}
	bound, err := syscall.Getsockname(h.fd)
	if err != nil {
		return err
	}
	here = bound.(*syscall.SockaddrInet4)
	h.addr = netip.AddrPortFrom(netip.AddrFrom4(at), uint16(here.Port)).String()
	if !silently {
		return nil
	}
	if err = syscall.Listen(h.fd, 0); err != nil {
		return err
	}
	if h.queued, err = newSocket(); err != nil {
		return err
	}
	return syscall.Connect(h.queued, here)
}

// newSocket returns the descriptor of a socket that programs which this one starts do not have.
func newSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	return fd, err
}

func (r *Receiver) accept(h *host, number int) {
	for {
		raw, err := h.Accept()
		if err != nil {
			return
		}
		c := &conn{Conn: raw, raw: raw.(*net.TCPConn), of: r, session: r.Open(number), in: bufio.NewReader(raw)}
		r.serve.Go(func() {
			stop := context.AfterFunc(r.ctx, func() { raw.Close() })
			defer stop()
			defer raw.Close()
			if err := c.talk(); r.log != nil {
				r.log(fmt.Sprintf("%d the session ends: %v", c.session.Number(), err))
			}
			r.lock.Lock()
			defer r.lock.Unlock()
			r.over++
			r.ends.Broadcast()
		})
	}
}

// conn is a session on TCP.
type conn struct {
	net.Conn // within TLS, the encrypted one
	raw      *net.TCPConn
	of       *Receiver
	session  *fault.Session
	in       *bufio.Reader
	data     bool // the last reply asked for a message
	abrupt   bool // TLS ends without close_notify
}

// errOver is the end of a session that the script wants.
var errOver = errors.New("as the script has it")

// talk plays a session until it ends.
func (c *conn) talk() error {
	for _, at := range []fault.Stage{fault.Connect, fault.Banner} {
		if err := c.play(at, ""); err != nil {
			return err
		}
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		c.print("C: " + line)
		at := fault.StageOf(line)
		_, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := c.play(at, argument); err != nil {
			return err
		}
		if at == fault.DATA && c.data {
			if err := c.message(); err != nil {
				return err
			}
			if err := c.play(fault.Dot, ""); err != nil {
				return err
			}
		}
	}
}

func (c *conn) print(line string) {
	if c.of.log != nil {
		c.of.log(fmt.Sprintf("%d %q", c.session.Number(), line))
	}
}

// play does what the script has for a stage.
func (c *conn) play(at fault.Stage, argument string) error {
	c.data = false
	for _, a := range c.session.Next(at, argument) {
		if err := c.do(a); err != nil {
			return err
		}
	}
	return nil
}

// do does one action. It returns an error if the session is over.
func (c *conn) do(a fault.Action) error {
	switch a.Verb {
	case fault.Send:
		return c.send(a)
	case fault.Wait:
		return c.of.pause(time.Now().Add(c.of.real(a.For)))
	case fault.Silence:
		io.Copy(io.Discard, c.in)
		return errOver
	case fault.Deaf:
		<-c.of.ctx.Done()
		return errOver
	case fault.Reset:
		c.raw.SetLinger(0)
		c.raw.Close()
		return errOver
	case fault.Close:
		if c.abrupt {
			c.raw.Close()
		} else {
			c.Conn.Close()
		}
		return errOver
	case fault.TLS:
		return c.encrypt(a.How)
	}
	return nil
}

// send sends a text at once, or byte by byte.
func (c *conn) send(a fault.Action) error {
	text := strings.Repeat(a.Text, a.Times)
	c.data = c.data || strings.HasPrefix(text, "3")
	c.print("S: " + text[:min(len(text), 200)])
	if a.Pace == 0 {
		_, err := io.WriteString(c.Conn, text)
		return err
	}
	began := time.Now()
	for i := range len(text) {
		if err := c.of.pause(began.Add(time.Duration(i+1) * c.of.real(a.Pace))); err != nil {
			return err
		}
		if _, err := c.Conn.Write([]byte{text[i]}); err != nil {
			return err
		}
	}
	return nil
}

// message reads a message up to its final dot, with what the script does on the way.
func (c *conn) message() error {
	rule := c.session.Body()
	began, size, rate := time.Now(), 0, 0.0
	m, digest := fault.Message{}, sha256.New()
	last := byte('\n') // of what was read
	for begins := true; ; {
		line, err := c.in.ReadSlice('\n')
		whole := err == nil
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if begins && string(line) == ".\r\n" {
			c.print("C: .")
			digest.Sum(m.Digest[:0])
			c.session.Take(m)
			return nil
		}
		unstuffed := line
		if begins && line[0] == '.' {
			unstuffed = line[1:]
		}
		digest.Write(unstuffed)
		for _, b := range line {
			if (last == '\r') != (b == '\n') {
				m.Bare++
			}
			last = b
		}
		begins = whole
		size += len(line)
		if rate > 0 {
			due := time.Duration(float64(size) / rate * float64(time.Second))
			if err := c.of.pause(began.Add(due)); err != nil {
				return err
			}
		}
		if rule == nil || size < int(rule.After) {
			continue
		}
		for _, a := range rule.Actions {
			if a.Verb == fault.Slow {
				rate = float64(a.Rate) * c.of.scale
			} else if err := c.do(a); err != nil {
				return err
			}
		}
		rule = nil
	}
}

// encrypt makes the handshake of a kind.
func (c *conn) encrypt(how string) error {
	if how == "garbage" {
		_, err := io.WriteString(c.raw, "no handshake, but words\r\n")
		return err
	}
	secure := tls.Server(c.raw, c.of.certs.config(how))
	if err := secure.HandshakeContext(c.of.ctx); err != nil {
		return err
	}
	c.Conn, c.in, c.abrupt = secure, bufio.NewReader(secure), how == "abrupt"
	c.session.Encrypt()
	return nil
}

// real returns a span of the script in the clock's time.
func (r *Receiver) real(d vt.Span) time.Duration { return time.Duration(float64(d) / r.scale) }

// pause waits until a time of the clock. It returns an error if the receiver is closed meanwhile.
func (r *Receiver) pause(until time.Time) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
