package sender

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// change takes changes of the list from a server for returned mail or requests.
func (s *Server) change(from engine.Address, b engine.Changes) {
	last := s.source(from)
	before := len(s.bars)
	for i, c := range engine.UnpackChanges(b.Entries) {
		if n := b.First + uint64(i); n == *last+1 {
			s.write(c.Fact(from, n))
			s.bar(from, n, c)
		}
	}
	s.send(from, engine.Got{UpTo: *last})
	if len(s.bars) == before {
		return
	}
	for _, j := range s.jobs { // a request during a mailing counts at once
		for _, v := range j.subsets {
			if !v.over && v.point >= engine.P500 {
				s.start(v)
			}
		}
	}
}

// ask asks the servers for returned mail and requests for changes, when it is time, and returns when it is next.
func (s *Server) ask() vt.Time {
	if s.cfg.Pull == 0 {
		return vt.Never
	}
	if s.now >= s.pull {
		s.pull = s.now.Add(s.cfg.Pull)
		for i, all := range s.sources {
			for n, last := range all {
				s.send(engine.Address{Role: engine.Bounces + engine.Kind(i), Server: mail.Server(n)},
					engine.Pull{UpTo: last})
			}
		}
	}
	return s.pull
}

// source returns where the number of the last change of a server is.
func (s *Server) source(from engine.Address) *uint64 {
	all := &s.sources[from.Role-engine.Bounces]
	for len(*all) <= int(from.Server) {
		*all = append(*all, 0)
	}
	return &(*all)[from.Server]
}

// bar applies a change. Delivering servers get those that change anything for them.
func (s *Server) bar(from engine.Address, number uint64, c engine.Change) {
	*s.source(from) = number
	if s.barred[c.Rcpt] == c.Add {
		s.barred[c.Rcpt] = !c.Add
		s.bars = append(s.bars, c)
	}
}
