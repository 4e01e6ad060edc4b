package flyball_test

// Mistakes in what the command line says and refuses.
var commandsMutants = []mutant{
	{"what is no control character is printed", "cmd/flyball/internal/terminal/terminal.go", "unicode.IsGraphic(r) && ", "!unicode.IsControl(r) && "},
	{"colours of others pass", "cmd/flyball/internal/terminal/terminal.go", "if text[0] == '\\x1b' && colored {", "if text[0] == '\\x1b' {"},
	{"any table is as good as the parent", "internal/tomlfile/unknown.go", "	for i, t := range slices.Backward(around) {\n		if _, ok", "	for i, t := range around {\n		if _, ok"},
	{"what stands elsewhere is missing too", "internal/tomlfile/unknown.go", "			d.mention(conf.Below(t.path, name)) // it is not missing there: it is here\n", ""},
	{"all problems are shown", "internal/tomlfile/problem.go", "max(0, len(faults)-mostShown)", "0"},
	{"a list that has changed is not noticed", "reports/run/recipients.go", "if err == nil && next < len(r.Outcomes) {", "if false {"},
	{"suppressed addresses have no row", "realrun/mailing.go", "if err := each(m.skipped[next].address, true); err != nil {", "if err := error(nil); err != nil {"},
	{"suppressed addresses take a recipient's row", "realrun/census.go", "return each(row.Address.String(), suppressed.Has(row.Address))", "return each(row.Address.String(), suppressed.Has(row.Address) && false)"},
	{"a resumed run forgets who ended before", "sim/checkpoint.go", "w.outcomes().State(c)", "_ = w.outcomes()"},
	{"recipients are kept by default however many there are", "cmd/flyball/internal/task/recipients.go", "return n <= run.KeptBySize ||", "return true ||"},
	{"completion proposes the suite unasked", "cmd/flyball/internal/completion/completion.go", "	if toComplete != \"\" {\n		for _, d", "	if true {\n		for _, d"},
	{"completion forgets the element that is named", "cmd/flyball/internal/completion/completion.go", "one, named = named[0], named[1:]",
		"one, named = \"[0]\", named[1:]"},
	{"completion proposes all keys at once", "cmd/flyball/internal/completion/completion.go", "case strings.Contains(at[len(said):], \".\"):", "case false:"},
	{"files for numbers", "cmd/flyball/internal/completion/completion.go", "			v = cobra.NoFileCompletions\n", "			v = files\n"},
	{"a line of the manual is a request", "cmd/flyball/internal/manual/manual.go", "line = `\\&` + line", "_ = line"},
	{"flags that are missing in the manual", "cmd/flyball/internal/manual/manual.go", "		p.flags(sub.LocalNonPersistentFlags())\n", ""},
	{"every build has changes", "cmd/flyball/main.go", "s.Value == \"true\"", "s.Value != \"\""},
	{"C before for processes that are wanted", "cmd/flyball/govern.go", "Previous: format.Num(d.Previous)",
		"Previous: format.Num(d.Target)"},
	{"every validation is well", "cmd/flyball/validate.go", "all.Valid = bad == 0", "all.Valid = true"},
	{"a list that is wider than it should be", "cmd/flyball/scenario.go", "width-len(\" ...\")", "width"},
	{"a record in force that is not", "cmd/flyball/promote.go", "		if wrong == nil {\n			file.InForce", "		if true {\n			file.InForce"},
}
