package requests

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flyball/engine"
	"flyball/engine/inbox"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

var testKey, otherKey = mail.Key{1}, mail.Key{2}

// A recipient leaves once, however often that is asked for, returns, and may leave again; all of that is there after a
// stop, and who reads the folder sees it.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "news", "requests")
	gone, err := ReadFolder(dir, testKey)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []struct {
		do      func(*Folder) (bool, error)
		changed bool
		out     bool
	}{
		{func(f *Folder) (bool, error) { return f.Return(t.Context(), 7) }, false, false},
		{func(f *Folder) (bool, error) { return f.Leave(t.Context(), 7) }, true, true},
		{func(f *Folder) (bool, error) { return f.Leave(t.Context(), 7) }, false, true},
		{func(f *Folder) (bool, error) { return f.Agree(t.Context(), 7, true) }, false, true},
		{func(f *Folder) (bool, error) { return false, f.Ask(t.Context(), 7, true) }, false, true},
		{func(f *Folder) (bool, error) { return f.Agree(t.Context(), 7, true) }, true, false},
		{func(f *Folder) (bool, error) { return f.Leave(t.Context(), 7) }, true, true},
		{func(f *Folder) (bool, error) { return f.Agree(t.Context(), 7, true) }, false, true}, // an old confirmation
		{func(f *Folder) (bool, error) { return f.Return(t.Context(), 7) }, true, false},
		{func(f *Folder) (bool, error) { return f.Return(t.Context(), 7) }, false, false},
	} {
		f, err := OpenFolder(dir, testKey, false)
		if err != nil {
			t.Fatal(err)
		}
		changed, err := v.do(f)
		if err != nil || changed != v.changed {
			t.Errorf("step %d: changed %v, %v, want %v", i, changed, err, v.changed)
		}
		if err := gone.update(); err != nil || gone.Has(7) != v.out || gone.Has(8) {
			t.Errorf("step %d: gone %v, %v, want %v", i, gone.Has(7), err, v.out)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpenFolder(dir, otherKey, false); err == nil {
		t.Error("another mailing uses the folder")
	}
	f, err := OpenFolder(dir, testKey, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := OpenFolder(dir, testKey, false); err == nil {
		t.Error("two servers use the folder")
	}
}

// Who follows a folder sees each change soon, though files grow by zeros before they are written.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	gone, err := ReadFolder(dir, testKey)
	if err != nil {
		t.Fatal(err)
	}
	go gone.Follow(t.Context())
	f, err := OpenFolder(dir, testKey, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := mail.Recipient(0); r < 20; r++ {
		if _, err := f.Leave(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); !gone.Has(r); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("recipient %d is not gone after a minute", r)
			}
		}
	}
}

// A server that stops and begins again does not disturb who follows its folder: no look at it fails, and each
// recipient who has left stays away.
func TestFollowAcrossStops(t *testing.T) {
	dir := t.TempDir()
	gone, err := ReadFolder(dir, testKey)
	if err != nil {
		t.Fatal(err)
	}
	over, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for before := 0; ; {
			select {
			case <-over:
				return
			default:
			}
			if err := gone.update(); err != nil {
				t.Errorf("a look: %v", err)
				return
			}
			n := len(gone.All())
			if n < before {
				t.Errorf("%d are gone, and %d were before", n, before)
			}
			before = n
		}
	}()
	for r := range mail.Recipient(longtest.Or(10, 200)) {
		f, err := OpenFolder(dir, testKey, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Leave(t.Context(), r); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	close(over)
	<-ended
}

// A folder that is damaged while it is followed is an error, and not an empty set.
func TestFollowDamage(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir, testKey, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Leave(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	gone, err := ReadFolder(dir, testKey)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "facts-00000001")
	if err := os.WriteFile(name, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "facts-00000002"), []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gone.Follow(t.Context()); err == nil || !gone.Has(1) {
		t.Errorf("got %v, gone %v, want an error and the recipient still gone", err, gone.Has(1))
	}
}

// late is a shell whose role hears from the sending server after some time, or never.
type late struct {
	*Role
	asked, hears int
}

func (l *late) Do(_ context.Context, f func(vt.Time, *engine.Outbox)) error {
	var out engine.Outbox
	f(0, &out)
	if l.asked++; l.asked == l.hears {
		_, all := l.Acknowledged()
		l.Receive(0, engine.Message{Body: engine.Got{UpTo: all}}, &out)
	}
	return nil
}

// Beside other desks each request is a change, and a return is one when the sending server has it; else it is taken
// back, after all.
func TestDesksBesideEachOther(t *testing.T) {
	for _, v := range []struct {
		hears   int // calls until the sending server answers; 0: never
		changed bool
		last    bool // the last change is an addition
	}{{5, true, true}, {0, false, false}} {
		l := &late{Role: NewRole(inbox.Default(engine.Address{Role: engine.Requests})), hears: v.hears}
		d := NewDesk(l.Role, l)
		d.Beside = 200 * time.Millisecond
		for range 2 {
			if changed, err := d.Leave(t.Context(), 7); !changed || err != nil {
				t.Errorf("got %v, %v, want a change", changed, err)
			}
		}
		changed, err := d.Return(t.Context(), 7)
		all := l.Changes(0)
		if changed != v.changed || (err == nil) != v.changed || all[len(all)-1].Add != v.last {
			t.Errorf("got %v, %v and the changes %v, want %v and a return last: %v", changed, err, all, v.changed,
				v.last)
		}
	}
}
