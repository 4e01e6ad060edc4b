package flyball_test

// Mistakes in what the command line says and refuses.
var commandsMutants = []mutant{
	{"what is no control character is printed", "cmd/flyball/terminal.go", "unicode.IsGraphic(r) && ", "!unicode.IsControl(r) && "},
	{"colours of others pass", "cmd/flyball/terminal.go", "if text[0] == '\\x1b' && colored {", "if text[0] == '\\x1b' {"},
	{"any table is as good as the parent", "scenarios/unknown.go", "	for i, t := range slices.Backward(around) {\n		if _, ok", "	for i, t := range around {\n		if _, ok"},
	{"what stands elsewhere is missing too", "scenarios/unknown.go", "			b.mention(below(t.path, name)) // it is not missing there: it is here\n", ""},
	{"all problems are shown", "scenarios/problem.go", "max(0, len(faults)-mostShown)", "0"},
	{"a list that has changed is not noticed", "reports/run/recipients.go", "if err == nil && next < len(r.Outcomes) {", "if false {"},
	{"suppressed addresses have no row", "realrun/mailing.go", "if err := each(m.skipped[next].address, true); err != nil {", "if err := error(nil); err != nil {"},
	{"suppressed addresses take a recipient's row", "realrun/census.go", "return each(row.Address.String(), suppressed.Has(row.Address))", "return each(row.Address.String(), suppressed.Has(row.Address) && false)"},
	{"a resumed run forgets who ended before", "sim/checkpoint.go", "w.outcomes().State(c)", "_ = w.outcomes()"},
	{"recipients are kept by default however many there are", "cmd/flyball/internal/task/recipients.go", "return n <= run.KeptBySize ||", "return true ||"},
}
