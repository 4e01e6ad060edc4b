// Package promote records which parameters, shown to be good in simulations, may go to live servers (Add), and finds
// those in force (Records). Its question is a task, under the contract of package task.
package promote

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/realrun/promotion"
	"flyball/reports/ensemble"
	"flyball/reports/folder"
	"flyball/reports/measure"
	"flyball/reports/tuning"
	"flyball/scenarios"
	"flyball/scenarios/study"
)

// Add asks to record that the parameters of a simulated scenario may go to live
// servers.
type Add struct {
	Dir      string // folder of replications, or of a search
	Scenario string // whose parameters are promoted, if a search has several that differ in them
	By, Note string // the responsible person, and the reason
	Lasts    time.Duration
	Records  Records // file that the record is added to
	Revision string  // of flyball
}

// Default returns a question without a folder and without By.
func Default() Add {
	return Add{Lasts: 30 * 24 * time.Hour, Records: Records{File: "promotions.jsonl"}}
}

// Added is a record that was added.
type Added struct {
	Record promotion.Record
	Law    string // name of the promoted governor law
}

// Validate returns an error with everything in the question that makes no sense.
func (q *Add) Validate() error {
	var wrong []error
	switch {
	case q.By == "":
		wrong = append(wrong, task.Fail(task.Usage, "--by: got none, want the person who is responsible"))
	case !conf.Printable(q.By):
		wrong = append(wrong, task.Fail(task.Usage, "--by: got %q, want printable characters, at most 64", q.By))
	}
	if !conf.Plain(q.Note) || utf8.RuneCountInString(q.Note) > promotion.MaxNote {
		wrong = append(wrong, task.Fail(task.Usage, "--note: got %q, want one line without control characters, at "+
			"most %d of them", q.Note, promotion.MaxNote))
	}
	if q.Lasts < promotion.Shortest || q.Lasts > promotion.Longest {
		wrong = append(wrong, task.Fail(task.Usage, "--for: got %s, want 1m to 366d", q.Lasts))
	}
	return errors.Join(wrong...)
}

// Do adds a record. It refuses parameters that the folder does not show to be good.
func (q *Add) Do() (*Added, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if err := task.WrongFile(q.Dir); err != nil {
		return nil, err
	}
	if tuning.IsFolder(q.Dir) {
		return q.fromSearch()
	}
	if q.Scenario != "" {
		return nil, task.Fail(task.Usage, "--scenario: got %q, want none: %s is not the folder of a search", q.Scenario,
			q.Dir)
	}
	return q.fromEnsemble()
}

// fromEnsemble promotes the parameters of a folder of replications.
func (q *Add) fromEnsemble() (none *Added, err error) {
	dir, rec := q.Dir, promotion.Record{By: q.By, Note: q.Note}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return none, task.Fail(task.Usage, "promote: %w", err)
	}
	n, err := folder.Replications(dir)
	if err != nil {
		return none, task.Error{Kind: task.Invalid, Err: err}
	}
	if n < promotion.MinReplications {
		return none, task.Fail(task.Refused, "%s: replications: got %d, want %d or more: one run is one random draw "+
			"(flyball run ... --replications 20)", dir, max(n, 1), promotion.MinReplications)
	}
	e, x, err := ensemble.Read(dir)
	if err != nil {
		return none, task.Error{Kind: task.Invalid, Err: err}
	}
	s, err := scenarios.Load(filepath.Join(dir, "scenario.resolved.toml"), x.ResolvedTOML, nil)
	if err != nil {
		return none, task.Error{Kind: task.Invalid, Err: err}
	}
	if scenarios.ID(s) != e.ScenarioID {
		return none, task.Fail(task.Invalid, "%s: the scenario is %.12s, but the results are of scenario %.12s", dir,
			scenarios.ID(s), e.ScenarioID)
	}
	if e.Replications != n || len(e.Expectations) != len(s.Expect) {
		return none, task.Fail(task.Invalid, "%s: summary.json: got %d replications and %d expectations, want %d as "+
			"in manifest.json and %d as in the scenario", dir, e.Replications, len(e.Expectations), n, len(s.Expect))
	}
	if e.Partial {
		return none, task.Fail(task.Refused, "%s is partial: it was stopped before its end", dir)
	}
	for _, v := range e.Expectations {
		if v.Met < e.Replications {
			return none, task.Fail(task.Refused, "%s: %s %s %g was missed in %d of %d replications", dir, v.Metric,
				v.Op, float64(v.Limit), e.Replications-v.Met, e.Replications)
		}
	}
	rec.Shown = promotion.Shown{Scenario: e.Name, ScenarioID: e.ScenarioID, Seed: e.Seed, Replications: e.Replications,
		Digest:   e.Digest,
		Revision: q.Revision, Replay: e.Replay}
	for _, m := range e.Measures {
		if m.Value.Known() && m.Low.Known() && m.High.Known() {
			rec.Shown.Measures = append(rec.Shown.Measures, promotion.Measure{Metric: m.Metric, Value: float64(m.Value),
				Low: float64(m.Low), High: float64(m.High), Level: m.Level})
		}
	}
	return q.record(rec, s)
}

// record adds a record of the parameters of s to its file.
func (q *Add) record(rec promotion.Record, s *scenarios.Scenario) (none *Added, err error) {
	p := s.Parameters()
	if err := promotion.CheckFaults(p); err != nil {
		return none, task.Error{Kind: task.Refused, Err: err}
	}
	rec.Parameters = string(p.TOML())
	rec, err = promotion.Add(q.Records.File, q.Records.Head, rec, time.Now, q.Lasts)
	if errors.Is(err, fs.ErrNotExist) { // the folder of the records is missing
		return none, task.Fail(task.Environment, "--record: %w", err)
	}
	if err != nil {
		return none, unpromoted("--record", err)
	}
	return &Added{rec, s.Governor.Law}, nil
}

// fromSearch promotes the winner of a search.
func (q *Add) fromSearch() (none *Added, err error) {
	dir, rec := q.Dir, promotion.Record{By: q.By, Note: q.Note}
	t, err := tuning.Read(dir)
	if err != nil {
		return none, task.Error{Kind: task.Invalid, Err: err}
	}
	h := t.HeldOut
	switch {
	case h == nil:
		return none, task.Fail(task.Refused, "%s: the search found nothing better than the present values", dir)
	case h.Replications < promotion.MinReplications:
		return none, task.Fail(task.Refused, "%s: held-out replications: got %d, want %d or more", dir, h.Replications,
			promotion.MinReplications)
	case t.Verdict != study.ShownBetter:
		return none, task.Fail(task.Refused, "%s: %s", dir, t.Answer()[0])
	case len(h.Missed) > 0:
		return none, task.Fail(task.Refused, "%s: the winner misses %s", dir, h.Missed[0])
	}
	for _, set := range t.Winner.Set {
		if !strings.HasPrefix(set, "governor.") && !strings.HasPrefix(set, "retry.") {
			return none, task.Fail(task.Refused, "%s: %s is part of the winner, but only [governor] and [retry] can "+
				"be promoted", dir, set)
		}
	}
	at, err := pickScenario(t, q.Scenario)
	if err != nil {
		return none, err
	}
	s, err := scenarios.Load(filepath.Join(dir, t.Best[at].Scenario), t.Best[at].Text, nil)
	if err != nil {
		return none, task.Error{Kind: task.Invalid, Err: err}
	}
	name := t.Scenarios[at]
	rec.Shown = promotion.Shown{Scenario: s.Name, ScenarioID: scenarios.ID(s), Seed: t.Seed,
		Replications: h.Replications, Digest: t.Digest,
		Revision: q.Revision, Replay: t.Replay}
	for _, c := range h.Cells {
		if c.Scenario == name && c.Winner.Value.Known() && c.Winner.Low.Known() && c.Winner.High.Known() {
			rec.Shown.Measures = append(rec.Shown.Measures, shownMeasure(c.Metric, c.Winner))
		}
	}
	tuned := &promotion.Tuned{StudyID: t.ID, Set: t.Winner.Set, Objective: t.Objective, Goal: t.Goal,
		Constraints: []string{}, Scenarios: t.Scenarios, HeldOut: t.Unseen,
		First: h.First, Runs: t.Spent, Trials: t.Tried, Training: float64(t.Winner.Training.Value),
		Ratio: shownMeasure(t.Objective, h.Here), Gap: float64(h.Gap.Value)}
	for _, l := range t.Constraints {
		tuned.Constraints = append(tuned.Constraints, l.String())
	}
	if h.Beyond != nil {
		m := shownMeasure(t.Objective, *h.Beyond)
		tuned.Beyond = &m
	}
	rec.Shown.Tuned = tuned
	return q.record(rec, s)
}

func shownMeasure(metric string, e measure.Estimate) promotion.Measure {
	return promotion.Measure{Metric: metric, Value: float64(e.Value), Low: float64(e.Low), High: float64(e.High),
		Level: e.Level}
}

// pickScenario returns the index of the scenario of a search whose parameters are
// promoted: the scenario called name, or the first if name is empty and all have the
// same parameters.
func pickScenario(t *tuning.Report, name string) (int, error) {
	if name != "" {
		i := slices.Index(t.Scenarios, name)
		if i < 0 {
			return 0, task.Fail(task.Usage, "--scenario: got %q, want one of %s", name, strings.Join(t.Scenarios, ", "))
		}
		return i, nil
	}
	var first []byte
	for i := range t.Scenarios {
		s, err := scenarios.Load(t.Best[i].Scenario, t.Best[i].Text, nil)
		if err != nil {
			return 0, task.Error{Kind: task.Invalid, Err: err}
		}
		p := s.Parameters().TOML()
		if i > 0 && !bytes.Equal(p, first) {
			return 0, task.Fail(task.Usage, "the scenarios of the search differ in [governor] or [retry] beyond the "+
				"tuned keys: want --scenario, one of %s", strings.Join(t.Scenarios, ", "))
		}
		first = p
	}
	return 0, nil
}
