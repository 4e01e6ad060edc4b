package scenarios

import (
	"math"
	"slices"

	"flyball/internal/vt"
)

// LastOrder returns when the last change that the scenario schedules is
// complete: a change of the target, the delays, the reachability, the demand or
// the faults of the governor's measurements. It is 0 if the scenario schedules
// none. Random outages and daily patterns do not count.
func (s *Scenario) LastOrder() vt.Time {
	var last vt.Time
	at := func(spans ...vt.Span) {
		var sum vt.Span
		for _, v := range spans {
			sum += v
		}
		last = max(last, vt.Time(sum))
	}
	for _, v := range s.Governor.Changes {
		at(v.At, v.Over)
	}
	for _, v := range s.Governor.Faults {
		at(vt.Span(v.Interval+1) * s.Governor.Interval)
	}
	for _, v := range s.Network.Down {
		at(v.From, v.For)
	}
	for _, v := range s.Network.Drift {
		at(v.At, v.Over)
	}
	for _, v := range s.Network.DNS.Drift {
		at(v.At, v.Over)
	}
	for _, v := range s.Servers {
		for _, d := range v.Down {
			at(d.From, d.For)
		}
	}
	for _, d := range s.Destinations {
		for _, v := range d.Down {
			at(v.From, v.For)
		}
		for _, v := range d.Drift {
			at(v.At, v.Over)
		}
	}
	for _, c := range s.Campaigns {
		at(c.Start)
	}
	return last
}

// CutOff reports whether the scenario schedules an outage of the server or of
// the whole network that overlaps [from, to).
func (s *Scenario) CutOff(server int, from, to vt.Time) bool {
	for _, v := range slices.Concat(s.Network.Down, s.Servers[server].Down) {
		if vt.Time(v.From) < to && from < vt.Time(v.From+v.For) {
			return true
		}
	}
	return false
}

// Peak returns the number of attempts under way at which a server delivers
// most, by the universal scalability law: sqrt((1 - contention) / coherency).
// It is 0 if more attempts always deliver more.
func (s *Scenario) Peak(server int) float64 {
	v := s.Servers[server]
	if v.Coherency == 0 {
		return 0
	}
	return math.Sqrt((1 - v.Contention) / v.Coherency)
}
