package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/cmd/flyball/internal/trials"
	"flyball/internal/input"
)

// studyFlags adds the flags of every command that takes a study. File is the name of
// the file that --json prints.
func (a app) studyFlags(c *cobra.Command, q *trials.Study, dry, asJSON *bool, file string) {
	console.SourceFlags(c, &q.From)
	c.Flags().Lookup("set").Usage = "change one value in every point, before the changes of the study: " +
		"path.to.key=value (repeatable)"
	c.Flags().Lookup("seed").Usage = "seed of all random draws; the study's own if not given"
	console.PlaceFlags(c, &q.Place, "folder of the study (default runs/NAME-KEY, KEY from the content)")
	c.Flags().IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	c.Flags().StringVar(&q.Resume, "resume", "", "folder of the same study, stopped by a signal")
	c.Flags().BoolVar(dry, "dry-run", false, "check the study and print its number of runs, without running it")
	c.Flags().BoolVar(asJSON, "json", false, "print "+file+" instead of tables")
	farmFlags(c, &q.Bus)
}

func (a app) sweepCommand() *cobra.Command {
	q := trials.DefaultStudy()
	q.Program = console.Version()
	var dry, asJSON, all bool
	c := &cobra.Command{
		Use:   "sweep STUDY.toml",
		Short: "Run a parameter study: many values, the same random draws",
		Long: `Run a parameter study: a TOML file that names scenarios, the values to try for
their keys, and the metrics to look at (docs/studies.md). Replication r of every
point uses the same random draws. Writes a folder with points.csv, study.json,
maps and a report.html.

Every point is checked before any is run. --resume, or the same --out, continues a
study that a signal stopped; it ends with the same files.

With --listen or --bus workers in other processes take part (docs/scale.md), and
the files are the same.

Exit codes: 0 done, 2 usage, 3 invalid study or scenario, 7 the folder cannot be
written or the broker cannot be reached, 8 a key or right that is missing, 130 or
143 stopped by a signal.`,
		Example: "  flyball sweep docs/studies/step.toml\n  flyball sweep step.toml --listen 127.0.0.1:0\n" +
			"  flyball sweep step.toml --set governor.law=regulator " +
			"--out regulated\n  flyball sweep step.toml --resume runs/step-7bncj4skwzhm",
		Args: console.ExactlyOne("a study"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			if err := q.Validate(); err != nil {
				return err
			}
			if dry {
				s, _, _, err := q.LoadStudy()
				if err == nil {
					fmt.Fprintf(a.Out, "%s: %d points, %d runs, study %.12s\n", s.Name, len(s.Points),
						len(s.Points)*s.Replications, s.ID)
				}
				return err
			}
			if err := onBus(&q.Bus); err != nil {
				return err
			}
			return a.sweep(&q, asJSON, all)
		},
	}
	a.studyFlags(c, &q, &dry, &asJSON, "study.json")
	c.Flags().BoolVar(&all, "all", false, "print every point instead of 16")
	return c
}

// farmFlags adds the flags of a command whose runs workers in other processes may make.
func farmFlags(c *cobra.Command, b *trials.Bus) {
	busFlags(c, b)
	c.Flags().StringVar(&b.Listen, "listen", "", "be a broker at this IP:PORT, port 0 for a free one, and print the "+
		"command that makes a process a worker; instead of --bus")
}

// busFlags adds the flags that say where a bus is.
func busFlags(c *cobra.Command, b *trials.Bus) {
	f := c.Flags()
	f.StringVar(&b.URL, "bus", "", "URL of the broker: nats://TOKEN@IP:PORT on loopback, tls://HOST:PORT anywhere")
	f.StringVar(&b.CA, "bus-ca", "", "PEM file of the authorities that sign the certificates of the bus")
	f.StringVar(&b.Cert, "bus-cert", "", "PEM file of the certificate of this end")
	f.StringVar(&b.Key, "bus-key", "", "PEM file of its private key")
	f.StringVar(&b.NKey, "bus-nkey", "", "file of the seed of an nkey that the broker knows")
	b.Program = console.Version()
}

func (a app) workerCommand() *cobra.Command {
	q := trials.Worker{Workers: runtime.GOMAXPROCS(0)}
	c := &cobra.Command{
		Use:   "worker --bus URL",
		Short: "Make runs for the sweeps of other processes",
		Long: `Make runs for the sweeps, searches, replications and trials of laws on a bus
(docs/scale.md), until a signal ends it, or the sweep ends that is its own broker. Workers may come, go and die at any time: a
sweep gives their runs to others, and its results are those of one machine. Some
runs of each worker are made again elsewhere; one that computes wrongly is shut
out. A worker of another revision is refused.

A worker reads nothing but the files that its own flags name, and writes none.

Exit codes: 0 the sweep ended, 1 it computed wrongly, 2 usage, 7 no broker, 8
refused: another revision, or a key or right that is missing, 130 or 143 stopped
by a signal.`,
		Example: "  flyball worker --bus nats://TOKEN@127.0.0.1:4222\n  flyball worker --bus tls://bus.example:4222 " +
			"--bus-ca ca.pem --bus-cert w1.pem --bus-key w1.key --bus-nkey w1.nk",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			err := q.Validate()
			if err == nil {
				q.Build, err = buildDigest()
			}
			if err != nil {
				return err
			}
			stop := terminal.WatchSignals()
			defer stop.End()
			_, err = console.Watched(a.App, stop, false, q.Do)
			if err == nil && stop.First() != nil {
				err = console.StoppedBy(stop, "; the sweep gives its runs to others")
			}
			return err
		},
	}
	busFlags(c, &q.Bus)
	c.Flags().IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time")
	return c
}

// onBus completes what a question has of a bus, if workers in other processes take part in it.
func onBus(b *trials.Bus) (err error) {
	if b.Used() {
		b.Build, err = buildDigest()
	}
	return err
}

// buildDigest returns the SHA-256 of this program's file; empty if its version says what it was built from.
func buildDigest() (string, error) {
	info, _ := debug.ReadBuildInfo()
	if b := console.BuildOf(info); b.Revision != "" && !b.Modified {
		return "", nil
	}
	name, err := os.Executable()
	if err != nil {
		return "", console.Fail(console.Environment, "this program: %w", err)
	}
	f, err := input.Open(name, input.Program)
	if err != nil {
		return "", console.Fail(console.Environment, "this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", console.Fail(console.Environment, "this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (a app) sweep(q *trials.Study, asJSON, all bool) error {
	swept, err := console.Found(a.App, q.Sweep)
	if err != nil {
		return err
	}
	swept.Report.All = all
	return a.TellFolder(swept.Report, swept.Dir, asJSON)
}

func (a app) tuneCommand() *cobra.Command {
	q := trials.DefaultStudy()
	q.Program = console.Version()
	var dry, asJSON bool
	c := &cobra.Command{
		Use:   "tune STUDY.toml",
		Short: "Search a study for the best values, and judge them with draws that the search has not seen",
		Long: `Search the parameters of a study with a table [tune] for the values that are best
in a metric, under constraints, with a budget of runs (docs/tuning.md). The search
tries points that fill the space, drops losers in a race that doubles the seeds and
uses a paired test, searches near the best point, and ends with another race. Then
the winner and the unchanged scenarios are run with held-out draws and in held-out
scenarios. The verdict rests on those runs alone. The report also states by how
much the search overestimated the winner (the winner's curse).

Writes a folder with tune.json, trials.csv, the Pareto front, report.html, and
best/: every scenario with the winner's values, for run, realrun and compare.
flyball promote takes the folder too.

The space is checked before any run is made. --resume, or the same --out, continues
a search that a signal stopped; it ends with the same files. With --listen or --bus
workers in other processes take part (docs/scale.md).

Exit codes: 0 done, whatever was found, 2 usage, 3 invalid study or scenario, or
a baseline that cannot be compared, 7 the folder cannot be written or the broker
cannot be reached, 8 a key or right that is missing, 130 or 143 stopped by a signal.`,
		Example: "  flyball tune docs/studies/tune-quickstart.toml\n  flyball tune mine.toml --set " +
			"governor.law=regulator --out tuned\n  flyball promote tuned --by ann",
		Args: console.ExactlyOne("a study"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.From.Arg = args[0]
			if err := q.Validate(); err != nil {
				return err
			}
			if dry {
				t, _, _, err := q.LoadTuning()
				if err == nil {
					held := 2 * t.Tune.HeldOut.Replications * len(t.Names)
					fmt.Fprintf(a.Out, "%s: %d parameters, at most %d runs to search and %d to judge, study %.12s\n",
						t.Name, len(t.Parameters), t.Tune.Budget, held, t.ID)
				}
				return err
			}
			if err := onBus(&q.Bus); err != nil {
				return err
			}
			return a.tune(&q, asJSON)
		},
	}
	a.studyFlags(c, &q, &dry, &asJSON, "tune.json")
	return c
}

func (a app) tune(q *trials.Study, asJSON bool) error {
	tuned, err := console.Found(a.App, q.Tune)
	if err != nil {
		return err
	}
	if err := a.Print(tuned.Report, asJSON); err != nil || asJSON {
		return err
	}
	if tuned.Report.HeldOut != nil {
		fmt.Fprintf(a.Out, "Try it: flyball run %s\n", task.Quote(tuned.Dir+"/best/00.toml"))
	}
	fmt.Fprintf(a.Out, "Folder: %s\n", tuned.Dir)
	return nil
}

func (a app) lawsCommand() *cobra.Command {
	q := trials.DefaultLaws()
	var asJSON bool
	c := &cobra.Command{
		Use:   "laws",
		Short: "Try all governor laws on the disturbance suite",
		Long: `Try governor laws on the disturbance suite (docs/laws.md): a server of Table 1 at
a hundredth of its rate, and a disturbance, with and without noise. Every law gets
the same random draws. The mean over all replications, interval by interval, is
judged. Every law is compared with hindsight: the patent's law with the step d that
was best in that trial, among the steps that --law includes. The report lists the
goals of the regulator, with what was measured, as met or missed.

Laws are tuned on --half training; claims are made on the other half. With --listen
or --bus workers in other processes take part (docs/scale.md).

Exit codes: 0 done, even if goals are missed, 2 usage, 3 invalid law, 7 the folder
cannot be written or the broker cannot be reached, 8 a key or right that is
missing, 130 or 143 stopped by a signal.`,
		Example: "  flyball laws\n  flyball laws --half training --law regulator --law patent-8 --noise 5%\n  " +
			"flyball laws --half all --scenario outage-8 --scenario outage-64 --law patent-3 --law pi,pi.integral=0.3",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			err := q.Validate()
			if err == nil {
				err = onBus(&q.Bus)
			}
			if err != nil {
				return err
			}
			return a.laws(&q, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&q.Half, "half", q.Half, "reporting, training or all")
	f.StringSliceVar(&q.Noise, "noise", q.Noise, "levels of noise: any of 0, 5% and 10%")
	f.StringArrayVar(&q.Laws, "law", nil,
		"try this law: NAME[,key=value...] with [governor] keys (repeatable; all if not given)")
	f.StringArrayVar(&q.Scenarios, "scenario", nil, "try only this scenario of the half (repeatable)")
	f.StringVar(&q.Seed, "seed", "", "seed of all random draws; the scenarios' own if not given")
	f.IntVar(&q.Replications, "replications", q.Replications, "runs of each law in each trial")
	f.IntVar(&q.Workers, "jobs", q.Workers, "runs at the same time; changes no result")
	console.PlaceFlags(c, &q.Place, "folder (default runs/laws-KEY, KEY from the content)")
	farmFlags(c, &q.Bus)
	f.BoolVar(&asJSON, "json", false, "print summary.json instead of tables")
	return c
}

func (a app) laws(q *trials.Laws, asJSON bool) error {
	tried, err := console.Found(a.App, q.Do)
	if err != nil {
		return err
	}
	return a.TellFolder(tried.Report, tried.Dir, asJSON)
}
