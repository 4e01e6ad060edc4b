// Package hist is a histogram of times that merges exactly, whatever the
// order: HdrHistogram over microseconds, two significant digits, so a value
// is known to within 1 %. Recording allocates nothing. Not safe for concurrent
// use.
package hist

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// longest is the greatest time that is told apart: 30 days.
const longest = int64(30 * vt.Day / vt.Microsecond)

// Hist counts times between 1 microsecond and 30 days; others are counted at
// the nearer end.
type Hist struct{ h *hdrhistogram.Histogram }

// New returns an empty histogram.
func New() Hist { return Hist{hdrhistogram.New(1, longest, 2)} }

// Record counts one time.
func (h Hist) Record(d vt.Span) {
	us := min(max(int64(d/vt.Microsecond), 1), longest)
	if err := h.h.RecordValue(us); err != nil {
		panic(err) // within the range by construction
	}
}

// Merge adds all counts of o.
func (h Hist) Merge(o Hist) { h.h.Merge(o.h) }

// Count is the number of times recorded.
func (h Hist) Count() int64 { return h.h.TotalCount() }

// Mean is the mean time, 0 if there is none.
func (h Hist) Mean() vt.Span { return vt.Span(h.h.Mean() * float64(vt.Microsecond)) }

// Quantile is the time that a share q of all times does not exceed, 0 if
// there is none.
func (h Hist) Quantile(q float64) vt.Span {
	if h.Count() == 0 {
		return 0
	}
	return vt.Span(h.h.ValueAtQuantile(q*100)) * vt.Microsecond
}

// Bar is a run of times that are not told apart, with their count.
type Bar struct {
	From, To vt.Span
	Count    int64
}

// Bars lists the non-empty bars in order.
func (h Hist) Bars() []Bar {
	var bars []Bar
	for _, b := range h.h.Distribution() {
		if b.Count > 0 {
			bars = append(bars, Bar{vt.Span(b.From) * vt.Microsecond, vt.Span(b.To) * vt.Microsecond, b.Count})
		}
	}
	return bars
}

// State saves or restores the counts.
func (h *Hist) State(c *snap.Codec) {
	s := h.h.Export()
	snap.Slice(c, &s.Counts, snap.Int)
	if c.Reading() {
		h.h = hdrhistogram.Import(s)
	}
}
