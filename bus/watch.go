package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// watcher says what happens to a connection, and ends it once it is beyond repair.
type watcher struct {
	conn *Conn
	note func(string) // of Config; nil: none
	tls  *tls.Config  // of this end; nil: none
	said string       // last reason for which no broker was found again
}

// options returns the callbacks of the connection, which come one at a time.
func (w *watcher) options() []nats.Option {
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, on *nats.Subscription, err error) {
			switch why := w.conn.of.final(err); {
			case why != nil:
				w.conn.end(why)
			case errors.Is(err, nats.ErrSlowConsumer) && on != nil:
				w.say("messages on %s come faster than they are taken: some are lost", on.Subject)
			default:
				w.say("the broker: %v", err)
			}
		}),
		nats.DisconnectErrHandler(func(n *nats.Conn, err error) {
			if w.conn.ctx.Err() != nil {
				return
			}
			if w.said = ""; err == nil {
				err = errors.New("closed by the broker")
			}
			w.say("lost the broker %s, and looks for it: %v", w.conn.of.where, err)
			go w.look(n)
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { w.again(err) }),
		nats.ReconnectHandler(func(n *nats.Conn) { w.say("has a broker again: %s", n.ConnectedUrlRedacted()) }),
		nats.ClosedHandler(func(n *nats.Conn) { w.conn.end(w.conn.of.explain(n.LastError())) }),
	}
}

// look ends the connection if its own certificate has expired while the broker is looked for: files are read once, and
// a broker says nothing but that it hangs up.
func (w *watcher) look(n *nats.Conn) {
	if w.tls == nil || len(w.tls.Certificates) == 0 {
		return
	}
	until := w.tls.Certificates[0].Leaf.NotAfter
	for every := time.NewTicker(time.Second); !n.IsConnected(); {
		select {
		case <-w.conn.ctx.Done():
			return
		case <-every.C:
			if time.Now().After(until) {
				w.conn.end(refused(nil, "%s: %s expired on %s", w.conn.of.where, w.conn.of.certificate(),
					until.Format(time.DateOnly)))
			}
		}
	}
}

// again takes the reason for which a broker was not found again, and says a new one.
func (w *watcher) again(err error) {
	if text := w.conn.of.explain(err).Error(); text != w.said {
		w.said = text
		w.say("%s", text)
	}
}

func (w *watcher) say(format string, args ...any) {
	if w.note != nil {
		w.note(fmt.Sprintf(format, args...))
	}
}
