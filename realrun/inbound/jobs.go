package inbound

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/internal/mail"
)

// jobs are the mailings whose returned mail is taken. They grow while the server runs.
type jobs struct {
	lock   sync.RWMutex
	domain string // of the return paths; empty: any
	all    []*Job
}

// path is a return path that a job has written.
type path struct {
	job  *Job
	rcpt mail.Recipient
	try  mail.Try
}

// add adds a job, in place of one with the same name.
func (s *jobs) add(j Job) error {
	if j.Name == "" {
		return fmt.Errorf("job: got no name")
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.all = append(slices.DeleteFunc(slices.Clone(s.all), func(old *Job) bool { return old.Name == j.Name }), &j)
	return nil
}

// find returns the job with a name, or nil.
func (s *jobs) find(name string) *Job {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if i := slices.IndexFunc(s.all, func(j *Job) bool { return j.Name == name }); i >= 0 {
		return s.all[i]
	}
	return nil
}

// path returns the return path of an address, or false if no job has written it or its time is over.
func (s *jobs) path(address string, now time.Time) (path, bool) {
	address = strings.ToLower(address)
	if !s.takes(address) {
		return path{}, false
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, j := range s.all {
		if r, t, ok := j.Key.ParseVERP(address); ok {
			return path{j, r, t}, j.Until.IsZero() || now.Before(j.Until)
		}
	}
	return path{}, false
}

// takes reports whether an address in lower case is in the domain of the return paths.
func (s *jobs) takes(address string) bool {
	_, domain, ok := strings.Cut(address, "@")
	return ok && (s.domain == "" || strings.EqualFold(domain, s.domain))
}

// mayCome reports whether an address that path does not know may be of a job that is not here yet.
func (s *jobs) mayCome(address string) bool {
	address = strings.ToLower(address)
	return s.takes(address) && mail.IsVERP(address)
}
