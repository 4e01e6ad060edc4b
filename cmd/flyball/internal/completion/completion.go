// Package completion is what a shell proposes for the arguments and flags of flyball. It
// proposes names that are part of the program, and leaves files to the shell. The
// command line calls it once.
package completion

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/governor"
	"flyball/internal/tomlfile"
	"flyball/reports/compare"
	"flyball/reports/ensemble"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/suite"
	"flyball/sim/crash/scope"
	"flyball/sim/verify"
)

// Words are the names that the commands themselves have.
type Words struct {
	Colours    []string // of --color
	Schemas    []string // of flyball schema
	Yardsticks []string // of flyball bench
}

// completer proposes what a shell can put in the place of toComplete.
type completer = cobra.CompletionFunc

// proposals hold what is proposed.
type proposals struct {
	arguments map[string]completer // by the command
	values    map[string]completer // of flags, by the command and the flag, or by the flag alone
}

// proposalsOf returns the proposals of all commands. A flag without any takes numbers or
// words that a program cannot guess: it offers nothing, where a shell would offer files.
func proposalsOf(own Words) proposals {
	return proposals{arguments: map[string]completer{
		"flyball run":            first(scenarioNames),
		"flyball realrun":        first(scenarioNames),
		"flyball validate":       scenarioNames,
		"flyball govern":         first(scenarioNames),
		"flyball scenario show":  first(scenarioNames),
		"flyball sweep":          first(fileOf("toml")),
		"flyball tune":           first(fileOf("toml")),
		"flyball ask":            first(scenarioNames),
		"flyball plan":           first(scenarioNames),
		"flyball crash":          first(fileOf("toml")), // built-in scenarios are too large
		"flyball compare":        sides,
		"flyball report":         first(folders),
		"flyball promote":        first(folders),
		"flyball partition":      first(scenarioNames),
		"flyball bench":          benchArguments(own.Yardsticks),
		"flyball letter preview": first(files),
		"flyball letter check":   first(files),
		"flyball list import":    files,
		"flyball schema":         first(words(func() []string { return own.Schemas })),
	}, values: map[string]completer{
		"--color":      words(func() []string { return own.Colours }),
		"--set":        setting(""),
		"--of":         words(measures),
		"--scenario":   scenarioNames,
		"--strategy":   words(scenarios.Strategies),
		"--scheme":     words(scope.SchemeNames),
		"--verify":     fileOf("json"),
		"--margin":     margins,
		"--only":       models,
		"--half":       words(func() []string { return []string{suite.Reporting, suite.Training, "all"} }),
		"--noise":      words(func() []string { return []string{"0", "5%", "10%"} }),
		"--recipients": words(func() []string { return []string{"auto", "yes", "no"} }),
		"--law":        words(lawsTried),
		"--list":       fileOf("csv"),
		"--samples":    fileOf("csv"),
		"--promotion":  fileOf("jsonl"),
		"--record":     fileOf("jsonl"),
		"--junit":      fileOf("xml"),
		"--markdown":   fileOf("md"),
		"--dkim":       cobra.NoFileCompletions,
		"--suppress":   files,
		"--template":   files,
		"--script":     fileOf("fault"),
		"--file":       files,
		"--rejects":    files,
		"--out":        folders,
		"--resume":     folders,

		"flyball partition --out":  fileOf("json"),
		"flyball compare --record": folders,
		"flyball compare --of":     words(compare.Names),
		"--allow-missing":          scenarioNames,

		"flyball govern --set":       setting("governor."),
		"flyball laws --scenario":    words(disturbances),
		"flyball promote --scenario": cobra.NoFileCompletions,
	}}
}

// Complete sets what a shell proposes for the arguments and flags of c and of all commands below it.
func Complete(c *cobra.Command, own Words) { proposalsOf(own).complete(c) }

func (p proposals) complete(c *cobra.Command) {
	if f, ok := p.arguments[c.CommandPath()]; ok {
		c.ValidArgsFunction = f
	} else if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	of := func(f *pflag.Flag) {
		v, ok := p.values[c.CommandPath()+" --"+f.Name]
		if !ok {
			v, ok = p.values["--"+f.Name]
		}
		if !ok {
			v = cobra.NoFileCompletions
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, v); err != nil {
			panic(err) // there is such a flag, and it was not registered before
		}
	}
	c.LocalNonPersistentFlags().VisitAll(of)
	c.PersistentFlags().VisitAll(of)
	for _, sub := range c.Commands() {
		p.complete(sub)
	}
}

// first completes only the first argument.
func first(f completer) completer {
	return func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(c, args, toComplete)
	}
}

// words completes a word of a list.
func words(list func() []string) completer {
	return func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return beginning(list(), toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning returns the words of a list that begin with prefix.
func beginning(list []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !strings.HasPrefix(s, prefix) })
}

func fileOf(extension string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{extension}, cobra.ShellCompDirectiveFilterFileExt
	}
}

func files(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// scenarioNames completes names of built-in scenarios, or files if no name begins with toComplete. It offers the suite
// of disturbances only if toComplete is a part of its prefix.
func scenarioNames(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	known := scenarios.Names()
	if toComplete != "" {
		for _, d := range suite.All() {
			known = append(known, d.Name)
		}
	}
	known = slices.DeleteFunc(known, func(s string) bool { return slices.Contains(args, s) })
	if found := beginning(known, toComplete); len(found) > 0 {
		return found, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
}

func disturbances() (all []string) {
	for _, d := range suite.All() {
		all = append(all, d.Base())
	}
	return all
}

// lawsTried returns the laws as the suite tries them.
func lawsTried() (all []string) {
	for _, l := range suite.Laws() {
		all = append(all, l.Name)
	}
	return all
}

// measures returns the names of all measures, including the measures of a steady state.
func measures() (all []string) {
	s := scenarios.Default()
	s.Analysis.Kind = scenarios.SteadyState
	for _, m := range ensemble.Measures(&s) {
		all = append(all, m.Name+"\t"+m.Doc)
	}
	return all
}

// margins completes the metric of a margin.
func margins(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	var all []string
	for _, name := range compare.Names() {
		all = append(all, name+"=")
	}
	return beginning(all, toComplete), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// models completes the last of a list of models.
func models(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	before := toComplete[:strings.LastIndex(toComplete, ",")+1]
	given := strings.Split(before, ",")
	var all []string
	for _, m := range verify.Models() {
		if !slices.Contains(given, m.Name) {
			all = append(all, before+m.Name)
		}
	}
	return beginning(all, toComplete), cobra.ShellCompDirectiveNoFileComp
}

// sides completes BASE and NEW: a law, the beginning of a set, or a folder.
func sides(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if key, ok := strings.CutPrefix(toComplete, "set:"); ok {
		found, how := setting("")(c, args, key)
		for i := range found {
			found[i] = "set:" + found[i]
		}
		return found, how
	}
	all := []string{"set:"}
	for _, l := range governor.Laws() {
		all = append(all, "law:"+l.Name)
	}
	if found := beginning(all, toComplete); len(found) > 0 {
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// benchArguments completes a yardstick, and then a scenario for attempts.
func benchArguments(yardsticks []string) completer {
	return func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return beginning(yardsticks, toComplete), cobra.ShellCompDirectiveNoFileComp
		case len(args) == 1 && args[0] == "attempts":
			return scenarioNames(c, args, toComplete)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// CommandNames completes the name of a command below those in args.
func CommandNames(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	about, _, err := c.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, sub := range about.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, sub.Name()+"\t"+sub.Short)
		}
	}
	return beginning(all, toComplete), cobra.ShellCompDirectiveNoFileComp
}

// element is an element of a list in a path: [0], or [big].
var element = regexp.MustCompile(`\[[^\]]*\]`)

// setting completes path.to.key=value for keys whose paths begin with within: table by table, then the value if it is
// one of a list of words.
func setting(within string) completer {
	return func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		const nothingAfter = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		said, value, hasValue := strings.Cut(toComplete, "=")
		var all []string
		for _, key := range scenarios.Paths() {
			at := inPlaceOf(said, key.Path)
			switch {
			case !strings.HasPrefix(key.Path, within):
			case hasValue && at == said:
				for _, choice := range valuesOf(key) {
					all = append(all, said+"="+choice)
				}
				return beginning(all, said+"="+value), cobra.ShellCompDirectiveNoFileComp
			case !strings.HasPrefix(at, said):
			case strings.Contains(at[len(said):], "."):
				if table := at[:len(said)+strings.Index(at[len(said):], ".")+1]; !slices.Contains(all, table) {
					all = append(all, table)
				}
			default:
				all = append(all, at+"=\t"+key.Doc)
			}
		}
		if hasValue {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return all, nothingAfter
	}
}

// inPlaceOf puts the elements that said names into a path, and the first element of each other list.
func inPlaceOf(said, path string) string {
	named := element.FindAllString(said, -1)
	for {
		before, after, list := strings.Cut(path, "[]")
		if !list {
			return path
		}
		one := "[0]"
		if len(named) > 0 {
			one, named = named[0], named[1:]
		}
		path = before + one + after
	}
}

// valuesOf returns the words that a key takes, if they can be listed.
func valuesOf(key tomlfile.Path) []string {
	switch {
	case key.OneOf != nil:
		return key.OneOf
	case key.Type.Kind() == reflect.Bool:
		return []string{"true", "false"}
	case key.Path == "expect[].metric":
		return measure.MetricNames()
	}
	return nil
}
