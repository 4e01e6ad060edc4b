package scenarios

import (
	"embed"
	"strings"
)

//go:embed builtin/*.toml
var builtin embed.FS

// Builtin returns the text of a built-in scenario or of one of the Disturbances,
// and false if there is none with that name.
func Builtin(name string) ([]byte, bool) {
	if base, ok := strings.CutPrefix(name, suitePrefix); ok {
		src, err := suite.ReadFile("suite/" + base + ".toml")
		return src, err == nil
	}
	src, err := builtin.ReadFile("builtin/" + name + ".toml")
	return src, err == nil
}

// Names lists the built-in scenarios, sorted, without the Disturbances.
func Names() []string {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return all
}
