package tools

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/live"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/fault"
)

func (a app) sinkCommand() *cobra.Command {
	q := live.Sink{}
	c := &cobra.Command{
		Use:   "sink --script FILE",
		Short: "Play a misbehaving receiver on loopback, as a script has it",
		Long: `Play a misbehaving receiver on loopback, for a client of yours. FILE has what it
does in each session at each command, and how a correct client's attempts end. Each
line of each dialogue is printed behind the number of its session.

A script is a list of lines: source TEXT; job KEY=VALUE, what a client is given;
offer KEYWORD, KEYWORD, what EHLO offers; at STAGE CONDITIONS: ACTIONS, of which the
first whose conditions hold decides; and expect CLASS attempts=N blame=WHOM. Stages
are connect, banner, ehlo, helo, starttls, auth, mail, rcpt, data, body, dot, rset,
quit and other. Conditions are host, session, message, recipient and try, each a
number or a range, encrypted=yes or no, and for body after=SIZE. Actions are ok,
reply "TEXT", send "BYTES", drip TIME "TEXT", wait TIME, skip, silence, deaf, slow
SIZE, close, reset, tls KIND, keep and lose, and at connect refuse, blackhole and
unreachable. A command that no line is for is answered as a sound receiver does.

With a line at the stage dns the script has a name server for fault.example, and
its hosts are mx1 at 127.0.0.1, mx2 at 127.0.0.2 and so on, at one port. Conditions
are name and type, of what is asked for, over=udp or tcp, time, how often it was
asked for, and sent, how often this very question came. Actions are ok, answer
KEY=VALUE "RECORD" "RECORD", nodata, nxdomain, servfail, refused, wait TIME,
silence, close, reset, and refuse. Keys of an answer are code, soa=TTL/MINIMUM,
authority="RECORD", cut=yes, wrong=WHAT, old="BYTES" new="BYTES", short and promised.

It ends at a signal, or after --sessions.

Exit codes: 0 done, 2 usage, 3 an invalid script, 7 a port that is taken.`,
		Example: "  flyball sink --script realrun/faulty/testdata/catalogue/L03.fault --port 2525\n" +
			"  flyball sink --script mine.fault --time-scale 60 --sessions 3\n" +
			"  flyball sink --script realrun/faulty/testdata/catalogue/D17.fault --port 2525 --names-port 5353",
		Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			switch {
			case q.Script == "":
				return console.Fail(console.Usage, "sink: got no --script, want the file of one")
			case q.Port < 0 || q.Port > 65_000:
				return console.Fail(console.Usage, "--port: got %d, want 1 to 65000, or 0 for free ones", q.Port)
			case q.Names < 0 || q.Names > 65_535:
				return console.Fail(console.Usage,
					"--names-port: got %d, want 1 to 65535, or 0 for a free one", q.Names)
			case !(q.Scale >= 1 && q.Scale <= 100_000):
				return console.Fail(console.Usage, "--time-scale: got %g, want 1 to 100000", q.Scale)
			case q.Sessions < 0:
				return console.Fail(console.Usage,
					"--sessions: got %d, want 1 or more, or 0 for any number", q.Sessions)
			}
			stop := terminal.WatchSignals()
			defer stop.End()
			var lock sync.Mutex
			print := func(format string, args ...any) {
				lock.Lock()
				defer lock.Unlock()
				fmt.Fprintf(a.Stdout, format+"\n", args...)
			}
			q.Heard = func(line string) { print("%s", terminal.Printable(line)) }
			q.Begun = func(s *fault.Script, hosts []string, names string) {
				for i, at := range hosts {
					print("Host %d listens on %s", i+1, at)
				}
				if names != "" {
					print("The name server of %s listens on %s", fault.Domain, names)
				}
				for _, w := range s.Wants {
					print("Wanted by %s: %s", s.Source, w)
				}
			}
			r, err := q.Do(stop.Context())
			if err == nil {
				print("%d sessions", r.Sessions())
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&q.Script, "script", "", "file of the script")
	f.IntVar(&q.Port, "port", 0, "port of the first host, the others have the next ones; 0: free ones")
	f.IntVar(&q.Names, "names-port", 0, "port of the name server; 0: a free one")
	f.Float64Var(&q.Scale, "time-scale", 1, "how much faster than the clock the script's time passes")
	f.IntVar(&q.Sessions, "sessions", 0, "end after this number of sessions; 0: at a signal alone")
	return c
}
