package delivery

import (
	"cmp"
	"math/bits"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// This file preempts MTA processes beyond C before their subsets are done
// ([0070]). No attempt is cut: a preempted process ends its attempt, may try some
// more recipients of its subset (Shorten), takes no resend, and is freed. The rest
// of its subset returns to its campaign at once and is assigned again before
// recipients that were in no subset yet.

// Freeing determines what happens to MTA processes that are allocated beyond C ([0070]).
type Freeing struct {
	// what happens to processes beyond C
	Policy string `toml:"policy" default:"none"`
	// which process is freed first
	Victim string `toml:"victim" default:"ahead-of-schedule"`
	// recipients of its subset that a preempted process still tries; the rest returns to its campaign at once. 0: the
	// process is freed when its attempt ends
	// Source: derived: [0070]: freed
	Shorten int `toml:"shorten" range:"0..1000000000"`
}

var keys = declare()

// declare reads the tags of Freeing. It depends on the tables that Choices lists, so that Go
// initializes the tables first.
func declare() *conf.Keys {
	_, _ = freeings, victims
	return conf.Declare[Freeing]()
}

// DefaultFreeing returns a policy that frees no process: [0070], "In one
// embodiment, the governor does not free MTAs".
func DefaultFreeing() Freeing { return conf.DefaultOf[Freeing](keys) }

// Off reports whether no process is freed before its subset is done.
func (f Freeing) Off() bool { return f.Policy == "none" || f.Policy == "" }

// Idle reports whether a key has no meaning under the policy that f names.
func (f Freeing) Idle(key string) bool { return f.Off() && key != "policy" }

// Validate reports every problem.
func (f Freeing) Validate() []error {
	var l conf.List
	keys.Check(&l, f)
	keys.CheckIdle(&l, f, func(string) string { return "policy = \"none\" has no use for it" })
	return l
}

// freeings are the policies in the order of choices in help and schema, with their
// action when C has fallen and when an attempt has ended.
var freeings = []struct {
	conf.Choice
	fell  func(*Machine)
	ended func(*Machine, mail.Slot)
}{
	{Choice: conf.Choice{Name: "none", Doc: "lets every process end its subset"}},
	{Choice: conf.Choice{Name: "at-interval", Doc: "preempts all processes beyond C when C falls"},
		fell: (*Machine).freeExcess},
	{Choice: conf.Choice{Name: "continuous",
		Doc: "preempts a process whenever an attempt ends, while there are processes beyond C"},
		ended: (*Machine).freeEnded},
}

// victims are the orders of preemption, in the order of choices in help and schema.
// before compares two processes: negative if a is preempted first.
var victims = []struct {
	conf.Choice
	before func(m *Machine, now vt.Time, a, b mail.Slot) int
}{
	{conf.Choice{Name: "ahead-of-schedule", Doc: "has the greatest rate of deliveries"},
		func(m *Machine, now vt.Time, a, b mail.Slot) int {
			// All processes have the same schedule, so the one with the greatest rate is ahead the most.
			x, y := &m.allocations[a], &m.allocations[b]
			return compareProducts(y.delivered, uint64(now.Sub(x.began)+1), x.delivered, uint64(now.Sub(y.began)+1))
		}},
	{conf.Choice{Name: "lowest-priority", Doc: "belongs to the campaign of lowest priority"},
		func(m *Machine, _ vt.Time, a, b mail.Slot) int {
			return cmp.Compare(m.campaigns[m.slots[a].campaign].priority, m.campaigns[m.slots[b].campaign].priority)
		}},
	{conf.Choice{Name: "most-complete", Doc: "has the least share of its subset left"},
		func(m *Machine, _ vt.Time, a, b mail.Slot) int {
			s, t, x, y := &m.slots[a], &m.slots[b], &m.allocations[a], &m.allocations[b]
			return compareProducts(uint64(s.to-s.next), uint64(max(y.size, 1)),
				uint64(t.to-t.next), uint64(max(x.size, 1)))
		}},
	{conf.Choice{Name: "newest", Doc: "was allocated last"}, func(m *Machine, _ vt.Time, a, b mail.Slot) int {
		return cmp.Compare(m.allocations[b].turn, m.allocations[a].turn)
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

// freeing holds the functions of a Freeing.
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

// allocation holds the facts about an allocated process that victims compares.
type allocation struct {
	began     vt.Time        // when the process took its subset, or was allocated
	turn      uint64         // ordinal of the allocation
	size      mail.Recipient // size of its subset
	delivered uint64         // deliveries since began
}

// part is a range of untried recipients that returned to their campaign.
type part struct{ from, to mail.Recipient }

// excess returns the number of processes beyond C, without those preempted
// already.
func (m *Machine) excess() int { return m.allocated - m.leaving - m.available }

// freeExcess preempts the processes beyond C. All of them have an attempt under
// way.
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
		m.preempt(i)
	}
}

// freeEnded preempts the process i, whose attempt has just ended, if it is among
// those that come first in the order of preemption.
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
	m.preempt(i)
}

// goesBefore compares two processes: negative if a is preempted first. Of equal
// processes, the lower slot comes first.
func (m *Machine) goesBefore(now vt.Time, a, b mail.Slot) int {
	return cmp.Or(m.freeing.before(m, now, a, b), cmp.Compare(a, b))
}

// compareProducts compares a x b with c x d in 128 bits.
func compareProducts(a, b, c, d uint64) int {
	high, low := bits.Mul64(a, b)
	high2, low2 := bits.Mul64(c, d)
	return cmp.Or(cmp.Compare(high, high2), cmp.Compare(low, low2))
}

// preempt marks the process i as leaving and returns the rest of its subset to
// its campaign.
func (m *Machine) preempt(i mail.Slot) {
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

// takeSubset gives slot i the next range of untried recipients, starting with
// returned ones. It reports whether there was one.
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
		t := &m.allocations[i]
		t.began, t.size, t.delivered = m.interval.accounted, s.to-s.next, 0
	}
	return true
}
