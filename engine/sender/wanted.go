package sender

import (
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Account limits the mailings of one account ([0083]).
type Account struct {
	Processes int // most of all of its mailings under way; 0: no limit
	Messages  int // recipients that are planned in a day at most: others wait for the next one; 0: no limit
}

// day is the length of an account's day; the first one begins at time 0.
const day = 24 * vt.Hour

// used is what the mailings of an account had of its messages on one day.
type used struct {
	day      int64
	messages int
}

func dayOf(t vt.Time) int64 { return int64(t) / int64(day) }

// account returns the limits of the account of a mailing.
func (s *Server) account(j *job) Account {
	if j.Account == 0 {
		return Account{}
	}
	return s.cfg.Accounts[j.Account-1]
}

// portion returns the number of recipients that may be planned today: those that are in no plan yet, up to the
// messages that the account has left.
func (s *Server) portion(j *job) int {
	n := count(j.rest)
	if a := s.account(j); a.Messages > 0 {
		left := a.Messages
		if u := s.used[j.Account-1]; u.day == dayOf(s.now) {
			left -= u.messages
		}
		n = min(n, left)
	}
	return max(0, n)
}

// spend counts recipients of a mailing that were planned at a time.
func (s *Server) spend(j *job, at vt.Time, recipients int) {
	if j.Account == 0 {
		return
	}
	u := &s.used[j.Account-1]
	if u.day != dayOf(at) {
		*u = used{day: dayOf(at)}
	}
	u.messages += recipients
}

// waits reports whether all of a mailing that may be delivered today is.
func (s *Server) waits(j *job) bool {
	if len(j.rest) == 0 || s.portion(j) > 0 {
		return false
	}
	for _, v := range j.subsets {
		if !v.over {
			return false
		}
	}
	return true
}

// wanted returns the most processes for a number of recipients of a mailing ([0031], [0083]): as many as its deadline
// asks for, within the limits, which rule: a mailing may be late. replaced is a subset that ends for it.
func (s *Server) wanted(j *job, recipients int, replaced *subset) int {
	n := s.limit(j, replaced)
	if j.Deadline > 0 {
		n = min(n, s.needed(j, recipients))
	}
	return n
}

// limit returns the most processes that a mailing may be given now: those it wants on all servers, and what the licence
// and its account have left, of all subsets that have not ended but for one.
func (s *Server) limit(j *job, except *subset) int {
	n := j.Processes * len(s.servers)
	if s.cfg.Licence > 0 {
		n = min(n, s.cfg.Licence-s.inUse(0, except))
	}
	if a := s.account(j); a.Processes > 0 {
		n = min(n, a.Processes-s.inUse(j.Account, except))
	}
	return max(0, n)
}

// needed returns the number of processes that a number of recipients of a mailing need by its deadline.
func (s *Server) needed(j *job, recipients int) int {
	return needed(recipients, j.Deadline.Sub(s.now), s.efficiency())
}

// needed returns the number of processes that try a number of recipients in a time, each as many in an hour as its
// efficiency; without end if there is no time.
func needed(recipients int, in vt.Span, efficiency float64) int {
	each := float64(in) / float64(vt.Hour) * efficiency
	if n := math.Ceil(float64(recipients) / each); each > 0 && n < math.MaxInt32 {
		return int(n)
	}
	return math.MaxInt32
}

// efficiency returns the messages that a process delivers in an hour ([0066]): in all finished subsets, or the assumed
// ones before.
func (s *Server) efficiency() float64 {
	if s.busy == 0 {
		return float64(s.cfg.Efficiency)
	}
	return float64(s.delivered) / (float64(s.busy) / float64(vt.Hour))
}

// measure counts a finished subset whose attempts took the time busy.
func (s *Server) measure(j *job, v *subset, busy vt.Span) {
	if busy == 0 {
		return
	}
	s.busy += busy
	v.each(func(r mail.Recipient) {
		if j.status[r-j.First] == mail.Done {
			s.delivered++
		}
	})
}

// inUse returns the processes of all subsets that have not ended, but for one, of an account or, if it is 0, of all.
func (s *Server) inUse(account int, except *subset) (n int) {
	for _, j := range s.jobs {
		if account == 0 || j.Account == account {
			n += j.inUse(except)
		}
	}
	return n
}

func (j *job) inUse(except *subset) (n int) {
	for _, v := range j.subsets {
		if !v.over && v != except {
			n += v.Processes
		}
	}
	return n
}

// deal gives servers processes one at a time in turn: up to bounds, of each server one after the other, most in all.
func deal(most, servers int, bounds ...func(server int) int) []int {
	n := make([]int, servers)
	for _, bound := range bounds {
		for more := true; more; {
			more = false
			for i := range n {
				if most > 0 && n[i] < bound(i) {
					n[i]++
					most--
					more = true
				}
			}
		}
	}
	return n
}
