package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// edit replaces texts in a file, each of which must be there.
func edit(t *testing.T, file string, oldNew ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(string(text), oldNew[i]) {
			t.Fatalf("%s: no %q", file, oldNew[i])
		}
	}
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldNew...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// decided returns C after each decision that a governor logged.
func decided(t *testing.T, log string) (all []float64) {
	t.Helper()
	for line := range strings.Lines(log) {
		var v struct {
			Msg       string
			Processes float64
		}
		if json.Unmarshal([]byte(line), &v) == nil && v.Msg == "the governor decides" {
			all = append(all, v.Processes)
		}
	}
	return all
}

// One governor in a process of its own raises C of two B servers, by the receiver's count of messages at the same time.
// While it is dead they mail on with the C that they have, and it goes on with the C that it had ([0063], [0064]).
func TestOneGovernorOfASite(t *testing.T) {
	t.Parallel()
	const recipients = 300
	f := newSite(t, recipients, 100*time.Millisecond, 20*time.Second)
	ledger, file := f.ledger, f.file
	edit(t, filepath.Join(filepath.Dir(file), "scenario.toml"), "name = \"two\"\n",
		"name = \"two\"\nhorizon = \"1h\"\n", "law = \"hold\"\nstart = 10\n", `law = "patent-damped"
scope = "cluster"
start = 1
max = 6
step = "explicit"
d = 2
interval = "1s"
`)
	if p := begin(t, "serve", file, "--check"); p.ends(t) != 3 || !strings.Contains(p.text(), "want both or neither") {
		t.Fatalf("got %d: %s, want a governor to be missed", p.ProcessState.ExitCode(), p.text())
	}
	edit(t, file, "[[station]]\nrole = \"a\"\n", "[[station]]\nrole = \"governor\"\n\n[[station]]\nrole = \"a\"\n")
	for _, args := range [][]string{{"serve", "keys", file}, f.submit} {
		if p := begin(t, args...); p.ends(t) != 0 {
			t.Fatal(p.text())
		}
	}
	for _, name := range []string{"broker", "a", "b1", "b2"} {
		begin(t, "serve", file, "--role", name)
	}
	govern := func() *process { return begin(t, "serve", file, "--role", "governor") }
	first := govern()
	first.until(t, "C has risen", func() bool { return ledger.atOnce() > 2 })
	first.Process.Kill()
	first.ends(t)
	before := decided(t, first.text())
	mailed := ledger.all()
	second := govern()
	second.until(t, "mail without the governor", func() bool { return ledger.all() > mailed })
	second.until(t, "a decision", func() bool { return len(decided(t, second.text())) > 0 })
	after := decided(t, second.text())
	if len(before) == 0 || after[0] <= 2 {
		t.Errorf("got C %v and after a stop %v, want the second governor to go on above 2", before, after)
	}
	second.until(t, "all mail", func() bool { return ledger.all() == recipients })
	// C of both servers is at most 12. One whose part of it falls ends its messages first, while the other begins more
	// ([0070]): a few above 12. Two servers that had all of C each would have 24.
	if most := ledger.atOnce(); most > 18 {
		t.Errorf("got %d messages at the same time, want about 12, the C of both servers", most)
	}
}
