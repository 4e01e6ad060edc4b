package trials

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/internal/unit"
	"flyball/reports/compare"
)

// margins returns the metrics of a gate, those called of among them, with the margins in
// asked, each of them metric=5%, metric=5%+FLOOR or metric=none. The error has all that
// cannot be read.
func margins(of, asked []string) ([]compare.Metric, error) {
	all := compare.Metrics()
	var wrong []error
	// at returns the place of a metric in all, where it is added if it is not there.
	at := func(flag, name string) int {
		m, ok := compare.MetricNamed(name)
		if !ok {
			wrong = append(wrong, task.Fail(task.Usage, "%s: got metric %q, want one of %s%s", flag, name,
				strings.Join(compare.Names(), ", "), conf.DidYouMean(name, compare.Names())))
			return -1
		}
		i := slices.IndexFunc(all, func(x compare.Metric) bool { return x.Name == m.Name })
		if i < 0 {
			i, all = len(all), append(all, m)
		}
		return i
	}
	for _, name := range of {
		at("--of", name)
	}
	for _, entry := range asked {
		name, text, ok := strings.Cut(entry, "=")
		i := at("--margin", name)
		if i < 0 {
			continue
		}
		m := &all[i]
		if text == "none" {
			m.Gated = false
			continue
		}
		share, floor, floored := strings.Cut(text, "+")
		v, err := unit.ParseShare(share)
		f := 0.0
		if floored && err == nil {
			f, err = strconv.ParseFloat(strings.TrimSpace(floor), 64)
		}
		if !ok || err != nil || !(v >= 0 && v <= 100) || !(f >= 0 && f <= 1e12) {
			wrong = append(wrong, task.Fail(task.Usage,
				"--margin: got %q, want metric=5%%, metric=5%%+FLOOR or metric=none", entry))
			continue
		}
		if m.More && compare.Guard*v >= 1 {
			wrong = append(wrong, task.Fail(task.Usage,
				"--margin: got %q, want less than 33%% of %s, of which more is "+
					"better: a single scenario has %d times the margin", entry, m.Name, compare.Guard))
			continue
		}
		m.Gated, m.Margin = true, v
		if floored {
			m.Floor, m.FloorShare = f, 0
		}
	}
	return all, errors.Join(wrong...)
}
