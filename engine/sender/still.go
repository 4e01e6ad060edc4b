package sender

import (
	"flyball/engine"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// Still returns those facts of a sending server that still count, in their order, and changes nothing: a server that
// recovers them goes on as one that recovers all. Of a reported mailing it keeps what was submitted and how it ended,
// since it may be submitted again, and adds its deliveries and the time of its attempts to Worked. The mailings of
// an account, and those whose recipients were only counted, stay as they are. So do recipients who must get nothing:
// their numbers are how the servers agree about them.
func Still(facts []engine.Fact) (still []engine.Fact) {
	over := map[engine.Job]bool{}
	for _, f := range facts {
		if f, is := f.(engine.Reported); is {
			over[f.Job] = true
		}
	}
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Submitted:
			if f.Account > 0 {
				delete(over, f.Job)
			}
		case engine.Tallied:
			delete(over, f.Tally.Subset.Job)
		}
	}
	var worked engine.Worked
	delivered := map[engine.Subset]uint64{}
	for _, f := range facts {
		switch f := f.(type) {
		case engine.Worked:
			worked = engine.Worked{Delivered: worked.Delivered + f.Delivered, Busy: worked.Busy + f.Busy}
			continue
		case engine.Reached:
			if over[f.Job] {
				continue
			}
		case engine.Planned:
			if over[f.Subset.Job] {
				continue
			}
		case engine.Imported:
			if over[f.Subset.Job] {
				for _, o := range engine.UnpackOutcomes(f.Outcomes) {
					if o.Status == mail.Done {
						delivered[f.Subset]++
					}
				}
				continue
			}
		case engine.Finished:
			if over[f.Subset.Job] {
				if f.Busy > 0 {
					worked.Delivered, worked.Busy = worked.Delivered+delivered[f.Subset], worked.Busy+f.Busy
				}
				continue
			}
		}
		still = append(still, f)
	}
	if worked.Busy > vt.Span(0) {
		still = append(still, worked)
	}
	return still
}
