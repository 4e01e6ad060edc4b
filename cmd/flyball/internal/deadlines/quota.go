package deadlines

import (
	"errors"
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
	"flyball/netmodel/config"
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

// What the flags take.
const (
	wantQuota  = "PROVIDER=N/day with a whole number of 1 or more, such as gmail=20000/day"
	wantWarmUp = "PROVIDER=N+G%..MOST such as gmail=200+15%..20000, or the limits of the first days, such as " +
		"gmail=1000,2000,5000, which do not fall"
)

// added returns the limits of the flags.
func (q *Plan) added(s *scenarios.Scenario) (all []addition, err error) {
	add := func(flag, want string, texts []string, read func(*limits.Allowance, string) bool) {
		for _, text := range texts {
			a, wrong := additionOf(s, flag, text, want, read)
			if wrong == nil && slices.ContainsFunc(all, func(b addition) bool { return a.provider == b.provider }) {
				wrong = task.Fail(task.Usage, "%s: got provider %q a second time, want one daily limit for each", flag,
					a.name)
			}
			if err = errors.Join(err, wrong); wrong == nil {
				all = append(all, a)
			}
		}
	}
	add("--quota", wantQuota, q.Quotas, readQuota)
	add("--warm-up", wantWarmUp, q.WarmUps, readWarmUp)
	return all, err
}

// additionOf returns the limit that a flag adds to s, in place of the first daily limit that
// the provider has there. The error is about the flag, which wants what want describes.
func additionOf(s *scenarios.Scenario, flag, text, want string, read func(*limits.Allowance, string) bool,
) (addition, error) {
	name, what, ok := strings.Cut(text, "=")
	if !ok {
		return addition{}, task.Fail(task.Usage, "%s: got %s, want %s", flag, task.Quote(text), want)
	}
	name = strings.TrimSpace(name)
	i := slices.IndexFunc(s.Destinations, func(d config.Destination) bool { return d.Name == name })
	if i < 0 {
		var names []string
		for _, d := range s.Destinations {
			names = append(names, d.Name)
		}
		return addition{}, task.Fail(task.Usage, "%s: got provider %q, want one of %s%s", flag, name,
			format.Listed(names), conf.DidYouMean(name, names))
	}
	d := &s.Destinations[i]
	if d.LimitsOf != "" {
		return addition{}, task.Fail(task.Usage, "%s: got provider %q, want %q: its limits are there", flag,
			name, d.LimitsOf)
	}
	a := addition{provider: i, name: name, rule: len(d.Allowances),
		allowance: limits.Allowance{Window: vt.Day, Kind: "fixed", Scope: "server", Reply: 451}}
	daily := func(v limits.Allowance) bool { return v.Window == vt.Day }
	if k := slices.IndexFunc(d.Allowances, daily); k >= 0 {
		a.rule, a.allowance = k, d.Allowances[k]
	}
	v := &a.allowance
	v.Growth, v.More, v.Most, v.Ladder, v.Text = 1, 0, 0, nil, quotaText
	if !read(v, strings.TrimSpace(what)) {
		return a, task.Fail(task.Usage, "%s: got %s, want %s", flag, task.Quote(text), want)
	}
	if wrong := v.Problems(); len(wrong) > 0 {
		return a, task.Fail(task.Usage, "%s %s: %w", flag, task.Quote(text), wrong[0])
	}
	return a, nil
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

// counts reports whether the limit counts the messages for a destination.
func (a addition) counts(d config.Destination) bool {
	return d.Name == a.name || d.LimitsOf == a.name
}

// limited returns s with added limits. The sender reads their replies, and waits.
func limited(s *scenarios.Scenario, added []addition) (*scenarios.Scenario, error) {
	if len(added) == 0 {
		return s, nil
	}
	changed, err := s.Changed(func(s *scenarios.Scenario) {
		for _, a := range added {
			d := &s.Destinations[a.provider]
			if a.rule == len(d.Allowances) {
				d.Allowances = append(d.Allowances, a.allowance)
			}
			d.Allowances[a.rule] = a.allowance
			for i := range s.Destinations {
				if d := &s.Destinations[i]; a.counts(*d) {
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

// senders are the words for whose messages a limit counts, by its scope.
var senders = map[string]string{"server": "each server", "block": "each netblock of the servers",
	"domain": "each sending domain", "account": "each account", "fleet": "all servers together"}

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
	return fmt.Sprintf("Assumed: %s takes %s messages a day from %s; after a refusal the sender waits an hour.",
		a.name, text, senders[v.Scope])
}

// carried are the messages that the provider of an addition took, and the recipients that
// became final there, by day.
type carried struct {
	addition
	quota       limits.Quota
	sent, final []int
	last        vt.Time // when the last one became final
}

// see counts an attempt.
func (c *carried) see(now vt.Time, r mail.Reply, status mail.Status) {
	day := c.quota.Day(now)
	for len(c.sent) <= day {
		c.sent, c.final = append(c.sent, 0), append(c.final, 0)
	}
	if r.Stage > mail.StageMAIL { // what fails later was taken
		c.sent[day]++
	}
	if status != mail.Pending {
		c.final[day]++
		c.last = now
	}
}

// warmUps returns what each day carries at the providers of all additions, in the first run
// with new draws of a plan.
func (w *scheming) warmUps(d dated, found plan.Plan) (all []planning.WarmUp, err error) {
	s, err := with(d.s, d.longer(settings(w.base, found.Processes), found.Feasible && d.proof == nil))
	if err != nil {
		return nil, err
	}
	var counted []*carried
	of := make([][]*carried, len(s.Destinations))
	for _, a := range w.added {
		c := &carried{addition: a, quota: limits.NewQuota(a.allowance)}
		counted = append(counted, c)
		for i, v := range s.Destinations {
			if a.counts(v) {
				of[i] = append(of[i], c)
			}
		}
	}
	world, err := sim.New(s, study.FirstHeldOut, nil,
		func(now vt.Time, v mail.Attempt, r mail.Reply, status mail.Status) {
			for _, c := range of[v.Dest] {
				c.see(now, r, status)
			}
		})
	if err != nil {
		return nil, task.Error{Kind: task.Invalid, Err: err}
	}
	_, stopped := task.Alone(world, w.replay, func(sim.Progress) bool { return w.ctx.Err() == nil })
	if stopped {
		return nil, w.stopped()
	}
	w.done++
	list := world.List()
	for _, c := range counted {
		left := 0
		for r := range list.Len() {
			if c.counts(s.Destinations[list.Destination(mail.Recipient(r))]) {
				left++
			}
		}
		v := c.report(s, left, d.last)
		v.Processes = found.Total()
		all = append(all, v)
	}
	return all, nil
}

// report returns the days of a run of s, of a number of recipients that are due at a time.
func (c *carried) report(s *scenarios.Scenario, left int, due vt.Time) planning.WarmUp {
	out := planning.WarmUp{Provider: c.name, Due: format.Num(due.Sub(0).Hours()), Days: []planning.Day{}}
	if _, flat := c.quota.On(0); !flat {
		for day, last := 0, false; !last; day++ {
			_, last = c.quota.On(day)
			out.Over = day + 1
		}
	}
	for day := range c.sent {
		limit, _ := c.quota.On(day)
		left -= c.final[day]
		out.Days = append(out.Days, planning.Day{Day: day + 1, Begins: format.Num(c.quota.Begins(day).Sub(0).Hours()),
			Allowed: limit * plan.Counters(s, c.provider, c.rule), Sent: c.sent[day], Left: left})
	}
	if left == 0 {
		out.Done, out.ByDue = len(c.sent), c.last <= due
	}
	return out
}
