package sim_test

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/vt"
)

// The twin's reading of replies: docs/model.md, section 7.3.

// says returns a reply of a destination at a stage, with the row that it matches.
func (t *twin) says(d mail.Destination, at mail.Stage, code int, status mail.Enhanced, text string) mail.Reply {
	if text == "" {
		text = "the model refuses"
	}
	all := slices.Concat(t.s.Destinations[d].Replies, t.s.Replies)
	best, found := 4, 0
	for i, row := range all {
		certain := map[[2]bool]int{{true, false}: 0, {true, true}: 1, {false, true}: 2, {false, false}: 3}[[2]bool{
			row.Text != "", row.Enhanced != 0}]
		other := row.Code != 0 && row.Code != code || row.Enhanced != 0 && row.Enhanced != status ||
			row.At != "" && row.At != at.String() || !spoken(row.Text, text)
		if !other && certain < best {
			best, found = certain, i+1
		}
	}
	return mail.Reply{Code: uint16(code), Row: uint16(found)}
}

// spoken reports whether whole words occur in a text.
func spoken(words, text string) bool {
	edge := func(at int) string {
		if regexp.MustCompile(`(?i)[a-z0-9]`).MatchString(words[at : at+1]) {
			return `(^|$|[^a-z0-9])`
		}
		return ""
	}
	if words == "" {
		return true
	}
	return regexp.MustCompile(`(?i)` + edge(0) + regexp.QuoteMeta(strings.Join(strings.Fields(words), " ")) +
		edge(len(words)-1)).MatchString(text)
}

// rowOf returns the row that a reply matches; an empty one if it matches none.
func (t *twin) rowOf(d mail.Destination, r mail.Reply) replies.Row {
	if r.Row == 0 {
		return replies.Row{}
	}
	return slices.Concat(t.s.Destinations[d].Replies, t.s.Replies)[r.Row-1]
}

// asTheCodeSays reports whether a row leaves to the code what becomes of the recipient.
func asTheCodeSays(row replies.Row) bool { return row.Reaction == "" || row.Reaction == "none" }

// lane is a place at which replies hold attempts up: the attempts of a server to a
// destination, or all attempts of the server.
type lane struct {
	began []vt.Time    // all attempts
	busy  int          // those under way
	back  *replies.Row // the row of the last gentle return
	good  int          // attempts that went well since then
	halts []halt
	cuts  []cut
}

type halt struct{ from, to vt.Time }

// cut is a reduction of the rate, and its recovery.
type cut struct {
	at, over vt.Time
	share    float64
	gap      float64 // between attempts at the whole rate
}

// factor is what is left of the rate at a time.
func (c cut) factor(at vt.Time) float64 {
	return c.share + float64((1-c.share)*(float64(at-c.at)/float64(c.over-c.at)))
}

// opens returns when the next attempt may begin.
func (l *lane) opens() (at vt.Time) {
	for _, h := range l.halts {
		at = max(at, h.to)
	}
	for i, c := range l.cuts {
		last := c.over - 1
		if i+1 < len(l.cuts) {
			last = min(last, l.cuts[i+1].at)
		}
		at = max(at, c.at+vt.Time(math.Round(c.gap/c.factor(c.at))))
		k, _ := slices.BinarySearch(l.began, c.at) // there may be thousands of attempts and as many cuts
		for ; k < len(l.began) && l.began[k] <= last; k++ {
			at = max(at, l.began[k]+vt.Time(math.Round(c.gap/c.factor(l.began[k]))))
		}
	}
	return at
}

// room returns how many attempts may be under way.
func (l *lane) room() int {
	if l.back == nil {
		return math.MaxInt
	}
	n := l.back.Return
	for left := l.good - n; left >= 0; left -= n {
		n++
	}
	return n
}

// usual returns the gap between attempts by the last full minute of them.
func (l *lane) usual(now vt.Time) float64 {
	var gap vt.Span
	first, n := vt.Time(0), 0
	for _, at := range l.began {
		if long := at.Sub(first); n > 0 && long >= vt.Minute {
			if long <= 2*vt.Minute {
				gap = long / vt.Span(n)
			}
			n = 0
		}
		if n == 0 {
			first = at
		}
		n++
	}
	if gap == 0 {
		gap = now.Sub(first) / vt.Span(max(n, 1))
	}
	return float64(gap)
}

// hears makes the lane react to a reply that comes now to an attempt that began earlier.
func (l *lane) hears(row replies.Row, now, began vt.Time) {
	if row.Reaction == "suspend" {
		from := now
		n := len(l.halts)
		late := n > 0 && began < l.halts[n-1].from
		if late {
			from = l.halts[n-1].from
		}
		l.halts = append(l.halts, halt{from, from.Add(row.For)})
		if row.Return > 0 && (!late || l.back == nil) {
			l.back, l.good = &row, 0
		}
		return
	}
	c := cut{at: now, over: now.Add(row.For), share: row.Share, gap: l.usual(now)}
	if n := len(l.cuts); n > 0 {
		last := l.cuts[n-1]
		if began < last.at {
			return
		}
		if now < last.over {
			c.gap, c.share = last.gap, max(0.001, last.factor(now)*row.Share)
		}
	}
	l.cuts = append(l.cuts, c)
}

// ends notes the end of an attempt.
func (l *lane) ends(began vt.Time, well bool) {
	l.busy--
	if n := len(l.halts); well && (n == 0 || began >= l.halts[n-1].from) {
		l.good++
	}
}

// wakeLater wakes the server at a time, unless that is over.
func (v *twinServer) wakeLater(at vt.Time) {
	if at > v.now {
		v.wakeAt(at)
	}
}

// ofSender reports whether a refusal is about the sender, which would meet every recipient.
func ofSender(r mail.Reply) bool {
	return r.Code >= 500 && (r.Stage == mail.StageEHLO ||
		r.Stage == mail.StageMAIL && (r.Code < 505 || r.Code/10 == 53 && r.Code < 539 || r.Code == 555))
}

// uncounted reports whether the try of a reply is not counted.
func uncounted(r mail.Reply) bool { return r.Row == 0 && ofSender(r) }

// rests lets no attempt to a destination begin for a time, and then one.
func (p *process) rests(d mail.Destination, wait vt.Span, reply mail.Reply) {
	p.rested = true
	l := &p.gateOf(d).lane
	l.hears(replies.Row{Reaction: "suspend", For: wait, Return: 1}, p.now, p.now.Add(-reply.Took))
	p.wakeLater(l.opens())
	p.features["a refusal of the sender"]++
}

// reacts does what the row of a reply asks for, beyond the recipient.
func (p *process) reacts(d mail.Destination, reply mail.Reply) {
	row := p.rowOf(d, reply)
	began := p.now.Add(-reply.Took)
	g := p.gateOf(d)
	if reply.Row > 0 {
		g.read[reply.Row] = append(g.read[reply.Row], p.now)
	}
	recent := 0
	for _, at := range g.read[reply.Row] {
		if p.now.Sub(at) <= row.Within {
			recent++
		}
	}
	switch {
	case row.Reaction == "reconnect" && p.line != nil:
		p.line.offered = p.offers(d)
		return
	case row.Reaction != "slow" && row.Reaction != "suspend":
		return
	case row.After > 1 && recent < row.After:
		p.features["too few replies to "+row.Reaction]++
		return
	case row.Scope == "campaign":
		p.job.shut = max(p.job.shut, p.now.Add(row.For))
		p.wakeAt(p.job.shut)
	case row.Scope == "account":
		p.all.hears(row, p.now, began)
		p.wakeLater(p.all.opens())
	case row.Scope == "domain":
		for _, v := range p.servers {
			v.gateOf(d).lane.hears(row, p.now, began)
			v.wakeLater(v.gateOf(d).lane.opens())
		}
	default:
		g.lane.hears(row, p.now, began)
		p.wakeLater(g.lane.opens())
	}
	if row.After > 1 {
		p.features["enough replies to "+row.Reaction]++
	}
	if row.Scope != "domain" || len(p.servers) > 1 {
		p.features[row.Reaction+" of "+row.Scope]++
	}
	if row.Return > 0 {
		p.features["return of "+row.Scope]++
	}
}
