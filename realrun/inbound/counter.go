package inbound

import (
	"encoding/json"
	"fmt"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/points"
)

// takeOver counts returned mail that another server has taken and kept. The answer is sent when all that follows is on
// the disk.
func (s *store) takeOver(m engine.Message) error {
	s.role.Receive(s.now(), m, &s.out)
	facts := s.out.Write
	s.out.Write = nil
	by := fmt.Sprint(m.From)
	var told []Event
	r := Record{By: by}
	for _, f := range facts {
		s.has(&r, f)
		counted, is := f.(engine.Counted)
		if !is { // it is about the next one
			continue
		}
		r.At, r.Person, r.Token = s.clock().UTC().Round(0), uint32(counted.Rcpt), counted.Token
		if j := s.jobs.at(counted.Rcpt); j != nil {
			r.Job, r.Rcpt = j.Name, uint32(counted.Rcpt-j.First)
		}
		s.apply(r)
		line, err := json.Marshal(r)
		if err == nil {
			err = s.log.Append(line)
		}
		if err != nil {
			return err
		}
		points.Reached("counted")
		if r.Purged {
			told = append(told, Event{Purged, r})
		}
		r = Record{By: by}
	}
	if len(facts) > 0 {
		if err := s.log.Sync(); err != nil {
			return err
		}
	}
	s.send()
	for _, e := range told {
		if s.cfg.Tell != nil {
			s.cfg.Tell(e)
		}
	}
	return nil
}

// at returns the job with a place of the list of all mailings, or the last one before it; nil: none.
func (s *jobs) at(r mail.Recipient) (of *Job) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, j := range s.all {
		if j.First <= r && (of == nil || j.First > of.First) {
			of = j
		}
	}
	return of
}
