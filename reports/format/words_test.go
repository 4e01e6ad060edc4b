package format

import (
	"strings"
	"testing"
)

func TestNumbersInWords(t *testing.T) {
	for _, v := range []struct{ got, want string }{
		{Grouped(0, 0), "0"}, {Grouped(999, 0), "999"}, {Grouped(1000, 0), "1,000"}, {Grouped(139700.46, 1), "139,700.5"},
		{Grouped(-1234567.8, 0), "-1,234,568"}, {Grouped(-0.04, 1), "0.0"}, {Grouped(999.96, 1), "1,000.0"},
		{Grouped(float64(Missing), 1), "-"},
		{Duration(0), "0 s"}, {Duration(0.85), "850 ms"}, {Duration(0.0000042), "4.2 us"}, {Duration(12.5), "12.5 s"}, {Duration(90), "90 s"},
		{Duration(42 * 60), "42 min"}, {Duration(36 * 3600), "36 h"}, {Duration(42.27 * 3600), "42.3 h"}, {Duration(4.125 * 86400), "4.1 days"},
		{Duration(365 * 86400), "365 days"},
		{Plural(1, "interval"), "1 interval"}, {Plural(1200, "interval"), "1,200 intervals"},
		{Exact(5), "5"}, {Exact(1.15), "1.1500"}, {Exact(140000), "140,000"}, {Exact(0.00012), "0.00012"},
		{strings.Join(Wrap("rate fell 20 % now", 12), "|"), "rate fell|20 % now"},
	} {
		if v.got != v.want {
			t.Errorf("got %q, want %q", v.got, v.want)
		}
	}
}
