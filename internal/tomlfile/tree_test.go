package tomlfile

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/BurntSushi/toml"
)

// someFiles returns scenarios, good and bad ones.
func someFiles(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, pattern := range []string{"../../scenarios/builtin/*.toml", "../../scenarios/testdata/bad/*.toml"} {
		files, _ := filepath.Glob(pattern)
		if len(files) == 0 {
			t.Fatalf("no files %s", pattern)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, src)
		}
	}
	return all
}

// FuzzTree checks that the tree agrees with an independent TOML decoder.
func FuzzTree(f *testing.F) {
	for _, src := range someFiles(f) {
		f.Add(src)
	}
	f.Fuzz(sameTree)
}

// sameTree compares the tree with the result of BurntSushi/toml, which must
// accept every file that the tree accepts and read the same values. The tree
// refuses dates and too large numbers only later, when it binds the values.
func sameTree(t *testing.T, src []byte) {
	t.Helper()
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	root, faults := parse(src, nil)
	if faults != nil || postponed(root) {
		return
	}
	var want map[string]any
	if _, err := toml.Decode(string(src), &want); err != nil {
		t.Fatalf("the tree takes what is not TOML: %v", err)
	}
	if got := asMap(root); !same(got, want) {
		t.Fatalf("got  %#v\nwant %#v", got, want)
	}
}

func postponed(n *node) bool {
	if _, ok := n.integer(); n.kind == anInteger && !ok {
		return true
	}
	if x, _ := n.float(); n.kind == aFloat && math.IsInf(x, 0) || n.kind == aDate {
		return true
	}
	for _, name := range n.names {
		if postponed(n.fields[name]) {
			return true
		}
	}
	return slices.ContainsFunc(n.items, postponed)
}

func TestTreeAgreesWithAnotherReader(t *testing.T) {
	for _, src := range someFiles(t) {
		sameTree(t, src)
	}
	src := []byte(`
a.b.c = 1
a.b.d = [1, [2.5, 3], {x.y = true, x.z = "s"}]
"quoted key"."" = '''
many
lines'''
[t.u.v]
i = 0xff
f = 6.02e23
[t]
k = "esc \" \u00e9 \\"
[[l]]
[[l.m]]
n = 1
[[l.m]]
n = 2
[l.o]
p = 3
[[l]]
q = [
  { r = 1 }, # comment
  { r = 2 },
]
`)
	if _, faults := parse(src, nil); faults != nil {
		t.Fatal(faults)
	}
	sameTree(t, src)
}

func asMap(n *node) any {
	switch n.kind {
	case aTable:
		m := map[string]any{}
		for _, name := range n.names {
			m[name] = asMap(n.fields[name])
		}
		return m
	case aList:
		all := []any{}
		for _, item := range n.items {
			all = append(all, asMap(item))
		}
		return all
	case anInteger:
		i, _ := n.integer()
		return i
	case aFloat:
		x, _ := n.float()
		return x
	case aBool:
		return n.text == "true"
	}
	return n.text
}

// same is reflect.DeepEqual, but all kinds of lists may be equal and NaN equals NaN.
func same(a, b any) bool {
	switch b := b.(type) {
	case float64:
		x, ok := a.(float64)
		return ok && (x == b || x != x && b != b)
	case map[string]any:
		m, ok := a.(map[string]any)
		if !ok || len(m) != len(b) {
			return false
		}
		for k, v := range b {
			if w, ok := m[k]; !ok || !same(w, v) {
				return false
			}
		}
		return true
	case []map[string]any:
		all := make([]any, len(b))
		for i, v := range b {
			all[i] = v
		}
		return same(a, all)
	case []any:
		l, ok := a.([]any)
		if !ok || len(l) != len(b) {
			return false
		}
		for i, v := range b {
			if !same(l[i], v) {
				return false
			}
		}
		return true
	}
	return a == b
}
