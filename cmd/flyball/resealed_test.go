package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/realrun/promotion"
	"flyball/scenarios"
)

// A person who can write the records and their head can seal any record. What it holds is checked as when it was
// promoted, before anything is dialled: nothing odd gets into a live run, or onto a terminal.
func TestResealedRecordsAreChecked(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	got, at := receive(t, "127.0.0.1")
	os.WriteFile(in("live.toml"), []byte(oneDestination), 0o644)
	def := scenarios.Default()
	parameters := string(def.Parameters().TOML())
	good, err := promotion.Add(in("good.jsonl"), "", promotion.Record{By: "ann", Note: "why", Shown: promotion.Shown{
		Scenario: "quickstart", Replications: 10, Replay: "flyball run quickstart",
		Measures: []promotion.Measure{{Metric: "dfr", Value: 1, Low: 0.5, High: 1.5, Level: 0.95}}},
		Parameters: parameters}, time.Now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	line, _ := os.ReadFile(in("good.jsonl"))
	seal := func(body string) (line []byte, sum string) {
		sum = fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
		return []byte(body + `,"sum":"` + sum + "\"}\n"), sum
	}
	body, _, _ := strings.Cut(string(line), `,"sum":"`)
	quoted := func(text string) string {
		raw, _ := json.Marshal(text)
		return string(raw)
	}
	// with has one key of the parameters changed
	with := func(old, new string) string {
		changed := strings.Replace(parameters, old, new, 1)
		if changed == parameters {
			t.Fatalf("%q is not in %s", old, parameters)
		}
		return strings.Replace(body, quoted(parameters), quoted(changed), 1)
	}
	replaced := func(old, new string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("%q is not in %s", old, body)
		}
		return strings.Replace(body, old, new, 1)
	}
	stamp := func(t time.Time) string { return quoted(t.UTC().Truncate(time.Second).Format(time.RFC3339)) }
	at0, expires := stamp(good.At), stamp(good.Expires)
	const target = `target = "140000/h"`
	for what, v := range map[string]struct {
		body  string
		code  int
		words string
	}{
		"untouched":         {body, 0, ""},
		"not a number":      {with(target, `target = nan`), exitInvalid, "parameters:"},
		"infinite":          {with(target, `target = inf`), exitInvalid, "parameters:"},
		"negative":          {with(target, `target = "-5/h"`), exitInvalid, "governor.target"},
		"huge":              {with(target, `target = "1e300/h"`), exitInvalid, "governor.target"},
		"beyond a number":   {with(target, `target = "1e400/h"`), exitInvalid, "governor.target"},
		"unknown key":       {with(target, target+"\nsecret = 1"), exitInvalid, `unknown key "secret"`},
		"key twice":         {with(target, target+"\n"+target), exitInvalid, "parameters:"},
		"unknown table":     {with("[retry]", "[network]\nhops = 1\n\n[retry]"), exitInvalid, "network"},
		"no table":          {replaced(quoted(parameters), `"x = ["`), exitInvalid, "parameters:"},
		"unknown law":       {with(`law = "patent-dynamic"`, `law = "../../etc/passwd"`), exitInvalid, "governor.law"},
		"path for a number": {with(target, `target = "../../x"`), exitInvalid, "governor.target"},
		"faults of measuring": {with("[retry]", "[[governor.fault]]\ninterval = 3\nkind = \"missed\"\n\n[retry]"),
			exitRefused, "faults of measurement are for rehearsals"},
		"colour":         {replaced(`"by":"ann"`, `"by":"\u001b[31mann"`), exitInvalid, "by: got"},
		"turned writing": {replaced(`"note":"why"`, "\"note\":\"\u202ewhy\""), exitInvalid, "note: got"},
		"line separator": {replaced(`"note":"why"`, "\"note\":\"a\\u2028b\""), exitInvalid, "note: got"},
		"turned metric":  {replaced(`"metric":"dfr"`, "\"metric\":\"\u2066dfr\""), exitInvalid, "metric: got"},
		"turned in comments": {replaced(quoted(parameters), `"# `+"\u202e"+`\n`+quoted(parameters)[1:]), exitInvalid,
			"parameters: got"},
		"a path as scenario": {replaced(`"scenario":"quickstart"`, `"scenario":"`+strings.Repeat("../", 40)+`"`),
			exitInvalid, "shown.scenario: got"},
		"a long note": {replaced(`"note":"why"`, `"note":"`+strings.Repeat("x", 1<<20)+`"`), exitInvalid, "note: got"},
		"wrong chain": {replaced(`"previous":""`, `"previous":"`+strings.Repeat("0", 64)+`"`), exitInvalid,
			"the chain is broken"},
		"wrong number":  {replaced(`"number":1`, `"number":2`), exitInvalid, "the chain is broken"},
		"unknown field": {replaced(`"number":1`, `"number":1,"admin":true`), exitInvalid, "unknown field"},
		"expired": {strings.NewReplacer(at0, stamp(good.At.Add(-2*time.Hour)), expires,
			stamp(good.Expires.Add(-2*time.Hour))).Replace(body), exitRefused, "expired at"},
		"of the future": {strings.NewReplacer(at0, stamp(good.At.Add(2*time.Hour)), expires,
			stamp(good.Expires.Add(2*time.Hour))).Replace(body), exitRefused, "one of the clocks is wrong"},
		"for ever": {strings.Replace(body, expires, stamp(good.Expires.AddDate(5, 0, 0)), 1), exitInvalid,
			"expires: got"},
		"infinite measure": {replaced(`"high":1.5`, `"high":1e999`), exitInvalid, "jsonl:1:"},
		"fewer runs": {replaced(`"replications":10`, `"replications":-10`), exitInvalid,
			"shown.replications: got -10"},
	} {
		text, sum := seal(v.body)
		os.WriteFile(in("p.jsonl"), text, 0o644)
		os.WriteFile(in("p.jsonl.head"), fmt.Appendf(nil, "flyball promotion head 1\n1 %s\n", sum), 0o644)
		before := got.sessions.Load()
		code, out, errout := invoke(t, "realrun", "-q", in("live.toml"), "--promotion", in("p.jsonl"), "--receiver", at,
			"--out", in("out"), "--force", "--set", "campaign[0].recipients=1")
		dialled := got.sessions.Load() > before
		if code != v.code || dialled != (v.code == 0) || !strings.Contains(out+errout, v.words) {
			t.Errorf("%s: exit code %d, dialled %v: %.600s%.600s\nwant %d, %s", what, code, dialled, out, errout,
				v.code, v.words)
		}
		if code != 0 && (strings.ContainsFunc(errout, func(r rune) bool { return r < ' ' && r != '\n' }) ||
			strings.ContainsAny(errout, "\u202e\u2066\u2028") || len(errout) > 4000) {
			t.Errorf("%s: the message has control characters, or %d bytes: %.300q", what, len(errout), errout)
		}
	}
	// The head of another chain, in its file and on the command line.
	os.WriteFile(in("p.jsonl"), line, 0o644)
	other, _ := os.ReadFile(in("good.jsonl.head"))
	os.WriteFile(in("p.jsonl.head"), bytes.Replace(other, []byte(good.Sum), []byte(strings.Repeat("a", 64)), 1), 0o644)
	for _, args := range [][]string{nil, {"--head", strings.Repeat("b", 64)}} {
		code, out, errout := invoke(t, append([]string{"realrun", "-q", in("live.toml"), "--promotion", in("p.jsonl"),
			"--receiver", at, "--out", in("out"), "--force"}, args...)...)
		if code != exitInvalid || !strings.Contains(errout, "the last record ") || !strings.Contains(errout, good.Sum) {
			t.Errorf("a head of another chain: exit code %d: %s%s", code, out, errout)
		}
	}
}
