package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/internal/vt"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// A guard that fails makes a run return to the record before, at the end of the interval and once; without one to
// return to, and at the second time, the run stops. A mailing that goes on has the record that it returned to.
func TestGuardsReturnToTheRecordBefore(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	promote := func(file string, change func(*scenarios.Scenario)) {
		t.Helper()
		s := scenarios.Default()
		s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 1, vt.Second // one attempt at a time
		change(&s)
		if _, err := promotion.Add(in(file), "", promotion.Record{By: "ann", Shown: promotion.Shown{
			Scenario: "quickstart", Replications: 10}, Parameters: string(s.Parameters().TOML())}, time.Now,
			time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	promote("one.jsonl", func(*scenarios.Scenario) {})
	promote("p.jsonl", func(*scenarios.Scenario) {})
	promote("p.jsonl", func(s *scenarios.Scenario) { s.Governor.Max = 50 })
	promote("other.jsonl", func(*scenarios.Scenario) {})
	promote("other.jsonl", func(s *scenarios.Scenario) { s.Retry.Limit = 2 })
	write("live.toml", strings.ReplaceAll(oneDestination, "example.com", "partner.org"))
	write("people.csv", "email\nann@partner.org\nbob@partner.org\ncid@partner.org\n")
	write("letter.txt", "From: news@sender.com\nSubject: Hello\n\nHello.\n")
	state := 0
	for _, v := range []struct {
		what, records, breakers string
		refused                 int32 // recipients, the first ones
		complaint               bool  // about the first message
		code                    int
		words                   string
		got                     int32
	}{
		{"bounces", "p.jsonl", "bounces = 0.5", 1, false, 0, "Parameters at the end: promotion 1 of " + in("p.jsonl") +
			" by ann, returned to from promotion 2 of " + in("p.jsonl") + " by ann: refused for safety: " +
			"breakers.bounces: got 1 of the last 1 attempts refused for their recipients", 2},
		{"bounces again", "p.jsonl", "bounces = 0.5", 3, false, exitRefused,
			"the run was stopped: refused for safety: breakers.bounces: got 1 of the last 1 attempts", 0},
		{"complaints", "p.jsonl", "complaints = 0.5", 0, true, 0, "Parameters at the end: promotion 1 of ", 3},
		{"nothing to return to", "one.jsonl", "bounces = 0.5", 1, false, exitRefused,
			"one.jsonl: got one record, want one before it to return to", 0},
		{"more than the law", "other.jsonl", "bounces = 0.5", 1, false, exitRefused,
			"other.jsonl: promotions 1 and 2 differ in retry.limit, want them to differ in the law alone", 0},
		{"within", "p.jsonl", "bounces = 1", 1, false, 0, "A guard that fails returns the run to promotion 1 of ", 2},
	} {
		t.Run(v.what, func(t *testing.T) {
			got, at := receive(t, "127.0.0.1")
			_, port, _ := strings.Cut(at, ":")
			write("allow.toml", fmt.Sprintf(`schema_version = 1
sender = "sender.com"
allow = [{ networks = ["127.0.0.1"], ports = [%s], domains = ["partner.org"] }]
caps = { per_day = 100000, per_second = 100 }
breakers = { %s, after = 1 }
`, port, v.breakers))
			write("complaints.txt", "")
			got.refuseFirst.Store(v.refused)
			if v.complaint {
				got.complain.Store(in("complaints.txt"))
			}
			state++
			args := []string{"realrun", "-q", in("live.toml"), "--allow", in("allow.toml"), "--promotion",
				in(v.records), "--list", in("people.csv"), "--count", "3", "--receiver", at, "--template",
				in("letter.txt"),
				"--complaints", in("complaints.txt"), "--out", in("out"), "--force", "--state",
				in(fmt.Sprint("state", state))}
			code, out, errout := invoke(t, args...)
			if code != v.code || !strings.Contains(out+errout, v.words) || got.got.Load() != v.got {
				t.Errorf("exit code %d, %d messages: %s%s\nwant %d, %d: %s", code, got.got.Load(), out, errout, v.code,
					v.got, v.words)
			}
			returns := strings.Contains(v.words, "at the end")
			summary, err := os.ReadFile(in("out/summary.json"))
			record := map[bool]string{true: `"record": "promotion 1 of `, false: `"record": "promotion `}[returns]
			if err != nil || !strings.Contains(string(summary), record) {
				t.Errorf("summary.json: %v, want %s", err, record)
			}
			if !returns {
				return
			}
			code, out, errout = invoke(t, append(args, "--resume")...)
			if code != 0 || !strings.Contains(out, "Parameters: promotion 1 of ") ||
				!strings.Contains(out, ", returned to from promotion 2 of ") ||
				strings.Contains(out, "A guard that fails") {
				t.Errorf("the mailing goes on with exit code %d: %s%s", code, out, errout)
			}
		})
	}
}

// A guard that fails on one of two servers stops the attempts of both until the interval of each has ended: only what
// was under way then comes. Each returns, and the rest of the mailing comes with the record before, on both.
func TestGuardsOfTwoServers(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, most := range []float64{9, 50} {
		s := scenarios.Default()
		s.Governor.Law, s.Governor.Start, s.Governor.Interval, s.Governor.Max = "hold", 1, 2*vt.Second, most
		if _, err := promotion.Add(in("p.jsonl"), "", promotion.Record{By: "ann", Shown: promotion.Shown{
			Scenario: "quickstart", Replications: 10}, Parameters: string(s.Parameters().TOML())}, time.Now,
			time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	got, at := receive(t, "127.0.0.1")
	_, port, _ := strings.Cut(at, ":")
	people := "email\n"
	for i := range 30 {
		people += fmt.Sprintf("p%d@partner.org\n", i)
	}
	for name, text := range map[string]string{
		"allow.toml": fmt.Sprintf(`schema_version = 1
sender = "sender.com"
allow = [{ networks = ["127.0.0.1"], ports = [%s], domains = ["partner.org"] }]
caps = { per_day = 100, per_second = 100 }
breakers = { bounces = 0.3, after = 1 }
`, port),
		"live.toml": strings.ReplaceAll(oneDestination, "example.com", "partner.org") +
			"[[server]]\nname = \"b1\"\n[[server]]\nname = \"b2\"\n",
		"people.csv": people,
		"letter.txt": "From: news@sender.com\nSubject: Hello\n\nHello.\n",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got.wait = 20 * time.Millisecond
	got.refuseFirst.Store(1)
	code, out, errout := invoke(t, "realrun", "-q", in("live.toml"), "--allow", in("allow.toml"), "--promotion",
		in("p.jsonl"), "--list", in("people.csv"), "--count", "30", "--receiver", at, "--template", in("letter.txt"),
		"--out", in("out"), "--state", in("state"))
	words := "Parameters at the end: promotion 1 of " + in("p.jsonl") + " by ann, returned to from promotion 2 of " +
		in("p.jsonl") + " by ann: refused for safety: breakers.bounces: got 1 of the last "
	if code != 0 || !strings.Contains(out, words) || got.got.Load() != 29 {
		t.Fatalf("exit code %d, %d messages, want 0 and 29: %s%s\nwant %s", code, got.got.Load(), out, errout, words)
	}
	raw, err := os.ReadFile(in("out/recipients.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(raw)), "\n")[1:]
	ended := func(row string) (at float64) {
		fmt.Sscan(row[strings.LastIndex(row, ",")+1:], &at)
		return at
	}
	failed := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, ",failed,") })
	tripped, between, after := ended(rows[failed]), 0, map[string]int{}
	if tripped > 1.5 {
		t.Skipf("the machine is too slow to tell: the guard failed after %g s of an interval of 2 s", tripped)
	}
	for _, row := range rows {
		switch at := ended(row); {
		case at >= 2:
			after[strings.Split(row, ",")[2]]++
		case at > tripped:
			between++
		}
	}
	if between > 2 || after["b1"] == 0 || after["b2"] == 0 {
		t.Errorf("%d messages came between the guard's failure at %g s and the end of the intervals, %v after, want "+
			"those under way at most, and some by each server:\n%s", between, tripped, after, raw)
	}
}

// A run has the allowlist that it began with, whatever becomes of the file meanwhile; the next run reads it anew.
func TestAnAllowlistIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	got, at := receive(t, "127.0.0.1")
	_, port, _ := strings.Cut(at, ":")
	for name, text := range map[string]string{
		"allow.toml": fmt.Sprintf(`schema_version = 1
sender = "sender.com"
allow = [{ networks = ["127.0.0.1"], ports = [%s], domains = ["partner.org"] }]
caps = { per_day = 100, per_second = 100 }
`, port),
		"live.toml":  strings.ReplaceAll(oneDestination, "example.com", "partner.org"),
		"people.csv": "email\nann@partner.org\nbob@partner.org\ncid@partner.org\n",
		"letter.txt": "From: news@sender.com\nSubject: Hello\n\nHello.\n",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := scenarios.Default()
	s.Governor.Law, s.Governor.Start = "hold", 1 // one attempt at a time
	if _, err := promotion.Add(in("p.jsonl"), "", promotion.Record{By: "ann", Shown: promotion.Shown{
		Scenario: "quickstart", Replications: 10}, Parameters: string(s.Parameters().TOML())}, time.Now,
		time.Hour); err != nil {
		t.Fatal(err)
	}
	args := []string{"realrun", "-q", in("live.toml"), "--allow", in("allow.toml"), "--promotion", in("p.jsonl"),
		"--list", in("people.csv"), "--count", "3", "--receiver", at, "--template", in("letter.txt"), "--out",
		in("out"), "--force"}
	got.complain.Store(in("allow.toml")) // another text replaces it at the first message
	if code, out, errout := invoke(t, args...); code != 0 || got.got.Load() != 3 {
		t.Errorf("exit code %d, %d messages: %s%s, want 3", code, got.got.Load(), out, errout)
	}
	if code, out, errout := invoke(t, args...); code != exitInvalid || got.got.Load() != 3 ||
		!strings.Contains(errout, "allow.toml:1:") {
		t.Errorf("the next run: exit code %d, %d messages: %s%s", code, got.got.Load(), out, errout)
	}
}
