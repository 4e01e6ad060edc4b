package measure

import (
	"math"
	"slices"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// Every metric has a row of its own, in the order that MetricNamed relies on,
// with one way to compute it.
func TestMetricRows(t *testing.T) {
	if names := MetricNames(); !slices.IsSorted(names) || len(slices.Compact(names)) != len(Metrics()) {
		t.Errorf("the names are not sorted or not unique: %v", names)
	}
	for _, m := range Metrics() {
		ways := 0
		for _, has := range []bool{m.Of != nil, m.OfServer != nil, m.Counted != nil, m.Timed != nil} {
			if has {
				ways++
			}
		}
		if m.Doc == "" || m.Unit == "" || ways != 1 || m.Resolution == 0 && m.Name != "dfr" {
			t.Errorf("%+v: want a unit, an explanation, a resolution and one way to compute it", m)
		}
		if got, ok := MetricNamed(m.Name); !ok || got.Name != m.Name {
			t.Errorf("MetricNamed(%q) finds %q", m.Name, got.Name)
		}
	}
	for _, name := range []string{"dfrr", "dfr:google", "t90_h:", ":google", "t90:google"} {
		if m, ok := MetricNamed(name); ok {
			t.Errorf("MetricNamed(%q) finds %+v, which is not listed", name, m)
		}
	}
	if m, ok := MetricNamed("t90_h:google"); !ok || m.Name != "t90_h:google" || m.Unit != "h" {
		t.Errorf("MetricNamed finds %+v, want the metric of a part under its own name", m)
	}
}

// The metrics of a destination, from a record written by hand: eight recipients tried,
// five delivered at once, one at the second try, one failed, one waiting.
func TestCountedMetrics(t *testing.T) {
	const minute = 60_000_000_000
	rec := runlog.NewRecorder(1, nil)
	rec.Begins(0, 0, 10*minute, vt.Never)
	at := func(rcpt, try int, minutes int64, s mail.Status) {
		code := map[mail.Status]uint16{mail.Done: 250, mail.Failed: 550, mail.Pending: 451}[s]
		rec.Ended(vt.Time(10*minute).Add(vt.Span(minutes*minute)),
			&mail.Attempt{Rcpt: mail.Recipient(rcpt), Try: mail.Try(try)},
			&mail.Reply{Code: code, Stage: mail.StageDot}, s)
	}
	for i := range 5 {
		at(i, 0, int64(i+1), mail.Done) // after 1, 2, 3, 4, 5 minutes
	}
	at(5, 0, 6, mail.Pending)
	at(6, 0, 7, mail.Failed)
	at(7, 0, 8, mail.Pending)
	at(5, 1, 30, mail.Done)
	d := rec.Destinations()[0]
	got := NewDestination("d", &d, 0).Values
	if v := float64(got["first_try_share"]); v != 5.0/8 {
		t.Errorf("first_try_share is %v, want 5 / 8", v)
	}
	if v := float64(got["time_to_final_p50_h"]) * 60; v < 4 || v > 4*1.004 {
		t.Errorf("half of the recipients are final after %v minutes, want 4", v)
	}
	if v := float64(got["t50_h"]) * 60; v < 14 || v > 14+4*0.004 {
		t.Errorf("half of the recipients are final %v minutes after the start of the run, want 14", v)
	}
	facts := Facts{Totals: runlog.Totals{Attempts: 9}, All: &Destination{Values: got}}
	if v := facts.Compute()["time_to_final_p95_h"]; !math.IsInf(v, 1) {
		t.Errorf("95 %% of the recipients are final after %v h, though only seven of eight ever are", v)
	}
	at(7, 1, 60, mail.Held)
	d = rec.Destinations()[0]
	facts.All.Values = NewDestination("d", &d, 0).Values
	if v := facts.Compute()["time_to_final_p95_h"]; v < 1 || v > 1.004 {
		t.Errorf("95 %% of the recipients are final after %v h, want 1", v)
	}
}

// Which server a metric of a run speaks of.
func TestWorstServer(t *testing.T) {
	a := Server{Judged: 3, IAE: 1, Rate: 100, SteadyStateError: -0.3, Swing: 5, SwingPeriod: 4, Settling5: 2,
		AvailableFinal: 7}
	b := Server{Judged: 3, IAE: 2, Rate: 90, SteadyStateError: 0.2, Swing: 9, SwingPeriod: 6, Settling5: 1,
		AvailableFinal: 9}
	got := WorstOf([]Server{a, b})
	for name, want := range map[string]float64{"iae_target_hours": 2, "rate_per_h": 90, "steady_state_error": -0.3,
		"swing_processes":        9,
		"swing_period_intervals": 6, SettlingMetric: 2, "available_final": 7} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	got = WorstOf([]Server{a, {}})
	if !math.IsNaN(got["iae_target_hours"]) || !math.IsNaN(got["rate_per_h"]) {
		t.Errorf("a server that was never judged is passed over: %v", got)
	}
}

// Twenty recipients that are final after 1, 2, .. 20 minutes: half after 10, 95 % after 19.
func TestTimesToFinal(t *testing.T) {
	rec := runlog.NewRecorder(1, nil)
	for i := range 20 {
		rec.Ended(vt.Time(vt.Span(i+1)*60*vt.Second), &mail.Attempt{Rcpt: mail.Recipient(i)},
			&mail.Reply{Code: 250, Stage: mail.StageDot}, mail.Done)
	}
	got := NewDestination("d", &rec.Destinations()[0], 0).Values
	for name, want := range map[string]float64{"time_to_final_p50_h": 10, "time_to_final_p95_h": 19} {
		if v := 60 * float64(got[name]); v < want || v > 1.004*want {
			t.Errorf("%s is %v minutes, want %v", name, v, want)
		}
	}
}
