package delivery

import "math"

// Policies by the stage of a campaign ([0076]). The stage goes one way only, so
// the limit needs no dwelling.
var (
	stage = Policy{Name: "stage", Doc: "goes by the share of a campaign's recipients that remain ([0076])",
		Keys: []string{"low", "when", "late", "inverse"},
		stage: func(r *Retry, remaining float64) int {
			if (remaining < r.Late) != r.Inverse {
				return r.Low
			}
			return r.Limit
		}}
	stageFn = Policy{Name: "stage-fn", Doc: "goes by the same share, in a straight line instead of two values",
		Keys: []string{"low", "when", "inverse"},
		stage: func(r *Retry, remaining float64) int {
			if r.Inverse {
				remaining = 1 - remaining
			}
			return r.Low + int(math.Floor(float64(float64(r.Limit-r.Low)*remaining)+0.5))
		}}
)
