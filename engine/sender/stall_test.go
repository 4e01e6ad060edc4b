package sender

import (
	"fmt"
	"slices"
	"testing"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// A server answers every second, and its attempts have no moves. It is asked to begin again, until that is seen; when
// they stand still again its lease is not renewed; once the lease has ended, another server takes over.
func TestStall(t *testing.T) {
	moves := func(at vt.Span, number uint32, n uint64, open int) engine.Progress {
		p := progress(sub(1, number), engine.P600, at, 0, 1, "")
		p.Moves, p.Open = n, open
		return p
	}
	start := func(number int, echo string) string {
		return fmt.Sprintf("to remote %d: start job 1, plan 1, subset %d, echo %s, 0 imported", number, number, echo)
	}
	const restart = "to remote 0: restart job 1, plan 1, subset 0 after 2 moves\n"
	other := func(at vt.Span) step { return step{at, moves(at, 1, 0, 0), b(1), ""} } // it waits for resends
	begun := after(
		step{vt.Second, moves(vt.Second, 0, 2, 2), b(0), start(0, "1s")},
		step{vt.Second, moves(vt.Second, 1, 2, 2), b(1), start(1, "1s")},
	)
	stall := vt.Second + 15*vt.Minute
	first := append(begun,
		step{stall, moves(stall, 0, 2, 2), b(0), ""}, other(stall),
		step{stall, wake{}, a, start(0, "15m1s") + "\n" + start(1, "15m1s")},
		step{stall + vt.Second, wake{}, a, restart + start(0, "15m1s") + "\n" + start(1, "15m1s")},
		step{stall + 2*vt.Second, wake{}, a, restart + start(0, "15m1s") + "\n" + start(1, "15m1s")}, // it may be lost
		step{stall + 2*vt.Second, moves(stall, 0, 2, 2), b(0), ""},
	)
	again := stall + 3*vt.Second
	second := append(first[:len(first):len(first)],
		step{again, moves(again, 0, 6, 2), b(0), ""},
		step{again, wake{}, a, start(0, "15m4s") + "\n" + start(1, "15m1s")},
		step{again + 15*vt.Minute, moves(again+15*vt.Minute, 0, 6, 2), b(0), ""}, other(again+15*vt.Minute),
		step{again + 15*vt.Minute, wake{}, a, start(0, "30m4s") + "\n" + start(1, "30m4s")},
		// no lease beyond the one of now
		step{again + 15*vt.Minute + vt.Second, wake{}, a, start(0, "30m4s") + "\n" + start(1, "30m4s")},
	)
	leaves := again + 15*vt.Minute + vt.Second
	hire := "\nto remote 0: hire 4 processes for job 1\nto remote 1: hire 4 processes for job 1"
	end := leaves + 20*vt.Second
	frozen := append(second[:len(second):len(second)],
		step{leaves, moves(leaves, 0, 6, 2), b(0), ""},
		step{end, moves(end, 0, 6, 2), b(0), ""}, other(end),
		step{end, wake{}, a, start(0, "30m4s") + "\n" + start(1, "30m25s") + hire},
	)
	play(t, append(frozen[:len(frozen):len(frozen)],
		step{end + vt.Second, wake{}, a, `job 1, plan 2, subset 0 of 1 planned for server 1: r0-r3, instead of plan 1, subset 0
			` + start(1, "30m25s") + `
			to remote 1: transfer job 1, plan 2, subset 0: r0-r3, 4 processes` + hire},
		step{end + vt.Second, moves(end, 0, 6, 2), b(0), "to remote 0: drop job 1, plan 1, subset 0"},
	))

	// The subset stays where it is after a move or an outcome.
	for name, p := range map[string]engine.Progress{
		"moves":            moves(end+1, 0, 7, 2),
		"waits for a time": moves(end+1, 0, 7, 0),
	} {
		t.Run(name, func(t *testing.T) {
			play(t, append(frozen[:len(frozen):len(frozen)],
				step{end, p, b(0), ""},
				step{end + vt.Second, wake{}, a, start(0, "30m25s") + "\n" + start(1, "30m25s")},
			))
		})
	}
	// It leaves though the server has given the attempts up itself.
	play(t, append(frozen[:len(frozen):len(frozen)],
		step{end + 1, moves(end+1, 0, 6, 0), b(0), ""},
		step{end + vt.Second, wake{}, a, `job 1, plan 2, subset 0 of 1 planned for server 1: r0-r3, instead of plan 1, subset 0
			` + start(1, "30m25s") + `
			to remote 1: transfer job 1, plan 2, subset 0: r0-r3, 4 processes` + hire},
	))
	ended := moves(end, 0, 6, 2)
	ended.Outcomes, ended.Ended = ends(done(2)), 1
	imported := "to remote 0: start job 1, plan 1, subset 0, echo 30m25s, 1 imported"
	play(t, append(second[:len(second):len(second)],
		step{end, ended, b(0), "job 1, plan 1, subset 0 imported from 1 on: r2 delivered\n" + imported}, other(end),
		step{end + vt.Second, wake{}, a, imported + "\n" + start(1, "30m25s")},
		// after an outcome it is asked to begin again, as at first
		step{end + 15*vt.Minute, moves(end+15*vt.Minute, 0, 6, 2), b(0), ""}, other(end+15*vt.Minute),
		step{end + 15*vt.Minute + vt.Second, wake{}, a, `to remote 0: restart job 1, plan 1, subset 0 after 6 moves
			to remote 0: start job 1, plan 1, subset 0, echo 45m25s, 1 imported
			` + start(1, "45m25s")},
	))
}

// Without another server the one that stands still is asked again and again.
func TestStallWithoutAnotherServer(t *testing.T) {
	begin := "to remote 0: start job 1, plan 1, subset 0, echo %v, 0 imported"
	steps := append(planned[:len(planned)-2:len(planned)-2],
		step{vt.Second, wake{}, a, `job 1, plan 1, subset 0 of 1 planned for server 0: r0-r5
			to remote 0: transfer job 1, plan 1, subset 0: r0-r5, 4 processes`},
	)
	stands := func(at vt.Span, want string) {
		p := progress(sub(1, 0), engine.P600, at, 0, 1, "")
		p.Moves, p.Open = 2, 2
		if at == vt.Second {
			steps = append(steps, step{at, p, b(0), want})
			return
		}
		steps = append(steps, step{at, p, b(0), ""}, step{at, wake{}, a, want})
	}
	restart := "to remote 0: restart job 1, plan 1, subset 0 after 2 moves\n"
	stands(vt.Second, fmt.Sprintf(begin, "1s"))
	for n := range vt.Span(3) {
		at := 2*vt.Second + n*(31*vt.Minute) + 15*vt.Minute
		stands(at, restart+fmt.Sprintf(begin, at))
		at += 15*vt.Minute + vt.Second
		stands(at, restart+fmt.Sprintf(begin, at)) // its lease is not renewed from here on
		stands(at+30*vt.Second, fmt.Sprintf(begin, at)+"\n"+hires(1, 4))
	}
	play(t, steps)
}

// A slow receiver moves in the end: after ten minutes, again and again. Nothing is asked of its server.
func TestSlowReceiver(t *testing.T) {
	steps := slices.Clone(planned)
	for n := range uint64(30) {
		at := vt.Second + 10*vt.Minute*vt.Span(n)
		want := ""
		for i := range mail.Server(2) {
			p := progress(sub(1, uint32(i)), engine.P600, at, 0, 1, "")
			p.Moves, p.Open = n, 1
			told := fmt.Sprintf("to remote %d: start job 1, plan 1, subset %d, echo %v, 0 imported", i, i, at)
			first := ""
			if want += told + "\n"; n == 0 {
				first = told
			}
			steps = append(steps, step{at, p, b(i), first})
		}
		steps = append(steps, step{at, wake{}, a, want[:len(want)-1]})
	}
	play(t, steps)
}
