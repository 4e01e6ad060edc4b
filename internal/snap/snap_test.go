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
	s []thing
}

func (t *thing) state(c *Codec) {
	Int(c, &t.a)
	Int(c, &t.b)
	Int(c, &t.c)
	Float(c, &t.f)
	Bool(c, &t.y)
	Slice(c, &t.s, func(c *Codec, e *thing) { e.state(c) })
}

func TestWhatIsSavedIsRestored(t *testing.T) {
	want := thing{-3, 65535, math.MinInt64, math.Copysign(0, -1), true, []thing{{a: 1, s: []thing{}}, {f: math.Inf(1), s: []thing{}}}}
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
