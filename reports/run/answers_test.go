package run

import (
	"slices"
	"strings"
	"testing"

	"flyball/internal/vt"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/mailings"
	"flyball/reports/measure"
)

const hour = 3600

func TestDeadlines(t *testing.T) {
	clock := vt.Clock{Start: 22 * hour, Offsets: []vt.Offset{{}}}
	for _, v := range []struct {
		clock       vt.Clock
		final, late uint64
		last        format.Num // hours
		want        string
	}{
		{vt.Clock{}, 10, 0, 3, "Deadline of news, 4 h after the start: met, with 60 min to spare."},
		{clock, 10, 0, 3, "Deadline of news, at 02:00 (+4.0 h): met, with 60 min to spare."},
		{vt.Clock{}, 10, 2, 6, "Deadline of news, 4 h after the start: missed by 2 recipients (20.0 %), the last of " +
			"them " +
			"final 2 h late."},
		{vt.Clock{}, 8, 2, 3, "Deadline of news, 4 h after the start: missed by 2 recipients (20.0 %), 2 of them not " +
			"final when the run ended."},
		{vt.Clock{}, 9, 2, 6, "Deadline of news, 4 h after the start: missed by 2 recipients (20.0 %), the last of " +
			"them " +
			"final 2 h late, 1 of them not final when the run ended."},
	} {
		c := Campaign{Name: "news", DeadlineSec: 4 * hour, Recipients: 10, Final: v.final, LastSec: v.last * hour,
			Values: map[string]format.Num{"late_recipients": format.Num(v.late)}}
		if got := (&Report{Clock: v.clock}).deadline(c); got != v.want {
			t.Errorf("got  %s\nwant %s", got, v.want)
		}
	}
}

func TestSharesThatAreFinal(t *testing.T) {
	all := map[string]format.Num{"t50_h": 2, "t90_h": 3, "t99_h": 4}
	half := map[string]format.Num{"t50_h": 2, "t90_h": format.Missing, "t99_h": format.Missing}
	for _, v := range []struct {
		values map[string]format.Num
		whole  bool
		want   string
	}{
		{all, true, "Of 9 recipients 50 % were final after 2 h, 90 % after 3 h, 99 % after 4 h, all after 5 h."},
		{all, false, "Of 9 recipients 50 % were final after 2 h, 90 % after 3 h, 99 % after 4 h, not all before the " +
			"end of the run."},
		{half, false, "Of 9 recipients 50 % were final after 2 h, fewer than 90 % before the end of the run."},
	} {
		if got := new(Report).final("Of 9 recipients", v.values, 5*hour, v.whole); got != v.want {
			t.Errorf("got  %s\nwant %s", got, v.want)
		}
	}
}

// Three places of a cause have their words, further ones are counted, and a runaway is
// described elsewhere.
func TestCausesOfManyPlaces(t *testing.T) {
	var r Report
	for _, words := range []string{"a", "b", "c", "d", "e"} {
		r.Findings = append(r.Findings, diagnosis.Finding{Cause: diagnosis.Greylist, Words: words})
	}
	r.Findings = append(r.Findings, diagnosis.Finding{Cause: diagnosis.Runaway, Words: "f"},
		diagnosis.Finding{Cause: diagnosis.Dead, Words: "g"})
	if got, want := r.causes(), []string{"a", "b", "c", "Greylist: the same at 2 more places.", "g"}; !slices.Equal(got,
		want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A run ends when its last recipient is suppressed, and that is later than the last one who is final.
func TestAllAreFinalBeforeTheEnd(t *testing.T) {
	values := map[string]format.Num{"t50_h": 0.1, "t90_h": 0.2, "t99_h": 0.3}
	r := &Report{All: &measure.Destination{Values: values}, EndSec: 3600, Sending: &mailings.Report{},
		Campaigns: []Campaign{{Values: values, Recipients: 9, Final: 9, LastSec: 1200, DeadlineSec: format.Missing}}}
	r.Totals.Recipients, r.Totals.Suppressed = 10, 1
	if got := strings.Join(r.Times(), " "); !strings.Contains(got, "all after 20 min") {
		t.Errorf("got %q, want all final after 20 min", got)
	}
}
