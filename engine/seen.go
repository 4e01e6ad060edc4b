package engine

import "flyball/internal/snap"

// Seen records which messages have arrived, if each sender numbers its messages
// to the receiver 1, 2, 3 and so on. It takes memory only for messages that
// overtook others.
type Seen struct{ senders []sender }

type sender struct {
	from   Address
	all    uint64   // every number up to it has arrived
	beyond []uint64 // further numbers that have arrived, in any order
}

// New reports whether the message m arrives for the first time, and records it.
func (s *Seen) New(m Message) bool {
	v := s.of(m.From)
	if m.Number <= v.all {
		return false
	}
	for _, n := range v.beyond {
		if n == m.Number {
			return false
		}
	}
	v.beyond = append(v.beyond, m.Number)
	for i := 0; i < len(v.beyond); {
		if v.beyond[i] != v.all+1 {
			i++
			continue
		}
		last := len(v.beyond) - 1
		v.beyond[i] = v.beyond[last]
		v.beyond = v.beyond[:last]
		v.all++
		i = 0
	}
	return true
}

func (s *Seen) of(from Address) *sender {
	for i := range s.senders {
		if s.senders[i].from == from {
			return &s.senders[i]
		}
	}
	s.senders = append(s.senders, sender{from: from})
	return &s.senders[len(s.senders)-1]
}

// State saves or restores which messages have arrived.
func (s *Seen) State(c *snap.Codec) {
	snap.Slice(c, &s.senders, func(c *snap.Codec, v *sender) {
		c.Fields(&v.from.Role, &v.from.Server, &v.all, &v.beyond)
	})
}
