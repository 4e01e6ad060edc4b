package send

import (
	"cmp"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/unit"
	"flyball/realrun/promotion"
)

func (a app) realrunCommand() *cobra.Command {
	q := live.Default()
	var to console.Output
	var head string
	c := &cobra.Command{
		Use:   "realrun SCENARIO",
		Short: "Run a scenario over real SMTP on loopback",
		Long: `Run a scenario with the same engine over real SMTP: by default to embedded
receivers on loopback that answer as the network model does, so that every
recipient ends as in the simulation; name servers on loopback lead to them. Flyball
connects only to loopback addresses and sends only to reserved domains, unless
--allow names a file that allows others (docs/outside.md).

A list is CSV with a header: email, and merge fields for the template. Rows that
cannot be mailed go to rejects.csv in the run folder, with reasons.

With --state the mailing is kept in a folder from the first attempt on. After any
stop, --resume goes on: no recipient is missed, and those who may get a second
message are listed in ambiguous.csv in the run folder.

Exit codes: as for run; 3 also for a list or template that is refused, 4 if mail was
tried and none was delivered, unless the scenario has expectations, which then
decide, 6 if this machine was too slow for the time scale to judge them, 7 if no
port can be opened, 8 for an address that is not loopback, or if no promotion is in
force or the head of the promotions is missing.`,
		Example: "  flyball realrun quickstart\n  flyball realrun quickstart --list people.csv --template letter.txt " +
			"--time-scale 10\n  flyball realrun quickstart --state kept\n" +
			"  flyball realrun quickstart --state kept --resume",
		Args: console.ExactlyOne("a scenario"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			q.From.Arg, q.From.Stdin, q.Place = args[0], a.In, to.Place
			if err := parseLive(c, &q, head); err != nil {
				return err
			}
			if terminal.Is(a.In) {
				q.Outside.Ask = func() (int, error) { return a.AskCount("run") }
			}
			return a.live(&q, &to, console.Again(c, args[0], "resume"))
		},
	}
	liveFlags(c, &q, &head)
	to.Flags(c)
	to.ExplainFlag(c)
	console.KeepFlag(c, &q.Keep)
	console.AttemptsFlag(c, &q.Attempts)
	f := c.Flags()
	f.StringVar(&q.State, "state", "",
		"keep the mailing in this folder, so that it can go on after a stop; a new folder for each mailing")
	f.StringVar(&q.Metrics, "metrics", "", "serve numbers for Prometheus at /metrics of this loopback IP:PORT")
	f.BoolVar(&q.Resume, "resume", false, "go on with the mailing in the folder of --state")
	f.IntVar(&q.Ahead, "ahead", q.Ahead, "with --state: most messages of a session whose outcomes are not yet "+
		"durable; more are faster where the disk is slow, and more are ambiguous after a loss of power")
	c.AddCommand(a.realrunPlanCommand())
	c.AddCommand(a.controlCommands()...)
	return c
}

// parseLive finishes what the flags of a live run say.
func parseLive(c *cobra.Command, q *live.Run, head string) (err error) {
	if q.Scale == 0 && c.Flags().Changed("time-scale") { // Do would take 0 for the scenario's own
		return live.BadScale(0)
	}
	if c.Flags().Changed("head") {
		if q.Promotion.File == "" {
			return console.Fail(console.Usage, "--head: got %q, want --promotion too", head)
		}
		if q.Promotion.Head, err = promotion.ParseHead(head); err != nil {
			return console.Fail(console.Usage, "--head: %w", err)
		}
	}
	if c.Flags().Changed("port") && q.Resolver == "" {
		return console.Fail(console.Usage, "--port: got %d, want --resolver too", q.Port)
	}
	return nil
}

// share is a flag with a share such as 5% or 0.05.
type share struct{ v *float64 }

func (s share) String() string {
	if s.v == nil {
		return ""
	}
	return fmt.Sprint(*s.v)
}
func (s share) Type() string { return "share" }
func (s share) Set(text string) (err error) {
	*s.v, err = unit.ParseShare(text)
	return err
}

// liveFlags adds the flags of what a live run sends, where and with which parameters.
func liveFlags(c *cobra.Command, q *live.Run, head *string) {
	console.SourceFlags(c, &q.From)
	console.ProximityFlag(c, &q.From)
	f := c.Flags()
	f.StringVar(&q.Promotion.File, "promotion", "",
		"file of flyball promote: take the law and the resend policy in force there")
	f.StringVar(head, "head", "",
		"with --promotion: SHA-256 that the last record must have; from the file FILE.head if not given")
	f.Var(share{&q.Canary.Share}, "canary",
		"with --promotion: deliver this share of the mailing with the law in force, such as 5%, and the rest with the "+
			"law of the record before")
	f.Var(share{&q.Canary.Bounces}, "canary-bounces",
		"with --canary: share of an interval's attempts with 5yz beyond which all returns to the law before at once")
	f.Var(share{&q.Canary.Deferrals}, "canary-deferrals", "with --canary: the same for 4yz")
	f.StringVar(&q.List, "list", "", console.ListHelp)
	f.StringVar(&q.Suppress, "suppress", "", "file of addresses and whole domains (*@domain) that are not mailed")
	f.BoolVar(&q.FoldCase, "fold-case", false, console.FoldCaseHelp)
	f.StringVar(&q.Template, "template", "",
		"letter, and the files that its headers name; a plain one of the scenario's size if not given")
	f.StringVar(&q.DKIM, "dkim", "", signs)
	f.StringVar(&q.Receiver, "receiver", "",
		"deliver everything to the SMTP server at this IP:PORT instead, which is on loopback or allowed")
	f.StringVar(&q.Security.TLS, "tls", "", "with --receiver or --resolver: none, opportunistic (the default: where "+
		"the receiver offers STARTTLS), required, or verified, which also wants a certificate of the receiver's name")
	f.StringVar(&q.Security.Login, "login", "",
		"with --receiver or --resolver: file with a user and a password, a line each, which no other user may read")
	f.StringVar(&q.Outside.Allow, "allow", "",
		"file of receivers outside of loopback, and of the domains that may be mailed there; needs --promotion, "+
			"--list and the number of recipients")
	f.StringVar(&q.Outside.Complaints, "complaints", "",
		"with --allow: file with a line for each complaint, which grows during the run; for breakers.complaints")
	f.IntVar(&q.Outside.Count, "count", 0,
		"with --allow: number of recipients that the operator expects; asked for on a terminal if not given")
	f.StringVar(&q.Resolver, "resolver", "", "deliver to the exchangers that the name server at this "+
		"IP:PORT, which is on loopback or allowed, has for each domain instead")
	f.IntVar(&q.Port, "port", q.Port, "with --resolver: port of the exchangers")
	f.Float64Var(&q.Scale, "time-scale", 0,
		"how many times faster than real time (default the scenario's own, or 1 with --receiver)")
}

func (a app) realrunPlanCommand() *cobra.Command {
	q := live.Default()
	var head string
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Print what a live run would send, and send nothing",
		Long: `Print what flyball realrun with the same flags would send: to how many recipients of
which destinations, in which messages, to which receivers, how much of that the
allowlist leaves, with which parameters, and in which of them the scenario and the
record before differ from the promotion in force. All files are read and checked; nothing is connected to.

Exit codes: 0 the run could begin, 2 usage, 3 a scenario, list or letter that is
refused, 8 refused for safety.`,
		Example: "  flyball realrun plan week.toml --list people.csv --promotion promotions.jsonl --allow allow.toml " +
			"--receiver 192.0.2.25:25",
		Args: console.ExactlyOne("a scenario"),
		RunE: func(c *cobra.Command, args []string) error {
			q.From.Arg, q.From.Stdin = args[0], a.In
			if err := parseLive(c, &q, head); err != nil {
				return err
			}
			plan, err := q.Plan()
			if err != nil {
				return err
			}
			if asJSON {
				return a.PrintJSON(plan)
			}
			return plan.Text(a.Out)
		},
	}
	liveFlags(c, &q, &head)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema send-plan)")
	return c
}

// live makes a live run. goOn is the command that goes on with its mailing.
func (a app) live(q *live.Run, to *console.Output, goOn string) error {
	stop := terminal.WatchSignals()
	defer stop.End()
	signal.Ignore(syscall.SIGPIPE) // mail that was sent is accounted for, whatever becomes of the output
	out, err := console.Watched(a.App, stop, false, q.Do)
	if err != nil {
		return err
	}
	err = a.Publish(&out.Outcome, to, stop)
	if out.GoesOn {
		fmt.Fprintf(a.ErrOut, "go on with: %s\n", goOn)
	}
	if out.Cancelled {
		return errors.Join(console.Fail(console.Terminated,
			"stopped by realrun cancel; the folder %s is marked partial", out.Dir),
			err)
	}
	if out.Broken != nil {
		return out.Broken
	}
	if err == nil {
		err = cmp.Or(out.Unkept, out.Nothing)
	}
	return errors.Join(out.Books, out.Astray, err)
}
