package simulate

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/reports/checklist"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/run"
	"flyball/scenarios"
)

func (a app) reportCommand() *cobra.Command {
	var asJSON, checklist bool
	c := &cobra.Command{
		Use:   "report FOLDER",
		Short: "Print the report of a run folder again",
		Long: `Print the report of a run folder again, without a new run. A folder whose files
have changed since the run is refused.

With --checklist print the checklist STRESS-DES (Monks et al. 2018) instead, in
Markdown, filled in from the scenario and the run. Items that only a person can
answer are marked.

Exit codes: 0 printed, whatever the result was, 2 usage, 3 not a run folder, or
changed.`,
		Example: "  flyball report runs/quickstart-7bncj4skwzhm\n  flyball report --checklist " +
			"runs/quickstart-7bncj4skwzhm > checklist.md",
		Args: console.ExactlyOne("a run folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			if asJSON && checklist {
				return console.Fail(console.Usage, "report: got --json and --checklist, want one of them")
			}
			return a.printAgain(args[0], asJSON, checklist)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print summary.json instead")
	c.Flags().BoolVar(&checklist, "checklist", false, "print the checklist STRESS-DES instead")
	return c
}

func (a app) printAgain(dir string, asJSON, asChecklist bool) error {
	if err := task.WrongFile(dir); err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return console.Fail(console.Usage, "report: %w", err)
	}
	r, x, err := reopen(dir)
	if err != nil {
		return console.Fail(console.Invalid, "%w", err)
	}
	if asChecklist {
		s, err := scenarios.Load(dir+"/scenario.resolved.toml", x.ResolvedTOML, nil)
		if err != nil {
			return console.Fail(console.Invalid, "%w", err)
		}
		_, err = a.Out.Write(checklistOf(r, s))
		return err
	}
	return a.TellFolder(r, dir, asJSON)
}

// checklistOf fills the checklist of a run, or of an ensemble.
func checklistOf(r console.Printable, s *scenarios.Scenario) []byte {
	if e, ok := r.(*ensemble.Report); ok {
		return checklist.OfEnsemble(e, s)
	}
	return checklist.OfRun(r.(*run.Report), s)
}

func reopen(dir string) (console.Printable, run.Extra, error) {
	n, err := folder.Replications(dir)
	switch {
	case err != nil:
		return nil, run.Extra{}, err
	case n > 1:
		return ensemble.Read(dir)
	}
	return run.Read(dir)
}
