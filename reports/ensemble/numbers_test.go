package ensemble

import (
	"math"
	"strings"
	"testing"

	"flyball/reports/internal/handmade"
)

// counted are ten replications of 20 intervals of 3 h with 100,000/h in the first
// 1, 2, .. 9 and, in the last replication, all 20 of them; then 140,000/h, the
// target. C is 140 before each interval.
func counted(t *testing.T) *Report {
	var runs []Observation
	for i := range 10 {
		after := i + 1
		if after == 10 {
			after = 20
		}
		runs = append(runs, observed(i, handmade.AllFull, handmade.Settles(after, 20)))
	}
	return gathered(handmade.Asking(t, "terminating"), runs...)
}

// What the text of replications rests on: k intervals of 40/140 too little, with
// k = 1, .. 9, 20, of mean 6.5. A rate of 136,000/h has s = 40,000 / sqrt(10) and
// t(9) = 2.262: +- 9,049/h. Of ten values the second and the ninth bound the
// median, the seventh the 90 %; 9 of 10 are 55.5 to 99.7 %, 5 of 10 are 18.7 to
// 81.3 %.
func TestEveryNumberOnTheScreen(t *testing.T) {
	text := textOf(t, counted(t))
	for _, want := range []string{`
Converged: the mean of 10 replications settled within 5 % of 140,000/h after 9 intervals (27 h; by
its band after 5 to never).
One by one: 9 of 10 replications settled (55.5 % to 99.7 %), half of all within 5 intervals (2 to
9); 1 had not within the 20 intervals that all were watched.
Over the last quarter of the judged intervals the rate was 136,000/h (126,951 to 145,049), not
distinguishable from the target.
1.100 attempts per delivery; of 7,620,000 (7,156,396 to 8,083,604) recipients 7,620,000 (6,277,246
to 7,960,135) delivered, 0 failed; the end came after 60 h. Recipients failed in none of 10
replications: with 95 % confidence they do in fewer than 25.9 % of runs.
`, `
settling_intervals_5pct      <= 5  5 of 10  18.7 % to 81.3 %  missed first in replication 5, never in 1
`, `
server  mean course    its band  runs settled  half within    90 % within  watched
-----------------------------------------------------------------------------------
b1                9  5 to never       9 of 10   5 (2 to 9)  9 (7 or more)       20
`, `
metric                value  95 % interval (jackknife)
-------------------------------------------------------
iae_target_hours        5.6                 2.3 to 8.9
ise_target_hours       0.97               0.39 to 1.54
itae_target_hours2       96                   0 to 211
overshoot                 0                  no spread
rate_per_h          136,000         126,951 to 145,049
steady_state_error   -0.029            -0.093 to 0.036
swing_processes           0                  no spread
total_variation         260                 105 to 415
`, `
metric                                 mean           95 % interval      least  in   greatest      in
`, `
available_final                       136.0          127.0 to 145.0      100.0   9      140.0       0
`, `
dfr                                   1.100               no spread
end_h                                    60               no spread
`, `
iae_target_hours                        5.6              2.3 to 8.9        0.9   0       17.1       9
ise_target_hours                       1.59            0.65 to 2.54       0.24   0       4.90       9
itae_target_hours2                       96                0 to 211          3   0        540       9
`, `
rate_per_h                          136,000      126,951 to 145,049    100,000   9    140,000       0
recipients                        7,620,000  7,156,396 to 8,083,604  6,000,000   9  8,280,000       0
`, `
settling_intervals_2pct  median 5 intervals                  2 to 9        1.0   0      never  1 runs
settling_intervals_5pct  median 5 intervals                  2 to 9        1.0   0      never  1 runs
steady_state_error                   -0.029         -0.093 to 0.036     -0.286   9      0.000       0
`, `
total_variation                         260              105 to 415         40   0        800       9
`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s\nin\n%s", want, text)
		}
	}
}

// The same in summary.json, as it is before it is rounded for the screen.
func TestEveryNumberOfTheSummary(t *testing.T) {
	e := counted(t)
	raw, err := e.Summary()
	if err != nil {
		t.Fatal(err)
	}
	got := handmade.Numbers(t, raw)
	want := map[string]float64{
		"replications": 10, "replications_asked": 10, "seed": 42, "interval_s": 10_800, "horizon_s": 60 * 86_400,
		"target_per_h": 140_000, "level": 0.95,
		"finished": 10, "with_failures": 0,
		"settling.0.judged_intervals": 20, "settling.0.of_mean_intervals": 9, "settling.0.of_mean_earliest": 5,
		"settling.0.of_mean_latest": math.NaN(),
		"settling.0.runs":           10, "settling.0.never": 1, "settling.0.censoring_horizon": 20,
		"settling.0.runaways":            0,
		"settling.0.settled_share.value": 0.9, "settling.0.median_intervals.value": 5,
		"settling.0.median_intervals.low": 2, "settling.0.median_intervals.high": 9,
		"settling.0.p90_intervals.value": 9, "settling.0.p90_intervals.low": 7,
		"settling.0.p90_intervals.high": math.NaN(),
		"expectations.0.limit":          5, "expectations.0.met": 5, "expectations.0.met_share.value": 0.5,
		"expectations.0.first_missed": 5,
	}
	for path, v := range want {
		if x, ok := got[path]; !ok || math.IsNaN(x) != math.IsNaN(v) || math.Abs(x-v) > 1e-12*math.Abs(v) {
			t.Errorf("%s = %v (there: %v), want %v", path, x, ok, v)
		}
	}
	const miss = 40.0 / 140
	for metric, v := range map[string]struct{ mean, least, leastIn, most, mostIn float64 }{
		"iae_target_hours":   {6.5 * 3 * miss, 3 * miss, 0, 60 * miss, 9},
		"ise_target_hours":   {6.5 * 3 * miss * miss, 3 * miss * miss, 0, 60 * miss * miss, 9},
		"itae_target_hours2": {37.5 * 9 * miss, 9 * miss, 0, 210 * 9 * miss, 9}, // k (k + 1) / 2, of mean 37.5
		"total_variation":    {260, 40, 0, 800, 9}, "rate_per_h": {136_000, 100_000, 9, 140_000, 0},
		"steady_state_error":      {-0.1 * miss, -miss, 9, 0, 0},
		"delivered":               {7_620_000, 6_000_000, 9, 8_280_000, 0},
		"attempts":                {8_382_000, 6_600_000, 9, 9_108_000, 0},
		"end_h":                   {60, 60, 0, 60, 0},
		"settling_intervals_2pct": {5, 1, 0, 9, 8}, "peak_available": {140, 140, 0, 140, 0},
	} {
		m := e.Measure(metric)
		for i, pair := range [][2]float64{{float64(m.Value), v.mean}, {float64(m.Least), v.least},
			{float64(m.LeastIn), v.leastIn},
			{float64(m.Most), v.most}, {float64(m.MostIn), v.mostIn}} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-9*math.Abs(pair[1])) {
				t.Errorf("%s: number %d is %v, want %v", metric, i, pair[0], pair[1])
			}
		}
	}
}
