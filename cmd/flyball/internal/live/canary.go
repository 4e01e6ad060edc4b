package live

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/cmd/flyball/internal/promote"
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

// DefaultCanary returns no canary, with guards for one.
func DefaultCanary() Canary { return Canary{Bounces: 0.05, Deferrals: 0.2} }

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
	case c.Share > 0 && q.State != "":
		return task.Fail(task.Usage, "--canary: got --state too, want one of them: a mailing that goes on would "+
			"begin its trial again")
	}
	return nil
}

// tried returns the scenario with the trial of its law over n recipients, if there is one.
func (c *Canary) tried(s *scenarios.Scenario, in *promote.InForce, n int) (*scenarios.Scenario, error) {
	if c.Share == 0 {
		return s, nil
	}
	if len(in.All) < 2 {
		return nil, task.Fail(task.Refused, "--canary: %s: got one record, want one before it to return to",
			in.From.File)
	}
	before, err := in.Before()
	if err != nil {
		return nil, err
	}
	var others []string
	for _, d := range before.Differences(s.Parameters()) {
		if shared(d.Key) {
			others = append(others, d.Key)
		}
	}
	if others != nil {
		return nil, task.Fail(task.Refused, "--canary: %s: promotions %d and %d differ in %s, want them to differ in "+
			"the law alone", in.From.File, len(in.All)-1, len(in.All), strings.Join(others, ", "))
	}
	if s.OneGovernor() {
		return nil, task.Fail(task.Refused, "--canary: governor.scope: got one governor of all servers, want one of "+
			"each")
	}
	return s.Tried(governor.Canary{Before: before.Governor, Bounces: c.Bounces, Deferrals: c.Deferrals,
		Attempts: canaryAttempts, Deliveries: uint64(math.Ceil(c.Share * float64(n) / float64(len(s.Servers))))}), nil
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
func (c *Canary) words(r *run.Report) (words []string) {
	if c.Share == 0 {
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
