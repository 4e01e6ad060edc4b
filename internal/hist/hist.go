// Package hist provides histograms of times that merge exactly in any order:
// HdrHistogram over microseconds with two significant digits, so values are exact
// to within 1 %. Recording does not allocate. Not safe for concurrent use.
package hist

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"flyball/internal/snap"
	"flyball/internal/vt"
)

// longest is the greatest time that is counted as itself: 30 days.
const longest = int64(30 * vt.Day / vt.Microsecond)

// Hist counts times from 1 microsecond to 30 days; times outside of that range
// count as the nearer bound.
type Hist struct{ h *hdrhistogram.Histogram }

// New returns an empty histogram.
func New() Hist { return Hist{hdrhistogram.New(1, longest, 2)} }

// Record counts one time.
func (h Hist) Record(d vt.Span) {
	us := min(max(int64(d/vt.Microsecond), 1), longest)
	if err := h.h.RecordValue(us); err != nil {
		panic(err) // cannot happen: the value is within the range
	}
}

// Merge adds all counts of o.
func (h Hist) Merge(o Hist) { h.h.Merge(o.h) }

// Count returns the number of recorded times.
func (h Hist) Count() int64 { return h.h.TotalCount() }

// Mean returns the mean time, 0 if the histogram is empty.
func (h Hist) Mean() vt.Span { return vt.Span(h.h.Mean() * float64(vt.Microsecond)) }

// Quantile returns the time that a share q of all times does not exceed, 0 if the
// histogram is empty.
func (h Hist) Quantile(q float64) vt.Span {
	if h.Count() == 0 {
		return 0
	}
	return vt.Span(h.h.ValueAtQuantile(q*100)) * vt.Microsecond
}

// Bar is a range of times that are counted together, with their count.
type Bar struct {
	From, To vt.Span
	Count    int64
}

// Bars returns the non-empty bars in order.
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
	c.Fields(&s.Counts)
	if c.Reading() {
		h.h = hdrhistogram.Import(s)
	}
}
