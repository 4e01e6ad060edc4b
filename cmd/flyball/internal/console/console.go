// Package console is what the commands of flyball share: the invocation with its input and output, how reports,
// progress and the end by a signal are shown, errors with their exit codes, and flags that several commands have. It
// knows no command. Package terminal, which it uses, knows terminals and no command line.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/reports/format"
	"flyball/scenarios"
)

// App is one invocation of flyball.
type App struct {
	In          io.Reader
	Out, ErrOut io.Writer
	Stdout      io.Writer     // what Out writes to, which may be a terminal
	Quiet       bool          // no progress on ErrOut
	QuietFor    time.Duration // how long progress in lines waits for its first line
	Color       string        // auto, always or never
	Replay      string        // command line to replay, of a command that is not a task
}

// Printable is a report.
type Printable interface {
	Text(w io.Writer, color bool) error
	Summary() ([]byte, error)
}

// Print prints a report: for a terminal, or its summary as JSON.
func (a *App) Print(report Printable, asJSON bool) error {
	if !asJSON {
		return report.Text(a.Out, a.Colored())
	}
	summary, err := report.Summary()
	if err == nil {
		_, err = a.Out.Write(summary)
	}
	return err
}

// TellFolder prints a report, and for a terminal the folder that it is in.
func (a *App) TellFolder(report Printable, dir string, asJSON bool) error {
	if err := a.Print(report, asJSON); err != nil || asJSON {
		return err
	}
	_, err := fmt.Fprintf(a.Out, "Folder: %s\n", dir)
	return err
}

// AskCount asks the operator how many recipients something is to mail.
func (a *App) AskCount(what string) (n int, err error) {
	fmt.Fprintf(a.ErrOut, "How many recipients is this %s to mail? ", what)
	if _, err := fmt.Fscanln(a.In, &n); err != nil {
		return 0, fmt.Errorf("got no number, want one: %w", err)
	}
	return n, nil
}

// Display returns where progress is shown.
func (a *App) Display() terminal.Display {
	return terminal.Display{To: a.ErrOut, Quiet: a.Quiet, QuietFor: a.QuietFor}
}

// Colored reports whether standard output takes colour.
func (a *App) Colored() bool { return terminal.Colored(a.Color, a.Stdout) }

// Head begins every JSON output and names the published schema that it follows.
type Head struct {
	Schema        string `json:"schema"`
	SchemaVersion int    `json:"schema_version"`
}

// HeadOf returns the head of an output whose schema is NAME.schema.json.
func HeadOf(name string) Head { return Head{"flyball/" + name, format.SchemaVersion} }

// PrintJSON prints a value as files of run folders are written.
func (a *App) PrintJSON(v any) error {
	raw, err := format.SortedJSON(v)
	if err == nil {
		_, err = a.Out.Write(raw)
	}
	return err
}

// Load loads a scenario: a built-in name, a path, or - for standard input.
func (a *App) Load(arg string, sets ...string) (*scenarios.Scenario, []byte, error) {
	from := task.Source{Arg: arg, Set: sets, Stdin: a.In}
	return from.Load()
}

// Watched does a task with its progress on the display, until the task ends; stop has
// its context. With barOnly plain lines of progress are left out.
func Watched[T any](a *App, stop *terminal.Signals, barOnly bool, do func(context.Context, task.Watch) (T, error),
) (T, error) {
	watch, end := a.Display().Watch(barOnly)
	defer end()
	return do(stop.Context(), watch)
}

// Found does a task that a signal stops without a result, and returns what the task found.
func Found[T any](a *App, do func(context.Context, task.Watch) (T, error)) (T, error) {
	stop := terminal.WatchSignals()
	defer stop.End()
	out, err := Watched(a, stop, false, do)
	var stopped task.Stopped
	if errors.As(err, &stopped) {
		err = StoppedBy(stop, " %s", stopped.After())
	}
	return out, err
}
