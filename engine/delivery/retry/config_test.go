package retry_test

import (
	"math"
	"strings"
	"testing"

	"flyball/engine/delivery/retry"
	"flyball/internal/vt"
)

// RFC 5321 4.5.4.1: at least 30 minutes between tries, two of them within the
// first hour; and ten resends, as in [0073].
func TestDefault(t *testing.T) {
	r := retry.Default()
	if errs := r.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	if r.Limit != 10 || r.Delays[0]+r.Delays[1] > vt.Hour {
		t.Errorf("%+v", r)
	}
	for i, d := range r.Delays {
		if d < 30*vt.Minute || (i > 0 && d < r.Delays[i-1]) {
			t.Errorf("delays %v", r.Delays)
		}
	}
}

func policyNames() (names []string) {
	for _, p := range retry.Policies() {
		names = append(names, p.Name)
	}
	return names
}

func TestValidateMessages(t *testing.T) {
	for _, v := range []struct {
		change func(*retry.Config)
		want   string
	}{
		{func(r *retry.Config) { r.Policy = "dynamic" }, `policy: got "dynamic", want one of ` +
			strings.Join(policyNames(), ", ")},
		{func(r *retry.Config) { r.Low = 3 }, `low: got a value, want none: policy = "fixed" has no use for it`},
		{func(r *retry.Config) { r.Policy, r.Low = "alloc", 10 }, `low: got 10, want 0 to 9, less than limit`},
		{func(r *retry.Config) { r.Policy, r.LoadBelow = "util", 1 },
			`load_below: got 1, want 0 or more, less than load_above = 1`},
		{func(r *retry.Config) { r.Policy, r.DFRBelow = "dfr", 8 },
			`dfr_below: got 8, want 1 or more, less than dfr_above = 7`},
		{func(r *retry.Config) { r.Policy, r.Scope = "dfr", "rack" },
			`scope: got "rack", want one of server, mta, cluster`},
		{func(r *retry.Config) { r.Policy, r.MinAttempts = "dfr-fn", 0 },
			`min_attempts: got 0, want 1 to 1000000000`},
		{func(r *retry.Config) { r.Policy, r.When = "alloc", "often" },
			`when: got "often", want one of interval, continuous`},
		{func(r *retry.Config) { r.Policy, r.When = "dfr", "continuous" },
			`when: got a value, want none: policy = "dfr" has no use for it`},
		{func(r *retry.Config) { r.Policy = "both-fn" },
			`table: got none, want at least one row for policy = "both-fn"`},
		{func(r *retry.Config) { r.Policy, r.Table = "both-fn", []retry.Row{{Limit: 11}} },
			`table[0].limit: got 11, want 0 to limit = 10`},
		{func(r *retry.Config) { r.Policy, r.Late = "stage", 0 }, `late: got 0, want more than 0, at most 1`},
		{func(r *retry.Config) { r.Policy, r.Loss = "yield", 0 }, `loss: got 0, want more than 0, at most 0.5`},
		{func(r *retry.Config) { r.Policy, r.Probe = "yield", 1 }, `probe: got 1, want 2 to 1000000`},
		{func(r *retry.Config) { r.Policy, r.Memory = "yield", 0 }, `memory: got 0s, want 1s to 3650d`},
		{func(r *retry.Config) { r.Probe = 10 }, `probe: got a value, want none: policy = "fixed" has no use for it`},
		{func(r *retry.Config) { r.Policy, r.RestoreAfter = "util-fn", 2 },
			`restore_after: got a value, want none: policy = "util-fn" has no use for it`},
		{func(r *retry.Config) { r.Schedule = "exim" },
			`schedule: got "exim", want one of patent, rfc5321, postfix, kumomta, haraka, zonemta, mox, chasquid, ` +
				`gmail, yahoo`},
		{func(r *retry.Config) { r.Schedule, r.Delays = "mox", []vt.Span{vt.Minute} },
			`delays: got a value, want none: schedule = "mox" has no use for it`},
		{func(r *retry.Config) { r.Schedule, r.Limit = "mox", 3 },
			`limit: got a value, want none: schedule = "mox" has no use for it`},
		{func(r *retry.Config) { r.Schedule, r.MaxAge = "postfix", vt.Day },
			`max_age: got a value, want none: schedule = "postfix" has no use for it`},
		{func(r *retry.Config) { r.Schedule, r.Policy, r.Low = "mox", "alloc", 7 },
			`low: got 7, want 0 to 6, less than limit`},
		{func(r *retry.Config) { r.GreylistDelay = 1 }, `greylist_delay: got 1ns, want 1ms to 30d`},
		{func(r *retry.Config) { r.MaxAge = -1 }, `max_age: got -1ns, want 0s to 3650d`},
		{func(r *retry.Config) { r.Limit = -1 }, `limit: got -1, want 0 to 1000`},
		{func(r *retry.Config) { r.Limit = 1001 }, `limit: got 1001, want 0 to 1000`},
		{func(r *retry.Config) { r.Delays = nil }, `delays: got none, want at least one for limit = 10`},
		{func(r *retry.Config) { r.Delays[1] = 0 }, `delays[1]: got 0s, want 1ms to 30d`},
		{func(r *retry.Config) { r.Delays[3] = 31 * vt.Day }, `delays[3]: got 31d, want 1ms to 30d`},
		{func(r *retry.Config) { r.Bounce = "drop" }, `bounce: got "drop", want one of fail, resend`},
		{func(r *retry.Config) { r.Ambiguous = "" }, `ambiguous: got "", want one of hold, resend`},
	} {
		r := retry.Default()
		v.change(&r)
		if errs := r.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
	none := retry.Default()
	none.Limit, none.Delays = 0, nil
	if errs := none.Validate(); len(errs) > 0 {
		t.Errorf("a limit of 0 needs no delays: %v", errs)
	}
}

// Every policy is valid with default parameters, except the one that needs a
// table; so is every schedule, under every policy.
func TestDefaultsOfEveryPolicy(t *testing.T) {
	for _, policy := range policyNames() {
		for _, schedule := range []string{"", "patent", "rfc5321", "postfix", "kumomta", "haraka", "zonemta", "mox",
			"chasquid", "gmail", "yahoo"} {
			r := retry.Default()
			r.Policy, r.Schedule = policy, schedule
			if policy == "both-fn" {
				r.Table = []retry.Row{{Allocated: 0.9, DFR: 4, Limit: 7}, {Allocated: 1, DFR: 7, Limit: 5}}
			}
			if errs := r.Validate(); len(errs) > 0 {
				t.Errorf("%s, %q: %v", policy, schedule, errs)
			}
		}
	}
}

// Schedules agree with their sources: minutes from the first try to each resend,
// and the number of resends.
func TestSchedules(t *testing.T) {
	const day = 24 * 60
	for name, want := range map[string]struct {
		tries []float64 // minutes after the first
		limit int       // resends in all
		end   float64   // minutes; the age, or the last try if there is none
	}{
		"patent":   {[]float64{30, 90, 210, 450, 690}, 10, 31.5 * 60},
		"rfc5321":  {[]float64{30, 60, 240, 420}, 2 + 39, 5 * day},
		"postfix":  {[]float64{5, 10, 20, 40, 80, 80 + 4000./60}, 111, 5 * day}, // 112 attempts
		"kumomta":  {[]float64{20, 60, 140, 300, 620}, 8, 7 * day},
		"haraka":   {[]float64{64. / 60, 192. / 60, 448. / 60}, 12, 64 * 4095. / 60},
		"zonemta":  {[]float64{5, 12, 20, 45, 120, 240, 480, 720}, 17, 48 * 60},
		"mox":      {[]float64{7.5, 22.5, 52.5, 112.5}, 7, 7.5 * 127},
		"chasquid": {[]float64{1, 6, 16, 36, 56}, 62, 20 * 60},
		"gmail":    {[]float64{6 + 2./60, 29 + 2./60, 56 + 36./60, 98 + 44./60, 162}, 10, 0},
		"yahoo":    {[]float64{2 + 7./60, 5 + 39./60, 12 + 58./60, 27 + 16./60, 55 + 13./60}, 10, 0},
	} {
		r := retry.Default()
		r.Schedule = name
		r = r.Spelled()
		var at vt.Span
		for try := range r.Limit {
			at += r.Delays[min(try, len(r.Delays)-1)]
			if try < len(want.tries) && at != vt.Span(math.Round(want.tries[try]*60))*vt.Second {
				t.Errorf("%s: try %d after %s, want %g min", name, try+1, at, want.tries[try])
			}
		}
		end := at
		if r.MaxAge > 0 {
			if end = r.MaxAge; at > end || at+r.Delays[min(r.Limit, len(r.Delays)-1)] <= end {
				t.Errorf("%s: the last of %d resends comes after %s, its age is %s", name, r.Limit, at, end)
			}
		}
		if r.Limit != want.limit || want.end > 0 && end != vt.Span(math.Round(want.end*60))*vt.Second {
			t.Errorf("%s: %d resends until %s, want %d until %g min", name, r.Limit, end, want.limit, want.end)
		}
	}
}
