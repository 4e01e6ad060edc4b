package flyball_test

// Mistakes with requests: who may ask for what, what a look changes, and what is answered when.
var requestsMutants = []mutant{
	{"to look at a page unsubscribes", "realrun/requests/web.go", "{\"GET /u/{ticket}\", s.show}",
		"{\"GET /u/{ticket}\", s.act}"},
	{"any body unsubscribes", "realrun/requests/web.go", "	if !says(w, r, o.name, o.value) {\n",
		"	if !says(w, r, o.name, o.value) && false {\n"},
	{"one click may say more", "realrun/requests/web.go", "	return err == io.EOF\n", "	return true\n"},
	{"other sites press buttons", "realrun/requests/web.go", "http.NewCrossOriginProtection().Handler(mux)",
		"http.Handler(mux)"},
	{"a ticket to leave never ends", "realrun/requests/server.go", " && age <= int64(holds/day)",
		" && holds > 0"},
	{"a ticket is good for all", "realrun/requests/web.go", "	switch t.Purpose {\n	case " +
		"mail.ToLeave:\n		err = s",
		"	switch byte(mail.ToLeave) {\n	case mail.ToLeave:\n		err = s"},
	{"forged and true tickets of mail are one", "realrun/requests/post.go", "ok && s.ticket.Purpose == mail.ToLeave {",
		"ok || true {"},
	{"what is not kept is confirmed", "realrun/requests/web.go", "	if err != nil " +
		"{\n		later(w)\n		return\n	}\n",
		"	_ = err\n"},
	{"mail that is not kept is taken", "realrun/requests/post.go", "	case err != nil:\n		return &smtp",
		"	case false:\n		return &smtp"},
	{"who returned cannot leave again", "realrun/requests/desk.go", "	return s.changes << 1\n", "	return 0\n"},
	{"an old confirmation counts", "realrun/requests/desk.go", "		return s.changes<<1 | 1\n",
		"		return 1\n"},
	{"a vacation unsubscribes", "realrun/requests/post.go", "	case !ok || l.Automatic:\n", "	case !ok:\n"},
	{"programs are answered", "realrun/requests/post.go", "!s.of.cfg.Confirm || l.Automatic {", "!s.of.cfg.Confirm {"},
	{"a list's mail is a person's", "internal/returned/letter.go", "		l.Automatic = l.Automatic || " +
		"m.header.Has(name)\n",
		"		_ = name\n"},
	{"an address is mailed as often as the form is sent", "realrun/requests/form.go",
		"		if b.spent[l.what] >= l.most {\n", "		if l.what == \"all\" && b.spent[l.what] >= l.most {\n"},
	{"a stop renews the budget", "realrun/requests/server.go",
		"			s.budget.spend(&cfg, a.At, a.Address, a.Network)\n", "			_ = a\n"},
	{"a stranger chooses the network", "realrun/requests/form.go", "all[len(all)-1]", "all[0]"},
	{"a form that comes back at once is a person's", "realrun/requests/form.go", "!ok || took < s.cfg.Fill",
		"!ok || took < 0"},
	{"who fills in every field is a person", "realrun/requests/form.go", "given.Get(\"website\") != \"\"", "false"},
	{"a folder is read once", "realrun/requests/folder.go", "		case <-tick.C:\n			if err := " +
		"g.update(); err != nil {",
		"		case <-tick.C:\n			if err := error(nil); err != nil {"},
	{"a click does not reach the run", "cmd/flyball/internal/live/gone.go", "		if !gone.Has(r) {\n",
		"		if true {\n"},
	{"the ID of another message is an own one", "realrun/message/message.go",
		"err == nil && subtle.ConstantTimeCompare(m.appendID(nil), []byte(id)) == 1",
		"err == nil && subtle.ConstantTimeCompare(nil, nil) == 1"},
}
