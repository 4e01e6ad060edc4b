package task

import (
	"context"
	"errors"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/run"
	"flyball/reports/sensitivity"
	"flyball/scenarios"
	"flyball/sim"
)

// checkMetric returns an error if runs of s have no metric called name. The empty name,
// which stands for the headline of the run, is allowed.
func checkMetric(s *scenarios.Scenario, name string) error {
	if name == "" {
		return nil
	}
	var wrong []error
	for _, err := range s.CheckMetric(name) {
		wrong = append(wrong, Fail(Usage, "--of: %v", err))
	}
	return errors.Join(wrong...)
}

// factors are the factors that a number in doubt is multiplied by.
var factors = [2]float64{0.5, 2}

// otherDraws is the number of further replications of the run itself, which show the
// effect of chance.
const otherDraws = 10

// hangsOn repeats a finished run with one number in doubt changed at a time. It
// returns nil if ctx ended.
func (q *Run) hangsOn(ctx context.Context, s *scenarios.Scenario, base *run.Report,
	watch Watch) *sensitivity.Report {
	metric := q.Of
	if metric == "" {
		metric = base.Headline()
	}
	var rows []sensitivity.Row
	for _, n := range s.Assumptions() {
		if n.InDoubt() {
			rows = append(rows, sensitivity.Row{Key: n.Key, Of: n.Of, Status: n.Status, Number: n.Number(),
				Low: side(n, factors[0]), High: side(n, factors[1])})
		}
	}
	var jobs []sim.Job
	var sides []*sensitivity.Side // of each job
	for i := range rows {
		for _, side := range []*sensitivity.Side{&rows[i].Low, &rows[i].High} {
			if side.Set == "" {
				continue
			}
			changed, err := s.With(side.Set)
			if err != nil { // out of range together with others, such as probabilities whose sum is above 1
				*side = sensitivity.Side{}
				continue
			}
			jobs, sides = append(jobs, sim.Job{Scenario: changed, Replication: q.Replication}), append(sides, side)
		}
	}
	others := make([]sensitivity.Side, otherDraws)
	for i := range others {
		jobs = append(jobs, sim.Job{Scenario: s, Replication: q.Replication + 1 + uint64(i)})
		sides = append(sides, &others[i])
	}
	for i := range jobs {
		jobs[i].List = q.Recipients.List()
	}

	done := 0
	defer BrokenRun(func(b sim.Broken) (where, replay string) {
		from, job := q.From, jobs[b.Replication]
		if set := sides[b.Replication].Set; set != "" {
			from.Set = append(from.Set[:len(from.Set):len(from.Set)], set)
		}
		alone := Run{From: from, Replication: job.Replication, Recipients: q.Recipients}
		return b.Where, alone.replay(s)
	})
	_, err := sim.RunBatch(new(sim.Batches), jobs, q.Workers,
		func(i uint64, w *sim.World, end vt.Time) *run.Report {
			return Observe(jobs[i].Scenario, &q.Recipients, jobs[i].Replication, w, end)
		},
		func(r *run.Report) {
			sides[done].Value, sides[done].Digest = format.Num(r.Metric(metric)), r.Digest
			done++
			watch.At("sensitivity", uint64(done), uint64(len(jobs)))
		}, Going(ctx))
	if err != nil {
		panic(err) // the scenarios are valid
	}
	if done < len(jobs) {
		return nil
	}
	var luck []float64
	for _, o := range others {
		luck = append(luck, float64(o.Value))
	}
	return sensitivity.New(metric, base.Metric(metric), luck, rows)
}

func side(n scenarios.Assumption, factor float64) sensitivity.Side {
	return sensitivity.Side{Set: n.Scaled(factor), Number: n.ScaledNumber(factor)}
}
