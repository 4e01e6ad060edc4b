package delivery

import (
	"testing"

	"flyball/internal/vt"
)

func TestPauseTurns(t *testing.T) {
	windows := []vt.Window{{From: 0, To: 10}, {From: 20, To: 30}, {From: 40, To: vt.Never}}
	p := newPause(windows)
	for _, v := range []struct {
		now  vt.Time
		on   bool
		turn vt.Time
	}{
		{0, true, 10}, {9, true, 10}, {10, false, 20}, {19, false, 20}, {20, true, 30}, {30, false, 40},
		{45, true, vt.Never},
	} {
		p.pass(v.now)
		if p.on != v.on || p.turn != v.turn {
			t.Errorf("at %d: got %t until %d, want %t until %d", v.now, p.on, p.turn, v.on, v.turn)
		}
	}
	late := newPause(windows) // a live run may be late by whole windows
	if late.pass(35); late.on || late.turn != 40 {
		t.Errorf("got %t until %d, want no pause until 40", late.on, late.turn)
	}
	if none := newPause(nil); none.on || none.turn != vt.Never {
		t.Errorf("got %+v, want no pause", none)
	}
}
