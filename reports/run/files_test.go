package run

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/reports/internal/handmade"
	"flyball/reports/runlog"
)

func TestSummaryHasWhatProgramsRead(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Linear, Dfr: 1.25},
		handmade.Course{Start: 40, D: 1, Intervals: 60, Plant: handmade.Linear, Dfr: 1.25}),
		handmade.Expect("settling_intervals_5pct", "<=", 40), handmade.Expect("dfr", "<", 2))
	raw, err := r.Summary()
	if err != nil {
		t.Fatal(err)
	}
	handmade.KeysInOrder(t, raw)
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	at := func(path string) any {
		var v any = got
		for _, key := range strings.Split(path, ".") {
			switch x := v.(type) {
			case map[string]any:
				var found bool
				if v, found = x[key]; !found {
					t.Errorf("no %s", path)
					return nil
				}
			case []any:
				v = x[int(key[0]-'0')]
			}
		}
		return v
	}
	for path, want := range map[string]any{
		"schema": "flyball/summary", "schema_version": 1.0, "name": "hand-made", "seed": 42.0, "mode": "sim",
		"digest":    "0123456789abcdef",
		"horizon_s": 30 * 86400.0, "end_s": 180 * 3600.0, "partial": false, "dfr": 1.25, "target_per_h": 140_000.0,
		"interval_s":        10800.0,
		"totals.suppressed": 0.0, "totals.pending": 0.0, "totals.ambiguous": 0.0,
		"servers.0.name": "b1", "servers.0.available_final": 140.0, "servers.0.settling_intervals_5pct": 31.0,
		"servers.0.overshoot":       0.0,
		"servers.0.total_variation": 100.0, "servers.0.rate_per_h": 140_000.0,
		"servers.1.settling_intervals_5pct": nil, // never
		"expectations.0.metric":             "settling_intervals_5pct", "expectations.0.op": "<=",
		"expectations.0.limit": 40.0,
		"expectations.0.value": nil, "expectations.0.ok": false, "expectations.1.value": 1.25,
		"expectations.1.ok":               true,
		"metrics.settling_intervals_5pct": nil, "metrics.dfr": 1.25,
	} {
		if v := at(path); v != want {
			t.Errorf("%s = %v, want %v", path, v, want)
		}
	}
	if iae := at("servers.0.iae_target_hours").(float64); math.Abs(iae-1717*3/140.0) > 1e-9 {
		t.Errorf("iae_target_hours = %v", iae)
	}
	totals := at("totals").(map[string]any)
	if totals["recipients"].(float64) != totals["delivered"].(float64)+totals["failed"].(float64) ||
		totals["attempts"].(float64) <= totals["delivered"].(float64) {
		t.Errorf("totals %v", totals)
	}
	if len(at("scenario_id").(string)) != 64 {
		t.Error("no scenario_id")
	}
}

func TestUndefinedNumbersAreNull(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 3, Plant: handmade.Linear, Dfr: 1})
	for i := range r.Intervals {
		r.Intervals[i].Sample.Delivered = 0
		r.Intervals[i].Decision.Efficiency = math.NaN()
		r.Intervals[i].Decision.Target = math.Inf(1)
	}
	r.Totals = runlog.Totals{Recipients: 5, Pending: 5, Attempts: 9}
	r.Host.Wall = 0
	r.Seed = math.MaxUint64
	report := fold(r)
	raw, err := report.Summary()
	if err != nil || bytes.Contains(raw, []byte("NaN")) || bytes.Contains(raw, []byte("Inf")) ||
		!bytes.Contains(raw, []byte("\n  \"dfr\": null,")) ||
		!bytes.Contains(raw, []byte("\n  \"seed\": 18446744073709551615,")) {
		t.Errorf("%v\n%s", err, raw)
	}
	rows, err := csv.NewReader(bytes.NewReader(intervalsCSV(report.Rows))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	undefined := []string{"efficiency", "target_available", "dfr", "flags", "attempt_s", "lookup_s", "hops",
		"finish_s", "finish_low_s", "finish_high_s"}
	for i, name := range rows[0] {
		if empty := rows[1][i] == ""; empty != slices.Contains(undefined, name) {
			t.Errorf("%s = %q", name, rows[1][i])
		}
	}
}

func TestIntervalsAreReadAsTheyWereWritten(t *testing.T) {
	r := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15},
		handmade.Course{Start: 40, D: 8, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15})
	r.Servers[0], r.Servers[1] = "=b1+1", `-b2, "the other"`
	r.Intervals[3].Decision.Flags = governor.First | governor.StepLimitUp
	handmade.ShortOfWork(&r.Intervals[4])
	r.Intervals[5].Decision.Efficiency = math.Inf(1)
	r.Intervals[19].Partial = true
	report := fold(r)
	raw := intervalsCSV(report.Rows)
	head, _, _ := strings.Cut(string(raw), "\n")
	for _, want := range strings.Fields("server interval t_end_s delivered attempts rate_per_h allocated_mean " +
		"efficiency utilization " +
		"available_prev target_available step available dfr retry_limit flags") {
		if !strings.Contains(","+head+",", ","+want+",") {
			t.Errorf("no column %s in %s", want, head)
		}
	}
	if !bytes.Contains(raw, []byte("\n'=b1+1,0,")) || !bytes.Contains(raw, []byte("\n\"'-b2, \"\"the other\"\"\",0,")) {
		t.Error("a spreadsheet would take a server's name for a formula")
	}
	rows, err := readIntervals(raw)
	if err != nil || len(rows) != 40 || rows[0].Server != "=b1+1" {
		t.Fatal(len(rows), err)
	}
	if again := intervalsCSV(rows); !bytes.Equal(raw, again) {
		t.Error("other bytes the second time")
	}
	// Operators can govern them again, those of each server; the last one is cut short.
	log, err := recorded.Read(bytes.NewReader(intervalsCSV(rows[:20])), "intervals.csv")
	if err != nil || log.Lacking != nil || log.Gaps != nil || len(log.Samples) != 19 ||
		log.Samples[7] != r.Intervals[7].Sample {
		t.Errorf("%v, %+v", err, log)
	}
}

func TestBadFilesAreRefusedWithTheirPlace(t *testing.T) {
	good := string(intervalsCSV(fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 2, Plant: handmade.Linear,
		Dfr: 1})).Rows))
	for _, v := range []struct{ raw, want string }{
		{"", "1:1: file is empty, want the columns server,interval,"},
		{"a,b\n", "got columns a,b, want server,interval,"},
		{strings.Replace(good, "b1,1,", "b1,one,", 1), `3:4: got "one", want a whole number`},
		{strings.Replace(good, "40000,", "4x,", 1), `got "4x", want a number`},
		{strings.Replace(good, "40000,", "NaN,", 1), `got "NaN", want a number`},
		{strings.Replace(good, "false,false", "false", 1), "2:1: fields: got 34, want 35 as in the header"},
		{strings.Replace(good, "false,false", "maybe,false", 1), `got "maybe", want true or false`},
	} {
		if _, err := readIntervals([]byte(v.raw)); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("got %v, want %s", err, v.want)
		}
	}
	if _, err := readLatency([]byte("from_s,to_s,attempts\n0,1,5\n")); err == nil {
		t.Error("a time of 0 is not on a logarithmic axis")
	}
}
