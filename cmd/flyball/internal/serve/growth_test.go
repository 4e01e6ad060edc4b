package serve

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/sites"
	"flyball/internal/longtest"
)

// Mailing after mailing, each of which everyone gets once, folders of a site grow by little more than what describes a
// mailing: stations that begin again have in their journals what still counts. The long form has 200 mailings.
func TestFoldersStaySmall(t *testing.T) {
	receiver, at := takesMail(t)
	dir := t.TempDir()
	write(t, dir, "scenario.toml", storingScenario)
	text, _, _ := strings.Cut(storingSite, "[[station]]\nrole = \"storage\"")
	file := write(t, dir, "site.toml", fmt.Sprintf(text, at)+"[[station]]\nrole = \"a\"\n")
	const people = 60
	rows := "email\n"
	for i := range people {
		rows += fmt.Sprintf("r%d@all.example\n", i)
	}
	list := write(t, dir, "people.csv", rows)
	s, err := sites.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	// bytes returns the size of all files below a folder whose names begin with a text.
	bytes := func(prefix string) (n int64) {
		filepath.WalkDir(state, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
				if info, err := e.Info(); err == nil {
					n += info.Size()
				}
			}
			return nil
		})
		return n
	}
	n, middle := longtest.Or(4, 200), [2]int64{}
	p := play(t, s)
	for job := 1; job <= n; job++ {
		if _, err := s.Submit(sites.Submission{List: list}); err != nil {
			t.Fatal(err)
		}
		reported(t, dir, job)
		until(t, fmt.Sprintf("the end of mailing %d", job), func() bool {
			kept, _ := filepath.Glob(filepath.Join(state, "b*", "kept", "mailing-*"))
			return kept == nil
		})
		if job%2 == 0 {
			p.end()
			if job == n/2 {
				play(t, s).end()
				middle = [2]int64{bytes("facts-"), bytes("")}
			}
			p = play(t, s)
		}
	}
	for i := range people {
		if got := receiver.count(fmt.Sprintf("r%d@all.example", i)); got != n {
			t.Errorf("recipient %d: got %d messages, want %d", i, got, n)
		}
	}
	v, err := s.Status()
	if err != nil || len(v.Mailings) != n {
		t.Fatalf("got %+v, %v", v, err)
	}
	for _, m := range v.Mailings {
		if m.State != "reported" || m.Delivered != people || m.Open != 0 {
			t.Errorf("got %+v", m)
		}
	}
	p.end() // without a mailing since it began
	facts, all := bytes("facts-"), bytes("")
	each := [2]int64{(facts - middle[0]) / int64(n/2), (all - middle[1]) / int64(n/2)}
	t.Logf("journals: %d bytes, %d more with each mailing; all: %d bytes, %d more with each mailing", facts, each[0],
		all, each[1])
	if facts > 1000*int64(n) || each[0] > 500 || each[1] > 8000 {
		t.Errorf("want at most %d bytes in journals, and 500 and 8000 more with each mailing", 1000*n)
	}
}
