package vt

import (
	"strings"
	"testing"
	"time"
)

// berlin is the zone with the rule of Directive 2000/84/EC, made by hand: no zone data
// are read here.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	const rule = "CET-1CEST,M3.5.0,M10.5.0/3"
	header := "TZif2" + strings.Repeat("\x00", 15)
	one := "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01" +
		"\x00\x00\x00\x04"
	body := "\x00\x00\x0e\x10\x00\x00CET\x00"
	place, err := time.LoadLocationFromTZData("Europe/Berlin", []byte(header+one+body+header+one+body+"\n"+rule+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return place
}

func clockAt(t *testing.T, start string) Clock {
	t.Helper()
	at, err := ParseCivil(start)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClock(at, berlin(t), 400*Day)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClockTimes(t *testing.T) {
	for _, v := range []struct{ start, text, want string }{
		{"2026-11-30 22:00", "22:00", "0s"},
		{"2026-11-30 22:00", "06:00", "8h"},
		{"2026-11-30 22:00", "21:59:30", "23h59m30s"},
		{"2026-11-30 22:00", "2026-12-01 06:00", "8h"},
		{"2026-11-30 22:00", "2026-12-01T06:00", "8h"},
		{"2026-11-30 22:00", "+1d 06:00", "8h"},
		{"2026-11-30 22:00", "+0d 23:30", "1h30m"},
		{"2026-11-30 22:00", "+2d 06:00", "32h"},
		// 28 March 2027: 02:00 to 03:00 do not exist. 31 October 2027: they are twice.
		{"2027-03-27 22:00", "06:00", "7h"},
		{"2027-03-27 22:00", "03:00", "4h"},
		{"2027-10-30 22:00", "06:00", "9h"},
		{"2027-10-30 22:00", "03:00", "6h"},
		{"2027-10-30 22:00", "01:59", "3h59m"},
		{"2026-12-01 00:00", "2027-07-01 00:00", "211d23h"},
	} {
		got, err := clockAt(t, v.start).Find(v.text)
		if want, _ := ParseSpan(v.want); err != nil || got != want {
			t.Errorf("%s after %s: got %s, %v, want %s", v.text, v.start, got, err, v.want)
		}
	}
}

func TestClockTimesThatAreRefused(t *testing.T) {
	for _, v := range []struct{ start, text, want string }{
		{"2027-03-27 22:00", "02:30", `"02:30" does not exist on 2027-03-28: the clock goes from 02:00 to 03:00; ` +
			`want another time, or "4h" for that moment`},
		{"2027-03-27 22:00", "2027-03-28 02:00", `"2027-03-28 02:00" does not exist on 2027-03-28: the clock goes ` +
			`from 02:00 to 03:00; want another time, or "4h" for that moment`},
		{"2027-10-30 22:00", "02:30", `"02:30" is twice on 2027-10-31, as the clock goes back: ` +
			`want "4h30m" or "5h30m"`},
		{"2026-11-30 22:00", "+0d 06:00", `"+0d 06:00" is before the start, 2026-11-30 22:00`},
		{"2026-11-30 22:00", "2026-11-30 06:00", `"2026-11-30 06:00" is before the start, 2026-11-30 22:00`},
		{"2026-11-30 22:00", "6:00", `"6:00" is not a clock time such as "06:00", "2026-12-01 06:00" or "+1d 06:00"`},
		{"2026-11-30 22:00", "24:00", `"24:00" is not a clock time such as "06:00", "2026-12-01 06:00" or "+1d 06:00"`},
		{"2026-11-30 22:00", "+xd 06:00",
			`"+xd 06:00" is not a clock time such as "06:00", "2026-12-01 06:00" or "+1d 06:00"`},
	} {
		got, err := clockAt(t, v.start).Find(v.text)
		if err == nil || err.Error() != v.want {
			t.Errorf("%s after %s: got %s, %v, want %s", v.text, v.start, got, err, v.want)
		}
	}
}

// Seconds count from 1970-01-01 00:00, which would be a date that is not given.
func TestTheFirstMomentIsRefused(t *testing.T) {
	for text, refused := range map[string]bool{"1970-01-01 00:00": true, " 1970-01-01T00:00:00": true,
		"1970-01-01 00:00:01": false, "1969-12-31 23:59": false} {
		var at Civil
		if err := at.UnmarshalText([]byte(text)); (err != nil) != refused {
			t.Errorf("%s: got %v, want an error: %v", text, err, refused)
		}
	}
	var day TimeOfDay
	if err := day.UnmarshalText([]byte("00:00")); err != nil {
		t.Errorf("midnight: got %v", err)
	}
}

// TestClockFindsWhatItShows compares Find and At with the calendar of package time, at
// every quarter of an hour of a year with both changes.
func TestClockFindsWhatItShows(t *testing.T) {
	place := berlin(t)
	c := clockAt(t, "2026-11-30 22:00")
	begin := time.Date(2026, 11, 30, 22, 0, 0, 0, place)
	twice := 0
	for d := Span(0); d < 370*Day; d += 15 * Minute {
		at := begin.Add(time.Duration(d))
		want := at.Format(toMinute)
		if got := c.At(Time(d)).String(); got != want {
			t.Fatalf("after %s: got %s, want %s", d, got, want)
		}
		if found, err := c.Find(want); err == nil && found != d {
			t.Fatalf("%s: got %s, want %s", want, found, d)
		} else if err != nil {
			twice++
		}
	}
	if twice != 8 { // four quarters of the hour that is there twice, each time
		t.Errorf("got %d clock times that were not found, want 8", twice)
	}
}

func TestStartsThatAreRefused(t *testing.T) {
	for start, want := range map[string]string{
		"2027-03-28 02:00": `"2027-03-28 02:00" does not exist in Europe/Berlin: the clock jumps over it`,
		"2027-03-28 02:59": `"2027-03-28 02:59" does not exist in Europe/Berlin: the clock jumps over it`,
		"2027-10-31 02:00": `"2027-10-31 02:00" is twice in Europe/Berlin, as the clock goes back, want a time ` +
			`before or after`,
		"2027-10-31 02:59": `"2027-10-31 02:59" is twice in Europe/Berlin, as the clock goes back, want a time ` +
			`before or after`,
		"2027-03-28 03:00": "",
		"2027-03-28 01:59": "",
		"2027-10-31 03:00": "",
		"2027-10-31 01:59": "",
	} {
		at, err := ParseCivil(start)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewClock(at, berlin(t), Day)
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestOffsets(t *testing.T) {
	c := clockAt(t, "2026-11-30 22:00")
	var all []string
	for _, o := range c.Offsets {
		all = append(all, o.String())
		var back Offset
		if err := back.UnmarshalText([]byte(o.String())); err != nil || back != o {
			t.Errorf("got %v, %v, want %v", back, err, o)
		}
	}
	if got, want := strings.Join(all, ", "), "0s +01:00, 2812h +02:00, 8020h +01:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for start, want := range map[string]int{"2026-11-30 22:00": 21, "2028-12-31 12:00": 21} { // two a year
		at, _ := ParseCivil(start)
		if c, err := NewClock(at, berlin(t), 3650*Day); err != nil || len(c.Offsets) != want {
			t.Errorf("%s: got %v, %v, want %d offsets", start, c.Offsets, err, want)
		}
	}
	for _, text := range []string{"", "0s", "0s 01:00", "0s +1:00", "0s +01:60", "x +01:00", "0s +19:00"} {
		if err := new(Offset).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("got no error, want one for %q", text)
		}
	}
	for text, wrong := range map[string]Clock{
		`got "1h +01:00" first, want the offset at the start, "0s +01:00"`: {Offsets: []Offset{{Hour, Hour}}},
		`got "0s +02:00" after "0s +01:00", want a later time`: {Offsets: []Offset{{0, Hour},
			{0, 2 * Hour}}},
	} {
		if err := wrong.Validate(); err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}

func TestClockText(t *testing.T) {
	c := clockAt(t, "2026-11-30 22:00")
	for hours, want := range map[float64]string{0: "22:00", 7.2: "05:12", 7.212: "05:13", 23.99: "21:59",
		23.995: "1 Dec 22:00", 24: "1 Dec 22:00", 31.2: "2 Dec 05:12"} {
		if got := c.Text(Time(hours * float64(Hour))); got != want {
			t.Errorf("after %g h: got %s, want %s", hours, got, want)
		}
	}
}
