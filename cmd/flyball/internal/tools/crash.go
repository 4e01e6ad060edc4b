package tools

import (
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/conf"
	"flyball/internal/durable"
	"flyball/scenarios"
	"flyball/sim/crash"
	"flyball/sim/crash/scope"
	"flyball/sim/crash/search"
)

func (a app) crashCommand() *cobra.Command {
	s := search.Default()
	var scheme, text, file string
	var quick, asJSON bool
	var random, every, chunk, mailings int
	var seed uint64
	c := &cobra.Command{
		Use:   "crash [scenario]",
		Short: "Stop the servers of a mailing at every point, and count who is missed or gets it twice",
		Long: `Simulate a mailing with the sizes, chances and times of a scenario by a sending server (A),
delivering servers (B1, B2) and servers for returned mail (C) and for requests (D).
Stop servers before and after everything that they do: each one at each point, any two at
any two points, and at random ones, with pauses, lost and repeated messages and clocks
that differ. A scenario has at most 200 recipients; without one it is crash-small, a
mailing to 24 recipients by two delivering servers. A disk keeps all that was written
(kill), what was made durable (power-min), or some of the rest too (power-any;
power-any+2 keeps two facts of the rest). Promises are checked at every step: no
recipient is missed, and every duplicate follows an attempt of the same recipient that is
recorded as ambiguous, or the loss of its server.

--case shows one run, as a search prints it: faults with ";" between them, such as
"loss=0.1; 12+ B1 power-min 3s; @4.5s A kill 1m". Here a tenth of the messages between
servers is lost; B1 stops after effect 12 for 3 s, and A at 4.5 s for a minute. A stop has
a place, a server, what its disk keeps, and for how long it lasts. The place 12- is before
effect 12; the server "all" is all servers, and "actor" the one whose effect it is.
"pause" instead of what the disk keeps is a pause in which nothing is lost, and "cut"
leaves the server running without messages from and to other servers. lost=0.1 is the
share of replies to final dots that do not arrive, repeat=0.1 the share of messages that
arrive twice, and drift:B1=0.005 makes the clock of B1 run fast by this share.

A run that breaks a promise is printed with only the faults that it needs for that. The
first one is written to crash-broken.txt, or to the file of --script, as a script that the
tests of sim/crash play.

--scheme lets delivering servers keep what they have done as other programs do, which
lose mail, or repeat it without a trace. With rfc1845 servers keep it as with ours, and
receivers remember what they have accepted, so that no recipient gets a message twice.

Exit codes: 0 all promises kept, 2 usage, 3 invalid or too large a scenario, 4 a promise
broken, 130 or 143 stopped by a signal.`,
		Example: "  flyball crash\n  flyball crash --quick --scheme advance-at-fetch\n" +
			"  flyball crash mine.toml --quick\n  flyball crash --case \"210+ B1 kill 3s\"",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			named, ok := scope.SchemeNamed(scheme)
			if !ok {
				return console.Fail(console.Usage, "--scheme: got %q, want one of %s%s", scheme,
					strings.Join(scope.SchemeNames(), ", "),
					conf.DidYouMean(scheme, scope.SchemeNames()))
			}
			if len(args) > 0 {
				s.Scenario = args[0]
			}
			scenario, err := a.loadForCrash(s.Scenario)
			if err != nil {
				return err
			}
			if s.Config, err = scope.Of(scenario); err != nil {
				return console.Fail(console.Invalid, "%s: %w", s.Scenario, err)
			}
			if c.Flags().Changed("mailings") {
				s.Config.Mailings = mailings
			}
			if c.Flags().Changed("chunk") {
				s.Config.Chunk = chunk
			}
			if c.Flags().Changed("seed") {
				s.Config.Seed = seed
			}
			s.Config.Scheme, s.Seed = named, s.Config.Seed
			if n, most := s.Config.Mailings, s.Config.Recipients; n < 1 || n > most {
				return console.Fail(console.Usage, "--mailings: got %d, want 1 to %d", n, most)
			}
			if c.Flags().Changed("case") {
				return a.crashCase(s.Config, text, file)
			}
			switch {
			case s.Config.Chunk < 0:
				return console.Fail(console.Usage, "--chunk: got %d, want 0 or more", s.Config.Chunk)
			case random < 0:
				return console.Fail(console.Usage, "--random: got %d, want 0 or more", random)
			case every < 1:
				return console.Fail(console.Usage, "--every: got %d, want 1 or more", every)
			}
			s.Fit()
			if c.Flags().Changed("every") {
				s.Every, s.Firsts = every, every
			}
			if s.Pairs = !quick; quick {
				s.Random = min(s.Random, 20_000)
			}
			if c.Flags().Changed("random") {
				s.Random = random
			}
			return a.crash(&s, asJSON, file)
		},
	}
	c.Flags().StringVar(&text, "case", "", "run one case, with the same --scheme, --mailings, --chunk and --seed, "+
		"and print its effects")
	c.Flags().StringVar(&scheme, "scheme", scope.Ours.String(), "how delivering servers keep what they have done: "+
		strings.Join(scope.SchemeNames(), ", "))
	c.Flags().IntVar(&random, "random", s.Random, "runs with several random faults")
	c.Flags().IntVar(&every, "every", 1, "stop at every Nth effect only; random runs stop at any. Not given, it is "+
		"higher for a large scenario, and there are fewer random runs")
	c.Flags().IntVar(&chunk, "chunk", 0,
		"delivering servers fetch the list in parts of this number of recipients; 0: it is cut at once; "+
			"not given: as the scenario has it")
	c.Flags().IntVar(&mailings, "mailings", s.Config.Mailings,
		"mailings that overlap, and divide the recipients among them; not given: the scenario's campaigns")
	c.Flags().StringVar(&file, "script", "", "write the run of --case, or the first one that breaks a promise, to "+
		"this file; with another --scheme than ours nothing is written unless it is given")
	c.Flags().BoolVar(&quick, "quick", false, "no pairs of points, and 20,000 random runs")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the mailing and of random cases")
	c.Flags().IntVar(&s.Workers, "jobs", runtime.GOMAXPROCS(0), "runs at a time")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema crash)")
	return c
}

// loadForCrash loads a scenario; crash-small is one that this command alone has built in.
func (a app) loadForCrash(name string) (*scenarios.Scenario, error) {
	if name == scope.SmallName {
		return scenarios.Load(name, scope.SmallText, nil)
	}
	s, _, err := a.Load(name)
	return s, err
}

// crash runs a search and prints its account. The first run that broke a promise is written to a file.
func (a app) crash(s *search.Search, asJSON bool, file string) error {
	if err := task.CheckWorkers(s.Workers); err != nil {
		return err
	}
	a.Replay = "flyball " + strings.Join(os.Args[1:], " ")
	stop := terminal.WatchSignals()
	defer stop.End()
	defer task.ManyRuns()()
	bar := a.Display().Start("crash")
	account := s.Run(func(done, all int) bool {
		bar.At(task.Event{Done: uint64(done), Total: uint64(all)})
		return stop.Context().Err() == nil
	})
	bar.End()
	if stop.Context().Err() != nil {
		return console.StoppedBy(stop, " after %d runs", account.Runs)
	}
	print := account.Text
	if asJSON {
		print = account.JSON
	}
	if err := print(a.Out, s); err != nil {
		return err
	}
	if n := account.Failed; n > 0 {
		if file == "" && s.Config.Scheme == scope.Ours {
			file = "crash-broken.txt"
		}
		where := ""
		if file != "" {
			if err := durable.Write(file, []byte(account.Script(s))); err != nil {
				return err
			}
			where = " (written to " + file + ")"
		}
		return console.Fail(console.Missed,
			"%d of %d runs broke a promise, the first one%s: %s", n, account.Runs, where,
			account.Failures[0].Violation)
	}
	return nil
}

// crashCase runs one case, prints its effects, and writes it to a file, if that has a name.
func (a app) crashCase(cfg scope.Config, text, file string) error {
	x, err := cfg.Parse(text)
	if err != nil {
		return console.Fail(console.Usage, "--case: %w", err)
	}
	r, err := crash.Trace(a.Out, cfg, x)
	if err != nil {
		return err
	}
	if file != "" {
		if err := durable.Write(file, []byte(crash.Script(cfg, x))); err != nil {
			return err
		}
	}
	if r.Violation != "" {
		return console.Fail(console.Missed, "a promise is broken: %s", r.Violation)
	}
	return nil
}
