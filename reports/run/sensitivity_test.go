package run

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/reports/internal/handmade"
	"flyball/reports/sensitivity"
)

// asked is a report of a run whose numbers were halved and doubled.
func asked(t *testing.T) *Report {
	t.Helper()
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15}))
	s, err := sensitivity.Read([]byte(handmade.Sensitivity))
	if err != nil {
		t.Fatal(err)
	}
	r.Sensitivity = s
	return r
}

func TestSensitivityOnTheScreen(t *testing.T) {
	r := asked(t)
	if a := r.Answer(); a[len(a)-1] != r.Sensitivity.Answer() {
		t.Errorf("the report does not say so: %v", a)
	}
	text := screen(t, r, false)
	for _, want := range []string{
		"parameter              status      is  half   twice  at half  at twice   change\n",
		"destination[0].dot     scenario  2.9s  1.45s   5.8s        6     never        -\n",
		"governor.start         assumed     40     20     80       15         7  -41.7 %\n",
		"destination[0].cap     scenario     1      -      2        -         7  -41.7 %\n",
		"\nLuck alone: over 3 other replications it is 12 to 13; an effect counts that lies further outside of\nthis " +
			"range than it is wide.\n",
		"\n1 move it, but not clearly further than luck: network.dns.hit_ratio.\n",
		"\n1 do not move it: message.size.\n",
		"\n2 are zero, none or at a limit and were not moved: network.hop_loss, destination[0].fail.\n",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 100 {
			t.Errorf("a line of more than 100 columns: %s", line)
		}
	}
}

func TestSensitivityIsDrawnLast(t *testing.T) {
	r := asked(t)
	all := figures(t, r)
	if last := all[len(all)-1]; last.Name != "sensitivity" {
		t.Errorf("got %s", last.Name)
	}
	for _, s := range []*sensitivity.Report{sensitivity.New("dfr", 1, nil, nil),
		sensitivity.New("dfr", math.NaN(), nil, r.Sensitivity.Rows)} {
		if r.Sensitivity = s; len(figures(t, r)) != len(all)-1 {
			t.Error("a figure of nothing")
		}
	}
}

func TestHeadline(t *testing.T) {
	for want, r := range map[string]*Report{
		"settling_intervals_5pct": fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 60,
			Plant: handmade.Contended, Dfr: 1.15})),
		// runs away
		"rate_per_h": fold(handmade.Run(handmade.Course{Start: 200, D: 8, Intervals: 80,
			Plant: handmade.Peaked, Dfr: 1.15})),
		"dfr": fold(handmade.Run()),
	} {
		if got := r.Headline(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
