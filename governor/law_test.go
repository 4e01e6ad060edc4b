package governor_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/internal/unit"
	"flyball/internal/vt"
)

const (
	damped  = "patent-damped"
	dynamic = "patent-dynamic"
)

// at returns a governor of Table 1 with the given law, start and explicit d.
func at(t *testing.T, law string, start, d float64, change ...func(*governor.Config)) governor.Governor {
	t.Helper()
	c := explicit(law, start, d)
	c.Target = target
	for _, f := range change {
		f(&c)
	}
	g, err := governor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// three returns a sample of three hours.
func three(delivered uint64, allocated float64) governor.Sample {
	return governor.Sample{Span: 3 * vt.Hour, Delivered: delivered, Allocated: allocated}
}

func TestSingleSteps(t *testing.T) {
	for _, v := range []struct {
		c, p                               float64
		messages                           uint64
		d                                  float64
		efficiency, utilization, processes float64
		damped, dynamic                    float64
		flags                              governor.Flags
	}{
		{200, 186, 558000, 3, 1000, 0.93, 140, 197, 197.21, governor.StepLimitDown},
		{200, 186, 500000, 3, 896.0573, 0.93, 156.24, 197, 197.21, governor.StepLimitDown},
		{100, 100, 300000, 3, 1000, 1, 140, 103, 103, governor.StepLimitUp},
		{140, 140, 420000, 3, 1000, 1, 140, 140, 140, 0},
		{200, 100, 360000, 8, 1200, 0.5, 116.6667, 192, 196, governor.StepLimitDown | governor.NarrativeViolation},
		{200, 50, 180000, 3, 1200, 0.25, 116.6667, 197, 199.25, governor.StepLimitDown | governor.NarrativeViolation},
		{150, 165, 420000, 3, 848.4848, 1.1, 165, 153, 153.3, governor.StepLimitUp | governor.UtilizationAbove1},
		{150, 160, 0, 3, 0, 1.0667, math.Inf(1), 153, 153.2,
			governor.StepLimitUp | governor.UtilizationAbove1 | governor.NoDeliveries},
	} {
		for law, want := range map[string]float64{damped: v.damped, dynamic: v.dynamic, "hold": v.c} {
			g := at(t, law, v.c, v.d)
			d := g.Decide(three(v.messages, v.p))
			what := func(term string) string { return law + ": " + term }
			near(t, what("M_s"), d.Rate, float64(v.messages)/3, 1e-9)
			near(t, what("P_a"), d.Allocated, v.p, 0)
			near(t, what("E_a"), d.Efficiency, v.efficiency, 5e-5)
			near(t, what("U_s"), d.Utilization, v.utilization, 5e-5)
			if d.Target != v.processes {
				near(t, what("T / E_a"), d.Target, v.processes, 5e-5)
			}
			near(t, what("C before"), d.Previous, v.c, 0)
			near(t, what("C"), d.Available, want, 1e-9)
			near(t, what("Available()"), g.Available(), d.Available, 0)
			flags, step := v.flags|governor.First, v.d
			switch law {
			case dynamic:
				step *= v.p / v.c
			case "hold":
				flags &^= governor.StepLimitUp | governor.StepLimitDown | governor.NarrativeViolation
				step = 0
			}
			near(t, what("step"), d.Step, step, 1e-9)
			if d.Flags != flags {
				t.Errorf("C=%g P=%g M=%d: %s: flags %q, want %q", v.c, v.p, v.messages, law, d.Flags, flags)
			}
		}
	}
}

// The formula of [0067] gives d = 8 for Table 1, which is 64 processes a day;
// its words give at most 24 a day, which is d = 3.
func TestPatent0067Step(t *testing.T) {
	for _, v := range []struct {
		mode     string
		interval vt.Span
		factor   string
		d        float64 // explicit
		want     float64
		aDay     float64
	}{
		{"per-day", 3 * vt.Hour, "24/day", 0, 3, 24},
		{"per-day", vt.Hour, "24/day", 0, 1, 24},
		{"per-day", 6 * vt.Hour, "24/day", 0, 6, 24},
		{"per-day", 3 * vt.Hour, "1/h", 0, 3, 24},
		{"as-printed", 3 * vt.Hour, "24/day", 0, 8, 64},
		{"as-printed", vt.Hour, "24/day", 0, 24, 576},
		{"as-printed", 6 * vt.Hour, "24/day", 0, 4, 16},
		{"explicit", 3 * vt.Hour, "24/day", 5, 5, 40},
	} {
		factor, err := unit.ParsePerHour(v.factor)
		if err != nil {
			t.Fatal(err)
		}
		c := governor.Default()
		c.Law, c.StepMode, c.Interval, c.Factor, c.D = damped, v.mode, v.interval, factor, v.d
		near(t, v.mode+" S="+v.interval.String()+": d", c.Step(), v.want, 1e-12)

		// A day in which the target stays out of reach.
		g, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for range vt.Day / v.interval {
			g.Decide(governor.Sample{Span: v.interval, Delivered: 1, Allocated: 1000})
		}
		near(t, v.mode+" S="+v.interval.String()+": change in a day", g.Available()-c.Start, v.aDay, 1e-9)
	}
}

// [0068]: of 200 available 186 are allocated, so 14 are reservable; one
// interval later C is 197 and 11 are.
func TestPatent0068Reservable(t *testing.T) {
	g := at(t, damped, 200, 0, func(c *governor.Config) { c.StepMode = "per-day" })
	same(t, "reservable at 200", governor.Reservable(g.Available(), 186), 14)
	g.Decide(three(558000, 186))
	same(t, "published one interval later", governor.Published(g.Available()), 197)
	same(t, "reservable one interval later", governor.Reservable(g.Available(), 186), 11)

	for _, v := range []struct {
		available       float64
		allocated, want int
	}{{197.99, 186, 11}, {186, 186, 0}, {150, 165, 0}, {1, 0, 1}, {1.999, 1, 0}} {
		same(t, "reservable", governor.Reservable(v.available, v.allocated), v.want)
	}
}

// [0069]: C of a server that is 50 % utilized may change by half as much.
func TestPatent0069HalfUtilized(t *testing.T) {
	full := at(t, dynamic, 200, 8).Decide(three(900000, 200))
	half := at(t, dynamic, 200, 8).Decide(three(450000, 100))
	near(t, "step at 100 %", full.Step, 8, 0)
	near(t, "step at 50 %", half.Step, 4, 0)
	near(t, "C at 50 %", half.Available, 196, 0)
	near(t, "damped step at 50 %", at(t, damped, 200, 8).Decide(three(450000, 100)).Step, 8, 0)
}

func TestCapUtilization(t *testing.T) {
	capped := func(c *governor.Config) { c.CapUtilization = true }
	d := at(t, dynamic, 150, 3, capped).Decide(three(420000, 165))
	near(t, "U_s", d.Utilization, 1.1, 1e-12)
	near(t, "step at U = 1.1", d.Step, 3, 0)
	near(t, "C at U = 1.1", d.Available, 153, 0)
	near(t, "step at U = 0.5", at(t, dynamic, 200, 8, capped).Decide(three(360000, 100)).Step, 4, 0)
}

// At full load P_a as printed makes U_s = 1 / S, so the dynamic step is d / 3.
func TestAllocatedAsPrinted(t *testing.T) {
	d := at(t, dynamic, 120, 3, func(c *governor.Config) { c.Allocated = "as-printed" }).Decide(three(360000, 120))
	near(t, "P_a", d.Allocated, 40, 1e-12)
	near(t, "E_a", d.Efficiency, 3000, 1e-9)
	near(t, "U_s", d.Utilization, 1.0/3, 1e-12)
	near(t, "step", d.Step, 1, 1e-12)
	near(t, "C", d.Available, 119, 1e-12)
}

func TestUndefinedCases(t *testing.T) {
	for _, v := range []struct {
		name                string
		sample              governor.Sample
		damped, dynamic     float64
		efficiency, process float64
		flags               governor.Flags
	}{
		{"P = 0, M = 0", three(0, 0), 100, 100, math.NaN(), math.NaN(), governor.Idle},
		{"P = 0, M > 0", three(9, 0), 100, 100, math.Inf(1), 0, governor.Idle | governor.CountedLate},
		{"P > 0, M = 0", three(0, 50), 103, 101.5, 0, math.Inf(1), governor.NoDeliveries | governor.StepLimitUp},
		{"no time", governor.Sample{Delivered: 9, Allocated: 50}, 100, 100, math.NaN(), math.NaN(), governor.NoTime},
		{"time runs back", governor.Sample{Span: -1, Delivered: 9, Allocated: 50}, 100, 100, math.NaN(), math.NaN(),
			governor.NoTime},
	} {
		for law, want := range map[string]float64{damped: v.damped, dynamic: v.dynamic, "hold": 100} {
			g := at(t, law, 100, 3)
			d := g.Decide(v.sample)
			flags := v.flags | governor.First
			if law == "hold" {
				flags &^= governor.StepLimitUp
			}
			if d.Flags != flags {
				t.Errorf("%s: %s: flags %q, want %q", v.name, law, d.Flags, flags)
			}
			near(t, v.name+": "+law+": C", d.Available, want, 1e-9)
			near(t, v.name+": "+law+": step", d.Step, math.Abs(want-100), 1e-9)
			for term, pair := range map[string][2]float64{"E_a": {d.Efficiency, v.efficiency},
				"T / E_a": {d.Target, v.process}} {
				if got, want := pair[0], pair[1]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("%s: %s: %s = %g, want %g", v.name, law, term, got, want)
				}
			}
		}
	}
}

// An idle interval leaves no trace: later decisions are the same as without it.
func TestIdleIntervalsAreForgotten(t *testing.T) {
	g, h := at(t, dynamic, 100, 3), at(t, dynamic, 100, 3)
	for i := range 20 {
		s := three(uint64(200000+10000*i), 90)
		g.Decide(s)
		h.Decide(s)
		h.Decide(three(0, 0))
		near(t, "C", h.Available(), g.Available(), 0)
	}
}

func TestFlagsOfTheState(t *testing.T) {
	has := func(what string, d governor.Decision, f governor.Flags, want bool) {
		t.Helper()
		if (d.Flags&f != 0) != want {
			t.Errorf("%s: flags %q, want %q to be there: %v", what, d.Flags, f, want)
		}
	}
	g := at(t, damped, 2, 3)
	d := g.Decide(three(1e9, 2)) // T / E_a = 0.00084
	near(t, "C", d.Available, 1, 0)
	has("floored", d, governor.FlooredAt1, true)
	has("floored", d, governor.First, true)
	d = g.Decide(three(1e9, 1))
	near(t, "C", d.Available, 1, 0)
	has("still at the floor", d, governor.FlooredAt1, true)
	has("still at the floor", d, governor.First, false)
	has("still at the floor", d, governor.NarrativeViolation, false)
	d = g.Decide(three(1000, 1))
	near(t, "C leaves the floor", d.Available, 4, 0)
	has("left the floor", d, governor.FlooredAt1, false)

	// Above the target rate, yet C rises: more processes are allocated than available.
	d = at(t, damped, 150, 3).Decide(three(450000, 165))
	near(t, "C", d.Available, 153, 0)
	has("U = 1.1 above target", d, governor.NarrativeViolation, true)

	for _, v := range []struct {
		span vt.Span
		off  bool
	}{{3 * vt.Hour, false}, {3*vt.Hour + 108*vt.Second, false}, {3*vt.Hour + 109*vt.Second, true},
		{3*vt.Hour - 109*vt.Second, true}, {vt.Hour, true}} {
		d = at(t, damped, 100, 3).Decide(governor.Sample{Span: v.span, Delivered: 1000, Allocated: 100})
		has(v.span.String(), d, governor.OffInterval, v.off)
	}
}

func TestFlagsString(t *testing.T) {
	for want, f := range map[string]governor.Flags{
		"":                     0,
		"first":                governor.First,
		"first|step-limit-up":  governor.StepLimitUp | governor.First,
		"idle|counted-late":    governor.CountedLate | governor.Idle,
		"no-time|off-interval": governor.NoTime | governor.OffInterval,
		"no-deliveries":        governor.NoDeliveries,
		"utilization-above-1":  governor.UtilizationAbove1,
		"step-limit-down":      governor.StepLimitDown,
		"floored-at-1":         governor.FlooredAt1,
		"narrative-violation":  governor.NarrativeViolation,
		"at-ceiling|drop":      governor.Drop | governor.AtCeiling,
		"at-max|slack":         governor.Slack | governor.AtMax,
		"first|no-time|off-interval|idle|counted-late|no-deliveries|utilization-above-1|" +
			"step-limit-up|step-limit-down|floored-at-1|narrative-violation|at-ceiling|at-max|slack|drop|shift|" +
			"within-noise": 1<<17 - 1,
	} {
		if f.String() != want {
			t.Errorf("%b prints as %q, want %q", uint16(f), f, want)
		}
	}
}

// anyTarget returns a target rate that no Config allows.
func anyTarget(r *rand.Rand) float64 {
	return []float64{math.NaN(), math.Inf(1), math.Inf(-1), anyFloat(r)}[r.IntN(4)]
}

// anyFloat returns a finite float of any size, often a special one.
func anyFloat(r *rand.Rand) float64 {
	switch r.IntN(8) {
	case 0:
		return 0
	case 1:
		return math.MaxFloat64
	case 2:
		return math.SmallestNonzeroFloat64
	case 3:
		return math.Pow(10, r.Float64()*600-300)
	case 4:
		return -r.Float64() * 500
	}
	return r.Float64() * 500
}

func anySample(r *rand.Rand) governor.Sample {
	s := governor.Sample{Span: 3 * vt.Hour, Allocated: anyFloat(r)}
	switch r.IntN(5) {
	case 0:
	case 1:
		s.Delivered = math.MaxUint64
	case 2:
		s.Delivered = r.Uint64()
	default:
		s.Delivered = r.Uint64N(1000000)
	}
	if r.IntN(2) == 0 {
		s.Attempts, s.Retries, s.Deferrals, s.Bounces = r.Uint64N(2000000), r.Uint64(), r.Uint64(), r.Uint64()
		s.Refusals, s.Timeouts = r.Uint64()>>r.IntN(64), r.Uint64()>>r.IntN(64)
		s.AttemptTime, s.LookupTime = vt.Span(r.Int64()>>r.IntN(64)), vt.Span(r.Int64())
		s.Hops, s.Load, s.Demand = anyFloat(r), anyFloat(r), anyFloat(r)
	}
	if r.IntN(4) == 0 {
		s.TargetRate = anyTarget(r)
	}
	switch r.IntN(8) {
	case 0:
		s.Span = 0
	case 1:
		s.Span = 1
	case 2:
		s.Span = math.MaxInt64
	case 3:
		s.Span = -s.Span
	}
	return s
}

func anyConfig(r *rand.Rand) governor.Config {
	c := governor.Default()
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	c.Law = pick("hold", damped, dynamic, "pi", "regulator", "aimd", "gradient2", "corr-vegas")
	if c.Law[0] != 'a' && c.Law[0] != 'g' && c.Law[0] != 'c' && r.IntN(2) == 0 {
		c.Ceiling = pick("aimd", "gradient2", "corr-vegas")
	}
	if r.IntN(3) == 0 {
		c.Max = 1 + 300*r.Float64()
	}
	if c.Uses("pi") && r.IntN(2) == 0 {
		c.PI = governor.PI{Proportional: 10 * r.Float64(), Integral: 10 * r.Float64(), Weight: r.Float64()}
	}
	c.Start = 1 + r.Float64()*300
	c.Target = unit.PerHour(math.Pow(10, r.Float64()*9))
	c.Interval = vt.Second + vt.Span(r.Int64N(int64(vt.Day)))
	c.Factor = unit.PerHour(math.Pow(10, r.Float64()*6-3))
	c.Allocated = pick("average", "as-printed")
	c.CapUtilization = r.IntN(2) == 0
	if c.StepMode = pick("per-day", "as-printed", "explicit"); c.StepMode == "explicit" {
		c.D = r.Float64()*20 + 0.1
	}
	return c
}

// For any measurements, C is a number from 1 to its maximum, and only undefined
// terms are NaN. With the patent's laws C moves by no more than the step, and the
// step is d or d x U_s.
func TestStepAndFloorHoldForAnySample(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		c := anyConfig(r)
		g, err := governor.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for range 30 {
			before := g.Available()
			s := anySample(r)
			d := g.Decide(s)
			switch {
			case !(d.Available >= 1 && d.Available <= math.MaxInt32) || d.Available != g.Available() ||
				d.Previous != before:
				t.Fatalf("%+v, %+v: C = %g after %g", c, s, d.Available, before)
			case math.IsNaN(d.Step) || math.IsNaN(d.Rate) || math.IsNaN(d.Utilization) || math.IsNaN(d.Allocated):
				t.Fatalf("%+v, %+v: %+v", c, s, d)
			case c.Max > 0 && d.Available > c.Max,
				(c.Ceiling != "" || c.Law == "aimd" || c.Law == "gradient2" || c.Law == "corr-vegas") &&
					d.Available > 200:
				t.Fatalf("%+v, %+v: C = %g", c, s, d.Available)
			case c.Ceiling == "" && c.Max == 0 && math.Abs(d.Available-before) > d.Step*(1+1e-9)+1e-12*before:
				t.Fatalf("%+v, %+v: C moves from %g to %g, step %g", c, s, before, d.Available, d.Step)
			case c.Law == damped && d.Step > c.Step(), c.Law == "hold" && d.Step != 0,
				c.Law == dynamic && d.Step > c.Step()*max(d.Utilization, 0)*(1+1e-9),
				c.Law == dynamic && c.CapUtilization && d.Step > c.Step():
				t.Fatalf("%+v, %+v: step %g, d %g, U %g", c, s, d.Step, c.Step(), d.Utilization)
			case governor.Published(d.Available) < 1 || float64(governor.Published(d.Available)) > d.Available:
				t.Fatalf("%+v, %+v: published %d of %g", c, s, governor.Published(d.Available), d.Available)
			case d.Flags&(governor.NoTime|governor.Idle) != 0 && d.Available != before && c.Ceiling == "":
				t.Fatalf("%+v, %+v: %q, yet C moves", c, s, d.Flags)
			}
		}
	}
}

// Where efficiency never rises with C, T / E(C) never falls, and neither does
// its clip to C +- step: such a map of a line has no cycles, so C goes one way.
// Under limited demand the dynamic law keeps the property while d is not above
// the demand.
func TestTrajectoriesAreMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 400 {
		efficiency := usl(200+2000*r.Float64(), 0.02*r.Float64(), 1e-4*math.Pow(r.Float64(), 4))
		demand := 20 + 2000*r.Float64()
		plant := func(c float64) (float64, float64) {
			n := min(c, demand)
			return n, n * efficiency(n)
		}
		c := explicit([]string{damped, dynamic}[r.IntN(2)], 1+1000*r.Float64(), 0.5+19.5*r.Float64())
		p := path(t, c, plant, 300)
		var up, down int
		for i := range 300 {
			switch move := p[i+1] - p[i]; {
			case move > 1e-5: // above the rounding of whole messages
				up = i + 1
			case move < -1e-5:
				down = i + 1
			}
		}
		if up > 0 && down > 0 {
			t.Fatalf("%+v: C rises at %d and falls at %d", c, up, down)
		}
	}
}

// Governors share no state, and their decisions depend only on the samples.
func TestSameSamplesSameDecisions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var samples []governor.Sample
	for range 200 {
		samples = append(samples, three(r.Uint64N(600000), 200*r.Float64()))
	}
	a, err := recorded.Replay(governor.Default(), samples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range samples {
		whole := anySample(r) // the law ignores other measurements
		whole.Span, whole.Delivered, whole.Allocated, whole.TargetRate =
			samples[i].Span, samples[i].Delivered, samples[i].Allocated, samples[i].TargetRate
		samples[i] = whole
	}
	b, _ := recorded.Replay(governor.Default(), samples)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("interval %d: %+v, then %+v", i, a[i], b[i])
		}
	}
}
