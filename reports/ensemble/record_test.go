package ensemble

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
	"flyball/reports/run"
	"flyball/reports/runlog"
)

// An observation comes back from its record with every part of it, and nothing else is one.
func TestRecord(t *testing.T) {
	want := Observe(fold(handmade.Changing(3), handmade.Expect("rate_per_h", ">", 1)))
	complete(t, &want)
	record := want.Record()
	got, err := ReadObservation(record)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v\nwant %+v", got, err, want)
	}
	for cut := range record {
		if o, err := ReadObservation(record[:cut]); err == nil {
			t.Fatalf("%d of %d bytes are %+v", cut, len(record), o)
		}
	}
	if _, err := ReadObservation(append(record, 0)); err == nil || !strings.Contains(err.Error(), "more than one") {
		t.Errorf("with a byte more: got %v", err)
	}
	want.Metrics["t50_h"] = math.NaN()
	if got, err := ReadObservation(want.Record()); err != nil || !math.IsNaN(got.Metrics["t50_h"]) {
		t.Errorf("got %v and %v, want a metric that is missing", got.Metrics, err)
	}
}

// complete gives every part of an observation a value that equals itself, since what is zero shows no loss.
func complete(t *testing.T, o *Observation) {
	t.Helper()
	o.Replication, o.attempts, o.Digest = 7, 9, "digest"
	for name, v := range o.Metrics {
		if math.IsNaN(v) {
			o.Metrics[name] = math.Inf(-1)
		}
	}
	o.findings = []diagnosis.Finding{{Cause: "x", Where: "y", Words: "z"}}
	o.campaigns = []run.Campaign{{Name: "c", Values: map[string]format.Num{"m": 2},
		Curve: []run.Point{{At: 1, Final: 2}}}}
	o.course = runlog.Course{Step: 3, Steps: [][]runlog.Tally{{{Delivered: 5}}, {}, nil}}
	s := &o.tracks[0]
	s.runaway, s.held, s.waits = true, true, 3
	for _, part := range []any{*o, *s, s.points[2]} {
		v := reflect.ValueOf(part)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s is zero: the test tests too little", v.Type().Field(i).Name)
			}
		}
	}
}
