package distances

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/engine/partition"
	"flyball/engine/proximity"
)

var update = flag.Bool("update", false, "rewrite expected output")

// What is written is read again, to the last bit.
func TestFilesHoldWhatWasLearned(t *testing.T) {
	third := 1.0 / 3
	db := &proximity.Database{Mailings: []proximity.Mailing{{Attempts: 1 << 63, Mean: third, Probes: 9}},
		Pairs: []proximity.Pair{{Server: "b\u00e9\n", Site: `d"`, Attempts: 7, Delay: third, Hops: third, Weight: third,
			Mailing: 1}}}
	again, err := Read(Write(db))
	if err != nil || again.Digest() != db.Digest() {
		t.Errorf("got %+v, %v, want %+v", again, err, db)
	}
	if nothing, err := Read(Write(&proximity.Database{})); err != nil || len(nothing.Pairs) != 0 {
		t.Errorf("got %v, %v of a run that measured nothing", nothing, err)
	}
}

// Each bad file is refused with what is wrong with it. Rewrite the messages with -args -update.
func TestBadFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.json")
	if len(files) < 15 {
		t.Fatalf("found %d bad files, want at least 15", len(files))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, wrong := Read(raw)
		expected := strings.TrimSuffix(file, ".json") + ".err"
		if *update {
			if err := os.WriteFile(expected, fmt.Appendln(nil, wrong), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(expected)
		if err != nil || wrong == nil || string(want) != fmt.Sprintln(wrong) {
			t.Errorf("%s: got %v, want %s", file, wrong, want)
		}
	}
}

func TestTables(t *testing.T) {
	p := &partition.Problem{Servers: []partition.Server{{Name: "x"}, {Name: "y"}, {Name: "z"}, {Name: "w"}},
		Sites: []partition.Site{{Name: "p"}}}
	var db proximity.Database
	for range 2 {
		seen := []proximity.Seen{{Attempts: 100, Time: 100 * 100e6}, {Attempts: 100, Time: 100 * 140e6},
			{Attempts: 100, Time: 100 * 900e6}, {}}
		db.Learn(proximity.Default(), []string{"x", "y", "z", "w"}, []string{"p"}, seen, 4)
	}
	m := Mailings(&db, 1)
	if len(m.Rows) != 1 || fmt.Sprint(m.Rows[0]) != "[2 300 380.0 ms 4]" {
		t.Errorf("mailings %v", m.Rows)
	}
	// estimates are (10 x own + 380) / 11
	c := Classes(p, db.Look(p, proximity.Default()))
	if want := "[p 125 + 162   853 - 380 ?]"; fmt.Sprint(c.Rows[0]) != want {
		t.Errorf("classes %v, want %s", c.Rows, want)
	}
}
