package zone

import (
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Setenv("ZONEINFO", t.TempDir()) // no file of the machine may count
	for _, v := range []struct {
		name, utc, want string
	}{
		{"Europe/Berlin", "2027-03-28T00:59:59Z", "2027-03-28T01:59:59+01:00"},
		// Directive 2000/84/EC: last Sunday, 01:00 UTC
		{"Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-28T03:00:00+02:00"},
		{"America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00"},
		{"Asia/Kolkata", "2026-11-01T06:00:00Z", "2026-11-01T11:30:00+05:30"},
		{"UTC", "2026-11-01T06:00:00Z", "2026-11-01T06:00:00Z"},
	} {
		place, err := Load(v.name)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, v.utc)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.In(place).Format(time.RFC3339); got != v.want {
			t.Errorf("%s at %s: got %s, want %s", v.name, v.utc, got, v.want)
		}
	}
}

func TestUnknownZones(t *testing.T) {
	for name, want := range map[string]string{
		"Europe/Berlim": `got "Europe/Berlim", want an IANA time zone such as "Europe/Berlin" (did you mean ` +
			`"Europe/Berlin"?)`,
		"Europe/": `got "Europe/", want an IANA time zone such as "Europe/Berlin"`,
		"Local":   `got "Local", want an IANA time zone such as "Europe/Berlin"`,
		"":        `got "", want an IANA time zone such as "Europe/Berlin"`,
	} {
		if _, err := Load(name); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
