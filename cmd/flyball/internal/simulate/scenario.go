package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/tomlfile"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/draft"
	"flyball/scenarios/suite"
)

func (a app) scenarioCommand() *cobra.Command {
	var asJSON, whole, resolved bool
	list := &cobra.Command{
		Use: "list", Short: "List the built-in scenarios", Args: cobra.NoArgs,
		Long: `List the built-in scenarios, with the first sentence of what each shows; flyball
scenario show prints the rest.`,
		RunE: func(*cobra.Command, []string) error { return a.listScenarios(whole, asJSON) },
	}
	list.Flags().BoolVar(&whole, "suite", false, "also the suite of disturbances that flyball laws tries governors on")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema scenarios)")
	show := &cobra.Command{
		Use: "show SCENARIO", Short: "Print a scenario", Args: console.ExactlyOne("a scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			s, text, err := a.Load(args[0])
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
			_, err = a.Out.Write(text)
			return err
		},
	}
	show.Flags().BoolVar(&resolved, "resolved", false, "with every default spelled out")
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of scenario files", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Out.Write(scenarios.Schema())
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
				return console.Fail(console.Usage, "scenario: got %q, want list, show, schema or metrics", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(list, show, schema, metrics)
	return c
}

// width of what is listed, in columns.
const width = 100

// ScenarioList is what scenario list --json prints.
type ScenarioList struct {
	console.Head
	Scenarios []listedScenario `json:"scenarios"`
}

type listedScenario struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func (a app) listScenarios(whole, asJSON bool) error {
	names := scenarios.Names()
	if whole {
		for _, d := range suite.All() {
			names = append(names, d.Name)
		}
	}
	all := ScenarioList{Head: console.HeadOf("scenarios")}
	longest := 0
	for _, name := range names {
		s, _, err := a.Load(name)
		if err != nil {
			return err
		}
		all.Scenarios = append(all.Scenarios, listedScenario{name, s.About})
		longest = max(longest, len(name))
	}
	if asJSON {
		return a.PrintJSON(all)
	}
	for _, s := range all.Scenarios {
		first, _, _ := strings.Cut(s.About, ". ")
		fmt.Fprintf(a.Out, "%-*s  %s\n", longest, s.Name, cutTo(strings.TrimSuffix(first, "."), width-longest-2))
	}
	if !whole {
		fmt.Fprintf(a.Out, "\n%d more with --suite: the disturbances that flyball laws tries governors on\n",
			len(suite.All()))
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

// MetricList is what scenario metrics --json prints.
type MetricList struct {
	console.Head
	Metrics []listedMetric `json:"metrics"`
}

type listedMetric struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // 1 of shares and other ratios
	Doc  string `json:"doc"`  // what the metric is; of several servers, which one counts
	// Better has which values a comparison takes for better: less, more or nearer 0.
	Better string `json:"better"`
}

func (a app) listMetrics(asJSON bool) error {
	all := MetricList{Head: console.HeadOf("metrics")}
	longest := 0
	for _, m := range measure.Metrics() {
		all.Metrics = append(all.Metrics, listedMetric{m.Name, m.Unit, m.Doc, m.Better()})
		longest = max(longest, len(m.Name))
	}
	if asJSON {
		return a.PrintJSON(all)
	}
	for _, m := range all.Metrics {
		name := m.Name
		for _, line := range format.Wrap(m.Doc+"; better: "+m.Better, width-longest-2) {
			fmt.Fprintf(a.Out, "%-*s  %s\n", longest, name, line)
			name = ""
		}
	}
	return nil
}

func (a app) validateCommand() *cobra.Command {
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
				return console.Fail(console.Usage, "validate: got no scenario, want at least one")
			}
			return a.validate(args, sets, asJSON)
		},
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "change one value first: path.to.key=value (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema validation)")
	return c
}

// Validation is what validate --json prints.
type Validation struct {
	console.Head
	Valid     bool        `json:"valid"`     // every scenario is
	Scenarios []validated `json:"scenarios"` // in the order of the arguments
}

type validated struct {
	Scenario   string             `json:"scenario"` // the argument
	Valid      bool               `json:"valid"`
	ScenarioID string             `json:"scenario_id,omitempty"` // SHA-256 of the resolved scenario; of a valid one
	Problems   []tomlfile.Problem `json:"problems"`              // none if it is valid
}

func (a app) validate(args, sets []string, asJSON bool) error {
	bad := 0
	all := Validation{Head: console.HeadOf("validation")}
	for _, arg := range args {
		s, _, err := a.Load(arg, sets...)
		one := validated{Scenario: arg, Valid: err == nil, Problems: []tomlfile.Problem{}}
		line := ""
		if err == nil {
			one.ScenarioID = scenarios.ID(s)
			line = fmt.Sprintf("%s: ok, %s", arg, one.ScenarioID[:12])
		} else {
			bad++
			line = err.Error()
			var many tomlfile.Problems
			if !errors.As(err, &many) { // of the file as a whole, which may not be there
				many = tomlfile.Problems{{File: arg, Text: line}}
			}
			one.Problems = many
		}
		all.Scenarios = append(all.Scenarios, one)
		if !asJSON {
			fmt.Fprintln(a.Out, line)
		}
	}
	if all.Valid = bad == 0; asJSON {
		if err := a.PrintJSON(all); err != nil {
			return err
		}
	}
	if bad > 0 {
		return console.Fail(console.Invalid, "%d of %d scenarios invalid", bad, len(args))
	}
	return nil
}

func (a app) initCommand() *cobra.Command {
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
			if q.Draft.Command, asks = commandLine(c); asks && terminal.Is(a.In) {
				if err := q.Ask(a.In, a.ErrOut); err != nil {
					return err
				}
				q.Draft.Command = ""
			}
			text, err := q.Do()
			if err != nil {
				return err
			}
			if q.Out == "" {
				_, err = a.Out.Write(text)
				return err
			}
			fmt.Fprintf(a.Out, "%s: written\nNext: flyball validate %[1]s, flyball run %[1]s, flyball ask %[1]s\n",
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
