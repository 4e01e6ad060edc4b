package main

import (
	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/bounces"
)

func (a *app) bounceCommand() *cobra.Command {
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
				return fail(exitUsage, "read: got no argument, want files or folders of returned mail")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			q.Paths = args
			f, err := q.Do()
			if err != nil {
				return err
			}
			return a.print(f, asJSON)
		},
	}
	f := read.Flags()
	f.StringVar(&q.Labels, "labels", "", "file of labels that the verdicts are held against")
	f.BoolVar(&asJSON, "json", false, "print JSON (flyball schema bounces)")
	c := &cobra.Command{Use: "bounce", Short: "Read returned mail",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "bounce: got %q, want read", args[0])
			}
			return c.Help()
		}}
	c.AddCommand(read)
	return c
}
