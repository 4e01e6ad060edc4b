package task

import (
	"testing"

	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// An estimate is a time of day where the scenario has a clock, else a time after the start; its words come
// when they are asked for.
func TestWhenAMailingIsOut(t *testing.T) {
	f := runlog.Forecast{Finish: vt.Time(7*vt.Hour + 40*vt.Minute), Low: vt.Time(7*vt.Hour + 31*vt.Minute),
		High: vt.Time(7*vt.Hour + 52*vt.Minute)}
	for _, c := range []struct {
		set  []string
		f    runlog.Forecast
		want string
	}{
		{[]string{"start_at=2026-11-30 22:00"}, f, "out by 05:40 (05:31 to 05:52)"},
		{nil, f, "out after 7.7 h (7.5 h to 7.9 h)"},
		{nil, runlog.Forecast{}, ""},
	} {
		s, _, err := (&Source{Arg: "quickstart", Set: c.set}).Load()
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		Watch(func(e Event) {
			if asked != 0 || e.Done != 3 || e.Total != 4 || e.Stage != s.Name {
				t.Errorf("got %+v, asked for words %d times before", e, asked)
			}
			if got := e.Out(); got != c.want {
				t.Errorf("%v: got %q, want %q", c.set, got, c.want)
			}
		}).Out(s, 3, 4, func() runlog.Forecast { asked++; return c.f }, nil)
	}
	Watch(nil).Out(nil, 0, 0, nil, nil)
}
