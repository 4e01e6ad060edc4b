package main

import (
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

// Results that cannot be those of their scenario are not promoted, whatever
// digests they have.
func TestPromotedResultsAreOfTheirScenario(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(in("world.toml"), []byte(sweepWorld+"\n[[expect]]\nmetric = \"delivered\"\nop = \">=\"\nvalue = 1\n"),
		0o644)
	if code, _, errout := invoke(t, "run", "-q", in("world.toml"), "--set", "analysis.kind=terminating",
		"--replications", "10", "--out", in("out")); code != 0 {
		t.Fatal(errout)
	}
	whole, err := os.ReadFile(in("out/summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(in("out/manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	for _, change := range []func(){
		func() { all["replications"] = -5 },
		func() { all["expectations"] = []any{} },
	} {
		if err := json.Unmarshal(whole, &all); err != nil {
			t.Fatal(err)
		}
		change()
		forged, _ := json.Marshal(all)
		os.WriteFile(in("out/summary.json"), forged, 0o644)
		sums := strings.ReplaceAll(string(manifest), fmt.Sprintf("%x", sha256.Sum256(whole)),
			fmt.Sprintf("%x", sha256.Sum256(forged)))
		os.WriteFile(in("out/manifest.json"), []byte(sums), 0o644)
		if code, _, errout := invoke(t, "promote", in("out"), "--by", "ann", "--record",
			in("p.jsonl")); code != exitInvalid || !strings.Contains(errout, "as in the scenario") {
			t.Errorf("exit code %d: %s", code, errout)
		}
	}
}

// A live run takes no parameters from a chain that lost its last record, unless
// the operator names the one that shall be the last.
func TestLiveRunsWantTheLastPromotion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	os.WriteFile(in("live.toml"), []byte(oneDestination), 0o644)
	def := scenarios.Default()
	var sums []string
	for _, by := range []string{"ann", "bob"} {
		rec := promotion.Record{By: by, Shown: promotion.Shown{Scenario: "quickstart", Replications: 10},
			Parameters: string(def.Parameters().TOML())}
		rec, err := promotion.Add(in("p.jsonl"), "", rec, time.Now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, rec.Sum)
	}
	live := func(want int, words string, args ...string) {
		t.Helper()
		code, out, errout := invoke(t, append([]string{"realrun", "-q", in("live.toml"), "--promotion", in("p.jsonl"),
			"--out", in("out"), "--force"}, args...)...)
		if code != want || !strings.Contains(out+errout, words) {
			t.Errorf("exit code %d, want %d: %s%s", code, want, out, errout)
		}
	}
	live(0, "of promotion 2 in ")
	live(0, "--head "+sums[1], "--head", strings.ToUpper(sums[1])) // which the command that makes it again has too
	live(exitInvalid, "the sum of promotion 1: 1 came after it", "--head", sums[0])
	text, _ := os.ReadFile(in("p.jsonl"))
	os.WriteFile(in("p.jsonl"), text[:strings.Index(string(text), "\n")+1], 0o644)
	live(exitInvalid, "the last record is number 1 of SHA-256 "+sums[0])
	live(0, "of promotion 1 in ", "--head", sums[0])
	os.Remove(in("p.jsonl.head"))
	live(exitRefused, "no head")
}

// The record in force is exported for another mail system, and none that has expired or is unknown.
func TestPromotionsAreExported(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	def := scenarios.Default()
	rec, err := promotion.Add(file, "", promotion.Record{By: "ann", Shown: promotion.Shown{Scenario: "quickstart",
		Replications: 10}, Parameters: string(def.Parameters().TOML())}, time.Now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		code  int
		words string
		args  []string
	}{
		{0, "additional_message_rate_throttles = { \"flyball\" = \"140000/h\" }", []string{"--export", "kumomta"}},
		{0, "minimal_backoff_time = 1800s", []string{"--export", "postfix", "--head", rec.Sum}},
		{0, "# Its record has SHA-256 " + rec.Sum, []string{"--export", "postfix"}},
		{exitInvalid, "the last record has SHA-256", []string{"--export", "postfix", "--head",
			strings.Repeat("0", 64)}},
		{exitUsage, `--export: got "exim", want kumomta or postfix`, []string{"--export", "exim"}},
		{exitUsage, "want neither", []string{"--export", "postfix", "--check"}},
		{exitUsage, "want neither", []string{"--export", "postfix", "folder"}},
	} {
		code, out, errout := invoke(t, append([]string{"promote", "--record", file}, v.args...)...)
		if code != v.code || !strings.Contains(out+errout, v.words) {
			t.Errorf("%v: exit code %d, want %d: %s%s, want %s", v.args, code, v.code, out, errout, v.words)
		}
	}
	_, usual, _ := invoke(t, "promote", "--record", file, "--export", "postfix")
	chain, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a b.jsonl", "-x.jsonl", "a\nb = c.jsonl",
		"\"q\" 'q' $x;#.jsonl", "\x1b[2J\xff.jsonl"} {
		odd := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(odd, chain, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errout := invoke(t, "promote", "--record", odd, "--export", "postfix", "--head", rec.Sum)
		if code != 0 || out != usual {
			t.Errorf("from %q: exit code %d: %s%s, want what any file gives", name, code, out, errout)
		}
		code, out, errout = invoke(t, "promote", "--record", odd, "--export", "postfix") // which has no head beside it
		if code != exitRefused || strings.Contains(out+errout, "\x1b") {
			t.Errorf("from %q: exit code %d: %q", name, code, out+errout)
		}
	}
	os.Remove(file)
	os.Remove(file + ".head")
	if code, _, errout := invoke(t, "promote", "--record", file, "--export", "postfix"); code == 0 {
		t.Errorf("nothing is in force, and it is exported: %s", errout)
	}
}
