package attempts

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/chart"
	"flyball/reports/runlog"
)

// course makes a course at two destinations from deliveries at the first and refusals at the second, by step.
func course(step vt.Span, counts ...[2]uint64) runlog.Course {
	c := runlog.Course{Step: step}
	for _, n := range counts {
		c.Steps = append(c.Steps, []runlog.Tally{{Delivered: n[0]}, {Refused: n[1]}})
	}
	return c
}

// By hand: the first run has steps of 1 s and the second of 4 s, in which five seconds make two steps.
func TestTheSumOfRunsHasTheLongestStep(t *testing.T) {
	short := course(vt.Second, [2]uint64{1, 2}, [2]uint64{3, 4}, [2]uint64{5, 6}, [2]uint64{7, 8}, [2]uint64{9, 10})
	sum := Sum([]runlog.Course{Keep(short), Keep(runlog.Course{}), Keep(course(4*vt.Second, [2]uint64{100, 200}))})
	if want := course(4*vt.Second, [2]uint64{116, 220}, [2]uint64{9, 10}); sum.Step != want.Step ||
		!slices.EqualFunc(sum.Steps, want.Steps, slices.Equal) {
		t.Errorf("got %+v\nwant %+v", sum, want)
	}
	if none := Sum([]runlog.Course{Keep(runlog.Course{})}); none.Steps != nil {
		t.Errorf("of nothing: %+v", none)
	}
}

// Two hundred destinations in a hundred steps are kept in fifty, and nothing is lost.
func TestManyDestinationsAreKeptInFewerSteps(t *testing.T) {
	c := runlog.Course{Step: vt.Second, Steps: make([][]runlog.Tally, 100)}
	for k := range c.Steps {
		c.Steps[k] = slices.Repeat([]runlog.Tally{{Failed: uint64(k), Ambiguous: 1}}, 200)
	}
	got := Sum([]runlog.Course{Keep(c)})
	if got.Step != 2*vt.Second || len(got.Steps) != 50 || got.Steps[49][199] != (runlog.Tally{Failed: 98 + 99,
		Ambiguous: 2}) {
		t.Errorf("%d steps of %v, the last %+v", len(got.Steps), got.Step, got.Steps[len(got.Steps)-1][199])
	}
}

// Of 4 runs together 7,200 messages were delivered and 3,600 refused in half an hour: in the mean 3,600 and 1,800 in an
// hour, one on top of the other.
func TestMeansAreStacked(t *testing.T) {
	c := runlog.Course{Step: 1800 * vt.Second, Steps: [][]runlog.Tally{{{Delivered: 7200, Refused: 3600}}}}
	p := &Plot{Names: []string{"d"}, Course: c, Runs: 4, Until: 900}
	areas := p.Drawing(chart.Figure{}).Panels[0].Areas
	for i, want := range []float64{3600, 3600, 5400, 5400} { // delivered, deferred, refused, failed
		top := 0.0
		for _, at := range areas[i].Points {
			top = max(top, at.Y)
		}
		if top != want {
			t.Errorf("%s reaches up to %g an hour, want %g", areas[i].Label, top, want)
		}
	}
	if got := string(p.CSV()); !strings.Contains(got, "d,0,1800,1800,0,900,0,0\n") {
		t.Errorf("got\n%s", got)
	}
}
