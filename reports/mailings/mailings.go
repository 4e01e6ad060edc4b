// Package mailings reports what the sender's own servers did in a run with a sending server: when each list was
// planned and its mailing reported, what happened to servers, how many messages came twice, and what returned mail
// and requests changed.
package mailings

import (
	"fmt"
	"math"

	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// Report is the part of a run's report that is on its sending server.
type Report struct {
	Mailings   []Mailing `json:"mailings"`
	Faults     []Fault   `json:"faults"`
	Messages   uint64    `json:"messages"`   // between the sender's own servers
	Duplicates uint64    `json:"duplicates"` // messages that a receiver accepted beyond the first to a recipient
	Ambiguous  uint64    `json:"ambiguous"`  // attempts whose final dot was sent, and whose reply is not known
	Returned   uint64    `json:"returned"`   // messages that came back
	Asked      uint64    `json:"asked"`      // requests to get nothing any more
	Unwanted   uint64    `json:"unwanted"`   // messages to recipients that came after their request
	Suppressed uint64    `json:"suppressed"` // recipients who got nothing because of a request or of returned mail
}

// Mailing is what the sending server did for a campaign.
type Mailing struct {
	Name        string     `json:"name"`
	PlannedSec  format.Num `json:"planned_s"`  // first, since the start of the run; missing: its list was not planned
	ReportedSec format.Num `json:"reported_s"` // missing: it was not reported
	Subsets     int        `json:"subsets"`    // parts of the list that were planned for servers
	Plans       int        `json:"plans"`      // one for the list, each chunk or each day; and one for each lost part
	Moved       uint64     `json:"moved"`      // recipients of lost servers who were given to others
}

// Fault is something that happened to one of the sender's own servers.
type Fault struct {
	Server string     `json:"server"`
	Kind   string     `json:"kind"`
	AtSec  format.Num `json:"at_s"`
	ForSec format.Num `json:"for_s"` // missing: for good
}

// Of returns the report on a run; nil without a sending server.
func Of(c *runlog.Control) *Report {
	if c == nil {
		return nil
	}
	r := &Report{Mailings: []Mailing{}, Faults: []Fault{}, Messages: c.Messages, Duplicates: c.Duplicates,
		Ambiguous: c.Ambiguous, Returned: c.Returned, Asked: c.Asked, Unwanted: c.Unwanted, Suppressed: c.Suppressed}
	for _, m := range c.Mailings {
		r.Mailings = append(r.Mailings, Mailing{m.Name, seconds(m.Planned), seconds(m.Reported), m.Subsets, m.Plans,
			m.Moved})
	}
	for _, f := range c.Faults {
		lasts := format.Missing
		if f.For > 0 {
			lasts = format.Num(f.For.Seconds())
		}
		r.Faults = append(r.Faults, Fault{f.Server, f.Kind, seconds(f.At), lasts})
	}
	return r
}

func seconds(t vt.Time) format.Num {
	if t == vt.Never {
		return format.Missing
	}
	return format.Num(t.Seconds())
}

// Sentences returns the report in words.
func (r *Report) Sentences() (all []string) {
	for _, m := range r.Mailings {
		all = append(all, m.sentence())
	}
	for _, f := range r.Faults {
		all = append(all, f.sentence())
	}
	if len(r.Faults) > 0 || r.Duplicates+r.Ambiguous > 0 {
		all = append(all, fmt.Sprintf("%s who had it already; the end of %s is not known.",
			count(r.Duplicates, "message was delivered to a recipient", "messages were delivered to recipients"),
			format.Plural(r.Ambiguous, "attempt")))
	}
	if r.Returned > 0 {
		all = append(all, format.Plural(r.Returned, "message")+" came back.")
	}
	if r.Asked > 0 {
		all = append(all, fmt.Sprintf("%s asked to get nothing any more, and got %s after that.",
			format.Plural(r.Asked, "recipient"), format.Plural(r.Unwanted, "message")))
	}
	if r.Suppressed > 0 {
		all = append(all, count(r.Suppressed, "message was not sent", "messages were not sent")+
			" because of requests or returned mail.")
	}
	return all
}

// count returns n with one of two texts, such as a noun with its verb.
func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return format.Grouped(float64(n), 0) + " " + many
}

func (m *Mailing) sentence() string {
	if !m.PlannedSec.Known() {
		return fmt.Sprintf("Mailing %s was not planned.", m.Name)
	}
	s := fmt.Sprintf("Mailing %s was planned after %s", m.Name, after(m.PlannedSec))
	if m.Moved > 0 {
		s += fmt.Sprintf("; %s of lost servers went to others", format.Plural(m.Moved, "recipient"))
	}
	s += fmt.Sprintf("; servers got %s of its list in all", format.Plural(uint64(m.Subsets), "part"))
	if !m.ReportedSec.Known() {
		return s + "; it was not reported."
	}
	return s + fmt.Sprintf("; it was reported after %s.", after(m.ReportedSec))
}

// happened has what each kind of fault does to a server, as words before its time.
var happened = map[string]string{
	"kill": "was killed", "power-min": "lost its power", "power-any": "lost its power", "pause": "paused",
	"cut": "was cut off from the others",
}

func (f *Fault) sentence() string {
	s := fmt.Sprintf("Server %s %s after %s", f.Server, happened[f.Kind], after(f.AtSec))
	if !f.ForSec.Known() {
		return s + ", for good."
	}
	return s + fmt.Sprintf(", for %s.", after(f.ForSec))
}

// after writes a time in its unit.
func after(seconds format.Num) string {
	unit, length := format.TimeUnit(float64(seconds))
	v := float64(seconds) / length
	decimals := 1
	if v < 1 {
		decimals = 2
	}
	if v == math.Trunc(v) {
		decimals = 0
	}
	return format.Grouped(v, decimals) + " " + unit
}
