package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// build is what version --json prints.
type build struct {
	head
	Version  string `json:"version"`            // of the module, (devel) if it has none
	Revision string `json:"revision,omitempty"` // of the clone that flyball was built from
	Modified bool   `json:"modified"`           // that clone had changes which are not in the revision
	Go       string `json:"go"`                 // compiler
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				info, _ := debug.ReadBuildInfo()
				return a.printJSON(buildOf(info))
			}
			_, err := fmt.Fprintln(a.out, version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema version)")
	return c
}

// version names the program, its revision and the compiler.
func version() string {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info).words()
}

// buildOf reads what the linker left in the program; nil if it left nothing.
func buildOf(info *debug.BuildInfo) build {
	b := build{head: headOf("version")}
	if info == nil {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) words() string {
	words := []string{"flyball"}
	for _, w := range []string{b.Version, b.Revision, b.Go} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
