package run

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/governor"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/internal/handmade"
	"flyball/reports/measure"
	"flyball/reports/runlog"
)

func counted() *Report {
	return fold(handmade.Counted(), handmade.Expect("throttled", "<=", 1), handmade.Expect("end_h", ">", 20))
}

// Every number of summary.json is counted by hand from handmade.Counted; a
// number that is not in this list fails the test as well.
func TestEveryNumberOfTheSummary(t *testing.T) {
	none := math.NaN() // null
	const tick = float64(1<<24) / 1e9 / 3600
	want := map[string]float64{
		"schema_version": 1, "seed": 42, "replication": 3, "target_per_h": 100, "interval_s": 7200,
		"horizon_s": 129_600, "end_s": 100_800,
		// 5 of 10 recipients delivered in 13 attempts; 1, 1, 2 and 1 of them were resends.
		"totals.recipients": 10, "totals.delivered": 5, "totals.failed": 2, "totals.suppressed": 1, "totals.pending": 1,
		"totals.ambiguous": 1,
		"totals.attempts":  13, "totals.resends": 5, "dfr": 13.0 / 5,
		// 1 1 1 1 2 2 2 3 4 5 8 20 30 s
		"latency.count": 13, "latency.mean_s": 80.0 / 13, "latency.p50_s": 2, "latency.p90_s": 20, "latency.p99_s": 30,
		// Final after 10 s, 1 h, 2 h, 3 h of example; 50 s, 60 s, and 2 h, 3 h since the second
		// campaign began, of slow.
		"all_destinations.metrics.first_try_share": 3.0 / 8, "all_destinations.metrics.time_to_final_p50_h": 1,
		"all_destinations.metrics.time_to_final_p95_h": 3,
		"destinations.0.metrics.first_try_share":       1.0 / 4, "destinations.0.metrics.time_to_final_p50_h": 1,
		"destinations.0.metrics.time_to_final_p95_h": 3,
		"destinations.1.metrics.first_try_share":     2.0 / 4, "destinations.1.metrics.time_to_final_p50_h": 1.0 / 60,
		"destinations.1.metrics.time_to_final_p95_h": 3,
		// From the start of the run: 9 recipients after 10, 50, 60 s, 1, 2, 3, 4, 5 h; 2 of 13
		// attempts refused the sender.
		"all_destinations.metrics.t50_h": 2, "all_destinations.metrics.t90_h": none,
		"all_destinations.metrics.t99_h":           none,
		"all_destinations.metrics.late_recipients": 3, "all_destinations.metrics.refused_share": 2.0 / 13,
		"destinations.0.metrics.t50_h": 1, "destinations.0.metrics.t90_h": 3, "destinations.0.metrics.t99_h": 3,
		"destinations.0.metrics.late_recipients": 0, "destinations.0.metrics.refused_share": 2.0 / 8,
		"destinations.1.metrics.t50_h": 1.0 / 60, "destinations.1.metrics.t90_h": 5, "destinations.1.metrics.t99_h": 5,
		"destinations.1.metrics.late_recipients": 2, "destinations.1.metrics.refused_share": 0,
		"campaigns.0.start_s": 0, "campaigns.0.deadline_s": none, "campaigns.0.recipients": 6, "campaigns.0.final": 6,
		"campaigns.0.last_final_s":  10_800,
		"campaigns.0.metrics.t50_h": 1.0 / 60, "campaigns.0.metrics.t90_h": 3, "campaigns.0.metrics.t99_h": 3,
		"campaigns.0.metrics.late_recipients": 0,
		// Two of three final, 4 and 5 h after the start of the run.
		"campaigns.1.start_s": 7200, "campaigns.1.deadline_s": 10_800, "campaigns.1.recipients": 3,
		"campaigns.1.final": 2, "campaigns.1.last_final_s": 18_000,
		"campaigns.1.metrics.t50_h": 5, "campaigns.1.metrics.t90_h": none, "campaigns.1.metrics.t99_h": none,
		"campaigns.1.metrics.late_recipients": 3,
		"metrics.t50_h":                       2, "metrics.t90_h": none, "metrics.t99_h": none,
		"metrics.late_recipients": 3,
		"metrics.refused_share":   2.0 / 13,
		// Rates 70, 130, 120, 103, 99 of 100; the last quarter is the last two.
		"servers.0.judged_intervals": 5, "servers.0.settling_intervals_5pct": 3, "servers.0.settling_intervals_2pct": 4,
		"servers.0.overshoot":          0.3,
		"servers.0.steady_state_error": 0.01, "servers.0.rate_per_h": 101,
		"servers.0.iae_target_hours":   2 * (0.3 + 0.3 + 0.2 + 0.03 + 0.01),
		"servers.0.ise_target_hours":   2 * (0.09 + 0.09 + 0.04 + 0.0009 + 0.0001),
		"servers.0.itae_target_hours2": 2 * (0.3*2 + 0.3*4 + 0.2*6 + 0.03*8 + 0.01*10),
		"servers.0.total_variation":    2 + 3 + 2 + 1 + 0.5, "servers.0.available_final": 11.5,
		// 13, 12, 11.5 less their line, which falls by 0.75: 1/12, -1/6, 1/12.
		"servers.0.swing_processes": 0.25, "servers.0.swing_period_intervals": none,
		// Rates 50, 55, .. 115: the sums of 10 to 1 and of 1 to 3 times 5 %; of 1 to 10 times 10 to
		// 1; of 12, 13, 14 times 1, 2, 3.
		"servers.1.judged_intervals": 14, "servers.1.settling_intervals_5pct": none,
		"servers.1.settling_intervals_2pct": none, "servers.1.overshoot": 0.15,
		"servers.1.steady_state_error": 0.075, "servers.1.rate_per_h": (100 + 105 + 110 + 115) / 4.0,
		"servers.1.iae_target_hours": 2 * 0.05 * (55 + 6), "servers.1.ise_target_hours": 2 * 0.0025 * (385 + 14),
		"servers.1.itae_target_hours2": 2 * 0.05 * 2 * (220 + 80),
		"servers.1.total_variation":    10 + 4*4, "servers.1.available_final": 20,
		// 20 24 24 20 24 24 20: it passes its mean at 1, 3, 4 and 6 of them.
		"servers.1.swing_processes": 4, "servers.1.swing_period_intervals": 2 * 5.0 / 3,

		"metrics.recipients": 10, "metrics.delivered": 5, "metrics.failed": 2, "metrics.suppressed": 1,
		"metrics.pending": 1, "metrics.ambiguous": 1,
		"metrics.attempts": 13, "metrics.dfr": 13.0 / 5, "metrics.delivered_share": 5.0 / 10,
		"metrics.retries_per_recipient": 5.0 / 9,
		"metrics.deferrals":             4, "metrics.throttled": 2, "metrics.end_h": 28,
		"metrics.first_try_share":     3.0 / 8,
		"metrics.time_to_final_p50_h": 1, "metrics.time_to_final_p95_h": 3,
		// The worse of the two.
		"metrics.settling_intervals_5pct": none, "metrics.settling_intervals_2pct": none, "metrics.overshoot": 0.3,
		"metrics.steady_state_error": 0.075,
		"metrics.iae_target_hours":   6.1, "metrics.ise_target_hours": 1.995, "metrics.itae_target_hours2": 60,
		"metrics.total_variation": 26,
		"metrics.available_final": 11.5, "metrics.rate_per_h": 101, "metrics.peak_available": 30,
		"metrics.swing_processes": 4, "metrics.swing_period_intervals": 2 * 5.0 / 3,

		"expectations.0.limit": 1, "expectations.0.value": 2, "expectations.1.limit": 20, "expectations.1.value": none,
	}
	for i, count := range []float64{3, 2, 1, 1, 1, 1, 1, 1, 1, 1} {
		want[fmt.Sprintf("outcomes.%d.count", i)] = count
	}
	// by destination, stage and code where the counts are equal
	for i, code := range []float64{250, 250, 421, 0, 421, 451, 550, 550, 452, 0} {
		want[fmt.Sprintf("outcomes.%d.code", i)] = code
	}

	raw, err := counted().Summary()
	if err != nil {
		t.Fatal(err)
	}
	got := handmade.Numbers(t, raw)
	for path, v := range want {
		near := 1e-12
		switch {
		case strings.Contains(path, "time_to_final"), strings.Contains(path, ".t50_h"):
			near = max(0.004, tick/v) // what its buckets tell apart
		case strings.HasPrefix(path, "latency.") && path != "latency.count":
			near = 0.01
		}
		if x, ok := got[path]; !ok || math.IsNaN(x) != math.IsNaN(v) || math.Abs(x-v) > near*math.Abs(v) {
			t.Errorf("%s = %v (there: %v), want %v", path, x, ok, v)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			t.Errorf("%s = %v is a number that nothing here counts", path, got[path])
		}
	}
}

// The words of summary.json beside its numbers.
func TestEveryWordOfTheSummary(t *testing.T) {
	var got struct {
		Partial  bool
		Servers  []struct{ Runaway bool }
		Outcomes []struct{ Destination, Stage, Fault, Means string }
		Expect   []struct{ OK bool } `json:"expectations"`
	}
	raw, err := counted().Summary()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := "{false [{false} {false}] [{example dot  delivered} {slow dot  delivered} {example connect  deferral} " +
		"{example connect timeout deferral} {example mail  deferral} {example rcpt  deferral} {example rcpt  bounce} " +
		"{slow rcpt  bounce} " +
		"{slow dot  deferral} {slow dot timeout ambiguous}] [{false} {false}]}"
	if text := fmt.Sprint(got); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// The screen of a run has these numbers and no others. What is rounded is
// rounded from what TestEveryNumberOfTheSummary counts.
func TestEveryNumberOnTheScreen(t *testing.T) {
	want := `counted (simulated)
Every number is written down.

early: of 6 recipients 50 % were final after 60 s, 90 % after 3 h, 99 % after 3 h, all after 3 h.
late: of 3 recipients 50 % were final after 5 h, fewer than 90 % before the end of the run.
In all: of 9 recipients 50 % were final after 2 h, fewer than 90 % before the end of the run.
Deadline of late, 3 h after the start: missed by 3 recipients (100.0 %), the last of them final 2 h
late, 1 of them not final when the run ended.
Did not converge: 1 of 2 servers settled within 5 % of 100/h each, the last one (b1) after 3 of 5
intervals (6 h); b2 never settled within 5 % of 100/h; together they made 208/h of 200/h over the
last quarter.
2.60 attempts per delivery; 10 recipients: 5 delivered (50.0 %), 2 failed (20.0 %), 1 suppressed
(10.0 %), 1 ambiguous (10.0 %), 1 pending (10.0 %); the run ended at its horizon of 36 h.
Held by its limit: slow, whose recipients waited for room at the ends of 1 of 1 interval, 1,234 at
most. 5.5 attempts were under way then, with a limit of 5.2.

Servers: each against 100/h
server  settled after  ended at  off by  available  overshoot  lost hours  moved
---------------------------------------------------------------------------------
b1        3 intervals     101/h  +1.0 %       11.5     30.0 %        1.68    8.5
b2              never     108/h  +7.5 %       20.0     15.0 %        6.10   26.0

Governor of b2: patent-damped, target 100/h (12 of 14 intervals)
no.  ends, h  rate/h  allocated  per proc.  used  wanted  step  available  notes
---------------------------------------------------------------------------------
  0      2.0      50       29.5        1.7  98 %    59.0  3.00       20.0
  1      4.0      55       19.5        2.8  98 %    35.5  3.00       20.0
  2      6.0      60       19.5        3.1  98 %    32.5  3.00       20.0
  3      8.0      65       19.5        3.3  98 %    30.0  3.00       20.0
  4     10.0      70       19.5        3.6  98 %    27.9  3.00       20.0
  5     12.0      75       19.5        3.8  98 %    26.0  3.00       20.0
  7     16.0      85       19.5        4.4  98 %    22.9  3.00       20.0
  8     18.0      90       19.5        4.6  98 %    21.7  3.00       24.0
  9     20.0      95       23.5        4.0  98 %    24.7  3.00       24.0
 10     22.0     100       23.5        4.3  98 %    23.5  3.00       20.0
 11     24.0     105       19.5        5.4  98 %    18.6  3.00       24.0
 13     28.0     115       23.5        4.9  98 %    20.4  3.00       20.0

How attempts ended
destination  reply    at       means      attempts   share
-----------------------------------------------------------
example      250      dot      delivered         3  23.1 %
slow         250      dot      delivered         2  15.4 %
example      421      connect  deferral          1   7.7 %
example      timeout  connect  deferral          1   7.7 %
example      421      mail     deferral          1   7.7 %
example      451      rcpt     deferral          1   7.7 %
example      550      rcpt     bounce            1   7.7 %
slow         550      rcpt     bounce            1   7.7 %
slow         452      dot      deferral          1   7.7 %
slow         timeout  dot      ambiguous         1   7.7 %

Expectations: 2 of 2 missed
metric     expected                                 is  verdict
----------------------------------------------------------------
throttled      <= 1                                  2  MISSED
end_h          > 20  not finished, 1 recipient pending  MISSED

Seed 42, replication 3, digest 0123456789abcdef, scenario 3f786850e387
Run it again: flyball run hand-made --seed 42
`
	r := counted()
	if got := screen(t, r, false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	raw, err := r.HTML(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(raw), "<body")
	page := strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString("<body"+body, " "))), " ")
	for line := range strings.Lines(want) { // the page has the same tables and sentences
		line = strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "counted (") {
			continue
		}
		line = strings.TrimSuffix(line, ", digest 0123456789abcdef, scenario 3f786850e387")
		line = strings.TrimSuffix(strings.Replace(line, "Run it again:", "Run it again", 1), " (12 of 14 intervals)")
		if !strings.Contains(page, line) {
			t.Errorf("no %q in the page", line)
		}
	}
	for _, fact := range []string{"decides every 2 h", "Horizon 36 h"} {
		if !strings.Contains(page, fact) {
			t.Errorf("no %q in the page", fact)
		}
	}
}

var tags = regexp.MustCompile("<[^>]*>")

// Interval 1 of b1 has a number in every column; the last one of b1 is cut short.
func TestEveryColumnOfTheIntervals(t *testing.T) {
	rows := handmade.ReadRows(t, intervalsCSV(counted().Rows))
	byName := func(row []string) map[string]string {
		fields := map[string]string{}
		for i, name := range rows[0] {
			fields[name] = row[i]
		}
		return fields
	}
	if got, want := byName(rows[3]), map[string]string{
		"server": "b1", "interval": "1", "t_end_s": "14400", "hours": "2", "delivered": "260", "attempts": "286",
		"rate_per_h": "130", "allocated_mean": "11.5",
		"efficiency": "11.304347826086957", "utilization": "0.9583333333333334", "available_prev": "12",
		"target_available": "8.846153846153847", "step": "3", "available": "15",
		"dfr": "1.1", "retry_limit": "6", "flags": "first|step-limit-up", "partial": "false", "draining": "false",
		"freed": "4", "handed_back": "41",
		"retries": "31", "deferrals": "32", "bounces": "33", "refusals": "34", "timeouts": "35", "attempt_s": "1.5",
		"lookup_s": "0.02", "hops": "12.5",
		"target_per_h": "100", "demand_mean": "16.25", "load": "0.75",
		"finish_s": "50000.5", "finish_low_s": "48000", "finish_high_s": "53000.25",
	}; !maps.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if got, want := byName(rows[11]), map[string]string{
		"server": "b1", "interval": "5", "t_end_s": "39600", "hours": "1", "delivered": "50", "attempts": "55",
		"rate_per_h": "50", "allocated_mean": "7",
		"efficiency": "", "utilization": "0.6086956521739131", "available_prev": "11.5", "target_available": "",
		"step": "", "available": "",
		"dfr": "1.1", "retry_limit": "9", "flags": "", "partial": "true", "draining": "false", "freed": "0",
		"handed_back": "0",
		"retries":     "0", "deferrals": "0", "bounces": "0", "refusals": "0", "timeouts": "0", "attempt_s": "",
		"lookup_s": "", "hops": "",
		"target_per_h": "100", "demand_mean": "0", "load": "0",
		"finish_s": "", "finish_low_s": "", "finish_high_s": "",
	}; !maps.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if got, want := string(counted().limitsCSV()), strings.Join(limitColumns[:], ",")+`
b1,1,14400,example,20,20,8.5,100,90,3,2,2,0
b1,1,14400,slow,6,5.25,5.5,200,170,19,11,0.5,1234
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Attempts of 1, 2, 3, 4, 5, 8, 20 and 30 s, each in a bar that is within 1 % of it.
func TestEveryNumberOfTheLatencies(t *testing.T) {
	rows := handmade.ReadRows(t, counted().latencyCSV())[1:]
	want := []struct{ seconds, attempts float64 }{{1, 4}, {2, 3}, {3, 1}, {4, 1}, {5, 1}, {8, 1}, {20, 1}, {30, 1}}
	if len(rows) != len(want) {
		t.Fatalf("%d bars, want %d: %v", len(rows), len(want), rows)
	}
	for i, w := range want {
		var from, to, attempts float64
		if _, err := fmt.Sscan(strings.Join(rows[i], " "), &from, &to, &attempts); err != nil ||
			!(from <= w.seconds && w.seconds <= to && to < 1.01*from) || attempts != w.attempts {
			t.Errorf("bar %v (%v), want %v attempts of %v s", rows[i], err, w.attempts, w.seconds)
		}
	}
}

// What a run cost stands in host.json: 13 attempts in 2 s.
func TestEveryNumberOfTheHost(t *testing.T) {
	h := counted().Host
	if h.Wall != 2 || h.AttemptsPerSec != 6.5 || h.MaxRSS != 52_428_800 || h.Scale != 60 ||
		h.Slower != 0.04 || h.Ahead != 3 ||
		h.LateP50 != 0.003 || h.LateP99 != 0.04 || h.LateMax != 0.25 || h.OversleptP50 != 0.005 ||
		h.OversleptP99 != 0.06 || h.OversleptMax != 0.35 {
		t.Errorf("%+v", h)
	}
}

// Of five intervals the last quarter is two: 30/h and 50/h of m1, 90/h of m2. Of
// C, 20 and 30 of it, m1 has 4 and 6.
func TestEveryNumberOfServersUnderOneGovernor(t *testing.T) {
	run := handmade.Counted()
	run.OneGovernor, run.Servers, run.Intervals = true, []string{"m1", "m2", "both"}, nil
	for n := range 5 {
		m1, m2, both := counts{10, 1, 1, 1, 0.1}, counts{20, 2, 2, 2, 0.2}, counts{30, 3, 3, 3, 0.3}
		switch n {
		case 3:
			m1, m2, both = counts{60, 4, 3, 8, 0.2}, counts{180, 16, 15, 17, 0.9}, counts{240, 20, 18, 25, 0.9}
		case 4:
			m1, m2, both = counts{100, 6, 5, 8, 0.4}, counts{180, 24, 21, 20, 0.8}, counts{280, 30, 26, 28, 0.8}
		}
		for server, c := range []counts{m1, m2, both} {
			run.Intervals = append(run.Intervals, c.interval(n, server))
		}
	}
	r := fold(run)
	var got strings.Builder
	if err := r.partTable(12).Write(&got, false); err != nil {
		t.Fatal(err)
	}
	want := `
Servers under one governor, in the last quarter
server  rate/h  available  share of C  allocated  per proc.  wanted    load
----------------------------------------------------------------------------
m1          40        5.0      20.0 %        4.0       10.0     8.0  30.0 %
m2          90       20.0      80.0 %       18.0        5.0    18.5  85.0 %
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	// the target is of all together
	if rows := handmade.ReadRows(t, intervalsCSV(r.Rows)); rows[1][29] != "" || rows[3][29] != "100" {
		t.Errorf("targets: %q, %q", rows[1][29], rows[3][29])
	}
	// an interval in which only a server had work to its end has none
	run.Intervals = append(run.Intervals, counts{100, 6, 5, 8, 0.4}.interval(5, 0))
	if got := fold(run).target(); got != "100/h" {
		t.Errorf("the target of all is %s, want 100/h", got)
	}
}

// counts are those of one server in an interval of 2 h.
type counts struct {
	delivered                         uint64
	previous, allocated, demand, load float64
}

func (c counts) interval(n, server int) runlog.Interval {
	return runlog.Interval{Server: mail.Server(server), End: vt.Time(vt.Span(n+1) * 2 * vt.Hour),
		Interval: engine.Interval{
			Number: n,
			Sample: governor.Sample{Span: 2 * vt.Hour, Delivered: c.delivered, Attempts: c.delivered,
				Allocated: c.allocated, Demand: c.demand, Load: c.load},
			Decision: governor.Decision{Previous: c.previous, Available: c.previous},
		}}
}

// Of b1, which is stable, and b2, whose C swings, the run is as b2.
func TestTheClassOfARunIsItsWorst(t *testing.T) {
	run := handmade.Counted()
	if got := fold(run).Class(); got != measure.Oscillating {
		t.Errorf("class %s, want %s", got, measure.Oscillating)
	}
	run.Servers[0], run.Servers[1] = "b2", "b1"
	if got := fold(run).Class(); got != measure.Oscillating {
		t.Errorf("the other way round: class %s, want %s", got, measure.Oscillating)
	}
}
