package flyball_test

// Mistakes in searches, studies and their statistics.
var studiesMutants = []mutant{
	{"a race tests as if nobody else ran", "sim/tune/race.go", "level = alarm / (float64(s.tests) * float64(s.tests+1) * float64(len(field)-1))", "level = alarm"},
	{"a constraint that is missed counts as met", "sim/tune/race.go", "if !(over <= rounding) {", "if !(over <= 1) {"},
	{"held-out luck is the luck of the search", "sim/tune/judge.go", "study.FirstHeldOut+uint64(k)", "uint64(k)"},
	{"a scenario held out enters the score", "sim/tune/judge.go", "	b := &bench{Tuning: t, run: run}\n	s := &search", "	t.Training = len(t.Names)\n	b := &bench{Tuning: t, run: run}\n	s := &search"},
	{"the loss where the search was counts the scenarios held out", "sim/tune/judge.go", "here := losses(0, b.Training)", "here := losses(0, n)"},
	{"runs that are the same are made again for more seeds", "sim/tune/race.go", "		case as != nil:\n", "		case as != nil && seeds < 0:\n"},
	{"a flat direction is searched", "sim/tune/local.go", "t == nil || t == from ||", "t != from ||"},
	{"one seed shows that a parameter does not matter", "sim/tune/local.go", "range []int{1, n} {", "range []int{1} {"},
	{"a mean of counts has Student's interval, however skewed", "internal/stats/bounded.go", "in.Rare || n < Few || skewed > skewSeen || gathered(x)", "in.Rare || n < Few"},
	{"what was not seen is no worse than what was", "internal/stats/bounded.go", "above = min(above, x[n-1]+reach*(x[n-1]-median))", "above = x[n-1]"},
	{"nothing but zeros is certain", "internal/stats/bounded.go", "	if equal(x) && !in.Rare {\n		i.Low, i.High = math.Inf(-1), math.Inf(1)\n", "	if equal(x) && !in.Rare {\n"},
	{"an interval goes beyond what is possible", "internal/stats/bounded.go", "max(below, x[0]-reach", "min(x[0], x[0]-reach"},
	{"rare events are no worse than what was seen", "internal/stats/bounded.go", "	if !in.Rare || math.IsInf(above, 1) {\n", "	if true {\n"},
	{"weights are counted with the wrong side", "internal/stats/bounded.go", "float64(b/(a+b)*chance[j]) + float64(a/(a+b)*chance[j+1])", "float64(a/(a+b)*chance[j]) + float64(b/(a+b)*chance[j+1])"},
	{"each bound has the whole probability outside", "internal/stats/bounded.go", "gaffke(x, i, in, tail(level))", "gaffke(x, i, in, 2*tail(level))"},
	{"a clock time counts from the midnight of the start", "internal/vt/clock.go", "t := Span(at-c.Start)*Second - ", "t := Span(at-c.Start.day())*Second - "},
	{"clocks do not change", "internal/vt/clock.go", "t := Span(at-c.Start)*Second - (o.Ahead - c.Offsets[0].Ahead)", "t := Span(at-c.Start) * Second"},
	{"of two times that a clock shows the first counts", "internal/vt/clock.go", "	case len(found) == 1:\n", "	case len(found) >= 1:\n"},
	{"the search for changes of a clock stops at the first", "internal/vt/clock.go", "		return t.Add(24 * time.Hour)\n", "		return time.Time{}\n"},
	{"a start that is twice is the first", "internal/vt/clock.go", "	case 2:\n", "	case 3:\n"},
	{"the rate of a sweep stands alone", "scenarios/study/design.go", "	s.Metrics = beside(s.Config)\n", ""},
}
