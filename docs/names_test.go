package docs

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/governor"
	"flyball/internal/mail"
	"flyball/reports/folder"
	"flyball/reports/measure"
)

// TestPatentNamesWhatExists resolves every word in code quotes of patent.md: a
// file, a declaration, a test, a key or value of scenarios, or a scenario.
func TestPatentNamesWhatExists(t *testing.T) {
	tree := readTree(t)
	checked := 0
	for line := range strings.Lines(readPage(t, "patent.md")) {
		for cell := range strings.SplitSeq(line, " | ") {
			in := context{}
			for _, quoted := range code.FindAllStringSubmatch(cell, -1) {
				checked++
				if !tree.has(quoted[1], &in) {
					t.Errorf("patent.md: got `%s`, want what exists, in %s", quoted[1], cell)
				}
			}
		}
	}
	if checked < 150 {
		t.Errorf("%d names were looked up: the page is read wrongly", checked)
	}
}

// TestPagesNameWhatExists resolves the paths, the exported names of packages,
// the tests and the links of every page.
func TestPagesNameWhatExists(t *testing.T) {
	tree := readTree(t)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text := readPage(t, page)
		for _, quoted := range code.FindAllStringSubmatch(text, -1) {
			name, ours := quoted[1], false
			switch first, _, _ := strings.Cut(name, "/"); {
			case strings.ContainsAny(name, " *") || strings.Contains(name, "NAME"):
			case first != name:
				ours = slices.Contains(tree.folders, first)
			case exported.MatchString(name):
				ours = tree.packages[strings.Split(name, ".")[0]]
			case isTest.MatchString(name):
				if checked++; !tree.tests[name] {
					t.Errorf("%s: got `%s`, want a test that exists", page, name)
				}
			}
			if ours {
				if checked++; !tree.has(name, &context{}) {
					t.Errorf("%s: got `%s`, want what exists", page, name)
				}
			}
		}
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			file, heading, _ := strings.Cut(link[1], "#")
			if file == "" {
				file = filepath.Base(page)
			}
			checked++
			file = filepath.Join(filepath.Dir(page), filepath.FromSlash(file))
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: got a link to %s, want a file that exists", page, link[1])
			} else if heading != "" && !slices.Contains(headings(readPage(t, file)), heading) {
				t.Errorf("%s: got a link to %s, want a heading of that page", page, link[1])
			}
		}
	}
	if checked < 150 {
		t.Errorf("%d names were looked up: the pages are read wrongly", checked)
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// headings returns the names by which links reach the headings of a page.
func headings(page string) (all []string) {
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(h[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

var (
	// code is a word in code quotes, without the value of an assignment.
	code     = regexp.MustCompile("`([^`=\n]*[^`=\n ])(?: = [^`\n]*)?`")
	exported = regexp.MustCompile(`^[a-z]+\.[A-Z]\w*(\.\w+)?$`)
	isTest   = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	links    = regexp.MustCompile(`\]\(([^):\s]+)\)`)
)

// tree is what a page may name.
type tree struct {
	declared map[string]bool // package.Name and package.Type.Member, tests too
	tests    map[string]bool
	packages map[string]bool
	folders  []string // of the top level
	words    []string // keys, values, scenarios, flags
}

// context is what a shortened name of the same cell continues: the folder of a
// file, the package of a test, the type of a member.
type context struct{ folder, in, of string }

func (a tree) has(name string, at *context) bool {
	exists := func(path string) bool {
		_, err := os.Stat(filepath.Join("..", filepath.FromSlash(path)))
		return err == nil
	}
	switch {
	case strings.Contains(name, "/"):
		at.folder = filepath.Dir(name)
		return exists(name)
	case filepath.Ext(name) == ".txt":
		return at.folder != "" && exists(at.folder+"/"+name)
	case a.declared[name]:
		parts := strings.Split(name, ".")
		at.in, at.of = parts[0], strings.Join(parts[:2], ".")
		return true
	case a.declared[at.in+"."+name], a.declared[at.of+"."+name]:
		return true
	}
	return slices.Contains(a.words, strings.Trim(name, `"`))
}

func readTree(t *testing.T) tree {
	t.Helper()
	a := tree{declared: map[string]bool{}, tests: map[string]bool{}, packages: map[string]bool{}}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != ".." && (strings.HasPrefix(name, ".") || name == "runs" || name == "testdata"):
			return filepath.SkipDir
		case d.IsDir() && filepath.Dir(path) == "..":
			a.folders = append(a.folders, name)
		case filepath.Base(filepath.Dir(path)) == "builtin" && filepath.Ext(name) == ".toml":
			a.words = append(a.words, strings.TrimSuffix(name, ".toml"))
		case filepath.Ext(name) == ".go":
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			a.declare(f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../scenarios/schema/scenario.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	a.keys("", schema)
	for flag := governor.Flags(1); flag != 0; flag <<= 1 {
		a.words = append(a.words, flag.String())
	}
	return a
}

// declare adds the top-level names of f, methods, and the fields of structs.
func (a *tree) declare(f *ast.File) {
	in := strings.TrimSuffix(f.Name.Name, "_test") + "."
	a.packages[strings.TrimSuffix(in, ".")] = true
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			of := ""
			if d.Recv != nil {
				ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && of == "" {
						of = id.Name + "."
					}
					return true
				})
			}
			a.declared[in+of+d.Name.Name] = true
			a.tests[d.Name.Name] = d.Recv == nil
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, name := range s.Names {
						a.declared[in+name.Name] = true
					}
				case *ast.TypeSpec:
					a.declared[in+s.Name.Name] = true
					if fields, ok := s.Type.(*ast.StructType); ok {
						for _, field := range fields.Fields.List {
							for _, name := range field.Names {
								a.declared[in+s.Name.Name+"."+name.Name] = true
							}
						}
					}
				}
			}
		}
	}
}

// keys adds the keys of a schema, each by its path and alone, and the values
// that a key may have.
func (a *tree) keys(path string, v any) {
	switch v := v.(type) {
	case []any:
		for _, w := range v {
			a.keys(path, w)
		}
	case map[string]any:
		for name, w := range v {
			switch inner, isMap := w.(map[string]any); {
			case name == "properties" && isMap:
				for key, below := range inner {
					at := strings.TrimPrefix(path+"."+key, ".")
					a.words = append(a.words, key, at)
					a.keys(at, below)
				}
			case name == "enum":
				for _, value := range w.([]any) {
					if s, ok := value.(string); ok {
						a.words = append(a.words, s)
					}
				}
			default:
				a.keys(path, w)
			}
		}
	}
}

// TestTermsAgree looks up in terms.md the words that reports print for the end of
// a recipient, a stage, a fault and a class, and in files.md the files of a run
// folder.
func TestTermsAgree(t *testing.T) {
	words := map[string][]string{"files.md": folder.OwnFiles()}
	for s := range mail.Statuses {
		words["terms.md"] = append(words["terms.md"], s.String())
	}
	for s := range mail.Stages {
		words["terms.md"] = append(words["terms.md"], "`"+s.String()+"`")
	}
	for f := mail.Fault(1); f < mail.Faults; f++ {
		words["terms.md"] = append(words["terms.md"], "`"+f.String()+"`")
	}
	for _, c := range measure.Classes() {
		words["terms.md"] = append(words["terms.md"], string(c))
	}
	for page, all := range words {
		text := readPage(t, page)
		for _, w := range all {
			if !strings.Contains(text, w) {
				t.Errorf("%s: got no %q, want what it means", page, w)
			}
		}
	}
}
