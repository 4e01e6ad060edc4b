package serve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/reporting"
	"flyball/cmd/flyball/internal/sites"
)

// The report of a mailing goes by mail to who asked for the mailing, and by HTTP to who is to hear of all mailings: by
// the receiver's ledger once, and from no return path. An address that takes nothing does not keep the mailing open.
func TestReportsGoToThoseWhoAsked(t *testing.T) {
	receiver, at := takesMail(t)
	posted := make(chan struct{}, 10)
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted <- struct{}{} }))
	defer web.Close()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	dir := t.TempDir()
	more := fmt.Sprintf("set = [\"retry.limit=1\", \"retry.delays=['10ms']\"]\n[sending]\nnotify = %q\n[[station]]",
		web.URL)
	file := write(t, dir, "site.toml", strings.Replace(fmt.Sprintf(site9, at), "[[station]]", more, 1))
	s, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	play(t, s)
	const boss = "boss@big.example"
	list := write(t, dir, "people.csv", "email\nann@big.example\nbob@big.example\n")
	if _, err := s.Submit(sites.Submission{List: list, Notify: []string{boss, dead.URL}}); err != nil {
		t.Fatal(err)
	}
	var of sites.MailingStatus
	until(t, "the report has gone, or cannot", func() bool {
		status, err := s.Status()
		if err != nil || len(status.Mailings) == 0 {
			return false
		}
		of = status.Mailings[0]
		for _, n := range of.Notices {
			if n.State != "sent" && n.State != "failed" {
				return false
			}
		}
		return of.State == "reported"
	})
	var states []string
	for _, n := range of.Notices {
		states = append(states, fmt.Sprint(n.To, " ", n.State, " ", n.Tries))
	}
	want := []string{boss + " sent 1", dead.URL + " failed 2", web.URL + " sent 1"}
	if strings.Join(states, ", ") != strings.Join(want, ", ") {
		t.Errorf("got %q, want %q", states, want)
	}
	mails := receiver.count(boss)
	got := receiver.got[boss]
	if mails != 1 || got.from != "" || !strings.Contains(got.text, "2 of 2 delivered") ||
		len(posted) != 1 {
		t.Errorf("got %d messages from %q, and %d posts:\n%s", mails, got.from, len(posted), got.text)
	}
	text, err := os.ReadFile(filepath.Join(dir, "reports", "mailing-1.json"))
	if err != nil || !strings.Contains(string(text), list) {
		t.Errorf("got %s, %v, want a report of %s", text, err, list)
	}
	if manifest, err := os.ReadFile(filepath.Join(s.Outbox(), "..", "depot", "mailing-1")); err != nil ||
		strings.Contains(string(manifest), "boss") {
		t.Errorf("B servers could see who asked: %v", err)
	}
	if all, err := reporting.Read(s.Outbox()); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v", all, err)
	}
}
