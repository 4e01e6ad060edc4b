package trials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/planning"
	"flyball/scenarios"
	"flyball/scenarios/study"
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
func DefaultPlan() Plan { return Plan{Replications: 20, Workers: runtime.GOMAXPROCS(0)} }

// Validate returns an error with everything in the question that makes no sense for any
// scenario.
func (q *Plan) Validate() error {
	var replications error
	if q.Replications < leastJudges || q.Replications > task.MostReplications {
		replications = task.Fail(task.Usage, "--replications: got %d, want %d to %d", q.Replications, leastJudges,
			task.MostReplications)
	}
	return errors.Join(replications, task.CheckWorkers(q.Workers))
}

// Do plans. If ctx ends, it returns Stopped.
func (q *Plan) Do(ctx context.Context, watch task.Watch) (*planning.Report, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	base, _, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	added, err := q.added(base)
	if err != nil {
		return nil, err
	}
	w := &scheming{ctx: ctx, of: q, watch: watch, added: added, sims: map[string]*scenarios.Scenario{}}
	if w.base, err = w.limited(base); err != nil {
		return nil, err
	}
	rows, err := q.rows(w)
	if err != nil {
		return nil, err
	}
	defer task.ManyRuns()()
	return w.report(rows)
}

// dated is a row of the plan: a scenario with its deadlines.
type dated struct {
	text string
	from task.Source
	s    *scenarios.Scenario
	due  []vt.Time
	last vt.Time
}

// rows returns the scenarios with the deadlines of the question.
func (q *Plan) rows(w *scheming) (all []dated, err error) {
	texts := q.Deadlines
	if len(texts) == 0 {
		texts = []string{""}
	}
	for _, text := range texts {
		from, s, err := (&Ask{From: q.From, Deadline: text}).load()
		if err != nil {
			return nil, err
		}
		if s, err = w.limited(s); err != nil {
			return nil, err
		}
		d := dated{text: text, from: from, s: s}
		for _, c := range s.Campaigns {
			due := vt.Never
			if c.Deadline > 0 {
				due = vt.Time(c.Deadline)
				d.last = max(d.last, due)
			}
			d.due = append(d.due, due)
		}
		if d.last == 0 {
			return nil, task.Fail(task.Usage, "--deadline: got none, and no campaign of %s has a deadline, want one "+
				"such as 8h", task.Quote(q.From.Arg))
		}
		all = append(all, d)
	}
	return all, nil
}

// scheming makes the runs of a plan.
type scheming struct {
	ctx     context.Context
	of      *Plan
	base    *scenarios.Scenario // with the added limits
	added   []addition
	watch   task.Watch
	batches sim.Batches
	sims    map[string]*scenarios.Scenario // by settings
	done    int
	last    vt.Time // deadline of all rows
}

// confirms returns the number of runs that a number of processes must pass before it is
// judged: the draws of a large mailing average out.
func confirms(recipients int) int { return min(30, max(1, 4*large/max(1, recipients))) }

func (w *scheming) report(rows []dated) (*planning.Report, error) {
	s := w.base
	r := &planning.Report{Scenario: s.Name, ScenarioID: scenarios.ID(s), Seed: s.Seed, Clock: s.Clock(),
		Assumed: []string{}, WarmUps: []planning.WarmUp{}}
	for _, a := range w.added {
		r.Assumed = append(r.Assumed, a.words())
	}
	for _, d := range rows {
		w.last = max(w.last, d.last)
	}
	search := plan.NewSearch(w.search)
	var best plan.Plan // for the latest deadline
	latest := 0
	for i, d := range rows {
		found, err := search.Find(plan.Question{Due: d.due, Most: mostOf(s), Together: together(s),
			Few: min(few, confirms(s.Recipients())), Surely: confirms(s.Recipients())})
		if err != nil {
			return nil, err
		}
		row, err := w.row(d, found)
		if err != nil {
			return nil, err
		}
		if r.Rows = append(r.Rows, row); i == 0 || d.last > rows[latest].last {
			best, latest = found, i
		}
	}
	for _, a := range w.added {
		v, err := w.warmUp(a, best, rows[latest])
		if err != nil {
			return nil, err
		}
		r.WarmUps = append(r.WarmUps, v)
	}
	r.Runs = w.done
	r.Replay = w.of.From.CommandLine("plan", s.Seed, w.flags()...)
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

// together reports whether servers share a governor, or what counts them together.
func together(s *scenarios.Scenario) bool {
	joint := s.OneGovernor() || s.React() || s.Retry.OfCluster()
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

// with returns the scenario with settings, and the same one every time.
func (w *scheming) with(set []string) (*scenarios.Scenario, error) {
	key := strings.Join(set, " ")
	if w.sims[key] == nil {
		s, err := w.base.With(set...)
		if err != nil {
			return nil, task.Error{Kind: task.Invalid, Err: err}
		}
		w.sims[key] = s
	}
	return w.sims[key], nil
}

// search makes the runs that the search asks for, up to the last deadline.
func (w *scheming) search(jobs []plan.Job) ([]plan.Outcome, error) {
	work := make([]sim.Job, len(jobs))
	for i, j := range jobs {
		s, err := w.with(settings(w.base, j.Processes))
		if err != nil {
			return nil, err
		}
		work[i] = sim.Job{Scenario: s, Replication: j.Replication,
			Enough: func(run sim.Standing) bool { return run.Now > w.last }}
	}
	return runs(w, work, outcomeOf)
}

// runs makes one run of each job.
func runs[T any](w *scheming, jobs []sim.Job, fold func(*scenarios.Scenario, *sim.World, vt.Time, uint64) T) ([]T,
	error) {
	defer task.BrokenRun(func(b sim.Broken) (where, replay string) {
		j := jobs[b.Replication]
		return fmt.Sprintf("run %d of the plan, %s", b.Replication, b.Where),
			w.of.From.CommandLine("run", j.Scenario.Seed, "--replication", fmt.Sprint(j.Replication))
	})
	var all []T
	n, err := sim.RunBatch(&w.batches, jobs, w.of.Workers,
		func(i uint64, world *sim.World, end vt.Time) T {
			return fold(jobs[i].Scenario, world, end, jobs[i].Replication)
		},
		func(r T) {
			all = append(all, r)
			w.done++
			w.watch.At(w.base.Name, uint64(w.done), uint64(w.done+1))
		}, task.Going(w.ctx))
	switch {
	case err != nil:
		return nil, task.Error{Kind: task.Invalid, Err: err}
	case n < uint64(len(jobs)):
		return nil, task.Stopped{Done: w.done, Total: w.done + 1}
	}
	return all, nil
}

// outcomeOf returns what a run came to.
func outcomeOf(s *scenarios.Scenario, world *sim.World, _ vt.Time, _ uint64) (o plan.Outcome) {
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
	for d := range s.Destinations {
		var lost, tried float64
		for _, rec := range records {
			v := rec.Destinations()[d]
			lost += float64(v.Refused[0][mail.Failed] + v.Refused[1][mail.Failed])
			tried += float64(v.Tried())
		}
		o.Lost = o.Lost || lost > plan.Tolerated*tried
	}
	return o
}

// judged is what a row needs of a run with new draws.
type judged struct {
	outcome  plan.Outcome
	end      float64 // hours; +Inf if it did not end
	deferred float64 // attempts
	attempts float64
	lost     float64 // recipients
	last     string  // provider whose recipients were last
	retries  bool    // nothing but resends was left in the last quarter of the run
	findings []diagnosis.Finding
}

// judge returns what a row needs of a run that went to its end.
func judge(s *scenarios.Scenario, world *sim.World, end vt.Time, replication uint64) judged {
	report := task.Observe(s, new(task.Recipients), replication, world, end)
	j := judged{outcome: outcomeOf(s, world, end, replication), end: math.Inf(1), findings: report.Findings,
		attempts: float64(report.Totals.Attempts)}
	if report.Totals.Pending == 0 {
		j.end = end.Sub(0).Hours()
	}
	record := world.Record()
	last, pending := vt.Time(-1), uint64(0)
	for d, v := range record.Destinations() {
		j.deferred += float64(v.Count(mail.Pending))
		j.lost += float64(v.Refused[0][mail.Failed] + v.Refused[1][mail.Failed])
		left := v.Tried() - v.Final()
		at := vt.Time(0)
		if m := v.Ends.Moments(); len(m) > 0 {
			at = m[len(m)-1].At
		}
		if left > pending || left == pending && at > last {
			j.last, last, pending = s.Destinations[d].Name, at, left
		}
	}
	j.retries = float64(end.Sub(record.LastFirst())) > 0.25*float64(end)
	return j
}

// row judges a plan.
func (w *scheming) row(d dated, found plan.Plan) (planning.Row, error) {
	set := settings(w.base, found.Processes)
	row := planning.Row{Deadline: d.text, By: format.Num(d.last.Sub(0).Hours()), Feasible: found.Feasible,
		Processes: found.Total(), Set: set, Servers: []planning.Server{}}
	for i, n := range found.Processes {
		row.Servers = append(row.Servers, planning.Server{Name: w.base.Servers[i].Name, Processes: n})
	}
	bounds := plan.Bounds(d.s, d.due)
	if i := slices.IndexFunc(bounds, plan.Bound.Proves); i >= 0 {
		proof := bounds[i]
		row.Feasible = false
		bounds = bounds[i:]
		row.Proof = &planning.Bound{Provider: proof.Provider, Server: proof.Server, Limit: string(proof.Limit),
			Figure: proof.Figure, Recipients: proof.Recipients, Admitted: proof.Admitted,
			Earliest: format.Num(math.Inf(1))}
		if proof.Ends != vt.Never {
			row.Proof.Earliest = format.Num(proof.Ends.Sub(0).Hours())
		}
	}
	s, err := w.longer(d, bounds, set, row.Feasible)
	if err != nil {
		return row, err
	}
	jobs := make([]sim.Job, w.of.Replications)
	for i := range jobs {
		jobs[i] = sim.Job{Scenario: s, Replication: study.FirstHeldOut + uint64(i)}
	}
	all, err := runs(w, jobs, judge)
	if err != nil {
		return row, err
	}
	q := plan.Question{Due: d.due}
	n := format.Num(len(all))
	var attempts format.Num
	for _, j := range all {
		if j.outcome.Kept(q) {
			row.Kept++
		}
		row.End += format.Num(j.end) / n
		row.EndHigh = max(row.EndHigh, format.Num(j.end))
		row.Deferred += format.Num(j.deferred) / n
		attempts += format.Num(j.attempts) / n
		row.Lost += format.Num(j.lost) / n
	}
	row.Share = row.Deferred / attempts
	row.Chance = measure.Estimated(stats.Share(row.Kept, len(all), 0.95))
	row.Provider, row.Limit, row.Words = binds(s, all[0], bounds)
	if !row.Feasible && row.Limit == string(plan.Processes) && found.Above != nil {
		above, err := w.longer(d, bounds, settings(w.base, found.Above), false)
		if err != nil {
			return row, err
		}
		more, err := runs(w, []sim.Job{{Scenario: above, Replication: study.FirstHeldOut}}, judge)
		if err != nil {
			return row, err
		}
		if name, by, words := refuses(more[0]); name != "" {
			row.Provider, row.Limit, row.Words = name, by, "With more processes: "+words
		}
	}
	if len(w.added) == 0 {
		show := d.from
		show.Set = append(slices.Clone(show.Set), set...)
		row.Show = show.CommandLine("run", s.Seed)
	}
	return row, nil
}

// longer returns a row's scenario with settings. If the row is not feasible, its horizon leaves
// room for the end.
func (w *scheming) longer(d dated, bounds []plan.Bound, set []string, feasible bool) (*scenarios.Scenario, error) {
	if !feasible {
		room := max(d.s.Horizon, 4*vt.Span(d.last))
		if len(bounds) > 0 && bounds[0].Ends < vt.Time(mostRoom) {
			room = max(room, 2*vt.Span(bounds[0].Ends))
		}
		room = min(room, max(d.s.Horizon, mostRoom))
		if s, err := d.s.With(append(slices.Clone(set), fmt.Sprintf("horizon=%ds", room/vt.Second))...); err == nil {
			return s, nil
		}
	}
	s, err := d.s.With(set...)
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return s, nil
}

// mostRoom is the longest run of a mailing that is not feasible.
const mostRoom = 100 * vt.Day

// refuses returns the first refusal of a run: its provider, its limit and its words.
func refuses(j judged) (provider, by, words string) {
	for _, last := range []bool{true, false} {
		for _, f := range j.findings {
			if kind, ok := kinds[f.Cause]; ok && (!last || f.Where == j.last) {
				return f.Where, string(kind), f.Words
			}
		}
	}
	return "", "", ""
}

// kinds are the limits that causes stand for.
var kinds = map[diagnosis.Cause]plan.Limit{diagnosis.Cap: plan.Cap, diagnosis.Bucket: plan.Bucket,
	diagnosis.Window: plan.Window, diagnosis.Throttle: plan.Rate, diagnosis.Reputation: plan.Rate,
	diagnosis.Complaints: plan.Rate, diagnosis.Penalty: plan.Rate, diagnosis.Event: plan.Event}

// nearBound is the share of the time of a run that a bound must take to be what binds it.
const nearBound = 0.75

// binds returns which provider a run waited for, and for what: what a proof names, else a
// limit that takes nearly as long whatever the sender does, else what refused the provider
// whose recipients were last, else the waits before resends there, the sender's own limit of
// connections there, or its processes.
func binds(s *scenarios.Scenario, j judged, bounds []plan.Bound) (provider, by, words string) {
	i := slices.IndexFunc(s.Destinations, func(d netmodel.Destination) bool { return d.Name == j.last })
	d := s.Destinations[i]
	root := cmp.Or(d.LimitsOf, d.Name)
	finding := func(where string, of ...diagnosis.Cause) string {
		for _, f := range j.findings {
			if (where == "" || f.Where == where) && slices.Contains(of, f.Cause) {
				return f.Words
			}
		}
		return ""
	}
	if len(bounds) > 0 && (bounds[0].Proves() || bounds[0].Ends.Sub(0).Hours() >= nearBound*j.end) {
		b := bounds[0]
		return b.Provider, string(b.Limit), finding(b.Provider, diagnosis.Window, diagnosis.Bucket)
	}
	for _, f := range j.findings {
		if kind, ok := kinds[f.Cause]; ok && (f.Where == d.Name || f.Where == root) {
			return f.Where, string(kind), f.Words
		}
	}
	switch {
	case j.retries:
		return d.Name, string(plan.Schedule), finding("", diagnosis.TooSlow, diagnosis.TooFast, diagnosis.Greylist)
	case d.Send.Connections > 0:
		return d.Name, string(plan.Own), ""
	}
	return "", string(plan.Processes), finding("", diagnosis.Runaway, diagnosis.Max, diagnosis.Processes,
		diagnosis.Ramp, diagnosis.Target)
}

// flags returns the flags that ask the same question.
func (w *scheming) flags() (words []string) {
	q := w.of
	if len(q.Deadlines) > 0 {
		words = append(words, "--deadline", task.Quote(strings.Join(q.Deadlines, ",")))
	}
	for _, v := range q.Quotas {
		words = append(words, "--quota", task.Quote(v))
	}
	for _, v := range q.WarmUps {
		words = append(words, "--warm-up", task.Quote(v))
	}
	if q.Replications != DefaultPlan().Replications {
		words = append(words, "--replications", strconv.Itoa(q.Replications))
	}
	return words
}
