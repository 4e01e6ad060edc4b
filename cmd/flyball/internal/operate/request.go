package operate

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/requested"
	"flyball/cmd/flyball/internal/terminal"
	"flyball/internal/vt"
	"flyball/realrun/requests"
)

func (a app) requestCommand() *cobra.Command {
	c := &cobra.Command{Use: "request", Short: "Let recipients leave, return and be added",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.Fail(console.Usage, "request: got %q, want serve or show", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(a.requestServeCommand(), a.requestShowCommand())
	return c
}

func (a app) requestServeCommand() *cobra.Command {
	defaults := requests.Default()
	q := requested.Serve{Expire: vt.Span(defaults.Expire)}
	c := &cobra.Command{
		Use:   "serve --mailing DIR",
		Short: "Take requests by one click, page, form and mail, on loopback",
		Long: `Take what the recipients of live runs ask for: by the link of List-Unsubscribe (one
click, RFC 8058, or the button of its page), by mail to unsubscribe+TICKET@, and by
replies whose first lines have one of the words. A letter has such links if its
List-Unsubscribe is an address without a field, such as https://sender.example/u,
which your web server hands over to /u here. To look at a page changes nothing. Who
has left can return by the page.

With --state, /u/ is a form where people add or delete an address, which counts when
the owner of the address has confirmed it by the link that is mailed there.

A request is on the disk before it is answered. It is kept in the folder of its
mailing: a run under way heeds it at the next final dot, and one that goes on from
then on. Each line of output is an event in JSON: listens, left, returned, asked (a
confirmation is mailed), unsent (it could not be) or dropped (a program asked, or a
budget is spent).

It ends at a signal, and goes on with the same folders.

Exit codes: 0 done, 2 usage, 3 a folder that is damaged, 7 a port that is taken or a
disk that fails, 8 an address that is not on loopback.`,
		Example: "  flyball realrun s.toml --list people.csv --template letter.txt --state news\n" +
			"  flyball request serve --mailing news --domain sender.example --reply news@sender.example\n" +
			"  flyball request serve --mailing news --state members --via 127.0.0.1:25 " +
			"--from news@sender.example --url https://sender.example/u\n" +
			"  flyball request show --mailing news --state members",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			stop := terminal.WatchSignals()
			defer stop.End()
			var lock sync.Mutex
			print := func(event any) {
				lock.Lock()
				defer lock.Unlock()
				if text, err := json.Marshal(event); err == nil {
					fmt.Fprintf(a.Stdout, "%s\n", text)
				}
			}
			q.Begun = func(web, mail string) {
				print(struct {
					Event string `json:"event"`
					Web   string `json:"web"`
					Mail  string `json:"mail,omitempty"`
				}{"listens", web, mail})
			}
			q.Tell = func(e requests.Event) { print(e) }
			return q.Do(stop.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&q.Web, "listen", "127.0.0.1:8025", "address and port of the pages, on loopback; port 0: a free one")
	f.StringVar(&q.Mail, "mail", "127.0.0.1:2527", "address and port that takes mail, on loopback; empty: none")
	f.StringArrayVar(&q.Mailings, "mailing", nil, "folder that a live run keeps with --state (repeatable)")
	f.StringVar(&q.State, "state", "", "folder of the form; not given: there is no form")
	f.StringVar(&q.Name, "name", defaults.Name, "name of the list, for people")
	f.StringVar(&q.Domain, "domain", "", "domain of the addresses that take mail; not given: any")
	f.StringArrayVar(&q.Replies, "reply", nil, "address that takes replies to mailings (repeatable)")
	f.StringArrayVar(&q.Delete, "delete", defaults.Delete, "word in the first lines of a reply that asks for deletion "+
		"(repeatable)")
	f.StringArrayVar(&q.Add, "add", defaults.Add, "word that asks for addition, if --via is given (repeatable)")
	f.Var(console.Span(&q.Expire), "expire", "time after the date of a mailing after which its links have no effect")
	f.StringVar(&q.Via, "via", "", "address and port of the mail server that takes mails of this one")
	f.StringVar(&q.Allow, "allow", "", "allowlist of that server and of domains that are mailed; not given: loopback "+
		"and reserved domains")
	f.StringVar(&q.From, "from", "", "address that writes mails")
	f.StringVar(&q.URL, "url", "", "address of the pages, as people have it, such as https://sender.example/u")
	f.BoolVar(&q.Confirm, "confirm", false, "confirm requests by mail by a mail, unless a program wrote them")
	f.IntVar(&q.PerNetwork, "per-network", defaults.PerNetwork, "mails a day that a network may ask for in the form")
	f.IntVar(&q.PerDay, "per-day", defaults.PerDay, "mails a day in all")
	return c
}

func (a app) requestShowCommand() *cobra.Command {
	var q requested.Show
	var asJSON bool
	c := &cobra.Command{
		Use:   "show --mailing DIR",
		Short: "Show what recipients have asked for",
		Long: `Show who has left mailings, by the places of their recipients, and with --state which
addresses the form has added and deleted. Servers and runs may be using the folders.
With --run, the folder of a run of the mailing, the output is a suppression list
with the addresses of those who have left, for realrun --suppress.

Exit codes: 0 shown, 2 usage, 3 a folder that is damaged.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := q.Do()
			if err != nil {
				return err
			}
			return a.Print(s, asJSON)
		},
	}
	c.Flags().StringArrayVar(&q.Mailings, "mailing", nil, "folder that a live run keeps with --state (repeatable)")
	c.Flags().StringVar(&q.State, "state", "", "folder of the form of flyball request serve")
	c.Flags().StringVar(&q.Run, "run", "", "run folder of the mailing, whose addresses are printed")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (flyball schema requests)")
	return c
}
