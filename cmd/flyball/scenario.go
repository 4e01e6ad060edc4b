package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/draft"
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

func (a *app) partitionCommand() *cobra.Command {
	q := task.Partition{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "partition SCENARIO",
		Short: "Divide the lists among the servers by every strategy, with a bound that no plan can beat",
		Long: `Divide the list of each campaign among the servers by every strategy of
sender.partition, and predict the mean time of an attempt and when the servers are
done. SCENARIO is a built-in name, a file, or - for standard input.

Times are predicted from the distances and delays of the scenario, for one attempt
each, without failures and limits, if every process is always busy: flyball run has
what becomes of a plan. The optimal plan has the least mean time within
sender.imbalance and the quotas of servers. Its prices prove that no plan can beat
its bound: --verify recomputes the bound from the prices of a file of --out, and
finds every change in it.

Exit codes: 0 done, 2 usage, 3 invalid scenario or plan, 7 a file that cannot be
read or written.`,
		Example: "  flyball partition two-distances\n  flyball partition unequal --strategy optimal --out plan.json\n" +
			"  flyball partition unequal --verify plan.json",
		Args: exactlyOne("SCENARIO"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Arg, q.Stdin = args[0], a.in
			found, err := q.Do()
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.printJSON(found)
			}
			for _, t := range found.Tables() {
				if err := t.Write(a.out, a.colored()); err != nil {
					return err
				}
				fmt.Fprintln(a.out)
			}
			for _, proof := range found.Proofs() {
				for _, line := range format.Wrap(proof, width) {
					fmt.Fprintln(a.out, line)
				}
			}
			if q.Verify != "" {
				fmt.Fprintf(a.out, "%s: every plan and every bound holds\n", task.Quote(q.Verify))
			}
			return nil
		},
	}
	f := c.Flags()
	sourceFlags(c, &q.Source)
	f.StringArrayVar(&q.Strategies, "strategy", nil, "only this strategy (repeatable; all if not given)")
	f.StringVar(&q.Out, "out", "", "file to write the plans to, as JSON")
	f.StringVar(&q.Verify, "verify", "", "hold the plans of this file against the scenario instead")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema partition)")
	return c
}

func (a *app) initCommand() *cobra.Command {
	q := task.Init{Draft: draft.Default()}
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a scenario to start from: your providers, campaigns, servers and deadline",
		Long: `Write a commented scenario to standard output or --out: your providers, campaigns,
servers and deadline, and for well-known providers what is published about them.
Every value has its source; a value without a published source is "assumed". At a
terminal without flags, init asks for them.

The part of the list that the providers do not take goes to many small domains. The
target rate is what the deadlines need, unless --target gives it.

Exit codes: 0 written, 2 usage, 7 a file that cannot be written.`,
		Example: `  flyball init --provider gmail=50% --provider outlook=20% --recipients 200k --deadline 8h
  flyball init --provider gmail=50%,cap=20 --servers 4 --start-at '2026-11-30 22:00' \
    --time-zone Europe/Berlin --campaign newsletter=5M,deadline=06:00 \
    --campaign password=20k,start=23:00,deadline=23:30 --out night.toml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.Out == "-" {
				q.Out = ""
			}
			var asks bool
			if q.Draft.Command, asks = commandLine(c); asks && terminal.Is(a.in) {
				if err := q.Ask(a.in, a.errout); err != nil {
					return err
				}
				q.Draft.Command = ""
			}
			text, err := q.Do()
			if err != nil {
				return err
			}
			if q.Out == "" {
				_, err = a.out.Write(text)
				return err
			}
			fmt.Fprintf(a.out, "%s: written\nNext: flyball validate %[1]s, flyball run %[1]s, flyball ask %[1]s\n",
				task.Quote(q.Out))
			return nil
		},
	}
	f, d := c.Flags(), &q.Draft
	f.StringVar(&d.Name, "name", d.Name, "name of the scenario")
	f.StringArrayVar(&q.Providers, "provider", nil, "NAME=SHARE, such as gmail=50%, and keys of a destination, "+
		"such as ,cap=20 (repeatable); providers with known facts are "+strings.Join(draft.Providers(), ", "))
	f.StringArrayVar(&q.Campaigns, "campaign", nil, "NAME=RECIPIENTS, such as newsletter=5M, and keys of a "+
		"campaign, such as ,start=22:00,deadline=06:00 (repeatable)")
	f.StringVar(&q.Recipients, "recipients", "", "recipients of the only campaign, such as 200k; 100k without "+
		"--campaign")
	f.IntVar(&d.Servers, "servers", d.Servers, "servers that deliver")
	f.StringVar(&d.StartAt, "start-at", "", "date and time of the start, such as '2026-11-30 22:00'; "+
		"clock times need it")
	f.StringVar(&d.TimeZone, "time-zone", "", "IANA time zone of the clock times, such as Europe/Berlin; UTC if "+
		"not given")
	f.StringVar(&d.Deadline, "deadline", "", "time by which campaigns without their own deadline are to be out, "+
		"such as 06:00 or 8h")
	f.StringVar(&d.Target, "target", "", "rate of a server, such as 60000/h; what the deadlines need if not given")
	f.StringVar(&q.Out, "out", "", "file to write; standard output if not given, or -")
	f.BoolVar(&q.Force, "force", false, "replace the file of --out")
	return c
}

// commandLine returns the command line of c with its own flags that were given, in the
// order of their names, without --out and --force. Bare reports whether
// there are none.
func commandLine(c *cobra.Command) (line string, bare bool) {
	words := []string{c.CommandPath()}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "out" || f.Name == "force" {
			return
		}
		values := []string{f.Value.String()}
		if many, ok := f.Value.(pflag.SliceValue); ok {
			values = many.GetSlice()
		}
		for _, v := range values {
			words = append(words, "--"+f.Name, task.Quote(v))
		}
	})
	return strings.Join(words, " "), len(words) == 1
}
