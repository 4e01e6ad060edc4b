package depot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"flyball/engine"
	"flyball/internal/mail"
)

// With the last mailing that has it a part goes from the depot, also when the process stopped before, and the keys of
// the mailing stay. It is put again without effect.
func TestEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "depot")
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { d.Close() }()
	one, _ := content(1, 1000)
	two, _ := content(2, 1000)
	list := put(t, d, 1, one).List.Digest
	put(t, d, 2, one)
	other := put(t, d, 3, two).List.Digest
	has := func(want ...Digest) {
		t.Helper()
		for _, p := range []Digest{list, other} {
			_, err := os.Stat(d.path(p.String()))
			is := false
			for _, w := range want {
				is = is || w == p
			}
			if (err == nil) != is {
				t.Errorf("part %.8s: got %v, want it there: %v", p, err, is)
			}
		}
	}
	if err := d.End(1); err != nil {
		t.Fatal(err)
	}
	has(list, other)
	if err := d.End(2); err != nil {
		t.Fatal(err)
	}
	has(other)
	if err := d.End(9); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v for a mailing that is not there", err)
	}
	put(t, d, 2, one)
	has(other)
	d.Close()
	if err := os.WriteFile(d.path(list.String()), one, 0o600); err != nil { // as a process left it that was killed
		t.Fatal(err)
	}
	if d, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	has(other)
	if all := d.Running(); all.Ended != 2 || !all.Over(1) || !all.Over(2) || all.Over(3) || all.Over(4) {
		t.Errorf("got %+v", all)
	}
	r := serve(t, d, nil)
	if k, err := r.FetchKeys(t.Context(), 1, false); err != nil || k.Secret != (mail.Key{1}) {
		t.Errorf("got %+v, %v: want the keys of a mailing that has ended", k, err)
	}
	k := keep(t, t.TempDir(), r, 1<<20, nil)
	if _, err := k.Mailing(t.Context(), 1); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v for the files of a mailing that has ended", err)
	}
	if names, _ := k.files.Names(); len(names) != 0 {
		t.Errorf("got %v, want nothing", names)
	}
}

// Who asks which mailings have ended has the answer when another one does.
func TestRunning(t *testing.T) {
	d := open(t)
	text, _ := content(1, 10)
	put(t, d, 1, text)
	r := serve(t, d, nil)
	if all, err := r.FetchRunning(t.Context(), -1); err != nil || all.Ended != 0 || all.Over(1) {
		t.Fatalf("got %+v, %v", all, err)
	}
	got := make(chan Running)
	go func() {
		all, err := r.FetchRunning(t.Context(), 0)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	select {
	case all := <-got:
		t.Errorf("got %+v before another mailing has ended", all)
	case <-time.After(100 * time.Millisecond):
	}
	if err := d.End(1); err != nil {
		t.Fatal(err)
	}
	if all := <-got; all.Ended != 1 || !all.Over(1) {
		t.Errorf("got %+v", all)
	}
}

// Goroutines of a station ask its depot at once, from the first request on; the race detector reads this test.
func TestRemoteOfManyGoroutines(t *testing.T) {
	r := serve(t, open(t), nil)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := r.FetchRunning(t.Context(), -1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A storage server reports that it has recorded a mailing.
func TestRecorded(t *testing.T) {
	d := open(t)
	put(t, d, 7, nil)
	var told []engine.Job
	r := serveWith(t, d, nil, func(s *Server) {
		s.Recorded = func(_ context.Context, job engine.Job) error {
			told = append(told, job)
			return nil
		}
	})
	r.Token = tokenOf("storage1")
	if err := r.Recorded(t.Context(), 7); err != nil || fmt.Sprint(told) != "[7]" {
		t.Errorf("got %v, %v", told, err)
	}
	if err := r.Recorded(t.Context(), 8); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
}

// Of a mailing that has ended a server keeps the stored list alone, until it changes in the store, and nothing that a
// mailing under way has. A list from a file goes at once, and what no manifest names goes when the folder is opened.
func TestDropAndPrune(t *testing.T) {
	stored, listed := content(1, 1000)
	file, plain := content(2, 1000)
	store := &storeOf{text: stored}
	d := open(t)
	for job, c := range map[engine.Job]*Content{
		1: {Name: "store:people", From: bytes.NewReader(stored), Stored: "people"},
		2: {Name: "store:people", From: bytes.NewReader(stored), Stored: "people"},
		3: {Name: "people.csv", From: bytes.NewReader(file)}} {
		if _, err := d.Put(Manifest{Keys: Keys{Job: job, Recipients: 1, Date: at, Secret: mail.Key{1}}}, c, nil,
			nil); err != nil {
			t.Fatal(err)
		}
	}
	lists := serveWith(t, open(t), nil, func(s *Server) { s.Store = store })
	cfg := Config{Dir: t.TempDir(), Remote: serve(t, d, nil), Lists: lists, Most: 1 << 20}
	k, err := Keep(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { k.Close() }()
	has := func(when string, wantStored, wantPlain, wantIdle bool) {
		t.Helper()
		_, one := os.Stat(k.path(listed.String()))
		_, two := os.Stat(k.path(plain.String()))
		if (one == nil) != wantStored || (two == nil) != wantPlain || k.Idle() != wantIdle {
			t.Errorf("%s: stored list: %v, other list: %v, idle: %v", when, one, two, k.Idle())
		}
	}
	var held []*Held
	fetch := func(job engine.Job) {
		t.Helper()
		h, err := k.Mailing(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, h)
	}
	drop := func(job engine.Job) {
		t.Helper()
		for _, h := range held {
			if h.Job == job {
				h.Release()
			}
		}
		if err := k.Drop(job); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(known string) string {
		t.Helper()
		known, err := k.Prune(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	for job := range engine.Job(3) {
		fetch(job + 1)
	}
	drop(1)
	drop(3)
	has("another mailing has the stored list", true, false, false)
	store.gone.Store(true)
	prune("")
	has("and it has changed", true, false, false)
	store.gone.Store(false)
	drop(2)
	known := prune("")
	has("the store has it", true, false, true)
	fetch(2)
	has("a mailing has it again", true, false, false)
	drop(2)
	time.AfterFunc(50*time.Millisecond, func() { store.gone.Store(true) })
	prune(known)
	has("it has changed", false, false, false)

	store.gone.Store(false)
	fetch(2)
	drop(2)
	has("idle", true, false, true)
	k.Close()
	if k, err = Keep(cfg); err != nil {
		t.Fatal(err)
	}
	has("opened again", false, false, false)
}
