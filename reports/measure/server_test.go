package measure

import (
	"testing"

	"flyball/reports/format"
)

// Ten processes make the target from interval 3 on; in some later intervals recipients wait for closed destinations,
// and few processes find one that they may send to.
func TestAServerThatWaited(t *testing.T) {
	course := func(off ...int) []Row {
		return steered(12, func(i int) float64 {
			switch {
			case i < 3:
				return 800
			case i >= off[0] && i < off[1]:
				return 300
			}
			return 990
		}, always(10.7))
	}
	idle := func(rows []Row, allocated format.Num) []Row {
		for i := range rows {
			if rows[i].Rate == 300 {
				rows[i].Allocated = allocated
			}
		}
		return rows
	}
	for name, v := range map[string]struct {
		rows  []Row
		after format.Num
		waits int
	}{
		"idle at the end":            {idle(course(8, 12), 3), 3, 4},
		"idle for a while":           {idle(course(5, 7), 3), 3, 0}, // it settled afterwards
		"busy at the end":            {idle(course(8, 12), 9.6), format.Missing, 0},
		"idle all the time":          {idle(course(0, 12), 3)[3:], format.Missing, 0},
		"short of work, not waiting": {idle(course(8, 12), 3)[:8], 3, 0},
	} {
		for i := range v.rows {
			v.rows[i].Server = "b1"
		}
		settled, n := Judge("b1", v.rows).Waited(v.rows)
		if n != v.waits || n > 0 && settled != v.after {
			t.Errorf("%s: settled after %v but for %d, want %v but for %d", name, settled, n, v.after, v.waits)
		}
	}
}
