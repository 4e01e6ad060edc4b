package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/realrun/depot"
	"flyball/realrun/mailing"
)

// write writes a file below a folder.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// A folder has one process at a time, and a journal that another station wrote is refused.
func TestFoldersAreLocked(t *testing.T) {
	dir := t.TempDir()
	s, err := sites.Load(write(t, dir, "site.toml", fmt.Sprintf(site9, "127.0.0.1:2525")), nil)
	if err != nil {
		t.Fatal(err)
	}
	lockedBy := filepath.Join(dir, "state", "a")
	if err := durable.Files(lockedBy).Make(); err != nil {
		t.Fatal(err)
	}
	lock, err := durable.TryLockFolder(lockedBy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), s, quiet()); err == nil || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("got %v, want a folder that is used", err)
	}
	lock.Release()
}

// Recipients of two mailings have the letters and the return paths of their own, and places one after the other.
func TestLettersOfTwoMailings(t *testing.T) {
	s, _, err := (&task.Source{Arg: "quickstart"}).Load()
	if err != nil {
		t.Fatal(err)
	}
	var l letters
	for i, name := range []string{"ann", "bob"} {
		k := depot.Keys{Job: engine.Job(i + 1), First: mail.Recipient(i), Recipients: 1, Date: time.Unix(0, 0),
			Secret: mail.Key{byte(i + 1)}}
		m, err := mailing.New(s, rng.New(s.Seed, 0), mailing.Source{ListName: "people.csv", Key: k.Secret, Date: k.Date,
			List: strings.NewReader("email\n" + name + "@big.example\n")})
		if err != nil {
			t.Fatal(err)
		}
		l.add(letterOf{keys: k, mailing: m})
	}
	for i, name := range []string{"ann", "bob"} {
		if to, _ := l.Letter(mail.Recipient(i), nil); to != name+"@big.example" {
			t.Errorf("place %d: got %s, want %s", i, to, name)
		}
		key := mail.Key{byte(i + 1)}
		if r, try, ok := key.ParseVERP(l.Returns(mail.Recipient(i), 3, "x.example")); r != 0 || try != 3 || !ok {
			t.Errorf("place %d: got recipient %d, try %d, %v, want the first one of its own mailing", i, r, try, ok)
		}
	}
	if l.find(2) == nil || l.find(3) != nil {
		t.Error("got another mailing than those that were added")
	}
	l.add(letterOf{keys: depot.Keys{Job: 4, First: 2, Recipients: 3}})
	l.add(letterOf{keys: depot.Keys{Job: 3, First: 2}}) // without recipients
	for r, job := range []engine.Job{1, 2, 4, 4, 4} {
		if m, own := l.of(mail.Recipient(r)); m.keys.Job != job || own != mail.Recipient(r)-m.keys.First {
			t.Errorf("place %d: got place %d of mailing %d, want mailing %d", r, own, m.keys.Job, job)
		}
	}
	for _, v := range []struct {
		from, to mail.Recipient
		want     bool
	}{{1, 2, true}, {0, 1, false}, {0, 2, false}, {1, 3, false}, {2, 3, false}} {
		if got := l.find(2).covers(engine.PackParts([]engine.Part{{From: v.from, To: v.to}})); got != v.want {
			t.Errorf("mailing 2 covers the places from %d to below %d: got %v", v.from, v.to, got)
		}
	}
}

// A subset with places that its mailing does not have here does not come to the role, and is said once.
func TestStrangeSubsetIsNotTaken(t *testing.T) {
	var said strings.Builder
	s := &delivering{member: &member{log: slog.New(slog.NewTextHandler(&said, nil))}, said: map[engine.Job]string{}}
	s.letters.add(letterOf{keys: depot.Keys{Job: 1, First: 5, Recipients: 2}})
	for range 3 { // it is transferred again and again; there is no role that could take it
		s.receive(engine.Message{Body: engine.Transfer{Subset: engine.Subset{Job: 1},
			Part: engine.PackParts([]engine.Part{{From: 6, To: 8}})}})
	}
	if n := strings.Count(said.String(), "a mailing cannot be had"); n != 1 {
		t.Errorf("said %d times, want once: %s", n, said.String())
	}
}

// What a station writes after it was killed does not come to its disk.
func TestKilledWritesNothing(t *testing.T) {
	dir := t.TempDir()
	disk := cuttable{Disk: durable.Files(dir)}
	f, err := disk.Create("facts")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, before := f.Write([]byte("before"))
	disk.cut.Store(true)
	_, after := f.Write([]byte("after"))
	if _, err := disk.Create("more"); before != nil || !errors.Is(after, errCut) || !errors.Is(err, errCut) {
		t.Errorf("got %v, %v and %v, want errors after the cut alone", before, after, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "facts")); string(text) != "before" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// A process ends with the reason of the station that failed, and its kind: a computer may mend itself, a right that is
// missing does not.
func TestWhyAProcessEnds(t *testing.T) {
	dir := t.TempDir()
	s, err := sites.Load(write(t, dir, "site.toml", fmt.Sprintf(site9, "127.0.0.1:2525")), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), s, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.clients = nil // so the depot knows no token
	var wrong task.Error
	if err := p.Run(t.Context()); !errors.As(err, &wrong) || wrong.Kind != task.Refused ||
		!errors.Is(err, depot.ErrRefused) {
		t.Errorf("got %v, want a station that is refused for safety", err)
	}
}

// What fails is tried again, and each reason is said once in a row; an error that has a kind ends it.
func TestRepeat(t *testing.T) {
	var said strings.Builder
	m := &member{log: slog.New(slog.NewTextHandler(&said, nil))}
	away, broken := errors.New("away"), task.Fail(task.Invalid, "damaged")
	results := []error{away, away, nil, nil, away, errIdle, away, fmt.Errorf("it is %w", broken)}
	calls := 0
	err := m.repeat(t.Context(), time.Millisecond, "no answer", func(context.Context) error {
		calls++
		return results[calls-1]
	})
	if calls != len(results) || !errors.Is(err, broken) {
		t.Errorf("got %v after %d calls, want the error of call %d", err, calls, len(results))
	}
	if n := strings.Count(said.String(), "away"); n != 3 {
		t.Errorf("said %d times, want once for each time that the other was away: %s", n, said.String())
	}
}
