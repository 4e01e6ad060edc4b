package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"flyball/reports/measure"
	"flyball/scenarios"
)

// exactlyOne wants one argument and says which.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fail(exitUsage, "%s: got %d arguments, want %s", c.Name(), len(args), what)
		}
		return nil
	}
}

func (a *app) validateCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Use:   "validate SCENARIO...",
		Short: "Check scenarios and report every problem at once",
		Long: `Check scenarios strictly: names of built-in ones, paths, or - for standard
input. Every problem is reported as file:line:col: key: message. Exit code 3 if
there is any.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fail(exitUsage, "validate: got no scenario, want at least one")
			}
			return a.validate(args, sets)
		},
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "change one value first: path.to.key=value (repeatable)")
	return c
}

func (a *app) validate(args, sets []string) error {
	bad := 0
	for _, arg := range args {
		s, _, err := a.load(arg, sets...)
		switch {
		case err != nil:
			bad++
			fmt.Fprintln(a.out, err)
		default:
			fmt.Fprintf(a.out, "%s: ok, %s\n", arg, scenarios.ID(s)[:12])
		}
	}
	if bad > 0 {
		return fail(exitInvalid, "%d of %d scenarios invalid", bad, len(args))
	}
	return nil
}

func (a *app) scenarioCommand() *cobra.Command {
	var asJSON, resolved bool
	list := &cobra.Command{
		Use: "list", Short: "List the built-in scenarios", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listScenarios(asJSON) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	show := &cobra.Command{
		Use: "show SCENARIO", Short: "Print a scenario", Args: exactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			s, text, err := a.load(args[0])
			if err != nil {
				return err
			}
			if resolved {
				text = scenarios.Resolved(s)
			}
			// The line that tells an editor where the schema is would be wrong elsewhere.
			if first, rest, ok := bytes.Cut(text, []byte("\n")); ok && bytes.HasPrefix(first, []byte("#:schema")) {
				text = rest
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	show.Flags().BoolVar(&resolved, "resolved", false, "with every default spelled out")
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of scenario files", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(scenarios.Schema())
			return err
		},
	}
	metrics := &cobra.Command{
		Use: "metrics", Short: "List the metrics that an expectation can name", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, m := range measure.Metrics() {
				fmt.Fprintf(a.out, "%-24s %s\n", m.Name, m.Doc)
			}
			return nil
		},
	}
	c := &cobra.Command{Use: "scenario", Short: "List and show scenarios, print their schema", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "scenario: got %q, want list, show, schema or metrics", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(list, show, schema, metrics)
	return c
}

func (a *app) listScenarios(asJSON bool) error {
	type entry struct {
		Name  string `json:"name"`
		About string `json:"about"`
	}
	all := struct {
		Schema        string  `json:"schema"`
		SchemaVersion int     `json:"schema_version"`
		Scenarios     []entry `json:"scenarios"`
	}{Schema: "flyball/scenarios", SchemaVersion: 1}
	names := scenarios.Names()
	for _, d := range scenarios.Disturbances() {
		names = append(names, d.Name)
	}
	for _, name := range names {
		s, _, err := a.load(name)
		if err != nil {
			return err
		}
		all.Scenarios = append(all.Scenarios, entry{name, s.About})
	}
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	for _, s := range all.Scenarios {
		first, _, _ := strings.Cut(s.About, ". ")
		fmt.Fprintf(a.out, "%-33s %s\n", s.Name, strings.TrimSuffix(first, "."))
	}
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, version())
			return err
		},
	}
}

// version names the program, its revision and the compiler.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "flyball"
	}
	words := []string{"flyball", info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
