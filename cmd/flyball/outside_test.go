package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/internal/apart"
	"flyball/internal/mail"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// A live run mails people only with an allowlist, a promotion and the number of recipients; whatever is missing or does
// not fit, nothing is sent. The receiver is on loopback, where real domains need the same as outside.
func TestPeopleAreMailedWithEverythingGiven(t *testing.T) {
	t.Parallel()
	mailPeople(t, "127.0.0.1")
}

// The same with a receiver outside of loopback, in a network that leads nowhere.
func TestPeopleOutsideAreMailed(t *testing.T) {
	t.Parallel()
	if apart.Run(t, "192.0.2.25/32") {
		mailPeople(t, "192.0.2.25")
	}
}

func mailPeople(t *testing.T, host string) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, at := receive(t, host)
	_, port, _ := strings.Cut(at, ":")
	write("live.toml", strings.ReplaceAll(oneDestination, "example.com", "partner.org"))
	write("people.csv", "email\nann@partner.org\nbob@partner.org\ncid@elsewhere.net\nroot@localhost\n")
	allow := fmt.Sprintf(`schema_version = 1
sender = "sender.com"
allow = [{ networks = ["%s"], ports = [%s], domains = ["partner.org"] }]
caps = { per_day = 100, per_second = 100 }
`, host, port)
	write("allow.toml", allow)
	write("elsewhere.toml", strings.Replace(allow, port, "1", 1)) // the domain may go to another receiver alone
	write("bad.toml", strings.Replace(allow, strconv.Quote(host), `"0.0.0.0/0"`, 1))
	write("letter.txt", "From: news@sender.com\nSubject: Hello\n\nHello.\n")
	write("strange.txt", "From: news@stranger.com\nSubject: Hello\n\nHello.\n")
	def := scenarios.Default()
	if _, err := promotion.Add(in("p.jsonl"), "", promotion.Record{By: "ann", Shown: promotion.Shown{
		Scenario: "quickstart", Replications: 10}, Parameters: string(def.Parameters().TOML())}, time.Now,
		time.Hour); err != nil {
		t.Fatal(err)
	}
	elsewhere := "--receiver: refused for safety: got " + at + ", want an address and port that "
	if host == "127.0.0.1" { // where a receiver may be, though not for this domain
		elsewhere = "2 recipients not mailed, whose look-ups led to no receiver that is allowed; the first: " +
			"refused for safety: got mail of domain \"partner.org\" for 127.0.0.1:"
	}
	given := map[string]string{"--allow": in("allow.toml"), "--promotion": in("p.jsonl"), "--list": in("people.csv"),
		"--count": "2", "--receiver": at, "--template": in("letter.txt"), "--set": "horizon=1m"}
	for _, v := range []struct {
		flag, value string // given instead; empty: left out
		code        int
		words       string
	}{
		{"--promotion", "", exitRefused, "--allow: got no --promotion, want the records"},
		{"--count", "", exitRefused, "--count: got none, want 2, the number of recipients"},
		{"--count", "3", exitRefused, "--count: got 3, want 2"},
		{"--list", "", exitRefused, "--allow: got no --list, want one"},
		{"--receiver", "", exitUsage, "--allow: got no --receiver and no --resolver, want one"},
		{"--time-scale", "10", exitRefused, "--time-scale: got 10, want 1 with --allow"},
		{"--template", in("strange.txt"), exitRefused, `strange.txt:1:7: header From: refused for safety: got domain ` +
			`"stranger.com", want a reserved one, or the sender's in ` + in("allow.toml") + `, sender.com`},
		{"--receiver", "192.0.2.1:25", exitRefused, "want an address and port that " + in("allow.toml") + " allows"},
		{"--allow", "", exitUsage, "--count: got 2, want --allow too"},
		{"--allow", in("bad.toml"), exitInvalid, `bad.toml:3:24: allow[0].networks[0]: got "0.0.0.0/0", want a length`},
		{"--allow", in("nosuch.toml"), exitUsage, "--allow: open "},
		{"--allow", in("elsewhere.toml"), exitRefused, elsewhere},
		{"", "", 0, "4 rows = 2 accepted + 2 rejected"},
	} {
		args := []string{"realrun", "-q", in("live.toml"), "--out", in("out"), "--force"}
		for flag, value := range given {
			if flag == v.flag {
				value = v.value
			}
			if value != "" {
				args = append(args, flag, value)
			}
		}
		if given[v.flag] == "" && v.flag != "" {
			args = append(args, v.flag, v.value)
		}
		code, out, errout := invoke(t, args...)
		if want := int32(2); code != v.code || !strings.Contains(out+errout, v.words) ||
			got.got.Load() != map[bool]int32{true: want, false: 0}[v.code == 0] {
			t.Errorf("%s %q: exit code %d, want %d; %d messages: %s%s, want %s", v.flag, v.value, code, v.code,
				got.got.Load(), out, errout, v.words)
		}
	}
	again := func(allow string, more ...string) (int, string) {
		t.Helper()
		args := []string{"realrun", "-q", in("live.toml"), "--out", in("out"), "--force"}
		for flag, value := range given {
			if flag == "--allow" {
				value = allow
			}
			args = append(args, flag, value)
		}
		code, out, errout := invoke(t, append(args, more...)...)
		return code, out + errout
	}
	// A plan has all of it and connects to nothing; its last line is the command that sends.
	sessions := got.sessions.Load()
	write("other.toml", strings.Replace(strings.ReplaceAll(oneDestination, "example.com", "partner.org"), "[[dest",
		"[governor]\nstart = 7\n[[dest", 1))
	plan := []string{"realrun", "plan", in("other.toml")}
	for flag, value := range given {
		if flag != "--count" && flag != "--set" {
			plan = append(plan, flag, value)
		}
	}
	code, out, errout := invoke(t, plan...)
	for _, want := range []string{"lists: nothing is sent. A run would mail 2 recipients.\n  example: 2\n",
		"List: 4 rows = 2 accepted + 2 rejected", "Letter: the master for all has ",
		"no List-Unsubscribe", "Doubtful: messages are not signed: ",
		" bytes, from sender.com\n", "To: " + at + ", at 1 times real time\n",
		"98 of 100 attempts within 24 hours are left, 100 a second; with one attempt each the mailing takes 1s or more",
		"Parameters: law patent-dynamic of promotion 1 by ann, until 20",
		"  governor.start: the scenario has 7.0, the record in force ", " --count 2\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("plan: exit code %d: %s%s\nwant %s", code, out, errout, want)
		}
	}
	if got.sessions.Load() != sessions {
		t.Error("a plan connected to the receiver")
	}
	if code, out, errout = invoke(t, append(plan, "--allow", in("bad.toml"))...); code != exitInvalid || out != "" {
		t.Errorf("a plan with a bad allowlist: exit code %d: %s%s", code, out, errout)
	}
	// What one run has used, the next one does not have.
	write("few.toml", strings.Replace(allow, "per_day = 100", "per_day = 3", 1))
	for _, want := range []struct {
		code int
		more int32
	}{{0, 2}, {exitRefused, 1}, {exitRefused, 0}} {
		before := got.got.Load()
		code, text := again(in("few.toml"))
		if more := got.got.Load() - before; code != want.code || more != want.more || code != 0 &&
			!strings.Contains(text, "caps.per_day: got 3 attempts within 24 hours, want at most 3: the next one may") {
			t.Errorf("exit code %d, %d messages, want %d and %d: %s", code, more, want.code, want.more, text)
		}
	}
	// Another name of the same allowlist has the same count.
	if err := os.Symlink(in("few.toml"), in("link.toml")); err != nil {
		t.Fatal(err)
	}
	before := got.got.Load()
	if code, text := again(in("link.toml")); code != exitRefused || got.got.Load() != before ||
		!strings.Contains(text, "caps.per_day: got 3 attempts within 24 hours") {
		t.Errorf("by a link: exit code %d, %d messages more: %s", code, got.got.Load()-before, text)
	}
	// A receiver that refuses people stops the run; so do complaints.
	write("touchy.toml", allow+"breakers = { bounces = 0.5, complaints = 0.5, after = 1 }\n")
	got.refuse.Store(true)
	if code, text := again(in("touchy.toml")); code != exitRefused ||
		!strings.Contains(text, "refused for safety: breakers.bounces: got 1 of the last 1 attempts") {
		t.Errorf("exit code %d: %s", code, text)
	}
	got.refuse.Store(false)
	write("complaints.txt", "an old one\n")
	got.complain.Store(in("complaints.txt"))
	if code, text := again(in("touchy.toml"), "--complaints", in("complaints.txt")); code != exitRefused ||
		!strings.Contains(text, "refused for safety: breakers.complaints: got 1 about 1 delivered messages") {
		t.Errorf("exit code %d: %s", code, text)
	}
	for _, from := range got.from {
		if a, err := mail.ParseAddress(from); err != nil || a.Domain != "sender.com" {
			t.Errorf("the envelope is from %s, want the sender's domain", from)
		}
	}
}
