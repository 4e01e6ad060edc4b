package sim

import (
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/scenarios"
)

// This file has what comes from outside: returned mail, and what recipients ask for.

// accepted counts a message that a receiver has accepted. It may come back, or make its recipient ask for no more.
func (y *system) accepted(r mail.Recipient, d mail.Destination, now vt.Time) {
	y.accepts[r]++
	if y.accepts[r] > 1 {
		y.account.Duplicates++
	}
	person := uint64(r)
	campaign := y.mailing(r)
	if y.scenario.Dispatch.SameList {
		person = uint64(scenarios.Person(y.work, r))
	}
	back := &y.scenario.Destinations[d].Returned
	if luck := y.key.At(person, 0, purposeReturn); share(luck[0]) < back.Share {
		y.account.Returned++
		y.arrives(y.returns, now, back.After, share(luck[2]), engine.Returned{
			Token: uint64(r), Rcpt: r, Hard: share(luck[1]) >= back.Soft})
	}
	if y.asked == nil {
		return
	}
	if y.asked[person] {
		y.account.Unwanted++
	}
	c := &y.scenario.Campaigns[campaign]
	if luck := y.key.At(person, uint32(campaign), purposeAsk); share(luck[0]) < c.Asks.Share && !y.asked[person] {
		y.account.Asked++
		at := y.arrives(y.requests, now, c.Asks.After, share(luck[1]), engine.Letter{Rcpt: r, Token: uint64(campaign),
			Text: c.Asks.Letter})
		y.agenda.Add(at, happening{what: func(*node, *happening) { y.asked[person] = true }})
	}
}

// confirm lets a recipient confirm a request, as quickly as it was made.
func (y *system) confirm(m engine.Confirm, now vt.Time) {
	campaign := y.mailing(m.Rcpt)
	luck := y.key.At(uint64(m.Rcpt), uint32(campaign), purposeAsk)
	y.arrives(y.requests, now, y.scenario.Campaigns[campaign].Asks.After, share(luck[2]), engine.Confirmed{Rcpt: m.Rcpt,
		Token: m.Token})
}

// mailing returns the number of the mailing of a recipient.
func (y *system) mailing(r mail.Recipient) int {
	return slices.IndexFunc(y.work, func(m engine.Submitted) bool { return r < m.First+m.Recipients })
}

// arrives lets something from outside come to a node, between least and twice as long after now, by luck from 0 to
// below 1. It returns when. Without a node nothing reads it.
func (y *system) arrives(n *node, now vt.Time, least vt.Span, luck float64, body engine.Body) vt.Time {
	at := now.Add(least + vt.Span(float64(least)*luck))
	if n != nil {
		y.agenda.Add(at, happening{what: y.comes, node: n, message: engine.Message{Body: body}})
	}
	return at
}

// again is the time after which a sender tries a server again that did not answer.
const again = vt.Minute

// comes gives a node what comes from outside, whose sender tries again until the node has it.
func (y *system) comes(n *node, h *happening) {
	if !n.up {
		y.agenda.Add(y.now.Add(again), *h)
		return
	}
	y.receive(n, h)
}
