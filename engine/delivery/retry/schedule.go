package retry

import (
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// schedule is a schedule of resends: the wait before each resend, of which the
// last repeats, and its end by number of resends, age, or both; 0 means that this
// kind of end does not apply. Jitter is left out everywhere: the engine draws no
// random numbers.
type schedule struct {
	delays []vt.Span
	limit  int
	age    vt.Span
}

var scheduleNames = []string{"patent", "rfc5321", "postfix", "kumomta", "haraka", "zonemta", "mox", "chasquid", "gmail",
	"yahoo"}

// scheduleNamed returns the schedule called name. Delays that a mail server derives
// from a message's age are given by try, for attempts that take no time. An end by
// age is kept, and the limit is the number of resends that fit into the age.
func scheduleNamed(name string) (s schedule, ok bool) {
	const m, h = vt.Minute, vt.Hour
	switch name {
	case "patent": // [0073]: ten; it names no delays: 30 minutes doubling up to 4 hours are assumed, 31.5 hours in all
		s = schedule{delays: doubling(30*m, 4), limit: 10}
	case "rfc5321": // 4.5.4.1: 30 minutes or more, two tries in the first hour, then every 2 or 3 hours; 4 or 5 days
		s = schedule{delays: []vt.Span{30 * m, 30 * m, 3 * h}, age: 5 * vt.Day}
	// minimal_backoff_time 300s, maximal_backoff_time 4000s, between them the message's age;
	// maximal_queue_lifetime 5d
	case "postfix":
		s = schedule{delays: []vt.Span{5 * m, 5 * m, 10 * m, 20 * m, 40 * m, 4000 * vt.Second}, age: 5 * vt.Day}
	case "kumomta": // make_queue_config: retry_interval 20 minutes, doubling without a bound; max_age 7 days
		s = schedule{delays: doubling(20*m, 9), age: 7 * vt.Day}
	case "haraka": // outbound: 2^(n+5) s after failure n, given up at the 13th
		s = schedule{delays: doubling(64*vt.Second, 12), limit: 12}
	case "zonemta": // 5, 7, 8, 25, 75, 120 minutes, then every 4 hours until 48 hours
		s = schedule{delays: []vt.Span{5 * m, 7 * m, 8 * m, 25 * m, 75 * m, 120 * m, 4 * h}, age: 48 * h}
	case "mox": // queue: 7.5 minutes, doubling; 8 attempts
		s = schedule{delays: doubling(450*vt.Second, 7), limit: 7}
	// internal/queue, nextDelay: by age 1, 5, 10, then 20 minutes (and up to one more by chance);
	// 20 hours
	case "chasquid":
		s = schedule{delays: []vt.Span{1 * m, 5 * m, 10 * m, 20 * m}, age: 20 * h}
	case "gmail": // Pagani, seen at a receiver: 6:02, 29:02, 56:36, 98:44 minutes and 162 minutes after the first try
		s = schedule{delays: since(362, 1742, 3396, 5924, 9720)}
	case "yahoo": // Pagani, seen at a receiver: 2:07, 5:39, 12:58, 27:16, 55:13 minutes after the first try
		s = schedule{delays: since(127, 339, 778, 1636, 3313)}
	default:
		return s, false
	}
	if s.age > 0 {
		for at := s.delays[0]; at <= s.age; at += s.delays[min(s.limit, len(s.delays)-1)] {
			s.limit++
		}
	}
	return s, true
}

// doubling returns n delays, each twice the one before.
func doubling(first vt.Span, n int) []vt.Span {
	var all []vt.Span
	for range n {
		all = append(all, first)
		first *= 2
	}
	return all
}

// since returns the delays between tries, given the seconds from the first try to
// each resend.
func since(seconds ...vt.Span) []vt.Span {
	var all []vt.Span
	var before vt.Span
	for _, at := range seconds {
		all = append(all, (at-before)*vt.Second)
		before = at
	}
	return all
}

// Spelled returns r with its named schedule, if any, written out as delays, limit
// and age.
func (r Config) Spelled() Config {
	s, ok := scheduleNamed(r.Schedule)
	if !ok {
		return r
	}
	r.Schedule, r.Delays = "", s.delays
	if s.limit > 0 {
		r.Limit = s.limit
	}
	if s.age > 0 {
		r.MaxAge = s.age
	}
	return r
}

// Delay returns the wait before the resend after the failure r at a try, by the delays of the
// destination.
func (c *Config) Delay(delays []vt.Span, try mail.Try, r *mail.Reply) vt.Span {
	if try == 0 && c.GreylistDelay > 0 && r.Stage == mail.StageRCPT && (r.Code == 450 || r.Code == 451) {
		return c.GreylistDelay
	}
	return delays[min(int(try), len(delays)-1)]
}
