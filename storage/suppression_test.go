package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/internal/list"
	"flyball/internal/mail"
)

// What is confirmed was committed before: a process that is killed at the commit has confirmed nothing.
func TestSuppressionIsDurableBeforeItIsConfirmed(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		has := func() bool {
			v, err := s.Suppressed(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return v.Has(address(t, "ann@gone.example"))
		}
		if out, killed := run(t, "suppress", p.String(), "before the commit", "0"); !killed || out != "" || has() {
			t.Errorf("killed before the commit: %v, said %q, suppressed %v", killed, out, has())
		}
		if out, killed := run(t, "suppress", p.String(), "none", "0"); killed || out != "confirmed" || !has() {
			t.Errorf("said %q, suppressed %v", out, has())
		}
	})
}

// The set of a store and a suppression list decide alike.
func TestSuppressedAsTheListDecides(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		all := []string{"Ann@X.example", "*@spam.example", "@all.example", "müller.example", `"a b"@x.example`,
			"bob@x.example."}
		if n, err := s.Suppress(t.Context(), entries(t, all...)); err != nil || n != len(all) {
			t.Fatal(n, err)
		}
		if n, err := s.Suppress(t.Context(), entries(t, "ANN@x.example", "spam.example", "new.example")); err != nil ||
			n != 1 {
			t.Errorf("%d are new, want 1: %v", n, err)
		}
		set, err := list.ReadSuppression(strings.NewReader(strings.Join(append(all, "new.example"), "\n")), "stop.txt")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Suppressed(t.Context())
		if err != nil || got.Len() != set.Len() {
			t.Fatalf("%d entries, want %d: %v", got.Len(), set.Len(), err)
		}
		for _, a := range []string{"ann@x.example", "aNN@x.example", "ann@y.example", "x@spam.example",
			"x@sub.spam.example", "x@all.example", "x@müller.example", "x@xn--mller-kva.example", `"A b"@x.example`,
			"bob@x.example", "rob@x.example", "x@new.example"} {
			if a := address(t, a); got.Has(a) != set.Has(a) {
				t.Errorf("%s: %v, want %v", a, got.Has(a), set.Has(a))
			}
		}
	})
}

// A suppression of another process reaches the set.
func TestFollow(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		v, err := s.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Follow(ctx, v) }()
		run(t, "suppress", p.String(), "none", "0")
		began := time.Now()
		for !v.Has(address(t, "ann@gone.example")) {
			if time.Since(began) > 30*time.Second {
				t.Fatal("it does not come")
			}
			time.Sleep(time.Millisecond)
		}
		t.Logf("after %v", time.Since(began))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// A store that does not answer must not be taken for one that has nothing new.
		s.Close()
		if err := s.Follow(t.Context(), v); err == nil {
			t.Error("a closed store is followed")
		}
	})
}

// A forgotten person is in no list and no record, and in no list that is imported later; the others are as before.
func TestForget(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		l, _, _, err := imported(s, people, Import{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := imported(s, "email\nbob@gmail.com\n", Import{Name: "other"}); err != nil {
			t.Fatal(err)
		}
		run(t, "import", p.String(), "after the commit", "1", "partly")
		id, err := s.BeginJob(t.Context(), Job{Mailing: "m1", Name: "week", List: l.Name, Recipients: 2})
		if err != nil {
			t.Fatal(err)
		}
		ann, bob := address(t, "ann@x.example"), address(t, "bob@gmail.com")
		outcomes := []Outcome{{0, ann, "delivered"}, {1, bob, "failed"}}
		if err := s.Record(t.Context(), id, outcomes); err != nil {
			t.Fatal(err)
		}
		part, _, err := find(t.Context(), s.db, "partly", false)
		if err != nil || part.People == 0 {
			t.Fatalf("%+v: %v", part, err)
		}
		if found, err := s.Forget(t.Context(), address(t, "user7@x.example")); err != nil || found.Rows != 1 {
			t.Errorf("%+v: %v", found, err)
		}
		if l, _, _, err := imported(s, many(30_000), Import{Name: "partly"}); err != nil || l.People != 30_000-60-1 {
			t.Errorf("%+v: %v", l, err)
		}
		found, err := s.Forget(t.Context(), address(t, "ANN@x.example"))
		if err != nil || found.Rows != 2 || found.History != 1 || fmt.Sprint(found.Lists) != "[people]" {
			t.Errorf("%+v: %v", found, err)
		}
		want := "Name,email,note\nBob,bob@gmail.com,\"says \"\"hi\"\"\"\nZoë,zoe@bücher.example,\"two\nlines\"\n"
		if got := export(t, s, "people"); got != want {
			t.Errorf("got %q", got)
		}
		if got := export(t, s, "other"); got != "email\nbob@gmail.com\n" {
			t.Errorf("got %q", got)
		}
		if h, err := s.History(t.Context(), ann); err != nil || len(h) != 0 {
			t.Errorf("%+v: %v", h, err)
		}
		// The journal of the mailing still has the person: recording it again does not bring the person back.
		if err := s.Record(t.Context(), id, outcomes); err != nil {
			t.Fatal(err)
		}
		if h, err := s.History(t.Context(), ann); err != nil || len(h) != 0 {
			t.Errorf("%+v: %v", h, err)
		}
		if h, err := s.History(t.Context(), bob); err != nil || len(h) != 1 || h[0].Outcome != "failed" {
			t.Errorf("%+v: %v", h, err)
		}
		if v, err := s.Suppressed(t.Context()); err != nil || !v.Has(ann) || v.Has(bob) {
			t.Errorf("ann %v, bob %v: %v", v.Has(ann), v.Has(bob), err)
		}
		later, _, rejects, err := imported(s, people, Import{Name: "later"})
		if err != nil || later.People != 2 || rejects[0].Reason != "person asked to be forgotten" {
			t.Errorf("%+v %+v: %v", later, rejects, err)
		}
		if _, _, _, err := imported(s, people, Import{}); err != nil {
			t.Errorf("the same file again: %v", err)
		}
		all, err := s.Audit(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ToLower(fmt.Sprint(all)); strings.Contains(text, "ann@x") {
			t.Errorf("the audit has the address: %s", text)
		}
	})
	t.Run("bytes", func(t *testing.T) { // SQLite keeps nothing of the text
		p := Place{File: filepath.Join(t.TempDir(), "store.db")}
		s := open(t, p)
		if _, _, _, err := imported(s, people, Import{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Forget(t.Context(), address(t, "bob@gmail.com")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{p.File, p.File + "-wal"} {
			if raw, err := os.ReadFile(name); err != nil || bytes.Contains(raw, []byte("bob@")) {
				t.Errorf("%s has the address: %v", name, err)
			}
		}
	})
}

// A person who is forgotten while a list is imported is not in it.
func TestForgetDuringImport(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		text := many(100_000)
		last := address(t, "user99999@x.example")
		once := sync.OnceFunc(func() {
			if _, err := s.Forget(t.Context(), last); err != nil {
				t.Error(err)
			}
		})
		in := Import{At: func(rows int) {
			if rows > 90_000 {
				once()
			}
		}}
		if _, _, _, err := imported(s, text, in); !errors.Is(err, ErrChanged) {
			t.Errorf("%v", err)
		}
		l, count, _, err := imported(s, text, Import{})
		if err != nil || count.In != 100_000 || strings.Contains(export(t, s, "people"), "user99999@") {
			t.Errorf("%+v: %v", l, err)
		}
	})
}

// BenchmarkSuppressed asks a set of a million people, as the gate does for each message.
func BenchmarkSuppressed(b *testing.B) {
	s := &Store{hash: &hasher{1, 2, 3}}
	v := s.newSuppressed()
	some := make([]mail.Address, 1<<12)
	for i := range 1_000_000 {
		a := mail.Address{Local: fmt.Sprintf("user%07d", i), Domain: "provider.example"}
		v.people[s.hash.person(a)] = struct{}{}
		if i%7 == 0 {
			some[i/7%len(some)] = a
		}
	}
	v.domains["closed.example"] = struct{}{}
	b.ReportAllocs()
	used := func() int64 { // of the processor, which other programs use too
		var u syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	defer func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }()
	for i := 0; b.Loop(); i++ {
		if !v.Has(some[i%len(some)]) {
			b.Fatal("a suppressed person is not")
		}
	}
}

// Another process that takes all entries, in any portions, knows of each list what the store knows of it.
func TestEntriesElsewhere(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		ann, bob, cid := address(t, "ann@x.example"), address(t, "bob@x.example"), address(t, "cid@y.example")
		v := NewSuppressed()
		take := func() {
			t.Helper()
			all, err := s.Entries(t.Context(), v.Last())
			if err == nil {
				err = v.Take(all)
			}
			if err != nil || all.More {
				t.Fatal(all, err)
			}
		}
		take()
		has := ""
		for i, c := range []Change{{To: ann, Why: Asked, List: "news"}, {To: bob, Why: Dead},
			{To: ann, Join: true, List: "news"}} {
			if _, err := s.Take(t.Context(), "d1", uint64(i+1), []Change{c}); err != nil {
				t.Fatal(err)
			}
			take()
			take()
			for _, name := range []string{"", "news", "shop"} {
				in, err := s.SuppressedIn(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range []mail.Address{ann, bob, cid} {
					if in.Has(a) != v.HasIn(name, a) {
						t.Errorf("%v in %q: got %v elsewhere", a, name, v.HasIn(name, a))
					}
				}
				has += fmt.Sprintf("%v %v, ", v.HasIn(name, ann), v.HasIn(name, bob))
			}
		}
		if has != "false false, true false, false false, false true, true true, false true, "+
			"false true, false true, false true, " {
			t.Error(has)
		}
		other := open(t, Place{File: filepath.Join(t.TempDir(), "other.db")})
		all, err := other.Entries(t.Context(), 0)
		if err == nil {
			err = v.Take(all)
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v from another store, want ErrDamaged", err)
		}
	})
}
