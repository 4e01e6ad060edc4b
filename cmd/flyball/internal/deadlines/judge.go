package deadlines

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/limits"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/reports/planning"
	"flyball/reports/runlog"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
	"flyball/sim/plan"
)

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

// givenUp returns the number of recipients of a destination that were given up after refusals.
func givenUp(v runlog.Destination) float64 {
	return float64(v.Refused[0][mail.Failed] + v.Refused[1][mail.Failed])
}

// judgedOf returns what a row needs of a run that went to its end.
func judgedOf(job sim.Job, world *sim.World, end vt.Time) judged {
	s := job.Scenario
	report := task.Observe(s, new(task.Recipients), job.Replication, world, end)
	j := judged{outcome: outcomeOf(job, world, end), end: math.Inf(1), findings: report.Findings,
		attempts: float64(report.Totals.Attempts)}
	if report.Totals.Pending == 0 {
		j.end = end.Sub(0).Hours()
	}
	record := world.Record()
	last, pending := vt.Time(-1), uint64(0)
	for d, v := range record.Destinations() {
		j.deferred += float64(v.Count(mail.Pending))
		j.lost += givenUp(v)
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

// row returns what a row has before any run: its deadline, and the proof that the deadline is
// too early. A row that is proven has nothing else, since no number of processes is in time.
func (d dated) row() planning.Row {
	row := planning.Row{Deadline: d.text, By: format.Num(d.last.Sub(0).Hours()), Set: []string{},
		Servers: []planning.Server{}}
	if b := d.proof; b != nil {
		row.Proof = &planning.Bound{Provider: b.Provider, Server: b.Server, Limit: string(b.Limit), Figure: b.Figure,
			Recipients: b.Recipients, Admitted: b.Admitted, Earliest: format.Num(math.Inf(1))}
		if b.Ends != vt.Never {
			row.Proof.Earliest = format.Num(b.Ends.Sub(0).Hours())
		}
		row.Provider, row.Limit = b.Provider, string(b.Limit)
		row.End, row.EndHigh = format.Missing, format.Missing
		row.Deferred, row.Share, row.Lost = format.Missing, format.Missing, format.Missing
	}
	return row
}

// judge judges the plan of a row by runs with new draws.
func (w *scheming) judge(row planning.Row, d dated, found plan.Plan, judges int) (planning.Row, error) {
	row.Feasible, row.Processes, row.Set = found.Feasible, found.Total(), settings(w.base, found.Processes)
	for i, n := range found.Processes {
		row.Servers = append(row.Servers, planning.Server{Name: w.base.Servers[i].Name, Processes: n})
	}
	set := d.longer(row.Set, row.Feasible)
	s, err := with(d.s, set)
	if err != nil {
		return row, err
	}
	jobs := make([]sim.Job, judges)
	for i := range jobs {
		jobs[i] = sim.Job{Scenario: s, Replication: study.FirstHeldOut + uint64(i)}
	}
	all, err := runs(&w.laboratory, jobs, judgedOf)
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
	row.Provider, row.Limit, row.Words = binds(s, all[0], d.bounds)
	if !row.Feasible && row.Limit == string(plan.Processes) && found.Above != nil {
		above, err := with(d.s, d.longer(settings(w.base, found.Above), false))
		if err != nil {
			return row, err
		}
		more, err := runs(&w.laboratory, []sim.Job{{Scenario: above, Replication: study.FirstHeldOut}}, judgedOf)
		if err != nil {
			return row, err
		}
		if name, by, words := refuses(s, more[0]); name != "" {
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

// longer returns entries of --set and, if a row is not feasible, a horizon that leaves room for
// the end of its mailing.
func (d dated) longer(set []string, feasible bool) []string {
	room := 4 * vt.Span(d.last)
	if len(d.bounds) > 0 && d.bounds[0].Ends < vt.Time(mostRoom) {
		room = max(room, 2*vt.Span(d.bounds[0].Ends))
	}
	if room = min(room, mostRoom); feasible || room <= d.s.Horizon {
		return set
	}
	return append(slices.Clone(set), fmt.Sprintf("horizon=%ds", room/vt.Second))
}

// mostRoom is the longest run of a mailing that is not feasible.
const mostRoom = 100 * vt.Day

// refuses returns the first refusal of a run: its provider, its limit and its words.
func refuses(s *scenarios.Scenario, j judged) (provider, by, words string) {
	for _, last := range []bool{true, false} {
		for _, f := range j.findings {
			if kind, ok := kindOf(s, f); ok && (!last || f.Where == j.last) {
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

// kindOf returns the limit that a finding is about, if it is about one: an allowance of a day or
// longer is a quota.
func kindOf(s *scenarios.Scenario, f diagnosis.Finding) (plan.Limit, bool) {
	kind, ok := kinds[f.Cause]
	i := slices.IndexFunc(s.Destinations, func(d config.Destination) bool { return d.Name == f.Where })
	short := func(a limits.Allowance) bool { return a.Window < vt.Day }
	if kind == plan.Window && i >= 0 && !slices.ContainsFunc(s.Destinations[i].Allowances, short) {
		kind = plan.Quota
	}
	return kind, ok
}

// nearBound is the share of the time of a run that a bound must take to be what binds it.
const nearBound = 0.75

// binds returns which provider a run waited for, and for what: a limit that takes
// nearly as long whatever the sender does, else what refused the provider whose recipients
// were last, else the waits before resends there, the sender's own limit of connections
// there, or its processes.
func binds(s *scenarios.Scenario, j judged, bounds []plan.Bound) (provider, by, words string) {
	i := slices.IndexFunc(s.Destinations, func(d config.Destination) bool { return d.Name == j.last })
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
	if len(bounds) > 0 {
		longest := slices.MaxFunc(bounds, func(a, b plan.Bound) int { return cmp.Compare(a.Usual, b.Usual) })
		if longest.Usual.Sub(0).Hours() >= nearBound*j.end {
			return longest.Provider, string(longest.Limit),
				finding(longest.Provider, diagnosis.Window, diagnosis.Bucket)
		}
	}
	for _, f := range j.findings {
		if kind, ok := kindOf(s, f); ok && (f.Where == d.Name || f.Where == root) {
			return f.Where, string(kind), f.Words
		}
	}
	switch {
	case j.retries:
		return d.Name, string(plan.Schedule), finding("", diagnosis.TooSlow, diagnosis.TooFast, diagnosis.Greylist)
	case d.Send.Connections > 0:
		return d.Name, string(plan.Own), ""
	}
	return "", string(plan.Processes), finding("", diagnosis.Connections, diagnosis.ServerRate, diagnosis.Bandwidth,
		diagnosis.Runaway, diagnosis.Max, diagnosis.Processes, diagnosis.Ramp, diagnosis.CampaignRate, diagnosis.Target)
}
