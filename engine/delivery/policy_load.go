package delivery

// Policies by the load of the server, alone ([0073], [0077]).
var (
	alloc = Policy{Name: "alloc", Doc: "goes by allocated processes ([0073])",
		Keys: []string{"low", "when", "load_above", "load_below", "processes", "dwell", "restore_after"},
		follow: func(r *Retry, limit int, now load) (int, bool) {
			return r.between(limit, now.allocated, r.LoadBelow, r.LoadAbove)
		}}
	util = Policy{Name: "util", Doc: "goes by utilization ([0077])",
		Keys: []string{"low", "load_above", "load_below", "dwell", "restore_after"},
		follow: func(r *Retry, limit int, now load) (int, bool) {
			return r.between(limit, now.utilization, r.LoadBelow, r.LoadAbove)
		}}
	utilFn = Policy{Name: "util-fn", Doc: "goes by utilization, in a straight line instead of two values",
		Keys: []string{"low", "load_above", "load_below", "dwell"},
		follow: func(r *Retry, limit int, now load) (int, bool) {
			return r.along(limit, now.utilization, r.LoadBelow, r.LoadAbove), false
		}}
)
