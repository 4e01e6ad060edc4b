package console

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/vt"
)

// SourceFlags adds the flags that change a scenario or a study.
func SourceFlags(c *cobra.Command, s *task.Source) {
	c.Flags().StringArrayVar(&s.Set, "set", nil,
		"change one value: path.to.key=value; elements by index or name, such as destination[big].cap (repeatable)")
	c.Flags().StringVar(&s.Seed, "seed", "", "seed of all random draws; the scenario's own if not given")
}

// ExactlyOne returns a check for exactly one argument, which errors call what.
func ExactlyOne(what string) cobra.PositionalArgs {
	return Exactly(1, what)
}

// Exactly returns a check for n arguments, which errors call what.
func Exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return Fail(Usage, "%s: got %d arguments, want %s", c.Name(), len(args), what)
		}
		return nil
	}
}

// Output is where the result of a run goes.
type Output struct {
	task.Place
	JSON    bool // print summary.json instead of tables
	Explain bool // show the notes of the governor too
}

// Flags adds the flags of an output to c.
func (o *Output) Flags(c *cobra.Command) {
	PlaceFlags(c, &o.Place, "run folder (default runs/NAME-KEY, KEY from the content)")
	c.Flags().BoolVar(&o.JSON, "json", false, "print summary.json instead of tables")
}

// ExplainFlag adds the flag for the notes of the governor to c.
func (o *Output) ExplainFlag(c *cobra.Command) {
	c.Flags().BoolVar(&o.Explain, "explain", false, "also show the governor's notes on each interval, with their "+
		"meaning and their paragraph of the patent")
}

// PlaceFlags adds the flags that choose where the folder of a command goes. Help is
// the help text of --out.
func PlaceFlags(c *cobra.Command, p *task.Place, help string) {
	c.Flags().StringVar(&p.Dir, "out", "", help)
	c.Flags().BoolVar(&p.Force, "force", false, "with --out: replace the folder of another run, too")
}

// KeepFlag adds the flag for recipients.csv.
func KeepFlag(c *cobra.Command, k *task.KeepRecipients) {
	c.Flags().StringVar((*string)(k), "recipients", string(*k),
		"auto, yes or no: write recipients.csv, with the end of each recipient, to the run folder; "+
			"auto: for a list, and for a synthetic one of up to a million")
}

// AttemptsFlag adds the flag for attempts.csv.
func AttemptsFlag(c *cobra.Command, on *bool) {
	c.Flags().BoolVar(on, "attempts", *on, "write attempts.csv, with the times, the reply and the way of each "+
		"attempt, to the run folder, and how long the stages took to its report")
}

// ProximityFlag adds the flag that names what earlier runs have learned.
func ProximityFlag(c *cobra.Command, s *task.Source) {
	c.Flags().StringVar(&s.Proximity, "proximity", "",
		"begin with the distances that earlier runs have learned: proximity.json of one, or STORE#LIST of live runs")
}

// ListFlags adds the flags that name the recipient list of a simulation.
func ListFlags(c *cobra.Command, r *task.Recipients) {
	c.Flags().StringVar(&r.File, "list", "", ListHelp)
	c.Flags().StringVar(&r.Suppress, "suppress", "",
		"file of addresses and whole domains (*@domain) that would not be mailed")
	c.Flags().BoolVar(&r.FoldCase, "fold-case", false, FoldCaseHelp)
}

// ListHelp is the help text of --list.
const ListHelp = "CSV file of recipients, or STORE#LIST (see flyball list); the scenario's synthetic list if not given"

// FoldCaseHelp is the help text of --fold-case.
const FoldCaseHelp = "addresses that differ only in upper and lower case are duplicates"

// Span returns the value of a flag with a time such as 90s or 7d, which is kept in v.
func Span(v *vt.Span) pflag.Value { return span{v} }

// span is the value of a flag that Span returns.
type span struct{ v *vt.Span }

func (s span) String() string {
	if s.v == nil {
		return ""
	}
	return s.v.String()
}
func (s span) Type() string          { return "span" }
func (s span) Set(text string) error { return s.v.UnmarshalText([]byte(text)) }

// wants are the words for the values of a flag, by its type. Values of the other types are text.
var wants = map[string]string{"bool": "true or false", "float64": "a number", "int": "a whole number",
	"uint64": "a whole number from 0", "share": `a share such as "5%" or "0.05"`,
	"span": `a time such as "90s" or "7d"`}

// FlagError returns err, which is what the flags of a command line have against it, with what was wanted.
func FlagError(c *cobra.Command, err error) error {
	value, missing, unknown := new(pflag.InvalidValueError), new(pflag.ValueRequiredError), new(pflag.NotExistError)
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		want, known := wants[f.Value.Type()]
		if !known {
			want = fmt.Sprintf("another value: %v", value.Unwrap())
		}
		return fmt.Errorf("--%s: got %q, want %s", f.Name, value.GetValue(), want)
	case errors.As(err, &missing):
		return fmt.Errorf("--%s: got no value, want one", missing.GetFlag().Name)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		return fmt.Errorf("%w%s", err, conf.DidYouMean("--"+unknown.GetSpecifiedName(), known))
	}
	return err
}

// Again returns the command line that c was called with for an argument, and more flags that are set to true. The
// flags that all commands have, which choose what the screen shows, are left out.
func Again(c *cobra.Command, arg string, more ...string) string {
	if strings.HasPrefix(arg, "-") && arg != "-" {
		arg = "./" + arg // else it would be read as a flag
	}
	words := append(strings.Fields(c.CommandPath()), arg)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		several, _ := f.Value.(pflag.SliceValue)
		switch {
		case !f.Changed:
		case several != nil:
			for _, one := range several.GetSlice() {
				words = append(words, name, one)
			}
		case f.Value.Type() != "bool":
			words = append(words, name, f.Value.String())
		case f.Value.String() == "true":
			words = append(words, name)
		}
	})
	for _, name := range more {
		if !c.Flags().Changed(name) {
			words = append(words, "--"+name)
		}
	}
	for i := range words {
		words[i] = task.Quote(words[i])
	}
	return strings.Join(words, " ")
}
