package tools

import (
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/speed"
)

func (a app) benchCommand() *cobra.Command {
	q := speed.DefaultBench()
	q.From.Stdin = a.In
	var asJSON bool
	c := &cobra.Command{
		Use:   "bench hold|hold-ns3|phold|replay|attempts [SCENARIO]",
		Short: "Measure the simulator's speed on this machine",
		Long: `Measure how fast the simulator is on this machine, on one core, and print a
digest of the work: a faster run with another digest did other work.

hold       take the earliest of --population events and put it back 0.1 + Exp(1)
           later, --events times
hold-ns3   the same with the delays of ns-3: Exp(100) whole nanoseconds; the
           program of ns-3 uses --population 100000 and --events 1000000
phold      the benchmark of ROSS with --remote=1 --lookahead=0.1 --mean=1.0 and
           one event per process: each event schedules an event at a random
           process 0.1 + Exp(0.9) later
replay     the same with given numbers instead of random ones: --file holds pairs
           of little-endian 64-bit words, a process and a delay in ns. The first
           --population pairs are the initial events. The digest is FNV-1a over
           time and process of each event, so that another engine can prove that
           it did the same work
attempts   whole delivery attempts of every built-in scenario, or of one SCENARIO
           with each of its features left out in turn

Set-up is not timed. The first run is not counted; the table has the median, the
least and the greatest rate of --runs more. With attempts, --events is the number of
recipients at which lists are cut off.

A difference between two rates means nothing if it is smaller than the difference
between the least and the greatest.

Exit codes: 0 done, 2 usage, 3 a scenario or a file is invalid.`,
		Example: "  flyball bench hold --population 10000\n  flyball bench attempts quickstart",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				q.What = args[0]
			}
			if len(args) > 1 {
				q.From.Arg = args[1]
			}
			if err := q.Validate(); err != nil {
				return err
			}
			if err := misused(&q, args, c.Flags().Changed); err != nil {
				return err
			}
			return a.bench(&q, asJSON)
		},
	}
	f := c.Flags()
	f.IntVar(&q.Population, "population", q.Population, "pending events")
	f.IntVar(&q.Events, "events", q.Events, "events of a run; for attempts, recipients")
	f.IntVar(&q.Runs, "runs", q.Runs, "timed runs")
	f.StringVar(&q.File, "file", "", "with replay: file of the pairs")
	f.BoolVar(&asJSON, "json", false, "print a line of JSON per run instead of a table (flyball schema bench)")
	console.SourceFlags(c, &q.From)
	return c
}

// misused returns an error if arguments or flags are given that the yardstick does not take. It
// reads the seed of the event queue.
func misused(q *speed.Bench, args []string, given func(string) bool) (err error) {
	attempts := q.What == speed.Attempts
	switch {
	case len(args) > 2 || len(args) == 2 && !attempts:
		return console.Fail(console.Usage, "bench %s: got %q, want nothing after it", q.What, args[len(args)-1])
	case attempts && given("population"):
		return console.Fail(console.Usage,
			"--population: bench attempts takes it from the scenario: want --set governor.start=%d",
			q.Population)
	case !attempts && given("set"):
		return console.Fail(console.Usage, "--set: bench %s has no scenario", q.What)
	case len(args) == 1 && attempts && (given("set") || given("seed")):
		return console.Fail(console.Usage, "bench attempts: want a SCENARIO with --set or --seed")
	case (q.What == speed.Replay) != given("file"):
		return console.Fail(console.Usage, "bench %s: want --file with replay, and with nothing else", q.What)
	case attempts || !given("seed"):
		return nil
	}
	if q.Seed, err = strconv.ParseUint(q.From.Seed, 10, 64); err != nil {
		return console.Fail(console.Usage, "--seed: got %q, want a number from 0", q.From.Seed)
	}
	return nil
}

func (a app) bench(q *speed.Bench, asJSON bool) error {
	a.Replay = "flyball " + strings.Join(os.Args[1:], " ")
	watch, end := a.Display().Watch(false)
	measured, err := q.Do(watch)
	end()
	switch {
	case err != nil:
		return err
	case asJSON:
		return measured.JSON(a.Out)
	}
	return measured.Text(a.Out)
}
