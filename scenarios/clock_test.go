package scenarios

import (
	"bytes"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/internal/zone"
)

// night is a mailing at night, with every kind of moment as a clock time.
const night = `schema_version = 1
name = "night"
start_at = "2027-03-27 22:00" # the clock goes forward at 02:00
time_zone = "Europe/Berlin"
[governor]
[[governor.change]]
at = "23:30"
target = "1/h"
[network]
down = [{ from = "+1d 06:00", for = "5m" }]
drift = [{ at = "2027-03-28 01:59:30", hops = 1 }]
dns.drift = [{ at = "03:00", factor = 2 }]
[[server]]
down = [{ from = "22:00", for = "5m" }]
[[destination]]
name = "a"
domain = "a.example"
down = [{ from = "8h", for = "5m" }]
drift = [{ at = "2027-03-28T21:00", factor = 2 }]
daily = { amplitude = 0.5 }
[[campaign]]
name = "c"
recipients = 100
start = "+0d 23:00"
deadline = "06:00"
`

func loadNight(t *testing.T, set ...string) *Scenario {
	t.Helper()
	s, err := LoadWith("night.toml", []byte(night), set, Outside{Zones: zone.Load})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMomentsAreTimesAfterTheStart(t *testing.T) {
	s := loadNight(t)
	for _, v := range []struct {
		key  string
		got  vt.Span
		want string
	}{
		{"governor.change.at", s.Governor.Changes[0].At, "1h30m"},
		{"network.down.from", s.Network.Down[0].From, "7h"},
		{"network.drift.at", s.Network.Drift[0].At, "3h59m30s"},
		{"network.dns.drift.at", s.Network.DNS.Drift[0].At, "4h"},
		{"server.down.from", s.Servers[0].Down[0].From, "0s"},
		{"destination.down.from", s.Destinations[0].Down[0].From, "8h"},
		{"destination.drift.at", s.Destinations[0].Drift[0].At, "22h"},
		{"campaign.start", s.Campaigns[0].Start, "1h"},
		{"campaign.deadline", s.Campaigns[0].Deadline, "7h"},
	} {
		if want, _ := vt.ParseSpan(v.want); v.got != want {
			t.Errorf("%s: got %s, want %s", v.key, v.got, want)
		}
	}
	if s := loadNight(t, "campaign[c].start=06:00", "campaign[c].deadline=07:00"); s.Campaigns[0].Start != 7*vt.Hour {
		t.Errorf("campaign.start: got %s, want 7h", s.Campaigns[0].Start)
	}
	for _, date := range []string{"2026-11-30 22:00:00", "2026-11-30T22:00:00"} { // a date of TOML itself
		src := strings.Replace(night, `"2027-03-27 22:00"`, date, 1)
		src = strings.NewReplacer(`"2027-03-28 01:59:30"`, `"1h"`, `"2027-03-28T21:00"`, `"1h"`, `"+0d 23:00"`,
			"23:00:00").Replace(src)
		if s, err := LoadWith("night.toml", []byte(src), nil, Outside{Zones: zone.Load}); err != nil ||
			s.Campaigns[0].Start != vt.Hour {
			t.Errorf("%s: got %v, want a start after 1h", date, err)
		}
	}
}

// A resolved scenario means the same where there are no zone data, or other ones.
func TestResolvedScenarioNeedsNoZones(t *testing.T) {
	s := loadNight(t)
	text := Resolved(s)
	for _, line := range []string{"start_at = \"2027-03-27 22:00\"\n", "time_zone = \"Europe/Berlin\"\n",
		"utc_offsets = [\"0s +01:00\", \"4h +02:00\", \"5212h +01:00\", \"8740h +02:00\"]\n", "start = \"1h\"\n"} {
		if !bytes.Contains(text, []byte(line)) {
			t.Errorf("got no line %q in\n%s", line, text)
		}
	}
	again, err := Load("night", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Resolved(again), text) {
		t.Errorf("got\n%s\nwant\n%s", Resolved(again), text)
	}
	if later, err := s.With("campaign[0].start=06:00", "campaign[0].deadline=07:00", "horizon=10d"); err != nil ||
		later.Campaigns[0].Start != 7*vt.Hour {
		t.Errorf("got %v, %v, want a start after 7h", later, err)
	}
}

func TestClockProblems(t *testing.T) {
	for _, v := range []struct{ old, new, want string }{
		{`start_at = "2027-03-27 22:00"`, ``,
			`night.toml:4:13: time_zone: got "Europe/Berlin" without start_at, want none`},
		{`time_zone = "Europe/Berlin"`, `time_zone = "Berlin"`,
			`night.toml:4:13: time_zone: got "Berlin", want an IANA time zone such as "Europe/Berlin"`},
		{`2027-03-27 22:00"`, `2027-03-28 02:30"`,
			`night.toml:3:12: start_at: "2027-03-28 02:30" does not exist in Europe/Berlin: the clock jumps over it`},
		{`2027-03-27 22:00"`, `27.3.2027"`,
			`night.toml:3:12: start_at: "27.3.2027" is not a date with a time such as "2026-11-30 22:00"`},
		{`2027-03-27 22:00"`, `1999-03-27 22:00"`,
			`start_at: got 1999-03-27 22:00, want 2000-01-01 00:00 to 2199-12-31 23:59`},
		{`"23:30"`, `"02:30"`, `night.toml:7:6: governor.change[0].at: "02:30" does not exist on 2027-03-28: the ` +
			`clock goes from ` +
			`02:00 to 03:00; want another time, or "4h" for that moment`},
		{`"23:30"`, `"6:00"`, `night.toml:7:6: governor.change[0].at: "6:00" is not a clock time such as "06:00", ` +
			`"2026-12-01 06:00" or "+1d 06:00"`},
		{`"23:30"`, `"tonight"`, `night.toml:7:6: governor.change[0].at: "tonight" is not a time such as "90s", "3h" ` +
			`or "30d"`},
		{`"23:30"`, `true`, `night.toml:7:6: governor.change[0].at: got true, want a time such as "90s", "3h" or ` +
			`"30d", or a clock ` +
			`time such as "06:00", "2026-12-01 06:00" or "+1d 06:00"`},
		{`"+0d 23:00"`, `"+6d 23:00"`, `night.toml:24:9: campaign[0].start: got 6d, want less than horizon = 5d`},
		{`deadline = "`, `deadline = "22:00" #`,
			`.deadline: got "22:00", which is the start, want a later time such as "8h" or "+1d 06:00"`},
		{"name = \"night\"", "name = \"night\"\nutc_offsets = [\"1h +01:00\"]",
			`night.toml:3:15: utc_offsets: got "1h +01:00" first, want the offset at the start, "0s +01:00"`},
	} {
		src := strings.Replace(night, v.old, v.new, 1)
		if src == night {
			t.Fatalf("no %s in the scenario", v.old)
		}
		_, err := LoadWith("night.toml", []byte(src), nil, Outside{Zones: zone.Load})
		if err == nil || !strings.Contains(err.Error(), v.want) || strings.Contains(err.Error(), "got 0s") {
			t.Errorf("%s: got\n%v\nwant\n%s", v.new, err, v.want)
		}
	}
	for _, v := range []struct {
		load func() error
		want string
	}{
		{func() error {
			_, err := Load("s.toml", []byte(minimal+"start = \"06:00\"\n"), nil)
			return err
		}, `s.toml:9:9: campaign[0].start: got the clock time "06:00" without start_at, want a time after the start ` +
			`such as "8h", ` +
			`or a start such as start_at = "2026-11-30 22:00"`},
		{func() error {
			_, err := LoadParameters("p", []byte("[governor]\nchange = [{ at = \"06:00\", target = \"1/h\" }]\n"))
			return err
		}, `p:2:18: governor.change[0].at: got the clock time "06:00" without start_at, want a time after the start ` +
			`such as "8h", ` +
			`or a start such as start_at = "2026-11-30 22:00"`},
	} {
		if err := v.load(); err == nil || err.Error() != v.want {
			t.Errorf("got %v, want %s", err, v.want)
		}
	}
	law, err := LoadGovernor("night.toml", []byte(night), nil, zone.Load)
	if err != nil || law.Changes[0].At != 90*vt.Minute {
		t.Errorf("got %v, %v, want a change after 1h30m", law.Changes, err)
	}
}
