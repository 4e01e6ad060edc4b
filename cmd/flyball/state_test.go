package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// half begins a mailing of 60 recipients to a receiver and stops it when some have their messages. It returns the
// arguments that go on with it, but for the folders.
func half(t *testing.T, dir, state string, got *stranger, at string, more ...string) []string {
	t.Helper()
	scenario, letter := filepath.Join(dir, "live.toml"), filepath.Join(dir, "letter.txt")
	os.WriteFile(scenario, []byte(oneDestination), 0o644)
	os.WriteFile(letter, []byte("From: news@sender.example\nSubject: hello\n\nHello\n"), 0o644)
	args := append([]string{"realrun", "-q", scenario, "--receiver", at, "--template", letter, "--set",
		"campaign[0].recipients=60", "--set", "campaign[0].processes=2"}, more...)
	got.wait = 10 * time.Millisecond
	ended := make(chan int)
	go func() {
		ended <- invokeTo(io.Discard, io.Discard, append(args, "--state",
			state, "--out", state+".out"))
	}()
	for got.got.Load() < 10 {
		select {
		case code := <-ended:
			t.Fatalf("exit code %d before 10 messages", code)
		case <-time.After(time.Millisecond):
		}
	}
	invoke(t, "realrun", "cancel", state)
	if code := <-ended; code != exitTerminated {
		t.Fatalf("exit code %d, want %d", code, exitTerminated)
	}
	return args
}

// Whatever becomes of a file in the folder of a mailing, the mailing goes on and each recipient has one message, or
// the run is refused with the file before anything is sent.
func TestStateIsAudited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, at := receive(t, "127.0.0.1")
	state, other := filepath.Join(dir, "state"), filepath.Join(dir, "other")
	args := half(t, dir, state, got, at)
	if code, _, errout := invoke(t, append(args, "--state", state, "--resume", "--set",
		"campaign[0].recipients=61")...); code != exitUsage {
		t.Errorf("another scenario: exit code %d: %s", code, errout)
	}
	sent := got.got.Load()
	os.Remove(filepath.Join(state, "control")) // a socket is not copied
	another, elsewhere := receive(t, "127.0.0.1")
	half(t, dir, other, another, elsewhere)
	var files []string
	filepath.WalkDir(state, func(path string, d os.DirEntry, _ error) error {
		if name, _ := filepath.Rel(state, path); !d.IsDir() && d.Type().IsRegular() {
			files = append(files, name)
		}
		return nil
	})
	if len(files) < 3 {
		t.Fatalf("got files %v, want the mailing, its facts and masters", files)
	}
	of := func(folder, name string) string { // the file with the same place in a mailing
		if filepath.Dir(name) == "masters" {
			all, _ := filepath.Glob(filepath.Join(folder, "masters", "*"))
			return all[0]
		}
		return filepath.Join(folder, name)
	}
	damages := []struct {
		name string
		do   func(state, name string) error
	}{
		{"deleted", func(state, name string) error { return os.Remove(filepath.Join(state, name)) }},
		{"emptied", func(state, name string) error { return os.Truncate(filepath.Join(state, name), 0) }},
		{"cut", func(state, name string) error {
			text, err := os.ReadFile(filepath.Join(state, name))
			if err != nil {
				return err
			}
			return os.Truncate(filepath.Join(state, name), int64(len(text)/2))
		}},
		{"changed", func(state, name string) error {
			text, err := os.ReadFile(filepath.Join(state, name))
			if err != nil {
				return err
			}
			text[len(text)/3] ^= 1
			return os.WriteFile(filepath.Join(state, name), text, 0o600)
		}},
		{"of another mailing", func(state, name string) error {
			text, err := os.ReadFile(of(other, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(state, name), text, 0o600)
		}},
		{"a folder", func(state, name string) error {
			os.Remove(filepath.Join(state, name))
			return os.Mkdir(filepath.Join(state, name), 0o700)
		}},
		{"a link to nothing", func(state, name string) error {
			os.Remove(filepath.Join(state, name))
			return os.Symlink("nothing", filepath.Join(state, name))
		}},
		{"doubled", func(state, name string) error {
			text, err := os.ReadFile(filepath.Join(state, name))
			if err != nil {
				return err
			}
			twin := name + ".copy"
			if strings.HasPrefix(name, "facts-") {
				twin = "facts-00000002"
			}
			return os.WriteFile(filepath.Join(state, twin), text, 0o600)
		}},
	}
	refused := 0
	for _, name := range files {
		for i, d := range damages {
			t.Run(filepath.Base(name)[:5]+" "+d.name, func(t *testing.T) {
				copied := filepath.Join(t.TempDir(), "state")
				if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
					t.Fatal(err)
				}
				if err := d.do(copied, name); err != nil {
					t.Fatal(err)
				}
				before := got.got.Load()
				code, out, errout := invoke(t, append(args, "--state", copied, "--resume", "--out",
					filepath.Join(dir, fmt.Sprint("out", i, filepath.Base(name))))...)
				more := got.got.Load() - before
				switch {
				case code == 0 && more == 60-sent:
				case code == exitInvalid || code == exitUsage || code == exitEnvironment:
					refused++
					same := strings.TrimSuffix(name, "1") // or its twin
					if more > 0 || !strings.Contains(errout, filepath.Join(copied, same)) {
						t.Errorf("exit code %d, %d sent, want the file and the reason: %s", code, more, errout)
					}
					t.Log(strings.ReplaceAll(errout, copied, "STATE"))
				default:
					t.Errorf("exit code %d, %d sent after %d of 60: %s%s", code, more, sent, out, errout)
				}
			})
		}
	}
	if refused < 8 {
		t.Errorf("got %d refusals, want those of the mailing and of its facts", refused)
	}
}

// A live run replaces the folder of no other one, not of the same command either, without --force; a mailing that goes
// on replaces its own, whatever its time scale is now.
func TestALiveRunReplacesItsOwnFolderAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, at := receive(t, "127.0.0.1")
	state := filepath.Join(dir, "state")
	args := half(t, dir, state, got, at)
	again := slices.Clip(append(args, "--out", state+".out"))
	for _, v := range []struct {
		name string
		code int
		more []string
	}{
		{"another mailing", exitUsage, nil},
		{"another mailing that is kept", exitUsage, []string{"--state", filepath.Join(dir, "new")}},
		{"the mailing goes on", 0, []string{"--state", state, "--resume", "--time-scale", "2"}},
		{"it has ended", 0, []string{"--state", state, "--resume"}},
		{"the same again", exitUsage, nil},
		{"by force", 0, []string{"--force"}},
		{"the same after force", exitUsage, nil},
	} {
		before := got.got.Load()
		code, _, errout := invoke(t, append(again, v.more...)...)
		if code != v.code || code != 0 && (got.got.Load() > before || !strings.Contains(errout, "of another run") ||
			!strings.Contains(errout, "--force to replace it")) {
			t.Errorf("%s: exit code %d, want %d: %s", v.name, code, v.code, errout)
		}
	}
}

// Who asks for nothing while a mailing is stopped gets nothing when it goes on. The list of those only grows.
func TestALateWishIsHeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, at := receive(t, "127.0.0.1")
	in := func(name string) string { return filepath.Join(dir, name) }
	state, people, wishes := in("state"), in("people.csv"), in("wishes.txt")
	rows := "email\n"
	for i := range 60 {
		rows += fmt.Sprintf("p%d@example.com\n", i)
	}
	os.WriteFile(people, []byte(rows), 0o644)
	wish := func(all ...string) { os.WriteFile(wishes, []byte(strings.Join(all, "\n")), 0o644) }
	wish("p1@example.com")
	args := slices.Clip(half(t, dir, state, got, at, "--list", people, "--suppress", wishes))
	sent := got.got.Load()
	goOn := slices.Clip(append(args, "--state", state, "--resume", "--out", filepath.Join(dir, "out")))
	wish("p59@example.com")
	if code, _, errout := invoke(t, goOn...); code != exitUsage || !strings.Contains(errout, "without p1@example.com") {
		t.Errorf("a list without an entry: exit code %d: %s", code, errout)
	}
	wish()
	if code, _, errout := invoke(t, goOn...); code != exitUsage || got.got.Load() > sent {
		t.Errorf("an empty list: exit code %d: %s", code, errout)
	}
	wish("p59@example.com", "P58@example.com", "p1@example.com", "p0@example.com", "stranger@elsewhere.example")
	code, out, errout := invoke(t, goOn...)
	if code != 0 || !strings.Contains(out, "Suppressed since the mailing began: 2 recipients, who got nothing") ||
		!strings.Contains(out, "57 delivered") {
		t.Errorf("a list that has grown: exit code %d: %s%s", code, out, errout)
	}
	for _, who := range []string{"p1@example.com", "p58@example.com", "p59@example.com"} {
		if n := got.to[who]; n > 0 {
			t.Errorf("%s: got %d attempts, want none", who, n)
		}
	}
	if n := got.got.Load(); n != 57 || got.to["p0@example.com"] != 1 {
		t.Errorf("got %d messages, %d of them to the first, want 57 and 1", n, got.to["p0@example.com"])
	}
	raw, _ := os.ReadFile(filepath.Join(dir, "out", "recipients.csv"))
	if n := strings.Count(string(raw), ",suppressed,"); n != 3 {
		t.Errorf("got %d recipients suppressed in recipients.csv, want 3", n)
	}
	wish("p59@example.com", "p1@example.com", "p0@example.com")
	code, _, errout = invoke(t, goOn...)
	if code != exitUsage || !strings.Contains(errout, "without p58@example.com") {
		t.Errorf("a list that shrinks again: exit code %d: %s", code, errout)
	}
	first := filepath.Join(state, "suppression")
	os.WriteFile(first, []byte("p2@example.com\n"), 0o600)
	if code, _, errout := invoke(t, goOn...); code != exitInvalid || !strings.Contains(errout, first) {
		t.Errorf("another list in the folder: exit code %d: %s", code, errout)
	}
	if got.got.Load() != 57 {
		t.Errorf("got %d messages, want 57", got.got.Load())
	}
}
