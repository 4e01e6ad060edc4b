package netmodel

import (
	"math"

	"flyball/internal/conf"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Allowance bounds the messages of an hour or a day, as providers name them: of
// one server, or of all servers of the sender together. Further messages are
// refused at MAIL until the window has moved on. A refused message does not count.
type Allowance struct {
	Limit  int     `toml:"limit" doc:"messages taken in one window" range:"1..1000000000" required:"true" source:"scenario"`
	Window vt.Span `toml:"window" doc:"length of a window" range:"1s..365d" default:"1d" source:"assumed: providers name hours and days"`
	Kind   string  `toml:"kind" doc:"fixed: windows follow each other; sliding: the window ends now, in steps of a 60th" oneof:"fixed sliding" default:"fixed"`
	Begins vt.Span `toml:"begins,omitdefault" doc:"a time at which a fixed window, a step of a sliding window and a day of growth begin, such as the provider's midnight; the others follow before and after it" unit:"moment" range:"0s..3650d" source:"assumed: with the run"`
	Scope  string  `toml:"scope" doc:"server: of each server, by its address; fleet: of all servers together" oneof:"server fleet" default:"server"`
	Growth float64 `toml:"growth" doc:"factor by which the limit grows every day (warm-up)" range:"1..1000" default:"1" source:"assumed: no provider publishes it"`
	More   int     `toml:"more" doc:"messages by which the limit grows every day, after the factor" range:"0..1000000000" source:"assumed: no provider publishes it"`
	Most   int     `toml:"most,omitdefault" doc:"greatest limit; not given: it grows without end" range:"1..1000000000" source:"scenario"`
	Reply  int     `toml:"reply" doc:"reply code to MAIL for further messages" range:"400..599" default:"451"`

	Enhanced Enhanced `toml:"enhanced,omitdefault" doc:"enhanced status of the reply (RFC 3463), on the wire of a live run"`
}

// Fleet reports whether the allowance is of all servers together.
func (a Allowance) Fleet() bool { return a.Scope == "fleet" }

// Idle reports whether a key has no meaning beside the other values of a.
func (a Allowance) Idle(key string) bool { return key == "most" && !a.grows() }

func (a Allowance) grows() bool { return a.Growth != 1 || a.More > 0 }

func (a Allowance) validate() []error {
	var l conf.List
	l.Check(a.Most == 0 || a.grows(), "most", "got %d, want growth or more beside it", a.Most)
	l.Check(a.Most == 0 || a.Most >= a.Limit, "most", "got %d, want at least limit = %d", a.Most, a.Limit)
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
	limits := []int{a.Limit}
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

// allowance is a prepared Allowance.
type allowance struct {
	limits []int   // by day of the run; the last holds from then on
	step   vt.Span // of the window: all of it, or a part if it slides
	steps  int     // of a window
	ahead  vt.Span // by how much the first window began before the run
	dayOld vt.Span // and the first day
	fleet  bool
	reply  ending
}

// slidingSteps is the number of steps in which a sliding window moves.
const slidingSteps = 60

func newAllowance(a Allowance) allowance {
	v := allowance{limits: a.onDay(), step: a.Window, steps: 1, fleet: a.Fleet(),
		reply: refusal(mail.StageMAIL, a.Reply, a.Enhanced)}
	if a.Kind == "sliding" {
		v.step, v.steps = a.Window/slidingSteps, slidingSteps
	}
	v.ahead, v.dayOld = before(a.Begins, a.Window), before(a.Begins, vt.Day)
	return v
}

// before returns for how long the last of the periods of a length, one of which
// begins at a time, has been under way at time 0.
func before(begins, length vt.Span) vt.Span { return (length - begins%length) % length }

// window counts the messages taken in the last steps of an allowance.
type window struct {
	step  int64 // number of the current step, from the beginning of the run
	sum   int   // of taken
	taken []int // by number of the step, modulo the steps of a window
}

// windows returns a window without messages for each allowance.
func (b *behaviour) windows() (all []*window) {
	for _, a := range b.allowances {
		all = append(all, &window{taken: make([]int, a.steps)})
	}
	return all
}

// join lets the receiver count for those of its allowances that are not of one
// server together with first, the same destination's receiver of another server.
func (r *Receiver) join(first *Receiver) {
	for i := range r.windows {
		if r.facts.shared || r.facts.behaviour.allowances[i].fleet {
			r.windows[i] = first.windows[i]
		}
	}
}

// exceeded returns the reply of the first allowance that has no room for a message
// at the time now, or noEnding.
func (r *Receiver) exceeded(now vt.Time) (reply ending) {
	for i, w := range r.windows {
		a := &r.facts.behaviour.allowances[i]
		w.move(int64(now.Add(a.ahead)) / int64(a.step))
		today := min(int(int64(now.Add(a.dayOld))/int64(vt.Day)), len(a.limits)-1)
		if w.sum >= a.limits[today] && reply == noEnding {
			reply = a.reply
		}
	}
	return reply
}

// move makes step the current step and forgets the steps that have left the window.
func (w *window) move(step int64) {
	for n := min(step-w.step, int64(len(w.taken))); n > 0; n-- {
		oldest := &w.taken[(step-n+1)%int64(len(w.taken))]
		w.sum -= *oldest
		*oldest = 0
	}
	w.step = max(w.step, step)
}

// take counts a message in the current step.
func (w *window) take() {
	w.taken[w.step%int64(len(w.taken))]++
	w.sum++
}
