package diagnosis

import (
	"fmt"
	"slices"

	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// addresses returns the findings of replies about recipients.
func (v *destination) addresses() []Finding {
	var all []Finding
	tried := float64(v.d.Tried())
	dead := v.dead() / tried
	k := v.receiver
	grey := v.replies(func(s mail.Stage, c int) bool {
		if v.known {
			return c == k.Grey.Code && s >= mail.StageRCPT
		}
		return s == mail.StageRCPT && (c == 450 || c == 451)
	}) / tried
	after := ""
	if k.Delay > 0 {
		after = " and takes resends after " + format.Duration(k.Delay.Seconds())
	}
	passes := k.Grey.Limit > 0 || !v.known && v.d.Resent[mail.Done] > v.d.Resent[mail.Pending]
	if grey >= leastDeferred && grey*tried >= leastAttempts && passes {
		all = append(all, Finding{Greylist, v.name, fmt.Sprintf("%s defers %s of recipients at "+
			"first (greylist)%s; more processes change nothing.", v.name,
			format.Percent(min(grey, float64(v.d.First[mail.Pending])/tried)), after)})
	}
	if dead >= leastDeferred && dead*tried >= leastAttempts {
		all = append(all, Finding{Dead, v.name, fmt.Sprintf("%s: %s of the addresses do not exist; remove them from "+
			"the list, receivers count them against the sender.", v.name, format.Percent(dead))})
	}
	return all
}

// dead returns the number of addresses that do not exist.
func (v *destination) dead() float64 {
	n := v.replies(func(s mail.Stage, c int) bool { return s == mail.StageRCPT && c/100 == 5 && !v.byEvent(s, c) })
	return min(n, float64(v.d.Count(mail.Failed))) // where 5yz is resent too, a recipient has several of them
}

// byEvent reports whether an event gives a reply, which then tells nothing of the recipient.
func (v *destination) byEvent(s mail.Stage, code int) bool {
	return slices.ContainsFunc(v.receiver.Events, func(e runlog.Event) bool { return e.Stage == s && e.Code == code })
}
