package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/reporting"
	"flyball/cmd/flyball/internal/sites"
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

// A report to people goes as all mail does: to exchangers that a name server has and the allowlist allows, signed, and
// from the sender's names. A domain that may get no mail at all is refused at once; one without an allowed exchanger
// gets nothing, and that is to be seen.
func TestReportToPeople(t *testing.T) {
	p := mailsPeople(t, "per_day = 100, per_second = 100", "", "ann@partner.org", "bob@partner.org")
	edit(t, p.file, "role = \"a\"\n", "role = \"a\"\nhello = \"a.sender.com\"\n")
	submit := func(more ...string) (code int, out string) {
		t.Helper()
		code, out, errout := invoke(t, append([]string{"serve", "submit", p.file, "--list", p.list, "--count", "2"},
			more...)...)
		return code, out + errout
	}
	if code, out := submit("--notify", "eve@elsewhere.net"); code != exitRefused ||
		!strings.Contains(out, `--notify: refused for safety: got domain "elsewhere.net"`) {
		t.Errorf("got %d: %s", code, out)
	}
	if code, out := submit("--notify", "eve@partner.org", "--notify", "eve@far.org"); code != 0 {
		t.Fatal(code, out)
	}
	s := begin(t, "serve", p.file)
	var of sites.Status
	s.until(t, "the reports", func() bool {
		of = sites.Status{}
		text := p.status(t)
		if err := json.Unmarshal([]byte(text), &of); err != nil {
			t.Fatal(err)
		}
		return len(of.Mailings) == 1 && of.Mailings[0].State == "reported" && !strings.Contains(text, `"waiting"`)
	})
	n := of.Mailings[0].Notices
	if len(n) != 2 || n[0].State != "sent" || n[1].State != "failed" || !strings.Contains(n[1].Why, "far.org") {
		t.Errorf("got %+v, want one report sent, and one that is not allowed", n)
	}
	got := p.box.all()
	if len(got) != 3 {
		t.Fatalf("got %d messages, want two and a report", len(got))
	}
	report := got[2]
	if report.from != "" || report.to != "eve@partner.org" || report.hello != "a.sender.com" {
		t.Errorf("got a report from %q to %s by %s", report.from, report.to, report.hello)
	}
	for _, want := range []string{"DKIM-Signature: v=1;", "d=sender.com;", "<postmaster@sender.com>",
		"Auto-Submitted: auto-generated", "2 of 2 delivered"} {
		if !strings.Contains(report.text, want) {
			t.Errorf("the report lacks %s:\n%s", want, report.text)
		}
	}
}
