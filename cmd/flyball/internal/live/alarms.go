package live

import (
	"fmt"
	"sync"

	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/scenarios"
)

// alarms are the refusals of the sender itself and the failures of its name server in a live run, by destination.
// Attempts that end at the same time may add to them.
type alarms struct {
	lock sync.Mutex
	of   map[mail.Destination]*alarm
}

type alarm struct {
	attempts uint64
	first    mail.Reply
	text     string // of the first reply
}

// add counts a refusal.
func (a *alarms) add(to mail.Destination, r mail.Reply, text string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.of == nil {
		a.of = map[mail.Destination]*alarm{}
	}
	if a.of[to] == nil {
		a.of[to] = &alarm{first: r, text: text}
	}
	a.of[to].attempts++
}

// words returns a line for each destination that refuses the sender.
func (a *alarms) words(s *scenarios.Scenario) (lines []string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for d := range s.Destinations {
		v := a.of[mail.Destination(d)]
		if v == nil {
			continue
		}
		name, attempts := s.Destinations[d].Name, format.Plural(v.attempts, "attempt")
		what := fmt.Sprintf("%s refused this sender in %s, first at %s with: %d %s", name, attempts, v.first.Stage,
			v.first.Code, v.text)
		if v.first.Fault == mail.NoResolver {
			what = fmt.Sprintf("%s of mail to %s found no way there, the first: %s", attempts, name, v.text)
		}
		lines = append(lines, "Alarm: "+what+". No recipient was given up for that; attempts waited for the resend "+
			"delay.")
	}
	return lines
}
