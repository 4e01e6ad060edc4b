package delivery

import (
	"cmp"
	"math/bits"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// How MTA processes beyond C are let go before their subsets are done ([0070]).
// Mail is never cut: a process that is to go ends its attempt, may try some
// more recipients of its subset (Shorten), takes no resend, and is freed. The
// rest of its subset goes back to its campaign when it is chosen, to be handed
// out again before recipients that nobody had yet.

// freeings in the order in which choices are listed, with what each does when
// C has fallen and when an attempt has ended.
var freeings = []struct {
	conf.Choice
	fell  func(*Machine)
	ended func(*Machine, mail.Slot)
}{
	{Choice: conf.Choice{Name: "none", Doc: "lets a process end its subset"}},
	{Choice: conf.Choice{Name: "at-interval", Doc: "chooses as many as are too many when C falls"},
		fell: (*Machine).freeExcess},
	{Choice: conf.Choice{Name: "continuous",
		Doc: "lets one go whenever an attempt ends, for as long as there are too many"}, ended: (*Machine).freeEnded},
}

// victims in the order in which choices are listed. Each orders two processes by
// who goes first: negative if a does.
var victims = []struct {
	conf.Choice
	before func(m *Machine, now vt.Time, a, b mail.Slot) int
}{
	{conf.Choice{Name: "ahead-of-schedule", Doc: "has most deliveries in its time"},
		func(m *Machine, now vt.Time, a, b mail.Slot) int {
			// The schedule is the same for all, so who delivers at the greatest rate is ahead of it the most.
			x, y := &m.tenures[a], &m.tenures[b]
			return compareProducts(y.delivered, uint64(now.Sub(x.began)+1), x.delivered, uint64(now.Sub(y.began)+1))
		}},
	{conf.Choice{Name: "lowest-priority", Doc: "is of the campaign of least priority"},
		func(m *Machine, _ vt.Time, a, b mail.Slot) int {
			return cmp.Compare(m.campaigns[m.slots[a].campaign].priority, m.campaigns[m.slots[b].campaign].priority)
		}},
	{conf.Choice{Name: "most-complete", Doc: "has the least share of its subset left"},
		func(m *Machine, _ vt.Time, a, b mail.Slot) int {
			s, t, x, y := &m.slots[a], &m.slots[b], &m.tenures[a], &m.tenures[b]
			return compareProducts(uint64(s.to-s.next), uint64(max(y.size, 1)), uint64(t.to-t.next), uint64(max(x.size, 1)))
		}},
	{conf.Choice{Name: "newest", Doc: "was allocated last"}, func(m *Machine, _ vt.Time, a, b mail.Slot) int {
		return cmp.Compare(m.tenures[b].turn, m.tenures[a].turn)
	}},
}

// Choices returns the policies and the victims that a key may name.
func (Freeing) Choices(key string) (all []conf.Choice) {
	switch key {
	case "policy":
		for _, f := range freeings {
			all = append(all, f.Choice)
		}
	case "victim":
		for _, v := range victims {
			all = append(all, v.Choice)
		}
	}
	return all
}

// freeing is the policy in the terms of the machine.
type freeing struct {
	fell   func(*Machine)
	ended  func(*Machine, mail.Slot)
	before func(m *Machine, now vt.Time, a, b mail.Slot) int
}

func freeingOf(f Freeing) (l freeing) {
	for _, p := range freeings {
		if p.Name == f.Policy {
			l.fell, l.ended = p.fell, p.ended
		}
	}
	for _, v := range victims {
		if v.Name == f.Victim {
			l.before = v.before
		}
	}
	return l
}

// tenure is what the choice of a process goes by.
type tenure struct {
	began     vt.Time        // when it took its subset, or was allocated
	turn      uint64         // of its allocation among all
	size      mail.Recipient // of its subset
	delivered uint64         // since began
}

// part is a run of untried recipients that came back.
type part struct{ from, to mail.Recipient }

// excess is the number of processes beyond C that nobody has told to go.
func (m *Machine) excess() int { return m.allocated - m.leaving - m.available }

// freeExcess chooses as many processes as are too many. All of them have an
// attempt under way.
func (m *Machine) freeExcess() {
	excess := m.excess()
	if excess <= 0 {
		return
	}
	m.chosen = m.chosen[:0]
	for i := range m.slots {
		if s := &m.slots[i]; s.busy && !s.leaving {
			m.chosen = append(m.chosen, mail.Slot(i))
		}
	}
	now := m.interval.accounted
	slices.SortFunc(m.chosen, func(a, b mail.Slot) int { return m.goesBefore(now, a, b) })
	for _, i := range m.chosen[:excess] {
		m.dismiss(i)
	}
}

// freeEnded lets a process go whose attempt has just ended, if it is among
// those that should go first.
func (m *Machine) freeEnded(i mail.Slot) {
	excess := m.excess()
	if excess <= 0 || m.slots[i].leaving {
		return
	}
	for j := range m.slots {
		if s := &m.slots[j]; s.busy && !s.leaving && m.goesBefore(m.interval.accounted, mail.Slot(j), i) < 0 {
			if excess--; excess == 0 {
				return
			}
		}
	}
	m.dismiss(i)
}

// goesBefore orders processes by who goes first; of equals the lower slot.
func (m *Machine) goesBefore(now vt.Time, a, b mail.Slot) int {
	return cmp.Or(m.freeing.before(m, now, a, b), cmp.Compare(a, b))
}

// compareProducts compares a x b with c x d, in 128 bits.
func compareProducts(a, b, c, d uint64) int {
	high, low := bits.Mul64(a, b)
	high2, low2 := bits.Mul64(c, d)
	return cmp.Or(cmp.Compare(high, high2), cmp.Compare(low, low2))
}

// dismiss tells a process to go, and gives the rest of its subset back.
func (m *Machine) dismiss(i mail.Slot) {
	s := &m.slots[i]
	s.leaving = true
	m.leaving++
	m.interval.freed++
	keep := min(s.to-s.next, mail.Recipient(m.cfg.Freeing.Shorten))
	if rest := s.to - s.next - keep; rest > 0 {
		c := &m.campaigns[s.campaign]
		c.back = append(c.back, part{from: s.to - rest, to: s.to})
		c.ready++
		m.follow(c)
		s.to -= rest
		m.oldest = min(m.oldest, int(s.campaign))
		m.interval.handedBack += uint64(rest)
	}
}

// takeSubset gives a slot the next run of untried recipients, those that came
// back first. It reports whether there was one.
func (m *Machine) takeSubset(i mail.Slot) bool {
	s := &m.slots[i]
	c := &m.campaigns[s.campaign]
	switch {
	case len(c.back) > 0:
		s.next, s.to = c.back[0].from, c.back[0].to
		c.back = slices.Delete(c.back, 0, 1)
	case c.next < c.to:
		n := min(c.subset, c.to-c.next)
		s.next, s.to = c.next, c.next+n
		c.next += n
	default:
		return false
	}
	c.ready--
	m.follow(c)
	if m.frees {
		t := &m.tenures[i]
		t.began, t.size, t.delivered = m.interval.accounted, s.to-s.next, 0
	}
	return true
}
