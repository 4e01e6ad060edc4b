package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// interrupter sends a signal to this process at the first line of progress.
type interrupter struct {
	bytes.Buffer
	sig  syscall.Signal
	sent bool
}

func (i *interrupter) Write(p []byte) (int, error) {
	if !i.sent {
		i.sent = true
		syscall.Kill(os.Getpid(), i.sig)
	}
	return i.Buffer.Write(p)
}

const endless = `
schema_version = 1
name = "endless"
horizon = "3650d"
time_scale = 100
[[destination]]
name = "a"
domain = "a.example"
rtt = "1ms"
dot = "5ms"
[[campaign]]
name = "c"
recipients = RECIPIENTS
`

// The first signal ends a run cleanly: a whole folder marked partial in which
// every recipient is accounted for.
func TestSignalLeavesAPartialFolder(t *testing.T) {
	for _, c := range []struct {
		command, recipients string
		sig                 syscall.Signal
		code                int
	}{
		{"run", "100000000", syscall.SIGINT, exitInterrupt},
		{"run", "100000000", syscall.SIGTERM, exitTerminated},
		{"realrun", "3000", syscall.SIGINT, exitInterrupt},
	} {
		dir := t.TempDir()
		scenario := filepath.Join(dir, "endless.toml")
		if err := os.WriteFile(scenario, []byte(strings.ReplaceAll(endless, "RECIPIENTS", c.recipients)), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		errout := interrupter{sig: c.sig}
		code := (&app{in: strings.NewReader(""), out: &out, errout: &errout}).run([]string{c.command, "--out", filepath.Join(dir, "out"), scenario})
		if code != c.code || !strings.Contains(errout.String(), "is marked partial") {
			t.Errorf("%s, %v: exit code %d, want %d: %s", c.command, c.sig, code, c.code, errout.String())
		}
		raw, err := os.ReadFile(filepath.Join(dir, "out", "summary.json"))
		if err != nil {
			t.Fatal(err)
		}
		var summary struct {
			Partial bool
			Totals  struct{ Recipients, Delivered, Failed, Suppressed, Pending, Ambiguous uint64 }
		}
		if err := json.Unmarshal(raw, &summary); err != nil {
			t.Fatal(err)
		}
		n := summary.Totals
		if !summary.Partial || n.Pending == 0 || n.Delivered == 0 || n.Recipients != n.Delivered+n.Failed+n.Suppressed+n.Pending+n.Ambiguous {
			t.Errorf("%s, %v: %+v", c.command, c.sig, summary)
		}
	}
}

// A stopped simulation that is resumed ends as one that never stopped.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join(dir, "endless.toml")
	if err := os.WriteFile(scenario, []byte(strings.ReplaceAll(endless, "RECIPIENTS", "1500000")), 0o644); err != nil {
		t.Fatal(err)
	}
	whole, partial, resumed := filepath.Join(dir, "whole"), filepath.Join(dir, "partial"), filepath.Join(dir, "resumed")
	if code, _, errout := invoke(t, "run", "-q", "--out", whole, scenario); code != 0 {
		t.Fatal(errout)
	}
	errout := interrupter{sig: syscall.SIGINT}
	if code := (&app{in: strings.NewReader(""), out: &bytes.Buffer{}, errout: &errout}).run([]string{"run", "--out", partial, scenario}); code != exitInterrupt {
		t.Fatalf("exit code %d: %s", code, errout.String())
	}
	if code, _, errout := invoke(t, "run", "-q", "--seed", "2", "--resume", partial, scenario); code != exitInvalid || !strings.Contains(errout, "the checkpoint is of scenario") {
		t.Errorf("another seed resumes: exit code %d: %s", code, errout)
	}
	if code, _, errout := invoke(t, "run", "-q", "--out", resumed, "--resume", partial, scenario); code != 0 {
		t.Fatal(errout)
	}
	for _, name := range []string{"summary.json", "intervals.csv", "manifest.json"} {
		a, err1 := os.ReadFile(filepath.Join(whole, name))
		b, err2 := os.ReadFile(filepath.Join(resumed, name))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between the whole run and the resumed one (%v, %v)", name, err1, err2)
		}
	}
}
