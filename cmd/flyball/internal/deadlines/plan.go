package deadlines

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/vt"
	"flyball/reports/planning"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/sim"
	"flyball/sim/plan"
)

// Plan asks whether a mailing is done by deadlines, and with how many processes.
type Plan struct {
	From         task.Source
	Deadlines    []string // each of all campaigns; none: the campaigns' own
	Quotas       []string // PROVIDER=N/day
	WarmUps      []string // PROVIDER=N+G%..MOST or PROVIDER=N,N,N
	Replications int      // runs with new draws that judge each row
	Workers      int      // runs at the same time; changes no result
}

// DefaultPlan returns a question with 20 runs to judge.
func DefaultPlan() Plan { return Plan{Replications: judges, Workers: runtime.GOMAXPROCS(0)} }

// Validate returns an error with everything in the question that makes no sense for any
// scenario.
func (q *Plan) Validate() error {
	return errors.Join(checkJudges(q.Replications), task.CheckWorkers(q.Workers))
}

// Do plans. If ctx ends, it returns Stopped.
func (q *Plan) Do(ctx context.Context, watch task.Watch) (*planning.Report, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	s, _, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	added, err := q.added(s)
	if err != nil {
		return nil, err
	}
	base, err := limited(s, added)
	if err != nil {
		return nil, err
	}
	w := &scheming{base: base, added: added,
		laboratory: laboratory{ctx: ctx, watch: watch, name: base.Name, workers: q.Workers,
			replay: q.From.CommandLine("plan", base.Seed, q.flags()...)}}
	w.rows, err = q.rows(added)
	if err != nil {
		return nil, err
	}
	defer task.ManyRuns()()
	return w.report(q.Replications)
}

// flags returns the flags that ask the same question.
func (q *Plan) flags() []string {
	var own []string
	for _, v := range q.Quotas {
		own = append(own, "--quota", task.Quote(v))
	}
	for _, v := range q.WarmUps {
		own = append(own, "--warm-up", task.Quote(v))
	}
	return flags(q.Deadlines, own, q.Replications)
}

// dated is a row of the plan: a scenario with its deadlines.
type dated struct {
	text   string
	from   task.Source
	s      *scenarios.Scenario
	due    []vt.Time // by campaign
	last   vt.Time
	bounds []plan.Bound // of limits, the one that ends last first
	proof  *plan.Bound  // one that makes the deadline too early; nil if none does
}

// rows returns the scenarios with the deadlines of the question.
func (q *Plan) rows(added []addition) (all []dated, err error) {
	texts := q.Deadlines
	if len(texts) == 0 {
		texts = []string{""}
	}
	for _, text := range texts {
		from, s, err := due(q.From, text)
		if err != nil {
			return nil, err
		}
		if s, err = limited(s, added); err != nil {
			return nil, err
		}
		d := dated{text: text, from: from, s: s}
		for _, c := range s.Campaigns {
			at := vt.Never
			if c.Deadline > 0 {
				at = vt.Time(c.Deadline)
				d.last = max(d.last, at)
			}
			d.due = append(d.due, at)
		}
		if d.last == 0 {
			return nil, task.Fail(task.Usage, "--deadline: got none, and no campaign of %s has a deadline, want one "+
				"such as 8h", task.Quote(q.From.Arg))
		}
		d.bounds = plan.Bounds(s, d.due)
		if i := slices.IndexFunc(d.bounds, plan.Bound.Proves); i >= 0 {
			d.proof = &d.bounds[i]
		}
		all = append(all, d)
	}
	return all, nil
}

// scheming makes the runs of a plan.
type scheming struct {
	laboratory
	base  *scenarios.Scenario // with the added limits
	added []addition
	rows  []dated
	last  vt.Time // deadline of all rows that runs are made for
}

// confirms returns the number of runs that a number of processes must pass before it is
// judged: the draws of a large mailing average out.
func confirms(recipients int) int { return min(30, max(1, 4*large/max(1, recipients))) }

// report plans each row that no bound refuses, and judges it by a number of runs. What days
// carry is shown with the processes of the latest deadline.
func (w *scheming) report(judges int) (r *planning.Report, err error) {
	s := w.base
	r = &planning.Report{Scenario: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Clock: s.Clock(),
		Assumed: []string{}, WarmUps: []planning.WarmUp{}, Replay: w.replay}
	for _, a := range w.added {
		r.Assumed = append(r.Assumed, a.words())
	}
	latest := 0
	for i, d := range w.rows {
		if d.last > w.rows[latest].last {
			latest = i
		}
	}
	carries := func(i int) bool { return i == latest && len(w.added) > 0 }
	for i, d := range w.rows {
		if d.proof == nil {
			w.total += judges
		}
		if d.proof == nil || carries(i) {
			w.last = max(w.last, d.last)
		}
	}
	search := plan.NewSearch(w.search)
	for i, d := range w.rows {
		var found plan.Plan
		if d.proof == nil || carries(i) {
			if found, err = search.Find(plan.Question{Due: d.due, Most: mostOf(s), Together: together(s),
				Few: min(few, confirms(s.Recipients())), Surely: confirms(s.Recipients())}); err != nil {
				return nil, err
			}
		}
		row := d.row()
		if d.proof == nil {
			if row, err = w.judge(row, d, found, judges); err != nil {
				return nil, err
			}
		}
		r.Rows = append(r.Rows, row)
		if carries(i) {
			if r.WarmUps, err = w.warmUps(d, found); err != nil {
				return nil, err
			}
		}
	}
	r.Runs = w.done
	return r, nil
}

// mostOf returns the most processes that each server can use.
func mostOf(s *scenarios.Scenario) (all []int) {
	requested := 0
	for _, c := range s.Campaigns {
		requested += c.Processes
	}
	for _, v := range s.Servers {
		n := requested
		if v.Connections > 0 {
			n = min(n, v.Connections)
		}
		all = append(all, n)
	}
	return all
}

// together reports whether servers share a governor, a sending server, or what counts them together.
func together(s *scenarios.Scenario) bool {
	joint := s.Together() || s.React() || s.Dispatch.Sends()
	for _, d := range s.Destinations {
		joint = joint || d.Shared || d.By == "block"
		for _, a := range d.Allowances {
			joint = joint || a.Scope != "server"
		}
	}
	return joint
}

// settings returns the entries of --set that give servers their processes.
func settings(s *scenarios.Scenario, processes []int) (set []string) {
	most := slices.Max(processes)
	key := "governor.max"
	if s.Governor.Law == "hold" {
		key = "governor.start"
	}
	set = append(set, key+"="+strconv.Itoa(most))
	for i, n := range processes {
		if own := s.Servers[i].Connections; n < most && (own == 0 || n < own) {
			set = append(set, fmt.Sprintf("server[%d].connections=%d", i, n))
		}
	}
	return set
}

// search makes the runs that the search asks for, up to the last deadline.
func (w *scheming) search(jobs []plan.Job) ([]plan.Outcome, error) {
	work := make([]sim.Job, len(jobs))
	for i, j := range jobs {
		if i > 0 && slices.Equal(j.Processes, jobs[i-1].Processes) {
			work[i].Scenario = work[i-1].Scenario
		} else {
			s, err := with(w.base, settings(w.base, j.Processes))
			if err != nil {
				return nil, err
			}
			work[i].Scenario = s
		}
		work[i].Replication = j.Replication
		work[i].Enough = func(run sim.Standing) bool { return run.Now > w.last }
	}
	w.total += len(jobs)
	return runs(&w.laboratory, work, outcomeOf)
}

// outcomeOf returns what a run came to.
func outcomeOf(j sim.Job, world *sim.World, _ vt.Time) (o plan.Outcome) {
	s := j.Scenario
	records := world.Records()[:len(s.Servers)]
	for _, rec := range records {
		o.Final += rec.Final()
		o.Ends = append(o.Ends, make([]vt.Time, len(s.Campaigns)))
	}
	for _, a := range world.Work() {
		at, n := records[a.Server].Last(a.Campaign)
		if n < uint64(a.Reserve.To-a.Reserve.From) {
			at = vt.Never
		}
		o.Ends[a.Server][a.Campaign] = at
	}
	if c := world.Control(); c != nil {
		o.Final += c.Suppressed
		handed(s, records, c, o.Ends)
	}
	for d := range s.Destinations {
		var lost, tried float64
		for _, rec := range records {
			v := rec.Destinations()[d]
			lost += givenUp(v)
			tried += float64(v.Tried())
		}
		o.Lost = o.Lost || lost > plan.Tolerated*tried
	}
	return o
}

// handed sets the ends of campaigns that a sending server hands over. Recipients may go from one server to another, so
// a campaign has ended on a server when it has ended on all.
func handed(s *scenarios.Scenario, records []*runlog.Recorder, c *runlog.Control, ends [][]vt.Time) {
	for campaign, k := range s.Campaigns {
		left := uint64(k.Recipients) - c.Mailings[campaign].Suppressed
		for i, rec := range records {
			at, final := rec.Last(campaign)
			ends[i][campaign] = at
			left -= final
		}
		for i := range ends {
			if left > 0 {
				ends[i][campaign] = vt.Never
			}
		}
	}
}
