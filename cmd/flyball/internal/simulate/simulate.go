// Package simulate has the commands that simulate mailings and show what became of them: run, partition, ask, plan and
// report; scenario, validate and init for the scenarios; sweep, tune, laws and compare for studies of many runs, and
// worker, which makes runs for them. Each command turns flags into a task and shows its result.
package simulate

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
)

// app has the commands of this package as methods.
type app struct{ *console.App }

// Commands returns the commands of this package for an invocation.
func Commands(of *console.App) []*cobra.Command {
	a := app{of}
	return []*cobra.Command{a.runCommand(), a.partitionCommand(), a.askCommand(), a.planCommand(), a.reportCommand(),
		a.scenarioCommand(), a.validateCommand(), a.initCommand(),
		a.sweepCommand(), a.tuneCommand(), a.lawsCommand(), a.compareCommand(), a.workerCommand()}
}
