package hist

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/internal/vt"
)

// Quantiles are within 1 % of the quantiles of the sorted values.
func TestQuantilesAgainstSortedValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h := New()
	var all []vt.Span
	for range 20000 {
		d := vt.Span(math.Exp(r.NormFloat64()*2) * float64(vt.Second))
		all = append(all, d)
		h.Record(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := float64(all[int(math.Ceil(q*float64(len(all))))-1])
		if got := float64(h.Quantile(q)); math.Abs(got/want-1) > 0.01 {
			t.Errorf("quantile %v = %v, want %v", q, vt.Span(got), vt.Span(want))
		}
	}
}

func TestMergeIsExactAndOrderFree(t *testing.T) {
	a, b, all := New(), New(), New()
	for i := range 1000 {
		d := vt.Span(i) * 17 * vt.Millisecond
		all.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	b.Merge(a)
	if !slices.Equal(b.Bars(), all.Bars()) || b.Count() != 1000 {
		t.Error("merged histogram differs from the whole")
	}
}

func TestRecordAllocatesNothingAndTakesAnyTime(t *testing.T) {
	h := New()
	var d vt.Span
	if n := testing.AllocsPerRun(1000, func() { h.Record(d); d += vt.Hour }); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
	h.Record(-1)
	h.Record(vt.Span(vt.Never))
}

func BenchmarkRecord(b *testing.B) {
	h := New()
	for i := 0; b.Loop(); i++ {
		h.Record(vt.Span(i) * vt.Microsecond)
	}
}
