// Package status is how far a live run is: in words, in JSON and for Prometheus, and how others ask it.
package status

import (
	"fmt"
	"strings"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
)

// Status is how far a live run is, or how far the mailing in a folder is that no run uses.
type Status struct {
	Schema        string  `json:"schema"`
	SchemaVersion int     `json:"schema_version"`
	State         string  `json:"state"` // running, paused, stopping or stopped
	Time          float64 `json:"time_s"`
	Recipients    uint64  `json:"recipients"`
	Delivered     uint64  `json:"delivered"`
	Failed        uint64  `json:"failed"`
	Suppressed    uint64  `json:"suppressed"`
	Held          uint64  `json:"held"` // after an ambiguous attempt
	// recipients whose look-up led to no receiver that the allowlist has for their domain
	NotAllowed uint64 `json:"not_allowed"`
	Pending    uint64 `json:"pending"`
	Attempts   uint64 `json:"attempts"`
	Ambiguous  int    `json:"ambiguous_attempts"`

	// Of a run that is under way:
	Rate         float64             `json:"delivered_per_h,omitempty"` // since it began
	Waiting      int                 `json:"waiting_at_gate,omitempty"`
	Servers      []ServerStatus      `json:"servers,omitempty"`
	Destinations []DestinationStatus `json:"destinations,omitempty"`
	LastReply    string              `json:"last_reply,omitempty"`
	Record       string              `json:"record,omitempty"` // of parameters in force, in words
	Out          string              `json:"out,omitempty"`    // an estimate in words of when the mailing is out
}

// ServerStatus is a delivering server of a live run.
type ServerStatus struct {
	Name      string `json:"name"`
	Available int    `json:"available"` // C, rounded down
	Allocated int    `json:"allocated"`
}

// DestinationStatus is a destination of a live run.
type DestinationStatus struct {
	Name     string `json:"name"`
	Deferred uint64 `json:"deferred"` // attempts after which a recipient was to be resent
}

// Text returns the status in lines.
func (s *Status) Text() []string {
	final := s.Recipients - s.Pending
	share := 0.0
	if s.Recipients > 0 {
		share = 100 * float64(final) / float64(s.Recipients)
	}
	held := fmt.Sprintf("%d held", s.Held)
	if s.NotAllowed > 0 {
		held += fmt.Sprintf(", %d not allowed", s.NotAllowed)
	}
	lines := []string{fmt.Sprintf("%s after %s: %d of %d recipients are final (%.1f %%): %d delivered, %d failed, "+
		"%d suppressed, %s; %d attempts, %d ambiguous", s.State, format.Duration(s.Time), final, s.Recipients,
		share, s.Delivered, s.Failed, s.Suppressed, held, s.Attempts, s.Ambiguous)}
	if s.Servers == nil {
		return lines
	}
	line := fmt.Sprintf("%.0f delivered per hour", s.Rate)
	for _, v := range s.Servers {
		line += fmt.Sprintf("; %s: C %d, %d allocated", v.Name, v.Available, v.Allocated)
	}
	lines = append(lines, line)
	var deferred []string
	for _, d := range s.Destinations {
		if d.Deferred > 0 {
			deferred = append(deferred, fmt.Sprintf("%s %d", d.Name, d.Deferred))
		}
	}
	if deferred != nil {
		lines = append(lines, "deferred: "+strings.Join(deferred, ", "))
	}
	if s.LastReply != "" {
		lines = append(lines, "last reply: "+s.LastReply)
	}
	if s.Record != "" {
		lines = append(lines, "parameters: "+s.Record)
	}
	if s.Waiting > 0 {
		lines = append(lines, "waiting at the gate: "+format.Plural(uint64(s.Waiting), "attempt"))
	}
	if s.Out != "" {
		lines = append(lines, s.Out)
	}
	return lines
}

// New returns a status with the counts of recipients of a mailing, total of them, by their status.
func New(state string, now vt.Time, total uint64, count [mail.Statuses]uint64) *Status {
	return &Status{Schema: "flyball/live-status", SchemaVersion: 1, State: state, Time: now.Seconds(),
		Recipients: total, Delivered: count[mail.Done], Failed: count[mail.Failed], Suppressed: count[mail.Suppressed],
		Held: count[mail.Held], NotAllowed: count[mail.Unreached], Pending: count[mail.Pending]}
}
