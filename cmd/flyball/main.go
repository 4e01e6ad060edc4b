// Command flyball rehearses bulk mail before it is sent: it runs a delivery
// engine with a performance governor against a simulated network, or against
// real SMTP receivers on loopback. This package runs a command line and returns its exit code. The commands are in
// packages below internal, by what a user does: simulate, send, operate and tools; console is what they share.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/completion"
	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/manual"
	"flyball/cmd/flyball/internal/operate"
	"flyball/cmd/flyball/internal/send"
	"flyball/cmd/flyball/internal/simulate"
	"flyball/cmd/flyball/internal/speed"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/cmd/flyball/internal/tools"
	"flyball/internal/conf"
)

func main() {
	abortWhenStarved()
	a := console.App{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr, QuietFor: time.Second}
	os.Exit(app{&a}.run(os.Args[1:]))
}

// abortWhenStarved makes the runtime end the program with SIGABRT, which a shell shows as 134, if there is no memory
// left. Unasked it exits with code 2, that of usage.
func abortWhenStarved() { debug.SetTraceback("crash") }

// app is one invocation, with the commands that only this package has as methods.
type app struct{ *console.App }

// run executes one command line and returns its exit code.
func (a app) run(args []string) (code int) {
	defer func() {
		if v := recover(); v != nil {
			code = int(console.Bug)
			a.reportBug(v)
		}
	}()
	out := terminal.NewWriter(a.Out, a.Colored)
	a.Stdout, a.Out = a.Out, out
	root := a.commands()
	root.SetArgs(args)
	err := root.Execute()
	if lost := out.Flush(); lost != nil { // an answer that was not printed is a failure
		err = console.Fail(console.Environment, "standard output: %w", lost)
	}
	if err == nil {
		return 0
	}
	e := console.Coded(err)
	for line := range strings.Lines(e.Error()) {
		fmt.Fprintf(a.ErrOut, "flyball: %s\n", terminal.Printable(strings.TrimSuffix(line, "\n")))
	}
	return int(e.Code)
}

// reportBug prints a broken invariant and the command that reproduces it.
func (a app) reportBug(v any) {
	b, ok := v.(task.Broken)
	if !ok {
		b = task.Broken{Value: v, Replay: a.Replay, Stack: debug.Stack()}
	}
	fmt.Fprintf(a.ErrOut, "flyball: internal error: %v\n", b.Value)
	if b.Where != "" {
		fmt.Fprintf(a.ErrOut, "flyball: at %s\n", b.Where)
	}
	if b.Replay != "" {
		fmt.Fprintf(a.ErrOut, "flyball: replay with: %s\n", b.Replay)
	}
	if os.Getenv("FLYBALL_TRACE") != "" {
		a.ErrOut.Write(b.Stack)
	} else {
		fmt.Fprintln(a.ErrOut, "flyball: set FLYBALL_TRACE=1 for a stack trace")
	}
}

func (a app) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "flyball COMMAND",
		Short: "Rehearse bulk mail before it is sent",
		Long: `Flyball rehearses bulk mail before it is sent: one delivery engine with a
performance governor, against a simulated network or real SMTP on loopback.`,
		Example: `  flyball run quickstart        simulate, print the answer, write runs/quickstart-*
  flyball realrun quickstart    the same engine over real SMTP on loopback`,
		Version:       console.Version(),
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetHelpCommand(helpCommand())
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.ErrOut)
	root.PersistentFlags().BoolVarP(&a.Quiet, "quiet", "q", false, "no progress on standard error")
	root.PersistentFlags().StringVar(&a.Color, "color", "auto", "colour: auto, always or never")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(terminal.ColourChoices, a.Color) {
			return console.Fail(console.Usage, "--color: got %q, want auto, always or never", a.Color)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return console.Fail(console.Usage, "%w", console.FlagError(cmd, err))
	})
	root.AddCommand(simulate.Commands(a.App)...)
	root.AddCommand(send.Commands(a.App)...)
	root.AddCommand(operate.Commands(a.App)...)
	root.AddCommand(tools.Commands(a.App)...)
	root.AddCommand(a.schemaCommand(), manCommand(), a.versionCommand())
	completion.Complete(root, completion.Words{Colours: terminal.ColourChoices, Schemas: schemaNames(),
		Yardsticks: speed.Yardsticks()})
	return root
}

// helpCommand returns cobra's help command, except that help on an unknown command
// is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",

		ValidArgsFunction: completion.CommandNames,
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			for _, name := range args {
				next := slices.IndexFunc(about.Commands(), func(sub *cobra.Command) bool { return sub.Name() == name })
				if next < 0 {
					return unknownCommand(about, name)
				}
				about = about.Commands()[next]
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Long:    "Print the manual page of all commands, for man -l.",
		Example: "  flyball man | man -l -\n  flyball man > ~/.local/share/man/man1/flyball.1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(manual.Page(c.Root()))
			return err
		},
	}
}

// unknownCommand returns the error for a name that is not a subcommand of c.
func unknownCommand(c *cobra.Command, name string) error {
	var known []string
	for _, sub := range c.Commands() {
		known = append(known, sub.Name())
	}
	return console.Fail(console.Usage, "unknown command %q%s", name, conf.DidYouMean(name, known))
}

func (a app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				info, _ := debug.ReadBuildInfo()
				return a.PrintJSON(console.BuildOf(info))
			}
			_, err := fmt.Fprintln(a.Out, console.Version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema version)")
	return c
}
