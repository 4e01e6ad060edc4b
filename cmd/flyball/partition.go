package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/reports/format"
)

func (a *app) partitionCommand() *cobra.Command {
	q := task.Partition{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "partition SCENARIO",
		Short: "Divide the lists among the servers by every strategy, with a bound that no plan can beat",
		Long: `Divide the list of each campaign among the servers by every strategy of
sender.partition, and predict the mean time of an attempt and when the servers are
done. SCENARIO is a built-in name, a file, or - for standard input.

Times are predicted from the distances and delays of the scenario, for one attempt
each, without failures and limits, if every process is always busy: flyball run has
what becomes of a plan. The optimal plan has the least mean time within
sender.imbalance and the quotas of servers. Its prices prove that no plan can beat
its bound: --verify recomputes the bound from the prices of a file of --out, and
finds every change in it.

Exit codes: 0 done, 2 usage, 3 invalid scenario or plan, 7 a file that cannot be
read or written.`,
		Example: "  flyball partition two-distances\n  flyball partition unequal --strategy optimal --out plan.json\n" +
			"  flyball partition unequal --verify plan.json",
		Args: exactlyOne("SCENARIO"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Arg, q.Stdin = args[0], a.in
			found, err := q.Do()
			switch {
			case err != nil:
				return err
			case asJSON:
				return a.printJSON(found)
			}
			for _, t := range found.Tables() {
				if err := t.Write(a.out, a.colored()); err != nil {
					return err
				}
				fmt.Fprintln(a.out)
			}
			for _, proof := range found.Proofs() {
				for _, line := range format.Wrap(proof, width) {
					fmt.Fprintln(a.out, line)
				}
			}
			if q.Verify != "" {
				fmt.Fprintf(a.out, "%s: every plan and every bound holds\n", task.Quote(q.Verify))
			}
			return nil
		},
	}
	f := c.Flags()
	sourceFlags(c, &q.Source)
	f.StringArrayVar(&q.Strategies, "strategy", nil, "only this strategy (repeatable; all if not given)")
	f.StringVar(&q.Out, "out", "", "file to write the plans to, as JSON")
	f.StringVar(&q.Verify, "verify", "", "hold the plans of this file against the scenario instead")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema partition)")
	return c
}
