package engine_test

import (
	"testing"

	"flyball/engine"
	"flyball/internal/vt"
)

// RFC 5321 4.5.4.1: at least 30 minutes between tries, two of them within the
// first hour; and ten resends, as in [0073].
func TestDefaultRetry(t *testing.T) {
	r := engine.DefaultRetry()
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

func TestRetryValidateMessages(t *testing.T) {
	for _, v := range []struct {
		change func(*engine.Retry)
		want   string
	}{
		{func(r *engine.Retry) { r.Policy = "dynamic" }, `policy: got "dynamic", want "fixed"`},
		{func(r *engine.Retry) { r.Limit = -1 }, `limit: got -1, want 0 to 1000`},
		{func(r *engine.Retry) { r.Limit = 1001 }, `limit: got 1001, want 0 to 1000`},
		{func(r *engine.Retry) { r.Delays = nil }, `delays: got none, want at least one for limit = 10`},
		{func(r *engine.Retry) { r.Delays[1] = 0 }, `delays[1]: got 0s, want 1ms to 30d`},
		{func(r *engine.Retry) { r.Delays[3] = 31 * vt.Day }, `delays[3]: got 31d, want 1ms to 30d`},
		{func(r *engine.Retry) { r.Bounce = "drop" }, `bounce: got "drop", want "fail" or "resend"`},
		{func(r *engine.Retry) { r.Ambiguous = "" }, `ambiguous: got "", want "hold" or "resend"`},
	} {
		r := engine.DefaultRetry()
		v.change(&r)
		if errs := r.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
	none := engine.DefaultRetry()
	none.Limit, none.Delays = 0, nil
	if errs := none.Validate(); len(errs) > 0 {
		t.Errorf("a limit of 0 needs no delays: %v", errs)
	}
}
