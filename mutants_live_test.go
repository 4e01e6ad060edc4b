package flyball_test

// Mistakes in live bytes: SMTP, messages, lists and the sink.
var liveMutants = []mutant{
	{"live, no message is known to be let in", "realrun/sink/wire.go", "w.end(!e.Ends())", "w.end(false)"},
	{"live, a kept connection asks nothing", "realrun/sink/wire.go", "			if !w.begun {\n", "			if false {\n"},
	{"live, a connection that is closed counts on", "realrun/sink/wire.go", "func(r *netmodel.Receiver, _ vt.Time) { r.Close(&w.conn) }", "func(r *netmodel.Receiver, _ vt.Time) {}"},
	{"a completion at the horizon is lost", "realrun/realrun.go", "				r.ended <- e // there is room, since e came from there\n", ""},
}
