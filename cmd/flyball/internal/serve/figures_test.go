package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/realrun/response"
)

// figures returns a function that sums up the numbers of a process whose names and labels have a pattern. All of them
// must be in the docs.
func figures(t *testing.T, p *Process) func(pattern string) float64 {
	t.Helper()
	var text metrics.Text
	if err := p.Count(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE ([a-z_]+)`).FindAllStringSubmatch(text.String(), -1) {
		if !strings.Contains(string(page), "`"+name[1]+"`") {
			t.Errorf("docs/serve.md does not have the number %s", name[1])
		}
	}
	return func(pattern string) (n float64) {
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
}

// wantFigures wants sums by pattern.
func wantFigures(t *testing.T, sum func(string) float64, all map[string]int) {
	t.Helper()
	for pattern, want := range all {
		if got := sum(pattern); int(got) != want {
			t.Errorf("%s: got %v, want %d", pattern, got, want)
		}
	}
}

// Responses are counted when they are judged, by who made them; changes are buffered until the storage server has all,
// since the first moment at which it lacked some; and a port in use is known before a station has a folder.
func TestFigures(t *testing.T) {
	m := &member{name: "x"}
	tell := m.judged()
	for _, human := range []bool{true, false, false} {
		tell(response.Judged{Response: response.Response{Kind: "click"}, Verdict: response.Verdict{Human: human}})
	}
	m.transactions()("changes", errors.New("away"))
	p := &Process{members: []*member{m}}
	m.buffer.Has(2)
	wantFigures(t, figures(t, p), map[string]int{
		`flyball_responses_total{station="x",kind="click",by="human"}`:                 1,
		`flyball_responses_total{station="x",kind="click",by="machine"}`:               2,
		`flyball_responses_total{station="x",kind="open",by="[a-z]+"}`:                 0,
		`flyball_store_transactions_total{station="x",kind="[a-z]+",result="done"}`:    0,
		`flyball_store_transactions_total{station="x",kind="changes",result="failed"}`: 1,
		`flyball_buffered_changes{station="x"}`:                                        2,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	s, err := sites.Load(write(t, dir, "site.toml", fmt.Sprintf(site9, "127.0.0.1:2525")), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Metrics = l.Addr().String()
	var used task.Error
	if _, err := Open(t.Context(), s, quiet()); !errors.As(err, &used) || used.Kind != task.Environment {
		t.Errorf("a port in use: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a port in use: stations have folders: %v", err)
	}
}

// showsFigures wants the numbers of a process to be those that the receiver, the D server's answer and the returned
// message of TestStorageServer have: two mailings to people recipients, one of whom is suppressed in the store. Of the
// others one left and one message returned before the second mailing.
func showsFigures(t *testing.T, p *Process, people int) {
	t.Helper()
	sum := figures(t, p)
	wantFigures(t, sum, map[string]int{
		`flyball_outcomes_total{station="b[12]",status="delivered"}`:                        people - 1 + people - 3,
		`flyball_outcomes_total{station="b[12]",status="suppressed"}`:                       1 + 3,
		`flyball_outcomes_total{station="b[12]",status="failed"}`:                           0,
		`flyball_attempts_total{station="b[12]"}`:                                           people - 1 + people - 3,
		`flyball_deferred_total{station="b[12]",destination="all"}`:                         0,
		`flyball_requests_total{station="d",event="left"}`:                                  1,
		`flyball_requests_total{station="d",event="dropped"}`:                               0,
		`flyball_returned_mail_total{station="c",effect="dead"}`:                            1,
		`flyball_returned_mail_total{station="c",effect="later"}`:                           0,
		`flyball_queued_mailings`:                                                           0,
		`flyball_open_mailings`:                                                             0,
		`flyball_recipients{status="pending"}`:                                              0,
		`flyball_available_processes{station="b[12]"}`:                                      2 * 4,
		`flyball_ambiguous_attempts_total{station="b[12]"}`:                                 0,
		`flyball_buffered_changes{station="[cd]"}`:                                          0,
		`flyball_store_transactions_total{station="storage",kind="changes",result="done"}`:  2,
		`flyball_store_transactions_total{station="storage",kind="mailing",result="done"}`:  4,
		`flyball_store_transactions_total{station="storage",kind="[a-z]+",result="failed"}`: 0,
		`flyball_unrecorded_mailings{station="storage"}`:                                    0,
		`flyball_outcomes_total{station="b[12]",status="(?:held|not_allowed)"}`:             0,
	})
	for _, pattern := range []string{`flyball_journal_bytes{station="(?:a|b1|b2|d)"}`,
		`flyball_depot_bytes{station="a"}`, `flyball_depot_bytes{station="b1"}`} {
		if sum(pattern) < 1 {
			t.Errorf("%s: got none", pattern)
		}
	}
	sum(`flyball_undurable_records{station="a"}`) // there may be some at any moment
	if sum(`flyball_store_transactions_total{station="storage",kind="outcomes",result="done"}`) < 2 {
		t.Error("got fewer transactions with outcomes than mailings")
	}
	now := float64(time.Now().Unix())
	if at := sum(`flyball_last_outcome_timestamp_seconds{station="storage"}`); at > now+1 || at < now-600 {
		t.Errorf("outcomes were recorded at %v, want a time of the last minutes before %v", at, now)
	}
	for _, from := range []string{"b1", "b2", "c", "d"} {
		at := sum(`flyball_last_message_timestamp_seconds{station="a",from="` + from + `"}`)
		if at > now+1 || at < now-600 {
			t.Errorf("%s was heard at %v, want a time of the last minutes before %v", from, at, now)
		}
	}
}
