package crash

import (
	"testing"

	"flyball/engine"
	"flyball/engine/codec"
	"flyball/internal/longtest"
	"flyball/internal/vt"
	"flyball/sim/crash/scope"
)

// The servers of worlds send all that the table of flows has for them, and nothing else, and every message of theirs
// has a form. engine/contract_test.go does so for what delivering machines and who governs them send, and
// TestSeveralServersCountAsOne of package inbox is about servers for returned mail beside each other.
func TestFlows(t *testing.T) {
	missing := map[codec.Flow]bool{}
	for _, f := range codec.Flows {
		_, stop := f.Body.(engine.Stop)   // of the shells: worlds end otherwise
		_, tally := f.Body.(engine.Tally) // of servers that count: TestCounts of package remote
		beside := f.From == engine.Bounces && f.To == engine.Bounces
		if f.From != engine.Delivery && f.To != engine.Delivery && !stop && !tally && !beside {
			missing[f] = true
		}
	}
	messages := 0
	note := func(what string, of any) {
		m, ok := of.(engine.Message)
		if b, is := of.(engine.Body); is && what == "gets" {
			m, ok = engine.Message{From: engine.Address{Role: engine.Recipients}, Body: b,
				To: engine.Address{Role: engine.Requests}}, true
			if _, is := b.(engine.Returned); is {
				m.To.Role = engine.Bounces
			}
		}
		if !ok {
			return
		}
		messages++
		f, ok := codec.FlowOf(m)
		if delete(missing, f); !ok {
			t.Fatalf("got %+v, want it in the table of flows", m)
		}
		text, err := codec.Encode(m)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if got, err := codec.Decode(text); err != nil || got != m {
			t.Fatalf("got %+v and %v, want %+v", got, err, m)
		}
	}
	for seed := range uint64(longtest.Or(20, 500)) {
		cfg := scope.Small()
		cfg.Seed, cfg.Hang, cfg.Horizon = seed, 0.1, vt.Hour
		if seed%2 > 0 {
			cfg.Pull = vt.Second
		}
		w := New(cfg, scope.Case{Loss: 0.1, Repeat: 0.1})
		w.note = func(_ int, what string, of any) { note(what, of) }
		w.Run()
	}
	for f := range missing {
		t.Errorf("no world has a %s of %v to %v", codec.Name(f.Body), f.From, f.To)
	}
	if messages < 1000 {
		t.Errorf("got %d messages: the test tests too little", messages)
	}
}
