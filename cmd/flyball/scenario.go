package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
)

// exactlyOne returns a check for exactly one argument, which errors call what.
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
	var asJSON bool
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
			return a.validate(args, sets, asJSON)
		},
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "change one value first: path.to.key=value (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema validation)")
	return c
}

// validation is what validate --json prints.
type validation struct {
	head
	Valid     bool        `json:"valid"`     // every scenario is
	Scenarios []validated `json:"scenarios"` // in the order of the arguments
}

type validated struct {
	Scenario   string              `json:"scenario"` // the argument
	Valid      bool                `json:"valid"`
	ScenarioID string              `json:"scenario_id,omitempty"` // SHA-256 of the resolved scenario; of a valid one
	Problems   []scenarios.Problem `json:"problems"`              // none if it is valid
}

func (a *app) validate(args, sets []string, asJSON bool) error {
	bad := 0
	all := validation{head: headOf("validation")}
	for _, arg := range args {
		s, _, err := a.load(arg, sets...)
		one := validated{Scenario: arg, Valid: err == nil, Problems: []scenarios.Problem{}}
		line := ""
		if err == nil {
			one.ScenarioID = scenarios.ID(s)
			line = fmt.Sprintf("%s: ok, %s", arg, one.ScenarioID[:12])
		} else {
			bad++
			line = err.Error()
			var many scenarios.Problems
			if !errors.As(err, &many) { // of the file as a whole, which may not be there
				many = scenarios.Problems{{File: arg, Text: line}}
			}
			one.Problems = many
		}
		all.Scenarios = append(all.Scenarios, one)
		if !asJSON {
			fmt.Fprintln(a.out, line)
		}
	}
	if all.Valid = bad == 0; asJSON {
		if err := a.printJSON(all); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fail(exitInvalid, "%d of %d scenarios invalid", bad, len(args))
	}
	return nil
}

func (a *app) scenarioCommand() *cobra.Command {
	var asJSON, suite, resolved bool
	list := &cobra.Command{
		Use: "list", Short: "List the built-in scenarios", Args: cobra.NoArgs,
		Long: `List the built-in scenarios, with the first sentence of what each shows; flyball
scenario show prints the rest.`,
		RunE: func(*cobra.Command, []string) error { return a.listScenarios(suite, asJSON) },
	}
	list.Flags().BoolVar(&suite, "suite", false, "also the suite of disturbances that flyball laws tries governors on")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema scenarios)")
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
			// The line that points an editor to the schema has a path that is wrong elsewhere.
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
		RunE: func(*cobra.Command, []string) error { return a.listMetrics(asJSON) },
	}
	metrics.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema metrics)")
	c := &cobra.Command{Use: "scenario", Short: "List and show scenarios, print their schema",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "scenario: got %q, want list, show, schema or metrics", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(list, show, schema, metrics)
	return c
}

// width of what is listed, in columns.
const width = 100

// scenarioList is what scenario list --json prints.
type scenarioList struct {
	head
	Scenarios []listedScenario `json:"scenarios"`
}

type listedScenario struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func (a *app) listScenarios(suite, asJSON bool) error {
	names := scenarios.Names()
	if suite {
		for _, d := range scenarios.Disturbances() {
			names = append(names, d.Name)
		}
	}
	all := scenarioList{head: headOf("scenarios")}
	longest := 0
	for _, name := range names {
		s, _, err := a.load(name)
		if err != nil {
			return err
		}
		all.Scenarios = append(all.Scenarios, listedScenario{name, s.About})
		longest = max(longest, len(name))
	}
	if asJSON {
		return a.printJSON(all)
	}
	for _, s := range all.Scenarios {
		first, _, _ := strings.Cut(s.About, ". ")
		fmt.Fprintf(a.out, "%-*s  %s\n", longest, s.Name, cutTo(strings.TrimSuffix(first, "."), width-longest-2))
	}
	if !suite {
		fmt.Fprintf(a.out, "\n%d more with --suite: the disturbances that flyball laws tries governors on\n",
			len(scenarios.Disturbances()))
	}
	return nil
}

// cutTo leaves out the words of a sentence that are beyond width columns.
func cutTo(sentence string, width int) string {
	if utf8.RuneCountInString(sentence) <= width {
		return sentence
	}
	return format.Wrap(sentence, width-len(" ..."))[0] + " ..."
}

// metricList is what scenario metrics --json prints.
type metricList struct {
	head
	Metrics []listedMetric `json:"metrics"`
}

type listedMetric struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // 1 of shares and other ratios
	Doc  string `json:"doc"`  // what the metric is; of several servers, which one counts
}

func (a *app) listMetrics(asJSON bool) error {
	all := metricList{head: headOf("metrics")}
	longest := 0
	for _, m := range measure.Metrics() {
		all.Metrics = append(all.Metrics, listedMetric{m.Name, m.Unit, m.Doc})
		longest = max(longest, len(m.Name))
	}
	if asJSON {
		return a.printJSON(all)
	}
	for _, m := range all.Metrics {
		name := m.Name
		for _, line := range format.Wrap(m.Doc, width-longest-2) {
			fmt.Fprintf(a.out, "%-*s  %s\n", longest, name, line)
			name = ""
		}
	}
	return nil
}

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
