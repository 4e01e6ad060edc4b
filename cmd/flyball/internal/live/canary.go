package live

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/governor"
	"flyball/reports/run"
	"flyball/scenarios"
)

// Canary tries the law in force on the first share of a mailing. The law of the record before delivers the rest, and
// all that is left once too many attempts of one interval go wrong.
type Canary struct {
	Share     float64 `json:"share"`     // of the mailing; 0: no canary
	Bounces   float64 `json:"bounces"`   // greatest share of an interval's attempts that may end by 5yz
	Deferrals float64 `json:"deferrals"` // greatest share that may end by 4yz
}

// canaryAttempts is the number of attempts below which the shares of an interval show nothing.
const canaryAttempts = 20

// defaultCanary returns no canary, with guards for one.
func defaultCanary() Canary { return Canary{Bounces: 0.05, Deferrals: 0.2} }

func (c *Canary) validate(q *Run) error {
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	switch {
	case !(c.Share >= 0 && c.Share < 1):
		return task.Fail(task.Usage, "--canary: got %g, want a share of the mailing such as 5%%", c.Share)
	case !share(c.Bounces) || !share(c.Deferrals):
		return task.Fail(task.Usage, "--canary-bounces, --canary-deferrals: got %g and %g, want shares of an "+
			"interval's attempts", c.Bounces, c.Deferrals)
	case c.Share > 0 && q.Promotion.File == "":
		return task.Fail(task.Usage, "--canary: got no --promotion, want the records of what is tried and what it "+
			"returns to")
	}
	return nil
}

// try gives the scenario the trial of its law, if a run can return to the record before. A canary asks for one.
func (r *prepared) try(q *Run) error {
	c, in, n := &q.Canary, r.promoted, r.mailing.List.Len()
	if in == nil {
		return nil
	}
	if r.back == nil {
		n := len(r.scenario.Servers)
		r.back = &fallback{inForce: named(in), servers: n, trying: n}
	}
	why := error(nil)
	before := scenarios.Parameters{}
	switch {
	case len(in.All) < 2:
		why = fmt.Errorf("%s: got one record, want one before it to return to", in.From.File)
	case r.scenario.OneGovernor():
		why = errors.New("governor.scope: got one governor of all servers, want one of each")
	default:
		var err error
		if before, err = in.Before(); err != nil {
			return err
		}
		var others []string
		for _, d := range before.Differences(r.scenario.Parameters()) {
			if shared(d.Key) {
				others = append(others, d.Key)
			}
		}
		if others != nil {
			why = fmt.Errorf("%s: promotions %d and %d differ in %s, want them to differ in the law alone",
				in.From.File, len(in.All)-1, len(in.All), strings.Join(others, ", "))
		}
	}
	t := governor.Canary{Before: before.Governor, Bounces: 1, Deferrals: 1, Deliveries: math.MaxUint64,
		Over: r.back.over()}
	switch {
	case why != nil && c.Share > 0:
		return task.Fail(task.Refused, "--canary: %w", why)
	case why != nil && r.allow != nil:
		r.says = append(r.says, fmt.Sprintf("A guard that fails stops the run: it has no record to return to: %v", why))
		return nil
	case why != nil, r.allow == nil && c.Share == 0 && !t.Over: // no guard can fail
		return nil
	case c.Share > 0:
		t.Bounces, t.Deferrals, t.Attempts = c.Bounces, c.Deferrals, canaryAttempts
		t.Deliveries = uint64(math.Ceil(c.Share * float64(n) / float64(len(r.scenario.Servers))))
	}
	back, err := in.Back()
	if err != nil {
		return err
	}
	r.back.before, r.back.number = named(back), back.Last().Number
	r.scenario = r.scenario.Tried(t)
	if r.allow != nil && !t.Over {
		r.says = append(r.says, "A guard that fails returns the run to "+r.back.before+", at the end of the interval")
	}
	return nil
}

// shared reports whether a key is of what both laws of a trial have in common.
func shared(key string) bool {
	for _, p := range []string{"retry.", "governor.interval", "governor.scope", "governor.destination",
		"governor.change"} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// words returns how the trial of each server ended; nothing without one.
func (c *Canary) words(r *run.Report, back *fallback) (words []string) {
	if c.Share == 0 || !back.here() { // an earlier run of the mailing has returned
		return nil
	}
	for _, s := range r.Servers {
		end := "the mailing ended before its share was delivered"
		for _, row := range r.Rows {
			if row.Server != s.Name {
				continue
			}
			flags := strings.Split(row.Flags, "|")
			switch {
			case slices.Contains(flags, governor.CanaryOver.String()):
				end = fmt.Sprintf("its share was delivered within guards, and the law before delivered the rest from "+
					"%.0f s on", row.End)
			case slices.Contains(flags, governor.GuardFailed.String()):
				end = fmt.Sprintf("RETURNED to the law before at %.0f s: of %d attempts of an interval %d ended by "+
					"5yz and %d by 4yz, want at most %g and %g of them", row.End, row.Attempts, row.Bounces,
					row.Deferrals, c.Bounces, c.Deferrals)
			}
		}
		words = append(words, fmt.Sprintf("Canary on %s: %s", s.Name, end))
	}
	return words
}

// flagged returns the flags that ask for the same.
func (c *Canary) flagged() []string {
	if c.Share == 0 {
		return nil
	}
	return []string{"--canary", fmt.Sprint(c.Share), "--canary-bounces", fmt.Sprint(c.Bounces), "--canary-deferrals",
		fmt.Sprint(c.Deferrals)}
}
