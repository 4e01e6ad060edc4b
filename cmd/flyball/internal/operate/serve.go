package operate

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/demo"
	"flyball/cmd/flyball/internal/metrics"
	"flyball/cmd/flyball/internal/serve"
	"flyball/cmd/flyball/internal/sites"
	"flyball/cmd/flyball/internal/task"
	"flyball/cmd/flyball/internal/terminal"
)

func (a app) serveCommand() *cobra.Command {
	var roles []string
	var check, shows bool
	d := demo.Default()
	var seed, numbers string
	c := &cobra.Command{
		Use:   "serve SITE | serve --demo",
		Short: "Run the servers of a whole system, in one process or many",
		Long: `Run the stations of a site: a server that sends (a), servers that deliver (b1, b2
...), one for returned mail (c), one for requests (d), servers that count opens and
clicks (response), servers that stand before these at a customer's site (hybrid), one
that stores lists (storage), a governor of all servers and a broker of messages. The
site file names them all and is the same on every computer of the site; --role runs
some of them here. Each keeps its journal in a folder of its own and goes on from it,
however it was stopped. What happens is printed as lines of JSON, until a signal.

--demo needs no file: it makes a site with five B servers and receivers on loopback,
in one process without a TCP port for messages, mails 200,000 recipients, kills a B
server without a word and replaces it, and compares the books at the end.

A site runs until SIGINT or SIGTERM, and then ends with 0.

Exit codes: 0 done, 1 the books of the demo disagree, 2 usage, 3 an invalid site,
scenario or journal, 7 a port, a disk or a broker that is not there, 8 refused for
safety, 130 and 143 a demo stopped by a signal.`,
		Example: "  flyball serve --demo\n" +
			"  flyball serve site.toml --check\n" +
			"  flyball serve site.toml --role a --role b1\n" +
			"  flyball serve submit site.toml --list people.csv --letter letter.txt\n" +
			"  flyball serve status site.toml",
		Args: func(c *cobra.Command, args []string) error {
			if shows == (len(args) == 1) || len(args) > 1 {
				return console.Fail(console.Usage,
					"serve: got %d arguments, want a site file, or --demo alone", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			stop := terminal.WatchSignals()
			defer stop.End()
			if shows {
				n, err := task.ParseSeed(seed)
				if err != nil {
					return err
				}
				if n != nil {
					d.Seed = *n
				}
				d.Say = func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
				books, err := d.Do(stop.Context())
				if err != nil {
					return err
				}
				if stop.First() != nil {
					return console.StoppedBy(stop, "")
				}
				if err := books.Text(a.Out, a.Colored()); err != nil {
					return err
				}
				return books.Err()
			}
			s, err := sites.Load(args[0], roles)
			if err != nil {
				return err
			}
			if s.Metrics = numbers; metrics.Check(numbers) != nil {
				return metrics.Check(numbers)
			}
			if check {
				_, err := s.Secrets() // which must be readable here
				return errors.Join(s.Text(a.Out, a.Colored()), err, s.CheckIdentity())
			}
			log := slog.New(slog.NewJSONHandler(a.Stdout, nil))
			p, err := serve.Open(stop.Context(), s, log)
			if err != nil {
				return err
			}
			err = p.Run(stop.Context())
			if wrong := p.Close(); err == nil {
				err = wrong
			}
			if err == nil && stop.First() != nil {
				return nil // a signal is how it ends
			}
			return err
		},
	}
	f := c.Flags()
	f.StringArrayVar(&roles, "role", nil, "name of a station that runs here, such as b2 (repeatable); not given: all")
	f.StringVar(&numbers, "metrics", "", "serve numbers for Prometheus at /metrics of this loopback IP:PORT")
	f.BoolVar(&check, "check", false, "print what would run, and change nothing")
	f.BoolVar(&shows, "demo", false, "show a whole system on loopback, without a file")
	f.IntVar(&d.Recipients, "recipients", d.Recipients, "with --demo: number of recipients")
	f.StringVar(&seed, "seed", "", "with --demo: seed of all draws")
	c.AddCommand(a.serveSubmitCommand(), a.serveStatusCommand(), a.serveKeysCommand(),
		a.serveRightsCommand())
	return c
}

// oneSite wants one argument, a site file.
func oneSite(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return console.Fail(console.Usage, "%s: got %d arguments, want one site file", c.Name(), len(args))
	}
	return nil
}

func (a app) serveSubmitCommand() *cobra.Command {
	var q sites.Submission
	c := &cobra.Command{
		Use:   "submit SITE --list FILE",
		Short: "Put a mailing into the queue of a site",
		Long: `Put a mailing into the queue of pending messages of a site, on the computer of its A
server, which may be running or not. List, letter and terms are checked as a whole and
refused as a whole. When the command ends, the mailing is on the disk. A list of the
site's store comes from its storage server, which must be running, or of a site in one
process from the store itself.

Exit codes: 0 done, 2 usage, 3 an invalid site, list or letter, 7 a disk, 8 refused
for safety.`,
		Args: oneSite,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := sites.Load(args[0], nil)
			if err != nil {
				return err
			}
			if terminal.Is(a.In) {
				q.Ask = func() (int, error) { return a.AskCount("mailing") }
			}
			m, err := s.Submit(q)
			if err != nil {
				return err
			}
			for _, line := range m.Words {
				fmt.Fprintln(a.Out, line)
			}
			fmt.Fprintf(a.Out, "Mailing %s to %d recipients is in the queue of %s\n", m.Name, m.Recipients, s.Name)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&q.List, "list", "", "CSV file of recipients, or store:NAME, a list of the site's store")
	f.StringVar(&q.Suppress, "suppress", "", "file of addresses and domains (*@domain) that are not mailed")
	f.BoolVar(&q.FoldCase, "fold-case", false, "addresses that differ in upper and lower case only are duplicates")
	f.StringVar(&q.Letter, "letter", "", "file of the letter; not given: a plain one")
	f.IntVar(&q.Count, "count", 0, "number of recipients, which must be right where the site mails people")
	f.StringArrayVar(&q.Notify, "notify", nil, "mail address, or http://IP:PORT/... on loopback, that gets the report "+
		"(repeatable)")
	f.Var(console.Span(&q.Due), "due", "time from now on after which the mailing begins")
	f.Var(console.Span(&q.Deadline), "deadline", "time after its begin by which all are to be final; 0s: none")
	f.IntVar(&q.Terms.Processes, "processes", 0, "MTA processes on each B server; 0: the site's")
	f.IntVar(&q.Terms.Size, "subset", 0, "recipients that a process takes at a time; 0: the site's")
	return c
}

func (a app) serveStatusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status SITE",
		Short: "Show how far the mailings of a site are",
		Long: `Show how far the mailings of a site are, by the journal of its A server, and who has
opened messages and followed links, humans and machines apart, by the folders of its
response servers: what of these is on this computer. The servers may be running or not.

Exit codes: 0 shown, 2 usage, 3 an invalid site or journal, 7 a disk.`,
		Args: oneSite,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := sites.Load(args[0], nil)
			if err != nil {
				return err
			}
			status, err := s.Status()
			if err != nil {
				return err
			}
			return a.Print(status, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema site-status)")
	return c
}

func (a app) serveKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys SITE",
		Short: "Make the keys by which the stations of a site know each other",
		Long: `Make the keys of all stations of a site that have none, in the folder that the site
file names. A station NAME has NAME.nkey and NAME.token, which are secret and which
its own computer alone should have; the broker needs the files *.pub, and the A server
the files *.hash, as the storage server does. A server whose changes the storage server
fetches needs storage.hash.

Exit codes: 0 done, 2 usage, 3 an invalid site, 7 a disk.`,
		Args: oneSite,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := sites.Load(args[0], nil)
			if err != nil {
				return err
			}
			made, err := s.MakeKeys()
			fmt.Fprintf(a.Out, "Made keys of %d stations in %s\n", len(made), s.Keys)
			return err
		},
	}
}

func (a app) serveRightsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rights SITE",
		Short: "Print what brokers of your own must allow the stations of a site",
		Long: `Print the part of the configuration of a NATS server that lets each station of a site
do what it must, and nothing else. The public keys must be there (flyball serve keys).

Exit codes: 0 done, 2 usage, 3 an invalid site, 7 a key that is not there.`,
		Args: oneSite,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := sites.Load(args[0], nil)
			if err != nil {
				return err
			}
			return s.Rights(a.Out)
		},
	}
}
