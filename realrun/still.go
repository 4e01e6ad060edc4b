package realrun

import (
	"flyball/engine"
	"flyball/engine/remote"
	"flyball/internal/vt"
	"flyball/realrun/journal"
)

// Still returns those entries of a journal of a delivering server alone (NewServer) that still count, in their order,
// and changes nothing: what the role needs, the last state that was learned, and the attempts of the interval that the
// stop cut.
func Still(all []journal.Entry) (still []journal.Entry) {
	if len(all) == 0 {
		return nil
	}
	if _, is := all[0].Fact.(engine.Opened); !is {
		return all // no such server wrote it: NewServer refuses it
	}
	learned, cut := -1, vt.Time(-1)
	facts := make([]engine.Fact, len(all))
	for i, e := range all {
		facts[i] = e.Fact
		switch f := e.Fact.(type) {
		case engine.Learned:
			learned = i
		case engine.Measured:
			cut = f.Ended
		}
	}
	counts := remote.Still(facts)
	for i, e := range all {
		switch e.Fact.(type) {
		case engine.Learned:
			counts[i] = i == learned
		case engine.Attempted:
			counts[i] = counts[i] && e.At > cut
		case engine.Measured, engine.Run:
			counts[i] = false
		}
		if counts[i] {
			still = append(still, e)
		}
	}
	still[len(still)-1].At = all[len(all)-1].At // the clock never falls
	return still
}

// Over ends all mailings of a server alone of which ended says so. Only a function of Do may call it.
func (r *Runner) Over(now vt.Time, ended func(engine.Job) bool) {
	number := r.roles.here[0]
	r.roles.kept.remotes[number].Over(now, ended, &r.roles.out)
	r.roles.settle(now, number)
}
