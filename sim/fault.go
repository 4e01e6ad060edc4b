package sim

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
	"flyball/scenarios"
)

// This file has what happens to the servers of a system.

// strike lets a fault happen. Nothing more happens to a server that has stopped, but that it can be cut off.
func (y *system) strike(n *node, h *happening) {
	f := y.scenario.Faults[h.fault]
	if !n.up && f.Kind != scenarios.Cut {
		return
	}
	y.account.Faults = append(y.account.Faults, runlog.Fault{Server: f.Server, Kind: f.Kind, At: y.now, For: f.For})
	end := vt.Never
	if f.For > 0 {
		end = y.now.Add(f.For)
	}
	switch f.Kind {
	case scenarios.Cut:
		n.cut = max(n.cut, end)
	case scenarios.Pause:
		n.until = max(n.until, end)
	default:
		y.stop(n, f.Kind, h.fault)
		if end < vt.Never {
			y.agenda.Add(end, happening{what: y.restart, node: n})
		} else {
			y.account.Ambiguous += uint64(open(n.facts))
		}
	}
}

// open returns the number of attempts whose intents have no outcomes among facts.
func open(facts []engine.Fact) int {
	begun := map[mail.Recipient]bool{}
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Intent:
			begun[f.Rcpt] = true
		case engine.Outcome:
			delete(begun, f.Rcpt)
		}
	}
	return len(begun)
}

// stop ends the process of a node. Its disk keeps what the kind of the fault leaves.
func (y *system) stop(n *node, kind string, fault int) {
	if n.server != nil {
		n.server.crash(y.now)
	}
	n.up, n.until = false, 0
	n.out.Clear()
	if kind != scenarios.Kill {
		n.boot++
		kept := n.durable
		if rest := len(n.facts) - kept; kind == scenarios.PowerAny {
			kept += int(y.chance(uint64(fault), 1, purposeFault) * float64(rest+1))
		}
		n.facts = n.facts[:kept]
	}
	n.durable = len(n.facts)
}

// restart begins the process of a node again, with what its disk kept.
func (y *system) restart(n *node, _ *happening) {
	n.up, n.until = true, y.now // a new role may ask to be woken at a time that has passed
	y.begin(n)
	n.role.Recover(y.now, n.boot, n.facts, n.out)
	y.perform(n, y.now)
	if n == y.nodes[0] {
		y.submit()
	}
}
