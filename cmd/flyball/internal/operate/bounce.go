package operate

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/bounces"
	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/vt"
	"flyball/realrun/inbound"
)

func (a app) bounceCommand() *cobra.Command {
	var q bounces.Read
	var asJSON bool
	read := &cobra.Command{
		Use:   "read FILE|FOLDER...",
		Short: "Tell what returned mail means for each address",
		Long: `Tell for each message what becomes of the addresses that it is about: dead (the
mailbox or the domain does not exist), later (the address stays, its mailbox or
server had a difficulty), us (the address stays, the sender is the difficulty),
complaint (the recipient reported the mail) or quarantine (nothing follows: an
automatic reply, a notice of delivery, or nothing that can be read). The rule that
decided is named. Of a folder the files *.eml are read, or all files if it has none,
and the files of a maildir. Nothing is changed.

With --labels the verdicts are held against what somebody else says of the same
files: a table with tabs, whose header names the columns file, recipient and reason
or effect. Reasons are those of this command or Sisimai's; a label none says nothing.

Exit codes: 0 read, 2 usage, 3 a file or labels that are refused.`,
		Example: "  flyball bounce read Maildir\n" +
			"  flyball bounce read mail/*.eml --json\n" +
			"  flyball bounce read mail --labels labels.tsv",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return console.Fail(console.Usage, "read: got no argument, want files or folders of returned mail")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			q.Paths = args
			f, err := q.Do()
			if err != nil {
				return err
			}
			return a.Print(f, asJSON)
		},
	}
	f := read.Flags()
	f.StringVar(&q.Labels, "labels", "", "file of labels that the verdicts are held against")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema bounces)")
	serve, show := a.bounceServeCommand(), a.bounceShowCommand()
	c := &cobra.Command{Use: "bounce", Short: "Read returned mail, or take it from a network",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.Fail(console.Usage, "bounce: got %q, want read, serve or show", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(read, serve, show)
	return c
}

func (a app) bounceServeCommand() *cobra.Command {
	q := bounces.Serve{Expire: 30 * vt.Day, Forget: 90 * vt.Day, Keep: 30 * vt.Day}
	c := &cobra.Command{
		Use:   "serve --state DIR --mailing DIR",
		Short: "Take the returned mail of live runs by SMTP, on loopback",
		Long: `Take returned mail by SMTP at the return paths of live runs, each named by the
folder that it keeps with --state. Mail to any other address is refused: a return
path has a token that only its run can have written. A message is on the disk before
it is answered. What it means is counted for its recipient, and each line of output
tells what has happened: returned, purged (a recipient has had enough), alarm
(receivers refuse the sender, for a reason that is new) or paused (the mailing has
--pause dead addresses). No list and no live run is changed.

It ends at a signal, and goes on with the same --state.

Exit codes: 0 done, 2 usage, 3 a folder that is damaged, 7 a port that is taken or a
disk that fails, 8 an address that is not on loopback.`,
		Example: "  flyball realrun s.toml --list people.csv --state news\n" +
			"  flyball bounce serve --state returned --mailing news\n" +
			"  flyball bounce show --state returned",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			stop := terminal.WatchSignals()
			defer stop.End()
			var lock sync.Mutex
			print := func(format string, args ...any) {
				lock.Lock()
				defer lock.Unlock()
				fmt.Fprintln(a.Stdout, terminal.Printable(fmt.Sprintf(format, args...)))
			}
			q.Begun = func(addr string) { print("Listens on %s", addr) }
			q.Tell = func(e inbound.Event) {
				print("%s %s recipient %d: %s, %s (rule %s)", e.Kind, e.Job, e.Rcpt, e.Effect, e.Reason, e.Rule)
			}
			q.Warn = func(err error) { print("refused: %v", err) }
			return q.Do(stop.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&q.Listen, "listen", "127.0.0.1:2526", "address and port on loopback; port 0: a free one")
	f.StringVar(&q.State, "state", "", "folder that keeps what was returned")
	f.StringArrayVar(&q.Mailings, "mailing", nil, "folder that a live run keeps with --state (repeatable)")
	f.StringVar(&q.Domain, "domain", "", "domain of the return paths; not given: any")
	f.IntVar(&q.Hard, "hard", 2, "returned mails of a dead address that purge a recipient")
	f.IntVar(&q.Soft, "soft", 0, "other returned mails that purge a recipient; 0: none do")
	f.IntVar(&q.Pause, "pause", 0, "returned mails of dead addresses that pause a mailing; 0: none do")
	f.Var(console.Span(&q.Expire), "expire", "time after the date of a mailing after which "+
		"its return paths have no effect")
	f.Var(console.Span(&q.Forget), "forget", "time after the last returned mail of a recipient "+
		"after which all are forgotten")
	f.Var(console.Span(&q.Keep), "keep", "how long messages are kept, so that a person can see why")
	return c
}

func (a app) bounceShowCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show --state DIR",
		Short: "Show what was returned, and what followed",
		Long: `Show what flyball bounce serve keeps in a folder: counts for each live run, and each
message with its effect, its reason and the file that has it. The server may be
running.

Exit codes: 0 shown, 2 usage, 3 a folder that is damaged.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return console.Fail(console.Usage, "--state: got none, want the folder that keeps what was returned")
			}
			k, err := bounces.Show(dir)
			if err != nil {
				return err
			}
			return a.Print(k, asJSON)
		},
	}
	c.Flags().StringVar(&dir, "state", "", "folder of flyball bounce serve")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema returned)")
	return c
}
