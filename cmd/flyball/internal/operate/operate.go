// Package operate has the commands that run servers until a signal: serve for the stations of a whole site, bounce for
// returned mail and request for what recipients ask for; and what shows the folders of these servers. Each command
// turns flags into a task and shows its result.
package operate

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
)

// app has the commands of this package as methods.
type app struct{ *console.App }

// Commands returns the commands of this package for an invocation.
func Commands(of *console.App) []*cobra.Command {
	a := app{of}
	return []*cobra.Command{a.serveCommand(), a.bounceCommand(), a.requestCommand()}
}
