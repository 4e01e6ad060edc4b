package flyball_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"flyball/internal/longtest"
)

// A mutant is a mistake that somebody could make: one piece of production code
// replaced. If a check still passes, it does not see that mistake.
type mutant struct {
	name     string
	file     string
	old, new string
}

type check struct {
	name string
	args []string // of go test
}

// checks are what stands against mistakes, cheapest first.
var checks = []check{
	{"scripts", []string{"./engine/...", "-run", "Script"}},
	{"referee", []string{"./engine/...", "-skip", "Script"}},
	{"crash", []string{"./sim/crash/..."}},
	{"oracles", []string{"./governor/..."}},
	{"formulas", []string{"./netmodel/...", "./internal/..."}},
	{"sink", []string{"./realrun/sink"}},
	{"names", []string{"./realrun/names", "./realrun/path"}},
	{"journal", []string{"./realrun/journal", "./realrun/station"}},
	{"wire", []string{"./realrun/wire", "./realrun/faulty"}},
	{"returned", []string{"./internal/returned", "./internal/mail", "./realrun/inbound", "./realrun/requests",
		"./engine/inbox"}},
	{"numbers", []string{"./reports/run", "-run", "Every"}},
	{"messages", []string{"./scenarios", "./reports/format", "./reports/compare", "./reports/run", "-run",
		"Unknown|Many|SetByName|InWords|Gate|Inconclusive|Differences|Verdicts|EndIsNot|Shaded"}},
	{"search", []string{"./sim/tune"}},
	{"workers", []string{"./farm", "./bus"}},
	{"lists", []string{"./internal/list", "./internal/csvfile"}},
	{"depot", []string{"./realrun/depot"}},
	{"site", []string{"./site", "./cmd/flyball/internal/sites", "./cmd/flyball/internal/serve",
		"./cmd/flyball/internal/metrics", "./cmd/flyball/internal/reporting"}},
	{"live", []string{"./realrun/dial", "./realrun/guard", "./realrun/message", "./realrun/mailing", "./realrun"}},
	{"reports", []string{"./scenarios/study", "./scenarios/work", "./reports/..."}},
	{"sim", []string{"./sim", "-skip", "Twin|Golden|Replic"}},
	{"golden", []string{"./sim", "-run", "Golden"}},
	{"twin", []string{"./sim", "-run", "Twin"}},
	{"verify", []string{"./sim/verify"}},
	{"promotion", []string{"./realrun/promotion"}},
	{"tasks", []string{"./cmd/flyball/internal/task", "./cmd/flyball/internal/live", "./cmd/flyball/internal/trials",
		"-run", "Recipients|Nothing|NameServer|Strange|Leaves|AllServers"}},
	{"commands", []string{"./cmd/flyball", "-run",
		"OutIsNot|Stranger|People|Forgotten|SiteKeeps|SiteStops|SiteAdmits|Guards|Completion|Manual|Schemas|AsJSON|" +
			"Narrow|TestScripts/^(plan|ask|init|partition|realrun)$"}},
}

// mutants has all of them; each area has a file of its own.
var mutants = slices.Concat(engineMutants, governorMutants, networkMutants, studiesMutants, filesMutants,
	reportsMutants, liveMutants, commandsMutants, reliabilityMutants, returnedMutants, storageMutants,
	requestsMutants, siteMutants)

// TestMutants plants each mistake and runs the checks against it. It takes
// minutes, so it runs when asked: FLYBALL_MUTANTS=1 stops at the first check
// that sees a mutant, FLYBALL_MUTANTS=all runs every check against every mutant,
// and FLYBALL_MUTANTS=part is as 1 for as many mutants as eight minutes allow, in
// an order that FLYBALL_SEED chooses. The file FLYBALL_MUTANTS_OUT becomes the table
// of docs/results/mutants.txt with what was caught.
func TestMutants(t *testing.T) {
	mode := os.Getenv("FLYBALL_MUTANTS")
	if mode == "" {
		t.Skip("set FLYBALL_MUTANTS=1 to plant mistakes and see them caught; it takes minutes")
	}
	caught := make([]string, len(mutants))
	known := caughtLast(t)
	built := map[string][]string{}
	for _, c := range checks {
		built[c.name] = builds(t, c)
	}
	order, ends := mutants, time.Now().Add(24*time.Hour)
	if mode == "part" {
		seed := os.Getenv("FLYBALL_SEED")
		if seed == "" {
			t.Fatal("FLYBALL_MUTANTS=part: got no FLYBALL_SEED, want one, such as 2026-W48")
		}
		order, ends = shuffled(seed), time.Now().Add(partTakes)
	}
	t.Run("planted", func(t *testing.T) {
		var next atomic.Int64
		var planters sync.WaitGroup
		for range runtime.GOMAXPROCS(0) { // and no t.Parallel, after which the order would be that of goroutines
			planters.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(order)) && time.Now().Before(ends); i = next.Add(1) - 1 {
					t.Run(order[i].name, func(t *testing.T) {
						caught[i] = catch(t, order[i], known[order[i].name], built, mode == "all", ends.Add(partTakes))
						t.Logf("%s: %s", order[i].name, caught[i]) // at once: a run may be stopped
					})
				}
			})
		}
		planters.Wait()
	})
	seen := map[string]string{}
	for i, m := range order {
		if caught[i] != "" {
			seen[m.name] = caught[i]
		}
	}
	t.Logf("\n%s", tableOf(order, seen))
	if file := os.Getenv("FLYBALL_MUTANTS_OUT"); file != "" {
		for name, by := range seen {
			if by != notInTime && by != nothing {
				known[name] = by
			}
		}
		if err := os.WriteFile(file, []byte(tableOf(mutants, known)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What becomes of a mutant that is not caught.
const (
	notInTime = "not caught in time"
	nothing   = "NOTHING"
)

// tableOf returns a table of those of the mutants that by has, with what caught each.
func tableOf(of []mutant, by map[string]string) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "mistake\twhere\tcaught by")
	for _, m := range of {
		if c, ok := by[m.name]; ok {
			fmt.Fprintf(table, "%s\t%s\t%s\n", m.name, m.file, c)
		}
	}
	table.Flush()
	return out.String()
}

// partTakes is for how long a part of the mutants is planted; the last ones have as long again to be caught.
const partTakes = 8 * time.Minute

// shuffled returns the mutants in an order of the seed's own.
func shuffled(seed string) []mutant {
	drawn := func(m mutant) uint32 {
		h := fnv.New32a()
		h.Write([]byte(seed + m.name))
		return h.Sum32()
	}
	return slices.SortedFunc(slices.Values(mutants), func(a, b mutant) int { return cmp.Compare(drawn(a), drawn(b)) })
}

// The table of the last results names mistakes that are planted, and files that exist.
func TestTableOfMistakes(t *testing.T) {
	table, err := os.ReadFile("docs/results/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(table), "\n")
	for row := range strings.Lines(rows) {
		name, rest, _ := strings.Cut(row, "  ")
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return m.name == name }) {
			t.Errorf("docs/results/mutants.txt: got %q, want a planted mistake", name)
		}
		file, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if _, err := os.Stat(file); err != nil {
			t.Errorf("docs/results/mutants.txt: %s: %v", name, err)
		}
	}
}

// caughtLast tells what caught each mutant when the results were last written: a test,
// or a check. To ask it first saves building and running what passes.
func caughtLast(t *testing.T) map[string]string {
	table, err := os.ReadFile("docs/results/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, m := range mutants {
		for line := range strings.Lines(string(table)) {
			if strings.HasPrefix(line, m.name+"  ") {
				known[m.name] = line[strings.LastIndex(line, "  ")+2 : len(line)-1]
			}
		}
	}
	return known
}

// builds returns the packages that a check builds: a mistake in any other cannot fail it.
func builds(t *testing.T, c check) []string {
	packages := c.args
	if i := slices.IndexFunc(packages, func(arg string) bool { return arg[0] == '-' }); i >= 0 {
		packages = packages[:i]
	}
	list := exec.Command("go", append([]string{"list", "-test", "-deps", "-f", "{{.ImportPath}}"}, packages...)...)
	built, err := list.Output()
	if err != nil {
		t.Fatalf("go list of check %q: %v", c.name, err)
	}
	return strings.Fields(string(built))
}

// failed finds the first test that failed in the output of go test, and its package.
var failed = regexp.MustCompile(`(?ms)^--- FAIL: (\w+) .*?^FAIL\tflyball/(\S+)`)

// alone returns the check by one test, which is written as "TestName in package"; ok is false for the name of a check.
func alone(by string) (c check, ok bool) {
	name, dir, ok := strings.Cut(by, " in ")
	return check{by, []string{"./" + dir, "-run", "^" + name + "$"}}, ok
}

// own is the check by the tests of the package that has the mistake.
func own(m mutant) check { return check{"its own package", []string{"./" + filepath.Dir(m.file)}} }

// catch runs the checks against a mutant until one sees it, or all of them, and
// names those that did, or the test of theirs that failed. What caught the mutant last is asked first,
// then the tests of the package that has the mistake: they build little. Checks that do not build that
// package, by what the map has of each, are not asked. What is not caught at the deadline is not judged.
func catch(t *testing.T, m mutant, first string, of map[string][]string, all bool, deadline time.Time) string {
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	overlay := plant(t, m)
	var caught, slow []string
	asked := slices.Insert(slices.Clone(checks), 0, own(m))
	if i := slices.IndexFunc(asked, func(c check) bool { return c.name == first }); i > 0 {
		c := asked[i]
		asked = slices.Insert(slices.Delete(asked, i, i+1), 0, c)
	} else if c, ok := alone(first); ok {
		asked = slices.Insert(asked, 0, c)
	}
	for _, c := range asked {
		if built, ok := of[c.name]; ok && !slices.Contains(built, "flyball/"+filepath.Dir(m.file)) {
			continue
		}
		args := append([]string{"test", "-count=1", "-vet=off", "-failfast", "-timeout=300s", "-overlay=" + overlay},
			c.args...)
		check := exec.CommandContext(ctx, "go", args...)
		check.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		check.Cancel = func() error { return syscall.Kill(-check.Process.Pid, syscall.SIGKILL) } // with its children
		// the tests of every save must catch it, whatever the seed
		check.Env = append(os.Environ(), "FLYBALL_SEED=", longtest.Variable+"=")
		output, err := check.CombinedOutput()
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return notInTime
		case strings.Contains(string(output), "[build failed]"):
			t.Fatalf("%s does not compile:\n%s", m.name, output)
		case strings.Contains(string(output), "panic: test timed out"):
			// A loop without end, or a busy machine: it takes another check to tell.
			slow = append(slow, c.name+" by its time")
			continue
		}
		if !all {
			if f := failed.FindSubmatch(output); f != nil {
				return string(f[1]) + " in " + string(f[2])
			}
			return c.name
		}
		caught = append(caught, c.name)
	}
	if caught == nil {
		caught = slow
	}
	if caught == nil {
		t.Errorf("nothing catches: %s (%s)", m.name, m.file)
		return nothing
	}
	return strings.Join(caught, ", ")
}

// plant writes the mutated file beside the tree and tells the compiler to take
// it instead. Every mutant must still fit the code.
func plant(t *testing.T, m mutant) (overlay string) {
	t.Helper()
	src, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("mutant %q: %s has %d places like %q, want 1: the code has moved on, move the mutant", m.name, m.file,
			n, m.old)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, replace, 0o644); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// Mutants that no longer fit the code are found at once, not in the slow run, and
// all of them together.
func TestMutantsFitTheCode(t *testing.T) {
	named := map[string]bool{}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { plant(t, m) })
		if m.old == m.new || named[m.name] {
			t.Errorf("mutant %q: it changes nothing, or its name is taken", m.name)
		}
		named[m.name] = true
	}
}
