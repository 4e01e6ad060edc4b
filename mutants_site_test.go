package flyball_test

// Mistakes in a whole system of servers.
var siteMutants = []mutant{
	{"a station of a site may be there twice", "site/site.go",
		"		l.Check(!names[name], at+\".role\", \"got a second %s, want one\", name)\n", ""},
	{"numbers of delivering servers have gaps", "site/site.go", "for n := 2; n < most && n < 1000; n++ {",
		"for n := 2; false; n++ {"},
	{"two stations share a folder", "site/site.go", "			folders[folder] = true\n", ""},
	{"a lease ends before it is renewed", "site/site.go", "l.Check(s.Lease > s.Check,", "l.Check(true,"},
	{"paths are seen from where the command is", "site/site.go", "c.Settle(filepath.Dir(name))", "c.Settle(\"\")"},
	{"a mailing that is moved again gets another number", "cmd/flyball/internal/serve/pending.go",
		"if m.Secret == secret {", "if false {"},
	{"a mailing leaves the queue before the role has it", "cmd/flyball/internal/serve/pending.go",
		"	if err := submit(ctx, m, p); err != nil {\n		return err\n	}\n	return remove(dir)\n",
		"	if err := remove(dir); err != nil {\n		return err\n	}\n	return submit(ctx, m, p)\n"},
	{"a letter is not checked before it is in the queue", "cmd/flyball/internal/serve/pending.go",
		"return nil, task.Error{Kind: task.Invalid, Err: err}\n	}\n	return m, nil\n", "}\n	return m, nil\n"},
	{"anybody on the computer may read a secret", "cmd/flyball/internal/serve/keys.go",
		"	if err := os.Chmod(name, 0o600); err != nil {\n		return err\n	}\n", ""},
	{"a site mails people", "cmd/flyball/internal/serve/load.go",
		"	safe := receiver.Addr().Unmap().IsLoopback()\n", "	safe := receiver.IsValid()\n"},
	{"a killed server still writes", "cmd/flyball/internal/serve/process.go",
		"	if f.disk.cut.Load() {\n		return 0, errCut\n	}\n", ""},
	{"all mailings have the return paths of the first", "cmd/flyball/internal/serve/letters.go",
		"m.keys.Secret.VERP(own, t, domain)", "(*l.all.Load())[0].keys.Secret.VERP(own, t, domain)"},
}
