package deadlines

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/internal/stats"
	"flyball/internal/vt"
	"flyball/reports/answer"
	"flyball/reports/diagnosis"
	"flyball/reports/format"
	"flyball/reports/measure"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim/ask"
)

// report judges the best setting and what changes of it would do.
func (w *asking) report(found *ask.Answer) (*answer.Report, error) {
	r := &answer.Report{Scenario: w.base.Name, ScenarioID: scenarios.ID(w.base), Seed: w.base.Seed,
		Clock: w.base.Clock(), Refused: format.Num(w.of.Refused), Matters: ask.Matters,
		Changes: []answer.Change{}, Searched: w.done}
	for _, c := range w.base.Campaigns {
		r.Deadlines = r.Deadlines || c.Deadline > 0
	}
	set, err := w.choose(r, found)
	if err != nil {
		return nil, err
	}
	best, err := with(w.base, set)
	if err != nil {
		return nil, err
	}
	judged, err := w.several([]*scenarios.Scenario{best}, study.FirstHeldOut, w.of.Replications)
	if err != nil {
		return nil, err
	}
	held := judged[0]
	r.Best = setting(set, held)
	r.Held = answer.Held{Runs: len(held), First: study.FirstHeldOut}
	for _, one := range held {
		if one.refused() <= w.of.Refused && one.lateShare() == 0 {
			r.Held.Kept++
		}
	}
	r.Held.Share = measure.Estimated(stats.Share(r.Held.Kept, r.Held.Runs, 0.95))
	r.Binds = append([]diagnosis.Finding{}, held[0].findings...)
	r.Beside = setting(set, held[:w.few])
	if err := w.changes(r, found, best); err != nil {
		return nil, err
	}
	show := w.from
	show.Set = append(slices.Clone(show.Set), set...)
	r.Show = show.CommandLine("run", w.base.Seed)
	r.Replay = w.replay
	return r, nil
}

// choose fills in the free values, and returns the entries of --set that make the best
// setting. A value that changes no run of the best setting stays as in the scenario.
func (w *asking) choose(r *answer.Report, found *ask.Answer) ([]string, error) {
	chosen := w.settings(found.Best.At)
	set := slices.Clone(chosen)
	for i, f := range w.free {
		free := answer.Free{Key: f.key, From: f.Values[0], To: f.Values[len(f.Values)-1], Tried: len(f.Values),
			Chosen: f.Values[found.Best.At[i]], Flat: found.Flat[i]}
		if found.Alike[i] {
			without := slices.DeleteFunc(slices.Clone(set), func(v string) bool { return v == chosen[i] })
			s, err := with(w.base, without)
			if err != nil {
				return nil, err
			}
			runs, err := w.several([]*scenarios.Scenario{s}, 0, w.few)
			if err != nil {
				return nil, err
			}
			same := func(r result, o ask.Outcome) bool { return r.digest == o.Digest }
			if slices.EqualFunc(runs[0], found.Best.Runs, same) {
				set, free.Chosen, free.Kept = without, "", true
			}
		}
		r.Free = append(r.Free, free)
	}
	return set, nil
}

// changes adds what one step of each value, an hour and a server would change, and what the
// scenario does as it stands.
func (w *asking) changes(r *answer.Report, found *ask.Answer, best *scenarios.Scenario) error {
	all := []*scenarios.Scenario{w.base}
	add := func(what string, set []string, s *scenarios.Scenario) {
		all = append(all, s)
		r.Changes = append(r.Changes, answer.Change{What: what, Result: answer.Setting{Set: set}})
	}
	for i, f := range w.free {
		for _, at := range []int{found.Best.At[i] - 1, found.Best.At[i] + 1} {
			if at < 0 || at >= len(f.Values) || r.Free[i].Kept {
				continue
			}
			set := slices.DeleteFunc(slices.Clone(r.Best.Set), func(v string) bool {
				return strings.HasPrefix(v, f.key+"=")
			})
			set = append(set, f.key+"="+f.Values[at])
			s, err := with(w.base, set)
			if err != nil {
				return err
			}
			add(f.key+" = "+f.Values[at], set, s)
		}
	}
	if s, set := w.soonerC(r); s != nil {
		add(fmt.Sprintf("governor.start = %g", s.Governor.Start), set, s)
	}
	type variant struct {
		what string
		make func(*scenarios.Scenario)
	}
	variants := []variant{{"a server more", func(s *scenarios.Scenario) {
		more := s.Servers[len(s.Servers)-1]
		more.Name = fmt.Sprintf("more-%d", len(s.Servers)+1)
		s.Servers = append(s.Servers, more)
	}}}
	if r.Deadlines {
		variants = append(variants, variant{"an hour more", func(s *scenarios.Scenario) {
			for i := range s.Campaigns {
				if c := &s.Campaigns[i]; c.Deadline > 0 {
					c.Deadline += vt.Hour
					s.Horizon = max(s.Horizon, c.Deadline)
				}
			}
		}})
	}
	for _, v := range variants {
		s, err := best.Changed(v.make)
		if err != nil {
			continue // the scenario admits no such change: its servers are one
		}
		add(v.what, nil, s)
	}
	results, err := w.several(all, study.FirstHeldOut, w.few)
	if err != nil {
		return err
	}
	r.Own = setting(nil, results[0])
	for i := range r.Changes {
		r.Changes[i].Result = setting(r.Changes[i].Result.Set, results[i+1])
	}
	return nil
}

// soonerC returns the best setting with twice the start, and its entries of --set, if the best one
// never keeps the limits and start is not free: a law that moves C by small steps may need most of a
// mailing to reach the C that the mailing needs. A max that the search has chosen does not count
// then. It returns nil if there is no such change.
func (w *asking) soonerC(r *answer.Report) (*scenarios.Scenario, []string) {
	free := slices.ContainsFunc(w.free, func(f freeKey) bool { return f.key == "governor.start" })
	if free || r.Held.Kept > 0 || float64(r.Best.Refused) > w.of.Refused {
		return nil, nil
	}
	set := slices.DeleteFunc(slices.Clone(r.Best.Set), func(v string) bool {
		return strings.HasPrefix(v, "governor.max=")
	})
	set = append(set, "governor.start="+strconv.FormatFloat(2*w.base.Governor.Start, 'f', -1, 64))
	s, err := w.base.With(set...)
	if err != nil || s.Governor.Max > 0 && s.Governor.Max < s.Governor.Start {
		return nil, nil
	}
	return s, set
}

// setting returns the means of a setting's runs.
func setting(set []string, runs []result) answer.Setting {
	mean := func(name string) format.Num {
		sum := 0.0
		for _, r := range runs {
			sum += r.metrics[name] / float64(len(runs))
		}
		return format.Num(sum)
	}
	s := answer.Setting{Set: append([]string{}, set...), Runs: len(runs), T50: mean("t50_h"), T90: mean("t90_h"),
		T99:  mean("t99_h"),
		Late: mean("late_recipients"), Pending: mean("pending"), Refused: mean("refused_share"),
		Recipients: mean("recipients"), Failed: mean("failed")}
	for _, r := range runs {
		s.End += format.Num(r.end() / float64(len(runs)))
	}
	return s
}
