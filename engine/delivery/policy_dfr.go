package delivery

// Policies by the delivery failure rate ([0074]).
var (
	dfr = Policy{Name: "dfr", Doc: "goes by attempts per success ([0074])",
		Keys: []string{"low", "scope", "dfr_above", "dfr_below", "min_attempts", "dwell", "restore_after"},
		follow: func(r *Retry, limit int, now load) (int, bool) {
			if !now.dfrKnown {
				return limit, false
			}
			return r.between(limit, now.dfr, r.DFRBelow, r.DFRAbove)
		}}
	dfrFn = Policy{Name: "dfr-fn", Doc: "goes by attempts per success, in a straight line instead of two values",
		Keys: []string{"low", "scope", "dfr_above", "dfr_below", "min_attempts", "dwell"},
		follow: func(r *Retry, limit int, now load) (int, bool) {
			if !now.dfrKnown {
				return limit, false
			}
			return r.along(limit, now.dfr, r.DFRBelow, r.DFRAbove), false
		}}
)
