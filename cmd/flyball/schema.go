package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/reports/format"
	"flyball/scenarios"
)

// schemas describe the output of --json and the JSON files of run folders. A test generates them from the types that
// are encoded, and validates real outputs with them.
//
//go:embed schema/*.schema.json
var schemas embed.FS

const schemaSuffix = ".schema.json"

// head begins every JSON output and names the published schema that it follows.
type head struct {
	Schema        string `json:"schema"`
	SchemaVersion int    `json:"schema_version"`
}

// headOf returns the head of an output whose schema is NAME.schema.json.
func headOf(name string) head { return head{"flyball/" + name, format.SchemaVersion} }

// printJSON prints a value as files of run folders are written.
func (a *app) printJSON(v any) error {
	raw, err := format.SortedJSON(v)
	if err == nil {
		_, err = a.out.Write(raw)
	}
	return err
}

func (a *app) schemaCommand() *cobra.Command {
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
				_, err := fmt.Fprintln(a.out, strings.Join(names, "\n"))
				return err
			}
			if !slices.Contains(names, args[0]) {
				return fail(exitUsage, "schema: got %q, want one of %s%s", args[0], strings.Join(names, ", "),
					conf.DidYouMean(args[0], names))
			}
			_, err := a.out.Write(schemaNamed(args[0]))
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
