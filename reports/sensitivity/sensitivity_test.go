package sensitivity

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/reports/chart"
	"flyball/reports/format"
	"flyball/reports/internal/handmade"
)

func sideOf(set, number string, value float64) Side {
	return Side{Set: set, Number: number, Value: format.Num(value), Digest: "0123456789abcdef"}
}

// worked is a sensitivity around 12, given in the order of the file format. By
// luck alone it is 12 or 13, so that 11 to 14 may be luck.
func worked() *Report {
	inf := math.Inf(1)
	return New("settling_intervals_5pct", 12, []float64{13, 12, 13}, []Row{
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

// The file is handmade.Sensitivity, and is what it was after it was read.
func TestFile(t *testing.T) {
	if got := string(worked().CSV()); got != handmade.Sensitivity {
		t.Errorf("got  %s\nwant %s", got, handmade.Sensitivity)
	}
	again, err := Read([]byte(handmade.Sensitivity))
	if err != nil || string(again.CSV()) != handmade.Sensitivity {
		t.Errorf("%v: %s", err, again.CSV())
	}
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
		row := s.Rows[slices.IndexFunc(s.Rows, func(r Row) bool { return r.Key == key })]
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
	still := New("rate_per_h", 1234.5, nil, []Row{
		{Key: "message.size", Number: "45kB", Low: sideOf("a", "1", 1234.5), High: sideOf("b", "2", 1234.5)},
		{Key: "network.hop_loss", Number: "0"}})
	if got, want := still.Answer(),
		"Sensitivity: rate_per_h, 1,234, hangs on none of 1 number: halving or doubling any one of them changes "+
			"nothing."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A metric that the run lacks and a change brings about.
	gained := New("rate_per_h", math.NaN(), []float64{math.NaN()},
		[]Row{{Key: "x", Number: "1", Status: "assumed", Low: sideOf("x=0.5", "0.5", math.NaN()),
			High: sideOf("x=2", "2", 9)}})
	if got, want := gained.Answer(),
		"Sensitivity: rate_per_h, undefined, hangs most on x (1, assumed): undefined at 0.5, 9 at 2."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Luck that does as much, and luck that loses the metric too.
	lucky := New("settling_intervals_5pct", 12, []float64{9, math.Inf(1)}, s.Rows)
	if got, want := lucky.Answer(),
		"Sensitivity: settling_intervals_5pct, 12, hangs on luck: over 2 other replications it is 9 to 12, "+
			"never in 1, and none of 5 numbers takes it clearly further when it is halved or doubled."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLongSensitivityIsCut(t *testing.T) {
	many := worked()
	for range 20 {
		many.Rows = append(many.Rows[:1:1], many.Rows...)
	}
	if rest := many.Rest(12); !strings.HasPrefix(rest[1], "11 more move it less: destination[0].dot, ") {
		t.Errorf("%q", rest)
	}
	if rows := many.Table(12).Rows; len(rows) != 12 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestTornado(t *testing.T) {
	d := worked().Drawing()
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

	figures, err := chart.PaintAll([]chart.Drawing{d})
	if err != nil {
		t.Fatal(err)
	}
	text := handmade.WellFormed(t, "sensitivity", figures[0].SVG)
	for _, want := range []string{"destination[0].dot", "governor.start", "number halved", "doubled", "luck alone",
		"as it is: 12", "10", "14"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if bytes.Contains(figures[0].SVG, []byte("NaN")) || bytes.Contains(figures[0].SVG, []byte("Inf")) {
		t.Error("numbers that are none")
	}
	for _, s := range []*Report{New("dfr", 1, nil, nil), New("dfr", math.NaN(), nil, worked().Rows)} {
		if s.Drawable() {
			t.Error("a figure of nothing")
		}
	}
}
