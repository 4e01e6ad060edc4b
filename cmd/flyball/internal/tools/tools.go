// Package tools has the commands that examine one part by itself: verify and bench for the simulator, crash for the
// servers of a mailing, govern for a governor, and sink, a receiver that misbehaves, for a client of the user. Each
// command turns flags into a task and shows its result.
package tools

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
)

// app has the commands of this package as methods.
type app struct{ *console.App }

// Commands returns the commands of this package for an invocation.
func Commands(of *console.App) []*cobra.Command {
	a := app{of}
	return []*cobra.Command{a.verifyCommand(), a.benchCommand(), a.crashCommand(), a.governCommand(), a.sinkCommand()}
}
