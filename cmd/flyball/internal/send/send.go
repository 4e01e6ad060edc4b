// Package send has the commands that send mail by SMTP, and those that prepare it: realrun with what controls a run,
// list for recipients, letter for messages, and promote for the parameters that a live run may use. Each command turns
// flags into a task and shows its result.
package send

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
)

// app has the commands of this package as methods.
type app struct{ *console.App }

// Commands returns the commands of this package for an invocation.
func Commands(of *console.App) []*cobra.Command {
	a := app{of}
	return []*cobra.Command{a.realrunCommand(), a.listCommand(), a.letterCommand(), a.promoteCommand()}
}
