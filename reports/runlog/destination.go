package runlog

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Destination counts the attempts for one destination by the status in which they left
// the recipient, and has the times at which its recipients became final.
type Destination struct {
	First  [mail.Statuses]uint64 // first tries, by the status of the recipient after each
	Resent [mail.Statuses]uint64 // resends, by the status of the recipient after each
	times  []uint32              // final recipients by bucket of time, up to the last that has any
}

// Times are counted in 512 buckets of 2^24 ns (17 ms), up to 8.6 s, and from there on in
// 256 buckets for each doubling. The error of a time is below 0.4 % or 17 ms, whichever
// is more.
const (
	tickBits  = 24
	linear    = 512
	perDouble = linear / 2
)

// bucketOf returns the bucket of a time that is not negative.
func bucketOf(t vt.Span) int {
	ticks := uint64(t) >> tickBits
	if ticks < linear {
		return int(ticks)
	}
	shift := bits.Len64(ticks) - bits.Len64(linear-1)
	return shift*perDouble + int(ticks>>shift)
}

// upTo returns the first time beyond bucket b.
func upTo(b int) vt.Span {
	if b < linear {
		return vt.Span(b+1) << tickBits
	}
	shift := b/perDouble - 1
	return vt.Span(b%perDouble+perDouble+1) << shift << tickBits
}

// Tried returns the number of recipients with at least one attempt that ended.
func (d *Destination) Tried() (n uint64) {
	for _, v := range d.First {
		n += v
	}
	return n
}

// Resends returns the number of attempts after a recipient's first.
func (d *Destination) Resends() (n uint64) {
	for _, v := range d.Resent {
		n += v
	}
	return n
}

// Count returns the number of recipients that ended with a status; of Pending,
// the number of attempts that left their recipient waiting.
func (d *Destination) Count(s mail.Status) uint64 { return d.First[s] + d.Resent[s] }

// Final returns the number of recipients that are final.
func (d *Destination) Final() uint64 {
	return d.Count(mail.Done) + d.Count(mail.Failed) + d.Count(mail.Held)
}

// FirstTryShare returns recipients delivered at the first try / recipients
// tried; NaN if none was tried.
func (d *Destination) FirstTryShare() float64 {
	return float64(d.First[mail.Done]) / float64(d.Tried())
}

// TimeToFinal returns the time since the start of its campaign within which the
// share q of recipients became final, and false if fewer became final. Its error is at
// most 0.4 % or 17 ms, and it is never too short.
func (d *Destination) TimeToFinal(q float64, recipients uint64) (vt.Span, bool) {
	wanted := uint64(math.Ceil(q * float64(recipients)))
	if recipients == 0 || wanted > d.Final() {
		return 0, false
	}
	var sum uint64
	for b, n := range d.times {
		if sum += uint64(n); sum >= wanted && sum > 0 {
			return upTo(b), true
		}
	}
	return 0, false
}

// Together returns the sum of the counts of several destinations.
func Together(all []Destination) Destination {
	var sum Destination
	for i := range all {
		d := &all[i]
		for s := range d.First {
			sum.First[s] += d.First[s]
			sum.Resent[s] += d.Resent[s]
		}
		sum.times = append(sum.times, make([]uint32, max(len(d.times)-len(sum.times), 0))...)
		for b, n := range d.times {
			sum.times[b] += n
		}
	}
	return sum
}

// finals counts the recipients that became final, by destination and by the time since
// their campaign began, with a row for each bucket of time. It looks for another row only
// when time leaves the bucket or the campaign changes.
type finals struct {
	counts  []uint32 // of bucket b and destination d at b * destinations + d
	row     []uint32 // row of the last recipient
	until   vt.Time  // row is valid before this time
	stretch stretch  // and for these recipients
	starts  []start  // of campaigns, by their first recipient
}

// start is the time at which the recipients from a first one on were handed over.
type start struct {
	from mail.Recipient
	at   vt.Time
}

// stretch is the recipients from, from+1, ... whose campaign began at one time.
type stretch struct {
	from, count mail.Recipient
	at          vt.Time
}

// stale reports whether the row is not valid for a recipient that is final now.
func (f *finals) stale(now vt.Time, rcpt mail.Recipient) bool {
	return now >= f.until || rcpt-f.stretch.from >= f.stretch.count
}

// turn makes the row of a recipient that is final now the current one.
func (f *finals) turn(now vt.Time, rcpt mail.Recipient, destinations int) {
	f.stretch = f.around(rcpt)
	b := bucketOf(max(now.Sub(f.stretch.at), 0))
	for len(f.counts) < (b+1)*destinations {
		f.counts = append(f.counts, 0)
	}
	f.row = f.counts[b*destinations : (b+1)*destinations]
	f.until = f.stretch.at.Add(upTo(b))
}

// around returns the recipients whose campaigns began at the same time as the campaign
// of rcpt, as a stretch that contains rcpt.
func (f *finals) around(rcpt mail.Recipient) stretch {
	s := stretch{count: math.MaxUint32}
	for _, v := range f.starts {
		if v.from > rcpt {
			s.count = v.from - s.from
			break
		}
		s = stretch{from: v.from, count: math.MaxUint32 - v.from, at: v.at}
	}
	return s
}

// begins sets the start of the recipients from from up to the next start that is set.
func (f *finals) begins(from mail.Recipient, at vt.Time) {
	i, found := slices.BinarySearchFunc(f.starts, from, func(s start,
		to mail.Recipient) int {
		return cmp.Compare(s.from, to)
	})
	if !found {
		f.starts = slices.Insert(f.starts, i, start{})
	}
	f.starts[i] = start{from, at}
	f.until = 0
}

// column returns the counts of one destination by bucket.
func (f *finals) column(d, destinations int) []uint32 {
	var all []uint32
	for i := d; i < len(f.counts); i += destinations {
		all = append(all, f.counts[i])
	}
	return all
}

// add merges the counts of o.
func (f *finals) add(o *finals) {
	f.counts = append(f.counts, make([]uint32, max(len(o.counts)-len(f.counts), 0))...)
	for i, n := range o.counts {
		f.counts[i] += n
	}
	f.until = 0
}

// State saves or restores the counts.
func (f *finals) State(c *snap.Codec) {
	snap.Slice(c, &f.counts, snap.Int)
	f.until = 0
}

// State saves or restores the counts without the times.
func (d *Destination) State(c *snap.Codec) {
	for s := range d.First {
		snap.Int(c, &d.First[s])
		snap.Int(c, &d.Resent[s])
	}
}
