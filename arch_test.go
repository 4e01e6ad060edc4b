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

// The house has floors, the lowest first. A package imports packages of lower
// floors only; neighbours do not see each other. The core, the floors up to the
// line of the shells, decides nothing by itself: see core.
// DO NOT CHANGE THIS DATA TO MAKE A BUILD PASS: move the code.
const floors = `
internal/vt internal/portable internal/conf internal/csvfile internal/unit internal/rng internal/snap internal/stats
internal/tabular internal/evq internal/hist internal/mail internal/tomlfile internal/fields
internal/replies
governor/feedback
governor netmodel/limits netmodel/delay engine/partition engine/delivery/retry
netmodel/config
netmodel
engine governor/recorded
engine/delivery engine/governing engine/sender engine/inbox engine/proximity engine/codec
engine/remote
reports/runlog reports/format
reports/measure
scenarios
scenarios/work scenarios/stated
-- shells
internal/agenda realrun/path internal/apart internal/input internal/longtest internal/pause internal/points internal/script internal/testca internal/testport internal/zone engine/internal/roletest internal/returned
internal/durable internal/fault realrun/dial realrun/wire
realrun/journal realrun/response realrun/hybrid realrun/faulty realrun/guard realrun/names internal/peers internal/memdisk
scenarios/study scenarios/suite scenarios/draft site internal/list realrun/control realrun/promotion realrun/message realrun/sink realrun/station
realrun/mailing realrun/requests realrun/inbound
realrun/depot
sim realrun realrun/keyring sim/crash/scope
sim/faulty sim/verify sim/bench sim/tune sim/ask sim/plan sim/crash reports/internal/handmade
sim/crash/search reports/folder reports/diagnosis reports/reactions reports/distances reports/mailings
reports/chart
reports/page reports/attempts reports/traces
reports/sensitivity
reports/run reports/answer reports/planning
reports/ensemble reports/study
reports/compare reports/tuning reports/laws reports/checklist
storage bus
farm bus/carrier
cmd/flyball/internal/kinds
cmd/flyball/internal/task cmd/flyball/internal/completion cmd/flyball/internal/manual
cmd/flyball/internal/promote cmd/flyball/internal/kept cmd/flyball/internal/metrics cmd/flyball/internal/reporting
cmd/flyball/internal/status cmd/flyball/internal/lists cmd/flyball/internal/letters
cmd/flyball/internal/live cmd/flyball/internal/trials cmd/flyball/internal/deadlines cmd/flyball/internal/speed cmd/flyball/internal/terminal
cmd/flyball/internal/bounces cmd/flyball/internal/requested cmd/flyball/internal/sites
cmd/flyball/internal/serve
cmd/flyball/internal/demo cmd/flyball/internal/console
cmd/flyball/internal/simulate cmd/flyball/internal/send cmd/flyball/internal/operate cmd/flyball/internal/tools
cmd/flyball
`

// blind are the arrows that point down and are forbidden all the same. A name
// that ends in /... is a package and all below it.
var blind = []struct{ from, to, why string }{
	{"realrun", "netmodel/...", "a live run must not know how its receivers decide"},
	{"realrun/message", "netmodel/...", "a letter is the same whoever receives it"},
	{"realrun/promotion", "netmodel/...", "a promotion speaks of what was measured"},
	{"sim", "internal/list", "a simulation is given a list, it reads none"},
	{"reports/...", "internal/list", "reports fold run folders"},
	{"reports/...", "netmodel/...", "reports fold run folders"},
	{"reports/...", "sim/...", "reports run nothing"},
	{"reports/...", "realrun/...", "reports run nothing"},
}

// covers reports whether a name in blind stands for the package in dir.
func covers(name, dir string) bool {
	tree, below := strings.CutSuffix(name, "/...")
	return dir == tree || below && strings.HasPrefix(dir, tree+"/")
}

// floorsOf returns the floor of each package, and the first floor of the shells.
func floorsOf(t *testing.T) (floor map[string]int, shells int) {
	t.Helper()
	floor = map[string]int{}
	n := 0
	for line := range strings.Lines(floors) {
		switch names := strings.Fields(line); {
		case len(names) == 0:
		case names[0] == "--":
			shells = n
		default:
			for _, name := range names {
				floor[name] = n
			}
			n++
		}
	}
	return floor, shells
}

// core returns the sources below the shells: they may not do what would let the
// machine that they run on decide a result. Each ban has its reason.
func core(t *testing.T) (all []source) {
	floor, shells := floorsOf(t)
	for _, s := range sources(t) {
		if n, ok := floor[s.dir]; ok && n < shells {
			all = append(all, s)
		}
	}
	return all
}

var bannedImports = map[string]string{
	"net":          "no I/O below the shells: put it into the Outbox and let realrun do it",
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
	return parsed(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
}

// parsed returns the Go files whose names are wanted.
func parsed(t *testing.T, wanted func(name string) bool) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" ||
			d.Name() == "runs"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go") || !wanted(name):
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
	floor, _ := floorsOf(t)
	for name := range floor {
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Errorf("the policy names %s, which does not exist", name)
		}
	}
	for _, s := range sources(t) {
		own, known := floor[s.dir]
		if !known {
			t.Errorf("%s: package %s has no floor; give it one in arch_test.go", s.name, s.dir)
			continue
		}
		for _, p := range imports(s) {
			ours, ok := strings.CutPrefix(p, "flyball/")
			if !ok {
				continue
			}
			if below, known := floor[ours]; !known || below >= own {
				t.Errorf("%s imports %s, which stands on no lower floor than %s", s.name, ours, s.dir)
			}
			for _, b := range blind {
				if covers(b.from, s.dir) && covers(b.to, ours) {
					t.Errorf("%s imports %s: %s", s.name, ours, b.why)
				}
			}
		}
	}
}

func TestNothingBelowTheShellsDecidesByItself(t *testing.T) {
	for _, s := range core(t) {
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
				t.Errorf("%s: a channel: the core fills an Outbox instead", at)
			}
			return true
		})
	}
}

// connects holds, by import, the names that make a program connect or look up names.
var connects = map[string][]string{
	"net":                         {"Dial", "Lookup", "Resolver", "DefaultResolver"},
	"crypto/tls":                  {"Dial"},
	"net/http":                    {"Get", "Post", "Head", "Client", "Transport", "Default"},
	"net/rpc":                     {"Dial"},
	"net/smtp":                    {""},
	"log/syslog":                  {""},
	"github.com/emersion/go-smtp": {"Dial", "SendMail"},
	"github.com/miekg/dns":        {"Dial", "Exchange", "Client", "Transfer"},
	"github.com/nats-io/nats.go":  {"Connect"},
}

// dialer returns the only package that may connect by an import: bus to a broker, realrun/dial to all else.
func dialer(by string) string {
	if by == "github.com/nats-io/nats.go" {
		return "bus"
	}
	return "realrun/dial"
}

// What connects could send mail to anybody, so only realrun/dial does, which checks the address; bus reaches brokers.
func TestOneDialer(t *testing.T) {
	found := map[string]bool{}
	for _, s := range sources(t) {
		names := map[string]string{} // import path by name
		for _, i := range s.file.Imports {
			from, _ := strconv.Unquote(i.Path.Value)
			name := path.Base(from)
			if i.Name != nil {
				name = i.Name.Name
			}
			names[strings.TrimSuffix(strings.TrimPrefix(name, "go-"), ".go")] = from
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, is := n.(*ast.SelectorExpr)
			if !is {
				return true
			}
			of, is := sel.X.(*ast.Ident)
			if !is || of.Obj != nil {
				return true
			}
			for _, prefix := range connects[names[of.Name]] {
				if strings.HasPrefix(sel.Sel.Name, prefix) {
					want := dialer(names[of.Name])
					if found[s.dir] = true; s.dir != want {
						t.Errorf("%s: got %s.%s, want %s, the only package that connects so",
							s.fset.Position(sel.Pos()), of.Name, sel.Sel.Name, want)
					}
				}
			}
			return true
		})
	}
	if !found["realrun/dial"] || !found["bus"] {
		t.Errorf("only %v connect: the test tests too little", found)
	}
}

// services are the modules of databases and brokers, and the package that alone imports each.
var services = []struct{ module, by string }{
	{"database/sql", "storage"},
	{"modernc.org/sqlite", "storage"},
	{"github.com/jackc/pgx/v5", "storage"},
	{"github.com/nats-io", "bus"},
}

// Neither what decides nor the shells know a database or a broker: the packages that do stand above them all.
func TestServicesStandAboveTheShells(t *testing.T) {
	floor, _ := floorsOf(t)
	for _, v := range services {
		for dir, n := range floor {
			for _, tree := range []string{"sim", "realrun", "engine", "governor", "netmodel", "scenarios", "reports"} {
				if covers(tree+"/...", dir) && n >= floor[v.by] {
					t.Errorf("%s could import %s, which has %s", dir, v.by, v.module)
				}
			}
		}
		used := false
		for _, s := range sources(t) {
			for _, p := range imports(s) {
				if p == v.module || strings.HasPrefix(p, v.module+"/") {
					if used = true; s.dir != v.by {
						t.Errorf("%s imports %s, want %s to be the only one", s.name, p, v.by)
					}
				}
			}
		}
		if !used {
			t.Errorf("nothing imports %s: the test tests too little", v.module)
		}
	}
}

// A path that a user names may lead to a pipe or a device, and a file that is
// written in place is half there after a crash: so files are opened in one
// place and written in one.
func TestFilesAreOpenedAndWrittenInOnePlace(t *testing.T) {
	where := map[string][]string{"internal/input": {"Open", "OpenFile", "ReadFile"}, "internal/durable": nil,
		"internal/script": nil, "internal/testca": nil} // the files of tests
	what := []string{"Open", "OpenFile", "ReadFile", "Create", "WriteFile", "Rename", "Link", "Mkdir", "MkdirAll",
		"MkdirTemp", "RemoveAll", "Truncate"}
	for _, s := range sources(t) {
		allowed, ok := where[s.dir]
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, is := n.(*ast.SelectorExpr)
			if !is {
				return true
			}
			if pkg, is := sel.X.(*ast.Ident); is && (pkg.Name == "os" || pkg.Name == "fs" &&
				sel.Sel.Name == "ReadFile") && slices.Contains(what, sel.Sel.Name) &&
				!(ok && (allowed == nil || slices.Contains(allowed, sel.Sel.Name))) {
				t.Errorf("%s: %s.%s: open files with internal/input, write them with internal/durable",
					s.fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// Ranging over a map needs types to be told, so the names of map-typed
// declarations in a file stand for them: enough to catch an honest mistake.
func TestNoRangeOverMaps(t *testing.T) {
	for _, s := range core(t) {
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
				t.Errorf("%s: ranges over the map %s: its order is random; keep the keys in a sorted slice",
					s.fset.Position(r.Pos()), name)
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
