package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"flyball/internal/tomlfile"
	"flyball/scenarios"
)

func (a *app) validateCommand() *cobra.Command {
	var sets []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "validate SCENARIO...",
		Short: "Check scenarios and report every problem at once",
		Long: `Check scenarios strictly: names of built-in ones, paths, or - for standard
input. Every problem is reported as file:line:col: key: message. Exit code 3 if
there is any.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fail(exitUsage, "validate: got no scenario, want at least one")
			}
			return a.validate(args, sets, asJSON)
		},
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "change one value first: path.to.key=value (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema validation)")
	return c
}

// validation is what validate --json prints.
type validation struct {
	head
	Valid     bool        `json:"valid"`     // every scenario is
	Scenarios []validated `json:"scenarios"` // in the order of the arguments
}

type validated struct {
	Scenario   string             `json:"scenario"` // the argument
	Valid      bool               `json:"valid"`
	ScenarioID string             `json:"scenario_id,omitempty"` // SHA-256 of the resolved scenario; of a valid one
	Problems   []tomlfile.Problem `json:"problems"`              // none if it is valid
}

func (a *app) validate(args, sets []string, asJSON bool) error {
	bad := 0
	all := validation{head: headOf("validation")}
	for _, arg := range args {
		s, _, err := a.load(arg, sets...)
		one := validated{Scenario: arg, Valid: err == nil, Problems: []tomlfile.Problem{}}
		line := ""
		if err == nil {
			one.ScenarioID = scenarios.ID(s)
			line = fmt.Sprintf("%s: ok, %s", arg, one.ScenarioID[:12])
		} else {
			bad++
			line = err.Error()
			var many tomlfile.Problems
			if !errors.As(err, &many) { // of the file as a whole, which may not be there
				many = tomlfile.Problems{{File: arg, Text: line}}
			}
			one.Problems = many
		}
		all.Scenarios = append(all.Scenarios, one)
		if !asJSON {
			fmt.Fprintln(a.out, line)
		}
	}
	if all.Valid = bad == 0; asJSON {
		if err := a.printJSON(all); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fail(exitInvalid, "%d of %d scenarios invalid", bad, len(args))
	}
	return nil
}
