package unit_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"flyball/internal/unit"
)

func TestParsePerHour(t *testing.T) {
	for _, v := range []struct {
		text string
		want float64
	}{
		{"140000/h", 140000}, {"140000/hour", 140000}, {"24/day", 1}, {"24/d", 1}, {"40/s", 144000}, {"2/min", 120},
		{"2/m", 120},
		{"1.5/h", 1.5}, {"1e6/h", 1e6}, {"0/h", 0}, {" 24 / day ", 1},
	} {
		if got, err := unit.ParsePerHour(v.text); err != nil || math.Abs(float64(got)-v.want) > 1e-12*v.want {
			t.Errorf("ParsePerHour(%q) = %v, %v, want %g/h", v.text, got, err, v.want)
		}
	}
}

func TestParsePerHourRefuses(t *testing.T) {
	const noRate = ` is not a rate such as "140000/h" or "24/day"`
	for text, want := range map[string]string{
		"140000": `"140000" has no unit, want a rate such as "140000/h" or "24/day"`,
		"":       `""` + noRate, "/h": `"/h"` + noRate, "fast/h": `"fast/h"` + noRate, "NaN/h": `"NaN/h"` + noRate,
		"Inf/h": `"Inf/h"` + noRate, "many": `"many"` + noRate,
		"-1/h":   `"-1/h" is negative, want a rate of 0 or more`,
		"1/":     `"1/" has an unknown unit, want one of /s, /min, /h, /day`,
		"1/week": `"1/week" has an unknown unit, want one of /s, /min, /h, /day`,
		"1/h/h":  `"1/h/h" has an unknown unit, want one of /s, /min, /h, /day`,
	} {
		if got, err := unit.ParsePerHour(text); err == nil || err.Error() != want || got != 0 {
			t.Errorf("ParsePerHour(%q) = %v, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestPerHourRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		rate := unit.PerHour(math.Exp(40*r.Float64() - 20))
		text, err := rate.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got unit.PerHour
		if err := got.UnmarshalText(text); err != nil || got != rate {
			t.Fatalf("%v prints as %q and is read as %v, %v", float64(rate), text, float64(got), err)
		}
	}
	if got := unit.PerHour(140000).String(); got != "140000/h" {
		t.Errorf("prints as %q", got)
	}
	rate := unit.PerHour(7)
	if err := rate.UnmarshalText([]byte("7")); err == nil || rate != 7 {
		t.Errorf("after an error: %v, %v", rate, err)
	}
}

func TestParseBytes(t *testing.T) {
	for _, v := range []struct {
		text string
		want unit.Bytes
	}{
		{"900B", 900}, {"32KiB", 32768}, {"1MiB", 1 << 20}, {"1GiB", 1 << 30}, {"2kB", 2000}, {"1MB", 1_000_000},
		{"1GB", 1_000_000_000},
		{"1.5KiB", 1536}, {" 3 MiB ", 3 << 20}, {"0B", 0},
	} {
		if got, err := unit.ParseBytes(v.text); err != nil || got != v.want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", v.text, got, err, v.want)
		}
	}
}

func TestParseBytesRefuses(t *testing.T) {
	const noSize = ` is not a size such as "32KiB" or "900B"`
	for text, want := range map[string]string{
		"900": `"900" has no unit, want a size such as "32KiB" or "900B"`,
		"":    `""` + noSize, "KiB": `"KiB"` + noSize, "big": `"big"` + noSize, "1K": `"1K"` + noSize,
		"1kib": `"1kib"` + noSize, "1TB": `"1TB"` + noSize,
		"NaNB": `"NaNB"` + noSize, "InfB": `"InfB"` + noSize, "9999999GiB": `"9999999GiB"` + noSize,
	} {
		if got, err := unit.ParseBytes(text); err == nil || err.Error() != want || got != 0 {
			t.Errorf("ParseBytes(%q) = %v, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	for want, b := range map[string]unit.Bytes{
		"0B": 0, "1B": 1, "900B": 900, "1kB": 1000, "1KiB": 1024, "32KiB": 32 << 10, "1536B": 1536, "1MB": 1e6,
		"5GiB": 5 << 30, "3GB": 3e9,
	} {
		text, err := b.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("%d prints as %q, %v, want %q", int64(b), text, err, want)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		b := unit.Bytes(r.Int64N(1 << uint(1+r.IntN(49))))
		var got unit.Bytes
		if err := got.UnmarshalText([]byte(b.String())); err != nil || got != b {
			t.Fatalf("%d prints as %q and is read as %d, %v", int64(b), b, int64(got), err)
		}
	}
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]float64{"5%": 0.05, " 5 % ": 0.05, "0.05": 0.05, "120%": 1.2, "-1%": -0.01} {
		if v, err := unit.ParseShare(text); err != nil || math.Abs(v-want) > 1e-15 {
			t.Errorf("%q: got %g, %v, want %g", text, v, err, want)
		}
	}
	for _, text := range []string{"", "%", "5%%", "few", "NaN", "inf", "1e999"} {
		if v, err := unit.ParseShare(text); err == nil {
			t.Errorf("%q: got %g, want an error", text, v)
		}
	}
}
