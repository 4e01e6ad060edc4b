package reporting

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/engine"
	"flyball/engine/delivery/retry"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/realrun/dial"
)

func address(t testing.TB, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// example is a report whose numbers are all different.
func example(job engine.Job) Report {
	at := time.Date(2026, 11, 30, 15, 0, 0, 0, time.FixedZone("CET", 3600))
	r := New("north", engine.Summary{Job: job, Delivered: 1200, Failed: 30, Held: 4, Suppressed: 50, Ambiguous: 6,
		Late: vt.Minute}, 1284, at, at.Add(90*time.Minute))
	r.List, r.Letter = "store:Käufer", "letter.txt"
	return r
}

// A program that reads mail finds the report in it twice: in words, and as the bytes of the report's file. The message
// says that no program is to answer, and is the same each time.
func TestLetter(t *testing.T) {
	r := example(7)
	text, err := r.letter(address(t, "ann@provider.example"), "sender.example", "1.abc", "/r/mailing-7.json")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := r.letter(address(t, "ann@provider.example"), "sender.example", "1.abc", "/r/mailing-7.json")
	if !bytes.Equal(text, again) {
		t.Error("the message is another one when it is made again")
	}
	for line := range strings.SplitSeq(string(text), "\r\n") {
		if len(line) > 78 || strings.ContainsAny(line, "\r\n") || !ascii(line) {
			t.Errorf("got line %q, want one of 78 ASCII characters at most", line)
		}
	}
	m, err := netmail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "Flyball site north <postmaster@sender.example>", "To": "ann@provider.example",
		"Subject": "Mailing 7 of north: 1,200 of 1,284 delivered", "Date": "Mon, 30 Nov 2026 15:30:00 +0000",
		"Message-ID": "<report.1.abc@sender.example>", "Auto-Submitted": "auto-generated", "MIME-Version": "1.0",
		"List-Unsubscribe": "", "Precedence": "",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatal(kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	words, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(quotedprintable.NewReader(words))
	if err != nil || words.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatal(words.Header, err)
	}
	for _, want := range []string{"Mailing 7 of the site north", "List        store:Käufer", "Letter      letter.txt",
		"Submitted   2026-11-30 14:00:00 UTC", "Ended       2026-11-30 15:30:00 UTC", "Late        by 60 s",
		"Recipients  1,284", "Delivered   1,200, 93.5 %", "Failed      30, 2.3 %", "Held        4, 0.3 %",
		"Suppressed  50, 3.9 %", "Ambiguous   6, 0.5 %", "/r/mailing-7.json"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("got no %q in\n%s", want, said)
		}
	}
	last := -1
	for _, why := range []string{"* 50 suppressed:", "* 30 failed:", "* 6 ambiguous:", "* 4 held:"} {
		at := strings.Index(string(said), why)
		if at <= last {
			t.Errorf("%q is missing, or not behind what is more frequent:\n%s", why, said)
		}
		last = at
	}
	file, err := parts.NextRawPart()
	if err != nil || file.FileName() != "mailing-7.json" || file.Header.Get("Content-Type") != "application/json" {
		t.Fatal(file, err)
	}
	data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, file))
	var read Report
	if err != nil || !bytes.Equal(data, r.JSON()) || json.Unmarshal(data, &read) != nil || read != r {
		t.Errorf("got %s, %v, want the bytes of the file", data, err)
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		t.Errorf("got a third part: %v", err)
	}
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// A mailing with nothing to explain has no reasons.
func TestNoReasons(t *testing.T) {
	r := New("north", engine.Summary{Job: 1, Delivered: 2}, 2, time.Now(), time.Now())
	if text := r.text("x"); strings.Contains(text, "Why") || strings.Contains(text, "Late") {
		t.Errorf("got %s", text)
	}
}

// Reports go by mail where the allowlist lets mail go, and by HTTP to this computer alone.
func TestCheck(t *testing.T) {
	allow, err := dial.Load("allow.toml", []byte(`schema_version = 1
sender = "sender.com"
[[allow]]
networks = ["192.0.2.25"]
ports = [25]
domains = ["partner.org"]
[caps]
per_day = 1
per_second = 1
[breakers]
`))
	if err != nil {
		t.Fatal(err)
	}
	const refused, wrong = "refused for safety", "want a mail address"
	for _, v := range []struct {
		to       string
		allow    *dial.Allowlist
		receiver string
		want     string // in the error; empty: none
	}{
		{"ann@provider.example", nil, "127.0.0.1:2525", ""},
		{"ann@provider.example", nil, "", ""},
		{"ann@partner.org", nil, "127.0.0.1:2525", refused},
		{"ann@partner.org", nil, "", refused},
		{"ann@partner.org", allow, "192.0.2.25:25", ""},
		{"ann@partner.org", allow, "", ""},
		{"ann@partner.org", allow, "127.0.0.1:25", refused},
		{"ann@far.org", allow, "", refused},
		{"ann", nil, "", wrong},
		{"", nil, "", wrong},
		{"ann@provider.example\r\nBcc: bob@provider.example", nil, "", wrong},
		{"http://127.0.0.1:80/x", nil, "", ""},
		{"http://[::1]:80", nil, "", ""},
		{"http://192.0.2.25:25/", allow, "", refused},
		{"http://localhost:80/", nil, "", refused},
		{"http://127.0.0.1/", nil, "", "want http://IP:PORT"},
		{"http://a:b@127.0.0.1:80/", nil, "", "want http://IP:PORT"},
		{"https://127.0.0.1:443/", nil, "", "want http://IP:PORT"},
	} {
		err := Check(v.to, v.allow, v.receiver)
		if (err == nil) != (v.want == "") || err != nil && !strings.Contains(err.Error(), v.want) ||
			errors.Is(err, dial.ErrRefused) != (v.want == refused) {
			t.Errorf("%q: got %v, want %q", v.to, err, v.want)
		}
	}
}

// A report is tried again as a recipient is: by the delays of the policy, up to its limit and its age. What may have
// come is sent again, whatever the policy does with recipients.
func TestAfter(t *testing.T) {
	policy := retry.Default()
	policy.Limit, policy.Delays, policy.GreylistDelay = 2, []vt.Span{vt.Minute, vt.Hour}, 5*vt.Second
	aged, stubborn := policy, policy
	aged.MaxAge, stubborn.Bounce = 30*vt.Minute, "resend"
	later := mail.Reply{Stage: mail.StageDATA, Code: 451}
	bounce := mail.Reply{Stage: mail.StageRCPT, Code: 550}
	at := time.Date(2026, 11, 30, 15, 0, 0, 0, time.UTC)
	for _, v := range []struct {
		name   string
		policy retry.Config
		tries  int // before
		end    mail.Reply
		state  string
		waits  time.Duration
	}{
		{"delivered", policy, 1, mail.Reply{Stage: mail.StageDot, Code: 250}, sent, 0},
		{"later", policy, 0, later, waiting, time.Minute},
		{"later again", policy, 1, later, waiting, time.Hour},
		{"beyond the limit", policy, 2, later, failed, 0},
		{"too old", aged, 1, later, failed, 0},
		{"greylisted", policy, 0, mail.Reply{Stage: mail.StageRCPT, Code: 450}, waiting, 5 * time.Second},
		{"refused", policy, 0, bounce, failed, 0},
		{"refused, and to be resent", stubborn, 0, bounce, waiting, time.Minute},
		{"ambiguous", policy, 0, mail.Reply{Stage: mail.StageDot, Fault: mail.Drop}, waiting, time.Minute},
		{"not allowed", policy, 0, mail.Reply{Fault: mail.NotAllowed}, failed, 0},
		{"no connection", policy, 0, mail.Reply{Stage: mail.StageConnect, Fault: mail.Drop}, waiting, time.Minute},
	} {
		n := Notice{State: waiting, Tries: v.tries, First: at}
		n.after(v.policy, &v.end, "why", at, at.Add(time.Second))
		want := time.Time{}
		if v.waits > 0 {
			want = at.Add(time.Second + v.waits)
		}
		if n.State != v.state || !n.Next.Equal(want) || n.Tries != v.tries+1 || (n.Why == "") != (v.state == sent) {
			t.Errorf("%s: got %+v, want %s, next at %v", v.name, n, v.state, want)
		}
	}
}

// The report that was given first stands, and so do the addresses: a restart, or a role that asks again, changes
// neither. A mailing without an address has a file alone.
func TestGiveOnce(t *testing.T) {
	dir := t.TempDir()
	begin := func() *Outbox {
		o := &Outbox{Dir: filepath.Join(dir, "outbox"), Reports: filepath.Join(dir, "reports")}
		if err := o.Open(); err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := begin()
	if err := errors.Join(o.Expect(1, mail.Key{1}, nil), o.Expect(2, mail.Key{2}, []string{"a@x.example",
		"a@x.example", "b@x.example"}), begin().Expect(2, mail.Key{2}, []string{"c@x.example"})); err != nil {
		t.Fatal(err)
	}
	if all, err := Read(o.Dir); err != nil || len(all) != 1 || len(all[2]) != 2 || all[2][0].State != awaited ||
		len(o.open()) != 0 {
		t.Errorf("got %v, %v, want two addresses of mailing 2", all, err)
	}
	first, other := example(2), example(2)
	other.Ended = other.Ended.Add(time.Hour)
	for i, r := range []Report{first, other} {
		file, err := begin().Give(r, mail.Key{2}, []string{"b@x.example", "d@x.example"}[i])
		text, wrong := os.ReadFile(file)
		if err != nil || wrong != nil || !bytes.Equal(text, first.JSON()) {
			t.Errorf("got %s, %v, %v, want the first report", text, err, wrong)
		}
	}
	o = begin()
	if n := o.records[2].Notices; len(n) != 2 || n[0].State != waiting || n[1].To != "b@x.example" ||
		len(o.open()) != 2 {
		t.Errorf("got %+v, want two notices that wait", n)
	}
	if token := string(new(mail.Key{2}).AppendToken(nil, []byte("report"))); o.records[2].Token != token {
		t.Errorf("got token %s, want %s of the mailing", o.records[2].Token, token)
	}
	if _, err := o.Give(example(1), mail.Key{1}, ""); err != nil || len(o.records) != 1 {
		t.Errorf("got %v and %d records, want a file alone", err, len(o.records))
	}
	file, err := o.Give(other, mail.Key{3}, "")
	if text, wrong := os.ReadFile(file); err != nil || wrong != nil || !bytes.Equal(text, other.JSON()) {
		t.Errorf("got %s, %v, %v, want the report of the mailing, not of an earlier one", text, err, wrong)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "mailing-3.json"), []byte(`{"schema_version":2,"job":3}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(o.Dir); err == nil || !strings.Contains(err.Error(), "mailing-3.json: got version 2") {
		t.Errorf("got %v, want the version of a later program to be refused", err)
	}
}
