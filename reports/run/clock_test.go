package run

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
)

// A run that starts at 22:00 shows the clock beside its hours, in the text and in the
// figures, and its summary can be read back.
func TestClockBesideHours(t *testing.T) {
	folded := handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60, Plant: handmade.Linear, Dfr: 1})
	start, err := vt.ParseCivil("2026-11-30 22:00")
	if err != nil {
		t.Fatal(err)
	}
	folded.End = vt.Time(7*vt.Hour + 12*vt.Minute)
	plain := fold(folded)
	folded.Clock = vt.Clock{Start: start, Zone: "Europe/Berlin", Offsets: []vt.Offset{{Ahead: vt.Hour}}}
	r := fold(folded)
	var b bytes.Buffer
	if err := r.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	first := format.ClockTime(r.Clock, format.Num(r.Rows[0].End/3600))
	for _, want := range []string{"(simulated, from 2026-11-30 22:00 Europe/Berlin)", "ended at 05:12 (+7.2 h).",
		"ends, h clock rate/h", " " + first + " "} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in\n%s", want, b.String())
		}
	}
	if after := plain.Account(); !strings.HasSuffix(after, "ended after 7.2 h.") {
		t.Errorf("got %s, want no clock", after)
	}
	figures, err := r.Figures()
	if err != nil || !bytes.Contains(figures[0].SVG, []byte(">22:00<")) {
		t.Errorf("got no 22:00 where the axis begins, %v", err)
	}
	summary, err := r.Summary()
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(summary, &back); err != nil || back.Clock.Text(vt.Time(vt.Hour)) != "23:00" {
		t.Errorf("got the clock %v, %v", back.Clock, err)
	}
	if summary, err = plain.Summary(); err != nil || bytes.Contains(summary, []byte(`"clock"`)) {
		t.Errorf("got a clock in the summary of a run without one, %v", err)
	}
}
