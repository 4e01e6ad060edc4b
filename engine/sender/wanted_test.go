package sender

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Processes are recipients / (hours to the deadline x efficiency), rounded up ([0031], [0083]).
func TestNeeded(t *testing.T) {
	for _, v := range []struct {
		recipients int
		in         vt.Span
		efficiency float64
		want       int
	}{
		{140000, vt.Hour, 700, 200}, // [0065], [0068]
		{1000, 2 * vt.Hour, 100, 5},
		{1001, 2 * vt.Hour, 100, 6},
		{1, vt.Hour / 2, 700, 1},
		{0, vt.Hour, 700, 0},
		{1, 0, 700, math.MaxInt32},
		{1, -vt.Hour, 700, math.MaxInt32},
		{1, vt.Hour, 0, math.MaxInt32},
	} {
		if got := needed(v.recipients, v.in, v.efficiency); got != v.want {
			t.Errorf("%+v: got %d", v, got)
		}
	}
}

// prepared is what a mailing writes before its servers are asked.
func prepared(job int, hire int) string {
	s := ""
	for _, p := range []int{100, 200, 300, 400} {
		s += fmt.Sprintf("job %d reached P%d\n", job, p)
	}
	return s + hires(job, hire)
}

func hires(job int, n int) string {
	hire := fmt.Sprintf("hire %d processes for job %d", n, job)
	return "to remote 0: " + hire + "\nto remote 1: " + hire
}

func granted(job, n int) engine.Granted { return engine.Granted{Job: engine.Job(job), Processes: n} }

// A deadline in an hour asks for three processes. Servers keep two each: they get two and one, and their share.
func TestDeadline(t *testing.T) {
	slow := func(c *Config) { c.Efficiency = 2 }
	transfers := `to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 2 processes
		to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 1 processes`
	playWith(t, slow, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6, Deadline: vt.Time(vt.Hour)}), a,
			"job 1 submitted: 6 recipients, due 0s, deadline 1h"},
		{0, wake{}, a, prepared(1, 3)},
		{0, granted(1, 2), b(0), ""},
		{0, granted(1, 2), b(1), `job 1, plan 1, subset 0 of 2 planned for server 0: r0-r3
			job 1, plan 1, subset 1 of 2 planned for server 1: r4-r5
			` + transfers},
		{vt.Second, again{}, a, ""},
		{vt.Second, wake{}, a, transfers},
	})
	late := "summary of job 1: 2 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous, late by 30m"
	ended := progress(sub(1, 0), engine.P650, vt.Second, 2, 1, ends(done(0), done(1)))
	playWith(t, slow, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 2, Due: vt.Time(vt.Hour), Deadline: vt.Time(vt.Hour)}), a,
			"job 1 submitted: 2 recipients, due 1h, deadline 1h"},
		{vt.Hour, wake{}, a, prepared(1, 4)}, // no time is left: as many as there are
		{vt.Hour, granted(1, 1), b(0), ""},
		{vt.Hour, granted(1, 0), b(1), `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r1
			to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 4 processes`},
		{90 * vt.Minute, ended, b(0), `job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered
			job 1, plan 1, subset 0 finished
			closed: ` + late + `
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 2 imported
			to operator 0: ` + late},
		{91 * vt.Minute, again{}, a, ""},
		{91 * vt.Minute, wake{}, a, "to operator 0: " + late},
	})
}

// A server gets the next chunk when it keeps processes and has begun the one before. The mailing ends with the list,
// and not with a chunk.
func TestChunks(t *testing.T) {
	ends := func(epoch uint32) step {
		return step{vt.Second, engine.Tally{Subset: sub(epoch, 0), Delivered: 2}, b(1),
			fmt.Sprintf("tallied: job 1, plan %d, subset 0: 2 delivered, 0 failed, 0 held", epoch)}
	}
	playWith(t, func(c *Config) { c.Chunk = 2 }, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6}), a, "job 1 submitted: 6 recipients, due 0s"},
		{0, wake{}, a, prepared(1, 4)},
		{0, granted(1, 0), b(0), ""},
		{0, granted(1, 2), b(1), `job 1, plan 1, subset 0 of 1 planned for server 1: r0-r1
			to remote 1: transfer job 1, plan 1, subset 0: r0-r1, 4 processes`},
		{0, progress(sub(1, 0), engine.P500, 1, 0, 1, ""), b(1),
			"to remote 1: start job 1, plan 1, subset 0, echo 0s, 0 imported"},
		{0, granted(1, 2), b(1), ""},
		{0, progress(sub(1, 0), engine.P600, 2, 0, 1, ""), b(1), ""},
		{0, granted(1, 2), b(1), `job 1, plan 2, subset 0 of 1 planned for server 1: r2-r3
			to remote 1: transfer job 1, plan 2, subset 0: r2-r3, 4 processes`},
		ends(1), ends(2),
	})
}

// playChunks gives a role inputs after the first chunks of a list: of three processes for six recipients in an hour
// server 0 has two, and server 1 the last.
func playChunks(t *testing.T, more ...step) {
	t.Helper()
	playWith(t, func(c *Config) { c.Efficiency, c.Chunk = 2, 2 }, append([]step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6, Deadline: vt.Time(vt.Hour)}), a,
			"job 1 submitted: 6 recipients, due 0s, deadline 1h"},
		{0, wake{}, a, prepared(1, 3)},
		{0, granted(1, 2), b(0), `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r1
			to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 2 processes`},
		{0, granted(1, 2), b(1), `job 1, plan 2, subset 0 of 1 planned for server 1: r2-r3
			to remote 1: transfer job 1, plan 2, subset 0: r2-r3, 1 processes`},
	}, more...))
}

// Chunks share what the deadline asks for. While all is in use a server gets no chunk.
func TestDeadlineOfChunks(t *testing.T) {
	second := engine.Subset{Job: 1, Epoch: 2}
	rest := "to remote 1: transfer job 1, plan 2, subset 0: r2-r3, 1 processes\n" + hires(1, 2)
	playChunks(t,
		step{0, progress(sub(1, 0), engine.P600, 1, 0, 1, ""), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 0s, 0 imported"},
		step{0, granted(1, 2), b(0), ""},
		step{vt.Second, progress(sub(1, 0), engine.P650, vt.Second, 2, 1, ends(done(0), done(1))), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered
			job 1, plan 1, subset 0 finished
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 2 imported
			` + rest},
		step{vt.Second, granted(1, 3), b(0), `job 1, plan 3, subset 0 of 1 planned for server 0: r4-r5
			to remote 0: transfer job 1, plan 3, subset 0: r4-r5, 2 processes`},
		step{vt.Second, progress(second, engine.P500, vt.Second, 0, 1, ""), b(1),
			"to remote 1: start job 1, plan 2, subset 0, echo 1s, 0 imported"},
	)
}

// A chunk gets as many processes as it needs itself: two for two recipients in an hour, though the first one has four
// of the five for all.
func TestDeadlineOfOneChunk(t *testing.T) {
	playWith(t, func(c *Config) { c.Efficiency, c.Chunk = 1, 2 }, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 5, Deadline: vt.Time(vt.Hour)}), a,
			"job 1 submitted: 5 recipients, due 0s, deadline 1h"},
		{0, wake{}, a, prepared(1, 4)},
		{0, granted(1, 4), b(0), `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r1
			to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 4 processes`},
		{0, granted(1, 3), b(1), `job 1, plan 2, subset 0 of 1 planned for server 1: r2-r3
			to remote 1: transfer job 1, plan 2, subset 0: r2-r3, 2 processes`},
	})
}

// Recipients who were only counted need no processes any more: two processes are for the last four, one is in use.
func TestDeadlineOfCountedChunks(t *testing.T) {
	playChunks(t,
		step{0, engine.Tally{Subset: sub(1, 0), Delivered: 2, Busy: vt.Hour}, b(0),
			"tallied: job 1, plan 1, subset 0: 2 delivered, 0 failed, 0 held"},
		step{0, granted(1, 2), b(0), `job 1, plan 3, subset 0 of 1 planned for server 0: r4-r5
			to remote 0: transfer job 1, plan 3, subset 0: r4-r5, 1 processes`},
	)
}

// The licence holds for all mailings together. One waits until another one's subset has ended, after a stop too.
func TestLicence(t *testing.T) {
	second := engine.Subset{Job: 2, Epoch: 1}
	full := `to remote 0: transfer job 1, plan 1, subset 0: r0-r2, 2 processes
		to remote 1: transfer job 1, plan 1, subset 1: r3-r5, 2 processes`
	all := progress(sub(1, 0), engine.P650, vt.Second, 3, 1, ends(done(0), done(1), done(2)))
	playWith(t, func(c *Config) { c.Licence = 4 }, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 6}), a, "job 1 submitted: 6 recipients, due 0s"},
		{0, wake{}, a, prepared(1, 4)},
		{0, granted(1, 4), b(0), ""},
		{0, granted(1, 4), b(1), `job 1, plan 1, subset 0 of 2 planned for server 0: r0-r2
			job 1, plan 1, subset 1 of 2 planned for server 1: r3-r5
			` + full},
		{0, submit(engine.Submitted{Job: 2, First: 6, Recipients: 3}), a,
			"job 2 submitted: 3 recipients from r6 on, due 0s"},
		{0, wake{}, a, strings.TrimSuffix(prepared(2, 0), hires(2, 0)) + full + "\n" + hires(2, 0)},
		{0, granted(2, 0), b(0), ""},
		{0, granted(2, 0), b(1), ""},
		{vt.Second / 2, again{}, a, ""},
		{vt.Second / 2, wake{}, a, full + "\n" + hires(2, 0)},
		{vt.Second, all, b(0), `job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered, r2 delivered
			job 1, plan 1, subset 0 finished
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 3 imported
			to remote 1: transfer job 1, plan 1, subset 1: r3-r5, 2 processes`},
		{2 * vt.Second, wake{}, a, "to remote 1: transfer job 1, plan 1, subset 1: r3-r5, 2 processes\n" + hires(2, 2)},
		{2 * vt.Second, granted(2, 2), b(0), ""},
		{2 * vt.Second, granted(2, 2), b(1), `job 2, plan 1, subset 0 of 2 planned for server 0: r6
			job 2, plan 1, subset 1 of 2 planned for server 1: r7-r8
			to remote 0: transfer job 2, plan 1, subset 0: r6, 1 processes
			to remote 1: transfer job 2, plan 1, subset 1: r7-r8, 1 processes`},
		// server 1 is lost: what it had is free for server 0, of each mailing
		{21 * vt.Second, progress(second, engine.P500, 21*vt.Second, 0, 1, ""), b(0),
			"to remote 0: start job 2, plan 1, subset 0, echo 21s, 0 imported"},
		{23 * vt.Second, wake{}, a, `job 1, plan 2, subset 0 of 1 planned for server 0: r3-r5, instead of plan 1, subset 1
			job 2, plan 2, subset 0 of 1 planned for server 0: r7-r8, instead of plan 1, subset 1
			to remote 0: transfer job 1, plan 2, subset 0: r3-r5, 2 processes
			` + hires(1, 0) + `
			to remote 0: start job 2, plan 1, subset 0, echo 21s, 0 imported
			to remote 0: transfer job 2, plan 2, subset 0: r7-r8, 1 processes
			` + hires(2, 0)},
	})
}

// An account has what its own mailings leave: those of others do not count.
func TestProcessesOfAnAccount(t *testing.T) {
	playWith(t, func(c *Config) { c.Accounts = []Account{{Processes: 3}} }, after(
		step{vt.Second, submit(engine.Submitted{Job: 2, First: 6, Recipients: 3, Account: 1}), a,
			"job 2 submitted: 3 recipients from r6 on, due 0s, account 1"},
		step{vt.Second, wake{}, a, strings.TrimSuffix(prepared(2, 3), hires(2, 3)) +
			`to remote 0: transfer job 1, plan 1, subset 0: r0-r3, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes
			` + hires(2, 3)},
	))
}

// An offer that comes twice, the second time on the next day, plans nothing of that day: its processes are in use.
func TestOfferOfYesterday(t *testing.T) {
	last := 24*vt.Hour - 1
	playWith(t, func(c *Config) { c.Accounts = []Account{{Messages: 4}} }, []step{
		{last, submit(engine.Submitted{Job: 1, Recipients: 6, Account: 1}), a,
			"job 1 submitted: 6 recipients, due 0s, account 1"},
		{last, wake{}, a, prepared(1, 4)},
		{last, granted(1, 2), b(0), ""},
		{last, granted(1, 2), b(1), `job 1, plan 1, subset 0 of 2 planned for server 0: r0-r1
			job 1, plan 1, subset 1 of 2 planned for server 1: r3-r4
			to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 4 processes
			to remote 1: transfer job 1, plan 1, subset 1: r3-r4, 4 processes`},
		{last + 1, granted(1, 2), b(1), ""},
	})
}

// An account has processes of its own, and messages of a day: the rest of its list is planned on the next days, by what
// servers offer then.
func TestAccount(t *testing.T) {
	limited := func(c *Config) { c.Accounts = []Account{{}, {Processes: 3, Messages: 4}} }
	tomorrow := 24 * vt.Hour
	first := `to remote 0: transfer job 1, plan 1, subset 0: r0-r1, 2 processes
		to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 1 processes`
	second := engine.Subset{Job: 1, Epoch: 1, Number: 1}
	closed := "summary of job 1: 6 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous"
	playWith(t, limited, []step{
		{vt.Second, submit(engine.Submitted{Job: 1, Recipients: 6, Account: 2}), a,
			"job 1 submitted: 6 recipients, due 0s, account 2"},
		{vt.Second, wake{}, a, prepared(1, 3)},
		{vt.Second, granted(1, 2), b(0), ""},
		{vt.Second, granted(1, 2), b(1), `job 1, plan 1, subset 0 of 2 planned for server 0: r0-r1
			job 1, plan 1, subset 1 of 2 planned for server 1: r4-r5
			` + first},
		{vt.Second, granted(1, 2), b(0), ""}, // it came twice
		{2 * vt.Second, again{}, a, ""},
		{2 * vt.Second, wake{}, a, first},
		// soon both are lost: server 0 makes an offer, which is old tomorrow
		{21 * vt.Second, wake{}, a, first + "\n" + hires(1, 0)},
		{21 * vt.Second, granted(1, 1), b(0), ""},
		{21 * vt.Second, progress(sub(1, 0), engine.P650, vt.Second, 2, 1, ends(done(0), done(1))), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered
			job 1, plan 1, subset 0 finished
			to remote 0: start job 1, plan 1, subset 0, echo 1s, 2 imported
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 1 processes
			` + hires(1, 2)},
		{21 * vt.Second, granted(1, 1), b(0), ""},
		{21 * vt.Second, progress(second, engine.P650, vt.Second, 2, 1, ends(done(4), done(5))), b(1),
			`job 1, plan 1, subset 1 imported from 1 on: r4 delivered, r5 delivered
			job 1, plan 1, subset 1 finished
			to remote 1: start job 1, plan 1, subset 1, echo 1s, 2 imported`},
		{22 * vt.Second, wake{}, a, ""},
		{tomorrow - 1, wake{}, a, ""},
		{tomorrow, wake{}, a, hires(1, 3)},
		{tomorrow, again{}, a, ""},
		{tomorrow, wake{}, a, hires(1, 3)},
		{tomorrow, granted(1, 0), b(0), ""},
		{tomorrow, granted(1, 2), b(1), `job 1, plan 2, subset 0 of 1 planned for server 1: r2-r3
			to remote 1: transfer job 1, plan 2, subset 0: r2-r3, 3 processes`},
		{tomorrow + vt.Second, progress(sub(2, 0), engine.P650, vt.Second, 2, 1, ends(done(2), done(3))), b(1),
			`job 1, plan 2, subset 0 imported from 1 on: r2 delivered, r3 delivered
			job 1, plan 2, subset 0 finished
			closed: ` + closed + `
			to remote 1: start job 1, plan 2, subset 0, echo 1s, 2 imported
			to operator 0: ` + closed},
	})
	// the whole account has these messages, and a day's rest goes to its next mailing
	playWith(t, limited, []step{
		{0, submit(engine.Submitted{Job: 1, Recipients: 3, Account: 2}), a,
			"job 1 submitted: 3 recipients, due 0s, account 2"},
		{0, submit(engine.Submitted{Job: 2, First: 3, Recipients: 3, Account: 2}), a,
			"job 2 submitted: 3 recipients from r3 on, due 0s, account 2"},
		{0, wake{}, a, strings.TrimSuffix(prepared(1, 3), hires(1, 3)) +
			strings.TrimSuffix(prepared(2, 3), hires(2, 3)) + hires(1, 3) + "\n" + hires(2, 3)},
		{0, granted(1, 2), b(0), ""},
		{0, granted(2, 0), b(0), ""},
		{0, granted(1, 0), b(1), `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r2
			to remote 0: transfer job 1, plan 1, subset 0: r0-r2, 3 processes`},
		{0, granted(2, 2), b(1), ""}, // all processes of the account are in use
		{1, progress(sub(1, 0), engine.P650, 1, 3, 1, ends(done(0), done(1), done(2))), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered, r2 delivered
			job 1, plan 1, subset 0 finished
			closed: summary of job 1: 3 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous
			to remote 0: start job 1, plan 1, subset 0, echo 0s, 3 imported
			to operator 0: summary of job 1: 3 delivered, 0 failed, 0 held, 0 suppressed, 0 ambiguous`},
		{2, engine.Got{UpTo: 1}, a, "job 1 reported"},
		{vt.Second, again{}, a, ""},
		{vt.Second, wake{}, a, hires(2, 3)},
		{vt.Second, granted(2, 2), b(0), ""},
		{vt.Second, granted(2, 2), b(1), `job 2, plan 1, subset 0 of 1 planned for server 1: r5
			to remote 1: transfer job 2, plan 1, subset 0: r5, 3 processes`},
	})
}

// Once subsets are finished, the time of their attempts tells how many processes the next mailing wants: here four
// messages, three of them delivered, took six hours of a process: three recipients in an hour and a half want four.
func TestMeasuredEfficiency(t *testing.T) {
	busy := func(v engine.Progress, n vt.Span) engine.Progress { v.Busy = n; return v }
	four := ends(done(0), done(1), done(2), engine.Final{Rcpt: 3, Status: mail.Failed})
	play(t, after(
		step{vt.Second, busy(progress(sub(1, 0), engine.P600, 10, 0, 1, ""), 4*vt.Hour), b(0),
			"to remote 0: start job 1, plan 1, subset 0, echo 0s, 0 imported"},
		step{vt.Second, busy(progress(sub(1, 0), engine.P600, 5, 0, 1, ""), 3*vt.Hour), b(0), ""}, // overtaken
		// the server stopped, and has had two hours since
		step{vt.Second, busy(progress(sub(1, 0), engine.P650, 20, 4, 1, four), 2*vt.Hour), b(0),
			`job 1, plan 1, subset 0 imported from 1 on: r0 delivered, r1 delivered, r2 delivered, r3 failed
			job 1, plan 1, subset 0 finished
			to remote 0: start job 1, plan 1, subset 0, echo 0s, 4 imported
			to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes`},
		step{vt.Second, submit(engine.Submitted{Job: 2, First: 6, Recipients: 3,
			Deadline: vt.Time(90*vt.Minute + vt.Second), Terms: engine.Terms{Processes: 8}}), a,
			"job 2 submitted: 3 recipients from r6 on, due 0s, deadline 1h30m1s"},
		step{vt.Second, again{}, a, ""},
		step{vt.Second, wake{}, a, strings.TrimSuffix(prepared(2, 4), hires(2, 4)) +
			"to remote 1: transfer job 1, plan 1, subset 1: r4-r5, 4 processes\n" + hires(2, 4)},
	))
}

// A mailing whose recipients were only counted has the sums of its subsets, each once. Three of them delivered in four
// hours are what the next mailing can count on.
func TestCountedMailing(t *testing.T) {
	first := engine.Tally{Subset: sub(1, 0), Delivered: 1, Failed: 1, Held: 2, Busy: 3 * vt.Hour}
	sums := "summary of job 1: 3 delivered, 1 failed, 2 held, 0 suppressed, 0 ambiguous"
	play(t, after(
		step{vt.Second, first, b(0), "tallied: job 1, plan 1, subset 0: 1 delivered, 1 failed, 2 held"},
		step{vt.Second, first, b(0), ""},
		step{vt.Second, engine.Tally{Subset: sub(1, 1), Delivered: 2, Busy: vt.Hour}, b(1),
			"tallied: job 1, plan 1, subset 1: 2 delivered, 0 failed, 0 held\n" +
				"closed: " + sums + "\nto operator 0: " + sums},
		step{vt.Second, engine.Got{UpTo: 1}, a, "job 1 reported"},
		step{vt.Second, submit(engine.Submitted{Job: 2, First: 6, Recipients: 3,
			Deadline: vt.Time(vt.Hour + vt.Second), Terms: engine.Terms{Processes: 8}}), a,
			"job 2 submitted: 3 recipients from r6 on, due 0s, deadline 1h0m1s"},
		step{vt.Second, wake{}, a, prepared(2, 4)},
	))
}

// However much servers keep and however the list is divided, no more processes are given than there are, each part has
// one, a server has at most those that the mailing wants on it, and no recipient is left out.
func TestStaff(t *testing.T) {
	luck := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		j := &job{Submitted: engine.Submitted{Terms: engine.Terms{Processes: 1 + luck.IntN(5)}}}
		parts, kept := make([][]engine.Part, 4), make([]int, 4)
		at := mail.Recipient(0)
		for i := range parts {
			kept[i] = luck.IntN(1 + j.Processes)
			if n := mail.Recipient(luck.IntN(4)); n > 0 {
				parts[i] = []engine.Part{{From: at, To: at + n}}
				at += n
			}
		}
		list, most := union(parts), 1+luck.IntN(20)
		sum := 0
		for i, n := range j.staff(parts, kept, most) {
			if sum += n; (n > 0) != (len(parts[i]) > 0) || n > j.Processes {
				t.Errorf("server %d has %d processes, of %d, for %v", i, n, j.Processes, parts[i])
			}
		}
		if sum > most || !slices.Equal(union(parts), list) {
			t.Errorf("%d processes of %d for %v of %v", sum, most, parts, list)
		}
	}
}

// The account must be known.
func TestUnknownAccount(t *testing.T) {
	cfg := Default(1)
	cfg.Accounts = make([]Account, 2)
	New(cfg).Submit(0, engine.Submitted{Job: 1, Recipients: 1, Account: 2}, &engine.Outbox{})
	panics(t, "job 1 has account 3, want at most 2", func() {
		New(cfg).Submit(0, engine.Submitted{Job: 1, Recipients: 1, Account: 3}, &engine.Outbox{})
	})
}
