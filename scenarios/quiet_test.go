package scenarios

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/internal/zone"
)

// hours returns windows in hours after the start, without end where the second is 0.
func hours(of ...float64) (all []vt.Window) {
	for i := 0; i < len(of); i += 2 {
		w := vt.Window{From: vt.Time(of[i] * float64(vt.Hour)), To: vt.Time(of[i+1] * float64(vt.Hour))}
		if w.To == 0 {
			w.To = vt.Never
		}
		all = append(all, w)
	}
	return all
}

func TestPauses(t *testing.T) {
	// the clock goes from 02:00 to 03:00
	const berlin = "start_at = \"2027-03-27 22:00\"\ntime_zone = \"Europe/Berlin\"\n"
	const back = "start_at = \"2027-10-30 22:00\"\ntime_zone = \"Europe/Berlin\"\n" // and back from 03:00 to 02:00
	for _, v := range []struct {
		top, rest string
		want      []vt.Window
	}{
		{"", "", nil},
		{"horizon = \"2d\"\n", `quiet = [{ from = "21:00", to = "08:00" }]`, hours(0, 8, 21, 32, 45, 56)},
		{"horizon = \"2d\"\n", `quiet = [{ from = "12:00", to = "13:00" }, { from = "12:30", to = "14:00" }]`,
			hours(12, 14, 36, 38)},
		{"horizon = \"1d\"\n", `quiet = [{ from = "12:00", to = "14:00" }, { from = "12:30", to = "13:00" }]`,
			hours(12, 14)},
		{"horizon = \"1d\"\n" + berlin, `quiet = [{ from = "21:00", to = "06:00" }]`, hours(0, 7, 22, 31)},
		{"horizon = \"1d\"\n" + berlin, `quiet = [{ from = "02:30", to = "04:00" }]`, hours(4, 5)},
		{"horizon = \"1d\"\n" + berlin, `quiet = [{ from = "01:00", to = "02:30" }]`, hours(3, 4)},
		{"horizon = \"1d\"\n" + back, `quiet = [{ from = "02:30", to = "04:00" }]`, hours(4.5, 5, 5.5, 7)},
		{"horizon = \"1d\"\n" + back, `quiet = [{ from = "01:00", to = "02:30" }]`, hours(3, 4.5, 5, 5.5)},
		{"horizon = \"1d\"\n", `governor.change = [{ at = "2h", target = "0/h" }, { at = "5h", target = "9/h" }, { ` +
			`at = "20h", target = "0/h" }]`,
			hours(2, 5, 20, 0)},
		{"horizon = \"1d\"\n", "quiet = [{ from = \"04:00\", to = \"06:00\" }]\n" +
			`governor.change = [{ at = "2h", target = "0/h" }, { at = "5h", target = "9/h" }]`, hours(2, 6)},
	} {
		src := strings.Replace(minimal, "schema_version = 1\n", "schema_version = 1\n"+v.top+v.rest+"\n", 1)
		s, err := LoadWith("s.toml", []byte(src), nil, Outside{Zones: zone.Load})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load("s.toml", Resolved(s), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Pauses(); !slices.Equal(got, v.want) || !slices.Equal(again.Pauses(), v.want) {
			t.Errorf("%s%s: got %v, resolved %v, want %v", v.top, v.rest, got, again.Pauses(), v.want)
		}
	}
}

func TestQuietProblems(t *testing.T) {
	for text, want := range map[string]string{
		`quiet = [{ from = "21:00", to = "21:00" }]`: `s.toml:2:33: quiet[0].to: got 21:00 as from, want another ` +
			`time of day`,
		`quiet = [{ from = "21h", to = "21:00" }]`: `s.toml:2:19: quiet[0].from: "21h" is not a time of day such ` +
			`as "21:00"`,
		`quiet = [{ from = "21:00" }]`: `s.toml:2:10: quiet[0].to: missing, want a time of day such as ` +
			`"21:00"`,
		`governor.change = [{ at = "2h", target = "0/h", over = "1h" }]`: `s.toml:2:56: governor.change[0].over: got ` +
			`1h with target = 0/h, ` +
			`want none: a pause begins at once`,
	} {
		_, err := Load("s.toml", []byte(strings.Replace(minimal, "schema_version = 1\n",
			"schema_version = 1\n"+text+"\n", 1)), nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got\n%v\nwant\n%s", text, err, want)
		}
	}
}
