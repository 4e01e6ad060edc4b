package flyball_test

// Mistakes in the laws and what they measure.
var governorMutants = []mutant{
	{"a ramp of the target begins from the first one", "governor/config.go", "to = target + float64(",
		"to = float64(c.Target) + float64("},
	{"what was missed is forgotten", "governor/faults.go", "s, g.unread = g.unread.and(s), Sample{}",
		"g.unread = Sample{}"},
	{"a reset loses deliveries alone", "governor/faults.go", "Sample{Span: s.Span, TargetRate",
		"Sample{Span: s.Span, Timeouts: s.Timeouts, TargetRate"},
	{"d is not scaled by S", "governor/config.go", "return float64(perDay * hours / 24)", "return float64(perDay / 8)"},
	{"U is not applied to the step", "governor/patent.go", "return float64(g.step * utilization)", "return g.step"},
	{"U is taken of the new C", "governor/law.go", "d.Utilization = d.Allocated / g.available",
		"d.Utilization = d.Allocated / (g.available + g.step)"},
	{"C may fall by twice d", "governor/patent.go", "max(c-d.Step, d.Target)", "max(c-2*d.Step, d.Target)"},
	{"work under way counts as slow work", "governor/governor.go",
		"return float64(s.Attempts) * float64(s.AttemptTime.Hours()/s.Span.Hours())", "return s.Allocated"},
	{"the first interval of a burst of failures is believed", "governor/regulator.go", "if g.bursts == 1 {",
		"if g.bursts == 0-1 {"},
	{"C stays where attempts time out", "governor/regulator.go", "wanted = b.ceiling.retreat(c)",
		"wanted = min(wanted, c)"},
	{"the slope is never learned", "governor/scaling.go",
		"s.slope = min(max(s.slope+float64(s.both/spread*off), greatestFall), 0)", "s.slope += 0 * off"},
	{"there is no cliff", "governor/ceiling.go", "l.cliff, l.stood, l.wait = l.fell, 0, firstProbe",
		"l.stood, l.wait = 0, firstProbe"},
	{"C is rounded, not floored", "governor/governor.go", "math.Floor(", "math.Round("},
}
