package vt_test

import (
	"math/rand/v2"
	"testing"

	"flyball/internal/vt"
)

func TestParseSpan(t *testing.T) {
	for _, v := range []struct {
		text string
		want vt.Span
	}{
		{"0s", 0}, {"1ns", 1}, {"250us", 250_000}, {"250µs", 250_000}, {"80ms", 80_000_000}, {"90s", 90_000_000_000},
		{"1.5s", 1_500_000_000},
		{"3h", 3 * 3600 * 1_000_000_000}, {"1h30m", 5400 * 1_000_000_000}, {"30d", 30 * 24 * 3600 * 1_000_000_000},
		{"1.5d", 36 * 3600 * 1_000_000_000}, {"1d12h", 36 * 3600 * 1_000_000_000}, {" 5m ", 300 * 1_000_000_000},
		{"0d", 0},
		{"36500d", 36500 * vt.Day},
	} {
		if got, err := vt.ParseSpan(v.text); err != nil || got != v.want {
			t.Errorf("ParseSpan(%q) = %d, %v, want %d", v.text, got, err, v.want)
		}
	}
}

func TestParseSpanRefuses(t *testing.T) {
	const noUnit, noTime = ` has no unit, want a time such as "90s", "3h" or "30d"`,
		` is not a time such as "90s", "3h" or "30d"`
	for text, want := range map[string]string{
		"90": `"90"` + noUnit, "0": `"0"` + noUnit, "1.5": `"1.5"` + noUnit, "1e3": `"1e3"` + noUnit,
		"-3": `"-3"` + noUnit, "NaN": `"NaN"` + noUnit, "Inf": `"Inf"` + noUnit,
		"": `""` + noTime, "h": `"h"` + noTime, "d": `"d"` + noTime, "3 h": `"3 h"` + noTime,
		"3hours": `"3hours"` + noTime, "3H": `"3H"` + noTime, "soon": `"soon"` + noTime,
		"-1d": `"-1d"` + noTime, "1d2": `"1d2"` + noTime, "1dd": `"1dd"` + noTime, "NaNd": `"NaNd"` + noTime,
		"Infd": `"Infd"` + noTime, "36501d": `"36501d"` + noTime,
		"-3h": `"-3h" is negative, want a time of 0 or more`, "1d-2h": `"1d-2h" is negative, want a time of 0 or more`,
		"36500d2500000h": `"36500d2500000h" is too long, want at most 36500d`, "9999999h": `"9999999h"` + noTime,
	} {
		if got, err := vt.ParseSpan(text); err == nil || err.Error() != want || got != 0 {
			t.Errorf("ParseSpan(%q) = %s, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestSpanString(t *testing.T) {
	for want, d := range map[string]vt.Span{
		"0s": 0, "1ns": 1, "250ms": 250 * vt.Millisecond, "1.5s": 1500 * vt.Millisecond, "10s": 10 * vt.Second,
		"1m": vt.Minute, "10m": 10 * vt.Minute,
		"1h": vt.Hour, "1h30m": 90 * vt.Minute, "1h0m1s": vt.Hour + vt.Second, "10h": 10 * vt.Hour, "1d": vt.Day,
		"36h": 36 * vt.Hour, "30d": 30 * vt.Day,
		"1m40s": 100 * vt.Second, "1h10m": 70 * vt.Minute,
	} {
		if got := d.String(); got != want {
			t.Errorf("%d prints as %q, want %q", int64(d), got, want)
		}
	}
	if got := vt.Never.String(); got != "never" {
		t.Errorf("Never prints as %q", got)
	}
	if got := vt.Time(90 * vt.Second).String(); got != "1m30s" {
		t.Errorf("an instant prints as %q", got)
	}
}

// What is printed is read back.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	units := []vt.Span{1, vt.Microsecond, vt.Millisecond, vt.Second, vt.Minute, vt.Hour, vt.Day}
	for range 20000 {
		d := vt.Span(r.Int64N(1000)) * units[r.IntN(len(units))]
		if r.IntN(2) == 0 {
			d += vt.Span(r.Int64N(1000)) * units[r.IntN(len(units))]
		}
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := vt.Span(-1)
		if err := got.UnmarshalText(text); err != nil || got != d {
			t.Fatalf("%d prints as %q and is read as %d, %v", int64(d), text, int64(got), err)
		}
	}
}

func TestUnmarshalKeepsTheOldValueOnError(t *testing.T) {
	d := vt.Minute
	if err := d.UnmarshalText([]byte("90")); err == nil || d != vt.Minute {
		t.Errorf("%s, %v", d, err)
	}
}

func TestTimeArithmetic(t *testing.T) {
	at := vt.Time(0).Add(90 * vt.Second)
	if at != 90_000_000_000 || at.Sub(vt.Time(30*vt.Second)) != vt.Minute || at.Seconds() != 90 {
		t.Errorf("%d", at)
	}
	if vt.Never.Add(vt.Hour) != vt.Never {
		t.Error("Never moves")
	}
	if h := (90 * vt.Minute).Hours(); h != 1.5 {
		t.Errorf("90m is %g hours", h)
	}
}
