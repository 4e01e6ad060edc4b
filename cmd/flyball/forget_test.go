package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/internal/testport"
)

// Who is forgotten is in no folder of a site once the mailings under way have ended, while all stations run. The
// sending server keeps the list until the store has the outcomes. A list that B servers keep for the next mailing goes
// when it changes in the store. What C has of a person is the returned message alone, for some days.
func TestForgottenLeavesTheSite(t *testing.T) {
	t.Parallel()
	f := newSite(t, 60, 0, 20*time.Second)
	dir := filepath.Dir(f.file)
	store := "sqlite:" + filepath.Join(dir, "state", "lists.db")
	edit(t, f.file, "[[station]]\nrole = \"a\"\n", fmt.Sprintf("[[station]]\nrole = \"storage\"\nlisten = %q\n"+
		"store = \"sqlite:state/lists.db\"\n\n[[station]]\nrole = \"a\"\n", testport.Free(t)))
	does := func(args ...string) {
		t.Helper()
		if p := begin(t, args...); p.ends(t) != 0 {
			t.Fatalf("%v: %s", args, p.text())
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	does("list", "import", store+"#people", filepath.Join(dir, "people.csv"))
	does("serve", "keys", f.file)
	f.stations = []string{"broker", "storage", "a", "b1", "b2", "c", "d"}
	for _, name := range f.stations {
		f.start(name)
	}
	f.ledger.allow(5)
	submit := func() {
		t.Helper()
		does("serve", "submit", f.file, "--list", "store:people", "--letter", filepath.Join(dir, "letter.txt"))
	}
	// where returns the folders in which an address is.
	where := func(address string) string {
		t.Helper()
		found := map[string]bool{}
		for _, below := range []string{"state", "reports"} {
			err := filepath.WalkDir(filepath.Join(dir, below), func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return nil // a file that has gone
				}
				if text, _ := os.ReadFile(path); bytes.Contains(text, []byte(address)) {
					name, _ := filepath.Rel(filepath.Join(dir, below), path)
					found[strings.TrimSuffix(filepath.Dir(name), "/"+time.Now().UTC().Format(time.DateOnly))] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprint(found)
	}
	submit()
	f.within(time.Minute, "messages", func() bool { return f.ledger.all() > 0 })
	who := []string{"r7@all.example", "r13@all.example"} // the second one may leave at D
	is := func(address, at string) {
		t.Helper()
		f.within(time.Minute, address+" is in "+at, func() bool {
			got := where(address)
			f.ledger.mu.Lock()
			f.ledger.refused = fmt.Errorf("%s is in %s", address, got)
			f.ledger.mu.Unlock()
			return got == "map["+at+"]"
		})
	}
	is(who[0], ".:true a/depot:true b1/kept:true b2/kept:true storage/kept:true")
	for _, address := range who {
		does("list", "forget", store, address)
	}
	f.kill("storage")
	f.ledger.allow(1 << 30)
	f.within(time.Minute, "the report", f.reported)
	time.Sleep(2 * time.Second) // in which the list would go
	if at := where(who[0]); !strings.Contains(at, "a/depot:true") {
		t.Errorf("it is in %s: want the list in the depot until the store has the outcomes", at)
	}
	f.start("storage")
	for _, address := range who {
		is(address, "")
	}
	if p := begin(t, "list", "history", store, "r1@all.example"); p.ends(t) != 0 ||
		!strings.Contains(p.text(), "delivered") {
		t.Errorf("the store lacks an outcome: %s", p.text())
	}

	submit()
	is("r8@all.example", ".:true b1/kept:true b2/kept:true")
	does("list", "forget", store, "r8@all.example")
	does("list", "forget", store, "r23@all.example")
	is("r8@all.example", "")
	is("r23@all.example", "c/mail:true")
}
