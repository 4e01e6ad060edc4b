package trials

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/replies"
	"flyball/internal/unit"
	"flyball/internal/vt"
	"flyball/netmodel"
	"flyball/netmodel/limits"
	"flyball/reports/format"
	"flyball/reports/planning"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim"
	"flyball/sim/plan"
)

// addition is a daily limit that a plan adds to a scenario.
type addition struct {
	provider  int // its position among the destinations
	name      string
	rule      int // its position among the provider's allowances
	allowance limits.Allowance
}

// quotaText is the text of replies of added limits, by which the sender's reply table knows
// them.
const quotaText = "planned daily limit"

// quotaWait is how long the sender waits after such a reply before it tries the provider
// again.
const quotaWait = vt.Hour

// added returns the limits of the flags.
func (q *Plan) added(s *scenarios.Scenario) (all []addition, err error) {
	add := func(flag, text, want string, read func(*limits.Allowance, string) bool) error {
		name, what, ok := strings.Cut(text, "=")
		if !ok {
			return task.Fail(task.Usage, "%s: got %s, want %s", flag, task.Quote(text), want)
		}
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(s.Destinations, func(d netmodel.Destination) bool { return d.Name == name })
		switch {
		case i < 0:
			var names []string
			for _, d := range s.Destinations {
				names = append(names, d.Name)
			}
			return task.Fail(task.Usage, "%s: got provider %q, want one of %s%s", flag, name, format.Listed(names),
				conf.DidYouMean(name, names))
		case s.Destinations[i].LimitsOf != "":
			return task.Fail(task.Usage, "%s: got provider %q, want %q: its limits are there", flag, name,
				s.Destinations[i].LimitsOf)
		case slices.ContainsFunc(all, func(a addition) bool { return a.provider == i }):
			return task.Fail(task.Usage, "%s: got provider %q a second time, want one daily limit for each", flag, name)
		}
		a := addition{provider: i, name: name, rule: len(s.Destinations[i].Allowances)}
		a.allowance = limits.Allowance{Window: vt.Day, Kind: "fixed", Scope: "server", Growth: 1, Reply: 451}
		daily := func(v limits.Allowance) bool { return v.Window == vt.Day }
		if k := slices.IndexFunc(s.Destinations[i].Allowances, daily); k >= 0 {
			a.rule, a.allowance = k, s.Destinations[i].Allowances[k]
		}
		a.allowance.Growth, a.allowance.More, a.allowance.Most, a.allowance.Ladder = 1, 0, 0, nil
		if !read(&a.allowance, strings.TrimSpace(what)) {
			return task.Fail(task.Usage, "%s: got %s, want %s", flag, task.Quote(text), want)
		}
		if wrong := a.allowance.Problems(); len(wrong) > 0 {
			return task.Fail(task.Usage, "%s %s: %w", flag, task.Quote(text), wrong[0])
		}
		a.allowance.Text = quotaText
		all = append(all, a)
		return nil
	}
	for _, text := range q.Quotas {
		if err := add("--quota", text, "PROVIDER=N/day with a whole number of 1 or more, such as gmail=20000/day",
			readQuota); err != nil {
			return nil, err
		}
	}
	for _, text := range q.WarmUps {
		if err := add("--warm-up", text, "PROVIDER=N+G%..MOST such as gmail=200+15%..20000, or the limits of the "+
			"first days, such as gmail=1000,2000,5000, which do not fall", readWarmUp); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readQuota reads N/day.
func readQuota(a *limits.Allowance, text string) bool {
	return messages(text, &a.Limit)
}

// messages reads a number of messages a day.
func messages(text string, n *int) bool {
	text = strings.TrimSpace(text)
	for _, unit := range []string{"/day", "/d"} {
		text = strings.TrimSpace(strings.TrimSuffix(text, unit))
	}
	v, err := strconv.Atoi(strings.ReplaceAll(text, "_", ""))
	*n = v
	return err == nil && v >= 1 && v <= 1_000_000_000
}

// readWarmUp reads N+G%..MOST, or a list of numbers.
func readWarmUp(a *limits.Allowance, text string) bool {
	if first, rest, ok := strings.Cut(text, "+"); ok {
		growth, most, limited := strings.Cut(rest, "..")
		share, err := unit.ParseShare(growth)
		if limited && !messages(most, &a.Most) {
			return false
		}
		a.Growth = 1 + share
		return err == nil && share > 0 && share <= 999 && messages(first, &a.Limit)
	}
	before := 0
	for i, v := range strings.Split(text, ",") {
		n := 0
		if !messages(v, &n) || n < before {
			return false
		}
		if before = n; i == 0 {
			a.Limit = n
		} else {
			a.Ladder = append(a.Ladder, n)
		}
	}
	return true
}

// limited returns s with the added limits. The sender reads their replies, and waits.
func (w *scheming) limited(s *scenarios.Scenario) (*scenarios.Scenario, error) {
	if len(w.added) == 0 {
		return s, nil
	}
	changed, err := s.Changed(func(s *scenarios.Scenario) {
		for _, a := range w.added {
			d := &s.Destinations[a.provider]
			if a.rule == len(d.Allowances) {
				d.Allowances = append(d.Allowances, a.allowance)
			}
			d.Allowances[a.rule] = a.allowance
			for i := range s.Destinations {
				if d := &s.Destinations[i]; d.Name == a.name || d.LimitsOf == a.name {
					d.Replies = append(d.Replies, replies.Row{Text: quotaText, Class: "own-quota", Reaction: "suspend",
						Scope: "source", For: quotaWait, Share: 0.5, Return: 1, After: 1, Within: vt.Hour})
				}
			}
		}
	})
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return changed, nil
}

// words returns the limit in a sentence.
func (a addition) words() string {
	v := a.allowance
	text := format.Grouped(float64(v.Limit), 0)
	for _, n := range v.Ladder {
		text += ", " + format.Grouped(float64(n), 0)
	}
	if v.Growth != 1 {
		text += fmt.Sprintf(" on the first day, growing by %s a day", format.Percent(v.Growth-1))
		if v.Most > 0 {
			text += " up to " + format.Grouped(float64(v.Most), 0)
		}
	} else if len(v.Ladder) > 0 {
		text += " from then on"
	}
	return fmt.Sprintf("Assumed: %s takes %s messages a day from each %s; after a refusal the sender waits an hour.",
		a.name, text, v.Scope)
}

// carried are the messages that an addition's provider took, and the recipients that became
// final there, by day.
type carried struct {
	sent, final []int
	last        vt.Time // when the last one became final
}

// warmUp returns what each day carries in the first run with new draws of a plan.
func (w *scheming) warmUp(a addition, found plan.Plan, d dated) (planning.WarmUp, error) {
	bounds := plan.Bounds(d.s, d.due)
	proven := slices.ContainsFunc(bounds, plan.Bound.Proves)
	s, err := w.longer(d, bounds, settings(w.base, found.Processes), found.Feasible && !proven)
	if err != nil {
		return planning.WarmUp{}, err
	}
	q := limits.NewQuota(a.allowance)
	of := make([]bool, len(s.Destinations))
	for i, v := range s.Destinations {
		of[i] = v.Name == a.name || v.LimitsOf == a.name
	}
	var by carried
	watch := func(now vt.Time, v mail.Attempt, r mail.Reply, status mail.Status) {
		if !of[v.Dest] {
			return
		}
		day := q.Day(now)
		for len(by.sent) <= day {
			by.sent, by.final = append(by.sent, 0), append(by.final, 0)
		}
		if r.Stage > mail.StageMAIL { // what fails later was taken
			by.sent[day]++
		}
		if status != mail.Pending {
			by.final[day]++
			by.last = now
		}
	}
	world, err := sim.New(s, study.FirstHeldOut, nil, watch)
	if err != nil {
		return planning.WarmUp{}, task.Error{Kind: task.Invalid, Err: err}
	}
	_, stopped := world.Run(func(sim.Progress) bool { return w.ctx.Err() == nil })
	if stopped {
		return planning.WarmUp{}, task.Stopped{Done: w.done, Total: w.done + 1}
	}
	w.done++
	left := 0
	for r := range world.List().Len() {
		if of[world.List().Destination(mail.Recipient(r))] {
			left++
		}
	}
	out := planning.WarmUp{Provider: a.name, Due: format.Num(d.last.Sub(0).Hours()), Days: []planning.Day{}}
	if _, flat := q.On(0); !flat {
		for day, last := 0, false; !last; day++ {
			_, last = q.On(day)
			out.Over = day + 1
		}
	}
	for day := range by.sent {
		limit, _ := q.On(day)
		left -= by.final[day]
		out.Days = append(out.Days, planning.Day{Day: day + 1, Begins: format.Num(q.Begins(day).Sub(0).Hours()),
			Allowed: limit * plan.Counters(s, a.provider, a.rule), Sent: by.sent[day], Left: left})
	}
	if left == 0 {
		out.Done, out.ByDue = len(by.sent), by.last <= d.last
	}
	return out, nil
}
