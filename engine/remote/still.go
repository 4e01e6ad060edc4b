package remote

import (
	"cmp"
	"slices"
	"sort"

	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Over ends all mailings of which ended says so: the sending server has told that it asks nothing about them any more.
// What the server has of them does not count then.
func (s *Server) Over(now vt.Time, ended func(engine.Job) bool, out *engine.Outbox) {
	s.now, s.out = now, out
	for _, v := range s.subsets {
		if !ended(v.Job) {
			continue
		}
		if !s.over[v.Job] {
			s.over[v.Job] = true
			s.write(engine.Over{Job: v.Job})
		}
		s.drop(v.Subset)
	}
	s.ask()
}

// Still reports which facts of a delivering server still count, and changes nothing: a server that recovers these goes
// on as one that recovers all. Facts of a mailing that is over, and intents and marks of attempts with an outcome, do
// not count. All bars stay, since the last one has the number up to which the server has them.
func Still(facts []engine.Fact) []bool {
	over := map[engine.Job]bool{}
	outcomes := map[mail.Recipient]int{} // by recipient: number of the last one among the facts
	for i, f := range facts {
		switch f := f.(type) {
		case engine.Over:
			over[f.Job] = true
		case engine.Outcome:
			outcomes[f.Rcpt] = i
		}
	}
	var gone []engine.Part
	for _, f := range facts {
		if f, is := f.(engine.Took); is && over[f.Subset.Job] {
			gone = append(gone, engine.UnpackParts(f.Part)...)
		}
	}
	slices.SortFunc(gone, func(a, b engine.Part) int { return cmp.Compare(a.From, b.From) })
	ends := mail.Recipient(0)
	for i := range gone { // a part that a later one begins in, as of a plan after it, ends where the longest does
		ends = max(ends, gone[i].To)
		gone[i].To = ends
	}
	has := func(r mail.Recipient) bool {
		n := sort.Search(len(gone), func(i int) bool { return gone[i].From > r })
		return n > 0 && r < gone[n-1].To
	}
	still := make([]bool, len(facts))
	for i, f := range facts {
		switch f := f.(type) {
		case engine.Took:
			still[i] = !over[f.Subset.Job]
		case engine.Began:
			still[i] = !over[f.Subset.Job]
		case engine.Ended:
			still[i] = !over[f.Subset.Job]
		case engine.Over:
		case engine.Intent:
			last, is := outcomes[f.Rcpt]
			still[i] = !has(f.Rcpt) && (!is || last < i)
		case engine.Dotted:
			last, is := outcomes[f.Rcpt]
			still[i] = !has(f.Rcpt) && (!is || last < i)
		case engine.Outcome:
			still[i] = !has(f.Rcpt)
		case engine.Attempted: // of its shell
			still[i] = !has(f.Rcpt)
		default:
			still[i] = true
		}
	}
	return still
}
