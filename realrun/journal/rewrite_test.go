package journal

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"flyball/engine"
)

// few are the entries of a sending server among others: less than half.
func few(all []Entry) (rest []Entry) {
	for _, e := range all {
		if e.Role.Role == engine.Sender {
			rest = append(rest, e)
		}
	}
	return rest
}

// none returns no entries as those that still count, so that a journal is always rewritten.
func none([]Entry) []Entry { return nil }

// At every step of a rewrite the power may be lost, the process be killed or the disk fail: then the journal has either
// all entries or those that still count, and goes on from there. Once Rewrite has returned it has these alone, in one
// file, whatever happens then.
func TestRewrite(t *testing.T) {
	all := entries(40)
	files, _ := written(t, all)
	_, before, err := Open(with(files), mailing)
	if err != nil {
		t.Fatal(err)
	}
	whole := before.Entries
	for _, still := range []func([]Entry) []Entry{none, func(all []Entry) []Entry { return all[:3] }} {
		tried, rewritten := 0, 0
		check := func(what string, d *strict, done bool) {
			t.Helper()
			tried++
			j, c, err := Open(d, mailing)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			want := still(whole)
			if len(c.Entries) == len(whole) && !done {
				want = whole
			} else {
				rewritten++
			}
			if !equal(c.Entries, want) {
				t.Fatalf("%s: got %d entries, want %d or all %d", what, len(c.Entries), len(still(whole)), len(whole))
			}
			more := entries(50)[40:]
			if _, err := j.Write(more); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if err := j.Close(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for _, found := range d.afterLoss() {
				c, err := Read(found, mailing)
				if err != nil || !equal(c.Entries, slices.Concat(want, more)) {
					t.Fatalf("%s, and then more: got %d entries and %v, want %d", what, len(c.Entries), err,
						len(want)+len(more))
				}
			}
		}
		for _, failure := range []error{nil, syscall.EIO} {
			for at := 1; ; at++ {
				d := with(files)
				d.at, d.failure = at, failure
				var err error
				survived := d.survives(func() { err = Rewrite(d, mailing, still) })
				for i, found := range append(d.afterLoss(), d.afterKill()) {
					check(fmt.Sprintf("%v at step %d, disk %d", failure, at, i), found, survived && err == nil)
				}
				if d.steps < at {
					if names, _ := d.Names(); err != nil || len(names) != 1 {
						t.Errorf("got files %v and %v", names, err)
					}
					break
				}
				if failure != nil && !errors.Is(err, failure) {
					t.Errorf("step %d: got %v, want %v", at, err, failure)
				}
			}
		}
		t.Logf("%d disks, %d with the journal rewritten", tried, rewritten)
	}
}

// A journal of very many files, one for each start, becomes one that has all that counts.
func TestRewriteMakesOneFile(t *testing.T) {
	files, _ := written(t, entries(40))
	d := with(files)
	for range mostFiles {
		j, _, err := Open(d, mailing)
		if err == nil {
			err = j.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := Read(d, mailing)
	if err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(d, mailing, func(all []Entry) []Entry { return all }); err != nil {
		t.Fatal(err)
	}
	names, err := d.Names()
	after, wrong := Read(d, mailing)
	if err != nil || wrong != nil || len(names) != 1 || !equal(after.Entries, before.Entries) {
		t.Errorf("got %d files and %d entries, %v, %v, want one with all %d", len(names), len(after.Entries), err,
			wrong, len(before.Entries))
	}
}

// A journal of which half or more still counts is left as it is; what a rewrite has left that stopped goes.
func TestRewriteSaves(t *testing.T) {
	files, _ := written(t, entries(40))
	d := with(files)
	if err := Rewrite(d, mailing, func(all []Entry) []Entry { return all }); err != nil || d.steps > 0 {
		t.Errorf("got %d steps and %v, want none", d.steps, err)
	}
	if err := Rewrite(newStrict(), mailing, few); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
	if err := Rewrite(with(files), ID{}, few); !errors.Is(err, ErrOther) {
		t.Errorf("got %v", err)
	}
	if err := Rewrite(d, mailing, none); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if d.names[name] == nil && name < fileName(3) {
			d.names[name] = &inode{text, text} // as if the power had been lost between the removal and the sync
		}
	}
	if err := Rewrite(d, mailing, func(all []Entry) []Entry { return all }); err != nil || len(d.names) != 1 {
		t.Errorf("got %v and %d files, want one", err, len(d.names))
	}
}
