package snap

import (
	"math"
	"reflect"
	"testing"
)

type thing struct {
	a int
	b uint16
	c int64
	f float64
	y bool
	n [2][]uint8
	s []thing
}

func (t *thing) state(c *Codec) {
	c.Fields(&t.a, &t.b, &t.c, &t.f, &t.y, &t.n)
	Slice(c, &t.s, func(c *Codec, e *thing) { e.state(c) })
}

func TestWhatIsSavedIsRestored(t *testing.T) {
	none := [2][]uint8{{}, {}}
	want := thing{-3, 65535, math.MinInt64, math.Copysign(0, -1), true, [2][]uint8{{255, 0}, {}},
		[]thing{{a: 1, n: none, s: []thing{}}, {f: math.Inf(1), n: none, s: []thing{}}}}
	w := Writer()
	want.state(w)
	var got thing
	r := Reader(w.Data())
	got.state(r)
	if err := r.Err(); err != nil || !reflect.DeepEqual(got, want) || !math.Signbit(got.f) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for cut := range w.Data() {
		r := Reader(w.Data()[:cut])
		got.state(r)
		if r.Err() == nil {
			t.Errorf("a state cut to %d of %d bytes is taken", cut, len(w.Data()))
		}
	}
	r = Reader(append(w.Data(), 0))
	got.state(r)
	if r.Err() == nil {
		t.Error("a state with a byte too many is taken")
	}
}
