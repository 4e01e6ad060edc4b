package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/internal/conf"
	"flyball/scenarios"
)

// schemas describe the output of --json and the JSON files of run folders. A test generates them from the types that
// are encoded, and validates real outputs with them.
//
//go:embed schema/*.schema.json
var schemas embed.FS

const schemaSuffix = ".schema.json"

func (a app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print the JSON Schema of an output or of scenario files",
		Long: `Print the JSON Schema (draft 2020-12) of scenario files, of what a command prints
with --json, or of a JSON file in a run folder. Each output names its schema:
"schema": "flyball/NAME". Without NAME print all names.

Exit codes: 0 printed, 2 usage.`,
		Example: "  flyball schema\n  flyball schema summary > summary.schema.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			names := schemaNames()
			if len(args) == 0 {
				_, err := fmt.Fprintln(a.Out, strings.Join(names, "\n"))
				return err
			}
			if !slices.Contains(names, args[0]) {
				return console.Fail(console.Usage,
					"schema: got %q, want one of %s%s", args[0], strings.Join(names, ", "),
					conf.DidYouMean(args[0], names))
			}
			_, err := a.Out.Write(schemaNamed(args[0]))
			return err
		},
	}
}

// schemaNamed returns the schema with one of schemaNames.
func schemaNamed(name string) []byte {
	if name == "scenario" {
		return scenarios.Schema()
	}
	raw, err := schemas.ReadFile("schema/" + name + schemaSuffix)
	if err != nil {
		panic(err) // each name is the name of a file
	}
	return raw
}

// schemaNames returns the names of the schemas that flyball schema prints.
func schemaNames() []string {
	entries, err := schemas.ReadDir("schema")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	all := []string{"scenario"}
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), schemaSuffix))
	}
	slices.Sort(all)
	return all
}
