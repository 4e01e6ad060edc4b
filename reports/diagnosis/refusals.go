package diagnosis

import (
	"fmt"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// refusals returns the findings of attempts with which the receiver refused the sender.
func (v *destination) refusals() []Finding {
	all := v.connections()
	if !v.known {
		if share := float64(v.d.Refusals())/v.attempts - v.atBanner(); share >= leastRefused {
			all = v.add(all, Throttle, share, "it takes fewer messages than were offered; a lower rate is refused less")
		}
		return all
	}
	before := len(all)
	all = v.messages(all)
	if k := v.receiver.Penalty; k.Limit > 0 && len(all) == before {
		if share := v.atMail(k.Code); share >= leastRefused {
			all = v.add(all, Penalty, share, fmt.Sprintf("it punishes more than %s messages an hour with %s "+
				"in which it takes nothing, and begins again if the sender does not slow down; a lower rate is not "+
				"punished", format.Grouped(k.Limit, 0), format.Duration(v.receiver.Pause.Seconds())))
		}
	}
	return v.shared(v.events(all))
}

// add adds a finding with the share of attempts that were refused, and why.
func (v *destination) add(all []Finding, c Cause, share float64, why string) []Finding {
	words := fmt.Sprintf("%s refused %s of attempts: %s.", v.name, format.Percent(share), why)
	again := slices.ContainsFunc(all, func(f Finding) bool { return f.Words == words }) // of two equal allowances
	if share*v.attempts < leastAttempts || again {
		return all
	}
	return append(all, Finding{c, v.name, words})
}

// atBanner returns the share of attempts that 421 ended before MAIL, other than by an event.
func (v *destination) atBanner() float64 {
	return v.replies(func(s mail.Stage, c int) bool {
		return s <= mail.StageEHLO && c == 421 && !v.byEvent(s, c)
	}) / v.attempts
}

// connections returns the finding of connections beyond the cap.
func (v *destination) connections() []Finding {
	share := v.atBanner()
	if share < leastRefused || v.known && v.receiver.Cap == 0 {
		return nil
	}
	limit := "it takes fewer connections than were opened"
	if v.known {
		limit = fmt.Sprintf("cap of %d connections, up to %s used", v.receiver.Cap, format.Grouped(v.peak(), 0))
	}
	return v.add(nil, Cap, share, limit+"; more processes make this mailing later, but neither fewer processes nor "+
		"another server do"+v.lateness())
}

// messages adds the findings of limits of messages.
func (v *destination) messages(all []Finding) []Finding {
	k, busiest := v.receiver, v.busiest()
	if share := v.atMail(k.Bucket.Code); k.Bucket.Limit > 0 && share >= leastRefused && busiest > k.Bucket.Limit {
		all = v.add(all, Bucket, share, fmt.Sprintf("it takes %s messages an hour, up to %s were offered; a higher "+
			"rate is refused and sent again", format.Grouped(k.Bucket.Limit, 0), format.Grouped(busiest, 0)))
	}
	for _, w := range k.Windows {
		if share := v.atMail(w.Code); share >= leastRefused && v.fills(w) {
			all = v.add(all, Window, share, fmt.Sprintf("it takes %s messages in %s and then none for a while; spread "+
				"the mailing over a longer time", format.Grouped(w.Limit, 0), format.Duration(w.Length.Seconds())))
		}
	}
	share := v.atMail(k.Soft.Code)
	if k.Soft.Limit == 0 || share < leastRefused {
		return all
	}
	soft := format.Grouped(k.Soft.Limit, 0)
	above, distrusted := v.throttled()
	switch {
	case distrusted && v.complained():
		all = v.add(all, Complaints, share, fmt.Sprintf("recipients have complained, and %s now refuses below %s "+
			"messages an hour too; send only to those who asked for the mail, and less until the sender's "+
			"reputation has recovered", v.name, soft))
	case distrusted:
		all = v.add(all, Reputation, share, fmt.Sprintf("refusals and dead addresses have cost the sender its "+
			"reputation, and %s now refuses below %s messages an hour too; clean the list, and send less until the "+
			"reputation has recovered", v.name, soft))
	case above >= leastRefused:
		all = v.add(all, Throttle, share, fmt.Sprintf("from %s messages an hour on it refuses a growing share, up to "+
			"%s were offered; a lower rate is refused less", soft, format.Grouped(busiest, 0)))
	}
	return all
}

// complained reports whether complaints have cost at least half of the reputation.
func (v *destination) complained() bool {
	d := v.receiver.Distrusted
	complaints := float64(v.d.Count(mail.Done)) * d.PerDelivery
	return complaints > 0 && complaints >= float64(v.d.Refusals())*d.PerRefusal+v.dead()*d.PerDead
}

// events adds the findings of events that refused for a time.
func (v *destination) events(all []Finding) []Finding {
	for _, e := range v.receiver.Events {
		n := v.explained(e)
		if n < leastRefused*v.attempts || v.undelivered(e) < 0.9*n {
			continue
		}
		until := "to the end"
		if e.To != vt.Never {
			until = "until " + format.Duration(e.To.Sub(0).Seconds())
		}
		all = v.add(all, Event, n/v.attempts, fmt.Sprintf("from %s after the start %s %s replied %d at %s, whatever "+
			"was sent; ask the provider why, and send there later", format.Duration(e.From.Sub(0).Seconds()), until,
			v.name, e.Code, e.Stage))
	}
	return all
}

// explained returns the number of attempts that ended as the event ends them.
func (v *destination) explained(e runlog.Event) float64 {
	return v.replies(func(s mail.Stage, c int) bool { return s == e.Stage && c == e.Code })
}

// shared adds a finding if several servers share a limit that refused them.
func (v *destination) shared(all []Finding) []Finding {
	if v.realServers() < 2 {
		return all
	}
	together := v.receiver.Shared && slices.ContainsFunc(all, func(f Finding) bool { return f.Cause != Event })
	for _, w := range v.receiver.Windows {
		together = together || w.Fleet && v.atMail(w.Code) >= leastRefused && v.fills(w)
	}
	if together {
		all = append(all, Finding{Contention, v.name, fmt.Sprintf("%s counts all %d servers together: what "+
			"one of them is granted, the others are refused; another server gains nothing there.", v.name,
			v.realServers())})
	}
	return all
}

// hangUps returns the finding of connections that the receiver closes.
func (v *destination) hangUps() []Finding {
	n := v.receiver.HangsUp
	if !v.known || n == 0 || n >= v.receiver.Messages {
		return nil
	}
	share := v.closed(n)
	if share < leastClosed || share*v.attempts < leastAttempts {
		return nil
	}
	return []Finding{{HangUp, v.name, fmt.Sprintf("%s ends a connection after %s, and some %s of "+
		"attempts meet its end and begin again; offer no more than that over one connection "+
		"(destination.messages_per_connection).", v.name, format.Plural(uint64(n), "message"), format.Percent(share))}}
}

// reconnects returns the finding of connections that the sender itself closes after some messages, if the new ones
// cost much of the time of attempts.
func (v *destination) reconnects() []Finding {
	n := v.receiver.Messages
	if h := v.receiver.HangsUp; !v.known || n == 0 || h > 0 && h <= n {
		return nil
	}
	closed := v.closed(n)
	connecting, kept := (v.receiver.Fresh - v.receiver.Kept).Seconds(), v.receiver.Kept.Seconds()
	share := closed * connecting / (kept + (1-v.share()+closed)*connecting)
	if !(share >= leastConnecting) || closed*v.attempts < leastAttempts || !v.short() {
		return nil
	}
	return []Finding{{Reconnects, v.name, fmt.Sprintf("%s takes more than the %s that are sent over one connection, "+
		"as ordered, and new connections take some %s of the time of its attempts; a higher messages_per_connection "+
		"there ends this mailing earlier.", v.name, format.Plural(uint64(n), "message"), format.Percent(share))}}
}
