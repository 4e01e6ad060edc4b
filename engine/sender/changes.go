package sender

import (
	"flyball/engine"
)

// change takes changes of the list from a server for returned mail or requests.
func (s *Server) change(from engine.Address, b engine.Changes) {
	last := s.source(from)
	before := len(s.bars)
	for i, r := range engine.UnpackRecipients(b.Entries) {
		if n := b.First + uint64(i); n == *last+1 {
			f := engine.Barred{From: from, Number: n, Rcpt: r}
			s.write(f)
			s.bar(f)
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

func (s *Server) source(from engine.Address) *uint64 { return &s.sources[from.Role-engine.Bounces] }

func (s *Server) bar(f engine.Barred) {
	*s.source(f.From) = f.Number
	if !s.barred[f.Rcpt] {
		s.barred[f.Rcpt] = true
		s.bars = append(s.bars, f.Rcpt)
	}
}
