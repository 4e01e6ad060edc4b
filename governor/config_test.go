package governor_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/governor/recorded"
	"flyball/internal/vt"
)

func TestDefaultIsTable1(t *testing.T) {
	c := governor.Default()
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	if c.Law != dynamic { // DONT_USE_DYNAMIC_DAMPING = FALSE
		t.Errorf("law %q", c.Law)
	}
	near(t, "target per hour", float64(c.Target), 140000, 0)
	near(t, "interval in hours", c.Interval.Hours(), 3, 0)
	near(t, "factor per day", float64(c.Factor)*24, 24, 0)
	near(t, "d", c.Step(), 3, 0)
	g, err := governor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "C", g.Available(), 40, 0)
}

func TestValidateMessages(t *testing.T) {
	nan := math.NaN()
	var laws, seekers []string
	for _, l := range governor.Laws() {
		laws = append(laws, l.Name)
		if l.Kind == governor.Seeker {
			seekers = append(seekers, l.Name)
		}
	}
	all, ceilings := strings.Join(laws, ", "), strings.Join(seekers, ", ")
	for _, v := range []struct {
		change func(*governor.Config)
		want   string
	}{
		{func(c *governor.Config) { c.Law = "pid" }, `law: got "pid", want one of ` + all},
		{func(c *governor.Config) { c.Law = "" }, `law: got "", want one of ` + all},
		{func(c *governor.Config) { c.Target = 0 }, `target: got 0/h, want more than 0/h, at most 1000000000/h`},
		{func(c *governor.Config) { c.Target = 2e9 }, `target: got 2e+09/h, want more than 0/h, at most 1000000000/h`},
		{func(c *governor.Config) { c.Interval = vt.Millisecond }, `interval: got 1ms, want 1s to 30d`},
		{func(c *governor.Config) { c.Interval = 31 * vt.Day }, `interval: got 31d, want 1s to 30d`},
		{func(c *governor.Config) { c.Start = 0.5 }, `start: got 0.5, want 1 to 1000000`},
		{func(c *governor.Config) { c.Start = nan }, `start: got NaN, want 1 to 1000000`},
		{func(c *governor.Config) { c.Factor = 0 }, `factor: got 0/h, want more than 0/h, at most 1000000/h`},
		{func(c *governor.Config) { c.StepMode = "daily" },
			`step: got "daily", want one of per-day, as-printed, explicit`},
		{func(c *governor.Config) { c.D = 8 },
			`d: got 8, want none: step = "per-day" computes it from factor and interval`},
		{func(c *governor.Config) { c.StepMode, c.D = "as-printed", 8 },
			`d: got 8, want none: step = "as-printed" computes it from factor and interval`},
		{func(c *governor.Config) { c.StepMode = "explicit" },
			`d: got 0, want more than 0, at most 1000000, with step = "explicit"`},
		{func(c *governor.Config) { c.StepMode, c.D = "explicit", math.Inf(1) },
			`d: got +Inf, want 0 to 1000000`},
		{func(c *governor.Config) { c.Ceiling = "pi" }, `ceiling: got "pi", want one of ` + ceilings},
		{func(c *governor.Config) { c.Law, c.Ceiling = "aimd", "gradient2" },
			`ceiling: got "gradient2", want none: law = "aimd" seeks by itself`},
		{func(c *governor.Config) { c.Max = 0.5 }, `max: got 0.5, want 1 to 1000000`},
		{func(c *governor.Config) { c.Max = nan }, `max: got NaN, want 1 to 1000000`},
		{func(c *governor.Config) { c.PI.Integral = 1 },
			`pi: got a value, want none: neither law = "patent-dynamic" nor ceiling names it`},
		{func(c *governor.Config) { c.Law, c.PI.Integral = "pi", nan }, `pi.integral: got NaN, want 0 to 10`},
		{func(c *governor.Config) { c.Law, c.PI.Proportional = "pi", -1 }, `pi.proportional: got -1, want 0 to 10`},
		{func(c *governor.Config) { c.Law, c.PI.Weight = "pi", 2 }, `pi.weight: got 2, want 0 to 1`},
		{func(c *governor.Config) { c.Law, c.AIMD.Backoff = "aimd", 1 }, `aimd.backoff: got 1, want 0.5 to 0.999`},
		{func(c *governor.Config) { c.Ceiling, c.AIMD.Timeout = "aimd", 0 },
			`aimd.timeout: got 0s, want more than 0s, at most 30d`},
		{func(c *governor.Config) { c.Ceiling, c.AIMD.Drops = "aimd", nan }, `aimd.drops: got NaN, want 0 to 1`},
		{func(c *governor.Config) { c.Ceiling, c.AIMD.Min = "aimd", 300 }, `aimd.min: got 300, want at most max = 200`},
		{func(c *governor.Config) { c.Ceiling, c.Gradient2.Tolerance = "gradient2", 0.5 },
			`gradient2.tolerance: got 0.5, want 1 to 100`},
		{func(c *governor.Config) { c.Ceiling, c.Gradient2.Smoothing = "gradient2", 0 },
			`gradient2.smoothing: got 0, want 0.001 to 1`},
		{func(c *governor.Config) { c.Ceiling, c.Gradient2.Queue = "gradient2", -1 },
			`gradient2.queue: got -1, want 0 to 1000000`},
		{func(c *governor.Config) { c.Ceiling, c.Gradient2.Window = "gradient2", 0 },
			`gradient2.window: got 0, want 1 to 1000000`},
		{func(c *governor.Config) { c.Ceiling, c.Gradient2.Min = "gradient2", 0 },
			`gradient2.min: got 0, want 1 to 1000000`},
		{func(c *governor.Config) { c.Ceiling, c.CorrVegas.Baseline = "corr-vegas", 0 },
			`corr_vegas.baseline: got 0, want 1 to 1000000`},
		{func(c *governor.Config) { c.Ceiling, c.CorrVegas.Correlation = "corr-vegas", 1 },
			`corr_vegas.correlation: got 1, want 2 to 10000`},
		{func(c *governor.Config) { c.Ceiling, c.CorrVegas.MaxFactor = "corr-vegas", 0 },
			`corr_vegas.max_factor: got 0, want 1 to 1000000`},
		{func(c *governor.Config) { c.Ceiling, c.CorrVegas.Max = "corr-vegas", 2e6 },
			`corr_vegas.max: got 2e+06, want 1 to 1000000`},
		{func(c *governor.Config) { c.Allocated = "mean" }, `allocated: got "mean", want one of average, as-printed`},
	} {
		c := governor.Default()
		v.change(&c)
		if g, err := governor.New(c); err == nil || err.Error() != v.want || g != nil {
			t.Errorf("got  %v\nwant %s", err, v.want)
		}
	}
}

func TestValidateReportsAllAndEditsNothing(t *testing.T) {
	c := governor.Config{}
	if got := len(c.Validate()); got != 7 { // law, target, interval, start, factor, step, allocated
		t.Errorf("%d problems: %v", got, c.Validate())
	}
	if !reflect.DeepEqual(c, governor.Config{}) {
		t.Errorf("edited: %+v", c)
	}
	if _, err := recorded.Replay(c, nil); err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("replay: %v", err)
	}
}

// The tags are what a scenario file, its checks and its schema are made of.
func TestTagsAgreeWithValidate(t *testing.T) {
	for i := range reflect.TypeFor[governor.Config]().NumField() {
		f := reflect.TypeFor[governor.Config]().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if doc, _ := (governor.Config{}).KeyDoc(key); key == "" || doc == "" {
			t.Errorf("%s: no toml tag or no comment above it", f.Name)
		}
		for word := range strings.FieldsSeq(f.Tag.Get("oneof")) {
			c := governor.Default()
			if word == "explicit" {
				c.D = 8
			}
			reflect.ValueOf(&c).Elem().Field(i).SetString(word)
			if errs := c.Validate(); len(errs) > 0 {
				t.Errorf("%s = %q: %v", f.Name, word, errs)
			}
		}
	}
}
