package delivery

import "flyball/internal/vt"

// pause is whether the operator lets the sending pause. In a pause no attempt begins:
// attempts under way end, and their processes are freed and give their subsets back.
// Resends that fall due wait for the end of the pause. C and the intervals go on; an
// interval with a pause in it is short of work.
type pause struct {
	windows []vt.Window // those that are not over
	on      bool
	turn    vt.Time // when on changes; vt.Never if it does not
}

// atEnd is the pause after the end of a run: nothing begins any more.
var atEnd = pause{on: true, turn: vt.Never}

func newPause(windows []vt.Window) pause {
	p := pause{windows: windows}
	p.pass(0)
	return p
}

// pass brings the pause up to the time now.
func (p *pause) pass(now vt.Time) {
	for len(p.windows) > 0 && now >= p.windows[0].To {
		p.windows = p.windows[1:]
	}
	p.on, p.turn = false, vt.Never
	switch {
	case len(p.windows) == 0:
	case now >= p.windows[0].From:
		p.on, p.turn = true, p.windows[0].To
	default:
		p.turn = p.windows[0].From
	}
}
