package format

import (
	"strings"
	"testing"

	"flyball/internal/vt"
)

func TestNumbersInWords(t *testing.T) {
	for _, v := range []struct{ got, want string }{
		{Grouped(0, 0), "0"}, {Grouped(999, 0), "999"}, {Grouped(1000, 0), "1,000"},
		{Grouped(139700.46, 1), "139,700.5"},
		{Grouped(-1234567.8, 0), "-1,234,568"}, {Grouped(-0.04, 1), "0.0"}, {Grouped(999.96, 1), "1,000.0"},
		{Grouped(float64(Missing), 1), "-"},
		{Duration(0), "0 s"}, {Duration(0.85), "850 ms"}, {Duration(0.0000042), "4.2 us"}, {Duration(12.5), "12.5 s"},
		{Duration(90), "90 s"},
		{Duration(42 * 60), "42 min"}, {Duration(36 * 3600), "36 h"}, {Duration(42.27 * 3600), "42.3 h"},
		{Duration(4.125 * 86400), "4.1 days"},
		{Duration(365 * 86400), "365 days"},
		{Plural(1, "interval"), "1 interval"}, {Plural(1200, "interval"), "1,200 intervals"},
		{Figure(5), "5"}, {Figure(1.15), "1.150"}, {Figure(140000), "140,000"}, {Figure(0.00012), "0.00012"},
		{Figure(14166.6667), "14,167"}, {Figure(141.66667), "141.7"}, {Figure(-1.41666), "-1.417"},
		{Figure(0.98996), "0.9900"}, {Figure(0.0123456), "0.01235"},
		{Given(0.99), "0.99"}, {Given(1234.5), "1,234.5"}, {Given(-3), "-3"}, {Given(1e-15), "1e-15"},
		{Beside(0.98996, 0.99), "0.98996"}, {Beside(0.99, 0.99), "0.9900"}, {Beside(0.5, 0.99), "0.5000"},
		{Beside(14166.6667, 14166.6666), "14,166.6667"},
		{Beside(0.9899999999, 0.99), "0.9899999999"}, {Beside(14166.6667, 14167), "14,166.7"}, {Beside(3, 2), "3"},
		{Listed([]string{"b1"}), "b1"}, {Listed([]string{"b1", "b2"}), "b1 and b2"},
		{Listed(make([]string, 9)), ", ,  and 6 more"},
		{strings.Join(Wrap("rate fell 20 % now", 12), "|"), "rate fell|20 % now"},
	} {
		if v.got != v.want {
			t.Errorf("got %q, want %q", v.got, v.want)
		}
	}
}

// Times of a run are shown in the unit of which it has more than a few.
func TestTimeUnit(t *testing.T) {
	for end, want := range map[float64]string{0: "s", 179: "s", 180: "min", 3*3600 - 1: "min", 3 * 3600: "h",
		10*86400 - 1: "h", 10 * 86400: "days"} {
		name, seconds := TimeUnit(end)
		if name != want || seconds != map[string]float64{"s": 1, "min": 60, "h": 3600, "days": 86400}[want] {
			t.Errorf("%v s: in %s of %v s, want %s", end, name, seconds, want)
		}
	}
	if got := Percent(float64(Missing)) + Percent(0.0125) + Percent(-1); got != "-1.2 %-100.0 %" {
		t.Errorf("got %q", got)
	}
}

func TestMoment(t *testing.T) {
	start, err := vt.ParseCivil("2026-11-30 22:00")
	if err != nil {
		t.Fatal(err)
	}
	clock := vt.Clock{Start: start, Offsets: []vt.Offset{{Ahead: vt.Hour}, {From: 30 * vt.Hour, Ahead: 2 * vt.Hour}}}
	for _, v := range []struct {
		clock vt.Clock
		hours Num
		want  string
	}{
		{vt.Clock{}, 7.2, "7.2 h"},
		{clock, 7.2, "05:12 (+7.2 h)"},
		{clock, 0, "22:00 (+0.0 h)"},
		{clock, 29.5, "2 Dec 03:30 (+29.5 h)"},
		{clock, 31, "2 Dec 06:00 (+31.0 h)"}, // an hour on at 04:00
		{clock, Missing, "-"},
	} {
		if got := Moment(v.clock, v.hours); got != v.want {
			t.Errorf("got %q, want %q", got, v.want)
		}
	}
}
