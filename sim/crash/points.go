package crash

import (
	"encoding/binary"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/sim/crash/scope"
)

// Point is a stop that differs in more than time from others of its run.
type Point struct {
	scope.Crash
	Stands int // how many stops it stands for, with itself
}

// Points returns the stops of a run of the case that differ, from its last crash on. A stop shows in what the server's
// disk keeps, in what the server had sent before it, and in whether an attempt is in doubt. While these stay as they
// are it makes no difference at which place the server stops, but for the time at which it goes on: the first such
// place stands for all of them.
func Points(cfg scope.Config, x scope.Case) []Point {
	p := &points{w: New(cfg, x), seen: map[string]int{}}
	p.w.points = p
	p.w.Run()
	return p.all
}

// points collects the points of a run.
type points struct {
	w    *World
	seen map[string]int // index of the point with a key
	all  []Point
	key  []byte // of the crash that is tried
}

// visit takes the place before or after the effect that is under way.
func (p *points) visit(after bool) {
	most := 0
	for i := range p.w.hosts {
		most = max(most, p.w.hosts[i].disk.atRisk())
	}
	for victim := scope.All; victim < len(p.w.hosts); victim++ {
		if victim == scope.Actor {
			continue
		}
		x := scope.Crash{Effect: p.w.effects, After: after, Victim: victim, Down: p.w.cfg.Soon()}
		up, rest := true, most
		if victim >= 0 {
			up, rest = p.w.hosts[victim].up, p.w.hosts[victim].disk.atRisk()
		}
		if !up && rest == 0 {
			continue
		}
		if up {
			p.try(x)
		}
		x.Model = scope.PowerMin
		p.try(x)
		for x.Model, x.Kept = scope.PowerAny, 1; x.Kept <= rest; x.Kept++ {
			p.try(x)
		}
	}
}

// try lists a crash if none before it has the same end.
func (p *points) try(x scope.Crash) {
	p.key = append(p.key[:0], byte(x.Victim-scope.All))
	for i := range p.w.hosts {
		if x.Victim == scope.All || x.Victim == i {
			p.end(&p.w.hosts[i], x)
		}
	}
	i, ok := p.seen[string(p.key)]
	if !ok {
		i = len(p.all)
		p.seen[string(p.key)] = i
		p.all = append(p.all, Point{Crash: x})
	}
	p.all[i].Stands++
}

// end adds to the key what a host is like after a crash.
func (p *points) end(h *host, x scope.Crash) {
	n, lost := h.disk.left(x.Model, x.Kept), x.Model != scope.Kill
	doubt := lost && p.doubt(h, n)
	for lost && n > 0 && isMark(h.disk.facts[n-1]) {
		n-- // once power was lost a mark changes nothing
	}
	p.key = binary.AppendUvarint(p.key, h.life)
	p.key = binary.AppendUvarint(p.key, uint64(h.sent))
	p.key = binary.AppendUvarint(p.key, uint64(n))
	flags := byte(0)
	if h.up {
		flags |= 1
	}
	if doubt {
		flags |= 2
	}
	p.key = append(p.key, flags)
}

func isMark(f engine.Fact) bool {
	_, ok := f.(engine.Dotted)
	return ok
}

// doubt reports whether the loss of power makes an attempt ambiguous that the end of the process does not: among the
// first facts is an intent since the start of the operating system, without an outcome.
func (p *points) doubt(h *host, n int) bool {
	var open []mail.Recipient
	for _, f := range h.disk.facts[:n] {
		switch f := f.(type) {
		case engine.Intent:
			if f.Boot == h.boot {
				open = append(open, f.Rcpt)
			}
		case engine.Outcome:
			open = slices.DeleteFunc(open, func(r mail.Recipient) bool { return r == f.Rcpt })
		}
	}
	return len(open) > 0
}
