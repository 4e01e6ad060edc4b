package handmade

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/internal/input"
)

// ReadRows reads CSV, its head as the first row.
func ReadRows(t *testing.T, raw []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// WellFormed reads a document to its end and returns its text.
func WellFormed(t *testing.T, name string, raw []byte) string {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	var words []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return strings.Join(words, "|")
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			words = append(words, string(bytes.TrimSpace(text)))
		}
	}
}

// KeysInOrder reads JSON token by token and names the first object whose keys
// are not in the order of the alphabet.
func KeysInOrder(t *testing.T, raw []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	var value func() any
	value = func() any {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('{'):
			last := ""
			for d.More() {
				key, _ := d.Token()
				if key.(string) <= last {
					t.Errorf("key %q after %q", key, last)
				}
				last = key.(string)
				value()
			}
			d.Token()
		case json.Delim('['):
			for d.More() {
				value()
			}
			d.Token()
		}
		return token
	}
	value()
}

// Tree reads a folder: content by path.
func Tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := input.Read(filepath.Join(dir, name), input.RunFile)
		all[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Numbers returns every number of a JSON document by its path, as in
// servers.0.rate_per_h, and null as NaN.
func Numbers(t *testing.T, raw []byte) map[string]float64 {
	t.Helper()
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, of := range v {
				walk(path+"."+key, of)
			}
		case []any:
			for i, of := range v {
				walk(fmt.Sprintf("%s.%d", path, i), of)
			}
		case float64:
			all[path[1:]] = v
		case nil:
			all[path[1:]] = math.NaN()
		}
	}
	walk("", document)
	return all
}
