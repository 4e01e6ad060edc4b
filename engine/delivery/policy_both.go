package delivery

// Policies by allocated processes and the delivery failure rate together
// ([0075]).
var (
	bothA = Policy{Name: "both-a", Doc: "goes by allocated processes and, below their first value, by attempts per " +
		"success ([0075])",
		Keys: []string{"low", "load_above", "processes", "dfr_above", "dfr_below", "min_attempts", "dwell",
			"restore_after"},
		follow: func(r *Retry, limit int, now load) (int, bool) { // [0075], first example
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
		follow: func(r *Retry, limit int, now load) (int, bool) { // [0075], second example
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
