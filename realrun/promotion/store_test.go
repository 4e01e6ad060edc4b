package promotion

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/internal/durable"
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// kept returns a file of n promotions, each an hour after the last.
func kept(t *testing.T, n int) (name string, all []Record) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "p.jsonl")
	for i := range n {
		rec, err := Add(name, "", some(fmt.Sprint("by", i)), at(noon.Add(time.Duration(i)*time.Hour)), 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	return name, all
}

func TestAdd(t *testing.T) {
	name, made := kept(t, 3)
	all, err := Open(name, "")
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, r := range all {
		if m := made[i]; r.Sum != m.Sum || r.Number != m.Number || r.Number != i+1 || !r.At.Equal(m.At) ||
			r.By != fmt.Sprint("by", i) {
			t.Errorf("read %+v, added %+v", r, m)
		}
	}
	if text, err := os.ReadFile(headFile(name)); err != nil ||
		string(text) != "flyball promotion head 1\n3 "+all[2].Sum+"\n" {
		t.Errorf("the head: %q, %v", text, err)
	}
	// The head is beside the file, not beside the link.
	link := filepath.Join(t.TempDir(), "link")
	os.Symlink(name, link)
	if r, err := Add(link, "", some("ann"), at(noon.Add(9*time.Hour)), time.Hour); err != nil || r.Number != 4 {
		t.Errorf("through a link: %+v, %v", r, err)
	}
	if all, err := Open(name, ""); err != nil || len(all) != 4 {
		t.Errorf("after that: %d, %v", len(all), err)
	}
	if _, err := os.Lstat(headFile(link)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a head beside the link: %v", err)
	}
	bad := some("ann")
	bad.Parameters = "[governor]\nlaw = \"none\"\n"
	var invalid *Invalid
	if _, err := Add(name, "", bad, at(noon.Add(10*time.Hour)), time.Hour); !errors.As(err, &invalid) {
		t.Errorf("parameters that do not load: %v", err)
	}
	bad.Parameters = "[[governor.fault]]\nkind = \"missing\"\nfrom = 1\n"
	if _, err := Add(name, "", bad, at(noon.Add(10*time.Hour)), time.Hour); err == nil {
		t.Error("faults of measurement are promoted")
	}
	if all, err := Open(name, ""); err != nil || len(all) != 4 {
		t.Errorf("after a refusal: %d, %v", len(all), err)
	}
}

// The head shows what the chain cannot show, and a sum noted elsewhere shows what
// both together cannot.
func TestHeadFile(t *testing.T) {
	name, made := kept(t, 3)
	text, _ := os.ReadFile(name)
	head, _ := os.ReadFile(headFile(name))
	cut := text[:strings.LastIndex(string(text[:len(text)-1]), "\n")+1]
	older := "flyball promotion head 1\n2 " + made[1].Sum + "\n"
	sum := func(i int) Head { return Head(made[i].Sum) }
	for what, v := range map[string]struct {
		text, head string
		named      Head
		want       string // of the error; empty for none
	}{
		"as it was": {string(text), string(head), "", ""},
		"cut off": {string(cut), string(head), "",
			"p.jsonl: the last record is number 2 of SHA-256 " + made[1].Sum + ", but "},
		"emptied":       {"", string(head), "", "p.jsonl: the last record is number 0 of SHA-256 -, but "},
		"added by hand": {string(text), older, "", "the last record is number 3"},
		"no head":       {string(text), "", "", "p.jsonl.head is missing"},
		"head damaged": {string(text), string(head[:len(head)-2]), "",
			"p.jsonl.head: got a file that is not the head of promotion records"},
		"head of too many": {string(text), string(head) + "1 a\n2 b\n", "",
			"is not the head of promotion records"},
		"both cut off": {string(cut), older, "", ""}, // what no file beside the chain can show
		"both cut off, noted": {string(cut), older, sum(2),
			"p.jsonl:2: the last record has SHA-256 " + made[1].Sum + ", want " + made[2].Sum},
		"no head, noted":          {string(text), "", sum(2), ""},
		"cut off and overruled":   {string(cut), string(head), sum(1), ""},
		"noted is an earlier one": {string(text), string(head), sum(0), "the sum of promotion 1: 2 came after it"},
		"nothing has no last":     {"", "", sum(0), "got no record, want a last one"},
		"nothing at all":          {"", "", "", ""},
	} {
		os.WriteFile(name, []byte(v.text), 0o644)
		os.Remove(headFile(name))
		if v.head != "" {
			os.WriteFile(headFile(name), []byte(v.head), 0o644)
		}
		for _, ask := range []func() error{
			func() error { _, err := Open(name, v.named); return err },
			func() error {
				_, err := Add(name, v.named, some("ann"), at(noon.Add(5*time.Hour)), time.Hour)
				return err
			},
		} {
			err := ask()
			if v.want == "" && err != nil || v.want != "" && (err == nil || !strings.Contains(err.Error(), v.want)) {
				t.Errorf("%s: got %v, want %q", what, err, v.want)
			}
			if errors.Is(err, ErrNoHead) != (what == "no head") || errors.Is(err, ErrRefused) != (what == "no head") {
				t.Errorf("%s: marked as %v", what, err)
			}
		}
		if v.want == "" { // after Add, the head names the new record
			if all, err := Open(name, ""); err != nil || len(all) == 0 || all[len(all)-1].By != "ann" {
				t.Errorf("%s: after one more: %d records, %v", what, len(all), err)
			}
		}
	}
}

// Whichever write fails, or is the last one before the program ends, chain and
// head fit each other with the record or without it, and another can be added.
func TestAddStopsAnywhere(t *testing.T) {
	for _, before := range []int{0, 2} {
		for stop := range 4 {
			for _, done := range []bool{false, true} { // whether the write that fails had its effect
				name, _ := kept(t, before)
				writes := 0
				_, err := add(func(file string, data []byte) error {
					if writes++; writes <= stop {
						return durable.Write(file, data)
					}
					if done && writes == stop+1 {
						durable.Write(file, data)
					}
					return errors.New("the disk is full")
				}, name, "", some("new"), at(noon.Add(9*time.Hour)), time.Hour)
				if writes > 3 || (err == nil) != (stop == 3) {
					t.Fatalf("%d writes, stopped after %d: %v", writes, stop, err)
				}
				want := before
				if stop >= 2 || done && stop == 1 {
					want++
				}
				all, err := Open(name, "")
				if want == 0 && errors.Is(err, fs.ErrNotExist) {
					err = nil
				}
				if err != nil || len(all) != want {
					t.Errorf("%d records, stopped after %d writes (%v): found %d and %v, want %d", before, stop, done,
						len(all), err, want)
				}
				if r, err := Add(name, "", some("next"), at(noon.Add(10*time.Hour)), time.Hour); err != nil ||
					r.Number != want+1 {
					t.Errorf("%d records, stopped after %d writes (%v): the next is %d, %v", before, stop, done,
						r.Number, err)
				}
			}
		}
	}
}

// Twelve writers add at once, with clocks that differ by seconds: all records are
// kept, times do not fall, and the head names the last one.
func TestTwelveWriters(t *testing.T) {
	name := filepath.Join(t.TempDir(), "p.jsonl")
	const writers, each = 12, 3
	var wg sync.WaitGroup
	var mu sync.Mutex
	reading := false // by the clock
	for w := range writers {
		wg.Go(func() {
			for range each {
				_, err := Add(name, "", some(fmt.Sprint("writer", w)), func() time.Time {
					mu.Lock()
					overlap := reading
					reading = true
					mu.Unlock()
					if overlap {
						t.Error("two look at the clock at the same time")
					}
					now := noon.Add(time.Duration(rand.IntN(20_000)-10_000) * time.Millisecond)
					mu.Lock()
					reading = false
					mu.Unlock()
					return now
				}, time.Hour)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := Open(name, "")
	if err != nil || len(all) != writers*each {
		t.Fatalf("%d records, %v, want %d", len(all), err, writers*each)
	}
	count := map[string]int{}
	for _, r := range all {
		count[r.By]++
	}
	for by, n := range count {
		if n != each {
			t.Errorf("%s has %d records, want %d", by, n, each)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b Record) int { return a.At.Compare(b.At) }) {
		t.Error("times fall")
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*"))
	if len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
