package tools

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/sim/verify"
)

func (a app) verifyCommand() *cobra.Command {
	o := verify.Options{}
	var list, asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare the simulator with models that have known answers",
		Long: `Simulate queues, renewal processes, retry chains and control loops whose answers
are known exactly, with the engine and the event queue of every scenario, and
compare. The result depends on revision and seed only, not on --jobs. --full adds
models that take minutes: how often confidence intervals contain the true value.

Exit codes: 0 all rows inside their intervals, 2 usage, 4 a row outside.`,
		Example: "  flyball verify\n  flyball verify --only mm1,erlang-b --seed 7",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.Fail(console.Usage, "verify: got %q, want --only %s", args[0], strings.Join(args, ","))
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			if list {
				return a.listModels(asJSON)
			}
			return a.verify(o, asJSON)
		},
	}
	c.Flags().BoolVar(&o.Full, "full", false, "also the models that take minutes")
	c.Flags().StringSliceVar(&o.Only, "only", nil, "names of models, separated by commas")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of all random draws")
	c.Flags().IntVar(&o.Workers, "jobs", runtime.GOMAXPROCS(0), "replications at a time")
	c.Flags().BoolVar(&list, "list", false, "list the models instead")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema verify; with --list: verify-models)")
	return c
}

func (a app) verify(o verify.Options, asJSON bool) error {
	if err := task.CheckWorkers(o.Workers); err != nil {
		return err
	}
	a.Replay = fmt.Sprintf("flyball verify --seed %d", o.Seed)
	bar := a.Display().Start("verify")
	o.Progress = func(done, total uint64) { bar.At(task.Event{Done: done, Total: total}) }
	rows, err := verify.Run(o)
	bar.End()
	if err != nil {
		return console.Fail(console.Usage, "--only: %w", err)
	}
	if asJSON {
		err = verify.JSON(a.Out, o.Seed, rows)
	} else {
		err = verify.Text(a.Out, o.Seed, rows, a.Colored())
	}
	if err != nil {
		return err
	}
	return disproved(rows)
}

// disproved returns an error that lists the rows outside their intervals, nil if
// there are none.
func disproved(rows []verify.Row) error {
	outside := verify.Outside(rows)
	if outside == nil {
		return nil
	}
	return console.Fail(console.Missed,
		"%d of %d rows outside: %s", len(outside), len(rows), strings.Join(outside, "; "))
}

// ModelList is what verify --list --json prints.
type ModelList struct {
	console.Head
	Models []verify.Model `json:"models"` // in the order of their rows
}

func (a app) listModels(asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(ModelList{console.HeadOf("verify-models"), verify.Models()})
	}
	for _, m := range verify.Models() {
		only := ""
		if m.Full {
			only = " (--full)"
		}
		fmt.Fprintf(a.Out, "%-12s %2d  %s%s\n", m.Name, m.Rows, m.About, only)
	}
	return nil
}
