package trials

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"flyball/cmd/flyball/internal/task"
	"flyball/internal/conf"
	"flyball/reports/compare"
)

// margins returns the metrics of a gate with the margins in asked, each of them
// metric=5%, metric=5%+FLOOR or metric=none. The error has all that cannot be read.
func margins(asked []string) ([]compare.Metric, error) {
	all := compare.Metrics()
	var wrong []error
	for _, entry := range asked {
		name, text, ok := strings.Cut(entry, "=")
		i := slices.IndexFunc(all, func(m compare.Metric) bool { return m.Name == name })
		if i < 0 {
			var known []string
			for _, m := range all {
				known = append(known, m.Name)
			}
			wrong = append(wrong, task.Fail(task.Usage, "--margin: got metric %q, want one of %s%s", name,
				strings.Join(known, ", "), conf.DidYouMean(name, known)))
			continue
		}
		m := &all[i]
		if text == "none" {
			m.Gated = false
			continue
		}
		share, floor, floored := strings.Cut(text, "+")
		digits, percent := strings.CutSuffix(strings.TrimSpace(share), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if percent {
			v /= 100
		}
		f := 0.0
		if floored && err == nil {
			f, err = strconv.ParseFloat(strings.TrimSpace(floor), 64)
		}
		if !ok || err != nil || !(v >= 0 && v <= 100) || !(f >= 0 && f <= 1e12) {
			wrong = append(wrong, task.Fail(task.Usage,
				"--margin: got %q, want metric=5%%, metric=5%%+FLOOR or metric=none", entry))
			continue
		}
		m.Gated, m.Margin = true, v
		if floored {
			m.Floor, m.FloorShare = f, 0
		}
	}
	return all, errors.Join(wrong...)
}
