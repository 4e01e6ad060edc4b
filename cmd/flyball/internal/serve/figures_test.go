package serve

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/metrics"
)

// showsFigures wants the numbers of a process to be those that the receiver, the D server's answer and the returned
// message of TestStorageServer have: two mailings to people recipients, one of whom is suppressed in the store. Of the
// others one left and one message returned before the second mailing.
func showsFigures(t *testing.T, p *Process, people int) {
	t.Helper()
	var text metrics.Text
	if err := p.Count(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	sum := func(pattern string) (n float64) {
		all := regexp.MustCompile(`(?m)^`+pattern+` ([0-9.]+)$`).FindAllStringSubmatch(text.String(), -1)
		if all == nil {
			t.Errorf("no number like %s in:\n%s", pattern, &text)
		}
		for _, v := range all {
			f, err := strconv.ParseFloat(v[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			n += f
		}
		return n
	}
	for pattern, want := range map[string]int{
		`flyball_outcomes_total{station="b[12]",status="delivered"}`:            people - 1 + people - 3,
		`flyball_outcomes_total{station="b[12]",status="suppressed"}`:           1 + 3,
		`flyball_outcomes_total{station="b[12]",status="failed"}`:               0,
		`flyball_attempts_total{station="b[12]"}`:                               people - 1 + people - 3,
		`flyball_deferred_total{station="b[12]",destination="all"}`:             0,
		`flyball_requests_total{station="d",event="left"}`:                      1,
		`flyball_requests_total{station="d",event="dropped"}`:                   0,
		`flyball_returned_mail_total{station="c",effect="dead"}`:                1,
		`flyball_returned_mail_total{station="c",effect="later"}`:               0,
		`flyball_queued_mailings`:                                               0,
		`flyball_open_mailings`:                                                 0,
		`flyball_recipients{status="pending"}`:                                  0,
		`flyball_available_processes{station="b[12]"}`:                          2 * 4,
		`flyball_ambiguous_attempts_total{station="b[12]"}`:                     0,
		`flyball_outcomes_total{station="b[12]",status="(?:held|not_allowed)"}`: 0,
	} {
		if got := sum(pattern); int(got) != want {
			t.Errorf("%s: got %v, want %d", pattern, got, want)
		}
	}
	for _, pattern := range []string{`flyball_journal_bytes{station="(?:a|b1|b2|d)"}`,
		`flyball_depot_bytes{station="a"}`, `flyball_depot_bytes{station="b1"}`} {
		if sum(pattern) < 1 {
			t.Errorf("%s: got none", pattern)
		}
	}
	sum(`flyball_undurable_records{station="a"}`) // there may be some at any moment
	now := float64(time.Now().Unix())
	for _, from := range []string{"b1", "b2", "c", "d"} {
		at := sum(`flyball_last_message_timestamp_seconds{station="a",from="` + from + `"}`)
		if at > now+1 || at < now-600 {
			t.Errorf("%s was heard at %v, want a time of the last minutes before %v", from, at, now)
		}
	}
}
