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
[[expect]]
metric = "dfr"
op = ">="
value = 1
`

// The first signal ends a run cleanly: a whole folder marked partial in which
// every recipient is accounted for.
func TestSignalLeavesAPartialFolder(t *testing.T) {
	for _, c := range []struct {
		command, recipients string
		sig                 syscall.Signal
		code                int
	}{
		{"run", "20000000", syscall.SIGINT, exitInterrupt},
		{"run", "20000000", syscall.SIGTERM, exitTerminated},
		{"realrun", "3000", syscall.SIGINT, exitInterrupt},
		{"realrun", "3000", syscall.SIGHUP, exitTerminated},
	} {
		dir := t.TempDir()
		scenario := filepath.Join(dir, "endless.toml")
		if err := os.WriteFile(scenario, []byte(strings.ReplaceAll(endless, "RECIPIENTS", c.recipients)),
			0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		errout := interrupter{sig: c.sig}
		code := invokeTo(&out, &errout, []string{c.command, "--out",
			filepath.Join(dir, "out"), scenario})
		if code != c.code || !strings.Contains(errout.String(), "is marked partial") {
			t.Errorf("%s, %v: exit code %d, want %d: %s", c.command, c.sig, code, c.code, errout.String())
		}
		raw, err := os.ReadFile(filepath.Join(dir, "out", "summary.json"))
		if err != nil {
			t.Fatal(err)
		}
		var summary struct {
			Partial      bool
			Expectations []struct{ OK *bool }
			Totals       struct{ Recipients, Delivered, Failed, Suppressed, Pending, Ambiguous uint64 }
		}
		if err := json.Unmarshal(raw, &summary); err != nil {
			t.Fatal(err)
		}
		n := summary.Totals
		if !summary.Partial || n.Pending == 0 || n.Delivered == 0 ||
			n.Recipients != n.Delivered+n.Failed+n.Suppressed+n.Pending+n.Ambiguous {
			t.Errorf("%s, %v: %+v", c.command, c.sig, summary)
		}
		if strings.Contains(out.String(), "\nNo verdict: this machine was too slow") {
			continue
		}
		if len(summary.Expectations) != 1 || summary.Expectations[0].OK != nil ||
			!strings.Contains(out.String(), "\nExpectations: not judged: the run was stopped\n") {
			t.Errorf("%s, %v: half a run has a verdict: %+v\n%s", c.command, c.sig, summary.Expectations, out.String())
		}
		if code, again, errout := invoke(t, "report", filepath.Join(dir, "out")); code != 0 ||
			!strings.Contains(again, "not judged\n") {
			t.Errorf("%s: exit code %d: %s%s", c.command, code, again, errout)
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
	if code := invokeTo(&bytes.Buffer{}, &errout, []string{"run", "--out",
		partial, scenario}); code != exitInterrupt {
		t.Fatalf("exit code %d: %s", code, errout.String())
	}
	if code, _, errout := invoke(t, "run", "-q", "--seed", "2", "--resume", partial, scenario); code != exitInvalid ||
		!strings.Contains(errout, "the checkpoint is of scenario") {
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

// A stopped run goes on in the folder that was named for it. One that has its
// name by default keeps what it holds: the name says that it is a part.
func TestResumeGoesOnInTheFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("endless.toml", []byte(strings.ReplaceAll(endless, "RECIPIENTS", "2000000")),
		0o644); err != nil {
		t.Fatal(err)
	}
	partial := func(folder string) bool {
		raw, err := os.ReadFile(filepath.Join(folder, "summary.json"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(raw, []byte(`"partial": true`))
	}
	stop := func(args ...string) (folder string) {
		var out bytes.Buffer
		errout := interrupter{sig: syscall.SIGINT}
		if code := invokeTo(&out, &errout, append([]string{"run", "endless.toml"}, args...)); code != exitInterrupt {
			t.Fatalf("exit code %d: %s", code, errout.String())
		}
		_, folder, _ = strings.Cut(out.String(), "\nFolder: ")
		return strings.TrimSpace(folder)
	}
	goOn := func(folder string, stays bool) (ended string) {
		code, out, errout := invoke(t, "run", "-q", "endless.toml", "--resume", folder)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errout)
		}
		if said := strings.Contains(out, "\nThe part that it goes on from stays in "+folder+"\n"); said != stays {
			t.Errorf("says that the part stays: %v, want %v\n%s", said, stays, out)
		}
		_, ended, _ = strings.Cut(out, "\nFolder: ")
		return strings.TrimSpace(ended)
	}

	named := stop("--out", "mine")
	if ended := goOn(named+"/", false); named != "mine" || ended != named || partial(named) {
		t.Errorf("%s goes on in %s, partial: %v", named, ended, partial(named))
	}
	if _, err := os.Stat(filepath.Join(named, "checkpoint")); err == nil {
		t.Error("the whole run still has a checkpoint")
	}
	if _, err := os.Stat("runs"); err == nil {
		if left, _ := os.ReadDir("runs"); len(left) > 0 {
			t.Errorf("and in %v", left)
		}
	}

	byDefault := stop()
	if ended := goOn(byDefault, true); ended == byDefault || !partial(byDefault) || partial(ended) {
		t.Errorf("%s goes on in %s", byDefault, ended)
	}

	if err := os.WriteFile(filepath.Join(stop("--out", "kept"), "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errout := invoke(t, "run", "-q", "endless.toml", "--resume", "kept"); code != exitEnvironment ||
		!strings.Contains(errout, "notes.txt") {
		t.Errorf("a folder that holds something else: exit code %d: %s", code, errout)
	}
}
