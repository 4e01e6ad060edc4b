// Command flyball rehearses bulk mail before it is sent: it runs a delivery
// engine with a performance governor against a simulated network, or against
// real SMTP receivers on loopback. This package turns flags into a task, prints the
// progress and the result of the task, and returns an exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/completion"
	"flyball/cmd/flyball/internal/manual"
	"flyball/cmd/flyball/internal/speed"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/conf"
)

// Exit codes, as documented in the README.
const (
	exitBug          = 1
	exitUsage        = 2
	exitInvalid      = 3 // scenario, list or data
	exitMissed       = 4 // an expectation; or no mail of a live run was delivered
	exitRegression   = 5 // found by a gate
	exitInconclusive = 6 // a gate, or a live run on a slow machine, that could not decide
	exitEnvironment  = 7 // a port, a disk
	exitRefused      = 8 // for safety
	exitInterrupt    = 130
	exitTerminated   = 143
)

// exit is an error that carries its exit code.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string { return e.err.Error() }
func (e exit) Unwrap() error { return e.err }

func fail(code int, format string, args ...any) error {
	return exit{code, fmt.Errorf(format, args...)}
}

// codes are the exit codes of the errors of tasks.
var codes = map[task.Kind]int{task.Usage: exitUsage, task.Invalid: exitInvalid, task.Environment: exitEnvironment,
	task.Missed: exitMissed, task.Undecided: exitInconclusive, task.Refused: exitRefused, task.Disagrees: exitBug}

// coded returns err with its exit code. An error without a kind comes from the
// command line.
func coded(err error) exit {
	var e exit
	var t task.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &t):
		return exit{codes[t.Kind], err}
	}
	return exit{exitUsage, err}
}

func main() {
	abortWhenStarved()
	a := &app{in: os.Stdin, out: os.Stdout, errout: os.Stderr, quietFor: time.Second}
	os.Exit(a.run(os.Args[1:]))
}

// abortWhenStarved makes the runtime end the program with SIGABRT, which a shell shows as 134, if there is no memory
// left. Unasked it exits with code 2, that of usage.
func abortWhenStarved() { debug.SetTraceback("crash") }

// app is one invocation.
type app struct {
	in          io.Reader
	out, errout io.Writer
	stdout      io.Writer // what out writes to, which may be a terminal
	quiet       bool
	quietFor    time.Duration // how long progress in lines waits for its first line
	color       string
	replay      string // command line to replay, of a command that is not a task
}

// run executes one command line and returns its exit code.
func (a *app) run(args []string) (code int) {
	defer func() {
		if v := recover(); v != nil {
			code = exitBug
			a.reportBug(v)
		}
	}()
	out := terminal.NewWriter(a.out, a.colored)
	a.stdout, a.out = a.out, out
	root := a.commands()
	root.SetArgs(args)
	err := root.Execute()
	if lost := out.Flush(); lost != nil { // an answer that was not printed is a failure
		err = exit{exitEnvironment, fmt.Errorf("standard output: %w", lost)}
	}
	if err == nil {
		return 0
	}
	e := coded(err)
	for line := range strings.Lines(e.Error()) {
		fmt.Fprintf(a.errout, "flyball: %s\n", terminal.Printable(strings.TrimSuffix(line, "\n")))
	}
	return e.code
}

// printable is a report.
type printable interface {
	Text(w io.Writer, color bool) error
	Summary() ([]byte, error)
}

// print prints a report: for a terminal, or its summary as JSON.
func (a *app) print(report printable, asJSON bool) error {
	if !asJSON {
		return report.Text(a.out, a.colored())
	}
	summary, err := report.Summary()
	if err == nil {
		_, err = a.out.Write(summary)
	}
	return err
}

// tellFolder prints a report, and for a terminal the folder that it is in.
func (a *app) tellFolder(report printable, dir string, asJSON bool) error {
	if err := a.print(report, asJSON); err != nil || asJSON {
		return err
	}
	_, err := fmt.Fprintf(a.out, "Folder: %s\n", dir)
	return err
}

// reportBug prints a broken invariant and the command that reproduces it.
func (a *app) reportBug(v any) {
	b, ok := v.(task.Broken)
	if !ok {
		b = task.Broken{Value: v, Replay: a.replay, Stack: debug.Stack()}
	}
	fmt.Fprintf(a.errout, "flyball: internal error: %v\n", b.Value)
	if b.Where != "" {
		fmt.Fprintf(a.errout, "flyball: at %s\n", b.Where)
	}
	if b.Replay != "" {
		fmt.Fprintf(a.errout, "flyball: replay with: %s\n", b.Replay)
	}
	if os.Getenv("FLYBALL_TRACE") != "" {
		a.errout.Write(b.Stack)
	} else {
		fmt.Fprintln(a.errout, "flyball: set FLYBALL_TRACE=1 for a stack trace")
	}
}

// display is where progress is shown.
func (a *app) display() terminal.Display {
	return terminal.Display{To: a.errout, Quiet: a.quiet, QuietFor: a.quietFor}
}

// colored reports whether standard output takes colour.
func (a *app) colored() bool { return terminal.Colored(a.color, a.stdout) }

// watched does a task with its progress on the display, until the task ends; stop has
// its context. With barOnly plain lines of progress are left out.
func watched[T any](a *app, stop *terminal.Signals, barOnly bool, do func(context.Context, task.Watch) (T, error),
) (T, error) {
	watch, end := a.display().Watch(barOnly)
	defer end()
	return do(stop.Context(), watch)
}

// found does a task that a signal stops without a result, and returns what the task found.
func found[T any](a *app, do func(context.Context, task.Watch) (T, error)) (T, error) {
	stop := terminal.WatchSignals()
	defer stop.End()
	out, err := watched(a, stop, false, do)
	var stopped task.Stopped
	if errors.As(err, &stopped) {
		err = stoppedBy(stop, " %s", stopped.After())
	}
	return out, err
}

// stoppedBy returns the error of a command that a signal stopped: "stopped by
// interrupt", then format, which begins with a blank or a semicolon.
func stoppedBy(by *terminal.Signals, format string, args ...any) error {
	code := exitInterrupt
	if by.First() != os.Interrupt {
		code = exitTerminated
	}
	return fail(code, "stopped by %s"+format, append([]any{by.First()}, args...)...)
}

func (a *app) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "flyball COMMAND",
		Short: "Rehearse bulk mail before it is sent",
		Long: `Flyball rehearses bulk mail before it is sent: one delivery engine with a
performance governor, against a simulated network or real SMTP on loopback.`,
		Example: `  flyball run quickstart        simulate, print the answer, write runs/quickstart-*
  flyball realrun quickstart    the same engine over real SMTP on loopback`,
		Version:       version(),
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
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errout)
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress on standard error")
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour: auto, always or never")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(terminal.ColourChoices, a.color) {
			return fail(exitUsage, "--color: got %q, want auto, always or never", a.color)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit{exitUsage, flagError(cmd, err)}
	})
	root.AddCommand(a.runCommand(), a.realrunCommand(), a.letterCommand(), a.bounceCommand(), a.requestCommand(),
		a.askCommand(), a.planCommand(),
		a.lawsCommand(),
		a.sweepCommand(), a.workerCommand(), a.tuneCommand(), a.verifyCommand(), a.crashCommand(), a.benchCommand(),
		a.compareCommand(), a.promoteCommand(), a.governCommand(),
		a.reportCommand(), a.listCommand(), a.initCommand(), a.partitionCommand(), a.sinkCommand(),
		a.serveCommand(),
		a.validateCommand(), a.scenarioCommand(), a.schemaCommand(), manCommand(),
		a.versionCommand())
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
	return fail(exitUsage, "unknown command %q%s", name, conf.DidYouMean(name, known))
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
