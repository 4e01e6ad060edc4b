package scenarios

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad checks that no file makes the program panic, and that a loaded
// scenario equals its resolved form.
func FuzzLoad(f *testing.F) {
	for _, name := range Names() {
		src, _ := Builtin(name)
		f.Add(src, "governor.start=50")
	}
	files, _ := filepath.Glob("testdata/bad/*.toml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src, "destination[0].rtt={dist='gamma'}")
	}
	schema := schemaTree(f)
	f.Fuzz(func(t *testing.T, src []byte, set string) {
		if s, err := Load("fuzz.toml", src, nil); err == nil {
			roundTrip(t, s, schema)
			if errs := validate(schema, decode(t, src), ""); errs != nil {
				t.Fatalf("the schema refuses what loads: %v", errs)
			}
		}
		if s, err := Load("fuzz.toml", src, []string{set}); err == nil {
			roundTrip(t, s, schema)
		}
	})
}
