package crash

import (
	"flyball/internal/vt"
)

// strike lets the crashes before or after the last effect happen.
func (w *World) strike(actor *host, k Kind, after bool) bool {
	for len(w.plan) > 0 && w.plan[0].Effect == w.effects && w.plan[0].After == after {
		x := w.plan[0]
		w.plan = w.plan[1:]
		was := actor.up && !x.Pause
		if w.hit(actor, x); was && !actor.up {
			class := 2 * int(k)
			if after {
				class++
			}
			w.counts.Hits[class]++
		}
	}
	return actor.up
}

// hit stops the victims of a crash.
func (w *World) hit(actor *host, x Crash) {
	switch x.Victim {
	case Actor:
		w.stop(actor, x)
	case All:
		for i := range w.hosts {
			w.stop(&w.hosts[i], x)
		}
	default:
		w.stop(&w.hosts[x.Victim], x)
	}
}

// done follows an effect; it lets the crashes after it happen.
func (w *World) done(h *host, k Kind) bool { return w.strike(h, k, true) && w.oracle.violation == "" }

// stop stops a host, or lets it pause.
func (w *World) stop(h *host, x Crash) {
	switch {
	case !h.up:
	case x.Pause:
		if until := w.now.Add(x.Down); h.until == vt.Never || until > h.until { // what waits for the end comes in order
			h.until = until
		}
		w.tell(h.number, "pauses", nil)
	default:
		w.counts.Points++
		h.up, h.until = false, vt.Never
		from := h.disk.durable
		h.disk.stop(x.Model, w.next(tails))
		w.oracle.durable(h, h.disk.facts[from:])
		if x.Model != Kill {
			h.boot++
		}
		w.oracle.stopped(h)
		w.tell(h.number, "stops: "+x.Model.String(), nil)
		w.at(w.now.Add(x.Down), event{kind: restart, host: h.number, life: h.life})
	}
	w.lastHeal = max(w.lastHeal, w.now.Add(x.Down))
}

// restart begins a host again with what its disk kept.
func (w *World) restart(h *host) {
	h.up = true
	w.build(h)
	w.tell(h.number, "begins again", nil)
	h.role.Recover(w.local(h.number, w.now), h.boot, h.disk.facts, &w.out)
	w.perform(h)
}
