package sim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/internal/longtest"
	"flyball/scenarios"
	"flyball/sim"
)

// randomNight draws a mailing of three to ten hours with a fixed number of processes, of which
// part of the recipients is greylisted and part of the attempts fails.
func randomNight(t *testing.T, r *rand.Rand) *scenarios.Scenario {
	t.Helper()
	recipients, hours := 5000+r.IntN(15000), 3+7*r.Float64()
	processes := max(3, int(float64(recipients)/hours/115)) // an attempt takes some 31 s
	hours = float64(recipients) / float64(processes) / 115
	delays := []string{`"5m"`, `"5m","15m"`, `"10m","30m"`}[r.IntN(3)]
	grey := []float64{0, 0.3, r.Float64()}[r.IntN(3)]
	s, err := scenarios.Load("night", fmt.Appendf(nil, `
schema_version = 1
name = "night"
horizon = "10d"
seed = %d
[governor]
law = "hold"
start = %d
interval = "%ds"
[retry]
limit = %d
delays = [%s]
[[destination]]
name = "a"
domain = "a.example"
dot = "30s"
share = %d
greylist = { share = %.2f, delay = "%dm" }
[[destination]]
name = "b"
domain = "b.example"
dot = "30s"
share = 30
fail = [{ at = "rcpt", reply = 451, p = %g }]
[[campaign]]
name = "news"
recipients = %d
subset = 10
`, r.IntN(1e6), processes, int(hours*60), 2+r.IntN(7), delays, 10+r.IntN(60), grey, 1+r.IntN(8),
		[]float64{0, 0.01, 0.05, 0.2}[r.IntN(4)], recipients), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unevenNight draws a mailing of three to ten hours whose attempts take very different times, 30 s
// on average; in half of the nights three in ten recipients are greylisted.
func unevenNight(t *testing.T, r *rand.Rand) *scenarios.Scenario {
	t.Helper()
	recipients, hours := 3000+r.IntN(6000), 3+7*r.Float64()
	processes := max(3, int(float64(recipients)/hours/115))
	hours = float64(recipients) / float64(processes) / 115
	dot := []string{`{ dist = "uniform", min = "0s", max = "60s" }`, `{ dist = "exponential", mean = "30s" }`,
		`{ dist = "lognormal", median = "20s", sigma = 1.0 }`}[r.IntN(3)]
	s, err := scenarios.Load("night", fmt.Appendf(nil, `
schema_version = 1
name = "night"
horizon = "10d"
seed = %d
[governor]
law = "hold"
start = %d
interval = "%ds"
[retry]
delays = ["5m", "15m"]
[[destination]]
name = "a"
domain = "a.example"
dot = %s
greylist = { share = %.1f, delay = "4m" }
[[campaign]]
name = "news"
recipients = %d
subset = 10
`, r.IntN(1e6), processes, int(hours*60), dot, 0.3*float64(r.IntN(2)), recipients), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forecasts returns how many of n mailings are estimated within 5 % at a tenth of their deliveries,
// and how many end within their interval.
func forecasts(t *testing.T, n int, draw func(*testing.T, *rand.Rand) *scenarios.Scenario) (near, covered int) {
	t.Helper()
	r := rand.New(rand.NewPCG(20, 26))
	for range n {
		s := draw(t, r)
		w, err := sim.New(s, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.Run(nil)
		sum := uint64(0)
		for _, i := range w.Records()[0].Intervals {
			if sum += i.Sample.Delivered; 10*sum < uint64(s.Recipients()) {
				continue
			}
			if math.Abs(float64(i.Finish-end)) <= 0.05*float64(end) {
				near++
			}
			if i.Low <= end && end <= i.High {
				covered++
			}
			break
		}
	}
	t.Logf("of %d mailings %d are estimated within 5 %%, %d within their interval", n, near, covered)
	return near, covered
}

// At a tenth of a mailing its end is estimated within 5 %, and the interval of 90 % is neither
// too narrow nor too wide.
func TestForecastOfTheEnd(t *testing.T) {
	n := longtest.Or(40, 500)
	near, covered := forecasts(t, n, randomNight)
	if got := float64(near) / float64(n); got < 0.8 {
		t.Errorf("%.3f of the ends are estimated within 5 %%, want 0.8 or more", got)
	}
	if got := float64(covered) / float64(n); got < 0.82 || got > 0.98 {
		t.Errorf("%.3f of the intervals cover the end, want 0.9", got)
	}
}

// Where times of attempts differ much, an estimate of few attempts is less sure, and its interval wider.
func TestForecastOfUnevenTimes(t *testing.T) {
	n := longtest.Or(60, 500)
	_, covered := forecasts(t, n, unevenNight)
	if got := float64(covered) / float64(n); got < 0.8 || got > 0.97 {
		t.Errorf("%.3f of the intervals cover the end, want 0.9", got)
	}
}
