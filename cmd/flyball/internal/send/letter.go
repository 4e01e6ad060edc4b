package send

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/letters"
)

// signs is the help of --dkim.
const signs = "sign messages (DKIM) with the private key in a file, as SELECTOR=FILE: PEM, RSA or Ed25519, mode 0600"

func (a app) letterCommand() *cobra.Command {
	var q letters.Letter
	var recipients []string
	var out string
	preview := &cobra.Command{
		Use:   "preview LETTER --list FILE",
		Short: "Print the messages that recipients of a list would get",
		Long: `Print the message that a recipient of the list would get, as it would be sent:
the recipient named, or the first of the list. With --out the messages are files in
a new folder: of the recipients named, or of the first 10. Nothing is sent, so the
domains may be real ones. Message-ID and date are examples: each run has its own.

With --scenario the recipients of a destination get the variant that the letter has
for it.

Exit codes: 0 done, 2 usage, 3 a letter, a list or a recipient that is refused, 7 a
folder that cannot be written.`,
		Example: "  flyball letter preview letter.txt --list people.csv\n" +
			"  flyball letter preview letter.txt --list people.csv --recipient ann@friends.example\n" +
			"  flyball letter preview letter.txt --list people.csv --scenario s.toml --out look",
		Args: console.ExactlyOne("a letter"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Template, q.From.Stdin = args[0], a.In
			most := letters.PreviewedInFolder
			switch {
			case q.List == "":
				return console.Fail(console.Usage, "--list: got none, want the list that the recipients are in")
			case out == "" && len(recipients) > 1:
				return console.Fail(console.Usage,
					"--recipient: got %d, want one, or --out for a folder with all", len(recipients))
			case out == "":
				most = 1
			}
			p, err := q.Preview(recipients, most)
			switch {
			case err != nil:
				return err
			case out != "":
				if err := p.Publish(out); err != nil {
					return err
				}
				_, err := fmt.Fprintf(a.Out, "Folder: %s\n", out)
				return err
			}
			return p.Text(a.Out)
		},
	}
	check := &cobra.Command{
		Use:   "check LETTER",
		Short: "Check a letter, and its messages to all recipients of a list",
		Long: `Check a letter: its masters with their digests, and with a list the fields that
the list lacks, the rows that cannot be mailed, sizes, encodings and lines of the
messages, and what is allowed and rarely meant, such as HTML without text or a block
that no row gets. The check is the one that a live run makes before it sends
anything. Nothing is sent, so the domains may be real ones.

Exit codes: 0 the letter can be sent, 2 usage, 3 a letter or a list that is refused.`,
		Example: "  flyball letter check letter.txt\n  flyball letter check letter.txt --list people.csv",
		Args:    console.ExactlyOne("a letter"),
		RunE: func(_ *cobra.Command, args []string) error {
			q.Template, q.From.Stdin = args[0], a.In
			c, err := q.Check()
			if err != nil {
				return err
			}
			return c.Text(a.Out)
		},
	}
	for _, c := range []*cobra.Command{preview, check} {
		f := c.Flags()
		f.StringVar(&q.List, "list", "", "CSV file of recipients")
		f.BoolVar(&q.FoldCase, "fold-case", false, console.FoldCaseHelp)
		f.StringVar(&q.From.Arg, "scenario", "", "scenario whose destinations the letter has variants for")
	}
	preview.Flags().StringArrayVar(&recipients, "recipient", nil,
		"address of a row of the list (repeatable with --out)")
	preview.Flags().StringVar(&q.DKIM, "dkim", "", signs)
	preview.Flags().StringVar(&out, "out", "", "write the messages to this new folder")
	c := &cobra.Command{Use: "letter", Short: "Preview and check a letter before it is sent",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.Fail(console.Usage, "letter: got %q, want preview or check", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(preview, check)
	return c
}
