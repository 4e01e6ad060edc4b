package send

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/lists"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
)

func (a app) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "Keep lists and suppressions in a database",
		Long: `Keep lists in SQLite or PostgreSQL, with those who must get no mail. STORE is
sqlite:FILE or postgres://USER@HOST:PORT/DATABASE, and STORE#LIST a list in it, which
flyball run --list and flyball realrun --list take as they take a CSV file.

Exit codes: 0 done, 2 usage, 3 a list or an entry that is refused, or a store that is
damaged, 7 a database that does not answer, 8 a database that may lose what it
confirms, or that is not on this computer.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.Fail(console.Usage,
					"list: got %q, want import, export, show, suppress, take, forget or history",
					args[0])
			}
			return c.Help()
		}}
	c.AddCommand(a.listImportCommand(), a.listExportCommand(), a.listShowCommand(), a.listSuppressCommand(),
		a.listForgetCommand(), a.listTakeCommand(), a.listHistoryCommand())
	return c
}

func (a app) listImportCommand() *cobra.Command {
	var q lists.Import
	c := &cobra.Command{
		Use:   "import STORE#LIST FILE",
		Short: "Import a CSV file as a list",
		Long: `Import a CSV file with a column email by the rules of flyball run --list. Each row is
accepted, rejected with a reason, or a duplicate of an earlier one. A file that is
refused leaves nothing. After a stop at any moment the same command goes on; the list
is there when the import has ended.`,
		Example: "  flyball list import sqlite:lists.db#news people.csv --rejects rejects.csv",
		Args:    console.Exactly(2, "STORE#LIST and a CSV file"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Place, q.File = args[0], args[1]
			stop := terminal.WatchSignals()
			defer stop.End()
			words, err := console.Watched(a.App, stop, false, q.Do)
			if err == task.ErrStopped {
				return console.StoppedBy(stop, "; the same command goes on")
			}
			return a.lines(words, err)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Rejects, "rejects", "", "write the rows that are not taken to this file, with line and reason")
	f.BoolVar(&q.FoldCase, "fold-case", false, console.FoldCaseHelp)
	f.BoolVar(&q.Replace, "replace", false, "replace the list of this name when the import has ended")
	f.BoolVar(&q.Restart, "restart", false, "drop what an import of this list has done that was stopped")
	return c
}

// lines prints lines, or returns the error of what made them.
func (a app) lines(words []string, err error) error {
	for _, line := range words {
		fmt.Fprintln(a.Out, line)
	}
	return err
}

func (a app) listExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export STORE#LIST",
		Short: "Print a list as CSV",
		Long: `Print a list as CSV: the rows that were accepted, fields separated by commas, in
quotes where they need them, lines that end with LF. The import of what was printed has
the same SHA-256. Values stay as they are: one that begins with = or + is a formula to
a spreadsheet.`,
		Example: "  flyball list export sqlite:lists.db#news > people.csv",
		Args:    console.Exactly(1, "STORE#LIST"),
		RunE: func(_ *cobra.Command, args []string) error {
			to := a.Stdout
			if terminal.Is(to) {
				to = a.Out
			}
			return lists.Export(context.Background(), args[0], to)
		},
	}
}

func (a app) listShowCommand() *cobra.Command {
	audit := 0
	c := &cobra.Command{
		Use:     "show STORE[#LIST]",
		Short:   "Print the lists of a store",
		Long:    "Print the lists of a store with their numbers of rows, and who did what with them.",
		Example: "  flyball list show sqlite:lists.db --audit 20",
		Args:    console.Exactly(1, "STORE or STORE#LIST"),
		RunE: func(_ *cobra.Command, args []string) error {
			tables, err := lists.Show(context.Background(), args[0], audit)
			for _, t := range tables {
				if err := t.Write(a.Out, a.Colored()); err != nil {
					return err
				}
				fmt.Fprintln(a.Out)
			}
			return err
		},
	}
	c.Flags().IntVar(&audit, "audit", 0, "print this many of the last audit entries too")
	return c
}

func (a app) listSuppressCommand() *cobra.Command {
	var q lists.Suppress
	c := &cobra.Command{
		Use:   "suppress STORE ENTRY...",
		Short: "Let addresses and domains get no mail",
		Long: `Let addresses, and whole domains (*@domain), get no mail of any list in a store. When
the command has ended without an error the entries are durable, and runs that are under
way heed them within a tenth of a second.`,
		Example: "  flyball list suppress sqlite:lists.db ann@friends.example '*@closed.example'\n" +
			"  flyball list suppress sqlite:lists.db --file stop.txt",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 1 {
				return console.Fail(console.Usage, "suppress: got no arguments, want STORE and entries")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			q.Place, q.Entries = args[0], args[1:]
			line, err := q.Do(context.Background())
			if err != nil {
				return err
			}
			return a.lines([]string{line}, nil)
		},
	}
	c.Flags().StringVar(&q.File, "file", "", "suppression file with more entries, as of flyball run --suppress")
	return c
}

func (a app) listForgetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forget STORE ADDRESS",
		Short: "Erase a person",
		Long: `Erase a person from all lists of a store and from its history. The address stays
suppressed as a keyed hash, and no import takes it again. Run folders, folders of
realrun --state and backups are not part of the store: erase the person there too.`,
		Example: "  flyball list forget sqlite:lists.db ann@friends.example",
		Args:    console.Exactly(2, "STORE and an address"),
		RunE: func(_ *cobra.Command, args []string) error {
			line, err := lists.Forget(context.Background(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.lines([]string{line}, nil)
		},
	}
}

func (a app) listHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history STORE [ADDRESS]",
		Short: "Print what became of a person in each mailing",
		Long: `Print the live runs whose lists are in a store, with their numbers of outcomes, or
what became of one person in each of them. A live run records an outcome within some
seconds; what a run that was killed has not recorded is there once the mailing has gone
on with --resume. Who asks for a person stands in the audit.`,
		Example: "  flyball list history sqlite:lists.db\n  flyball list history sqlite:lists.db ann@friends.example",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return console.Fail(console.Usage,
					"history: got %d arguments, want STORE, and an address or none", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := lists.History(context.Background(), args[0], strings.Join(args[1:], ""))
			switch {
			case err != nil:
				return err
			case len(t.Rows) == 0:
				return a.lines([]string{t.Caption}, nil)
			}
			return t.Write(a.Out, a.Colored())
		},
	}
}

func (a app) listTakeCommand() *cobra.Command {
	var q lists.Take
	c := &cobra.Command{
		Use:   "take STORE --mailing DIR",
		Short: "Take what recipients have asked for into their lists",
		Long: `Take into a store what recipients of live runs of its lists have asked flyball request
serve for: who has left gets no mail of that list any more, by later mailings too, and
who has returned gets it again. What the store has is not taken twice, so that the
command may run as often as you like, while the run and the server go on.`,
		Example: "  flyball list take sqlite:lists.db --mailing week49 --mailing week50",
		Args:    console.Exactly(1, "STORE"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Place = args[0]
			return a.lines(q.Do(context.Background()))
		},
	}
	c.Flags().StringArrayVar(&q.Mailings, "mailing", nil, "folder that a live run keeps with --state (repeatable)")
	return c
}
