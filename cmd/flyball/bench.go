package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/input"
	"flyball/internal/tabular"
	"flyball/scenarios"
	"flyball/sim"
	"flyball/sim/bench"
)

// yardstick holds the flags of one flyball bench.
type yardstick struct {
	population, events, runs int
	seed                     uint64 // of the yardsticks; a scenario has its own
	file                     string
	asJSON                   bool
}

var yardsticks = []string{"hold", "hold-ns3", "phold", "replay", "attempts"}

func (a *app) benchCommand() *cobra.Command {
	y := &yardstick{}
	from := &task.Source{Stdin: a.in}
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
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fail(exitUsage, "bench: want one of %s", strings.Join(yardsticks, ", "))
			}
			if err := y.check(cmd, args, from.Seed); err != nil {
				return err
			}
			a.replay = "flyball " + strings.Join(os.Args[1:], " ")
			if args[0] != "attempts" {
				return a.benchQueue(args[0], y)
			}
			if len(args) == 1 {
				return a.benchScenarios(y)
			}
			from.Arg = args[1]
			return a.benchFeatures(from, y)
		},
	}
	c.Flags().IntVar(&y.population, "population", 200, "pending events")
	c.Flags().IntVar(&y.events, "events", 2_000_000, "events of a run; for attempts, recipients")
	c.Flags().IntVar(&y.runs, "runs", 5, "timed runs")
	c.Flags().StringVar(&y.file, "file", "", "with replay: file of the pairs")
	c.Flags().BoolVar(&y.asJSON, "json", false,
		"print a line of JSON per run instead of a table (flyball schema bench)")
	sourceFlags(c, from)
	return c
}

func (y *yardstick) check(cmd *cobra.Command, args []string, seed string) error {
	what, given := args[0], cmd.Flags().Changed
	if !slices.Contains(yardsticks, what) {
		return fail(exitUsage, "bench: got %q, want one of %s%s", what, strings.Join(yardsticks, ", "),
			conf.DidYouMean(what, yardsticks))
	}
	attempts := what == "attempts"
	switch {
	case len(args) > 2 || len(args) == 2 && !attempts:
		return fail(exitUsage, "bench %s: got %q, want nothing after it", what, args[len(args)-1])
	case y.population < 1 || y.population > 1<<24:
		return fail(exitUsage, "--population: got %d, want 1 to %d", y.population, 1<<24)
	case y.events < 1 || y.events > 1e9:
		return fail(exitUsage, "--events: got %d, want 1 to 1000000000", y.events)
	case y.runs < 1 || y.runs > 1000:
		return fail(exitUsage, "--runs: got %d, want 1 to 1000", y.runs)
	case attempts && given("population"):
		return fail(exitUsage, "--population: bench attempts takes it from the scenario: want --set governor.start=%d",
			y.population)
	case !attempts && given("set"):
		return fail(exitUsage, "--set: bench %s has no scenario", what)
	case len(args) == 1 && attempts && (given("set") || given("seed")):
		return fail(exitUsage, "bench attempts: want a SCENARIO with --set or --seed")
	case (what == "replay") != given("file"):
		return fail(exitUsage, "bench %s: want --file with replay, and with nothing else", what)
	}
	y.seed = 1
	if seed == "" || attempts {
		return nil
	}
	var err error
	if y.seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
		return fail(exitUsage, "--seed: got %q, want a number from 0", seed)
	}
	return nil
}

// spell is one timed run, and a line of what bench --json prints.
type spell struct {
	head
	Engine     string  `json:"engine"`               // flyball; other programs print the same lines
	Bench      string  `json:"bench"`                // hold, hold-ns3, phold, replay or attempts
	Population int     `json:"population,omitempty"` // pending events; of attempts the scenario decides
	Scenario   string  `json:"scenario,omitempty"`   // of attempts
	Without    string  `json:"without,omitempty"`    // feature of the scenario that is left out
	Events     uint64  `json:"events"`               // number of events, or of delivery attempts
	Seconds    float64 `json:"seconds"`              // without the set-up
	Rate       float64 `json:"rate"`                 // events / second
	Digest     string  `json:"hash"`                 // of the work: two runs with the same hash did the same
}

// subject is something to be timed. Only the function run that prepare returns is
// timed.
type subject struct {
	spell
	prepare func() (run func() uint64, digest func() uint64, err error)
}

// measure times all subjects in turn, runs times, after one run of each that does
// not count. They take turns so that a slow spell of the machine affects all of them.
func (a *app) measure(runs int, all []subject) ([][]spell, error) {
	spells := make([][]spell, len(all))
	bar := a.display().Start("bench")
	defer bar.End()
	for round := range runs + 1 {
		for i, s := range all {
			bar.At(uint64(round*len(all)+i), uint64((runs+1)*len(all)))
			run, digest, err := s.prepare()
			if err != nil {
				return nil, err
			}
			began := time.Now()
			s.Events = run()
			s.Seconds = time.Since(began).Seconds()
			s.head, s.Engine, s.Rate = headOf("bench"), "flyball", math.Round(float64(s.Events)/s.Seconds)
			s.Digest = fmt.Sprintf("%016x", digest())
			if round > 0 {
				spells[i] = append(spells[i], s.spell)
			}
			if first := spells[i]; len(first) > 0 && first[0].Digest != s.Digest {
				panic(fmt.Sprintf("two runs of %+v have digests %s and %s", s.spell, first[0].Digest, s.Digest))
			}
		}
	}
	return spells, nil
}

func (a *app) benchQueue(what string, y *yardstick) error {
	prepare := func() (bench.Yardstick, error) {
		switch what {
		case "hold":
			return bench.NewHold(y.population, y.seed), nil
		case "hold-ns3":
			return bench.NewHoldNS3(y.population, y.seed), nil
		case "phold":
			return bench.NewPHOLD(y.population, y.seed), nil
		}
		f, err := task.Open("--file", y.file, input.Events)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r, err := bench.NewReplay(f, y.population, y.events)
		if err != nil {
			return nil, fail(exitInvalid, "--file %s: %w", y.file, err)
		}
		return r, nil
	}
	spells, err := a.measure(y.runs, []subject{{spell{Bench: what, Population: y.population},
		func() (func() uint64, func() uint64, error) {
			q, err := prepare()
			if err != nil {
				return nil, nil, err
			}
			return func() uint64 { q.Run(y.events); return uint64(y.events) }, q.Digest, nil
		}}})
	if err != nil {
		return err
	}
	return a.tellSpells(spells, y, func(s spell) string { return fmt.Sprintf("%s, population %d", what, y.population) },
		"events")
}

// deliveries returns the run of a scenario as a subject.
func deliveries(s *scenarios.Scenario, without string) subject {
	return subject{spell{Bench: "attempts", Scenario: s.Name, Without: without},
		func() (func() uint64, func() uint64, error) {
			w, err := sim.New(s, 0, nil, nil)
			if err != nil {
				return nil, nil, err
			}
			run := func() uint64 { w.Run(nil); return w.Record().Attempts() }
			return run, func() uint64 { return w.Record().Digest() }, nil
		}}
}

func (a *app) benchScenarios(y *yardstick) error {
	var all []subject
	for _, name := range scenarios.Names() {
		s, _, err := a.load(name)
		if err != nil {
			return err
		}
		all = append(all, deliveries(bench.Shortened(s, y.events), ""))
	}
	spells, err := a.measure(y.runs, all)
	if err != nil {
		return err
	}
	return a.tellSpells(spells, y, func(s spell) string { return s.Scenario }, "attempts")
}

func (a *app) benchFeatures(from *task.Source, y *yardstick) error {
	s, _, err := from.Load()
	if err != nil {
		return err
	}
	s = bench.Shortened(s, y.events)
	all := []subject{deliveries(s, "")}
	for _, f := range bench.Features(s) {
		all = append(all, deliveries(f.Without(s), f.Name))
	}
	spells, err := a.measure(y.runs, all)
	if err != nil {
		return err
	}
	return a.tellSpells(spells, y, func(s spell) string {
		if s.Without == "" {
			return s.Scenario
		}
		return "without " + s.Without
	}, "attempts")
}

// tellSpells prints a line per subject. A subject without a feature also has the
// nanoseconds per attempt that it saves.
func (a *app) tellSpells(spells [][]spell, y *yardstick, name func(spell) string, unit string) error {
	if y.asJSON {
		out := json.NewEncoder(a.out)
		for _, of := range spells {
			for _, s := range of {
				if err := out.Encode(s); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var rows [][]string
	var whole float64 // ns of the scenario with all its features
	for _, of := range spells {
		slices.SortFunc(of, func(x, y spell) int { return cmp.Compare(x.Rate, y.Rate) })
		m := of[len(of)/2]
		each, less := 1e9/m.Rate, ""
		if m.Without == "" {
			whole = each
		} else {
			less = fmt.Sprintf("%.1f", whole-each)
		}
		rows = append(rows, []string{name(m), fmt.Sprint(m.Events), millions(m.Rate), millions(of[0].Rate),
			millions(of[len(of)-1].Rate),
			fmt.Sprintf("%.1f", each), less, m.Digest})
	}
	head := []string{"", unit, "million/s", "least", "greatest", "ns each", "less", "digest"}
	return tabular.Write(a.out, head, rows, func(column int) bool { return column == 0 })
}

func millions(rate float64) string { return fmt.Sprintf("%.2f", rate/1e6) }
