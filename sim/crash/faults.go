package crash

import (
	"slices"

	"flyball/engine"
	"flyball/engine/remote"
	"flyball/engine/sender"

	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// strike lets the crashes before or after the last effect happen.
func (w *World) strike(actor *host, k Kind, after bool) bool {
	for len(w.plan) > 0 && w.plan[0].Effect == w.effects && w.plan[0].After == after {
		x := w.plan[0]
		w.plan = w.plan[1:]
		was := actor.up && x.Fault == scope.Stop
		if w.hit(actor, x); was && !actor.up {
			class := 2 * int(k)
			if after {
				class++
			}
			w.counts.Hits[class]++
		}
	}
	if w.points != nil && len(w.plan) == 0 {
		w.points.visit(after)
	}
	return actor.up
}

// hit stops the victims of a crash.
func (w *World) hit(actor *host, x scope.Crash) {
	switch x.Victim {
	case scope.Actor:
		w.stop(actor, x)
	case scope.All:
		for i := range w.hosts {
			w.stop(&w.hosts[i], x)
		}
	default:
		w.stop(&w.hosts[x.Victim], x)
	}
}

// done follows an effect; it lets the crashes after it happen.
func (w *World) done(h *host, k Kind) bool {
	if k == Send || k == Dots {
		h.sent++
	}
	return w.strike(h, k, true) && w.oracle.violation == ""
}

// stop lets a fault happen to a host.
func (w *World) stop(h *host, x scope.Crash) {
	switch {
	case x.Fault == scope.Cut:
		h.cut = max(h.cut, w.now.Add(x.Down))
		w.tell(h.number, "is cut off", nil)
	case !h.up:
		if x.Model != scope.Kill { // power is lost after the process has ended
			w.lose(h, x)
		}
	case x.Fault == scope.Pause:
		if until := w.now.Add(x.Down); h.until == vt.Never || until > h.until { // what waits for the end comes in order
			h.until = until
		}
		w.tell(h.number, "pauses", nil)
	default:
		w.counts.Points++
		h.up, h.until = false, vt.Never
		w.lose(h, x)
		w.oracle.stopped(h)
		w.tell(h.number, "stops: "+x.Model.String(), nil)
		w.at(w.now.Add(x.Down), event{kind: restart, host: h.number, life: h.life})
	}
	w.lastHeal = max(w.lastHeal, w.now.Add(x.Down))
}

// lose lets the disk of a host lose what the model of a crash does not keep.
func (w *World) lose(h *host, x scope.Crash) {
	kept := int(w.next(tails) * float64(h.disk.atRisk()+1))
	if x.Kept > 0 {
		kept = x.Kept
	}
	if h.disk.stop(x.Model, kept); x.Model != scope.Kill {
		h.boot++
	}
	h.sure = min(h.sure, len(h.disk.facts))
}

// restart begins a host again with what its disk kept. Half the times a station rewrites its journal before.
func (w *World) restart(h *host) {
	h.up = true
	w.build(h)
	w.tell(h.number, "begins again", nil)
	facts := h.disk.open()
	w.rely(h, len(facts))
	if w.chance(h.life, uint32(h.number), rewrites) < 0.5 {
		facts = still(h, facts)
	}
	now := w.local(h.number, w.now)
	h.role.Recover(now, h.boot, facts, &w.out)
	w.perform(h)
	if h.remote != nil {
		h.remote.Over(now, w.hosts[0].closed, &w.out)
		w.perform(h)
	}
}

// still returns the facts that still count, as the host's role says.
func still(h *host, facts []engine.Fact) []engine.Fact {
	switch {
	case h.number == 0:
		return sender.Still(facts)
	case h.remote != nil:
		counts, rest := remote.Still(facts), []engine.Fact(nil)
		for i, f := range facts {
			if counts[i] {
				rest = append(rest, f)
			}
		}
		return rest
	}
	return facts
}

// closed reports whether it is durable at the sending server that a mailing has ended.
func (h *host) closed(job engine.Job) bool {
	return slices.ContainsFunc(h.disk.facts[:h.sure], func(f engine.Fact) bool {
		v, is := f.(engine.Closed)
		return is && v.Summary.Job == job
	})
}
