package crash

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/internal/longtest"
	"flyball/sim/crash/scope"
)

// What a search of pairs leaves out has the same end as a stop that it has: for each stop, whatever its place, a listed
// one leaves the same disks, after the same messages, and the same attempts are in doubt when the servers go on.
func TestPointsStandForAll(t *testing.T) {
	cfg := scope.Small()
	first := scope.Crash{Effect: 150, Victim: 1, Model: scope.PowerMin, Down: cfg.Soon()}
	for _, before := range []scope.Case{{}, {Crashes: []scope.Crash{first}}} {
		points, effects := Points(cfg, before), New(cfg, before).Run().Effects
		total := 0
		ends := map[string]bool{}
		for _, x := range points {
			ends[endOf(t, cfg, before, x.Crash)] = true
			total += x.Stands
		}
		tried := 0
		for e := max(1, len(before.Crashes)*150+1); e <= effects; e += longtest.Or(23, 1) {
			for victim := scope.All; victim < cfg.Hosts(); victim++ {
				for place := range 2 {
					for _, m := range []scope.Model{scope.Kill, scope.PowerMin} {
						x := scope.Crash{Effect: e, After: place == 1, Victim: victim, Model: m, Down: cfg.Soon()}
						end := endOf(t, cfg, before, x)
						if tried++; victim != scope.Actor && end != "" && !ends[end] {
							t.Errorf("after %q the end of %q is not listed:\n%s", cfg.Text(&before),
								cfg.Text(&scope.Case{Crashes: []scope.Crash{x}}), end)
						}
					}
				}
			}
		}
		if len(points) > total/5 || tried < 200 {
			t.Errorf("%d stops stand for %d, and %d were tried; want few that stand for many", len(points), total,
				tried)
		}
	}
}

// endOf returns what is left of the victims of a crash when they go on, and what left them before; nothing if there
// are none.
func endOf(t *testing.T, cfg scope.Config, before scope.Case, x scope.Crash) string {
	var sent, end strings.Builder
	before.Crashes = append(before.Crashes[:len(before.Crashes):len(before.Crashes)], x)
	w := New(cfg, before)
	struck, gone, gets := false, false, 0
	w.note = func(h int, what string, of any) {
		mine := x.Victim == scope.All || h == x.Victim
		m, isMessage := of.(engine.Message)
		switch {
		case !mine, isMessage && m.From == (engine.Address{}): // of the requestor
		case strings.HasPrefix(what, "stops"):
			struck = len(w.plan) == 0
		case what == "gets":
			if gone {
				gets++ // what the outside repeats was not taken before
			}
		case !struck && (what == "sends" || what == "dot"):
			fmt.Fprintf(&sent, "%d %s %s\n", h, what, engine.Words(bodyOf(of)))
		case what == "begins again" && struck:
			gone = true
			facts := 0
			for _, f := range w.hosts[h].disk.facts {
				if !isMark(f) {
					facts++
				}
			}
			fmt.Fprintf(&end, "%d: %d facts\n", h, facts)
		case what == "writes" && strings.Contains(engine.Words(of), "ambiguous") && struck && w.hosts[h].waits == 0:
			if f, ok := of.(engine.Outcome); ok && f.Due == w.local(h, w.now) {
				fmt.Fprintf(&end, "r%d try %d in doubt\n", f.Rcpt, f.Try)
			}
		}
	}
	if r := w.Run(); r.Violation != "" {
		t.Fatalf("%s: %s", cfg.Text(&before), r.Violation)
	}
	if !struck {
		return ""
	}
	if x.Victim > cfg.Servers {
		fmt.Fprintf(&end, "%d times from outside\n", gets)
	}
	return sent.String() + end.String()
}

func bodyOf(of any) any {
	if m, ok := of.(engine.Message); ok {
		return m.Body
	}
	return of
}
