package diagnosis

import (
	"fmt"

	"flyball/internal/mail"
	"flyball/reports/format"
)

// retries returns the findings of the retry schedule. Refusals do not count: another schedule does not change what
// receivers take.
func (f *Facts) retries() []Finding {
	var all []Finding
	var resends, again, deferred, tried, attempts, late float64
	for i := range f.Run.ByDestination {
		d := &f.Run.ByDestination[i]
		tried += float64(d.Tried())
		attempts += float64(d.Attempts())
		deferred += float64(d.First[mail.Pending] - d.Refused[0][mail.Pending])
		again += float64(d.Resent[mail.Pending] - d.Refused[1][mail.Pending])
		late += float64(d.Resent[mail.Done])
		for s := range d.Resent {
			resends += float64(d.Resent[s] - d.Refused[1][s])
		}
	}
	wait := f.Run.Sender.FirstWait.Seconds()
	tail := f.Run.End.Sub(f.Run.LastFirst).Seconds()
	if wait > 0 && deferred >= leastDeferred*tried && deferred >= leastAttempts && again <= 0.2*resends &&
		tail >= 0.9*wait && tail >= 0.25*f.Run.End.Seconds() && f.longer() {
		all = append(all, Finding{TooSlow, "", fmt.Sprintf("The last %s of the run waited for resends, and almost "+
			"all of them were taken at once: a first wait shorter than %s (retry.delays) ends this mailing earlier.",
			format.Duration(tail), format.Duration(wait))})
	}
	// Without deliveries in the end, it is not the time that was wrong.
	if again >= leastAttempts && resends >= 0.05*attempts && again >= 0.5*resends && late >= 0.5*deferred {
		all = append(all, Finding{TooFast, "", fmt.Sprintf("%s of the resends that were not refused came too "+
			"early and were deferred again: longer waits (retry.delays) cost fewer attempts.",
			format.Percent(again/resends))})
	}
	return all
}

// longer reports whether the first wait is at least twice what any greylist asks for; true where no receiver's
// delay is known.
func (f *Facts) longer() bool {
	for _, r := range f.Run.Receivers {
		if r.Grey.Limit > 0 && f.Run.Receiver == "" && f.Run.Sender.FirstWait < 2*r.Delay {
			return false
		}
	}
	return true
}
