// Package carrier takes messages between roles from process to process, over a bus. It may lose, repeat, delay and
// reorder them, as roles are promised, and never waits. What a role of the site did not send reaches no role.
package carrier

import (
	"fmt"
	"sync/atomic"

	"flyball/bus"
	"flyball/engine"
	"flyball/engine/codec"
)

// Config configures a Carrier.
type Config struct {
	Site  string                    // name of the site, a part of all subjects: see bus.PlainName
	Peers func(engine.Address) bool // reports whether the site has a role, which no message needs to be from otherwise
	Alarm func(text string)         // gets what is lost or refused, and why; may be called on any goroutine
}

// Bounds of what waits for the broker; what is sent then is lost.
const (
	mostWaiting      = 4096
	mostWaitingBytes = 64 << 20
)

// Carrier sends and receives over one connection. Any goroutine may use it.
type Carrier struct {
	cfg     Config
	conn    *bus.Conn
	alarms  alarms
	waiting chan packet
	bytes   atomic.Int64 // of waiting
}

type packet struct {
	subject string
	message []byte
}

// New returns a carrier over a connection, with which it ends.
func New(conn *bus.Conn, cfg Config) *Carrier {
	c := &Carrier{cfg: cfg, conn: conn, alarms: alarms{say: cfg.Alarm}, waiting: make(chan packet, mostWaiting)}
	go c.deliver()
	return c
}

// Send sends a message to a role that may be anywhere. It returns at once; what cannot be sent is lost with an alarm.
func (c *Carrier) Send(m engine.Message) {
	f, ok := codec.FlowOf(m)
	if !ok || !f.Carried() {
		c.alarms.raise("flow", "%s of %v to %v is lost: no role sends it so", codec.Name(m.Body), m.From, m.To)
		return
	}
	text, err := codec.Encode(m)
	if err != nil {
		c.alarms.raise("range", "%s of %v to %v is lost: %v", codec.Name(m.Body), m.From, m.To, err)
		return
	}
	if c.bytes.Add(int64(len(text))) <= mostWaitingBytes {
		select {
		case c.waiting <- packet{subject(c.cfg.Site, m.From, f, m.To), text}:
			return
		default:
		}
	}
	c.bytes.Add(-int64(len(text)))
	c.alarms.raise("slow", "messages to %v are lost: the broker takes them too slowly", m.To)
}

// deliver hands the broker what waits, until the connection ends. It alone calls methods of the connection, which may
// wait for the broker.
func (c *Carrier) deliver() {
	for {
		select {
		case <-c.conn.Context().Done():
			return
		case p := <-c.waiting:
			c.bytes.Add(-int64(len(p.message)))
			if err := c.tell(p); err != nil && c.conn.Context().Err() == nil {
				c.alarms.raise("tell", "messages are lost: %v", err)
			}
		}
	}
}

func (c *Carrier) tell(p packet) error {
	if most := c.conn.MostPayload(); len(p.message) > most {
		return fmt.Errorf("%s: got %d bytes, want at most the %d that the broker takes", p.subject, len(p.message),
			most)
	}
	return c.conn.Tell(p.subject, p.message)
}

// Listen calls receive with each message to a role of this process. Several goroutines may do so at once, and what
// comes faster than receive returns is lost. A delivering server has two addresses: Remote, and Delivery for its
// machine. The error is one of the bus, such as a missing right.
func (c *Carrier) Listen(own engine.Address, receive func(engine.Message)) error {
	for _, f := range codec.Flows {
		if !f.Carried() || f.To != own.Role {
			continue
		}
		err := c.conn.Listen(pattern(c.cfg.Site, f, own), func(subject string, text []byte) {
			m, err := codec.Decode(text)
			if err == nil {
				err = c.check(subject, m)
			}
			if err != nil {
				c.alarms.raise("stranger", "a message on %s is dropped: %v", subject, err)
				return
			}
			receive(m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if a message is not what its subject says, which is what the broker lets its sender say, or if
// the site has no such sender.
func (c *Carrier) check(on string, m engine.Message) error {
	f, ok := codec.FlowOf(m)
	if want := subject(c.cfg.Site, m.From, f, m.To); !ok || want != on {
		return fmt.Errorf("it is %s of %v to %v", codec.Name(m.Body), m.From, m.To)
	}
	if c.cfg.Peers != nil && !c.cfg.Peers(m.From) {
		return fmt.Errorf("the site has no %v", m.From)
	}
	return nil
}
