package ensemble

import (
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// Three mailings of ten recipients, written by hand: half is final after one, two and three
// hours, and the rest an hour later; in the last, one recipient never.
func TestFinalOverTime(t *testing.T) {
	const hour = 3600
	e := &Report{Replications: 3}
	for i, all := range []uint64{10, 10, 9} {
		half := float64(i+1) * hour
		e.runs = append(e.runs, Observation{campaigns: []run.Campaign{{Name: "news", Recipients: 10,
			DeadlineSec: 8 * hour, LastSec: format.Num(half + hour),
			Values: map[string]format.Num{"t99_h": format.Num(i + 2)},
			Curve:  []run.Point{{At: half, Final: 5}, {At: half + hour, Final: all}}}}})
	}
	for _, v := range []struct {
		at                      float64
		least, median, greatest float64
	}{
		{0, 0, 0, 0}, {1.6, 0, 0, 0.5}, {2.4, 0, 0.5, 1}, {3.6, 0.5, 1, 1}, {8, 0.9, 1, 1},
	} {
		got := e.finals(0, 8*hour)[int(v.at*finalSteps/8+0.5)]
		got.at = v.at
		if want := (finalPoint{v.at, v.least, v.median, v.greatest}); got != want {
			t.Errorf("after %g h: got %+v, want %+v", v.at, got, want)
		}
	}
	if until, cut := e.shown(); until != 8*hour || cut {
		t.Errorf("shown until %g h, cut %t, want the deadline after 8 h", until/hour, cut)
	}
	e.runs[0].campaigns[0].LastSec, e.runs[0].campaigns[0].DeadlineSec = 40*hour, format.Missing
	for i := range e.runs {
		e.runs[i].campaigns[0].DeadlineSec = format.Missing
	}
	if until, cut := e.shown(); until < 4.3*hour || until > 4.5*hour || !cut {
		t.Errorf("shown until %g h, cut %t, want a tenth more than 4 h: one recipient was final after 40 h", until/hour,
			cut)
	}
	e.runs[2].campaigns[0].Values["t99_h"] = format.Missing
	if until, cut := e.shown(); until != 40*hour || cut {
		t.Errorf("shown until %g h, cut %t, want all: one replication never had 99 %% final", until/hour, cut)
	}
	e.runs = []Observation{{}}
	if d := e.mailing(); d != nil {
		t.Errorf("a figure of nothing: %s", d[0].Alt)
	}
}

// Three replications with two, four and six deliveries in their only hour: four in the mean.
func TestRepliesAreMeans(t *testing.T) {
	e := &Report{Replications: 3, destinations: []string{"d"}}
	for i := range 3 {
		o := Observe(&run.Report{Course: runlog.Course{Step: vt.Hour,
			Steps: [][]runlog.Tally{{{Delivered: uint64(2 * (i + 1))}}}}})
		e.runs = append(e.runs, o)
	}
	if got := string(e.replies(3600, "").CSV); !strings.HasSuffix(got, "\nd,0,3600,4,0,0,0,0\n") {
		t.Errorf("got\n%s", got)
	}
}
