package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
)

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
	// Better has which values a comparison takes for better: less, more or nearer 0.
	Better string `json:"better"`
}

func (a *app) listMetrics(asJSON bool) error {
	all := metricList{head: headOf("metrics")}
	longest := 0
	for _, m := range measure.Metrics() {
		all.Metrics = append(all.Metrics, listedMetric{m.Name, m.Unit, m.Doc, m.Better()})
		longest = max(longest, len(m.Name))
	}
	if asJSON {
		return a.printJSON(all)
	}
	for _, m := range all.Metrics {
		name := m.Name
		for _, line := range format.Wrap(m.Doc+"; better: "+m.Better, width-longest-2) {
			fmt.Fprintf(a.out, "%-*s  %s\n", longest, name, line)
			name = ""
		}
	}
	return nil
}
