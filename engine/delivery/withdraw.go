package delivery

import (
	"flyball/engine"
	"flyball/internal/vt"
)

// This file takes recipients back from the server, and hands over recipients that were
// tried before: by this server before it stopped, or by another one.

// withdraw takes back all recipients that are in no attempt.
func (m *Machine) withdraw() {
	m.waiting = newWaiting(m.cfg.longest())
	m.firsts = nil
	m.left = 0
	for i := range m.campaigns {
		c := &m.campaigns[i]
		c.withdrawn = true
		c.next, c.back, c.due, c.ready = c.to, nil, chain{}, 0
		clear(c.parked)
		c.parkedCount = 0
		c.stage.Left = 0
	}
	if m.concurrency != nil {
		m.concurrency.parked = 0
		for d := range m.concurrency.each {
			m.concurrency.each[d].parked = 0
		}
	}
	for i := range m.slots {
		if s := &m.slots[i]; s.busy {
			s.next = s.to
			m.campaigns[s.campaign].stage.Left++
			m.left++
		}
	}
	for i := range m.campaigns {
		m.follow(&m.campaigns[i])
	}
}

// again queues recipients that were tried before, for the newest campaign. Their age begins
// anew; a due time beyond the longest wait is shortened to it.
func (m *Machine) again(now vt.Time, resends []engine.Resend) {
	campaign := uint32(len(m.campaigns) - 1)
	for _, r := range resends {
		due := min(max(r.Due, now), now.Add(m.cfg.longest()))
		m.queue(due, resend{rcpt: r.Rcpt, try: r.Try, campaign: campaign}, now)
	}
	if len(resends) > 0 {
		m.mature()
	}
}
