package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/vt"
	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// The first share of a mailing goes with the law in force, the rest with the law before; a guard that fails in one
// interval returns to it at once. What the two do not have in common must be the law alone.
func TestCanary(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(in("live.toml"), []byte(`schema_version = 1
name = "canary"
time_scale = 20
[[destination]]
name = "example"
domain = "example.com"
rtt = "50ms"
[[campaign]]
name = "c"
recipients = 60
`), 0o644)
	promote := func(file string, change func(*scenarios.Scenario)) {
		t.Helper()
		s := scenarios.Default()
		s.Governor.Law, s.Governor.Start, s.Governor.Interval = "hold", 12, 10*vt.Second
		change(&s)
		if _, err := promotion.Add(in(file), "", promotion.Record{By: "ann", Shown: promotion.Shown{
			Scenario: "quickstart", Replications: 10}, Parameters: string(s.Parameters().TOML())}, time.Now,
			time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	promote("p.jsonl", func(*scenarios.Scenario) {})
	promote("one.jsonl", func(*scenarios.Scenario) {})
	promote("p.jsonl", func(s *scenarios.Scenario) { s.Governor.Start = 6 })
	promote("other.jsonl", func(*scenarios.Scenario) {})
	promote("other.jsonl", func(s *scenarios.Scenario) { s.Governor.Interval, s.Retry.Limit = 9*vt.Second, 2 })
	if code, out, errout := invoke(t, "realrun", "plan", in("live.toml"), "--promotion", in("p.jsonl"), "--canary",
		"5%"); code != 0 || !strings.Contains(out, "Canary: this law delivers the first 5.0 %, the law of the record "+
		"before the rest") || !strings.Contains(out, " --canary 0.05 ") {
		t.Errorf("plan: exit code %d: %s%s", code, out, errout)
	}
	if code, _, errout := invoke(t, "realrun", "plan", in("live.toml"), "--promotion", in("one.jsonl"), "--canary",
		"5%"); code != exitRefused {
		t.Errorf("a plan with nothing to return to: exit code %d: %s", code, errout)
	}
	for _, v := range []struct {
		code  int
		words string
		args  []string
	}{
		{0, "Canary on b1: its share was delivered within guards, and the law before delivered the rest from ",
			[]string{"--canary", "20%"}},
		{0, "Canary on b1: RETURNED to the law before at ", []string{"--canary", "90%", "--canary-bounces", "10%",
			"--set", `destination[0].dead=[{share=0.5,at="rcpt",reply=550}]`}},
		{0, "Canary on b1: RETURNED to the law before at ", []string{"--canary", "90%", "--set",
			`destination[0].fail=[{at="rcpt",reply=451,p=0.5}]`, "--set", "horizon=20s"}},
		{0, "Canary on b1: the mailing ended before its share was delivered", []string{"--canary", "0.9", "--set",
			"campaign[0].recipients=10"}},
		{exitRefused, "got one record, want one before it", []string{"--canary", "5%", "--promotion", in("one.jsonl")}},
		{exitRefused, "promotions 1 and 2 differ in governor.interval, retry.limit, want them to differ in the law " +
			"alone", []string{"--canary", "5%", "--promotion", in("other.jsonl")}},
		{exitUsage, "--canary: got 1, want a share", []string{"--canary", "100%"}},
		{exitUsage, "--canary: got no --promotion", []string{"--canary", "5%", "--promotion", ""}},
		{0, "Canary on b1: RETURNED to the law before at ", []string{"--canary", "90%", "--canary-bounces", "10%",
			"--set", `destination[0].dead=[{share=0.5,at="rcpt",reply=550}]`, "--state", in("state")}},
		{0, "Parameters: promotion 1 of " + in("p.jsonl") + " by ann, returned to from promotion 2 of ",
			[]string{"--canary", "90%", "--canary-bounces", "10%", "--set",
				`destination[0].dead=[{share=0.5,at="rcpt",reply=550}]`, "--state", in("state"), "--resume"}},
		{exitUsage, `--canary: got "many", want a share`, []string{"--canary", "many"}},
	} {
		args := []string{"realrun", "-q", in("live.toml"), "--promotion", in("p.jsonl"), "--out", in("out"), "--force"}
		code, out, errout := invoke(t, append(args, v.args...)...)
		for range 9 { // a machine that is late has its reasons to return when the mailing is over
			if strings.Contains(out+errout, v.words) || !strings.Contains(out, "this machine was too slow") {
				break
			}
			if err := os.RemoveAll(in("state")); err != nil { // of the mailing that was late
				t.Fatal(err)
			}
			code, out, errout = invoke(t, append(args, v.args...)...)
		}
		if code != v.code || !strings.Contains(out+errout, v.words) {
			t.Errorf("%q: exit code %d, want %d: %s%s\nwant %s", v.args, code, v.code, out, errout, v.words)
		}
		if v.code == 0 && !strings.Contains(out, "60 of 60 recipients end in the same way") &&
			v.args[1] == "20%" {
			t.Errorf("the simulation does not have the canary: %s", out)
		}
	}
}
