package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"flyball/internal/conf"
	"flyball/internal/tabular"
	"flyball/internal/vt"
	"flyball/realrun/promotion"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/reports/tuning"
	"flyball/scenarios"
)

// promotions is the file that records are kept in unless another is named.
const promotions = "promotions.jsonl"

func (a *app) promoteCommand() *cobra.Command {
	var by, note, lasts, scenario, head string
	var to promoted
	var check bool
	c := &cobra.Command{
		Use:   "promote DIR",
		Short: "Record that parameters may go to live servers",
		Long: `Record that the governor's law and the resend policy of a simulated scenario may
go to live servers: the parameters, what they were shown to do with intervals,
seed and replications, revision, by whom, when, and until when. DIR is the folder
of a run with --replications, ten at least, whole, with all expectations met; or
that of flyball tune, whose winner was shown to be better under ten replications
of held-out luck at least, with all constraints and expectations met there.

Records are lines of ` + promotions + `, each of which names the SHA-256 of the one
before and its own, so an edit is seen. Which one is the last, no chain can show:
` + promotions + `.head beside it names it, so that last records which were cut off
are seen too. Whoever may write both files can change both. Against that, note
down the SHA-256 that promote prints, elsewhere, and name it with --head here, with
--check, and with flyball realrun --promotion, which takes its parameters from the
last record: --head overrules the file beside. --check reads the file, and prints
what is in force and which SHA-256 the last record has.

Exit codes: 0 done, 2 usage, 3 a folder or the chain of records is damaged, or its
last record is another than that of the head, 7 the record cannot be written, 8
these parameters may not be promoted, there is no head, or with --check nothing is
in force.`,
		Example: "  flyball run quickstart --replications 20 --out trial\n  flyball promote trial --by ann --for 30d\n  flyball promote --check\n  flyball promote --check --head $(cat noted-elsewhere)",
		Args: func(c *cobra.Command, args []string) error {
			noted := c.Flags().Changed("head") // an empty one is none that was noted
			switch {
			case check && len(args) > 0:
				return fail(exitUsage, "promote --check: got %q, want no folder", args[0])
			case !check && len(args) != 1:
				return fail(exitUsage, "promote: got %d arguments, want one: the folder of a run", len(args))
			case noted:
				return to.head.parse(head)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if check {
				return a.checkPromotions(to, time.Now())
			}
			span, err := vt.ParseSpan(lasts)
			switch {
			case by == "":
				return fail(exitUsage, "--by: got none, want who answers for it")
			case !conf.Printable(by):
				return fail(exitUsage, "--by: got %q, want printable characters, at most 64", by)
			case strings.ContainsFunc(note, unicode.IsControl):
				return fail(exitUsage, "--note: got %q, want one line without control characters", note)
			case err != nil:
				return fail(exitUsage, "--for: %w", err)
			case time.Duration(span) < promotion.Shortest || time.Duration(span) > promotion.Longest:
				return fail(exitUsage, "--for: got %s, want 1m to 366d", lasts)
			}
			if err := wrongFile(args[0]); err != nil {
				return err
			}
			to.lasts = time.Duration(span)
			rec := promotion.Record{By: by, Note: note}
			if tuning.IsFolder(args[0]) {
				return a.promoteTuned(args[0], scenario, to, rec)
			}
			if scenario != "" {
				return fail(exitUsage, "--scenario: got %q, want none: %s is not the folder of a search", scenario, args[0])
			}
			return a.promote(args[0], to, rec)
		},
	}
	c.Flags().StringVar(&by, "by", "", "who answers for it")
	c.Flags().StringVar(&lasts, "for", "30d", "how long it holds")
	c.Flags().StringVar(&note, "note", "", "why")
	c.Flags().StringVar(&to.file, "record", promotions, "file of records")
	c.Flags().StringVar(&scenario, "scenario", "", "of a search in several scenarios that differ in their parameters: the one whose are promoted")
	c.Flags().BoolVar(&check, "check", false, "read the records instead")
	c.Flags().StringVar(&head, "head", "", "SHA-256 that the last record must have; that of the file beside the records if not given")
	return c
}

// promoted is where records are kept, and how long a new one holds.
type promoted struct {
	file  string
	head  head
	lasts time.Duration
}

// head is the record that must be the last.
type head struct{ promotion.Head }

func (h *head) parse(text string) (err error) {
	if h.Head, err = promotion.ParseHead(text); err != nil {
		return fail(exitUsage, "--head: %w", err)
	}
	return nil
}

// unpromoted gives an error of promotion records, which flag names, its exit code.
func unpromoted(flag string, err error) error {
	var invalid *promotion.Invalid
	switch {
	case errors.As(err, &invalid):
		return exit{exitInvalid, err}
	case errors.Is(err, promotion.ErrRefused):
		return fail(exitRefused, "%s: %w", flag, err)
	}
	return unreadable(flag, err)
}

func (a *app) promote(dir string, to promoted, rec promotion.Record) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, "promote: %w", err)
	}
	n, err := folder.Replications(dir)
	if err != nil {
		return exit{exitInvalid, err}
	}
	if n < promotion.MinReplications {
		return fail(exitRefused, "%s: replications: got %d, want %d or more: one run is one draw of luck (flyball run ... --replications 20)", dir, max(n, 1), promotion.MinReplications)
	}
	e, x, err := ensemble.Read(dir)
	if err != nil {
		return exit{exitInvalid, err}
	}
	s, err := scenarios.Load(filepath.Join(dir, "scenario.resolved.toml"), x.ResolvedTOML, nil)
	if err != nil {
		return exit{exitInvalid, err}
	}
	if scenarios.ID(s) != e.ScenarioID {
		return fail(exitInvalid, "%s: the scenario is %.12s, its results are of %.12s", dir, scenarios.ID(s), e.ScenarioID)
	}
	if e.Replications != n || len(e.Expectations) != len(s.Expect) {
		return fail(exitInvalid, "%s: summary.json: got %d replications and %d expectations, want %d as in manifest.json and %d as in the scenario",
			dir, e.Replications, len(e.Expectations), n, len(s.Expect))
	}
	if e.Partial {
		return fail(exitRefused, "%s is partial: it was stopped before its end", dir)
	}
	for _, v := range e.Expectations {
		if v.Met < e.Replications {
			return fail(exitRefused, "%s: %s %s %g was missed in %d of %d replications", dir, v.Metric, v.Op, float64(v.Limit), e.Replications-v.Met, e.Replications)
		}
	}
	rec.Shown = promotion.Shown{Scenario: e.Name, ScenarioID: e.ScenarioID, Seed: e.Seed, Replications: e.Replications, Digest: e.Digest,
		Revision: version(), Replay: e.Replay}
	for _, m := range e.Measures {
		if m.Value.Known() && m.Low.Known() && m.High.Known() {
			rec.Shown.Measures = append(rec.Shown.Measures, promotion.Measure{Metric: m.Metric, Value: float64(m.Value), Low: float64(m.Low), High: float64(m.High), Level: m.Level})
		}
	}
	return a.record(to, rec, s)
}

// record adds a record of the parameters of s to its file.
func (a *app) record(to promoted, rec promotion.Record, s *scenarios.Scenario) error {
	p := s.Parameters()
	if err := promotion.CheckFaults(p); err != nil {
		return exit{exitRefused, err}
	}
	rec.Parameters = string(p.TOML())
	rec, err := promotion.Add(to.file, to.head.Head, rec, time.Now, to.lasts)
	if errors.Is(err, fs.ErrNotExist) { // the folder to write in
		return fail(exitEnvironment, "--record: %w", err)
	}
	if err != nil {
		return unpromoted("--record", err)
	}
	fmt.Fprintf(a.out, "Promotion %d in %s: law %s of %s, shown by %d replications of seed %d, until %s.\n",
		rec.Number, to.file, s.Governor.Law, rec.Shown.Scenario, rec.Shown.Replications, rec.Shown.Seed, rec.Expires.Format(time.RFC3339))
	fmt.Fprintf(a.out, "Its record has SHA-256 %s\n", rec.Sum)
	return nil
}

// promoteTuned promotes what a search found.
func (a *app) promoteTuned(dir, scenario string, to promoted, rec promotion.Record) error {
	t, err := tuning.Read(dir)
	if err != nil {
		return exit{exitInvalid, err}
	}
	h := t.HeldOut
	switch {
	case h == nil:
		return fail(exitRefused, "%s: the search found nothing better than what is there", dir)
	case h.Replications < promotion.MinReplications:
		return fail(exitRefused, "%s: held-out replications: got %d, want %d or more", dir, h.Replications, promotion.MinReplications)
	case t.Verdict != tuning.Better:
		return fail(exitRefused, "%s: %s", dir, t.Answer()[0])
	case len(h.Missed) > 0:
		return fail(exitRefused, "%s: the winner misses %s", dir, h.Missed[0])
	}
	for _, set := range t.Winner.Set {
		if !strings.HasPrefix(set, "governor.") && !strings.HasPrefix(set, "retry.") {
			return fail(exitRefused, "%s: %s is part of the winner, but only [governor] and [retry] can be promoted", dir, set)
		}
	}
	at, err := pickScenario(t, scenario)
	if err != nil {
		return err
	}
	s, err := scenarios.Load(filepath.Join(dir, t.Best[at].Scenario), t.Best[at].Text, nil)
	if err != nil {
		return exit{exitInvalid, err}
	}
	name := t.Scenarios[at]
	rec.Shown = promotion.Shown{Scenario: s.Name, ScenarioID: scenarios.ID(s), Seed: t.Seed, Replications: h.Replications, Digest: t.Digest,
		Revision: version(), Replay: t.Replay}
	for _, c := range h.Cells {
		if c.Scenario == name && c.Winner.Value.Known() && c.Winner.Low.Known() && c.Winner.High.Known() {
			rec.Shown.Measures = append(rec.Shown.Measures, shownMeasure(c.Metric, c.Winner))
		}
	}
	tuned := &promotion.Tuned{StudyID: t.ID, Set: t.Winner.Set, Objective: t.Objective, Goal: t.Goal, Constraints: []string{}, Scenarios: t.Scenarios, HeldOut: t.Unseen,
		First: h.First, Runs: t.Spent, Trials: t.Tried, Training: float64(t.Winner.Training.Value), Ratio: shownMeasure(t.Objective, h.Here), Gap: float64(h.Gap.Value)}
	for _, l := range t.Constraints {
		tuned.Constraints = append(tuned.Constraints, l.String())
	}
	if h.Beyond != nil {
		m := shownMeasure(t.Objective, *h.Beyond)
		tuned.Beyond = &m
	}
	rec.Shown.Tuned = tuned
	return a.record(to, rec, s)
}

func shownMeasure(metric string, e measure.Estimate) promotion.Measure {
	return promotion.Measure{Metric: metric, Value: float64(e.Value), Low: float64(e.Low), High: float64(e.High), Level: e.Level}
}

// pickScenario finds the scenario of a search whose parameters are promoted: the
// one asked for, or the first if all have the same.
func pickScenario(t *tuning.Report, name string) (int, error) {
	if name != "" {
		i := slices.Index(t.Scenarios, name)
		if i < 0 {
			return 0, fail(exitUsage, "--scenario: got %q, want one of %s", name, strings.Join(t.Scenarios, ", "))
		}
		return i, nil
	}
	var first []byte
	for i := range t.Scenarios {
		s, err := scenarios.Load(t.Best[i].Scenario, t.Best[i].Text, nil)
		if err != nil {
			return 0, exit{exitInvalid, err}
		}
		p := s.Parameters().TOML()
		if i > 0 && !bytes.Equal(p, first) {
			return 0, fail(exitUsage, "the scenarios of the search differ in [governor] or [retry] beside what was tuned: want --scenario, one of %s", strings.Join(t.Scenarios, ", "))
		}
		first = p
	}
	return 0, nil
}

// checkPromotions reads a chain of records and prints what is in force.
func (a *app) checkPromotions(from promoted, now time.Time) error {
	all, headless := promotion.Open(from.file, from.head.Head)
	if headless != nil && !errors.Is(headless, promotion.ErrNoHead) {
		return unpromoted("--record", headless)
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{fmt.Sprint(r.Number), r.At.Format(time.RFC3339), r.Expires.Format(time.RFC3339), r.By, r.Shown.Scenario, fmt.Sprint(r.Shown.Replications), r.Note})
	}
	titles := []string{"no.", "promoted", "expires", "by", "scenario", "replications", "note"}
	if err := tabular.Write(a.out, titles, rows, func(column int) bool { return column != 0 && column != 5 }); err != nil {
		return err
	}
	if n := len(all); n > 0 {
		fmt.Fprintf(a.out, "\nThe chain is whole. Its last record has SHA-256 %s\n", all[n-1].Sum)
	}
	if headless != nil {
		return unpromoted("--record", headless)
	}
	r, p, err := inForce(all, from.file, now)
	if err != nil {
		return unpromoted("--record", err)
	}
	fmt.Fprintf(a.out, "In force is promotion %d:\n\n%s", r.Number, p.TOML())
	return nil
}

// inForce is the record of a chain that holds now, with its parameters.
func inForce(all []promotion.Record, file string, now time.Time) (promotion.Record, scenarios.Parameters, error) {
	r, err := promotion.InForce(all, now)
	if err != nil {
		return r, scenarios.Parameters{}, err
	}
	p, err := r.Load(file)
	return r, p, err
}

// withPromoted gives a scenario the parameters that are in force, and the words
// that say so.
func withPromoted(s *scenarios.Scenario, from promoted, now time.Time) (*scenarios.Scenario, string, error) {
	if err := wrongFolder(from.file, scenarios.Promotions); err != nil {
		return nil, "", err
	}
	all, err := promotion.Open(from.file, from.head.Head)
	if err != nil {
		if other := mistaken(err, from.file, scenarios.Promotions, scenarios.AJSON); other != err {
			return nil, "", other
		}
		return nil, "", unpromoted("--promotion", err)
	}
	r, p, err := inForce(all, from.file, now)
	if err != nil {
		return nil, "", unpromoted("--promotion "+from.file, err)
	}
	with, err := s.Changed(func(s *scenarios.Scenario) { s.Governor, s.Retry = p.Governor, p.Retry })
	if err != nil {
		return nil, "", fail(exitInvalid, "--promotion %s: in scenario %s: %w", from.file, s.Name, err)
	}
	words := fmt.Sprintf("Parameters: law %s and the resend policy of promotion %d in %s, by %s, shown on %s; until %s",
		p.Governor.Law, r.Number, from.file, r.By, r.Shown.Scenario, r.Expires.Format(time.RFC3339))
	return with, words, nil
}
