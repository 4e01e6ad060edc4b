package faulty_test

import (
	"os"
	"path/filepath"
	"testing"

	"flyball/internal/fault"
	"flyball/sim/faulty"
)

// Each script ends in virtual time as it wants. Package realrun/faulty holds TCP against the same.
func TestScripts(t *testing.T) {
	names, err := filepath.Glob("../../realrun/faulty/testdata/*/*.fault")
	if err != nil || len(names) < 100 {
		t.Fatalf("%d scripts: %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := fault.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := faulty.Play(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Differences(got, 0) {
			t.Errorf("%s: %s", s.Name, d)
		}
	}
}
