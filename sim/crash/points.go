package crash

import (
	"encoding/binary"
	"slices"

	"flyball/engine"
	"flyball/internal/mail"
)

// points collects the stops of a run, after those of its own case, that differ in more than time. A stop shows in
// what the server's disk keeps, in what the server had sent before it, and in whether an attempt is in doubt. While
// these stay as they are it makes no difference at which place the server stops, but for the time at which it goes on:
// the first such place stands for all of them.
type points struct {
	w     *World
	sent  []int          // by host: messages, final dots and answers to the outside so far
	seen  map[string]int // index of the crash with a key
	all   []Crash        // that differ
	stand []int          // for how many each stands, with itself
	key   []byte         // of the crash that is tried
}

// pointsOf returns the stops of a run of the case that differ, from its last crash on.
func pointsOf(cfg Config, x Case) *points {
	p := &points{w: New(cfg, x), sent: make([]int, cfg.hosts()), seen: map[string]int{}}
	p.w.points = p
	p.w.Run()
	return p
}

// visit takes the place before or after the effect that is under way.
func (p *points) visit(after bool) {
	most := 0
	for i := range p.w.hosts {
		most = max(most, p.rest(&p.w.hosts[i]))
	}
	for victim := All; victim < len(p.w.hosts); victim++ {
		if victim == Actor {
			continue
		}
		x := Crash{Effect: p.w.effects, After: after, Victim: victim, Down: p.w.cfg.soon()}
		rest := most
		if victim >= 0 {
			h := &p.w.hosts[victim]
			if rest = p.rest(h); !h.up && rest == 0 {
				continue
			}
		}
		if victim == All || p.w.hosts[victim].up {
			p.try(x)
		}
		x.Model = PowerMin
		p.try(x)
		for x.Model, x.Kept = PowerAny, 1; x.Kept <= rest; x.Kept++ {
			p.try(x)
		}
	}
}

// rest returns the number of facts that a host may lose.
func (p *points) rest(h *host) int { return len(h.disk.facts) - h.disk.least() }

// try lists a crash if none before it has the same end.
func (p *points) try(x Crash) {
	p.key = p.key[:0]
	for i := range p.w.hosts {
		if h := &p.w.hosts[i]; x.Victim == All || x.Victim == i {
			p.end(h, x)
		} else if x.Victim == All {
			p.key = append(p.key, '-')
		}
	}
	p.key = append(p.key, byte(x.Victim+2))
	i, ok := p.seen[string(p.key)]
	if !ok {
		i = len(p.all)
		p.seen[string(p.key)] = i
		p.all, p.stand = append(p.all, x), append(p.stand, 0)
	}
	p.stand[i]++
}

// total returns the number of stops that all stand for.
func (p *points) total() (n int) {
	for _, v := range p.stand {
		n += v
	}
	return n
}

// end adds to the key what a host is like after a crash.
func (p *points) end(h *host, x Crash) {
	n, lost := len(h.disk.facts), x.Model != Kill
	if lost {
		n = min(n, h.disk.least()+x.Kept)
	}
	doubt := lost && p.doubt(h, n)
	for lost && n > 0 && isMark(h.disk.facts[n-1]) {
		n-- // once power was lost a mark changes nothing
	}
	p.key = binary.AppendUvarint(p.key, h.life)
	p.key = binary.AppendUvarint(p.key, uint64(p.sent[h.number]))
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
