package main

import (
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/reporting"
	"flyball/internal/mail"
)

// Who asked for a mailing has its report, wherever the A server is killed on the way: before the report's file is
// there, after the final dot, and after the reply that is not recorded. By the receiver's ledger what comes more than
// once is one message, to its ID and its last byte.
func TestReportSurvivesKills(t *testing.T) {
	t.Parallel()
	const who = 1000 // no recipient of the mailing
	f := newSite(t, 20, 0, 20*time.Second)
	var lock sync.Mutex
	var got []string
	f.ledger.came = func(r mail.Recipient, text string) {
		if r == who {
			lock.Lock()
			defer lock.Unlock()
			got = append(got, text)
		}
	}
	f.submit = append(f.submit, "--notify", "r1000@all.example")
	for _, args := range [][]string{{"serve", "keys", f.file}, f.submit} {
		if p := begin(t, args...); p.ends(t) != 0 {
			t.Fatal(p.text())
		}
	}
	for _, name := range []string{"broker", "b1", "b2", "c", "d"} {
		f.start(name)
	}
	for _, at := range []string{"addressed:1", "dot:1", "told:1"} {
		f.startDoomed("a", at)
		if !f.running["a"].endsWithin(time.Minute) {
			t.Fatalf("a does not come to %s: %s", at, f.running["a"].text())
		}
		f.kill("a")
	}
	f.start("a")
	f.within(time.Minute, "the report", func() bool {
		all, err := reporting.Read(filepath.Join(filepath.Dir(f.file), "state", "a", "outbox"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all[1]) == 1 && all[1][0].State == "sent" && f.reported()
	})
	lock.Lock()
	defer lock.Unlock()
	id := regexp.MustCompile(`(?im)^message-id: <report\.1\.\w+@sender\.example>`)
	for _, text := range got {
		if text != got[0] || !id.MatchString(text) {
			t.Errorf("got another message:\n%s\nwant\n%s", text, got[0])
		}
	}
	if len(got) < 2 || len(got) > 3 {
		t.Errorf("got %d messages, want one of each process that came to the final dot", len(got))
	}
}
