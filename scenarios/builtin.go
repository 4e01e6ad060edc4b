package scenarios

import (
	"embed"
	"strings"
)

//go:embed builtin/*.toml
var builtin embed.FS

//go:embed suite/*.toml
var suite embed.FS

// SuitePrefix begins the names of the scenarios of package suite.
const SuitePrefix = "disturbances/"

// Builtin returns the text of a built-in scenario or of one of package suite,
// and false if there is none with that name.
func Builtin(name string) ([]byte, bool) {
	if base, ok := strings.CutPrefix(name, SuitePrefix); ok {
		src, err := suite.ReadFile("suite/" + base + ".toml")
		return src, err == nil
	}
	src, err := builtin.ReadFile("builtin/" + name + ".toml")
	return src, err == nil
}

// Names lists the built-in scenarios, sorted, without those of package suite.
func Names() []string { return named(builtin, "builtin") }

// SuiteNames lists the scenarios of package suite, sorted, without their prefix.
func SuiteNames() []string { return named(suite, "suite") }

func named(files embed.FS, folder string) []string {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return all
}

// Trial is a built-in scenario with some of its values changed.
type Trial struct {
	Name string
	Set  []string // path.to.key=value
}

// Suite lists the scenarios that governor laws are compared on by default: six
// networks, from a clear path to a resolver that answers late. Their lists are
// shortened so that 180 pairs of runs of all of them take less than a minute on
// two cores.
func Suite() []Trial {
	return []Trial{
		{Name: "quickstart"},
		{Name: "long-run"},
		{Name: "two-distances", Set: []string{"campaign[0].recipients=400000"}},
		{Name: "throttling-provider", Set: []string{"campaign[0].recipients=150000"}},
		{Name: "slow-dns", Set: []string{"campaign[0].recipients=400000"}},
		{Name: "greylist", Set: []string{"campaign[0].recipients=300000"}},
	}
}
