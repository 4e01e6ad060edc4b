package diagnosis

import (
	"fmt"
	"slices"

	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

// This file names the limits that a scenario orders of a server or a campaign, where they bind.

// binds returns the finding of the limit of its own that binds a server; nil if none does.
func (f *Facts) binds(own runlog.Own) *Finding {
	rows := measure.RowsOf(f.Rows, own.Name)
	below := func(row measure.Row) bool { // a server under one governor has no target
		return row.Rate < row.Target || !row.Target.Known() && f.short()
	}
	full := func(row measure.Row) bool {
		return float64(row.Previous) >= float64(own.Connections+1) &&
			float64(row.Allocated) >= 0.95*float64(own.Connections) && below(row)
	}
	begins := func(row measure.Row) bool { return float64(row.Attempts)/row.Hours >= 0.95*own.Rate }
	sends := func(row measure.Row) bool {
		return float64(row.Attempts)*f.bytes()/(row.Hours*3600) >= 0.9*own.Bandwidth
	}
	switch {
	case own.Connections > 0 && inHalf(rows, full):
		return &Finding{Connections, own.Name, fmt.Sprintf("%s had no more than its %s open, as ordered, though C "+
			"was higher: more of them (server.connections), or another server, end this mailing earlier.",
			own.Name, format.Plural(uint64(own.Connections), "connection"))}
	case !f.short():
	case own.Rate > 0 && inHalf(rows, begins):
		return &Finding{ServerRate, own.Name, fmt.Sprintf("%s began as many attempts as it can, %s an hour "+
			"(server.rate): more processes wait for their turn, and another server, or a faster one, ends this "+
			"mailing earlier.", own.Name, format.Grouped(own.Rate, 0))}
	case own.Bandwidth > 0 && inHalf(rows, sends):
		return &Finding{Bandwidth, own.Name, fmt.Sprintf("The link of %s was full (server.bandwidth): smaller "+
			"messages, a faster link or another server end this mailing earlier, more processes do not.", own.Name)}
	}
	return nil
}

// inHalf reports whether something holds in at least half of the judged intervals.
func inHalf(rows []measure.Row, holds func(measure.Row) bool) bool {
	rows = measure.Judged(rows)
	n := 0
	for _, row := range rows {
		if holds(row) {
			n++
		}
	}
	return len(rows) > 0 && 2*n >= len(rows)
}

// short reports whether some governor ended more than 5 % below its target.
func (f *Facts) short() bool {
	return slices.ContainsFunc(f.Servers, func(s measure.Server) bool { return s.SteadyStateError < -0.05 })
}

// bytes returns the mean number of bytes of messages that an attempt takes to the link: those that come as far as the
// final dot do, and those that a greylist defers at RCPT, whose place is taken by then.
func (f *Facts) bytes() float64 {
	var sent, all float64
	for _, r := range f.Run.Replies {
		all += float64(r.Count)
		grey := f.Run.Receiver == "" && int(r.Destination) < len(f.Run.Receivers) && r.Stage == mail.StageRCPT &&
			r.Code > 0 && r.Code == f.Run.Receivers[r.Destination].Grey.Code
		if r.Stage == mail.StageDot || grey {
			sent += float64(r.Count)
		}
	}
	return f.Run.Sender.Size * sent / max(all, 1)
}

// campaigns returns the findings of campaigns that were held at a rate of their own.
func (f *Facts) campaigns() []Finding {
	var all []Finding
	for i, c := range f.Run.Campaigns {
		if i >= len(f.Run.Sender.Rates) || f.Run.Sender.Rates[i] == 0 {
			continue
		}
		rate := f.Run.Sender.Rates[i]
		from, ok := c.Ends.At(0.1, c.Recipients)
		to, known := c.Ends.At(0.9, c.Recipients)
		if ok && known && f.alone(c, rate) >= 0.9*to.Sub(from).Hours() {
			all = append(all, Finding{CampaignRate, c.Name, fmt.Sprintf("%s was held at its own rate of %s messages "+
				"an hour from each server, as ordered; a higher campaign.rate ends it earlier.", c.Name,
				format.Grouped(rate, 0))})
		}
	}
	return all
}

// alone returns the hours in which the recipients of a campaign from the first tenth to the last are final if nothing
// but its rate limits it: each server has its share of the list, and is done at its own time.
func (f *Facts) alone(c runlog.Campaign, rate float64) float64 {
	messages := float64(c.Recipients) * float64(f.Run.Totals.Attempts) / float64(max(f.Run.Totals.Recipients, 1))
	sum := 0.0
	for _, s := range f.Run.Sender.Servers {
		sum += s.Share
	}
	// offered returns the share of all messages that are offered after some hours.
	offered := func(hours float64) (n float64) {
		for _, s := range f.Run.Sender.Servers {
			n += min(hours*rate/messages, s.Share/sum)
		}
		return n
	}
	after := func(q float64) float64 {
		low, high := 0.0, messages/rate
		for range 50 {
			if middle := (low + high) / 2; offered(middle) < q {
				low = middle
			} else {
				high = middle
			}
		}
		return high
	}
	return after(0.9) - after(0.1)
}
