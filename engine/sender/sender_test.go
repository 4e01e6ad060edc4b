package sender

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/internal/roletest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// step is an input of the role and what it asks for.
type step struct {
	at   vt.Span
	in   any
	from engine.Address
	want string
}

type (
	wake  = roletest.Wake
	again = roletest.Again
)

func submit(m engine.Submitted) roletest.Input {
	return func(r engine.Durable, now vt.Time, out *engine.Outbox) { r.(*Server).Submit(now, m, out) }
}

func b(n mail.Server) engine.Address { return engine.Address{Role: engine.Remote, Server: n} }

var (
	c = engine.Address{Role: engine.Bounces}
	d = engine.Address{Role: engine.Requests}
	a = engine.Address{}
)

func sub(epoch, number uint32) engine.Subset {
	return engine.Subset{Job: 1, Epoch: epoch, Number: number}
}

func ends(all ...engine.Final) string { return engine.PackOutcomes(all) }

func done(r mail.Recipient) engine.Final { return engine.Final{Rcpt: r, Status: mail.Done} }

func progress(s engine.Subset, p engine.Checkpoint, sent vt.Span, ended, first uint64,
	outcomes string) engine.Progress {
	return engine.Progress{Subset: s, Checkpoint: p, Sent: vt.Time(sent), Ended: ended, First: first,
		Outcomes: outcomes}
}

// play gives a role of two delivering servers and six recipients its inputs.
func play(t *testing.T, steps []step) {
	t.Helper()
	playWith(t, func(*Config) {}, steps)
}

func playWith(t *testing.T, change func(*Config), steps []step) {
	t.Helper()
	cfg := Default(2)
	cfg.Batch = 2
	change(&cfg)
	if errs := cfg.Validate(); errs != nil {
		t.Fatal(errs)
	}
	var all []roletest.Step
	for _, v := range steps {
		all = append(all, roletest.Step{At: v.at, In: v.in, From: v.from, Want: v.want})
	}
	roletest.Play(t, func() engine.Durable { return New(cfg) }, all)
}

// planned is a mailing up to its plan: two servers with two processes and one.
var planned = []step{
	{0, submit(engine.Submitted{Job: 1, Recipients: 6}), a, "job 1 submitted: 6 recipients, due 0s"},
	{0, submit(engine.Submitted{Job: 1, Recipients: 6}), a, ""},
	{0, wake{}, a, `job 1 reached P100
		job 1 reached P200
		job 1 reached P300
		job 1 reached P400
		to remote 0: hire 4 processes for job 1
		to remote 1: hire 4 processes for job 1`},
	{vt.Second / 2, engine.Granted{Job: 1, Processes: 2}, b(0), ""},
	{vt.Second / 2, engine.Granted{Job: 1, Processes: 1}, b(1),
		`job 1, plan 1, subset 0 of 2 planned for server 0: r0-r3
		job 1, plan 1, subset 1 of 2 planned for server 1: r4-r5
		to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
		to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
	{vt.Second / 2, engine.Granted{Job: 1, Processes: 9}, b(0), ""}, // late: the plan stands
}

func after(more ...step) []step { return append(planned[:len(planned):len(planned)], more...) }

func TestMailing(t *testing.T) {
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P500, vt.Second/2, 0, 1, ""), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 500ms, 0 imported"},
		step{2 * vt.Second, wake{}, a, `to remote 0: start job 1, plan 1, subset 0, echo 500ms, 0 imported
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
		step{2 * vt.Second, progress(sub(1, 0), engine.P600, 2*vt.Second, 2, 1, ends(done(0), done(1))), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered
			to remote 0: start job 1, plan 1, subset 0, echo 2s, 2 imported`},
		// the same again, and one that was overtaken
		step{2 * vt.Second, progress(sub(1, 0), engine.P600, 2*vt.Second, 2, 1, ends(done(0), done(1))), b(0), ""},
		step{2 * vt.Second, progress(sub(1, 0), engine.P600, vt.Second, 1, 1, ends(done(0))), b(0), ""},
		// outcomes with a gap before them wait for those in between
		step{3 * vt.Second, progress(sub(1, 0), engine.P650, 3*vt.Second, 4, 4, ends(done(3))), b(0), ""},
		// of an older state the number of outcomes is not the last
		step{3 * vt.Second, progress(sub(1, 0), engine.P600, 2*vt.Second, 2, 1, ends(done(0), done(1))), b(0), ""},
		step{3 * vt.Second, progress(sub(1, 0), engine.P650, 3*vt.Second, 4, 2, ends(done(1), done(2))), b(0),
			`job 1, plan 1, subset 0 imported from 3 on: r2 delivered
			to remote 0: start job 1, plan 1, subset 0, echo 3s, 3 imported`},
		step{3 * vt.Second, progress(sub(1, 0), engine.P650, 4*vt.Second, 4, 4,
			ends(engine.Final{Rcpt: 3, Status: mail.Done, Ambiguous: true})), b(0),
			`job 1, plan 1, subset 0 imported from 4 on: r3 delivered (ambiguous)
			job 1, plan 1, subset 0 finished
			to remote 0: start job 1, plan 1, subset 0, echo 4s, 4 imported
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
		step{4 * vt.Second, again{}, a, ""},
		step{4 * vt.Second, wake{}, a, "to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes"},
		step{5 * vt.Second, progress(sub(1, 0), engine.P650, 5*vt.Second, 4, 5, ""), b(0),
			"to remote 0: drop job 1, plan 1, subset 0"},
		step{5 * vt.Second, progress(sub(1, 1), engine.P650, 5*vt.Second, 2, 1,
			ends(done(4), engine.Final{Rcpt: 5, Status: mail.Failed})), b(1),
			`job 1, plan 1, subset 1 imported from 1 on: r4 delivered, r5 failed
			job 1, plan 1, subset 1 finished
			closed: summary of job 1: 5 delivered, 1 failed, 0 held, 0 suppressed, 1 ambiguous
			to remote 1: start job 1, plan 1, subset 1, echo 5s, 2 imported
			to operator 0: summary of job 1: 5 delivered, 1 failed, 0 held, 0 suppressed, 1 ambiguous`},
		// no subset waits for what changes now
		step{5 * vt.Second, engine.Changes{First: 1, Entries: roletest.Changes(3)}, d,
			"r3 barred, number 1 of requests 0\nto requests 0: got up to 1"},
		// a lost report is sent again, after a stop too, until it is acknowledged
		step{6 * vt.Second, again{}, a, ""},
		step{6 * vt.Second, wake{}, a,
			"to operator 0: summary of job 1: 5 delivered, 1 failed, 0 held, 0 suppressed, 1 ambiguous"},
		step{7 * vt.Second, engine.Got{UpTo: 1}, a, "job 1 reported"},
		step{7 * vt.Second, engine.Got{UpTo: 1}, a, ""},
		step{8 * vt.Second, again{}, a, ""},
		step{8 * vt.Second, wake{}, a, ""},
	))
}

// A plan of which not all is written is made again; one that is whole stands, whatever servers offer now.
func TestPlanIsFrozen(t *testing.T) {
	hired := step{20 * vt.Second, wake{}, a, `to remote 0: hire 4 processes for job 1
		to remote 1: hire 4 processes for job 1`}
	play(t, after(
		step{20 * vt.Second, again{Facts: 6}, a, ""}, hired,
		step{20 * vt.Second, engine.Granted{Job: 1, Processes: 1}, b(0), ""},
		step{20 * vt.Second, engine.Granted{Job: 1, Processes: 2}, b(1),
			`job 1, plan 1, subset 0 of 2 planned for server 0: r0-r1
			job 1, plan 1, subset 1 of 2 planned for server 1: r2-r5
			to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r2-r5, 4 processes`},
		step{30 * vt.Second, again{}, a, ""},
		step{30 * vt.Second, engine.Granted{Job: 1, Processes: 2}, b(0), ""},
		step{30 * vt.Second, engine.Granted{Job: 1, Processes: 2}, b(1), ""},
		step{30 * vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r2-r5, 4 processes`},
	))
}

// A server that does not answer loses its subset after the patience, not before; what it tells later does not count.
func TestLostServer(t *testing.T) {
	idle := `to remote 0: start job 1, plan 1, subset 0, echo 1s, 1 imported
		to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`
	hire := "\nto remote 0: hire 4 processes for job 1\nto remote 1: hire 4 processes for job 1"
	taken := progress(sub(1, 1), engine.P500, 20*vt.Second, 0, 1, "")
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P600, vt.Second, 1, 1, ends(done(1))), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r1 delivered
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 1 imported`},
		step{18 * vt.Second, wake{}, a, idle},
		step{20 * vt.Second, wake{}, a, idle + hire}, // soon it is lost: which servers answer?
		step{20 * vt.Second, taken, b(1), "to remote 1: start job 1, plan 1, subset 1, echo 20s, 0 imported"},
		// a new process counts the patience from its beginning
		step{21 * vt.Second, again{}, a, ""},
		step{21 * vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
		step{41 * vt.Second, taken, b(1), "to remote 1: start job 1, plan 1, subset 1, echo 20s, 0 imported"},
		step{41 * vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: start job 1, plan 1, subset 1, echo 20s, 0 imported` + hire},
		step{41 * vt.Second, engine.Granted{Job: 1, Processes: 2}, b(0), ""}, // it answers, and has no progress
		step{42 * vt.Second, wake{}, a,
			`job 1, plan 2, subset 0 of 1 planned for server 1: r0 r2-r3, instead of plan 1, subset 0
			to remote 1: start job 1, plan 1, subset 1, echo 20s, 0 imported
			to remote 1: transfer job 1, plan 2, subset 0: r0 r2-r3, 4 processes` + hire},
		step{43 * vt.Second, progress(sub(1, 0), engine.P650, 43*vt.Second, 4, 2,
			ends(done(0), done(2), done(3))), b(0),
			"to remote 0: drop job 1, plan 1, subset 0"},
		step{43 * vt.Second, again{}, a, ""},
		step{43 * vt.Second, wake{}, a, `to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes
			to remote 1: transfer job 1, plan 2, subset 0: r0 r2-r3, 4 processes`},
	))
}

// Only a server that answered a moment ago takes over, with whatever it answered.
func TestOnlyWhoAnswersTakesOver(t *testing.T) {
	own := "to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes\n"
	play(t, after(
		step{21 * vt.Second, wake{}, a, "to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes\n" + own +
			hires(1, 4)},
		step{21 * vt.Second, engine.Granted{Job: 1}, b(1), ""},
		step{22 * vt.Second, wake{}, a,
			"job 1, plan 2, subset 0 of 1 planned for server 1: r0-r3, instead of plan 1, subset 0\n" + own +
				"to remote 1: transfer job 1, plan 2, subset 0: r0-r3, 4 processes\n" + hires(1, 4)},
	))
}

// A server that lost what it had gets it again.
func TestServerWithoutItsSubset(t *testing.T) {
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P500, vt.Second, 0, 1, ""), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported"},
		step{2 * vt.Second, progress(sub(1, 0), engine.P000, 2*vt.Second, 0, 1, ""), b(0), ""},
		step{3 * vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
	))
}

// Who is added again is no longer barred; a deletion or addition that changes nothing is not passed on.
func TestAdditions(t *testing.T) {
	changes := func(first uint64, all ...mail.Recipient) engine.Changes {
		return engine.Changes{First: first, Entries: roletest.Changes(all...)}
	}
	const added = roletest.Added
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P500, vt.Second, 0, 1, ""), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported"},
		step{vt.Second, changes(1, added|3), d, `r3 barred no longer, number 1 of requests 0
			to requests 0: got up to 1`},
		step{vt.Second, changes(1, added|3, 3, 3, added|3), d, `r3 barred, number 2 of requests 0
			r3 barred, number 3 of requests 0
			r3 barred no longer, number 4 of requests 0
			to requests 0: got up to 4
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported, bars from 1 on: r3 +r3`},
		step{vt.Second, changes(2, 3), d, "to requests 0: got up to 4"}, // late
		step{vt.Second, changes(1, 3), c, `r3 barred, number 1 of bounces 0
			to bounces 0: got up to 1
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported, bars from 1 on: r3 +r3`}, // two in a message
		step{2 * vt.Second, again{}, a, ""},
		step{2 * vt.Second, changes(5, added|3), d, `r3 barred no longer, number 5 of requests 0
			to requests 0: got up to 5`},
		step{2 * vt.Second, engine.Progress{Subset: sub(1, 0), Checkpoint: engine.P500, Barred: 1}, b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 0s, 0 imported, bars from 2 on: +r3 r3"},
		step{2 * vt.Second, engine.Progress{Subset: sub(1, 0), Checkpoint: engine.P600, Barred: 3}, b(0), ""},
		step{3 * vt.Second, wake{}, a, "to remote 0: start job 1, plan 1, subset 0, echo 0s, 0 imported, " +
			"bars from 4 on: +r3\nto remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes"},
	))
}

// Servers for returned mail and requests are asked for changes at their own times, also without a mailing.
func TestPull(t *testing.T) {
	pull := func(c, d int) string {
		return fmt.Sprintf("to bounces 0: pull changes after %d\nto requests 0: pull changes after %d", c, d)
	}
	deletion := engine.Changes{First: 1, Entries: roletest.Changes(3)}
	playWith(t, func(c *Config) { c.Pull = 5 * vt.Second }, []step{
		{0, wake{}, a, pull(0, 0)},
		{vt.Second, wake{}, a, ""},
		{5 * vt.Second, wake{}, a, pull(0, 0)},
		{6 * vt.Second, deletion, d, "r3 barred, number 1 of requests 0\nto requests 0: got up to 1"},
		{10 * vt.Second, wake{}, a, pull(0, 1)},
		{11 * vt.Second, again{}, a, ""},
		{11 * vt.Second, wake{}, a, pull(0, 1)},
		{12 * vt.Second, submit(engine.Submitted{Job: 1, Recipients: 6}), a, "job 1 submitted: 6 recipients, due 0s"},
		{12 * vt.Second, wake{}, a, prepared(1, 4)},
	})
}

// Changes of both sources count once and in order; servers get those that they do not have, a few at a time.
func TestChanges(t *testing.T) {
	changes := func(first uint64, all ...mail.Recipient) engine.Changes {
		return engine.Changes{First: first, Entries: roletest.Changes(all...)}
	}
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P500, vt.Second, 0, 1, ""), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported"},
		step{vt.Second, changes(1, 3), d, `r3 barred, number 1 of requests 0
			to requests 0: got up to 1
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported, bars from 1 on: r3`},
		step{vt.Second, changes(1, 3), d, "to requests 0: got up to 1"},
		step{vt.Second, changes(3, 5), d, "to requests 0: got up to 1"}, // number 2 is missing
		step{vt.Second, changes(1, 3, 1), c, `r3 barred, number 1 of bounces 0
			r1 barred, number 2 of bounces 0
			to bounces 0: got up to 2
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported, bars from 1 on: r3 r1`},
		step{vt.Second, changes(1, 3, 4, 5), d, `r4 barred, number 2 of requests 0
			r5 barred, number 3 of requests 0
			to requests 0: got up to 3
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 0 imported, bars from 1 on: r3 r1`},
		step{2 * vt.Second, again{}, a, ""},
		step{2 * vt.Second, changes(1, 3, 4, 5), d, "to requests 0: got up to 3"},
		step{2 * vt.Second, engine.Progress{Subset: sub(1, 0), Checkpoint: engine.P500, Barred: 3}, b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 0s, 0 imported, bars from 4 on: r5"},
	))
}

// A mailing waits for its time; while no server answers, servers are asked again.
func TestScheduled(t *testing.T) {
	hire := "to remote 0: hire 4 processes for job 1\nto remote 1: hire 4 processes for job 1"
	play(t, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6, Due: vt.Time(vt.Hour)}), a,
			"job 1 submitted: 6 recipients, due 1h"},
		{vt.Hour - 1, wake{}, a, ""},
		{vt.Hour - 1, engine.Granted{Job: 1, Processes: 2}, b(0), ""}, // of another life: there is no list yet
		{vt.Hour - 1, engine.Granted{Job: 1, Processes: 2}, b(1), ""},
		{vt.Hour - 1, again{}, a, ""},
		{vt.Hour - 1, wake{}, a, ""},
		{vt.Hour, wake{}, a, "job 1 reached P100\njob 1 reached P200\njob 1 reached P300\njob 1 reached P400\n" + hire},
		{vt.Hour + vt.Second, wake{}, a, hire},
		{vt.Hour + vt.Second, engine.Granted{Job: 1}, b(0), ""}, // no process is free there
		{vt.Hour + 2*vt.Second, wake{}, a, hire},
		{vt.Hour + 2*vt.Second, engine.Granted{Job: 1, Processes: 1}, b(0), ""},
		{vt.Hour + 3*vt.Second, wake{}, a, `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r5
			to remote 0: transfer job 1, plan 1, subset 0: r0-r5, 4 processes`},
	})
}

// However places and weights are, a cut has every recipient once, and each server its share to within one.
func TestCut(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var places []engine.Part
		var want []mail.Recipient
		at := mail.Recipient(0)
		for range 1 + luck.IntN(6) {
			p := engine.Part{From: at + mail.Recipient(luck.IntN(3))}
			p.To = p.From + 1 + mail.Recipient(luck.IntN(9))
			for at = p.From; at < p.To; at++ {
				want = append(want, at)
			}
			places = append(places, p)
		}
		weights, total := make([]int, 5), 0
		for i := range weights {
			weights[i] = luck.IntN(4)
			total += weights[i]
		}
		if total == 0 {
			continue
		}
		var got []mail.Recipient
		for i, part := range cut(places, weights) {
			n := 0
			for _, p := range part {
				for r := p.From; r < p.To; r++ {
					got = append(got, r)
					n++
				}
			}
			share := float64(len(want)*weights[i]) / float64(total)
			if math.Abs(float64(n)-share) >= 1 {
				t.Errorf("weights %v: server %d has %d of %d", weights, i, n, len(want))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("weights %v: got %v, want %v", weights, got, want)
		}
	}
}

// All problems of a configuration are returned. A server may deliver until its lease has ended by the slowest
// clock: patience is longer.
func TestValidate(t *testing.T) {
	c := Config{Check: 5 * vt.Second, Lease: 5 * vt.Second, Drift: 1, Patience: 5 * vt.Second}
	errs := c.Validate()
	text := fmt.Sprint(errs)
	for _, want := range []string{"servers", "processes", "size", "batch", "lease", "drift", "patience"} {
		if !strings.Contains(text, want+":") {
			t.Errorf("got %v, want a problem of %s", text, want)
		}
	}
	for _, v := range []struct {
		change func(*Config)
		valid  bool
	}{
		{func(c *Config) { c.Patience = c.Lease + c.Lease/100 }, true},
		{func(c *Config) { c.Patience = c.Lease + c.Lease/101 }, false},
		{func(c *Config) { c.Lease = c.Check + 1 }, true},
		{func(c *Config) { c.Lease = c.Check }, false},
		{func(c *Config) { c.Check = 0 }, false},
	} {
		c := Default(2)
		if v.change(&c); (c.Validate() == nil) != v.valid {
			t.Errorf("%+v: got %v, want valid: %v", c, c.Validate(), v.valid)
		}
	}
}

// Two mailings have places of their own in the list, also after a stop of the server.
func TestTwoMailings(t *testing.T) {
	second := engine.Subset{Job: 2, Epoch: 1}
	play(t, after(
		step{vt.Second, submit(engine.Submitted{Job: 2, First: 6, Recipients: 3}), a,
			"job 2 submitted: 3 recipients from r6 on, due 0s"},
		step{vt.Second, engine.Granted{Job: 2}, b(0), ""}, // of another life: there is no list yet
		step{vt.Second, wake{}, a, `job 2 reached P100
			job 2 reached P200
			job 2 reached P300
			job 2 reached P400
			to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes
			to remote 0: hire 4 processes for job 2
			to remote 1: hire 4 processes for job 2`},
		step{vt.Second, engine.Granted{Job: 2}, b(0), ""},
		step{vt.Second, engine.Granted{Job: 2, Processes: 1}, b(1),
			`job 2, plan 1, subset 0 of 1 planned for server 1: r6-r8
			to remote 1: transfer job 2, plan 1, subset 0: r6-r8, 4 processes`},
		step{2 * vt.Second, progress(second, engine.P650, vt.Second, 3, 1, ends(done(6), done(7), done(8))), b(1),
			`job 2, plan 1, subset 0 imported from 1 on: r6 delivered, r7 delivered, r8 delivered
			job 2, plan 1, subset 0 finished
			closed: summary of job 2: 3 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous
			to remote 1: start job 2, plan 1, subset 0, echo 1s, 3 imported
			to operator 0: summary of job 2: 3 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous`},
		step{3 * vt.Second, again{}, a, ``},
		step{3 * vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes
			to operator 0: summary of job 2: 3 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous`},
	))
}

func TestImpossibleMailings(t *testing.T) {
	for want, m := range map[string]engine.Submitted{
		"job 2 has places of job 1":                {Job: 2, First: 5, Recipients: 3},
		"job 2 has no recipients, want at least 1": {Job: 2, First: 6},
	} {
		s := New(Default(2))
		s.Submit(0, engine.Submitted{Job: 1, Recipients: 6}, &engine.Outbox{})
		panics(t, want, func() { s.Submit(0, m, &engine.Outbox{}) })
	}
}

func panics(t *testing.T, want string, do func()) {
	t.Helper()
	defer func() {
		if v := recover(); v == nil || !strings.Contains(v.(string), want) {
			t.Errorf("got %v, want a panic with %q", v, want)
		}
	}()
	do()
}

// A mailing has processes, a size, a priority and a rate of its own, after a stop of the server too.
func TestTerms(t *testing.T) {
	transfer := "to remote 0: transfer job 1, plan 1, subset 0: r0-r5, 2 processes, priority 7, 600/h"
	play(t, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6, Terms: engine.Terms{Processes: 2, Size: 5, Priority: 7,
			Rate: 600}}), a, "job 1 submitted: 6 recipients, due 0s"},
		{0, wake{}, a, `job 1 reached P100
			job 1 reached P200
			job 1 reached P300
			job 1 reached P400
			to remote 0: hire 2 processes for job 1
			to remote 1: hire 2 processes for job 1`},
		{0, engine.Granted{Job: 1, Processes: 2}, b(0), ""},
		{0, engine.Granted{Job: 1}, b(1), "job 1, plan 1, subset 0 of 1 planned for server 0: r0-r5\n" + transfer},
		{vt.Second, again{}, a, ""},
		{vt.Second, wake{}, a, transfer},
	})
}

// A plan that is given replaces the cut in proportion, and is frozen like it; what is planned anew is cut as ever.
func TestGivenPlan(t *testing.T) {
	odd := func(m engine.Submitted, granted []int) [][]engine.Part {
		if m.Job != 1 || m.Recipients != 6 || !slices.Equal(granted, []int{2, 1}) {
			t.Errorf("asked for a plan of %+v by %v", m, granted)
		}
		return [][]engine.Part{{{From: 4, To: 6}, {From: 0, To: 1}}, {{From: 1, To: 4}}}
	}
	steps := slices.Clone(planned)
	steps[len(steps)-2].want = `job 1, plan 1, subset 0 of 2 planned for server 0: r4-r5 r0
		job 1, plan 1, subset 1 of 2 planned for server 1: r1-r3
		to remote 0: transfer job 1, plan 1, subset 0: r4-r5 r0, 4 processes
		to remote 1: transfer job 1, plan 1, subset 1: r1-r3, 4 processes`
	playWith(t, func(c *Config) { c.Plan = odd }, append(steps,
		step{vt.Second, again{}, a, ""},
		step{vt.Second, wake{}, a, `to remote 0: transfer job 1, plan 1, subset 0: r4-r5 r0, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r1-r3, 4 processes`},
		step{22 * vt.Second, progress(sub(1, 1), engine.P500, 22*vt.Second, 0, 1, ""), b(1),
			"to remote 1: start job 1, plan 1, subset 1, echo 22s, 0 imported"},
		step{22 * vt.Second, wake{}, a,
			`job 1, plan 2, subset 0 of 1 planned for server 1: r4-r5 r0, instead of plan 1, subset 0
			to remote 1: start job 1, plan 1, subset 1, echo 22s, 0 imported
			to remote 1: transfer job 1, plan 2, subset 0: r4-r5 r0, 4 processes
			to remote 0: hire 4 processes for job 1
			to remote 1: hire 4 processes for job 1`},
	))
	for _, parts := range [][][]engine.Part{
		{{{From: 0, To: 3}}, {{From: 4, To: 6}}},
		{{{From: 0, To: 4}}, {{From: 3, To: 6}}},
		{{{From: 0, To: 7}}, nil},
		{nil, nil},
	} {
		cfg := Default(2)
		cfg.Plan = func(engine.Submitted, []int) [][]engine.Part { return parts }
		s := New(cfg)
		s.Submit(0, engine.Submitted{Job: 1, Recipients: 6}, &engine.Outbox{})
		s.Wake(0, nil, &engine.Outbox{})
		s.offer(s.jobs[0], 0, 1)
		panics(t, "want each of", func() { s.offer(s.jobs[0], 1, 1) })
	}
}

// A lost server whose recipients are all final leaves nothing to plan: its subset is finished.
func TestLostServerWithNothingLeft(t *testing.T) {
	idle := "to remote 0: start job 1, plan 1, subset 0, echo 1s, 4 imported"
	rest := progress(sub(1, 1), engine.P600, 22*vt.Second, 0, 1, "")
	play(t, after(
		step{vt.Second, progress(sub(1, 0), engine.P600, vt.Second, 4, 1, ends(done(0), done(1), done(2), done(3))),
			b(0), `job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered, r2 delivered, r3 delivered
			` + idle},
		step{22 * vt.Second, rest, b(1), "to remote 1: start job 1, plan 1, subset 1, echo 22s, 0 imported"},
		step{22 * vt.Second, wake{}, a, `job 1, plan 1, subset 0 finished
			to remote 1: start job 1, plan 1, subset 1, echo 22s, 0 imported
			to remote 0: hire 4 processes for job 1
			to remote 1: hire 4 processes for job 1`},
		step{22 * vt.Second, progress(sub(1, 1), engine.P650, 22*vt.Second, 2, 1, ends(done(4), done(5))), b(1),
			`job 1, plan 1, subset 1 imported from 1 on: r4 delivered, r5 delivered
			job 1, plan 1, subset 1 finished
			closed: summary of job 1: 6 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous
			to remote 1: start job 1, plan 1, subset 1, echo 22s, 2 imported
			to operator 0: summary of job 1: 6 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous`},
		step{30 * vt.Second, progress(sub(1, 0), engine.P650, 2*vt.Second, 4, 1, ""), b(0),
			"to remote 0: drop job 1, plan 1, subset 0"},
	))
}
