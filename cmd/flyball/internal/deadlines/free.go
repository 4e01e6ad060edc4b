package deadlines

import (
	"fmt"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/scenarios"
	"flyball/scenarios/study"
	"flyball/sim/ask"
)

// freeKey is a key of the scenario that a search may change, with its values.
type freeKey struct {
	key string
	ask.Axis
}

// free returns the free keys of the question, or of the law.
func (q *Ask) free(s *scenarios.Scenario) (all []freeKey, err error) {
	free := q.Free
	if len(free) == 0 {
		free = []string{"governor.target", "governor.max"}
		if s.Governor.Law == "hold" {
			free = []string{"governor.start"}
		}
	}
	for _, text := range free {
		a, err := freeOf(s, text)
		if err != nil {
			return nil, task.Fail(task.Usage, "--free: %w", err)
		}
		for _, b := range all {
			if a.is(b, s) {
				return nil, task.Fail(task.Usage, "--free: got %s and %s, want each key once", b.key, a.key)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// is reports whether b is the same key of s, in this or another spelling: both make the same
// scenario of a value that s does not have.
func (a freeKey) is(b freeKey, s *scenarios.Scenario) bool {
	if a.key == b.key {
		return true
	}
	for _, v := range []string{a.Values[0], a.Values[len(a.Values)-1]} {
		one, err := s.With(a.key + "=" + v)
		other, wrong := s.With(b.key + "=" + v)
		if err != nil || wrong != nil {
			continue
		}
		if id := scenarios.ID(one); id == scenarios.ID(other) && id != scenarios.ID(s) {
			return true
		}
	}
	return false
}

// notFree returns why a key may not be free; nothing if it may be.
func notFree(key string) string {
	switch {
	case key == "seed":
		return "the best seed is luck"
	case key == "horizon", strings.HasPrefix(key, "campaign[") && strings.HasSuffix(key, "].deadline"):
		return "it changes the question"
	}
	return ""
}

// tried is the number of values of an axis.
const tried = 25

// freeOf returns the key of KEY or KEY=FROM..TO with its values, evenly in logarithms,
// and with the value of the scenario among them where it is known.
func freeOf(s *scenarios.Scenario, text string) (freeKey, error) {
	key, between, ranged := strings.Cut(text, "=")
	key, between = strings.TrimSpace(key), strings.TrimSpace(between)
	a := freeKey{key: key}
	if why := notFree(key); why != "" {
		return a, fmt.Errorf("got %s, want a value to choose: %s", key, why)
	}
	low, high, own := "", "", ""
	g := s.Governor
	most := 0
	for _, c := range s.Campaigns {
		most += c.Processes
	}
	switch key {
	case "governor.target":
		own = g.Target.String()
		low, high = (g.Target / 8).String(), (g.Target * 4).String()
	case "governor.max":
		low, high = "1", strconv.Itoa(max(2, most))
		if g.Max > 0 {
			own = strconv.FormatFloat(g.Max, 'f', -1, 64)
		}
	case "governor.start":
		low, high, own = "1", strconv.Itoa(max(2, most)), strconv.FormatFloat(g.Start, 'f', -1, 64)
	default:
		if !ranged {
			return a, fmt.Errorf("got %q, want %s=FROM..TO: only governor.target, governor.max and "+
				"governor.start have a range of their own", text, key)
		}
	}
	if ranged {
		var ok bool
		if low, high, ok = strings.Cut(between, ".."); !ok {
			return a, fmt.Errorf("got %q, want %s=FROM..TO", text, key)
		}
		own = ""
		if key == "governor.max" || key == "governor.start" {
			for _, v := range []string{low, high} {
				if _, err := strconv.Atoi(v); err != nil {
					return a, fmt.Errorf("%s: got %q, want whole numbers of processes", key, v)
				}
			}
		}
	}
	values, err := study.Spread(study.Value(low), study.Value(high), tried)
	if err != nil {
		return a, fmt.Errorf("%s: %w", key, err)
	}
	a.Values, a.Start = values, len(values)-1
	if own != "" {
		a.Values, a.Start = study.Among(values, own)
	} else if ranged {
		a.Start = len(values) / 2
	}
	for _, v := range []string{a.Values[0], a.Values[len(a.Values)-1]} { // both ends must be accepted
		if _, err := s.With(key + "=" + v); err != nil {
			return a, err
		}
	}
	a.refine()
	return a, nil
}

// refine adds all whole numbers between whole values, such as numbers of processes: the
// search tries the present values first. Where they are more than a thousand apart, none
// are added.
func (a *freeKey) refine() {
	all := []string{a.Values[0]}
	coarse := []int{0}
	for i, v := range a.Values[1:] {
		if whole := study.Between(a.Values[i], v); len(whole) > 2 {
			all = append(all, whole[1:len(whole)-1]...)
		}
		all = append(all, v)
		coarse = append(coarse, len(all)-1)
	}
	a.Values, a.Coarse, a.Start = all, coarse, coarse[a.Start]
}
