package proximity

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Seen sums up attempts from one server to one site.
type Seen struct {
	Attempts uint64
	Time     vt.Span // of all of them
	Traced   uint64  // attempts whose hops are known
	Hops     uint64  // of these
}

// State saves or restores the sums.
func (s *Seen) State(c *snap.Codec) { c.Fields(&s.Attempts, &s.Time, &s.Traced, &s.Hops) }

// Witness is the Observer of one server that takes down the time of each attempt that delivered over a fresh
// connection, without its look-up, and passes everything on. A refusal comes sooner than a delivery would, and a kept
// connection saves round trips: neither shows the distance.
type Witness struct {
	engine.Observer
	Seen []Seen           // by destination
	Way  *mail.Completion // the completion that the machine is about to get, for its look-up and hops; nil: unknown
}

// Ended takes the attempt down and passes it on.
func (w *Witness) Ended(now vt.Time, a *mail.Attempt, r *mail.Reply, s mail.Status) {
	if a.Conn == mail.Fresh && r.Class() == mail.Delivered {
		v := &w.Seen[a.Dest]
		v.Attempts++
		v.Time += r.Took
		if w.Way != nil {
			v.Time -= w.Way.Way.Lookup()
			if hops := w.Way.Way.Hops(); hops > 0 {
				v.Traced++
				v.Hops += hops
			}
		}
	}
	w.Observer.Ended(now, a, r, s)
}
