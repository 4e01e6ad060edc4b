package flyball_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house has floors; imports point down only, and neighbours on a floor do
// not see each other. Each line is a package and all of ours that it may
// import. DO NOT CHANGE THIS DATA TO MAKE A BUILD PASS: move the code.
const floors = `
internal/vt:             # time: everything may speak of it
internal/conf:           # problems of a configuration
internal/unit:           # rates and sizes
internal/rng:            # chance
internal/snap:           # saved states
internal/stats:          # intervals and stopping rules
internal/tabular:        # tables for terminals
internal/evq:            internal/snap internal/vt
internal/hist:           internal/snap internal/vt
internal/mail:           internal/conf internal/rng internal/snap internal/vt

governor:                internal/conf internal/snap internal/unit internal/vt
netmodel:                internal/conf internal/evq internal/mail internal/rng internal/snap internal/unit internal/vt

engine:                  governor internal/conf internal/mail internal/snap internal/vt

scenarios:               engine governor netmodel internal/conf internal/mail internal/rng internal/unit internal/vt
reports/runlog:          engine internal/hist internal/mail internal/snap internal/vt

promotion:               # what may go to live servers
sim/verify:              sim scenarios engine governor netmodel reports/runlog internal/conf internal/evq internal/mail internal/rng internal/stats internal/tabular internal/unit internal/vt
sim/bench:               scenarios netmodel internal/evq internal/vt
sim:                     scenarios engine governor netmodel reports/runlog internal/evq internal/mail internal/rng internal/snap internal/stats internal/vt
sim/study:               scenarios internal/conf internal/unit internal/vt
sim/tune:                scenarios sim/study internal/stats
realrun/list:            internal/mail
realrun/message:         internal/mail internal/unit
realrun/sink:            netmodel internal/conf internal/mail internal/vt
realrun:                 scenarios engine governor reports/runlog realrun/list realrun/message internal/conf internal/hist internal/mail internal/rng internal/vt
reports:                 scenarios governor engine reports/runlog internal/hist internal/mail internal/stats internal/tabular internal/vt

cmd/flyball:             promotion sim sim/bench sim/study sim/tune sim/verify internal/stats realrun realrun/sink reports reports/runlog scenarios netmodel governor internal/conf internal/mail internal/rng internal/tabular internal/vt
`

// belowTheShells may not do what would let the machine they run on decide a
// result. Each ban has its reason.
var belowTheShells = []string{"internal/", "governor", "netmodel", "engine", "scenarios", "reports/runlog"}

var bannedImports = map[string]string{
	"net":          "no I/O below the shells: return an Action and let realrun do it",
	"os":           "no files, environment or processes: take an io.Reader or bytes",
	"sync":         "one goroutine owns a machine: there is nothing to lock",
	"context":      "nothing below the shells waits, so nothing can be cancelled",
	"log":          "outcomes are data: tell the Observer",
	"math/rand":    "draws are named: use internal/rng",
	"math/rand/v2": "draws are named: use internal/rng",
	"crypto/rand":  "draws are named: use internal/rng",
	"unsafe":       "not worth its risk here",
}

// allowedTime may import time: to parse and print spans, never to read a clock.
var allowedTime = []string{"internal/vt"}

type source struct {
	dir  string
	name string
	file *ast.File
	fset *token.FileSet
}

// sources parses all production code of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || d.Name() == "runs"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		all = append(all, source{path.Dir(filepath.ToSlash(name)), name, f, fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func imports(s source) []string {
	var all []string
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		all = append(all, p)
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	allowed := map[string][]string{}
	for line := range strings.Lines(floors) {
		line, _, _ = strings.Cut(line, "#")
		name, list, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		allowed[name] = strings.Fields(list)
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Errorf("the policy names %s, which does not exist", name)
		}
		for _, below := range allowed[name] {
			if _, ok := allowed[below]; !ok && name != "sim" && name != "realrun" && name != "cmd/flyball" && name != "reports" && name != "sim/verify" {
				t.Errorf("the policy lets %s import %s, which stands on no lower floor", name, below)
			}
		}
	}
	for _, s := range sources(t) {
		list, known := allowed[s.dir]
		if !known {
			t.Errorf("%s: package %s has no floor; give it one in arch_test.go", s.name, s.dir)
			continue
		}
		for _, p := range imports(s) {
			if ours, ok := strings.CutPrefix(p, "flyball/"); ok && !slices.Contains(list, ours) {
				t.Errorf("%s imports %s: not on a lower floor that %s may use", s.name, ours, s.dir)
			}
		}
	}
}

func TestNothingBelowTheShellsDecidesByItself(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.ContainsFunc(belowTheShells, func(p string) bool { return s.dir == p || strings.HasSuffix(p, "/") && strings.HasPrefix(s.dir, p) }) {
			continue
		}
		for _, p := range imports(s) {
			if why, ok := bannedImports[p]; ok {
				t.Errorf("%s imports %s: %s", s.name, p, why)
			}
			if p == "time" && !slices.Contains(allowedTime, s.dir) {
				t.Errorf("%s imports time: time is an argument, use internal/vt", s.name)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			at := s.fset.Position(token.NoPos)
			if n != nil {
				at = s.fset.Position(n.Pos())
			}
			switch n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a go statement: order would be the scheduler's", at)
			case *ast.SelectStmt:
				t.Errorf("%s: a select: which case runs is random", at)
			case *ast.ChanType, *ast.SendStmt:
				t.Errorf("%s: a channel: the core returns Actions instead", at)
			}
			return true
		})
	}
}

// What dials could send mail to anybody, so only the guarded dialer may.
func TestOneDialer(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && strings.HasPrefix(sel.Sel.Name, "Dial") && s.name != filepath.Join("realrun", "dial.go") &&
				(pkg.Name == "net" || pkg.Name == "smtp" || pkg.Name == "tls") {
				t.Errorf("%s: %s.%s: only realrun/dial.go dials, where the address is checked", s.fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// Ranging over a map needs types to be told, so the names of map-typed
// declarations in a file stand for them: enough to catch an honest mistake.
func TestNoRangeOverMaps(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.ContainsFunc(belowTheShells, func(p string) bool { return s.dir == p || strings.HasSuffix(p, "/") && strings.HasPrefix(s.dir, p) }) {
			continue
		}
		maps := map[string]bool{}
		isMap := func(e ast.Expr) bool {
			switch v := e.(type) {
			case *ast.MapType:
				return true
			case *ast.CompositeLit:
				_, ok := v.Type.(*ast.MapType)
				return ok
			case *ast.CallExpr:
				if f, ok := v.Fun.(*ast.Ident); ok && f.Name == "make" && len(v.Args) > 0 {
					_, ok := v.Args[0].(*ast.MapType)
					return ok
				}
			}
			return false
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch v := n.(type) {
			case *ast.Field:
				for _, name := range v.Names {
					if isMap(v.Type) {
						maps[name.Name] = true
					}
				}
			case *ast.ValueSpec:
				for i, name := range v.Names {
					if v.Type != nil && isMap(v.Type) || i < len(v.Values) && isMap(v.Values[i]) {
						maps[name.Name] = true
					}
				}
			case *ast.AssignStmt:
				for i, l := range v.Lhs {
					if name, ok := l.(*ast.Ident); ok && i < len(v.Rhs) && isMap(v.Rhs[i]) {
						maps[name.Name] = true
					}
				}
			}
			return true
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			name := ""
			switch v := r.X.(type) {
			case *ast.Ident:
				name = v.Name
			case *ast.SelectorExpr:
				name = v.Sel.Name
			}
			if maps[name] || isMap(r.X) {
				t.Errorf("%s: ranges over the map %s: its order is random; keep the keys in a sorted slice", s.fset.Position(r.Pos()), name)
			}
			return true
		})
	}
}

// Every package says what it is.
func TestEveryPackageHasAComment(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		said[s.dir] = said[s.dir] || s.file.Doc != nil
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("package %s has no package comment: what it is, what it refuses, who may call it", dir)
		}
	}
}
