package retry

import "math"

// Policies by the load of the server, alone ([0073], [0077]).
var (
	alloc = Policy{Name: "alloc", Doc: "goes by allocated processes ([0073])",
		Keys: []string{"low", "when", "load_above", "load_below", "processes", "dwell", "restore_after"},
		follow: func(r *Config, limit int, now load) (int, bool) {
			return r.between(limit, now.allocated, r.LoadBelow, r.LoadAbove)
		}}
	util = Policy{Name: "util", Doc: "goes by utilization ([0077])",
		Keys: []string{"low", "load_above", "load_below", "dwell", "restore_after"},
		follow: func(r *Config, limit int, now load) (int, bool) {
			return r.between(limit, now.utilization, r.LoadBelow, r.LoadAbove)
		}}
	utilFn = Policy{Name: "util-fn", Doc: "goes by utilization, in a straight line instead of two values",
		Keys: []string{"low", "load_above", "load_below", "dwell"},
		follow: func(r *Config, limit int, now load) (int, bool) {
			return r.along(limit, now.utilization, r.LoadBelow, r.LoadAbove), false
		}}
)

// Policies by the delivery failure rate ([0074]).
var (
	dfr = Policy{Name: "dfr", Doc: "goes by attempts per delivery ([0074])",
		Keys: []string{"low", "scope", "dfr_above", "dfr_below", "min_attempts", "dwell", "restore_after"},
		follow: func(r *Config, limit int, now load) (int, bool) {
			if !now.dfrKnown {
				return limit, false
			}
			return r.between(limit, now.dfr, r.DFRBelow, r.DFRAbove)
		}}
	dfrFn = Policy{Name: "dfr-fn", Doc: "goes by attempts per delivery, in a straight line instead of two values",
		Keys: []string{"low", "scope", "dfr_above", "dfr_below", "min_attempts", "dwell"},
		follow: func(r *Config, limit int, now load) (int, bool) {
			if !now.dfrKnown {
				return limit, false
			}
			return r.along(limit, now.dfr, r.DFRBelow, r.DFRAbove), false
		}}
)

// Policies by allocated processes and the delivery failure rate together
// ([0075]).
var (
	bothA = Policy{Name: "both-a", Doc: "goes by allocated processes and, below their first value, by attempts per " +
		"delivery ([0075])",
		Keys: []string{"low", "load_above", "processes", "dfr_above", "dfr_below", "min_attempts", "dwell",
			"restore_after"},
		follow: func(r *Config, limit int, now load) (int, bool) { // [0075], first example
			if now.allocated > r.LoadAbove {
				return r.Low, true
			}
			if now.allocated < r.LoadAbove && now.dfrKnown {
				return r.between(limit, now.dfr, r.DFRBelow, r.DFRAbove)
			}
			return limit, false
		}}
	bothFn = Policy{Name: "both-fn", Doc: "goes by a table of both ([0075])",
		Keys: []string{"processes", "table", "min_attempts", "dwell"},
		follow: func(r *Config, limit int, now load) (int, bool) { // [0075], second example
			if !now.dfrKnown {
				return limit, false
			}
			to := r.Limit
			for _, row := range r.Table {
				if now.allocated > row.Allocated && now.dfr > row.DFR {
					to = min(to, row.Limit)
				}
			}
			return to, false
		}}
)

// Policies by the stage of a campaign ([0076]). The stage goes one way only, so
// the limit needs no dwelling.
var (
	stage = Policy{Name: "stage", Doc: "goes by the share of a campaign's recipients that remain ([0076])",
		Keys: []string{"low", "when", "late", "inverse"},
		stage: func(r *Config, remaining float64) int {
			if (remaining < r.Late) != r.Inverse {
				return r.Low
			}
			return r.Limit
		}}
	stageFn = Policy{Name: "stage-fn", Doc: "goes by the same share, in a straight line instead of two values",
		Keys: []string{"low", "when", "inverse"},
		stage: func(r *Config, remaining float64) int {
			if r.Inverse {
				remaining = 1 - remaining
			}
			return r.Low + int(math.Floor(float64(float64(r.Limit-r.Low)*remaining)+0.5))
		}}
)
