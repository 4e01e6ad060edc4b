package run

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/reports/format"
	"flyball/reports/internal/handmade"
)

func sideOf(set, number string, value float64) Side {
	return Side{Set: set, Number: number, Value: format.Num(value), Digest: "0123456789abcdef"}
}

// worked is a sensitivity around 12, given in the order of the file format. By
// luck alone it is 12 or 13, so that 11 to 14 may be luck.
func worked() *Sensitivity {
	inf := math.Inf(1)
	return NewSensitivity("settling_intervals_5pct", 12, []float64{13, 12, 13}, []Sensitive{
		{Key: "governor.start", Status: "assumed", Number: "40", Low: sideOf("governor.start=20", "20", 15),
			High: sideOf("governor.start=80", "80", 7)},
		{Key: "message.size", Status: "assumed", Number: "45kB", Low: sideOf("message.size=22500B", "22500B", 12),
			High: sideOf("message.size=90kB", "90kB", 12)},
		{Key: "network.hop_loss", Status: "assumed", Number: "0"},
		{Key: "network.dns.hit_ratio", Status: "assumed", Number: "0.9",
			Low: sideOf("network.dns.hit_ratio=0.45", "0.45", 14), High: sideOf("network.dns.hit_ratio=1", "1", 12)},
		{Key: "destination[0].dot", Of: "big", Status: "scenario", Number: "2.9s",
			Low: sideOf("destination[0].dot=1.45s", "1.45s", 6), High: sideOf("destination[0].dot=5.8s", "5.8s", inf)},
		{Key: "destination[0].cap", Of: "big", Status: "scenario", Number: "1",
			High: sideOf("destination[0].cap=2", "2", 7)},
		{Key: "destination[0].fail", Of: "big", Status: "assumed", Number: "none"},
	})
}

func TestSensitivityIsSortedByEffect(t *testing.T) {
	s := worked()
	var got []string
	for _, row := range s.Rows {
		got = append(got, row.Key)
	}
	// never; 5 and 5 in the order given; 2, which may be luck; 0; not moved at all
	want := []string{"destination[0].dot", "governor.start", "destination[0].cap", "network.dns.hit_ratio",
		"message.size", "network.hop_loss", "destination[0].fail"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for key, want := range map[string]float64{"destination[0].dot": -0.5, "governor.start": -5.0 / 12,
		"network.dns.hit_ratio": 2.0 / 12, "message.size": 0} {
		row := s.Rows[slices.IndexFunc(s.Rows, func(r Sensitive) bool { return r.Key == key })]
		if got := float64(s.change(row)); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s changes by %g, want %g", key, got, want)
		}
	}
}

func TestSensitivityInOneSentence(t *testing.T) {
	s := worked()
	if got, want := s.Answer(), "Sensitivity: settling_intervals_5pct, 12, hangs most on destination[0].dot of big "+
		"(2.9s, the author's): 6 at 1.45s, never at 5.8s; "+
		"then on governor.start (40, assumed) and destination[0].cap of big (1, the author's)."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	still := NewSensitivity("rate_per_h", 1234.5, nil, []Sensitive{
		{Key: "message.size", Number: "45kB", Low: sideOf("a", "1", 1234.5), High: sideOf("b", "2", 1234.5)},
		{Key: "network.hop_loss", Number: "0"}})
	if got, want := still.Answer(),
		"Sensitivity: rate_per_h, 1,234, hangs on none of 1 number: halving or doubling any one of them changes "+
			"nothing."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A metric that the run lacks and a change brings about.
	gained := NewSensitivity("rate_per_h", math.NaN(), []float64{math.NaN()},
		[]Sensitive{{Key: "x", Number: "1", Status: "assumed", Low: sideOf("x=0.5", "0.5", math.NaN()),
			High: sideOf("x=2", "2", 9)}})
	if got, want := gained.Answer(),
		"Sensitivity: rate_per_h, undefined, hangs most on x (1, assumed): undefined at 0.5, 9 at 2."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Luck that does as much, and luck that loses the metric too.
	lucky := NewSensitivity("settling_intervals_5pct", 12, []float64{9, math.Inf(1)}, s.Rows)
	if got, want := lucky.Answer(),
		"Sensitivity: settling_intervals_5pct, 12, hangs on luck: over 2 other replications it is 9 to 12, "+
			"never in 1, and none of 5 numbers takes it clearly further when it is halved or doubled."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15}))
	r.Sensitivity = s
	if a := r.Answer(); a[len(a)-1] != s.Answer() {
		t.Errorf("the report does not say so: %v", a)
	}
}

func TestSensitivityOnTheScreen(t *testing.T) {
	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15}))
	r.Sensitivity = worked()
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
	many := worked()
	for range 20 {
		many.Rows = append(many.Rows[:1:1], many.Rows...)
	}
	if rest := many.rest(12); !strings.HasPrefix(rest[1], "11 more move it less: destination[0].dot, ") {
		t.Errorf("%q", rest)
	}
	if rows := many.table(12).Rows; len(rows) != 12 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestTornado(t *testing.T) {
	d := worked().drawing()
	p := d.Panels[0]
	// Three numbers move it, one of them to one side only. What never comes runs
	// to the edge, beyond all others; half stands above twice, luck behind them.
	if len(p.Areas) != 6 || len(p.Rows) != 3 || !p.Areas[0].Faint || p.Areas[0].Points[0].X != 12 ||
		p.Areas[0].Points[1].X != 13 || strings.TrimSpace(p.Rows[0].Label) != "destination[0].dot" {
		t.Fatalf("%d bars, rows %v", len(p.Areas), p.Rows)
	}
	half, twice := p.Areas[1].Points, p.Areas[2].Points
	if half[0].X != 12 || half[1].X != 6 || twice[0].X != 12 || !(twice[1].X > 15) || half[0].Y != twice[2].Y ||
		p.Areas[1].Color == p.Areas[2].Color {
		t.Errorf("half %v\ntwice %v", half, twice)
	}
	if !(p.Rows[0].Value > p.Rows[1].Value) || p.Lines[0].Points[0].X != 12 ||
		!strings.Contains(p.X, "right edge: never") {
		t.Errorf("%+v", p)
	}
	if want := "parameter,at_half,base,at_twice\ndestination[0].dot,6,12,\ngovernor.start,15,12,7\n" +
		"destination[0].cap,,12,7\n"; string(d.CSV) != want {
		t.Errorf("%s", d.CSV)
	}

	r := fold(handmade.Run(handmade.Course{Start: 40, D: 3, Intervals: 20, Plant: handmade.Contended, Dfr: 1.15}))
	r.Sensitivity = worked()
	all := figures(t, r)
	last := all[len(all)-1]
	text := handmade.WellFormed(t, last.Name, last.SVG)
	for _, want := range []string{"destination[0].dot", "governor.start", "number halved", "doubled", "luck alone",
		"as it is: 12", "10", "14"} {
		if last.Name != "sensitivity" || !strings.Contains(text, want) {
			t.Errorf("%s: no %q in %s", last.Name, want, text)
		}
	}
	if bytes.Contains(last.SVG, []byte("NaN")) || bytes.Contains(last.SVG, []byte("Inf")) {
		t.Error("numbers that are none")
	}
	// Nothing to draw: no figure.
	for _, s := range []*Sensitivity{NewSensitivity("dfr", 1, nil, nil),
		NewSensitivity("dfr", math.NaN(), nil, worked().Rows)} {
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
