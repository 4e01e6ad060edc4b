package send

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/promote"
	"flyball/internal/conf"
	"flyball/internal/tabular"
	"flyball/internal/vt"
	"flyball/realrun/promotion"
)

func (a app) promoteCommand() *cobra.Command {
	q := promote.Default()
	q.Revision = console.Version()
	var lasts, head, system string
	var check, asJSON bool
	c := &cobra.Command{
		Use:   "promote DIR",
		Short: "Record that parameters may go to live servers",
		Long: `Record that the governor's law and the resend policy of a simulated scenario may
go to live servers. A record holds the parameters, the measured results with their
intervals, seed and replications, the revision, who promoted them, when, and until
when. DIR is one of

  - the folder of a run with at least ten --replications that was not stopped and
    met all expectations
  - the folder of flyball tune whose winner was shown to be better in at least ten
    held-out replications and met all constraints and expectations there

A record is a line of promotions.jsonl with the SHA-256 of the record before and its
own, so that an edit is detected. promotions.jsonl.head names the last record, so
that cutting off records at the end is detected too. A person who may write both
files can still change both. To detect that, keep the SHA-256 that promote prints
in another place, and give it with --head here, with --check, and with flyball
realrun --promotion, which takes its parameters from the last record. --head
overrides promotions.jsonl.head. --check reads the records and prints what is in
force and the SHA-256 of the last record.

--export prints shaping for KumoMTA or Postfix from the record in force, as near to
its parameters as fixed settings come, with comments on what does not go with them.

Exit codes: 0 done, 2 usage, 3 a folder or the chain of records is damaged, or the
last record does not match the head, 7 the record cannot be written, 8 these
parameters may not be promoted, the head is missing, or with --check nothing is in
force.`,
		Example: "  flyball run quickstart --replications 20 --out trial\n  flyball promote trial --by ann --for " +
			"30d\n  flyball promote --check\n  flyball promote --check --head $(cat noted-elsewhere)\n  flyball " +
			"promote --export postfix >> main.cf",
		Args: func(c *cobra.Command, args []string) (err error) {
			switch {
			case system != "" && !slices.Contains(promotion.Systems(), system):
				return console.Fail(console.Usage,
					"--export: got %q, want %s%s", system, strings.Join(promotion.Systems(), " or "),
					conf.DidYouMean(system, promotion.Systems()))
			case system != "" && (check || len(args) > 0):
				return console.Fail(console.Usage,
					"promote --export: got --check or a folder too, want neither: it exports the "+
						"record in force")
			case asJSON && !check:
				return console.Fail(console.Usage, "promote: got --json, want --check with it")
			case check && len(args) > 0:
				return console.Fail(console.Usage, "promote --check: got %q, want no folder", args[0])
			case !check && system == "" && len(args) != 1:
				return console.Fail(console.Usage,
					"promote: got %d arguments, want one: the folder of a run", len(args))
			case c.Flags().Changed("head"): // an empty head is refused
				if q.Records.Head, err = promotion.ParseHead(head); err != nil {
					return console.Fail(console.Usage, "--head: %w", err)
				}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if system != "" {
				return a.exportPromotion(q.Records, time.Now(), system)
			}
			if check {
				return a.checkPromotions(q.Records, time.Now(), asJSON)
			}
			span, err := vt.ParseSpan(lasts)
			if err != nil {
				return console.Fail(console.Usage, "--for: %w", err)
			}
			q.Dir, q.Lasts = args[0], time.Duration(span)
			return a.promote(&q)
		},
	}
	f := c.Flags()
	f.StringVar(&q.By, "by", "", "person who is responsible for the promotion")
	f.StringVar(&lasts, "for", "30d", "how long the promotion is in force")
	f.StringVar(&q.Note, "note", "", "reason for the promotion")
	f.StringVar(&q.Records.File, "record", q.Records.File, "file of records")
	f.StringVar(&q.Scenario, "scenario", "",
		"scenario whose parameters are promoted, if a search has several that differ in them")
	f.StringVar(&system, "export", "",
		"print shaping for another mail system from the record in force instead: kumomta or postfix")
	f.BoolVar(&check, "check", false, "check the records instead")
	f.BoolVar(&asJSON, "json", false, "with --check: print JSON (flyball schema promotions)")
	f.StringVar(&head, "head", "", "SHA-256 that the last record must have; from the file FILE.head if not given")
	return c
}

func (a app) promote(q *promote.Add) error {
	out, err := q.Do()
	if err != nil {
		return err
	}
	r := out.Record
	fmt.Fprintf(a.Out, "Promotion %d in %s: law %s of %s, shown by %d replications of seed %d, until %s.\n",
		r.Number, q.Records.File, out.Law, r.Shown.Scenario, r.Shown.Replications, r.Shown.Seed,
		r.Expires.Format(time.RFC3339))
	fmt.Fprintf(a.Out, "Its record has SHA-256 %s\n", r.Sum)
	return nil
}

// exportPromotion prints shaping for another mail system from the record in force.
func (a app) exportPromotion(from promote.Records, now time.Time, system string) error {
	_, current, p, err := from.Read(now)
	if err != nil {
		return err
	}
	_, err = a.Out.Write(promotion.Export(system, current, p))
	return err
}

// Promotions is what promote --check --json prints of a chain that is whole.
type Promotions struct {
	console.Head
	Records []promotion.Record `json:"records"`           // the first one first
	InForce *int               `json:"in_force"`          // number of the record in force; null if none is
	Refused string             `json:"refused,omitempty"` // why none is in force
}

// checkPromotions reads a chain of records and prints what is in force.
func (a app) checkPromotions(from promote.Records, now time.Time, asJSON bool) error {
	all, current, p, wrong := from.Read(now)
	if all == nil && wrong != nil {
		return wrong
	}
	if asJSON {
		file := Promotions{Head: console.HeadOf("promotions"), Records: all}
		if wrong == nil {
			file.InForce = &current.Number
		} else {
			file.Refused = wrong.Error()
		}
		return errors.Join(a.PrintJSON(file), wrong)
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{fmt.Sprint(r.Number), r.At.Format(time.RFC3339), r.Expires.Format(time.RFC3339),
			r.By, r.Shown.Scenario, fmt.Sprint(r.Shown.Replications), r.Note})
	}
	titles := []string{"no.", "promoted", "expires", "by", "scenario", "replications", "note"}
	isText := func(column int) bool { return column != 0 && column != 5 }
	if err := tabular.Write(a.Out, titles, rows, isText); err != nil {
		return err
	}
	if n := len(all); n > 0 {
		fmt.Fprintf(a.Out, "\nThe chain is whole. Its last record has SHA-256 %s\n", all[n-1].Sum)
	}
	if wrong != nil {
		return wrong
	}
	fmt.Fprintf(a.Out, "In force is promotion %d:\n\n%s", current.Number, p.TOML())
	return nil
}
