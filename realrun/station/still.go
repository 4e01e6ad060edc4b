package station

import (
	"flyball/engine"
	"flyball/realrun/journal"
)

// Still returns what says which entries of a station's journal still count, by what says so of the facts of its role.
func Still(of func([]engine.Fact) []engine.Fact) func([]journal.Entry) []journal.Entry {
	return func(all []journal.Entry) []journal.Entry {
		if len(all) == 0 {
			return nil
		}
		if _, is := all[0].Fact.(engine.Opened); !is {
			return all // no station wrote it: New refuses it
		}
		var facts []engine.Fact
		for _, e := range all[1:] {
			facts = append(facts, e.Fact)
		}
		still := []journal.Entry{all[0]}
		last := all[len(all)-1]
		for _, f := range of(facts) {
			still = append(still, journal.Entry{At: last.At, Role: last.Role, Fact: f}) // the clock never falls
		}
		return still
	}
}
