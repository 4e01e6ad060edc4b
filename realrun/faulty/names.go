package faulty

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"flyball/internal/fault"
)

// nameServer is a script's name server, over UDP and TCP.
type nameServer struct {
	of   *Receiver
	addr string
	udp  net.PacketConn // nil if nothing listens
	tcp  net.Listener
}

// Names returns the address of the name server; empty if the script has none.
func (r *Receiver) Names() string {
	if r.names == nil {
		return ""
	}
	return r.names.addr
}

// openNames starts the name server at a port, or finds one at which nothing listens.
func (r *Receiver) openNames(port int) (*nameServer, error) {
	n := &nameServer{of: r}
	var err error
	for range 20 { // until a port is free for both
		if n.udp, err = net.ListenPacket("udp", fmt.Sprint("127.0.0.1:", port)); err != nil {
			return nil, err
		}
		n.addr = n.udp.LocalAddr().String()
		if n.tcp, err = net.Listen("tcp", n.addr); err == nil {
			break
		}
		n.udp.Close()
	}
	if err != nil {
		return nil, err
	}
	if r.Closed() {
		n.close()
		return n, nil
	}
	r.serve.Go(n.datagrams)
	r.serve.Go(n.connections)
	return n, nil
}

func (n *nameServer) close() {
	n.udp.Close()
	n.tcp.Close()
}

// datagrams answers questions over UDP.
func (n *nameServer) datagrams() {
	for {
		buffer := make([]byte, dns.MaxMsgSize)
		size, from, err := n.udp.ReadFrom(buffer)
		if err != nil {
			return
		}
		n.of.serve.Go(func() {
			for _, a := range n.asked(buffer[:size], from.String(), "udp") {
				switch a.Verb {
				case fault.Wait:
					if n.of.pause(time.Now().Add(n.of.real(a.For))) != nil {
						return
					}
				case fault.Send:
					n.udp.WriteTo([]byte(a.Text), from)
				}
			}
		})
	}
}

// connections answers one question over each connection.
func (n *nameServer) connections() {
	for {
		conn, err := n.tcp.Accept()
		if err != nil {
			return
		}
		n.of.serve.Go(func() {
			defer context.AfterFunc(n.of.ctx, func() { conn.Close() })()
			defer conn.Close()
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, question); err != nil {
				return
			}
			n.answer(conn.(*net.TCPConn), question)
		})
	}
}

// answer does what the script has for a question over a connection.
func (n *nameServer) answer(conn *net.TCPConn, question []byte) {
	for _, a := range n.asked(question, conn.RemoteAddr().String(), "tcp") {
		switch a.Verb {
		case fault.Wait:
			if n.of.pause(time.Now().Add(n.of.real(a.For))) != nil {
				return
			}
		case fault.Send:
			conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a.Text))), a.Text...))
		case fault.Silence:
			io.Copy(io.Discard, conn)
		case fault.Reset:
			conn.SetLinger(0)
		}
	}
}

// asked returns what the script has for a question.
func (n *nameServer) asked(question []byte, from, over string) []fault.Action {
	actions := n.of.Asked(question, from, over)
	if n.of.log != nil {
		q := new(dns.Msg)
		if q.Unpack(question) == nil && len(q.Question) == 1 {
			n.of.log(fmt.Sprintf("DNS %s %s over %s", q.Question[0].Name, dns.Type(q.Question[0].Qtype), over))
		}
	}
	return actions
}
