package runlog

import (
	"math"
	"math/bits"

	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Destination counts the attempts for one destination by the status in which they left
// the recipient, and has the times at which its recipients became final.
type Destination struct {
	First  [mail.Statuses]uint64 // first tries, by the status of the recipient after each
	Resent [mail.Statuses]uint64 // resends, by the status of the recipient after each
	// Refused counts the first tries and the resends that mail.Reply.Refused counts among them.
	Refused [2][mail.Statuses]uint64
	Ends    Ends
	// Recipients is the number of recipients whose ends count: of one destination those with an attempt that
	// ended, of all together all that are not suppressed.
	Recipients uint64
	times      []uint32 // final recipients by bucket of time, up to the last that has any
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

// Attempts returns the number of attempts that ended.
func (d *Destination) Attempts() uint64 { return d.Tried() + d.Resends() }

// Refusals returns the number of attempts with which the receiver refused the sender.
func (d *Destination) Refusals() (n uint64) {
	for i := range d.Refused {
		for _, v := range d.Refused[i] {
			n += v
		}
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
			for i := range d.Refused {
				sum.Refused[i][s] += d.Refused[i][s]
			}
		}
		sum.Ends.add(&d.Ends)
		sum.Recipients += d.Recipients
		sum.times = append(sum.times, make([]uint32, max(len(d.times)-len(sum.times), 0))...)
		for b, n := range d.times {
			sum.times[b] += n
		}
	}
	return sum
}

// State saves or restores the counts without the times.
func (d *Destination) State(c *snap.Codec) { c.Fields(&d.First, &d.Resent, &d.Refused) }
