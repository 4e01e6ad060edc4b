package live

import (
	"fmt"
	"io"
	"math"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/letters"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/reports/format"
	"flyball/scenarios"
)

// SendPlan is what a live run would send, where and with which parameters. Nothing is connected to.
type SendPlan struct {
	Schema        string `json:"schema"`
	SchemaVersion int    `json:"schema_version"`
	Scenario      string `json:"scenario"`
	ScenarioID    string `json:"scenario_id"`

	Recipients   int           `json:"recipients"` // that would be mailed
	Suppressed   uint64        `json:"suppressed"`
	Rejected     int           `json:"rejected"` // rows of the list, and duplicates
	Destinations []Destination `json:"destinations"`
	Bytes        int           `json:"message_bytes"` // of the first message, or of the longest
	Sender       string        `json:"sender"`        // domain

	Receivers string   `json:"receivers"` // where the mail would go
	TimeScale float64  `json:"time_scale"`
	Allowed   *Allowed `json:"allowed,omitempty"` // missing without an allowlist

	Law       string     `json:"law"`
	Promotion *Promotion `json:"promotion,omitempty"` // whose parameters the run would have; missing without one
	// keys in which the scenario's own parameters differ from the parameters of the promotion, which count
	Changes []Change `json:"changes,omitempty"`
	// keys in which the record in force differs from the record before it
	SinceBefore []Change `json:"changes_since_record_before,omitempty"`
	Canary      *Canary  `json:"canary,omitempty"` // missing without a trial
	Notes       []string `json:"notes,omitempty"`  // on the list and the letter
	Run         string   `json:"run"`              // command that sends
}

// Destination is how many recipients a destination has.
type Destination struct {
	Name       string `json:"name"`
	Recipients int    `json:"recipients"`
}

// Allowed is what an allowlist leaves.
type Allowed struct {
	File      string `json:"file"`
	Left      int    `json:"left"` // attempts within 24 hours
	PerDay    int    `json:"per_day"`
	PerSecond int    `json:"per_second"`
}

// Promotion names a record.
type Promotion struct {
	Number  int       `json:"number"`
	By      string    `json:"by"`
	Expires time.Time `json:"expires"`
	Sum     string    `json:"sum"` // SHA-256
}

// Change is a key whose value a promotion replaces.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from"` // as it was, in the scenario or in the record before; empty: it did not have the key
	To   string `json:"to"`   // in the record in force
}

// Plan returns what Do would send. It checks all that Do checks before it connects, but for the number of recipients.
func (q *Run) Plan() (*SendPlan, error) {
	r, err := q.load()
	if err != nil {
		return nil, err
	}
	s, p := r.scenario, &SendPlan{Schema: "flyball/send-plan", SchemaVersion: format.SchemaVersion}
	if q.Canary.Share > 0 {
		p.Canary = &q.Canary
	}
	if r.promoted != nil {
		last := r.promoted.Last()
		p.Promotion = &Promotion{last.Number, last.By, last.Expires, last.Sum}
		for _, d := range r.own.Differences(s.Parameters()) {
			p.Changes = append(p.Changes, Change(d))
		}
		if len(r.promoted.All) > 1 {
			before, err := r.promoted.Before()
			if err != nil {
				return nil, err
			}
			for _, d := range before.Differences(s.Parameters()) {
				p.SinceBefore = append(p.SinceBefore, Change(d))
			}
		}
	}
	if err := q.prepare(r, kept.Mailing{Date: time.Now()}, nil); err != nil {
		return nil, err
	}
	m := r.mailing
	if r.promoted != nil {
		p.Notes = r.says[1:] // the first one is on the parameters
	}
	scale := q.scale(s)
	p.Scenario, p.ScenarioID, p.TimeScale = s.Name, scenarios.ID(s), scale
	p.Recipients, p.Suppressed, p.Rejected = m.List.Len(), m.Suppressed, m.Count.Rejected+m.Count.Duplicate
	p.Bytes, p.Sender, p.Law = m.Size(), r.sender(), s.Governor.Law
	p.Notes = append(p.Notes, m.Words()...)
	p.Notes = append(p.Notes, letters.MasterWords(m.Masters())...)
	if r.allow != nil {
		for _, doubt := range m.Doubts() {
			p.Notes = append(p.Notes, "Doubtful: "+doubt)
		}
	}
	counts := make([]int, len(s.Destinations))
	for i := range m.List.Len() {
		counts[m.List.Destination(mail.Recipient(i))]++
	}
	for i, d := range s.Destinations {
		p.Destinations = append(p.Destinations, Destination{d.Name, counts[i]})
	}
	if p.Receivers = q.receivers(); p.Receivers == "" {
		p.Receivers = "Flyball's own receivers on loopback"
	}
	if r.allow != nil {
		if err := r.guard(&q.Outside); err != nil {
			return nil, err
		}
		left, err := r.caps.Left()
		if err != nil {
			return nil, RefusedOr(task.Environment, err)
		}
		p.Allowed = &Allowed{q.Outside.Allow, left, r.allow.Caps.PerDay, r.allow.Caps.PerSecond}
	}
	var words []string
	if r.allow != nil {
		words = append(words, "--count", fmt.Sprint(p.Recipients))
	}
	if q.State != "" {
		words = append(words, "--state", task.Quote(q.State))
	}
	p.Run = q.replay(s, words...)
	return p, nil
}

// Text writes the plan for a terminal.
func (p *SendPlan) Text(w io.Writer) error {
	var out []byte
	line := func(text string, args ...any) { out = fmt.Appendf(out, text+"\n", args...) }
	line("%s: nothing is sent. A run would mail %s.", p.Scenario,
		format.Plural(uint64(p.Recipients), "recipient"))
	for _, d := range p.Destinations {
		line("  %s: %d", d.Name, d.Recipients)
	}
	for _, words := range p.Notes {
		line("%s", words)
	}
	line("Messages: %d bytes, from %s", p.Bytes, p.Sender)
	line("To: %s, at %g times real time", p.Receivers, p.TimeScale)
	if a := p.Allowed; a != nil {
		least := time.Duration(math.Ceil(float64(p.Recipients)/float64(a.PerSecond))) * time.Second
		line("Allowed by %s: %d of %d attempts within 24 hours are left, %d a second; with one attempt "+
			"each the mailing takes %s or more", a.File, a.Left, a.PerDay, a.PerSecond, least)
		if a.Left < p.Recipients {
			line("  The caps stop the run after %s.", format.Plural(uint64(max(a.Left, 0)), "attempt"))
		}
	}
	if r := p.Promotion; r != nil {
		line("Parameters: law %s of promotion %d by %s, until %s, SHA-256 %s", p.Law, r.Number, r.By,
			r.Expires.Format(time.RFC3339), r.Sum)
		if p.Changes == nil {
			line("  The scenario has the same.")
		}
		for _, c := range p.Changes {
			line("  %s: the scenario has %s, the record in force %s", c.Key, given(c.From), given(c.To))
		}
		for _, c := range p.SinceBefore {
			line("  %s: the record before had %s, the record in force has %s", c.Key, given(c.From), given(c.To))
		}
	} else {
		line("Parameters: law %s, the scenario's own", p.Law)
	}
	if c := p.Canary; c != nil {
		line("Canary: this law delivers the first %s, the law of the record before the rest, and all that is left "+
			"after an interval with more than %s of its attempts ended by 5yz or %s by 4yz", format.Percent(c.Share),
			format.Percent(c.Bounces), format.Percent(c.Deferrals))
	}
	line("Send it with: %s", p.Run)
	_, err := w.Write(out)
	return err
}

// given returns a value, or the word for none.
func given(value string) string {
	if value == "" {
		return "none"
	}
	return value
}
