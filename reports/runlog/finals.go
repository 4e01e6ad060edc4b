package runlog

import (
	"cmp"
	"math"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Campaign is one message of a run with its list.
type Campaign struct {
	Name       string
	Start      vt.Time // when its delivery could begin
	Deadline   vt.Time // by which its recipients were to be final; vt.Never without a deadline
	Recipients uint64  // without suppressed ones
	Ends       Ends
}

// Missed returns the number of recipients that were final after the deadline, or pending when
// the run ended; 0 without a deadline.
func (c *Campaign) Missed() uint64 {
	if c.Deadline == vt.Never {
		return 0
	}
	return c.Ends.Late + c.Recipients - c.Ends.Count()
}

// Ends are the times at which recipients became final. Each is exact to 0.4 % of the time since
// the start of its campaign or 17 ms, whichever is more, and never too early.
type Ends struct {
	Late    uint64 // recipients that were final after the deadline of their campaign
	moments []Moment
}

// Moment is a time since the start of the run, and the number of recipients that became final then.
type Moment struct {
	At    vt.Time
	Count uint64
}

// Moments returns the times in their order. The caller must not change them.
func (e *Ends) Moments() []Moment { return e.moments }

// Count returns the number of recipients that became final.
func (e *Ends) Count() (n uint64) {
	for _, m := range e.moments {
		n += m.Count
	}
	return n
}

// At returns the time since the start of the run by which the share q of a number of recipients
// was final, and false if fewer became final.
func (e *Ends) At(q float64, recipients uint64) (vt.Time, bool) {
	wanted := uint64(math.Ceil(q * float64(recipients)))
	if wanted == 0 {
		return 0, false
	}
	var sum uint64
	for _, m := range e.moments {
		if sum += m.Count; sum >= wanted {
			return m.At, true
		}
	}
	return 0, false
}

// add merges o.
func (e *Ends) add(o *Ends) {
	e.Late += o.Late
	if len(o.moments) == 0 {
		return
	}
	e.moments = append(slices.Clip(e.moments), o.moments...)
	slices.SortStableFunc(e.moments, func(a, b Moment) int { return cmp.Compare(a.At, b.At) })
}

// finals counts the recipients that became final, by campaign, by destination and by the
// time since their campaign began, with a row for each bucket of time. It looks for another
// row only when time leaves the bucket or the campaign changes.
type finals struct {
	parts   []part // by campaign
	row     []end  // of the last recipient's campaign, by destination
	until   vt.Time
	counts  []uint32 // of the bucket that until ends
	stretch stretch  // counts and row are valid for these recipients
	starts  []start  // of campaigns, by their first recipient
}

// part has the recipients of one campaign that are final.
type part struct {
	start  vt.Time
	counts []uint32 // of bucket b and destination d at b * destinations + d
	ends   []end    // by destination
}

// end sums up the recipients of a campaign at one destination.
type end struct {
	last vt.Time // when the last one became final
	late uint64  // recipients that were final after the deadline
}

// start is the time at which the recipients from a first one on were handed over.
type start struct {
	from     mail.Recipient
	campaign int
	at, due  vt.Time
}

// stretch is the recipients from, from+1, ... that belong to one campaign.
type stretch struct {
	start
	count mail.Recipient
}

// stale reports whether the row is not valid for a recipient that is final now.
func (f *finals) stale(now vt.Time, rcpt mail.Recipient) bool {
	return now >= f.until || rcpt-f.stretch.from >= f.stretch.count
}

// turn makes the row of a recipient that is final now the current one.
func (f *finals) turn(now vt.Time, rcpt mail.Recipient, destinations int) {
	f.stretch = f.around(rcpt)
	for len(f.parts) <= f.stretch.campaign {
		f.parts = append(f.parts, part{ends: make([]end, destinations)})
	}
	p := &f.parts[f.stretch.campaign]
	p.start = f.stretch.at
	b := bucketOf(max(now.Sub(p.start), 0))
	for len(p.counts) < (b+1)*destinations {
		p.counts = append(p.counts, 0)
	}
	f.counts, f.row = p.counts[b*destinations:(b+1)*destinations], p.ends
	f.until = p.start.Add(upTo(b))
}

// around returns the recipients of the campaign of rcpt, as a stretch that contains rcpt.
func (f *finals) around(rcpt mail.Recipient) stretch {
	s := stretch{start{due: vt.Never}, math.MaxUint32}
	for _, v := range f.starts {
		if v.from > rcpt {
			s.count = v.from - s.from
			break
		}
		s = stretch{v, math.MaxUint32 - v.from}
	}
	return s
}

// begins sets the start of the recipients from s.from up to the next start that is set.
func (f *finals) begins(s start) {
	i, found := slices.BinarySearchFunc(f.starts, s.from, func(s start, to mail.Recipient) int {
		return cmp.Compare(s.from, to)
	})
	if !found {
		f.starts = slices.Insert(f.starts, i, start{})
	}
	f.starts[i] = s
	f.until = 0
}

// times returns the final recipients of one destination by bucket of the time since their
// campaign began.
func (f *finals) times(d, destinations int) []uint32 {
	var all []uint32
	for _, p := range f.parts {
		n := len(p.counts) / destinations
		all = append(all, make([]uint32, max(n-len(all), 0))...)
		for b := range n {
			all[b] += p.counts[b*destinations+d]
		}
	}
	return all
}

// ends returns the times at which the recipients of campaign c at destination d became final.
func (f *finals) ends(c, d, destinations int) Ends {
	p := &f.parts[c]
	e := Ends{Late: p.ends[d].late}
	for b := range len(p.counts) / destinations {
		if n := p.counts[b*destinations+d]; n > 0 {
			e.moments = append(e.moments, Moment{min(p.start.Add(upTo(b)), p.ends[d].last), uint64(n)})
		}
	}
	return e
}

// onTime returns the number of recipients of campaign c that were final by its deadline.
func (f *finals) onTime(c int) (n uint64) {
	if c >= len(f.parts) {
		return 0
	}
	for _, k := range f.parts[c].counts {
		n += uint64(k)
	}
	for _, e := range f.parts[c].ends {
		n -= e.late
	}
	return n
}

// last returns the number of recipients of campaign c that are final, and when the last one
// became so.
func (f *finals) last(c int) (at vt.Time, n uint64) {
	if c >= len(f.parts) {
		return 0, 0
	}
	for _, k := range f.parts[c].counts {
		n += uint64(k)
	}
	for _, e := range f.parts[c].ends {
		at = max(at, e.last)
	}
	return at, n
}

// add merges the counts of o.
func (f *finals) add(o *finals) {
	for i, v := range o.parts {
		if len(f.parts) <= i {
			f.parts = append(f.parts, part{ends: make([]end, len(v.ends))})
		}
		p := &f.parts[i]
		if len(v.counts) > 0 {
			p.start = v.start
		}
		p.counts = append(p.counts, make([]uint32, max(len(v.counts)-len(p.counts), 0))...)
		for b, n := range v.counts {
			p.counts[b] += n
		}
		for d, e := range v.ends {
			p.ends[d] = end{max(p.ends[d].last, e.last), p.ends[d].late + e.late}
		}
	}
	f.until = 0
}

// State saves or restores the counts.
func (f *finals) State(c *snap.Codec) {
	snap.Slice(c, &f.parts, func(c *snap.Codec, p *part) {
		c.Fields(&p.start, &p.counts)
		snap.Slice(c, &p.ends, func(c *snap.Codec, e *end) { c.Fields(&e.last, &e.late) })
	})
	f.until = 0
}
