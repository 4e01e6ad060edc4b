package inbox

import (
	"math/rand/v2"
	"testing"

	"flyball/engine"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// bank is several servers for returned mail, of which the first one counts, and what is on the way between them.
type bank struct {
	r     *rand.Rand
	calm  bool // no server is killed, and no message lost
	now   vt.Time
	all   []*Server
	facts [][]engine.Fact
	way   []engine.Message
	got   []map[uint64]engine.Change // changes that the sending server has, by server and number
}

func (b *bank) config(i int) Config {
	cfg := Default(engine.Address{Role: engine.Bounces, Server: mail.Server(i)})
	cfg.Counter, cfg.Batch = engine.Address{Role: engine.Bounces}, 3
	return cfg
}

// stop has a server begin anew from its facts.
func (b *bank) stop(i int) {
	b.all[i] = New(b.config(i))
	var out engine.Outbox
	b.all[i].Recover(b.now, 0, b.facts[i], &out)
	b.way = append(b.way, out.Send...)
}

// gives gives a server an input. It reports whether the server has it durably: one that is killed before has nothing.
func (b *bank) gives(i int, do func(*Server, *engine.Outbox)) bool {
	var out engine.Outbox
	do(b.all[i], &out)
	fate := b.r.IntN(20)
	if b.calm {
		fate = 2
	}
	switch fate {
	case 0: // before what follows is durable
		b.stop(i)
		return false
	case 1: // before anything is sent
		b.facts[i] = append(b.facts[i], out.Write...)
		b.stop(i)
		return true
	}
	b.facts[i] = append(b.facts[i], out.Write...)
	b.way = append(b.way, out.Send...)
	return true
}

// carry brings a message that is on the way to its server, or loses or repeats it.
func (b *bank) carry() {
	i := b.r.IntN(len(b.way))
	m := b.way[i]
	if b.calm || b.r.IntN(4) > 0 {
		b.way[i] = b.way[len(b.way)-1]
		b.way = b.way[:len(b.way)-1]
	}
	if !b.calm && b.r.IntN(4) == 0 {
		return
	}
	if m.To.Role == engine.Bounces {
		b.gives(int(m.To.Server), func(s *Server, out *engine.Outbox) { s.Receive(b.now, m, out) })
		return
	}
	has, c := b.got[m.From.Server], m.Body.(engine.Changes)
	for n, v := range engine.UnpackChanges(c.Entries) {
		has[c.First+uint64(n)] = v
	}
	b.way = append(b.way, engine.Message{From: m.To, To: m.From, Body: engine.Got{UpTo: uint64(len(has))}})
}

// Returned mail of a person counts together, whichever of three servers it comes to, and that of one message once, also
// if it comes to two of them. Messages between servers are lost, repeated and late, and servers are killed at any time.
func TestSeveralServersCountAsOne(t *testing.T) {
	for seed := range uint64(longtest.Or(300, 5_000)) {
		b := &bank{r: rand.New(rand.NewPCG(seed, 0))}
		for i := range 3 {
			b.all, b.facts = append(b.all, New(b.config(i))), append(b.facts, nil)
			b.got = append(b.got, map[uint64]engine.Change{})
		}
		messages := map[mail.Recipient]map[uint64]bool{} // that returned for good, by recipient
		for range 40 {
			b.now += vt.Time(vt.Second)
			r, token := mail.Recipient(b.r.IntN(6)), uint64(b.r.IntN(8))
			back := engine.Returned{Token: uint64(r)<<8 | token, Rcpt: r, Hard: token > 1}
			if i := b.r.IntN(3); b.gives(i, func(s *Server, out *engine.Outbox) {
				s.Receive(b.now, engine.Message{To: s.cfg.Address, Body: back}, out)
			}) && back.Hard {
				if messages[r] == nil {
					messages[r] = map[uint64]bool{}
				}
				messages[r][token] = true
			}
			for i := range b.all {
				b.gives(i, func(s *Server, out *engine.Outbox) { s.Wake(b.now, nil, out) })
			}
			for n := b.r.IntN(4); n > 0 && len(b.way) > 0; n-- {
				b.carry()
			}
		}
		b.calm, b.way = true, nil
		for range 30 { // until all have all
			b.now += vt.Time(vt.Second)
			for i := range b.all {
				b.gives(i, func(s *Server, out *engine.Outbox) { s.Wake(b.now, nil, out) })
			}
			for len(b.way) > 0 {
				b.carry()
			}
		}
		deleted := map[mail.Recipient]int{}
		for i, s := range b.all {
			if !s.Done() {
				t.Errorf("seed %d: server %d has something left", seed, i)
			}
			for _, c := range b.got[i] {
				deleted[c.Rcpt]++
			}
		}
		for r, all := range messages {
			if deleted[r] != len(all)/2 {
				t.Errorf("seed %d: recipient %d is deleted %d times after %d returned messages, want every second time",
					seed, r, deleted[r], len(all))
			}
		}
		if len(b.got[1])+len(b.got[2]) > 0 {
			t.Errorf("seed %d: servers that count nothing made changes", seed)
		}
		if t.Failed() {
			return
		}
	}
}
