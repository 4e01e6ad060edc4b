// Package limits holds the rules by which a receiver refuses messages for their number:
// the keys of each in a scenario, and what the receiver counts for it. It draws nothing
// and decides nothing else: package netmodel asks it.
package limits

import (
	"math"
	"slices"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/snap"
	"flyball/internal/vt"
)

// Allowance bounds the messages of an hour or a day, as providers name them: of
// one address, or of several together. Further messages are refused at MAIL until
// the window has moved on. A refused message does not count.
type Allowance struct {
	// messages taken in one window
	// Source: scenario
	Limit int `toml:"limit" range:"1..1000000000" required:"true"`
	// length of a window
	// Source: assumed: providers name hours and days
	Window vt.Span `toml:"window" range:"1s..365d" default:"1d"`
	// fixed: windows follow each other; sliding: the window ends now, in steps of a 60th
	Kind string `toml:"kind" oneof:"fixed sliding" default:"fixed"`
	// a time at which a fixed window, a step of a sliding window and a day of growth begin, such as the provider's
	// midnight; the others follow before and after it
	// Source: assumed: with the run
	Begins vt.Span `toml:"begins,omitdefault" unit:"moment" range:"0s..3650d"`
	// whose messages count together. server: of each server, by its source address or netblock, as by of the
	// destination has it; block: of each netblock of the servers; domain: of each sending domain of the campaigns, from
	// any address; account: of each account of the campaigns, in the same way; fleet: of all servers
	Scope string `toml:"scope" oneof:"server block domain account fleet" default:"server"`
	// limits of the days after the first, in their order; the last one holds or grows from then on (warm-up)
	// Source: scenario
	Ladder []int `toml:"ladder,omitdefault" range:"1..1000000000"`
	// factor by which the limit grows every day (warm-up)
	// Source: assumed: no provider publishes it
	Growth float64 `toml:"growth" range:"1..1000" default:"1"`
	// messages by which the limit grows every day, after the factor
	// Source: assumed: no provider publishes it
	More int `toml:"more" range:"0..1000000000"`
	// greatest limit; not given: it grows without end
	// Source: scenario
	Most int `toml:"most,omitdefault" range:"1..1000000000"`
	// reply code to MAIL for further messages
	Reply int `toml:"reply" range:"400..599" default:"451"`

	// enhanced status of the reply (RFC 3463)
	Enhanced mail.Enhanced `toml:"enhanced,omitdefault"`
	// text of the reply
	Text string `toml:"text,omitdefault" pattern:"^[ -~]{0,400}$"`
}

// Fleet reports whether the allowance is of all servers together.
func (a Allowance) Fleet() bool { return a.Scope == "fleet" }

// OfCampaigns reports whether the allowance counts by what campaigns have in common: a sending domain or an account.
func (a Allowance) OfCampaigns() bool { return a.Scope == "domain" || a.Scope == "account" }

// Idle reports whether a key has no meaning beside the other values of a.
func (a Allowance) Idle(key string) bool { return key == "most" && !a.grows() }

func (a Allowance) grows() bool { return a.Growth != 1 || a.More > 0 }

// mostSteps is the most days that a ladder names.
const mostSteps = 1000

// Problems reports every problem beside the ranges of the keys.
func (a Allowance) Problems() []error {
	var l conf.List
	mail.CheckStatus(&l, "enhanced", a.Reply, a.Enhanced)
	l.Check(a.Most == 0 || a.grows(), "most", "got %d, want growth or more beside it", a.Most)
	l.Check(a.Most == 0 || a.Most >= a.Limit, "most", "got %d, want at least limit = %d", a.Most, a.Limit)
	if len(a.Ladder) > 0 {
		steps := slices.Max(a.Ladder)
		l.Check(a.Most == 0 || a.Most >= steps, "most", "got %d, want at least %d, as in ladder", a.Most, steps)
	}
	l.Check(len(a.Ladder) <= mostSteps, "ladder", "got %d days, want at most %d", len(a.Ladder), mostSteps)
	before := a.Limit
	for i, n := range a.Ladder {
		l.Check(n >= before, conf.Index("ladder", i), "got %d after %d, want a limit that does not fall", n, before)
		before = n
	}
	return l
}

// onDay returns the limit on each day of the run, until it grows no more; no
// allowance is above mostTaken.
func (a Allowance) onDay() []int {
	const mostTaken, days = 1_000_000_000, 3650
	most := a.Most
	if most == 0 {
		most = mostTaken
	}
	limits := append([]int{a.Limit}, a.Ladder...)
	for len(limits) <= days {
		last := limits[len(limits)-1]
		next := min(most, int(math.Floor(float64(last)*a.Growth))+a.More)
		if next == last {
			break
		}
		limits = append(limits, next)
	}
	return limits
}

// Quota is a prepared Allowance. It is immutable.
type Quota struct {
	limits []int   // by day of the run; the last holds from then on
	step   vt.Span // of the window: all of it, or a part if it slides
	steps  int     // of a window
	ahead  vt.Span // by how much the first window began before the run
	dayOld vt.Span // and the first day
}

// slidingSteps is the number of steps in which a sliding window moves.
const slidingSteps = 60

// NewQuota returns the quota of a valid Allowance.
func NewQuota(a Allowance) Quota {
	v := Quota{limits: a.onDay(), step: a.Window, steps: 1}
	if a.Kind == "sliding" {
		v.step, v.steps = a.Window/slidingSteps, slidingSteps
	}
	v.ahead, v.dayOld = before(a.Begins, a.Window), before(a.Begins, vt.Day)
	return v
}

// On returns the limit on a day of the run, counted from 0, and whether it grows no more.
func (q *Quota) On(day int) (limit int, last bool) {
	at := min(day, len(q.limits)-1)
	return q.limits[at], at == len(q.limits)-1
}

// Day returns the day of the run, counted from 0, that the time t lies in.
func (q *Quota) Day(t vt.Time) int { return int(int64(t.Add(q.dayOld)) / int64(vt.Day)) }

// Begins returns when a day of the run begins; the first begins with the run.
func (q *Quota) Begins(day int) vt.Time {
	return max(0, vt.Time(day)*vt.Time(vt.Day)-vt.Time(q.dayOld))
}

// Most returns a number of messages that the quota does not exceed from a time up to and
// including another one: the limits of windows that follow each other, the first of which
// begins in the step of from. Limits never fall, so a window has at most that of its end.
func (q *Quota) Most(from, to vt.Time) int {
	if to < from {
		return 0
	}
	step := func(t vt.Time) int64 { return int64(t.Add(q.ahead)) / int64(q.step) }
	first := step(from)
	whole := func(t vt.Time) int { return int((step(t) - first) / int64(q.steps)) } // windows that end before t
	sum, counted := 0, 0
	for day := q.Day(from); day < q.Day(to); day++ {
		limit, last := q.On(day)
		if last {
			break
		}
		n := whole(q.Begins(day + 1))
		sum, counted = sum+(n-counted)*limit, n
	}
	limit, _ := q.On(q.Day(to))
	return sum + (whole(to)-counted+1)*limit
}

// before returns for how long the last of the periods of a length, one of which
// begins at a time, has been under way at time 0.
func before(begins, length vt.Span) vt.Span { return (length - begins%length) % length }

// Window counts the messages taken in the last steps of an allowance.
type Window struct {
	step  int64 // number of the current step, from the beginning of the run
	sum   int   // of taken
	taken []int // by number of the step, modulo the steps of a window
}

// Window returns a window of the quota in which no message was taken.
func (q *Quota) Window() *Window { return &Window{taken: make([]int, q.steps)} }

// Full moves the window to the time now, which is at or after the time of the last call, and
// reports whether the quota has no room in it for another message.
func (w *Window) Full(q *Quota, now vt.Time) bool {
	w.move(int64(now.Add(q.ahead)) / int64(q.step))
	today := min(int(int64(now.Add(q.dayOld))/int64(vt.Day)), len(q.limits)-1)
	return w.sum >= q.limits[today]
}

// move makes step the current step and forgets the steps that have left the window.
func (w *Window) move(step int64) {
	for n := min(step-w.step, int64(len(w.taken))); n > 0; n-- {
		oldest := &w.taken[(step-n+1)%int64(len(w.taken))]
		w.sum -= *oldest
		*oldest = 0
	}
	w.step = max(w.step, step)
}

// Take counts a message in the current step.
func (w *Window) Take() {
	w.taken[w.step%int64(len(w.taken))]++
	w.sum++
}

// State saves or restores what was taken.
func (w *Window) State(c *snap.Codec) { c.Fields(&w.step, &w.sum, &w.taken) }
