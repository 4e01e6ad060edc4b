package simulate

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/reports/format"
)

func (a app) partitionCommand() *cobra.Command {
	q := task.Partition{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "partition SCENARIO",
		Short: "Divide the lists among the servers by every strategy, with a bound that no plan can beat",
		Long: `Divide the list of each campaign among the servers by every strategy of
sender.partition, and predict the mean time of an attempt and when the servers are
done. SCENARIO is a built-in name, a file, or - for standard input.

Times are predicted from the distances and delays of the scenario, for one attempt
of each recipient, without failures and limits, as if every process were always
busy. What becomes of a plan is shown by flyball run --set sender.partition=STRATEGY.
The strategy proximity is among them if the scenario or --proximity asks for it: its
plan goes by the distances that an earlier run has learned, which a table shows, and
without --proximity by none.

The optimal plan has the least mean time within sender.imbalance and server.quota. Its
prices prove that no plan can beat its bound: --verify recomputes the bound from the
prices in a file of --out, and finds every change in the file.

Exit codes: 0 done, 2 usage, 3 an invalid scenario, or a file of --verify that does
not hold, 7 a file that cannot be read or written.`,
		Example: "  flyball partition two-distances\n  flyball partition unequal --strategy optimal --out plan.json\n" +
			"  flyball partition unequal --verify plan.json",
		Args: console.ExactlyOne("SCENARIO"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Arg, q.Stdin = args[0], a.In
			found, err := q.Do()
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.PrintJSON(found)
			}
			for _, t := range found.Tables() {
				if err := t.Write(a.Out, a.Colored()); err != nil {
					return err
				}
				fmt.Fprintln(a.Out)
			}
			for _, t := range q.Distances {
				if err := t.Write(a.Out, a.Colored()); err != nil {
					return err
				}
				fmt.Fprintln(a.Out)
			}
			for _, proof := range found.Proofs() {
				for _, line := range format.Wrap(proof, width) {
					fmt.Fprintln(a.Out, line)
				}
			}
			if q.Verify != "" {
				fmt.Fprintf(a.Out, "%s: every plan and every bound holds\n", task.Quote(q.Verify))
			}
			return nil
		},
	}
	f := c.Flags()
	console.SourceFlags(c, &q.Source)
	console.ProximityFlag(c, &q.Source)
	f.StringArrayVar(&q.Strategies, "strategy", nil, "only this strategy (repeatable; all if not given)")
	f.StringVar(&q.Out, "out", "", "also write the plans to this file, as JSON")
	f.StringVar(&q.Verify, "verify", "", "verify the plans in this file, instead of making any")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema partition)")
	return c
}
