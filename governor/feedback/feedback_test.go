package feedback_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/governor/feedback"
)

// postfix returns the defaults of Postfix.
func postfix() feedback.Config {
	one := feedback.Amount{Value: 1}
	return feedback.Config{Initial: 5, Max: 20, Positive: one, Negative: one, Cohorts: 1}
}

// receiver simulates a receiver that takes five deliveries at a time and replies
// 421 to any more, as in the last table of Postfix's SCHEDULER_README: 2,000
// recipients, two per delivery, 1 s each; the client begins with five concurrent
// deliveries and may have twenty. deferred is the share of deliveries that are
// refused; mean and sd describe the limit, taken at every feedback.
func receiver(t *testing.T, a feedback.Amount, seed uint64) (deferred, mean, sd float64) {
	t.Helper()
	c := postfix()
	c.Positive, c.Negative = a, a
	f := feedback.New(c)
	const deliveries, slots = 1000, 5
	// s: greatest delay of a delivery, time of a refusal; our choice, the rest is published
	const late, refusal = 0.05, 0.01
	r := rand.New(rand.NewPCG(seed, 0))
	type delivery struct {
		end     float64
		refused bool
	}
	var busy []delivery
	var now, refused, sum, squares float64
	for begun, ended := 0, 0; ended < deliveries; ended++ {
		for begun < deliveries && len(busy) < f.Limit() {
			inside := 0
			for _, d := range busy {
				if !d.refused {
					inside++
				}
			}
			d := delivery{end: now + 2 + late*r.Float64()}
			if inside == slots {
				d = delivery{end: now + refusal*r.Float64(), refused: true}
			}
			busy = append(busy, d)
			begun++
		}
		first := 0
		for i := range busy {
			if busy[i].end < busy[first].end {
				first = i
			}
		}
		d := busy[first]
		now = d.end
		if d.refused {
			f.Failure(len(busy))
			refused++
		} else {
			f.Success(len(busy))
		}
		busy = append(busy[:first], busy[first+1:]...)
		sum += float64(f.Limit())
		squares += float64(f.Limit() * f.Limit())
	}
	mean = sum / deliveries
	return refused / deliveries, mean, math.Sqrt(squares/deliveries - mean*mean)
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %g, want %g +- %g", what, got, want, tol)
	}
}

func TestFeedbackAgainstPublishedTable(t *testing.T) {
	for _, v := range []struct {
		name           string
		amount         feedback.Amount
		deferred, mean float64 // published, without connection caching
		theory         float64 // 1 / (1 + roundup(1 / feedback)) at N = 5
	}{
		{"1/N", feedback.Amount{Value: 1, Per: feedback.PerCohort}, 0.165, 5.17, 1.0 / 6},
		{"1/sqrt N", feedback.Amount{Value: 1, Per: feedback.PerRoot}, 0.245, 5.28, 1.0 / 4},
		{"1", feedback.Amount{Value: 1}, 0.497, 5.63, 1.0 / 2},
	} {
		for seed := range uint64(3) {
			deferred, mean, sd := receiver(t, v.amount, seed)
			t.Logf("%s: deferred %.1f %%, concurrency %.2f +- %.2f", v.name, 100*deferred, mean, sd)
			near(t, v.name+": deferred", deferred, v.deferred, 0.01)
			near(t, v.name+": mean concurrency", mean, v.mean, 0.1)
			near(t, v.name+": deferred in theory", deferred, v.theory, 0.01)
		}
	}
}

// A cycle of successes ends with a step; a cycle of failures begins with one.
func TestFeedbackCycles(t *testing.T) {
	limits := func(c feedback.Config, events string) string {
		f := feedback.New(c)
		all := ""
		for _, e := range events {
			switch e {
			case '+':
				f.Success(f.Limit())
			case '-':
				f.Failure(f.Limit())
			case 'r':
				f.Revive()
			}
			all += fmt.Sprint(f.Limit(), " ")
		}
		return all
	}
	c := postfix()
	perN := c
	perN.Positive = feedback.Amount{Value: 1, Per: feedback.PerCohort}
	perN.Negative = perN.Positive
	third := perN
	third.Positive, third.Negative = feedback.Amount{Value: 1.0 / 3}, feedback.Amount{Value: 1.0 / 3}
	never := third
	never.Cohorts = 0
	small := c
	small.Initial, small.Max = 2, 4
	ten := perN
	ten.Initial = 10
	for _, v := range []struct {
		name   string
		c      feedback.Config
		events string
		want   string
	}{
		{"old scheduler up and down", c, "++---", "6 7 6 5 4 "},
		{"1/N takes a cohort up, one failure down", perN, "+++++-", "5 5 5 5 6 5 "},
		{"tenths that add up: 10 x 1/10", ten, "++++++++++", "10 10 10 10 10 10 10 10 10 11 "},
		{"a step down begins the cycle of successes anew", third, "++-+++", "5 5 4 4 4 5 "},
		{"a step up begins the cycle of failures anew", third, "-+++-", "4 4 4 5 4 "},
		{"failures go on within their cycle", third, "---+-", "4 4 4 4 3 "},
		// 1/5 + 3/4 is less than one, 1/5 + 3/4 + 1/3 is not
		{"a cohort of failures kills", third, "-----", "4 4 4 3 0 "},
		{"a success between saves", third, "----+-", "4 4 4 3 3 3 "},
		{"revived at the initial concurrency", third, "-----r", "4 4 4 3 0 5 "},
		{"a success revives, a failure does not", third, "------+", "4 4 4 3 0 0 5 "},
		{"never dead without a limit of cohorts", never, "---------------", "4 4 4 3 3 3 2 2 2 1 1 1 1 1 1 "},
		{"not above the greatest", small, "+++", "3 4 4 "},
	} {
		if got := limits(v.c, v.events); got != v.want {
			t.Errorf("%s: %s: %s, want %s", v.name, v.events, got, v.want)
		}
	}

	// With nothing else under way the limit stops at 1 + initial.
	f := feedback.New(c)
	for range 50 {
		f.Success(1)
	}
	if f.Limit() != 6 {
		t.Errorf("limit of an idle destination: got %d, want 6", f.Limit())
	}
}
