package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"flyball/governor"
	"flyball/scenarios"
)

func (a *app) governCommand() *cobra.Command {
	var from source
	var samples string
	c := &cobra.Command{
		Use:   "govern LAW-FILE --samples FILE.csv",
		Short: "Replay a governor over recorded intervals",
		Long: `Replay a governor over recorded intervals and print its decisions as CSV.

LAW-FILE is any TOML file with a [governor] table, a scenario too, or the name
of a built-in scenario. The samples have the columns hours, delivered and
allocated_mean, one row per interval, and may have set_target_per_h, the target
in force in each, which then counts instead of that of the law; - is standard
input.`,
		Example: "  flyball govern patent-table1 --samples intervals.csv",
		Args:    exactlyOne("a law file"),
		RunE: func(_ *cobra.Command, args []string) error {
			from.arg = args[0]
			return a.govern(&from, samples)
		},
	}
	c.Flags().StringArrayVar(&from.sets, "set", nil, "change one value: governor.key=value (repeatable)")
	c.Flags().StringVar(&samples, "samples", "", "CSV file with hours, delivered, allocated_mean; - is standard input")
	return c
}

func (a *app) govern(from *source, samples string) error {
	if samples == "" {
		return fail(exitUsage, "govern: got no samples, want --samples FILE.csv (- is standard input)")
	}
	if from.arg == "-" && samples == "-" {
		return fail(exitUsage, "govern: got - for the law and for the samples, want one of them in a file")
	}
	name, text, err := a.read(from.arg)
	if err != nil {
		return err
	}
	law, err := scenarios.LoadGovernor(name, text, from.sets)
	if err != nil {
		return exit{exitInvalid, err}
	}
	in, name := a.in, "<stdin>"
	if samples != "-" {
		f, err := os.Open(samples)
		if err != nil {
			return fail(exitUsage, "%w", err)
		}
		defer f.Close()
		in, name = io.Reader(f), samples
	}
	recorded, err := governor.ReadSamples(in, name)
	if err != nil {
		return exit{exitInvalid, err}
	}
	decisions, err := governor.Replay(law, recorded)
	if err != nil {
		return exit{exitInvalid, err}
	}
	return governor.WriteCSV(a.out, recorded, decisions)
}
