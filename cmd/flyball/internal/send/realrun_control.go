package send

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/status"
	"flyball/cmd/flyball/internal/terminal"
)

// controlCommands returns the commands that ask the run of realrun --state DIR, or change it, from another terminal.
func (a app) controlCommands() (all []*cobra.Command) {
	for _, v := range []struct{ name, short, long string }{
		{"status", "Print how far the mailing in a folder is", "Print how far the mailing in the folder of realrun " +
			"--state is: what the run that uses\nit reports or, without one, what its journal has."},
		{"pause", "Stop all final dots of a run", "Stop all final dots of the run that uses a folder, within a " +
			"second. Sessions stay open,\nand no attempt becomes ambiguous; realrun resume goes on."},
		{"resume", "Let a paused run go on", "Let the run go on that realrun pause stopped. After the end of a run, " +
			"realrun --resume\nbegins another one."},
		{"cancel", "End a run as Ctrl-C does", "End the run that uses a folder as Ctrl-C does: no further final dot " +
			"is sent, and the\nreplies to those that are sent are waited for. realrun --resume goes on."},
	} {
		var asJSON bool
		c := &cobra.Command{Use: v.name + " DIR", Short: v.short, Long: v.long, Args: console.ExactlyOne("a folder"),
			RunE: func(c *cobra.Command, args []string) error {
				s, err := (&status.Control{Dir: args[0], Request: v.name}).Do(c.Context())
				if err != nil {
					return err
				}
				return a.printStatus(s, asJSON)
			}}
		c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
		all = append(all, c)
	}
	return append(all, a.topCommand())
}

func (a app) printStatus(s *status.Status, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	for _, line := range s.Text() {
		if _, err := fmt.Fprintln(a.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// topCommand returns the command that shows a run until it ends.
func (a app) topCommand() *cobra.Command {
	return &cobra.Command{Use: "top DIR", Short: "Show how far a run is, every second",
		Args: console.ExactlyOne("a folder"),
		Long: "Show how far the mailing in the folder of realrun --state is, every second, until its run ends.",
		RunE: func(_ *cobra.Command, args []string) error {
			stop := terminal.WatchSignals()
			defer stop.End()
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				s, err := (&status.Control{Dir: args[0], Request: "status"}).Do(stop.Context())
				if err != nil {
					return err
				}
				if terminal.Is(a.Stdout) {
					fmt.Fprint(a.Out, "\x1b[H\x1b[2J") // from the top of an empty screen
				}
				if err := a.printStatus(s, false); err != nil || s.State == "stopped" {
					return err
				}
				select {
				case <-tick.C:
				case <-stop.Context().Done():
					return nil
				}
			}
		}}
}
